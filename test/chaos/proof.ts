/**
 * What PostgreSQL says that it was asked, held against what the recordings say: every statement that reached the
 * database is in the recording of its session, in order, once; and every recording has its end.
 */
import { readFileSync } from "node:fs";
import { ChainVerifier } from "../../wire/recording.ts";
import type { Parts } from "./parts.ts";
import { verdicts } from "./verdicts.ts";

/** How the connector closes a recording that broke off. */
const BROKEN: ReadonlySet<string> = new Set(["CONNECTOR_RESTARTED", "CONNECTION_LOST", "RECORDING_FAILED"]);
/** Of the other recordings, so many are verified. */
const OTHERS = 5;

/** Marks a statement of the load: `'chaos-<n>'` stands in its text. */
const TAG = /'(chaos-\d+)'/g;

export interface Proof {
  readonly sessions: number;
  /** Statements of the load that reached the database. */
  readonly reached: number;
  /** Statements of the load in recordings: some were written down and then not sent. */
  readonly recorded: number;
  /** Recordings that the verifier was asked about: all that broke off, and some others. */
  readonly verified: number;
  /** Those of them with a stated gap. */
  readonly gaps: number;
  /** What is wrong; empty = complete. */
  readonly faults: readonly string[];
  /** How often sessions ended, by code. */
  readonly ends: Readonly<Record<string, number>>;
}

/** Tags by session, in the order of PostgreSQL's own log. */
export function readStatementLog(path: string): Map<string, string[]> {
  const bySession = new Map<string, string[]>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const found = /^wicket\/([^\t]+)\tLOG: +(?:statement|execute [^:]*): (.*)$/.exec(line);
    if (!found) continue;
    for (const [, tag] of found[2]!.matchAll(TAG)) {
      const tags = bySession.get(found[1]!) ?? [];
      tags.push(tag!);
      bySession.set(found[1]!, tags);
    }
  }
  return bySession;
}

/** What of `asked` is not in `recorded`, or not in the same order. */
export function lacking(asked: readonly string[], recorded: readonly string[]): string[] {
  const missing: string[] = [];
  let at = 0;
  for (const tag of asked) {
    const found = recorded.indexOf(tag, at);
    if (found < 0) missing.push(tag);
    else at = found + 1;
  }
  return missing;
}

interface SessionRow {
  readonly id: string;
  readonly started: number;
  readonly ended: number | null;
  readonly end_code?: string | null;
}

/** Waits until every session is over and its recording whole, at most `patience` ms, and compares. */
export async function prove(parts: Parts, patience: number): Promise<Proof> {
  const token = await parts.token("ada");
  const get = async (path: string): Promise<Response> => {
    for (;;) {
      const answer = await fetch(parts.origin + path, {
        headers: { authorization: `Bearer ${token}` },
      }).catch(() => null);
      if (answer && answer.status < 500) return answer;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const reached = readStatementLog(parts.statements);
  const sessions = await allSessions(get);
  const known = new Set(sessions.map(({ id }) => id));
  const faults = [...reached.keys()]
    .filter((id) => !known.has(id))
    .map((id) => `the session ${id} reached the database and is not in the list`);
  const end = Date.now() + patience;
  let recorded = 0;
  const seen = new Map<string, string>();
  // A few at a time: most of it is waiting.
  const waiting = sessions.map(({ id }) => id);
  const read = new Map<string, Awaited<ReturnType<typeof whole>>>();
  const broken: string[] = [];
  const others: string[] = [];
  const worker = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
      read.set(id, await whole(get, id, end, reached.has(id)));
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  for (const { id } of sessions) {
    const asked = reached.get(id) ?? [];
    const recording = read.get(id) ?? null;
    if (recording === null || "state" in recording) {
      // A session that never came to its database has no recording.
      if (asked.length > 0)
        faults.push(
          `the recording of ${id} is not whole (${recording?.state}); ${asked.length} statements reached the database`,
        );
      continue;
    }
    if (!recording.ok) {
      faults.push(`the recording of ${id}: ${recording.message}`);
      continue;
    }
    const { tags, reason } = recording;
    if (BROKEN.has(reason)) broken.push(id);
    else if (others.length < OTHERS) others.push(id);
    recorded += tags.length;
    for (const tag of tags) {
      const other = seen.get(tag);
      if (other) faults.push(`${tag} is recorded twice, in ${other} and in ${id}`);
      seen.set(tag, id);
    }
    for (const tag of lacking(asked, tags)) {
      faults.push(`${tag} reached the database in ${id} and is not in its recording, or out of order`);
    }
  }
  const judged = await verdicts(parts, [...broken, ...others]);
  faults.push(...judged.faults);
  const count = [...reached.values()].reduce((sum, tags) => sum + tags.length, 0);
  const ends: Record<string, number> = {};
  for (const { end_code: code } of await allSessions(get)) if (code) ends[code] = (ends[code] ?? 0) + 1;
  const { verified, gaps } = judged;
  return { sessions: sessions.length, reached: count, recorded, verified, gaps, faults, ends };
}

async function allSessions(get: (path: string) => Promise<Response>): Promise<SessionRow[]> {
  const all = new Map<string, SessionRow>();
  let before = "";
  for (;;) {
    const answer = (await (await get(`/api/sessions?all=1&limit=500${before}`)).json()) as {
      sessions: SessionRow[];
    };
    const fresh = answer.sessions.filter(({ id }) => !all.has(id));
    for (const row of fresh) all.set(row.id, row);
    if (fresh.length === 0) return [...all.values()];
    before = `&before=${Math.min(...fresh.map(({ started }) => started)) + 1}`;
  }
}

type Read =
  | { readonly ok: true; readonly tags: string[]; readonly reason: string }
  | { readonly ok: false; readonly message: string };

/** A session that is over for so long without a segment, and never came to its database, has none. */
const NEVER_MS = 2_000;

/** The recording once it has its end; null when it does not come. */
async function whole(
  get: (path: string) => Promise<Response>,
  id: string,
  end: number,
  reached: boolean,
): Promise<Read | { readonly state: string } | null> {
  for (;;) {
    // Looking at a session is also what closes one that its object has forgotten.
    const row = (await (await get(`/api/sessions/${id}`)).json()) as SessionRow;
    const list = (await (await get(`/api/sessions/${id}/recording`)).json()) as {
      segments: { sequence: number }[];
      final: string | null;
    };
    if (row.ended !== null && list.final !== null) return readWhole(get, id, list.segments);
    // One that never came to its database may have none; any other is waited for.
    const never = !reached && list.segments.length === 0;
    if (row.ended !== null && never && Date.now() > row.ended + NEVER_MS) return null;
    if (Date.now() > end) {
      return { state: `${list.segments.length} segments, end ${list.final}, session ended ${row.end_code}` };
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function readWhole(
  get: (path: string) => Promise<Response>,
  id: string,
  segments: readonly { sequence: number }[],
): Promise<Read> {
  const chain = new ChainVerifier(id);
  const tags: string[] = [];
  for (const { sequence } of segments) {
    const answer = await get(`/api/sessions/${id}/recording/${sequence}`);
    const segment = chain.next(new Uint8Array(await answer.arrayBuffer()));
    if (!segment.ok) return { ok: false, message: segment.message };
    for (const { kind, bytes } of segment.entries) {
      if (kind !== "event") continue;
      const { event } = JSON.parse(new TextDecoder().decode(bytes)) as {
        event?: { t: string; text: string };
      };
      if (event?.t === "statement") for (const [, tag] of event.text.matchAll(TAG)) tags.push(tag!);
    }
  }
  const { final } = chain;
  return final ? { ok: true, tags, reason: final.reason } : { ok: false, message: "it has no end" };
}
