/** The kinds that the stand-in API server has, its discovery documents and its Tables. */

// biome-ignore lint/suspicious/noExplicitAny: documents of any kind, as clients send them
export type Loose = any;

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly singular: string;
  readonly short: readonly string[];
  readonly namespaced: boolean;
  readonly subresources: readonly string[];
  /** Printer columns besides Name and Age, each with what it shows. */
  readonly columns: readonly (readonly [name: string, show: (object: Loose) => string | number])[];
}

const kind = (
  gv: string,
  name: string,
  resource: string,
  short: readonly string[],
  given: Partial<Kind> = {},
): Kind => {
  const [first, second] = gv.split("/") as [string, string?];
  return {
    group: second === undefined ? "" : first,
    version: second ?? first,
    kind: name,
    resource,
    singular: name.toLowerCase(),
    short,
    namespaced: true,
    subresources: [],
    columns: [],
    ...given,
  };
};

export const kinds: readonly Kind[] = [
  kind("v1", "Pod", "pods", ["po"], {
    subresources: [
      "status",
      "log",
      "exec",
      "attach",
      "portforward",
      "proxy",
      "eviction",
      "ephemeralcontainers",
    ],
    columns: [
      ["Ready", (pod) => `${(pod.spec?.containers ?? []).length}/${(pod.spec?.containers ?? []).length}`],
      ["Status", (pod) => pod.status?.phase ?? "Pending"],
      ["Restarts", () => "0"],
    ],
  }),
  kind("v1", "Service", "services", ["svc"], {
    subresources: ["status", "proxy"],
    columns: [["Type", (service) => service.spec?.type ?? "ClusterIP"]],
  }),
  kind("v1", "ConfigMap", "configmaps", ["cm"], {
    columns: [["Data", (map) => Object.keys(map.data ?? {}).length]],
  }),
  kind("v1", "Secret", "secrets", [], {
    columns: [
      ["Type", (secret) => secret.type ?? "Opaque"],
      ["Data", (secret) => Object.keys(secret.data ?? {}).length],
    ],
  }),
  kind("v1", "Event", "events", ["ev"], { columns: [["Reason", (event) => event.reason ?? ""]] }),
  kind("v1", "ServiceAccount", "serviceaccounts", ["sa"], { subresources: ["token"] }),
  kind("v1", "Namespace", "namespaces", ["ns"], {
    namespaced: false,
    subresources: ["status", "finalize"],
    columns: [["Status", () => "Active"]],
  }),
  kind("v1", "Node", "nodes", ["no"], { namespaced: false, subresources: ["status", "proxy"] }),
  kind("apps/v1", "Deployment", "deployments", ["deploy"], {
    subresources: ["status", "scale"],
    columns: [["Ready", (object) => `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 1}`]],
  }),
  kind("apps/v1", "ReplicaSet", "replicasets", ["rs"], { subresources: ["status", "scale"] }),
  kind("apps/v1", "StatefulSet", "statefulsets", ["sts"], { subresources: ["status", "scale"] }),
  kind("apps/v1", "DaemonSet", "daemonsets", ["ds"], { subresources: ["status"] }),
  kind("batch/v1", "Job", "jobs", [], { subresources: ["status"] }),
  kind("batch/v1", "CronJob", "cronjobs", ["cj"], { subresources: ["status"] }),
  kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods", []),
  kind("metrics.k8s.io/v1beta1", "NodeMetrics", "nodes", [], { namespaced: false }),
  kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", [], {
    namespaced: false,
  }),
  kind("authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", [], {
    namespaced: false,
  }),
  kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", [], { namespaced: false }),
];

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** `v1` or `apps/v1`. */
export function groupVersion({ group, version }: Kind): string {
  return group === "" ? version : `${group}/${version}`;
}

function discoveredResource(kind: Kind) {
  const responseKind = { group: kind.group, version: kind.version, kind: kind.kind };
  return {
    resource: kind.resource,
    responseKind,
    scope: kind.namespaced ? "Namespaced" : "Cluster",
    singularResource: kind.singular,
    verbs: kind.resource.startsWith("selfsubject") ? ["create"] : verbs,
    ...(kind.short.length > 0 ? { shortNames: kind.short } : {}),
    subresources: kind.subresources.map((subresource) => ({
      subresource,
      responseKind,
      verbs: ["create", "get", "patch", "update"],
    })),
  };
}

/** A group has one version here. */
function versionOf(group: string): string {
  return kinds.find((kind) => kind.group === group)!.version;
}

/** Aggregated discovery (apidiscovery.k8s.io) of the core group (`/api`) or the others (`/apis`). */
export function aggregatedDiscovery(core: boolean, version: string) {
  const groups = [...new Set(kinds.map(({ group }) => group))].filter((group) => (group === "") === core);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group === "" ? {} : { name: group }), creationTimestamp: null },
      versions: [
        {
          version: versionOf(group),
          freshness: "Current",
          resources: kinds.filter((kind) => kind.group === group).map(discoveredResource),
        },
      ],
    })),
  };
}

/** Legacy discovery: `/api`, `/apis`, `/api/v1`, `/apis/<group>/<version>`; null for other paths. */
export function legacyDiscovery(path: string): unknown | null {
  if (path === "/api") return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  const groups = [...new Set(kinds.map(({ group }) => group))].filter((group) => group !== "");
  if (path === "/apis") {
    const of = (name: string) => {
      const version = { groupVersion: `${name}/${versionOf(name)}`, version: versionOf(name) };
      return { name, versions: [version], preferredVersion: version };
    };
    return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(of) };
  }
  const found = /^\/api\/(v1)$/.exec(path) ?? /^\/apis\/([^/]+\/v1(?:beta1)?)$/.exec(path);
  if (found === null) return null;
  const here = kinds.filter((kind) => groupVersion(kind) === found[1]);
  if (here.length === 0) return null;
  const resources = here.flatMap((kind) => {
    const of = (name: string, list: readonly string[]) => ({
      name,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: list,
      ...(kind.short.length > 0 ? { shortNames: kind.short } : {}),
    });
    return [
      of(kind.resource, verbs),
      ...kind.subresources.map((sub) => of(`${kind.resource}/${sub}`, ["get", "patch", "update", "create"])),
    ];
  });
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: found[1], resources };
}

/** A minimal OpenAPI v3 document: every kind open-ended, so that kubectl can apply and diff it. */
export function openApi(gv: string) {
  const here = kinds.filter((kind) => groupVersion(kind) === gv);
  const prefix = gv.includes("/") ? `/apis/${gv}` : `/api/${gv}`;
  const query = (name: string, type: string) => ({ name, in: "query", schema: { type, uniqueItems: true } });
  const parameters = [
    query("dryRun", "string"),
    query("fieldManager", "string"),
    query("fieldValidation", "string"),
    query("force", "boolean"),
  ];
  const paths: Record<string, unknown> = {};
  const schemas: Record<string, unknown> = {};
  for (const kind of here) {
    const gvk = { group: kind.group, version: kind.version, kind: kind.kind };
    const path = `${prefix}/${kind.namespaced ? "namespaces/{namespace}/" : ""}${kind.resource}/{name}`;
    const operation = { parameters, responses: {}, "x-kubernetes-group-version-kind": gvk };
    paths[path] = {
      patch: { ...operation, "x-kubernetes-action": "patch" },
      put: { ...operation, "x-kubernetes-action": "put" },
    };
    schemas[`local.${kind.group || "core"}.${kind.kind}`] = {
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
      "x-kubernetes-group-version-kind": [gvk],
    };
  }
  return { openapi: "3.0.0", info: { title: "stand-in", version: "v1" }, paths, components: { schemas } };
}

/** A Table of objects. `include`: the query parameter `includeObject`. */
export function table(
  kind: Kind,
  objects: readonly Loose[],
  include: string | null,
  metadata: unknown,
  version: string,
) {
  const definition = (name: string) => ({ name, type: "string", format: "", description: "", priority: 0 });
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: [
      { ...definition("Name"), format: "name" },
      ...kind.columns.map(([name]) => definition(name)),
      definition("Age"),
    ],
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ...kind.columns.map(([, show]) => show(object)), "1d"],
      ...(include === "None" ? {} : { object: include === "Object" ? object : partial(object) }),
    })),
  };
}

/** The metadata of an object alone. */
export function partial(object: Loose) {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
