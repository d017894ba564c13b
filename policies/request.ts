/**
 * Decides a request as a test or `wicket policy explain` writes it: `GET /api/v1/namespaces/shop/pods`, or a mapping
 * of method, path, body and the labels that the object has.
 */

import { bodyType } from "../wire/kubernetes/headers.ts";
import { readKubeRequest } from "../wire/kubernetes/request.ts";
import { decideHttp } from "./http/decide.ts";
import { checkBody } from "./kubernetes/body.ts";
import { decideKube, isWriteVerb, type KubeDecision, settle } from "./kubernetes/decide.ts";
import { masksFor } from "./kubernetes/masks.ts";
import type { Json, Task } from "./task.ts";

/** What a request would become. */
export interface RequestDecision {
  readonly effect: "allow" | "deny" | "hold";
  /** Stable UPPER_SNAKE code. */
  readonly reason: string;
  readonly message: string;
  readonly hint: string | null;
  /** `tasks/x.yaml:12` of the rule that decided, or null. */
  readonly rule: string | null;
  /** Field paths that the answer masks. */
  readonly masked: readonly string[];
}

/** Null when the task is not for requests, or the request is not written as one. */
export function decideRequest(task: Task, request: Json): RequestDecision | null {
  const asked = readRequest(request);
  if (asked === null || task.resourceType === "postgres") return null;
  const { method, target, body, labels } = asked;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const search = mark < 0 ? "" : target.slice(mark);
  if (task.resourceType === "http") {
    const decision = decideHttp(task, method, path, search);
    if (decision.effect === "deny") return { ...decision, masked: [] };
    const { effect, reason, rule } = decision;
    return { effect, reason, message: "", hint: null, rule: rule.at, masked: Object.keys(rule.mask) };
  }
  const read = readKubeRequest(method, path, search);
  if (!read.ok) return denied(read.refusal.code, read.refusal.message);
  const first = decideKube(task, read.request);
  let decision: KubeDecision = first;
  if (
    first.effect !== "deny" &&
    isWriteVerb(first.request.verb) &&
    first.effect !== "answer" &&
    body !== null
  ) {
    const type = bodyType(asked.type, method);
    if (type === null) return denied("MEDIA_TYPE", "bodies are only read as JSON");
    const checked = checkBody(task, first, type, new TextEncoder().encode(JSON.stringify(body)));
    if (checked.effect === "deny") decision = checked;
    else if (checked.rule !== null && first.request.name === "") {
      decision = { ...first, effect: checked.effect, rule: checked.rule.at, rules: [checked.rule] };
    }
  }
  if (decision.effect !== "deny") decision = settle(task, decision, labels);
  if (decision.effect === "deny") {
    return { ...denied(decision.reason, decision.message), hint: decision.hint, rule: decision.rule };
  }
  const { group, resource, subresource } = decision.request;
  const secret = decision.shownBy.some((rule) => masksFor(rule, group, resource, subresource, "") !== null);
  const masked = new Set(decision.shownBy.flatMap((rule) => Object.keys(rule.mask)));
  if (secret && group === "" && resource === "secrets") masked.add("data.*");
  const effect = decision.effect === "answer" ? "allow" : decision.effect;
  return {
    effect,
    reason: decision.reason,
    message: "",
    hint: null,
    rule: decision.rule,
    masked: [...masked],
  };
}

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly body: Json;
  readonly type: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

function readRequest(request: Json): Asked | null {
  if (typeof request === "string") {
    const found = /^([A-Z]+) (\/\S*)$/.exec(request.trim());
    return found === null
      ? null
      : { method: found[1]!, target: found[2]!, body: null, type: null, labels: {} };
  }
  if (typeof request !== "object" || request === null || Array.isArray(request)) return null;
  const { method = "GET", path, body = null, type = null, labels = {}, ...rest } = request;
  if (typeof method !== "string" || typeof path !== "string" || Object.keys(rest).length > 0) return null;
  if (type !== null && typeof type !== "string") return null;
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return null;
  const texts = Object.entries(labels).map(([key, value]) => [key, String(value)] as const);
  return { method, target: path, body, type, labels: Object.fromEntries(texts) };
}

function denied(reason: string, message: string): RequestDecision {
  return { effect: "deny", reason, message, hint: null, rule: null, masked: [] };
}
