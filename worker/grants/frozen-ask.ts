/** What is asked for, checked against the task and frozen: nothing of it changes afterwards. */
import type { Task } from "../../policies/task.ts";
import { type Budget, type GrantAsk, type GrantRefusal, refuse } from "./grant.ts";

/** Longest reason, description and comment, in characters. */
const MAX_REASON = 1000;
export const MAX_DESCRIPTION = 2000;

/** The frozen ask for a whole task. `durationMs` null = as long as the task allows. */
export function askFor(
  task: Task,
  facts: Pick<GrantAsk, "requester" | "actor" | "params" | "reason" | "description"> & {
    readonly kind: "implicit" | "request";
    readonly durationMs: number | null;
    /** Number of sessions; null = any. */
    readonly sessions: number | null;
    /** Without waiting for approval, where the task allows that. */
    readonly emergency?: boolean;
  },
): { readonly ok: true; readonly ask: GrantAsk } | GrantRefusal {
  const durationMs = facts.durationMs ?? task.session.ttlMs;
  if (!Number.isSafeInteger(durationMs) || durationMs < 1000 || durationMs > task.session.ttlMs) {
    return {
      ...refuse(
        400,
        "DURATION_TOO_LONG",
        `the task may be granted for at most ${task.session.ttlMs / 1000} s`,
      ),
      rule: task.refs.session,
    };
  }
  if (facts.description !== null && facts.description.length > MAX_DESCRIPTION) {
    return refuse(400, "DESCRIPTION_TOO_LONG", `a description has at most ${MAX_DESCRIPTION} characters`);
  }
  if (facts.sessions !== null && (!Number.isSafeInteger(facts.sessions) || facts.sessions < 1)) {
    return refuse(400, "SESSIONS_INVALID", "the number of sessions is a whole number from 1");
  }
  if (facts.reason !== null && facts.reason.length > MAX_REASON) {
    return refuse(400, "REASON_TOO_LONG", `a reason has at most ${MAX_REASON} characters`);
  }
  const glass = facts.emergency ? emergencyOf(task, facts) : null;
  if (glass && "ok" in glass) return glass;
  const approval = task.approval && {
    groups: task.approval.from.groups,
    count: task.approval.count,
    expiresMs: task.approval.expiresMs,
  };
  // What was approved is approved once: limits hold for the grant, not anew for each of its sessions.
  const { statements, rows, bytes } = task.limits;
  const budget: Budget = {
    sessions: facts.sessions,
    statements: approval ? statements : null,
    rows: approval ? rows : null,
    bytes: approval ? bytes : null,
  };
  const ask: GrantAsk = {
    kind: facts.kind,
    requester: facts.requester,
    actor: facts.actor,
    task: task.name,
    taskDigest: task.digest,
    refs: { session: task.refs.session, approval: task.refs.approval },
    resource: task.resource,
    params: facts.params,
    reason: facts.reason,
    description: facts.description,
    durationMs,
    approval,
    emergency: glass,
    maxConcurrent: task.session.maxConcurrent,
    budget,
    parent: null,
    statement: null,
  };
  return { ok: true, ask };
}

function emergencyOf(
  task: Task,
  facts: Pick<GrantAsk, "actor" | "reason">,
): { readonly review: readonly string[] } | GrantRefusal {
  const emergency = task.approval?.emergency;
  if (!emergency) {
    const refusal = refuse(403, "EMERGENCY_NOT_ALLOWED", "the task cannot be started without its approval");
    return { ...refusal, hint: "Ask for it without --emergency.", rule: task.refs.approval };
  }
  if (facts.actor) return refuse(403, "AGENT_EMERGENCY", "an emergency is declared by a person");
  if ((facts.reason ?? "").trim() === "")
    return refuse(403, "REASON_REQUIRED", "an emergency needs a reason: it is reviewed");
  return { review: emergency.review.groups };
}
