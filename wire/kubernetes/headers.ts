/**
 * Headers for the API server, built from an allow-list and never copied: a header that nobody thought of
 * (`Impersonate-Uid`, `X-Remote-User`, one named in `Connection:`) cannot pass.
 */
import type { KubeRequest, RequestRefusal } from "./request.ts";

/** Name and value pairs, names in lower case. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** What the media types of a request body mean. */
export type BodyType =
  | "none"
  | "json"
  | "protobuf"
  | "json-patch"
  | "merge-patch"
  | "strategic-patch"
  | "apply-patch";

const bodyTypes: Readonly<Record<string, BodyType>> = {
  "application/json": "json",
  "application/vnd.kubernetes.protobuf": "protobuf",
  "application/json-patch+json": "json-patch",
  "application/merge-patch+json": "merge-patch",
  "application/strategic-merge-patch+json": "strategic-patch",
  "application/apply-patch+yaml": "apply-patch",
};

/** The body's type, or null when it is one that the gate does not read (YAML, CBOR, forms). */
export function bodyType(contentType: string | null, method: string): BodyType | null {
  if (method === "GET" || method === "HEAD") return "none";
  // client-go sends deletes without a body and without a type; JSON is the API server's default.
  if (contentType === null || contentType === "") return "json";
  const media = contentType.split(";")[0]!.trim().toLowerCase();
  return Object.hasOwn(bodyTypes, media) ? bodyTypes[media]! : null;
}

/** The content type sent upstream for a body type. */
export function contentTypeOf(type: BodyType): string | null {
  if (type === "none") return null;
  for (const [media, known] of Object.entries(bodyTypes)) if (known === type) return media;
  return null;
}

/**
 * Accept narrowed to JSON: ranges of `application/json` stay with their `as`, `g` and `v` parameters, wildcards
 * become `application/json`, protobuf, CBOR and YAML go. Null when nothing is left (406).
 * `plain` drops the Table and PartialObjectMetadata variants too.
 */
export function narrowAccept(accept: string | null, plain = false): string | null {
  if (accept === null || accept.trim() === "") return "application/json";
  const kept: string[] = [];
  for (const range of accept.split(",").slice(0, 32)) {
    const [media, ...parameters] = range.split(";").map((part) => part.trim());
    const type = media!.toLowerCase();
    if (type === "*/*" || type === "application/*") {
      kept.push("application/json");
      continue;
    }
    if (type !== "application/json") continue;
    const known: string[] = [];
    let usable = true;
    for (const parameter of parameters) {
      const found = /^(as|g|v)=([A-Za-z0-9.]{1,64})$/.exec(parameter);
      if (found !== null) known.push(`${found[1]}=${found[2]}`);
      // A stream or quality parameter changes nothing here; another one might.
      else if (!/^(q=[0-9.]{1,5}|stream=watch|charset=utf-8)$/i.test(parameter)) usable = false;
    }
    if (!usable || (plain && known.length > 0)) continue;
    kept.push(["application/json", ...known].join(";"));
  }
  if (kept.length === 0) return plain && accept.includes("json") ? "application/json" : null;
  return [...new Set(kept)].join(",");
}

/** The OpenAPI documents that kubectl asks for; v2 comes as protobuf only to clients that insist. */
const openApiTypes = /^application\/(json|com\.github\.proto-openapi\.spec\.v[23]@v1\.0\+protobuf)$/;

/** What to send upstream for a request without upgrade; `null` values of the input are absent headers. */
export function upstreamHeaders(
  request: KubeRequest,
  headers: { get(name: string): string | null },
  body: BodyType,
  plain: boolean,
): { ok: true; headers: HeaderPairs } | { ok: false; refusal: RequestRefusal } {
  const accept = acceptOf(request, headers.get("accept"), plain);
  if (accept === null) {
    const message = "only JSON is served here: send Accept: application/json";
    return { ok: false, refusal: { status: 406, code: "NOT_ACCEPTABLE", message } };
  }
  const out: [string, string][] = [["accept", accept]];
  const type = contentTypeOf(body);
  if (type !== null) out.push(["content-type", type]);
  const agent = headers.get("user-agent");
  if (agent !== null && /^[\x20-\x7e]{1,256}$/.test(agent)) out.push(["user-agent", agent]);
  if (request.kind === "discovery") {
    const etag = headers.get("if-none-match");
    if (etag !== null && /^[\x21-\x7e]{1,256}$/.test(etag)) out.push(["if-none-match", etag]);
  }
  return { ok: true, headers: out };
}

function acceptOf(request: KubeRequest, accept: string | null, plain: boolean): string | null {
  if (request.verb === "logs") return "*/*";
  if (request.kind === "discovery" && request.segments[0] === "openapi") {
    const types = (accept ?? "application/json").split(",").map((range) => range.split(";")[0]!.trim());
    const kept = types.filter((type) => openApiTypes.test(type) || type === "*/*");
    return kept.length === 0
      ? null
      : kept.map((type) => (type === "*/*" ? "application/json" : type)).join(",");
  }
  return narrowAccept(accept, plain);
}

/** Response headers that may pass to the client. Cookies, server names and the like stay behind. */
export const responseHeaders: readonly string[] = [
  "content-type",
  "warning",
  "retry-after",
  "etag",
  "last-modified",
  "vary",
  "audit-id",
  "x-kubernetes-pf-flowschema-uid",
  "x-kubernetes-pf-prioritylevel-uid",
];

/** Who the connector says it acts for: `Impersonate-User`, `-Group`, `-Extra-*`. */
export interface Impersonation {
  readonly user: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * The impersonation headers. Values are refused (null) when one could end a header line, or would make the caller
 * a system user or group: the connector's own account must not be widened by whoever writes a task.
 */
export function impersonationHeaders(who: Impersonation): HeaderPairs | null {
  const out: [string, string][] = [];
  const names = [who.user, ...who.groups];
  if (
    !names.every((name) => /^[\x21-\x7e][\x20-\x7e]{0,255}$/.test(name) && !/^system:/i.test(name.trim()))
  ) {
    return null;
  }
  out.push(["impersonate-user", who.user]);
  for (const group of who.groups) out.push(["impersonate-group", group]);
  for (const [key, values] of Object.entries(who.extra)) {
    if (!/^[a-z0-9.-]{1,64}$/.test(key)) return null;
    for (const value of values) {
      if (!/^[\x20-\x7e]{0,512}$/.test(value)) return null;
      out.push([`impersonate-extra-${key}`, value]);
    }
  }
  return out;
}
