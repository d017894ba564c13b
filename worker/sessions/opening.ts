/** What it takes to open a session: what a door asks for, and what the connector is told. */
import { shownColumns } from "../../policies/postgres/constraints.ts";
import { mayWrite, startupOptions } from "../../policies/postgres/pins.ts";
import type { Task } from "../../policies/task.ts";
import type { Dial } from "../../wire/control.ts";
import type { Actor, EventFacts } from "../audit/events.ts";
import type { Problem } from "../identity/http.ts";
import type { StoredSession } from "./stored.ts";

/** What a door asks for, after the grant said yes. */
export interface SessionAsk {
  readonly sid: string;
  readonly grant: string;
  readonly actor: Actor;
  readonly task: string;
  readonly taskDigest: string;
  /** Canonical, as `mayStart` returned them. */
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly connector: string;
  readonly client: { readonly ip?: string; readonly userAgent?: string };
}

export type Opened = { readonly ok: true } | (Problem & { readonly ok: false });

/** The refusal of a session. */
export function refused(status: number, code: string, message: string): Problem & { readonly ok: false } {
  return { ok: false, status, code, message, hint: "" };
}

/** The facts that every event of a session carries. */
export function factsOf(stored: StoredSession, client: EventFacts["client"] & object): EventFacts {
  const { actor, sid: session, grant, task, taskDigest, resource, connector } = stored;
  return { actor, session, grant, task, taskDigest, resource, connector, client };
}

/** The message that has the connector open the target and dial back. */
export function dialFor(
  stored: StoredSession,
  task: Task,
  ticket: string,
  params: Readonly<Record<string, string>>,
): Dial {
  const relations = new Map<string, Dial["task"]["relations"][number]>();
  for (const { schema, relation: name } of task.rules) {
    const shown = shownColumns(task.rules, schema, name);
    const columns: "*" | string[] | null = shown && (shown.columns === "*" ? "*" : [...shown.columns]);
    const shows = columns === null ? {} : { shows: { columns, masked: [...shown!.masked] } };
    relations.set(`${schema}.${name}`, { schema, name, ...shows });
  }
  return {
    ...{ v: 1, t: "dial", session: stored.sid, ticket, resource: stored.resource },
    url: `/connector/sessions/${stored.sid}`,
    task: {
      ...{ name: task.name, digest: task.digest, readOnly: !mayWrite(task) },
      ...{ relations: [...relations.values()], functions: [...task.functions] },
      ...(task.session.listen ? { listen: [...task.session.listen] } : {}),
    },
    options: startupOptions(task, params),
    user: { application_name: `wicket/${stored.sid}` },
    recording: task.recording,
    deadline: stored.deadline,
  };
}

/** The task with the limits that the grant has left, where those are tighter. */
export function withBudget(
  task: Task,
  budget: { statements: number | null; rows: number | null; bytes: number | null },
): Task {
  const least = (a: number | null, b: number | null): number | null =>
    a === null ? b : b === null ? a : Math.min(a, b);
  const { statements, rows, bytes } = task.limits;
  return {
    ...task,
    limits: {
      ...task.limits,
      statements: least(statements, budget.statements),
      rows: least(rows, budget.rows),
      bytes: least(bytes, budget.bytes),
    },
  };
}

/** What Postgres calls a target that could not be opened. */
export const SQLSTATES: Readonly<Record<string, string>> = {
  TARGET_UNREACHABLE: "08001",
  TARGET_REFUSED_LOGIN: "28000",
  TARGET_TLS: "08001",
  SPOOL_FULL: "53100",
  SEALING_UNAVAILABLE: "55000",
  DRAINING: "57P03",
};
