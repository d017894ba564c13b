/**
 * What the pods of a write may do. The baseline is that of the Pod Security Standards ("baseline" profile, plus
 * service accounts and nodes): what lets a pod leave its sandbox or act for someone else is refused unless the
 * rule says otherwise. It reads whole objects and partial ones (patches) alike, because it looks only for what
 * is set.
 */
import { globMatches } from "../glob.ts";
import { noPodRule, type PodRule } from "./rules.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Where the pod template of a kind is; `group/resource`. */
const templates: Readonly<Record<string, readonly string[]>> = {
  "/pods": [],
  "/pods/ephemeralcontainers": [],
  "/pods/resize": [],
  "/podtemplates": ["template"],
  "/replicationcontrollers": ["spec", "template"],
  "apps/deployments": ["spec", "template"],
  "apps/daemonsets": ["spec", "template"],
  "apps/statefulsets": ["spec", "template"],
  "apps/replicasets": ["spec", "template"],
  "batch/jobs": ["spec", "template"],
  "batch/cronjobs": ["spec", "jobTemplate", "spec", "template"],
};

/** Path to the pod template inside an object, or null when the kind has none. */
export function podTemplatePath(
  group: string,
  resource: string,
  subresource: string,
): readonly string[] | null {
  const key = `${group}/${resource}${subresource === "" ? "" : `/${subresource}`}`;
  return Object.hasOwn(templates, key) ? templates[key]! : null;
}

/** Capabilities that a container may add: those of the default set. */
const harmless = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
/** Annotations through which old API servers took what is a field today. */
const oldAnnotations = /(apparmor\.security\.beta\.kubernetes\.io|seccomp\.security\.alpha\.kubernetes\.io)/;

/** Null, or what the pod of this object does that the rule does not allow. `object`: body, whole or partial. */
export function podFault(object: unknown, path: readonly string[], rule: PodRule | null): string | null {
  let template: unknown = object;
  for (const key of path) template = fieldsOf(template)?.[key];
  const pod = fieldsOf(template);
  if (pod === null)
    return template === undefined || template === null ? null : "the pod template is not an object";
  const annotations = fieldsOf(fieldsOf(pod["metadata"])?.["annotations"]);
  if (annotations !== null && Object.keys(annotations).some((key) => oldAnnotations.test(key))) {
    return "it sets a security profile by annotation";
  }
  const spec = fieldsOf(pod["spec"]);
  if (spec === null)
    return pod["spec"] === undefined || pod["spec"] === null ? null : "the pod spec is not an object";
  return specFault(spec, rule ?? noPodRule);
}

function specFault(spec: Fields, rule: PodRule): string | null {
  if (!rule.hostNamespaces) {
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) {
      if (set(spec[key])) return `it uses the host's namespaces (${key})`;
    }
    if (spec["hostUsers"] === true) return "it asks for the host's user namespace (hostUsers)";
  }
  for (const key of ["serviceAccountName", "serviceAccount"]) {
    const account = spec[key];
    if (!set(account) || account === "default") continue;
    if (typeof account !== "string" || !rule.serviceAccounts.includes(account)) {
      return `it runs as the service account ${JSON.stringify(account)}`;
    }
  }
  if (set(spec["nodeName"])) return "it chooses its node (nodeName)";
  if (set(spec["priorityClassName"]) && /^system-/.test(String(spec["priorityClassName"]))) {
    return "it uses a system priority class";
  }
  const context = contextFault(spec["securityContext"], rule);
  if (context !== null) return context;
  for (const volume of list(spec["volumes"])) {
    const fault = volumeFault(volume, rule);
    if (fault !== null) return fault;
  }
  for (const key of ["containers", "initContainers", "ephemeralContainers"]) {
    for (const container of list(spec[key])) {
      const fault = containerFault(container, rule);
      if (fault !== null) return fault;
    }
  }
  return null;
}

function containerFault(value: unknown, rule: PodRule): string | null {
  const container = fieldsOf(value);
  if (container === null) return "a container is not an object";
  const image = container["image"];
  if (rule.images !== null && image !== undefined) {
    const fits = typeof image === "string" && rule.images.some((pattern) => globMatches(pattern, image));
    if (!fits) return `it runs the image ${JSON.stringify(String(image).slice(0, 200))}`;
  }
  const context = contextFault(container["securityContext"], rule);
  if (context !== null) return context;
  if (!rule.hostNamespaces) {
    for (const port of list(container["ports"])) {
      if (set(fieldsOf(port)?.["hostPort"])) return "it takes a port of the host (hostPort)";
    }
  }
  for (const hook of [
    fieldsOf(container["lifecycle"])?.["postStart"],
    fieldsOf(container["lifecycle"])?.["preStop"],
  ]) {
    if (set(fieldsOf(fieldsOf(hook)?.["httpGet"])?.["host"])) return "a hook calls another host";
  }
  return null;
}

function contextFault(value: unknown, rule: PodRule): string | null {
  if (rule.privileged || value === undefined || value === null) return null;
  const context = fieldsOf(value);
  if (context === null) return "the security context is not an object";
  if (set(context["privileged"])) return "it is privileged";
  if (set(context["allowPrivilegeEscalation"])) return "it allows privilege escalation";
  const procMount = context["procMount"];
  if (set(procMount) && procMount !== "Default") return "it unmasks /proc (procMount)";
  if (set(fieldsOf(context["windowsOptions"])?.["hostProcess"])) return "it is a Windows host process";
  for (const key of ["seccompProfile", "appArmorProfile"]) {
    if (fieldsOf(context[key])?.["type"] === "Unconfined") return `it runs unconfined (${key})`;
  }
  if (set(context["seLinuxOptions"])) return "it sets SELinux options";
  if (list(context["sysctls"]).length > 0) return "it sets kernel parameters (sysctls)";
  for (const capability of list(fieldsOf(context["capabilities"])?.["add"])) {
    if (typeof capability !== "string" || !harmless.includes(capability.replace(/^CAP_/, ""))) {
      return `it adds the capability ${JSON.stringify(capability)}`;
    }
  }
  return null;
}

/** Volume sources that show only what the namespace itself has, or nothing. */
const plainVolumes = [
  "name",
  "configMap",
  "downwardAPI",
  "emptyDir",
  "secret",
  "persistentVolumeClaim",
  "ephemeral",
  "image",
  "projected",
  "$patch",
  "$retainKeys",
];

function volumeFault(value: unknown, rule: PodRule): string | null {
  const volume = fieldsOf(value);
  if (volume === null) return "a volume is not an object";
  for (const [key, source] of Object.entries(volume)) {
    if (source === null || plainVolumes.includes(key)) continue;
    if (key !== "hostPath") return `it mounts a volume of the kind ${key}`;
    const path = fieldsOf(source)?.["path"];
    const plain = typeof path === "string" && !path.split("/").includes("..");
    if (!plain || !rule.hostPaths.some((pattern) => globMatches(pattern, path))) {
      return `it mounts the host path ${JSON.stringify(path)}`;
    }
  }
  for (const source of list(fieldsOf(volume["projected"])?.["sources"])) {
    const token = fieldsOf(fieldsOf(source)?.["serviceAccountToken"]);
    if (token !== null && set(token["audience"]))
      return "it mounts a service account token for another audience";
  }
  return null;
}

/** Whether a field is set to something that is not its zero value. */
function set(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== "" && value !== 0;
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  // Not a list where one belongs: looked at all the same, so that it is refused by what reads it.
  return value === undefined || value === null ? [] : [value];
}
