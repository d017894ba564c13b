/**
 * A request as the API server understands it. The rules are those of `RequestInfoFactory.NewRequestInfo`
 * (k8s.io/apiserver, pkg/endpoints/request/requestinfo.go) with the API server's own settings: API prefixes
 * `api` and `apis`, of which `api` has no group.
 */
import { firstValue, type Pair } from "../http/query.ts";

/** What `NewRequestInfo` finds. */
export interface RequestInfo {
  readonly isResource: boolean;
  /** API verb for resources; the HTTP method in lower case otherwise. "" for methods that have no verb. */
  readonly verb: string;
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** "" when cluster-wide or for all namespaces. */
  readonly namespace: string;
  readonly resource: string;
  /** First segment after the name; "" when there is none. */
  readonly subresource: string;
  readonly name: string;
  /** Resource, name, subresource and what follows it. */
  readonly parts: readonly string[];
  /** The request used the legacy `/watch/` or `/proxy/` prefix of the version. */
  readonly legacyPrefix: boolean;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

/** The error that the API server answers with 500. */
export interface RequestInfoError {
  readonly error: string;
}

const methodVerbs: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** `method` in upper case, `segments` of the path decoded once, `pairs` of the query. */
export function requestInfo(
  method: string,
  segments: readonly string[],
  pairs: readonly Pair[],
): RequestInfo | RequestInfoError {
  const other: RequestInfo = {
    isResource: false,
    verb: method.toLowerCase(),
    group: "",
    version: "",
    namespace: "",
    resource: "",
    subresource: "",
    name: "",
    parts: [],
    legacyPrefix: false,
    fieldSelector: "",
    labelSelector: "",
  };
  if (segments.length < 3) return other;
  let rest = [...segments];
  const prefix = rest.shift()!;
  if (prefix !== "api" && prefix !== "apis") return other;
  let group = "";
  if (prefix === "apis") {
    if (rest.length < 3) return other;
    group = rest.shift()!;
  }
  const version = rest.shift()!;

  let verb = methodVerbs[method] ?? "";
  const legacyPrefix = rest[0] === "watch" || rest[0] === "proxy";
  if (legacyPrefix) {
    if (rest.length < 2) return { error: "unable to determine kind and namespace from url" };
    verb = rest.shift()!;
  }

  let namespace = "";
  if (rest[0] === "namespaces") {
    if (rest.length > 1) {
      namespace = rest[1]!;
      if (rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize") rest = rest.slice(2);
    }
  }
  const resource = rest[0] ?? "";
  let name = rest[1] ?? "";
  const subresource = verb === "proxy" ? "" : (rest[2] ?? "");

  let fieldSelector = "";
  let labelSelector = "";
  if (name === "" && !legacyPrefix) {
    if (verb === "get") {
      verb = isTrue(pairs, "watch") ? "watch" : "list";
      const selected = nameOfSelector(firstValue(pairs, "fieldSelector") ?? "");
      if (selected !== null) name = selected;
    } else if (verb === "delete") {
      verb = "deletecollection";
    }
  }
  if (!legacyPrefix && (verb === "list" || verb === "watch" || verb === "deletecollection")) {
    fieldSelector = firstValue(pairs, "fieldSelector") ?? "";
    labelSelector = firstValue(pairs, "labelSelector") ?? "";
  }
  return {
    isResource: true,
    verb,
    group,
    version,
    namespace,
    resource,
    subresource,
    name,
    parts: rest,
    legacyPrefix,
    fieldSelector,
    labelSelector,
  };
}

/**
 * A boolean of the query (apimachinery pkg/runtime/conversion.go): only the first value counts; "0" and "false"
 * in any case are false, and everything else is true, the empty value too.
 */
export function isTrue(pairs: readonly Pair[], name: string): boolean {
  const value = firstValue(pairs, name);
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

/** The name that a field selector requires exactly (`metadata.name=x`), or null. */
export function nameOfSelector(selector: string): string | null {
  const terms = parseFieldSelector(selector);
  if (terms === null) return null;
  for (const term of terms) {
    if (term.field === "metadata.name" && !term.not) return isPathSegmentName(term.value) ? term.value : null;
  }
  return null;
}

/** One requirement of a field selector. */
export interface FieldTerm {
  readonly field: string;
  readonly not: boolean;
  readonly value: string;
}

/**
 * `a=b,c!=d` with `\` escapes (apimachinery pkg/fields/selector.go); null when it does not parse, [] when empty.
 */
export function parseFieldSelector(selector: string): readonly FieldTerm[] | null {
  const terms: FieldTerm[] = [];
  if (selector === "") return terms;
  for (const part of splitEscaped(selector)) {
    if (part === "") continue;
    const found = /^((?:[^=!\\]|\\.)*?)(!=|==|=)([\s\S]*)$/.exec(part);
    if (found === null) return null;
    const value = unescapeTerm(found[3]!);
    if (value === null) return null;
    terms.push({ field: found[1]!, not: found[2] === "!=", value });
  }
  return terms;
}

function splitEscaped(text: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") part += text[i]! + (text[++i] ?? "");
    else if (text[i] === ",") {
      parts.push(part);
      part = "";
    } else part += text[i];
  }
  parts.push(part);
  return parts;
}

function unescapeTerm(text: string): string | null {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\") {
      const next = text[++i];
      if (next !== "\\" && next !== "," && next !== "=") return null;
      out += next;
    } else if (c === "=" || c === ",") return null;
    else out += c;
  }
  return out;
}

/** apimachinery pkg/api/validation/path: not ".", not "..", no "/" and no "%". */
export function isPathSegmentName(name: string): boolean {
  return name !== "." && name !== ".." && !/[/%]/.test(name);
}
