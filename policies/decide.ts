/**
 * Who may start which task. What a statement or a request inside the task may do is decided in policies/postgres
 * and its siblings. Anything that is missing, unknown or of another type than expected refuses.
 */
import { jsonEquals } from "./canonical.ts";
import { globMatches } from "./glob.ts";
import { hoursWords, withinHours } from "./hours.ts";
import { canonicalParam, paramWords } from "./params.ts";
import type { Bundle, Identity, ParamType, SourceRef, Task } from "./task.ts";

/** Longest reason, characters. */
export const MAX_REASON = 1000;

export type StartCode =
  | "NOT_A_MEMBER"
  | "MFA_REQUIRED"
  | "OUTSIDE_HOURS"
  | "REASON_REQUIRED"
  | "REASON_MISMATCH"
  | "PARAM_MISSING"
  | "PARAM_UNKNOWN"
  | "PARAM_TYPE";

/** Why a task may not start: what, the next step, and the line of the file that says so. */
export interface StartRefusal {
  readonly ok: false;
  readonly code: StartCode;
  readonly message: string;
  readonly hint: string;
  readonly rule: SourceRef;
}

/** What the requester gives. `now` in milliseconds since the epoch. */
export interface StartRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly now: number;
}

/**
 * Whether an identity may run a task now, with these parameters and this reason. The parameters come back as
 * canonical text (params.ts). Whether a person must also approve is `needsApproval`.
 */
export function mayStart(
  task: Task,
  identity: Identity,
  request: StartRequest,
): { readonly ok: true; readonly params: Readonly<Record<string, string>> } | StartRefusal {
  const refusal = mayEverStart(task, identity) ?? hoursRefusal(task, request.now);
  if (refusal) return refusal;
  const reason = reasonRefusal(task, request.reason);
  if (reason) return reason;
  return checkParams(task, request.params);
}

/** The checks that depend on who asks alone: membership and the factors of the login. */
function mayEverStart(task: Task, identity: Identity): StartRefusal | null {
  if (!isMember(task, identity)) {
    const groups = task.who.groups.join(", ");
    return refuse(
      task.refs.who,
      "NOT_A_MEMBER",
      `you may not run the task ${task.name}`,
      groups === "" ? "this task is for programs" : `it is for the groups ${groups}; ask for membership`,
    );
  }
  if (task.require.mfa && !usedSeveralFactors(identity)) {
    return refuse(
      task.refs.require,
      "MFA_REQUIRED",
      `the task ${task.name} needs a login with a second factor`,
      "log in again with a second factor",
    );
  }
  return null;
}

/** Whether `who` names the identity: one of its groups, or issuer and claims of a workload. */
export function isMember(task: Task, identity: Identity): boolean {
  if (task.who.groups.some((group) => identity.groups.includes(group))) return true;
  return task.who.workloads.some(
    ({ issuer, claims }) =>
      issuer === identity.issuer &&
      Object.keys(claims).length > 0 &&
      Object.entries(claims).every(
        ([name, value]) => Object.hasOwn(identity.claims, name) && jsonEquals(identity.claims[name], value),
      ),
  );
}

/** RFC 8176: `amr` is a list of methods, and `mfa` says that several factors were used. */
function usedSeveralFactors(identity: Identity): boolean {
  const methods = Object.hasOwn(identity.claims, "amr") ? identity.claims.amr : null;
  return Array.isArray(methods) && methods.includes("mfa");
}

function hoursRefusal(task: Task, now: number): StartRefusal | null {
  const { hours } = task.require;
  if (hours === null || withinHours(hours, now)) return null;
  const message = `the task ${task.name} may not start at this time`;
  return refuse(task.refs.require, "OUTSIDE_HOURS", message, `it may start ${hoursWords(hours)}`);
}

function reasonRefusal(task: Task, reason: string | null): StartRefusal | null {
  const pattern = task.require.reason;
  const rule = pattern === null ? task.at : task.refs.require;
  const given = reason ?? "";
  // Terminal controls, line breaks and bidi marks have no place in what approvers and auditors will read.
  if (given.length > MAX_REASON || /[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/u.test(given)) {
    const hint = `give at most ${MAX_REASON} characters of plain text on one line`;
    return refuse(rule, "REASON_MISMATCH", "the reason is too long or has control characters", hint);
  }
  if (pattern === null) return null;
  if (given.trim() === "") {
    const message = `the task ${task.name} needs a reason like ${pattern}`;
    return refuse(rule, "REASON_REQUIRED", message, `give one: --reason ${pattern}`);
  }
  if (globMatches(pattern, given)) return null;
  const message = `the reason does not have the form ${pattern}`;
  return refuse(rule, "REASON_MISMATCH", message, `give one of that form: --reason ${pattern}`);
}

function checkParams(
  task: Task,
  given: Readonly<Record<string, string>>,
): { ok: true; params: Record<string, string> } | StartRefusal {
  const rule = task.refs.params;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(task.params, name)) continue;
    const known = Object.keys(task.params).join(", ") || "none";
    const shown = name.slice(0, 40);
    return refuse(rule, "PARAM_UNKNOWN", `there is no parameter ${shown}`, `the parameters are: ${known}`);
  }
  const params: [string, string][] = [];
  for (const [name, type] of Object.entries(task.params) as [string, ParamType][]) {
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    if (text === undefined) {
      const hint = `give ${paramWords[type]}: --param ${name}=…`;
      return refuse(rule, "PARAM_MISSING", `the parameter ${name} is missing`, hint);
    }
    const canonical = typeof text === "string" ? canonicalParam(type, text) : null;
    if (canonical === null) {
      const message = `the parameter ${name} is not ${paramWords[type]}`;
      return refuse(rule, "PARAM_TYPE", message, `give ${paramWords[type]}: --param ${name}=…`);
    }
    params.push([name, canonical]);
  }
  return { ok: true, params: Object.fromEntries(params) };
}

function refuse(rule: SourceRef, code: StartCode, message: string, hint: string): StartRefusal {
  return { ok: false, code, message, hint, rule };
}

/** Whether any use of the task waits for a person's yes: the whole grant, or some operations. */
export function needsApproval(task: Task): boolean {
  return (
    task.approval !== null || [...task.rules, ...task.requestRules].some((rule) => rule.approval !== null)
  );
}

/** One row of "what can I do". */
export interface TaskOffer {
  readonly task: Task;
  readonly may: boolean;
  /** Why not; null when it may. */
  readonly why: StartCode | null;
  readonly needsApproval: boolean;
}

/**
 * Every task, with whether this identity could start it now if it gave a fitting reason and parameters.
 * In the order of their names.
 */
export function tasksFor(bundle: Bundle, identity: Identity, now: number): TaskOffer[] {
  return Object.values(bundle.tasks)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((task) => {
      const refusal = mayEverStart(task, identity) ?? hoursRefusal(task, now);
      return { task, may: refusal === null, why: refusal?.code ?? null, needsApproval: needsApproval(task) };
    });
}

/**
 * The nearest other task of the same resource that the identity may run and that would allow what was refused,
 * as `wouldAllow` says; null when there is none. Nearest: no approval first, then the fewest rules, then by name.
 */
export function nearestTask(
  bundle: Bundle,
  identity: Identity,
  from: Task,
  wouldAllow: (task: Task) => boolean,
): Task | null {
  const near = (task: Task) => [needsApproval(task) ? 1 : 0, task.rules.length + task.requestRules.length];
  const candidates = Object.values(bundle.tasks)
    .filter(({ name, resource }) => name !== from.name && resource === from.resource)
    .filter((task) => mayEverStart(task, identity) === null)
    .sort((a, b) => {
      const [approvalA, sizeA] = near(a) as [number, number];
      const [approvalB, sizeB] = near(b) as [number, number];
      return approvalA - approvalB || sizeA - sizeB || (a.name < b.name ? -1 : 1);
    });
  return candidates.find(wouldAllow) ?? null;
}
