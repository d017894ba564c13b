/** The sessions that run under an object's grants, and the ones that have to end: noted first, then called. */
import type { HoldVerdict } from "./book.ts";

/** What is needed of a session's object. */
export interface SessionControl {
  /** The answer's `confirmed` is false when the connector did not say that it has left the target. */
  kill(code: string, message: string, together: number): Promise<unknown>;
  resolveHold(request: string, verdict: HoldVerdict): Promise<unknown>;
  /** Null, or `ended` set, when the session does not run. */
  summary(): Promise<unknown>;
}

export interface OpenSession {
  readonly sid: string;
  readonly grant: string;
  readonly deadline: number;
}

const MAX_KILL_TRIES = 20;
/** How long after its deadline a session that never said goodbye still counts. */
const GRACE_MS = 10_000;

export class OpenSessions {
  readonly #sql: SqlStorage;
  readonly #session: (sid: string) => SessionControl;

  constructor(sql: SqlStorage, session: (sid: string) => SessionControl) {
    this.#sql = sql;
    this.#session = session;
    sql.exec(`
      CREATE TABLE IF NOT EXISTS open_sessions (sid TEXT PRIMARY KEY, grant_id TEXT NOT NULL, deadline INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS kills (sid TEXT PRIMARY KEY, code TEXT NOT NULL, message TEXT NOT NULL, tries INTEGER NOT NULL) STRICT;
    `);
  }

  /** All that run, or those of one grant. */
  list(grant?: string): OpenSession[] {
    const all = this.#sql
      .exec<{ sid: string; grant_id: string; deadline: number }>(
        "SELECT sid, grant_id, deadline FROM open_sessions",
      )
      .toArray()
      .map((row) => ({ sid: row.sid, grant: row.grant_id, deadline: row.deadline }));
    return grant === undefined ? all : all.filter((one) => one.grant === grant);
  }

  add(session: OpenSession): void {
    const { sid, grant, deadline } = session;
    this.#sql.exec(
      "INSERT INTO open_sessions (sid, grant_id, deadline) VALUES (?, ?, ?)",
      sid,
      grant,
      deadline,
    );
  }

  /** False when it was not open. */
  remove(sid: string): boolean {
    this.#sql.exec("DELETE FROM kills WHERE sid = ?", sid);
    return this.#sql.exec("DELETE FROM open_sessions WHERE sid = ? RETURNING sid", sid).toArray().length > 0;
  }

  /** Notes, durably, that the grant's sessions must end. Returns how many. */
  queueKills(grant: string, code: string, message: string): number {
    const sessions = this.list(grant);
    for (const { sid } of sessions) {
      this.#sql.exec(
        "INSERT INTO kills (sid, code, message, tries) VALUES (?, ?, ?, 0) ON CONFLICT (sid) DO NOTHING",
        ...[sid, code, message],
      );
    }
    return sessions.length;
  }

  /** Ends the noted sessions, all at the same time. Returns how many could not be reached, or are not confirmed. */
  async runKills(): Promise<{ readonly failed: number; readonly unconfirmed: number }> {
    const kills = this.#sql
      .exec<{ sid: string; code: string; message: string; tries: number }>(
        "SELECT sid, code, message, tries FROM kills",
      )
      .toArray();
    const results = await Promise.allSettled(
      kills.map((one) => this.#session(one.sid).kill(one.code, one.message, kills.length)),
    );
    let failed = 0;
    let unconfirmed = 0;
    results.forEach((result, index) => {
      const { sid, tries } = kills[index]!;
      const answer =
        result.status === "fulfilled" ? (result.value as { confirmed?: boolean } | undefined) : null;
      if (answer?.confirmed === false) unconfirmed += 1;
      if (result.status === "fulfilled" || tries >= MAX_KILL_TRIES) {
        this.#sql.exec("DELETE FROM kills WHERE sid = ?", sid);
      } else {
        failed += 1;
        this.#sql.exec("UPDATE kills SET tries = tries + 1 WHERE sid = ?", sid);
      }
    });
    return { failed, unconfirmed };
  }

  /** True when a session could not be ended yet. */
  get killsWait(): boolean {
    return this.#sql.exec("SELECT 1 FROM kills LIMIT 1").toArray().length > 0;
  }

  /** Forgets sessions that are over their deadline or whose object says that they do not run. */
  async sweep(now: number): Promise<void> {
    await Promise.all(
      this.list().map(async ({ sid, deadline }) => {
        const gone = now > deadline + GRACE_MS || !(await this.#isRunning(sid));
        if (gone) this.#sql.exec("DELETE FROM open_sessions WHERE sid = ?", sid);
      }),
    );
  }

  /** A session whose object cannot be asked counts as running. */
  async #isRunning(sid: string): Promise<boolean> {
    try {
      const summary = (await this.#session(sid).summary()) as { ended?: unknown } | null;
      return summary !== null && (summary.ended ?? false) === false;
    } catch {
      return true;
    }
  }
}
