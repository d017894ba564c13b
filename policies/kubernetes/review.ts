/**
 * Answers `kubectl auth can-i` and `auth whoami` from the task: what the gate would decide, not what the
 * connector's account may do. (authorization.k8s.io/v1 SelfSubjectAccessReview and -RulesReview,
 * authentication.k8s.io/v1 SelfSubjectReview)
 */
import { parseStrict } from "../../wire/http/json.ts";
import { bytesOf, readFields, readProtobufIdentity, textOf } from "../../wire/kubernetes/protobuf.ts";
import { API_VERBS, type KubeRequest, type KubeVerb } from "../../wire/kubernetes/request.ts";
import type { Identity, Task } from "../task.ts";
import { decideKube } from "./decide.ts";
import { kubernetesRules } from "./scope.ts";

/** The review as JSON, or null when the body cannot be read. */
export function answerReview(
  task: Task,
  identity: Identity,
  request: KubeRequest,
  body: Uint8Array,
  protobuf: boolean,
): unknown | null {
  const apiVersion = `${request.group}/${request.version}`;
  if (request.resource === "selfsubjectreviews") {
    const extra = { "wicketgate/task": [task.name], "wicketgate/issuer": [identity.issuer] };
    const userInfo = { username: identity.name ?? identity.subject, groups: identity.groups, extra };
    return { kind: "SelfSubjectReview", apiVersion, metadata: {}, status: { userInfo } };
  }
  if (request.resource === "selfsubjectrulesreviews") {
    const namespace = protobuf ? protobufNamespace(body) : jsonNamespace(body);
    return namespace === null ? null : rulesReview(task, apiVersion, namespace);
  }
  const asked = protobuf ? protobufAttributes(body) : jsonAttributes(body);
  if (asked === null) return null;
  const verdict = accessVerdict(task, asked);
  return {
    kind: "SelfSubjectAccessReview",
    apiVersion,
    metadata: {},
    spec: asked.spec,
    status: { allowed: verdict.allowed, denied: !verdict.allowed, reason: verdict.reason },
  };
}

interface Asked {
  readonly spec: unknown;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string | null;
}

/** Verbs by which RBAC speaks of the connect subresources and logs. */
function verbOf(asked: Asked): KubeVerb | null {
  if (asked.group === "" && asked.subresource !== "") {
    const key = `${asked.resource}/${asked.subresource}`;
    const own: Record<string, KubeVerb> = {
      "pods/exec": "exec",
      "pods/attach": "attach",
      "pods/portforward": "portforward",
      "pods/log": "logs",
      "pods/proxy": "proxy",
      "services/proxy": "proxy",
      "nodes/proxy": "proxy",
    };
    if (Object.hasOwn(own, key)) return own[key]!;
  }
  return API_VERBS.find((verb) => verb === asked.verb) ?? null;
}

function accessVerdict(task: Task, asked: Asked): { allowed: boolean; reason: string } {
  if (asked.path !== null) {
    const open = /^\/(api|apis|openapi|version)(\/|$)/.test(asked.path) && asked.verb === "get";
    return open
      ? { allowed: true, reason: "the API's description is open to every task" }
      : { allowed: false, reason: `the task ${task.name} grants no such path` };
  }
  const verb = verbOf(asked);
  if (verb === null)
    return {
      allowed: false,
      reason: `the task ${task.name} does not grant ${asked.verb} of ${asked.resource}`,
    };
  const named = !["list", "watch", "create", "deletecollection"].includes(verb);
  // Without a name the question is whether any object could be meant.
  if (named && asked.name === "") {
    const rules = kubernetesRules(task).flatMap((rule) => rule.names ?? [""]);
    const guesses = [
      ...new Set(["any-object", ...rules.map((glob) => glob.replaceAll("*", "x").replaceAll("?", "x"))]),
    ];
    for (const guess of guesses) {
      const verdict = accessVerdict(task, { ...asked, name: guess || "any-object" });
      if (verdict.allowed) return verdict;
    }
    return accessVerdict(task, { ...asked, name: "any-object" });
  }
  const rules = kubernetesRules(task).filter((rule) => rule.verbs.includes("exec"));
  const commands = verb === "exec" ? rules.flatMap((rule) => rule.commands ?? []) : [];
  const request: KubeRequest = {
    method: "GET",
    kind: "resource",
    verb,
    group: asked.group,
    version: "v1",
    namespace: asked.namespace,
    resource: asked.resource,
    subresource: asked.subresource,
    name: named ? asked.name : "",
    selectedName: "",
    proxyPath: [],
    segments: [],
    // Any command that the task allows will do for the question.
    query: commands.slice(0, 1).map((glob) => ["command", glob.replaceAll("*", "x").replaceAll("?", "x")]),
  };
  const decision = decideKube(task, request);
  if (decision.effect === "deny")
    return { allowed: false, reason: `${decision.reason}: ${decision.message}` };
  const where = decision.rule === null ? `task ${task.name}` : `${decision.rule} (task ${task.name})`;
  return { allowed: true, reason: decision.effect === "hold" ? `${where}, after approval` : where };
}

function rulesReview(task: Task, apiVersion: string, namespace: string): unknown {
  const resourceRules = kubernetesRules(task)
    .filter(
      (rule) =>
        rule.namespaces.length === 0 || rule.namespaces.some((glob) => glob === "*" || glob === namespace),
    )
    .map((rule) => ({
      verbs: [
        ...new Set(
          rule.verbs.map(
            (verb) =>
              ({ exec: "create", attach: "create", portforward: "create", logs: "get", proxy: "get" })[
                verb as string
              ] ?? verb,
          ),
        ),
      ],
      apiGroups: rule.apiGroups,
      resources: rule.resources,
      ...(rule.names === null ? {} : { resourceNames: rule.names }),
    }));
  const nonResourceRules = [
    { verbs: ["get"], nonResourceURLs: ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version"] },
  ];
  return {
    kind: "SelfSubjectRulesReview",
    apiVersion,
    metadata: {},
    spec: {},
    status: { resourceRules, nonResourceRules, incomplete: false },
  };
}

function jsonSpec(body: Uint8Array): Record<string, unknown> | null {
  const parsed = parseStrict(body);
  if (!parsed.ok) return null;
  const spec = (parsed.value as { spec?: unknown } | null)?.spec ?? {};
  return typeof spec === "object" && spec !== null && !Array.isArray(spec)
    ? (spec as Record<string, unknown>)
    : null;
}

function jsonNamespace(body: Uint8Array): string | null {
  const spec = jsonSpec(body);
  return spec === null ? null : String(spec["namespace"] ?? "");
}

function jsonAttributes(body: Uint8Array): Asked | null {
  const spec = jsonSpec(body);
  if (spec === null) return null;
  const of = (value: unknown, key: string): string => {
    const text = (value as Record<string, unknown>)[key];
    return typeof text === "string" ? text : "";
  };
  const path = spec["nonResourceAttributes"];
  if (typeof path === "object" && path !== null) return nonResource(spec, of(path, "path"), of(path, "verb"));
  const resource = spec["resourceAttributes"];
  if (typeof resource !== "object" || resource === null) return null;
  return {
    spec,
    verb: of(resource, "verb"),
    group: of(resource, "group"),
    resource: of(resource, "resource"),
    subresource: of(resource, "subresource"),
    namespace: of(resource, "namespace"),
    name: of(resource, "name"),
    path: null,
  };
}

function protobufSpec(body: Uint8Array) {
  const object = readProtobufIdentity(body);
  const fields = object === null ? null : readFields(object.raw);
  const spec = fields === null ? null : bytesOf(fields, 2);
  return spec === null ? null : readFields(spec);
}

function protobufNamespace(body: Uint8Array): string | null {
  const spec = protobufSpec(body);
  return spec === null ? null : textOf(spec, 1);
}

/** spec {1: resourceAttributes {1 namespace, 2 verb, 3 group, 5 resource, 6 subresource, 7 name}, 2: {1 path, 2 verb}}. */
function protobufAttributes(body: Uint8Array): Asked | null {
  const spec = protobufSpec(body);
  if (spec === null) return null;
  const path = bytesOf(spec, 2);
  if (path !== null) {
    const fields = readFields(path);
    return fields === null ? null : nonResource({}, textOf(fields, 1) ?? "", textOf(fields, 2) ?? "");
  }
  const attributes = bytesOf(spec, 1);
  const fields = attributes === null ? null : readFields(attributes);
  if (fields === null) return null;
  const [namespace, verb, group, , resource, subresource, name] = [1, 2, 3, 4, 5, 6, 7].map(
    (number) => textOf(fields, number) ?? "",
  ) as [string, string, string, string, string, string, string];
  const resourceAttributes = { namespace, verb, group, resource, subresource, name };
  return { spec: { resourceAttributes }, verb, group, resource, subresource, namespace, name, path: null };
}

function nonResource(spec: unknown, path: string, verb: string): Asked {
  return { spec, verb, group: "", resource: "", subresource: "", namespace: "", name: "", path };
}
