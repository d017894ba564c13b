/** One session of requests while it runs: who asks, under which task, until when, and what was done so far. */

import type { Identity, Task } from "../../policies/task.ts";
import { actorFrom, type NewEvent } from "../audit/events.ts";
import type { Approval } from "../grants/grant.ts";
import { keepsText } from "../sessions/audit.ts";
import type { RequestEvent, RequestLedger } from "./requests.ts";

/** What the Worker found out about a request, in the header `CONTEXT_HEADER`; never the client's own header. */
export interface RequestContext {
  /** The object's name. */
  readonly session: string;
  readonly grant: string;
  readonly identity: Identity;
  readonly task: string;
  readonly taskDigest: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  /** End of the grant, milliseconds since the epoch. */
  readonly expires: number;
  /** Path behind the mount point. */
  readonly path: string;
  /** Where a person approves: the request's id is added. */
  readonly approvals: string;
}

export const CONTEXT_HEADER = "wicket-context";

/** Why a session does not begin, or is over. */
export interface Fault {
  readonly code: string;
  readonly message: string;
}

/** What was done in a session. */
export interface RequestTotals {
  readonly statements: number;
  readonly denied: number;
  readonly rows: number;
  readonly bytes: number;
}

/** One session, from its first request on. */
export interface RequestRun {
  /** `<object's name>-<time of its start>`. */
  readonly id: string;
  readonly context: RequestContext;
  readonly task: Task;
  /** Who approved the grant. */
  readonly approvals: readonly Approval[];
  readonly ledger: RequestLedger;
  /** Milliseconds since the epoch. */
  readonly started: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  over: Fault | null;
  /** When a request last began or ended, milliseconds since the epoch. */
  active: number;
}

export function totalsOf({ ledger }: RequestRun): RequestTotals {
  const { statements, denied, rows, bytes } = ledger;
  return { statements, denied, rows, bytes };
}

/** What every event of the session carries. */
export function factsOfRun({ context, id, task }: RequestRun) {
  return {
    actor: actorFrom(context.identity),
    session: id,
    grant: context.grant,
    task: task.name,
    taskDigest: task.digest,
    resource: task.resource,
  };
}

/** A fact as the recording has it: in the shape of a database session's facts, so that one player shows both. */
export function recordedFact(event: RequestEvent): Record<string, unknown> {
  if (event.t === "statement") {
    const { effect } = event.decision;
    const more = {
      relations: [],
      masked: [],
      rewritten: null,
      effect: effect === "answer" ? "allow" : effect,
    };
    return { ...event, decision: { ...event.decision, ...more } };
  }
  return event.t === "outcome"
    ? { ...event, tag: event.status === 0 ? "-" : `HTTP ${event.status}` }
    : { ...event };
}

/** The audit event for a fact; null for facts that only the recording keeps. */
export function eventOfRequest(event: RequestEvent, run: RequestRun): NewEvent | null {
  const facts = factsOfRun(run);
  if (event.t === "statement") {
    const { effect, reason, rule } = event.decision;
    return {
      type: "statement.decided",
      severity: effect === "deny" ? "warn" : "info",
      ...facts,
      reason,
      ...(rule === null ? {} : { rule }),
      data: {
        n: event.n,
        effect: effect === "answer" ? "allow" : effect,
        fingerprint: null,
        relations: [],
        masked: [],
        text: keepsText(run.task) ? event.text : null,
      },
    };
  }
  if (event.t === "alarm") {
    const { code: reason, message } = event;
    return { type: "session.alarm", severity: "alarm", ...facts, reason, data: { message, detail: null } };
  }
  return null;
}

/** Name of the object for the requests under a grant. */
export function requestObjectOf(grant: string): string {
  return `rq-${grant}`;
}
