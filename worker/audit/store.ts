/** The searchable copy of events, grants and sessions in D1: writes that may be repeated, and the lists. */
import type { AuditEvent } from "./events.ts";

/** Characters of events in one statement; D1 takes a value of 2 MB. */
const BATCH = 400_000;

/** Inserts events; one that is there already (same id) stays as it is. */
export async function insertEvents(db: D1Database, events: readonly AuditEvent[]): Promise<void> {
  let batch: string[] = [];
  let size = 0;
  for (const event of events) {
    const text = JSON.stringify(event);
    if (size > 0 && size + text.length > BATCH) {
      await insertBatch(db, batch);
      batch = [];
      size = 0;
    }
    batch.push(text);
    size += text.length;
  }
  if (batch.length > 0) await insertBatch(db, batch);
}

/** All of them or none, in one statement: a statement each costs several times as much. */
async function insertBatch(db: D1Database, events: readonly string[]): Promise<void> {
  await db
    .prepare(
      `INSERT INTO events (id, time, type, severity, issuer, subject, name, session, grant_id, task, resource, reason, body)
       SELECT value ->> 'id', value ->> 'time', value ->> 'type', value ->> 'severity', value ->> '$.actor.issuer',
              value ->> '$.actor.subject', value ->> '$.actor.name', value ->> 'session', value ->> 'grant',
              value ->> 'task', value ->> 'resource', value ->> 'reason', value
         FROM json_each(?) WHERE true ON CONFLICT (id) DO NOTHING`,
    )
    .bind(`[${events.join()}]`)
    .run();
}

export interface EventFilter {
  readonly issuer?: string;
  readonly subject?: string;
  /** A type, or all types of a kind: `grant.*`. */
  readonly type?: string;
  readonly severity?: string;
  readonly session?: string;
  readonly grant?: string;
  readonly task?: string;
  readonly resource?: string;
  readonly reason?: string;
  /** Milliseconds since the epoch, inclusive. */
  readonly since?: number;
  readonly until?: number;
  /** Only events with a larger (`after`) or smaller (`before`) id. */
  readonly after?: string;
  readonly before?: string;
  /** Part of the person's name or subject, or of a reason code. */
  readonly text?: string;
  readonly limit?: number;
}

/** Events, newest first (oldest first with `after`, for tailing). */
export async function listEvents(db: D1Database, filter: EventFilter): Promise<AuditEvent[]> {
  const where: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | number | undefined): void => {
    if (value === undefined || value === "") return;
    where.push(condition);
    values.push(value);
  };
  add("issuer = ?", filter.issuer);
  add("subject = ?", filter.subject);
  if (filter.type?.endsWith(".*"))
    add("type GLOB ?", `${filter.type.slice(0, -2).replace(/[^a-z_.]/g, "")}.*`);
  else add("type = ?", filter.type);
  add("severity = ?", filter.severity);
  add("session = ?", filter.session);
  add("grant_id = ?", filter.grant);
  add("task = ?", filter.task);
  add("resource = ?", filter.resource);
  add("reason = ?", filter.reason);
  add("time >= ?", filter.since);
  add("time <= ?", filter.until);
  add("id > ?", filter.after);
  add("id < ?", filter.before);
  if (filter.text) {
    where.push(
      "(instr(lower(coalesce(name, '')), ?) OR instr(lower(coalesce(subject, '')), ?) OR instr(lower(coalesce(reason, '')), ?))",
    );
    const text = filter.text.toLowerCase();
    values.push(text, text, text);
  }
  const order = filter.after === undefined ? "DESC" : "ASC";
  const sql = `SELECT body FROM events ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""} ORDER BY id ${order} LIMIT ?`;
  const { results } = await db
    .prepare(sql)
    .bind(...values, bounded(filter.limit))
    .all<{ body: string }>();
  return results.map((row) => JSON.parse(row.body) as AuditEvent);
}

function bounded(limit: number | undefined): number {
  return Math.min(Math.max(Math.floor(limit ?? 100), 1), 1000);
}

/** A session as the lists show it. Times in ms since the epoch. */
export interface SessionRow {
  readonly id: string;
  readonly grant: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly task: string;
  readonly resource: string;
  readonly reason: string | null;
  readonly started: number;
  readonly ended: number | null;
  readonly end_code: string | null;
  readonly statements: number;
  readonly denied: number;
  readonly rows: number;
  readonly bytes: number;
  /** The edge's running roots at the end (JSON as stored). */
  readonly roots: unknown;
}

export type StartedSession = Pick<
  SessionRow,
  "id" | "grant" | "issuer" | "subject" | "name" | "task" | "resource" | "reason" | "started"
>;

/** Written before the first byte is forwarded: throws when it cannot be written. */
export async function recordSessionStart(db: D1Database, session: StartedSession): Promise<void> {
  await db
    .prepare(
      `INSERT INTO sessions (id, grant_id, issuer, subject, name, task, resource, reason, started)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    )
    .bind(
      session.id,
      session.grant,
      session.issuer,
      session.subject,
      session.name,
      session.task,
      session.resource,
      session.reason,
      session.started,
    )
    .run();
}

export interface SessionTotals {
  readonly statements: number;
  readonly denied: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Counts of a session that runs. */
export async function recordSessionProgress(
  db: D1Database,
  id: string,
  totals: SessionTotals,
): Promise<void> {
  await db
    .prepare(
      "UPDATE sessions SET statements = ?, denied = ?, rows = ?, bytes = ? WHERE id = ? AND ended IS NULL",
    )
    .bind(totals.statements, totals.denied, totals.rows, totals.bytes, id)
    .run();
}

/** The end of a session; the first end counts. */
export async function recordSessionEnd(
  db: D1Database,
  id: string,
  end: SessionTotals & { readonly ended: number; readonly end_code: string; readonly roots: unknown },
): Promise<void> {
  await db
    .prepare(
      `UPDATE sessions SET ended = ?, end_code = ?, statements = ?, denied = ?, rows = ?, bytes = ?, roots = ?
       WHERE id = ? AND ended IS NULL`,
    )
    .bind(
      end.ended,
      end.end_code,
      end.statements,
      end.denied,
      end.rows,
      end.bytes,
      JSON.stringify(end.roots ?? null),
      id,
    )
    .run();
}

export interface SessionFilter {
  readonly issuer?: string;
  readonly subject?: string;
  readonly task?: string;
  readonly resource?: string;
  readonly grant?: string;
  readonly open?: boolean;
  readonly before?: number;
  readonly limit?: number;
}

/** Sessions, newest first. */
export async function listSessions(db: D1Database, filter: SessionFilter): Promise<SessionRow[]> {
  const where: string[] = [];
  const values: (string | number)[] = [];
  for (const [column, value] of [
    ["issuer", filter.issuer],
    ["subject", filter.subject],
    ["task", filter.task],
    ["resource", filter.resource],
    ["grant_id", filter.grant],
  ] as const) {
    if (value === undefined || value === "") continue;
    where.push(`${column} = ?`);
    values.push(value);
  }
  if (filter.open !== undefined) where.push(filter.open ? "ended IS NULL" : "ended IS NOT NULL");
  if (filter.before !== undefined) {
    where.push("started < ?");
    values.push(filter.before);
  }
  const { results } = await db
    .prepare(
      `${SELECT_SESSION} ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""} ORDER BY started DESC LIMIT ?`,
    )
    .bind(...values, bounded(filter.limit))
    .all<SessionRow & { roots: string | null }>();
  return results.map(sessionRow);
}

/** One session; null when there is none with this id. */
export async function findSession(db: D1Database, id: string): Promise<SessionRow | null> {
  const row = await db
    .prepare(`${SELECT_SESSION} WHERE id = ?`)
    .bind(id)
    .first<SessionRow & { roots: string | null }>();
  return row ? sessionRow(row) : null;
}

const SELECT_SESSION = `SELECT id, grant_id AS "grant", issuer, subject, name, task, resource, reason, started, ended,
  end_code, statements, denied, rows, bytes, roots FROM sessions`;

function sessionRow(row: SessionRow & { roots: string | null }): SessionRow {
  return { ...row, roots: row.roots === null ? null : (JSON.parse(row.roots) as unknown) };
}
