/**
 * The way of an audit event to D1. An object's outbox buffers events and writes them about once a second,
 * less often while they come without a pause; what D1 does not take is kept in the object's own storage until it does.
 * Delivery is at least once, and an event that arrives twice has one id.
 */
import { type AuditEvent, type NewEvent, ulid } from "./events.ts";
import { insertEvents } from "./store.ts";

const FLUSH_MS = 1_000;
/** A buffered outbox that gets the next event right after it wrote waits longer: busy sessions share one database. */
const BUSY_FLUSH_MS = 4_000;
const RIGHT_AFTER_MS = 100;
/** What is worth a person's look does not wait for that. */
const URGENT: ReadonlySet<string> = new Set(["warn", "alarm"]);
/** Flush at once when so many wait. */
const FLUSH_COUNT = 200;
/** Rows tried again in one go. */
const RETRY_COUNT = 500;

export interface OutboxOptions {
  readonly db: D1Database;
  /** The owning object's storage. */
  readonly sql: SqlStorage;
  readonly now: () => number;
  /**
   * `buffered`: events wait in memory up to a second (sessions: no storage write per message).
   * `durable`: each event is in the object's storage before `add` returns, in the same transaction as the
   * change it tells of (grants).
   */
  readonly mode: "buffered" | "durable";
}

export class AuditOutbox {
  readonly #options: OutboxOptions;
  #buffer: AuditEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<boolean> | null = null;
  #flushes = 0;
  /** When its timer wrote last, and when the timer is due, milliseconds since the epoch. */
  #flushed = 0;
  #due = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    options.sql.exec(
      "CREATE TABLE IF NOT EXISTS audit_outbox (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT",
    );
  }

  /** Counts up whenever what waited is taken to be written: an event that was added before is final then. */
  get flushes(): number {
    return this.#flushes;
  }

  /** Gives the event its id and time and puts it on its way. Synchronous. */
  add(event: NewEvent): AuditEvent {
    const time = this.#options.now();
    const kept = { ...event, id: ulid(time), time } as AuditEvent;
    this.#keep(kept);
    return kept;
  }

  /** Takes over events that already have their id (from a Worker that could not reach D1). */
  adopt(events: readonly AuditEvent[]): void {
    for (const event of events) this.#save(event);
    this.#schedule(FLUSH_MS);
  }

  #keep(event: AuditEvent): void {
    if (this.#options.mode === "durable") this.#save(event);
    else this.#buffer.push(event);
    this.#schedule(this.#buffer.length >= FLUSH_COUNT ? 0 : this.#patience(event));
  }

  #patience({ severity, time }: AuditEvent): number {
    const busy = this.#options.mode === "buffered" && time - this.#flushed < RIGHT_AFTER_MS;
    return busy && !URGENT.has(severity) ? BUSY_FLUSH_MS : FLUSH_MS;
  }

  #save(event: AuditEvent): void {
    this.#options.sql.exec(
      "INSERT INTO audit_outbox (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
      event.id,
      JSON.stringify(event),
    );
  }

  #schedule(ms: number): void {
    const due = this.#options.now() + ms;
    if (this.#timer !== null) {
      if (due >= this.#due) return;
      clearTimeout(this.#timer);
    }
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#flushed = this.#options.now();
      void this.flush();
    }, ms);
  }

  /** Writes everything that waits. True when D1 has it all; false when some is kept for later. Never throws. */
  async flush(): Promise<boolean> {
    while (this.#running) await this.#running;
    this.#running = this.#flush();
    try {
      return await this.#running;
    } finally {
      this.#running = null;
    }
  }

  async #flush(): Promise<boolean> {
    const buffered = this.#buffer;
    this.#buffer = [];
    this.#flushes += 1;
    const { db, sql } = this.#options;
    try {
      await insertEvents(db, buffered);
    } catch {
      for (const event of buffered) this.#save(event);
    }
    for (;;) {
      const kept = sql
        .exec<{ id: string; body: string }>(
          "SELECT id, body FROM audit_outbox ORDER BY id LIMIT ?",
          RETRY_COUNT,
        )
        .toArray();
      if (kept.length === 0) return true;
      try {
        await insertEvents(
          db,
          kept.map((row) => JSON.parse(row.body) as AuditEvent),
        );
      } catch {
        return false;
      }
      for (const row of kept) sql.exec("DELETE FROM audit_outbox WHERE id = ?", row.id);
    }
  }

  /** True when nothing waits, in memory or in storage. */
  get empty(): boolean {
    if (this.#buffer.length > 0) return false;
    return this.#options.sql.exec("SELECT 1 FROM audit_outbox LIMIT 1").toArray().length === 0;
  }
}
