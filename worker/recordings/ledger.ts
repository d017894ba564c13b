/** The list of recordings in D1: what was stored of each session, and the searches over it. */
import type { SegmentHeader } from "../../wire/recording.ts";
import type { RecordingState } from "../../wire/recording-end.ts";
import type { SessionRow } from "../audit/store.ts";
import type { StoredSoFar } from "../sessions/ending.ts";

/** A session with what is stored of its recording. */
export interface RecordingRow extends SessionRow {
  readonly segments: number;
  /** Bytes stored. */
  readonly size: number;
  readonly state: RecordingState;
  /** What there is to say of the state: what is missing, or what differs. */
  readonly detail: string | null;
  /** Thumbprints of the auditors' keys, when only they open it; null for a recording that is not sealed. */
  readonly sealed: readonly string[] | null;
}

/**
 * Notes how much of a recording is stored, and what its newest segment says. The list only: failing changes nothing
 * about the recording.
 */
export async function noteSegment(db: D1Database, header: SegmentHeader, soFar: StoredSoFar): Promise<void> {
  const { session, final, frontend, backend, sealed } = header;
  await db
    .prepare(
      `INSERT INTO recordings (session, segments, bytes, final, frontend, backend, sealed, verdict)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
       ON CONFLICT (session) DO UPDATE SET segments = max(segments, excluded.segments),
         bytes = max(bytes, excluded.bytes), final = coalesce(final, excluded.final),
         frontend = coalesce(frontend, excluded.frontend), backend = coalesce(backend, excluded.backend),
         sealed = coalesce(sealed, excluded.sealed), verdict = coalesce(excluded.verdict, verdict)`,
    )
    .bind(
      ...[session, soFar.segments, soFar.bytes, final?.reason ?? null],
      ...(final ? [frontend.root, backend.root] : [null, null]),
      sealed ? JSON.stringify(sealed) : null,
      soFar.verdict ? JSON.stringify(soFar.verdict) : null,
    )
    .run();
}

export interface RecordingFilter {
  /** Whose; absent = everyone's. */
  readonly issuer?: string;
  readonly subject?: string;
  /** Part of the person's name or subject. */
  readonly person?: string;
  readonly task?: string;
  readonly resource?: string;
  /** Start of the session, ms since the epoch, inclusive. */
  readonly since?: number;
  readonly until?: number;
  /** Sessions that started before this one, ms: for the next page. */
  readonly before?: number;
  readonly limit?: number;
}

/** Recordings, newest session first. */
export async function listRecordings(db: D1Database, filter: RecordingFilter): Promise<RecordingRow[]> {
  const { where, values } = conditions(filter, "s.started");
  const { results } = await db
    .prepare(`${SELECT} ${where} ORDER BY s.started DESC LIMIT ?`)
    .bind(...values, Math.min(Math.max(filter.limit ?? 50, 1), 200))
    .all<Joined>();
  return results.map(rowOf);
}

/** One recording; null when there is no such session. */
export async function findRecording(db: D1Database, session: string): Promise<RecordingRow | null> {
  const row = await db.prepare(`${SELECT} WHERE s.id = ?`).bind(session).first<Joined>();
  return row && rowOf(row);
}

/** A statement that was found by its text. */
export interface FoundStatement {
  readonly session: string;
  readonly n: number;
  readonly time: number;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly task: string;
  readonly effect: string;
  readonly text: string;
}

/**
 * Statements whose text has `words` in it, newest first, at most 100. Only what tasks record in full is in the
 * audit log with its text, and of a statement its first 4096 characters.
 */
export async function findStatements(
  db: D1Database,
  words: string,
  filter: RecordingFilter,
): Promise<FoundStatement[]> {
  const { where, values } = conditions(filter, "s.time");
  const { results } = await db
    .prepare(
      `SELECT s.session, s.time, s.issuer, s.subject, s.name, s.task, json_extract(s.body, '$.data.n') AS n,
         json_extract(s.body, '$.data.effect') AS effect, json_extract(s.body, '$.data.text') AS text
       FROM events s ${where === "" ? "WHERE" : `${where} AND`} s.type = 'statement.decided'
         AND instr(lower(json_extract(s.body, '$.data.text')), ?) ORDER BY s.id DESC LIMIT 100`,
    )
    .bind(...values, words.toLowerCase())
    .all<FoundStatement>();
  return results;
}

function conditions(
  filter: RecordingFilter,
  time: "s.started" | "s.time",
): { where: string; values: (string | number)[] } {
  const where: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, ...given: (string | number | undefined)[]): void => {
    if (given[0] === undefined || given[0] === "") return;
    where.push(condition);
    values.push(...(given as (string | number)[]));
  };
  add("s.issuer = ?", filter.issuer);
  add("s.subject = ?", filter.subject);
  const person = filter.person?.toLowerCase();
  add("(instr(lower(coalesce(s.name, '')), ?) OR instr(lower(s.subject), ?))", person, person);
  add("s.task = ?", filter.task);
  add("s.resource = ?", filter.resource);
  add(`${time} >= ?`, filter.since);
  add(`${time} <= ?`, filter.until);
  add(`${time} < ?`, filter.before);
  return { where: where.length > 0 ? `WHERE ${where.join(" AND ")}` : "", values };
}

const SELECT = `SELECT s.id, s.grant_id AS "grant", s.issuer, s.subject, s.name, s.task, s.resource, s.reason, s.started,
  s.ended, s.end_code, s.statements, s.denied, s.rows, s.bytes, s.roots, coalesce(r.segments, 0) AS segments,
  coalesce(r.bytes, 0) AS size, r.final, r.frontend, r.backend, r.sealed, r.verdict
  FROM sessions s LEFT JOIN recordings r ON r.session = s.id`;

interface Joined extends Omit<RecordingRow, "roots" | "state" | "detail" | "sealed"> {
  readonly verdict: string | null;
  readonly sealed: string | null;
  readonly roots: string | null;
  readonly final: string | null;
  readonly frontend: string | null;
  readonly backend: string | null;
}

function rowOf(joined: Joined): RecordingRow {
  const { final, frontend, backend, verdict, ...row } = joined;
  const roots = row.roots === null ? null : (JSON.parse(row.roots) as Roots | null);
  const sealed = row.sealed === null ? null : (JSON.parse(row.sealed) as string[]);
  return { ...row, roots, ...stateOf(joined, roots), sealed };
}

interface Roots {
  readonly frontend: { readonly root: string };
  readonly backend: { readonly root: string };
}

type Stated = Pick<RecordingRow, "state" | "detail">;

function stateOf(
  row: Pick<Joined, "final" | "ended" | "segments" | "frontend" | "backend" | "verdict">,
  roots: Roots | null,
): Stated {
  const bare = (state: RecordingState): Stated => ({ state, detail: null });
  if (row.final === null) return bare(row.ended === null ? "live" : row.segments > 0 ? "open" : "none");
  if (row.verdict !== null) return JSON.parse(row.verdict) as Stated;
  if (roots === null) return bare("unchecked");
  const same = roots.frontend.root === row.frontend && roots.backend.root === row.backend;
  return bare(same ? "final" : "differs");
}

/** The states of the recordings of some sessions, by their ids. */
export async function recordingStates(
  db: D1Database,
  sessions: readonly string[],
): Promise<ReadonlyMap<string, Stated>> {
  const { results } = await db
    .prepare(`${SELECT} WHERE s.id IN (SELECT value FROM json_each(?))`)
    .bind(JSON.stringify(sessions))
    .all<Joined>();
  return new Map(results.map(rowOf).map(({ id, state, detail }) => [id, { state, detail }]));
}
