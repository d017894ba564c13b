/**
 * What a grant's owner keeps: the grants themselves, their sessions, the events and notifications about them, and
 * the alarm that comes back for what is still to be done.
 */
import type { Actor, EventFacts, NewEvent } from "../audit/events.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { sessionStub } from "../sessions/names.ts";
import { type Grant, type GrantAsk, notOpen, openNew, type Person, revoke, settle } from "./grant.ts";
import { writeGrants } from "./ledger.ts";
import { Notifications, type NotifyEnv } from "./notify.ts";
import { OpenSessions, type SessionControl } from "./open-sessions.ts";

/** What becomes of a held statement. An approval still has to be spent (`useHold`) before anything runs. */
export type HoldVerdict =
  | { readonly effect: "allow"; readonly digest: string; readonly by: readonly string[] }
  | { readonly effect: "deny"; readonly code: string; readonly message: string };

export interface GrantEnv extends NotifyEnv {
  readonly DB: D1Database;
  /** Session objects by the session's id as name. */
  readonly SESSIONS: DurableObjectNamespace;
  /** Objects of sessions of requests; absent where there are none. */
  readonly REQUESTS?: DurableObjectNamespace;
}

const KILL_RETRY_MS = 1_000;
const PUBLISH_RETRY_MS = 2_000;

export class GrantBook {
  readonly outbox: AuditOutbox;
  readonly open: OpenSessions;
  readonly #ctx: DurableObjectState;
  readonly #envNow: () => GrantEnv;
  readonly #sql: SqlStorage;
  readonly #notifications: Notifications;
  #lastSeen: number;
  #lastPublish: Promise<void> = Promise.resolve();
  #nextPublish: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, envNow: () => GrantEnv) {
    const env = envNow();
    this.#ctx = ctx;
    this.#envNow = envNow;
    this.#sql = ctx.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS grants (n INTEGER PRIMARY KEY, body TEXT NOT NULL, dirty INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), seen INTEGER NOT NULL) STRICT;
    `);
    this.#lastSeen = this.#sql.exec<{ seen: number }>("SELECT seen FROM clock").toArray()[0]?.seen ?? 0;
    this.outbox = new AuditOutbox({ db: env.DB, sql: this.#sql, now: () => this.now(), mode: "durable" });
    this.open = new OpenSessions(this.#sql, (sid) => this.#session(sid));
    this.#notifications = new Notifications(this.#sql, env);
  }

  get #env(): GrantEnv {
    return this.#envNow();
  }

  /** Time that never runs backwards for this object, whatever the machine's clock does. */
  now(): number {
    const now = Math.max(Date.now(), this.#lastSeen);
    if (now > this.#lastSeen) {
      this.#lastSeen = now;
      this.#sql.exec(
        "INSERT INTO clock (one, seen) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET seen = excluded.seen",
        now,
      );
    }
    return now;
  }

  create(slot: string, ask: GrantAsk, now: number): Grant {
    const last = this.#sql.exec<{ n: number | null }>("SELECT max(n) AS n FROM grants").one().n ?? 0;
    const grant = openNew(`${slot}-${last + 1}`, ask, now);
    this.#sql.exec("INSERT INTO grants (n, body, dirty) VALUES (?, ?, 1)", last + 1, JSON.stringify(grant));
    const { kind, params, reason, durationMs, approval } = grant;
    this.tell(grant, "grant.requested", "info", {
      kind,
      params,
      statedReason: reason,
      durationMs,
      needed: approval?.count ?? 0,
    });
    if (grant.emergency) {
      const { review } = grant.emergency;
      this.tell(
        grant,
        "grant.emergency",
        "alarm",
        { statedReason: reason ?? "", review },
        { reason: "EMERGENCY" },
      );
    }
    if (grant.status === "active") this.tell(grant, "grant.active", "info", { expires: grant.expires });
    return grant;
  }

  /** Counts an emergency within the last `windowMs`, unless `quota` of them were. */
  takeEmergency(quota: number, windowMs: number): { readonly ok: boolean; readonly used: number } {
    const now = this.now();
    this.#sql.exec("CREATE TABLE IF NOT EXISTS emergencies (at INTEGER NOT NULL) STRICT");
    this.#sql.exec("DELETE FROM emergencies WHERE at <= ?", now - windowMs);
    const used = this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM emergencies").one().n;
    if (used >= quota) return { ok: false, used };
    this.#sql.exec("INSERT INTO emergencies (at) VALUES (?)", now);
    return { ok: true, used: used + 1 };
  }

  /** All grants, settled: what has expired since is expired, and its sessions are to be ended. */
  all(now: number): Grant[] {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM grants ORDER BY n").toArray();
    return rows.map((row) => this.#settled(JSON.parse(row.body) as Grant, now));
  }

  find(id: string, now: number): Grant | null {
    const n = Number(id.slice(id.lastIndexOf("-") + 1));
    if (!Number.isSafeInteger(n)) return null;
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM grants WHERE n = ?", n).toArray()[0];
    const grant = row ? (JSON.parse(row.body) as Grant) : null;
    return grant?.id === id ? this.#settled(grant, now) : null;
  }

  #settled(grant: Grant, now: number): Grant {
    const next = settle(grant, now);
    if (next === grant) return grant;
    this.save(next);
    const message = next.ended?.message ?? "";
    this.tell(next, "grant.expired", "info", { message }, { reason: "GRANT_EXPIRED" });
    this.open.queueKills(next.id, "GRANT_EXPIRED", message);
    if (next.kind === "statement") this.#ctx.waitUntil(this.deliverVerdict(next));
    return next;
  }

  save(grant: Grant): void {
    const n = Number(grant.id.slice(grant.id.lastIndexOf("-") + 1));
    this.#sql.exec("UPDATE grants SET body = ?, dirty = 1 WHERE n = ?", JSON.stringify(grant), n);
  }

  #session(sid: string): SessionControl {
    return sessionStub(this.#env, sid) as unknown as SessionControl;
  }

  async end(grant: Grant, code: string, message: string, facts: EventFacts): Promise<void> {
    this.save(grant);
    const began = Date.now();
    const sessions = this.open.queueKills(grant.id, code, message);
    this.tell(grant, "grant.revoked", "warn", { message, sessions }, facts);
    const held = this.all(this.now()).filter((one) => one.parent === grant.id && one.status === "pending");
    for (const one of held) {
      const dropped = revoke(one, null, code, message, this.now());
      if (dropped.ok) this.save(dropped.grant);
    }
    // All are called before this turn ends; D1 hears of the grant meanwhile.
    const [{ failed, unconfirmed }] = await Promise.all([
      this.runKills(),
      this.publish(),
      this.deliverVerdict(grant),
    ]);
    if (sessions > 0) {
      const severity = failed + unconfirmed > 0 ? "alarm" : "info";
      const ms = Date.now() - began;
      this.tell(grant, "grant.sessions_ended", severity, { sessions, failed, unconfirmed, ms });
      this.#ctx.waitUntil(this.publish());
    }
  }

  async runKills(): ReturnType<OpenSessions["runKills"]> {
    const result = await this.open.runKills();
    if (result.failed > 0) await this.schedule();
    return result;
  }

  /** Tells a waiting session what became of its held statement. A session that is gone needs no answer. */
  async deliverVerdict(grant: Grant): Promise<void> {
    if (
      grant.kind !== "statement" ||
      grant.status === "pending" ||
      grant.status === "used" ||
      !grant.statement
    )
      return;
    const refusal = grant.status === "active" ? null : notOpen(grant);
    const verdict: HoldVerdict = refusal
      ? { effect: "deny", code: refusal.code, message: refusal.message }
      : {
          effect: "allow",
          digest: grant.statement.digest,
          by: grant.approvals.map((one) => one.name ?? one.subject),
        };
    await this.#session(grant.statement.session)
      .resolveHold(grant.id, verdict)
      .catch(() => undefined);
  }

  tell<Type extends NewEvent["type"]>(
    grant: Grant,
    type: Type,
    severity: NewEvent["severity"],
    data: Extract<NewEvent, { type: Type }>["data"],
    facts: EventFacts = {},
  ): void {
    const event = this.outbox.add({
      actor: actorOf(grant.requester, grant.actor),
      grant: grant.id,
      task: grant.task,
      taskDigest: grant.taskDigest,
      resource: grant.resource,
      ...(grant.statement ? { session: grant.statement.session } : {}),
      ...facts,
      type,
      severity,
      data,
    } as NewEvent);
    this.#notifications.add(event);
  }

  async #notify(): Promise<void> {
    const { tried, sent, givenUp } = await this.#notifications.send(Date.now());
    for (const { grant, ...data } of sent)
      this.outbox.add({ type: "notification.sent", severity: "info", grant, data });
    for (const { grant, ...data } of givenUp)
      this.outbox.add({ type: "notification.failed", severity: "warn", grant, data });
    if (tried > 0) await this.schedule();
  }

  /**
   * Brings D1 up to date; what fails is tried again by the alarm. Never throws. Two hundred sessions that end
   * together ask for it two hundred times: one that has not begun does it for all.
   */
  publish(): Promise<void> {
    this.#nextPublish ??= this.#lastPublish.then(() => {
      this.#nextPublish = null;
      const publishing = this.#publish();
      this.#lastPublish = publishing.catch(() => undefined);
      return publishing;
    });
    return this.#nextPublish;
  }

  async #publish(): Promise<void> {
    const dirty = this.#sql
      .exec<{ n: number; body: string }>("SELECT n, body FROM grants WHERE dirty = 1 LIMIT 50")
      .toArray();
    try {
      await writeGrants(
        this.#env.DB,
        dirty.map((row) => JSON.parse(row.body) as Grant),
      );
      for (const row of dirty)
        this.#sql.exec("UPDATE grants SET dirty = 0 WHERE n = ? AND body = ?", row.n, row.body);
    } catch {
      // Still marked dirty: the alarm comes back to it.
    }
    await this.outbox.flush();
    this.#ctx.waitUntil(this.#notify());
    await this.schedule();
  }

  /** Sets the alarm to the next thing that has to happen. */
  async schedule(): Promise<void> {
    const now = Date.now();
    const times: number[] = [];
    for (const row of this.#sql.exec<{ body: string }>("SELECT body FROM grants").toArray()) {
      const grant = JSON.parse(row.body) as Grant;
      if (grant.status === "pending" || grant.status === "active") times.push(grant.expires);
    }
    const has = (query: string): boolean => this.#sql.exec(query).toArray().length > 0;
    const due = this.#notifications.nextDue;
    if (due !== null) times.push(due);
    if (this.open.killsWait) times.push(now + KILL_RETRY_MS);
    if (!this.outbox.empty || has("SELECT 1 FROM grants WHERE dirty = 1 LIMIT 1"))
      times.push(now + PUBLISH_RETRY_MS);
    if (times.length > 0) await this.#ctx.storage.setAlarm(Math.max(Math.min(...times), now + 50));
  }
}

/** The actor of an event. */
export function actorOf(person: Person, via: { issuer: string; subject: string } | null): Actor {
  const { issuer, subject, name, groups } = person;
  return {
    issuer,
    subject,
    name,
    groups,
    ...(via ? { via: { issuer: via.issuer, subject: via.subject } } : {}),
  };
}
