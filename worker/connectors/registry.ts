/**
 * What a connector's object keeps: its enrolled key, the one open enrolment code, used token ids, and the
 * sessions that were dialled through it. All methods are synchronous.
 */
import type { JWK } from "jose";

export interface EnrolledKey {
  readonly key: JWK;
  readonly thumbprint: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

interface OpenCode {
  /** SHA-256 of the code. */
  readonly hash: string;
  readonly expires: number;
  /** The thumbprint that this code may replace; null = the name has no key yet. */
  readonly replaces: string | null;
}

export class ConnectorRegistry {
  readonly #sql: SqlStorage;
  readonly #kv: SyncKvStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#kv = storage.kv;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS used_tokens (jti TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS sessions (sid TEXT PRIMARY KEY, dialled INTEGER NOT NULL) STRICT;
    `);
  }

  get enrolled(): EnrolledKey | null {
    return this.#kv.get<EnrolledKey>("key") ?? null;
  }

  enrol(key: EnrolledKey): void {
    this.#kv.put("key", key);
    this.#kv.delete("code");
  }

  remove(): void {
    this.#kv.delete("key");
    this.#kv.delete("code");
  }

  openCode(code: OpenCode): void {
    this.#kv.put("code", code);
  }

  /** Takes the code back when it is the open one; it is gone then, whatever comes of it. */
  takeCode(hash: string, now: number): OpenCode | null {
    const code = this.#kv.get<OpenCode>("code");
    if (!code || code.hash !== hash) return null;
    this.#kv.delete("code");
    return now < code.expires ? code : null;
  }

  /** False when the token id was seen before. */
  useToken(jti: string, expires: number, now: number): boolean {
    this.#sql.exec("DELETE FROM used_tokens WHERE expires <= ?", now);
    const made = this.#sql.exec(
      "INSERT INTO used_tokens (jti, expires) VALUES (?, ?) ON CONFLICT (jti) DO NOTHING",
      jti,
      expires,
    );
    return made.rowsWritten > 0;
  }

  sessionDialled(sid: string, now: number): void {
    this.#sql.exec(
      "INSERT INTO sessions (sid, dialled) VALUES (?, ?) ON CONFLICT (sid) DO NOTHING",
      sid,
      now,
    );
  }

  /** False when the session was not dialled through here. */
  sessionEnded(sid: string): boolean {
    return this.#sql.exec("DELETE FROM sessions WHERE sid = ? RETURNING sid", sid).toArray().length > 0;
  }

  hasSession(sid: string): boolean {
    return this.#sql.exec("SELECT 1 FROM sessions WHERE sid = ?", sid).toArray().length > 0;
  }

  sessions(): string[] {
    return this.#sql
      .exec<{ sid: string }>("SELECT sid FROM sessions ORDER BY dialled")
      .toArray()
      .map((row) => row.sid);
  }
}
