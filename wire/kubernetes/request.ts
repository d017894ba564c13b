/**
 * From an HTTP request to the one `KubeRequest` on which the decision is made and from which the upstream request
 * is built. What the API server would read in more than one way is refused here.
 */
import { readPath, writePath } from "../http/path.ts";
import { type Pair, readQuery, writeQuery } from "../http/query.ts";
import { isPathSegmentName, parseFieldSelector, requestInfo } from "./attributes.ts";

/** Verbs that the API server has for resources (RequestInfo.Verb), as RBAC names them. */
export const API_VERBS = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
] as const;
/** Connect subresources and logs, as verbs of their own. */
export const OWN_VERBS = ["exec", "attach", "portforward", "logs", "proxy"] as const;

/**
 * Verbs of a task. The API verbs, and the connect subresources and logs as verbs of their own whatever the HTTP
 * method: a WebSocket upgrade is a GET, and a kubelet serves exec on `nodes/proxy` by GET.
 */
export type KubeVerb = (typeof API_VERBS)[number] | (typeof OWN_VERBS)[number];

/** What a request asks for. */
export interface KubeRequest {
  readonly method: string;
  /** `resource`, or `discovery` for the API's own description (groups, OpenAPI, version). */
  readonly kind: "resource" | "discovery";
  readonly verb: KubeVerb;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  /** "" for collections and creates. */
  readonly name: string;
  /** Name that the field selector of a list or watch requires; "" when there is none. */
  readonly selectedName: string;
  /** Path behind `proxy`; empty otherwise. */
  readonly proxyPath: readonly string[];
  /** Decoded path segments as they go upstream. */
  readonly segments: readonly string[];
  /** Allowed parameters in order. */
  readonly query: readonly Pair[];
}

/** Why a request is not even decided: HTTP status, stable code, sentence. */
export interface RequestRefusal {
  readonly status: 400 | 403 | 404 | 405 | 406 | 413 | 415;
  readonly code:
    | "ODD_PATH"
    | "ODD_QUERY"
    | "QUERY_NOT_ALLOWED"
    | "METHOD_NOT_ALLOWED"
    | "PATH_NOT_ALLOWED"
    | "LEGACY_PATH"
    | "NAME_NOT_VALID"
    | "MEDIA_TYPE"
    | "NOT_ACCEPTABLE";
  readonly message: string;
}

export type KubeReading =
  | { readonly ok: true; readonly request: KubeRequest }
  | { readonly ok: false; readonly refusal: RequestRefusal };

const connectVerbs: Readonly<Record<string, KubeVerb>> = {
  "pods/exec": "exec",
  "pods/attach": "attach",
  "pods/portforward": "portforward",
  "pods/proxy": "proxy",
  "services/proxy": "proxy",
  "nodes/proxy": "proxy",
};

/** How a parameter's value is checked; `many` may repeat. */
type Check = "text" | "boolean" | "integer" | "many" | "dryRun" | "selector" | "drop";
type Allowed = Readonly<Record<string, Check>>;

const general: Allowed = { pretty: "drop", timeout: "text" };
const selection: Allowed = {
  labelSelector: "text",
  fieldSelector: "selector",
  limit: "integer",
  continue: "text",
  resourceVersion: "text",
  resourceVersionMatch: "text",
  timeoutSeconds: "integer",
};
const reading: Allowed = { ...general, includeObject: "text" };
const writing: Allowed = {
  ...general,
  dryRun: "dryRun",
  fieldManager: "text",
  fieldValidation: "text",
  includeObject: "text",
};
const deleting: Allowed = {
  ...general,
  dryRun: "dryRun",
  gracePeriodSeconds: "integer",
  orphanDependents: "boolean",
  propagationPolicy: "text",
};
const streams: Allowed = {
  container: "text",
  stdin: "boolean",
  stdout: "boolean",
  stderr: "boolean",
  tty: "boolean",
};

/** Known parameters by verb. What is not here is refused, not dropped: it might have narrowed the request. */
const parameters: Readonly<Record<KubeVerb, Allowed>> = {
  get: { ...reading, resourceVersion: "text", watch: "drop" },
  list: { ...reading, ...selection, watch: "boolean", allowWatchBookmarks: "boolean" },
  watch: {
    ...reading,
    ...selection,
    watch: "boolean",
    allowWatchBookmarks: "boolean",
    sendInitialEvents: "boolean",
  },
  create: writing,
  update: writing,
  patch: { ...writing, force: "boolean" },
  delete: deleting,
  deletecollection: { ...deleting, ...selection },
  exec: { ...streams, command: "many" },
  attach: streams,
  portforward: { ports: "many" },
  logs: {
    ...general,
    container: "text",
    follow: "boolean",
    previous: "boolean",
    sinceSeconds: "integer",
    sinceTime: "text",
    timestamps: "boolean",
    tailLines: "integer",
    limitBytes: "integer",
    stream: "text",
  },
  proxy: {},
};

const methodsOfVerb: Readonly<Partial<Record<KubeVerb, readonly string[]>>> = {
  exec: ["GET", "POST"],
  attach: ["GET", "POST"],
  portforward: ["GET", "POST"],
  logs: ["GET"],
};

/** `pathname` and `search` as the URL has them, behind the mount point of the cluster. */
export function readKubeRequest(method: string, pathname: string, search: string): KubeReading {
  if (!/^(GET|HEAD|POST|PUT|PATCH|DELETE)$/.test(method)) {
    return refuse(405, "METHOD_NOT_ALLOWED", "this HTTP method is not served");
  }
  const path = readPath(pathname);
  if (!path.ok) return refuse(400, "ODD_PATH", path.message);
  const query = readQuery(search);
  if (!query.ok) return refuse(400, "ODD_QUERY", query.message);
  const info = requestInfo(method, path.segments, query.pairs);
  if ("error" in info) return refuse(400, "LEGACY_PATH", info.error);
  if (!info.isResource) return readDiscovery(method, path.segments, query.pairs);
  if (info.legacyPrefix) {
    return refuse(
      400,
      "LEGACY_PATH",
      "the /watch/ and /proxy/ prefixes are not served; use ?watch=true or a subresource",
    );
  }
  const fault = partsFault(info.group, info.version, info.namespace, info.parts);
  if (fault !== null) return refuse(400, "NAME_NOT_VALID", fault);

  const path3 = `${info.resource}/${info.subresource}`;
  let verb = info.verb as KubeVerb;
  if (info.group === "" && Object.hasOwn(connectVerbs, path3)) verb = connectVerbs[path3]!;
  else if (info.group === "" && path3 === "pods/log") verb = "logs";
  else if (info.parts.length > 3) {
    return refuse(403, "PATH_NOT_ALLOWED", "nothing below a subresource is served");
  }
  if (info.subresource !== "" && info.name === "")
    return refuse(400, "ODD_PATH", "a subresource needs a name");
  const methods = methodsOfVerb[verb];
  if (methods !== undefined && !methods.includes(method)) {
    return refuse(405, "METHOD_NOT_ALLOWED", `${verb} is not served with ${method}`);
  }
  if (verb !== "proxy" && info.parts.length > 3) {
    return refuse(403, "PATH_NOT_ALLOWED", "nothing below a subresource is served");
  }
  // A write to a collection other than create and deletecollection is not a request of the API.
  const named = info.parts.length > 1;
  if (!named && (verb === "update" || verb === "patch"))
    return refuse(405, "METHOD_NOT_ALLOWED", `${verb} needs a name`);
  if (verb === "create" && named && info.subresource === "") {
    return refuse(405, "METHOD_NOT_ALLOWED", "POST to a named object is not served");
  }

  const checked = checkQuery(parameters[verb], query.pairs);
  if (!checked.ok) return checked;
  return {
    ok: true,
    request: {
      method,
      kind: "resource",
      verb,
      group: info.group,
      version: info.version,
      // `GET /api/v1/namespaces/x` is about the namespace object: RequestInfo names it in both places.
      namespace: info.namespace,
      resource: info.resource,
      subresource: info.subresource,
      name: named ? info.name : "",
      selectedName: named ? "" : info.name,
      proxyPath: verb === "proxy" ? info.parts.slice(3) : [],
      segments: path.segments,
      query: checked.pairs,
    },
  };
}

/** Path and query for upstream, always built from the reading, never the client's own text. */
export function upstreamTarget(request: KubeRequest): string {
  return writePath(request.segments) + writeQuery(request.query);
}

/** Whether the request asks for a stream that needs a protocol upgrade. */
export function isUpgradeVerb(verb: KubeVerb): boolean {
  return verb === "exec" || verb === "attach" || verb === "portforward";
}

function readDiscovery(method: string, segments: readonly string[], pairs: readonly Pair[]): KubeReading {
  const [first, second] = segments;
  const depth = segments.length;
  const known =
    (first === "api" && depth <= 2) ||
    (first === "apis" && depth <= 3) ||
    (first === "version" && depth === 1) ||
    (first === "openapi" && ((second === "v2" && depth === 2) || (second === "v3" && depth >= 2)));
  if (!known)
    return refuse(403, "PATH_NOT_ALLOWED", "this path is not part of the API that a task can grant");
  if (method !== "GET" && method !== "HEAD") {
    return refuse(405, "METHOD_NOT_ALLOWED", "the description of the API can only be read");
  }
  if (!segments.every((segment) => /^[A-Za-z0-9._-]{1,253}$/.test(segment))) {
    return refuse(400, "ODD_PATH", "the path has a character that no API group has");
  }
  const checked = checkQuery({ timeout: "text", hash: "text", pretty: "drop" }, pairs);
  if (!checked.ok) return checked;
  return {
    ok: true,
    request: {
      method,
      kind: "discovery",
      verb: "get",
      group: "",
      version: "",
      namespace: "",
      resource: "",
      subresource: "",
      name: "",
      selectedName: "",
      proxyPath: [],
      segments,
      query: checked.pairs,
    },
  };
}

function checkQuery(
  allowed: Allowed,
  pairs: readonly Pair[],
): { ok: true; pairs: Pair[] } | { ok: false; refusal: RequestRefusal } {
  const kept: Pair[] = [];
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    const check = Object.hasOwn(allowed, name) ? allowed[name]! : null;
    if (check === null) {
      return refuse(
        400,
        "QUERY_NOT_ALLOWED",
        `the query parameter ${JSON.stringify(name.slice(0, 64))} is not served here`,
      );
    }
    if (check === "drop") continue;
    if (seen.has(name) && check !== "many" && check !== "dryRun") {
      return refuse(400, "ODD_QUERY", `the query parameter ${name} is given twice`);
    }
    seen.add(name);
    switch (check) {
      case "boolean":
        // Said again in one spelling, so that every reader agrees.
        kept.push([name, value !== "0" && value.toLowerCase() !== "false" ? "true" : "false"]);
        continue;
      case "integer":
        if (!/^-?\d{1,18}$/.test(value)) return refuse(400, "ODD_QUERY", `${name} must be a whole number`);
        break;
      case "dryRun":
        if (value !== "All") return refuse(400, "ODD_QUERY", "dryRun must be All");
        if (kept.some(([key]) => key === "dryRun")) continue;
        break;
      case "selector":
        if (parseFieldSelector(value) === null)
          return refuse(400, "ODD_QUERY", "the field selector does not parse");
        break;
    }
    if (value === "" && check !== "many") continue;
    kept.push([name, value]);
  }
  return { ok: true, pairs: kept };
}

function partsFault(
  group: string,
  version: string,
  namespace: string,
  parts: readonly string[],
): string | null {
  if (!/^[a-z0-9.-]{0,253}$/.test(group)) return "the API group is not a DNS name";
  if (!/^[a-z0-9]{1,63}$/.test(version)) return "the API version is not one word";
  if (!/^[a-z0-9-]{0,63}$/.test(namespace)) return "the namespace is not a DNS label";
  if (!/^[a-z0-9.-]{1,253}$/.test(parts[0] ?? "")) return "the resource is not a lower-case word";
  const name = parts[1];
  if (name !== undefined && (!isPathSegmentName(name) || name.length > 253 || !/^[\x21-\x7e]+$/.test(name))) {
    return "the name is not a valid path segment";
  }
  if (parts[2] !== undefined && !/^[a-z0-9]{1,63}$/.test(parts[2]))
    return "the subresource is not a lower-case word";
  return null;
}

function refuse(
  status: RequestRefusal["status"],
  code: RequestRefusal["code"],
  message: string,
): { ok: false; refusal: RequestRefusal } {
  return { ok: false, refusal: { status, code, message } };
}
