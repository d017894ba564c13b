/** Decides a request to a plain HTTP API: method, path by exact segments, query keys. */
import { readPath, writePath } from "../../wire/http/path.ts";
import { type Pair, readQuery, writeQuery } from "../../wire/http/query.ts";
import { globMatches } from "../glob.ts";
import type { HttpRule, Task } from "../task.ts";

/** A refusal: HTTP status and what problem+json says. */
export interface HttpRefusal {
  readonly effect: "deny";
  readonly status: 400 | 403 | 405 | 415;
  readonly reason: string;
  readonly message: string;
  readonly hint: string | null;
  readonly rule: string | null;
}

/** A request that may go on, built anew from what was read. */
export interface HttpPermit {
  readonly effect: "allow" | "hold";
  readonly reason: "ALLOWED" | "NEEDS_APPROVAL";
  readonly rule: HttpRule;
  readonly method: string;
  /** Path and query for upstream. */
  readonly target: string;
}

export type HttpDecision = HttpRefusal | HttpPermit;

/** The first rule, in file order, whose methods, paths and query keys all fit. */
export function decideHttp(task: Task, method: string, pathname: string, search: string): HttpDecision {
  const path = readPath(pathname);
  if (!path.ok) return refuse(400, "ODD_PATH", path.message, null, null);
  const query = readQuery(search);
  if (!query.ok) return refuse(400, "ODD_QUERY", query.message, null, null);
  const rules = task.requestRules.filter((rule): rule is HttpRule => rule.kind === "http");
  const here = rules.filter((rule) => rule.paths.some((pattern) => pathMatches(pattern, path.segments)));
  const shown = `${method} ${writePath(path.segments)}`;
  const message = `the task ${task.name} does not allow ${shown.slice(0, 300)}`;
  if (here.length === 0) {
    const paths = [...new Set(rules.flatMap((rule) => rule.paths))].slice(0, 8);
    return refuse(403, "PATH_NOT_GRANTED", message, `it grants ${paths.join(", ")}`, null);
  }
  const able = here.filter((rule) => rule.methods.includes(method));
  if (able.length === 0) {
    const methods = [...new Set(here.flatMap((rule) => rule.methods))];
    return refuse(403, "METHOD_NOT_GRANTED", message, `it grants ${methods.join(", ")}`, here[0]!.at);
  }
  const repeated = repeatedKey(query.pairs);
  if (repeated !== null) {
    return refuse(400, "ODD_QUERY", `the query parameter ${repeated} is given twice`, null, able[0]!.at);
  }
  const rule = able.find((rule) => query.pairs.every(([key]) => rule.query.includes(key)));
  if (rule === undefined) {
    const key = query.pairs.find(([key]) => !able[0]!.query.includes(key))![0];
    const keys = able[0]!.query.length === 0 ? "no query" : able[0]!.query.join(", ");
    const text = `the task ${task.name} does not allow the query parameter ${JSON.stringify(key.slice(0, 64))}`;
    return refuse(403, "QUERY_NOT_GRANTED", text, `it grants ${keys}`, able[0]!.at);
  }
  const hold = rule.approval === "request";
  return {
    effect: hold ? "hold" : "allow",
    reason: hold ? "NEEDS_APPROVAL" : "ALLOWED",
    rule,
    method,
    target: writePath(path.segments) + writeQuery(query.pairs),
  };
}

/**
 * Whether a pattern covers a path: `{name}` is one segment, `*` in a segment any run, a last `**` any rest (also
 * none).
 */
export function pathMatches(pattern: string, segments: readonly string[]): boolean {
  const parts = pattern === "/" ? [] : pattern.slice(1).split("/");
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part === "**" && i === parts.length - 1) return true;
    const segment = segments[i];
    if (segment === undefined) return false;
    if (/^\{.*\}$/.test(part)) continue;
    if (!globMatches(part, segment)) return false;
  }
  return segments.length === parts.length;
}

function repeatedKey(pairs: readonly Pair[]): string | null {
  const seen = new Set<string>();
  for (const [key] of pairs) {
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return null;
}

function refuse(
  status: HttpRefusal["status"],
  reason: string,
  message: string,
  hint: string | null,
  rule: string | null,
): HttpRefusal {
  return { effect: "deny", status, reason, message, hint, rule };
}
