/**
 * The serial owner of a person's grants for one task, parameters and reason. Each change is one synchronous
 * step over the object's own storage (state, audit events and sessions to end are written together), so two
 * approvers, or a revoke and a start, meet in an order and never halfway.
 */
import { DurableObject } from "cloudflare:workers";
import type { Actor, AuditEvent, EventFacts, NewEvent } from "../audit/events.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { standingOf } from "../identity/people.ts";
import { sessionStub } from "../sessions/names.ts";
import {
  approve,
  deny,
  endSession,
  type Grant,
  type GrantAsk,
  type GrantRefusal,
  type GrantResult,
  type HeldStatement,
  isApprover,
  mayRevoke,
  notOpen,
  openNew,
  type Person,
  refuse,
  remaining,
  revoke,
  type Spent,
  settle,
  startSession,
  useStatement,
} from "./grant.ts";
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

export type StartResult =
  | {
      readonly ok: true;
      readonly grant: {
        readonly id: string;
        /** The session ends then at the latest, ms since the epoch. */
        readonly expires: number;
        /** What this session may still use of the grant's budget; null = not limited by it. */
        readonly budget: { statements: number | null; rows: number | null; bytes: number | null };
      };
    }
  | GrantRefusal;

const KILL_RETRY_MS = 1_000;
const PUBLISH_RETRY_MS = 2_000;
const MAX_OPEN_REQUESTS = 20;

export class GrantObject extends DurableObject<GrantEnv> {
  readonly #sql: SqlStorage;
  readonly #outbox: AuditOutbox;
  readonly #open: OpenSessions;
  readonly #notifications: Notifications;
  #lastSeen: number;

  constructor(ctx: DurableObjectState, env: GrantEnv) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS grants (n INTEGER PRIMARY KEY, body TEXT NOT NULL, dirty INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), seen INTEGER NOT NULL) STRICT;
    `);
    this.#lastSeen = this.#sql.exec<{ seen: number }>("SELECT seen FROM clock").toArray()[0]?.seen ?? 0;
    this.#outbox = new AuditOutbox({ db: env.DB, sql: this.#sql, now: () => this.#now(), mode: "durable" });
    this.#open = new OpenSessions(this.#sql, (sid) => this.#session(sid));
    this.#notifications = new Notifications(this.#sql, env);
  }

  /** Time that never runs backwards for this object, whatever the machine's clock does. */
  #now(): number {
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

  // --- asking -------------------------------------------------------------------------------------------

  /**
   * The direct form: the active grant for `ask`, or a new one when nobody has to approve it. A grant with
   * less than half of its time left is not handed out again when a new one costs nothing.
   */
  async open(slot: string, ask: GrantAsk): Promise<GrantResult> {
    const now = this.#now();
    const grants = this.#all(now).filter((grant) => grant.kind !== "statement");
    const active = grants
      .filter((grant) => grant.status === "active")
      .sort((a, b) => b.expires - a.expires)[0];
    if (ask.approval) {
      if (active) return { ok: true, grant: active };
      const pending = grants.find((grant) => grant.status === "pending");
      if (pending) return notOpen(pending);
      return {
        ...refuse(403, "APPROVAL_REQUIRED", "the task needs the approval of a person"),
        hint: `Ask for it: \`wicket request ${ask.task}\`; members of ${ask.approval.groups.join(", ")} decide.`,
        rule: ask.refs.approval,
      };
    }
    if (active && active.expires - now >= active.durationMs / 2) return { ok: true, grant: active };
    const grant = this.#create(slot, ask, now);
    await this.#publish();
    return { ok: true, grant };
  }

  /**
   * Asks for a grant. The same request while one is pending is that one; anything else is a new one. With
   * `reuse`, an active grant of the same length serves too (a token exchange that is repeated).
   */
  async request(slot: string, ask: GrantAsk, reuse = false): Promise<GrantResult> {
    const now = this.#now();
    const grants = this.#all(now);
    const isSame = (grant: Grant): boolean =>
      grant.durationMs === ask.durationMs &&
      grant.description === ask.description &&
      grant.budget.sessions === ask.budget.sessions;
    const active = grants.filter((grant) => grant.status === "active" && grant.kind === "request");
    const again = reuse ? active.find(isSame) : undefined;
    if (again) return { ok: true, grant: again };
    const pending = grants.filter((grant) => grant.status === "pending" && grant.kind === "request");
    const same = pending.find(isSame);
    if (same) return { ok: true, grant: same };
    if (pending.length >= MAX_OPEN_REQUESTS) {
      return refuse(409, "LIMIT_REQUESTS", `${MAX_OPEN_REQUESTS} requests like this one are pending already`);
    }
    const grant = this.#create(slot, ask, now);
    await this.#publish();
    return { ok: true, grant };
  }

  /** Holds a statement of a running session for approval. */
  async hold(parentId: string, statement: HeldStatement): Promise<GrantResult> {
    const now = this.#now();
    const parent = this.#find(parentId, now);
    if (!parent) return unknown();
    if (parent.status !== "active") return notOpen(parent);
    if (!parent.approval) {
      return refuse(403, "APPROVAL_IMPOSSIBLE", "the task names nobody who could approve its statements");
    }
    const open = this.#open.list(parentId).some((one) => one.sid === statement.session);
    if (!open) return refuse(403, "GRANT_KIND", "the session does not run under this grant");
    const ask: GrantAsk = {
      ...parent,
      kind: "statement",
      parent: parentId,
      statement,
      budget: { sessions: null, statements: 1, rows: null, bytes: null },
    };
    const slot = parentId.slice(0, parentId.lastIndexOf("-"));
    const grant = this.#create(slot, frozen(ask), now);
    await this.#publish();
    return { ok: true, grant };
  }

  /** Spends the approval of a held statement, once. Only after `ok` may the statement go to the server. */
  async useHold(id: string, digest: string): Promise<GrantResult> {
    const lost = await this.#lostApproval(id);
    if (lost) return lost;
    const now = this.#now();
    const grant = this.#find(id, now);
    if (!grant) return unknown();
    const parent = grant.parent ? this.#find(grant.parent, now) : null;
    if (parent && parent.status !== "active") return notOpen(parent);
    const result = useStatement(grant, digest);
    if (!result.ok) return result;
    this.#save(result.grant);
    this.#tell(result.grant, "grant.used", "info", { message: "the approved statement ran" });
    this.ctx.waitUntil(this.#publish());
    return result;
  }

  /** A held statement is no longer waiting (its session ended, or the person cancelled it). */
  async dropHold(id: string, message: string): Promise<void> {
    const grant = this.#find(id, this.#now());
    if (grant?.kind !== "statement" || grant.status !== "pending") return;
    const result = revoke(grant, null, "HOLD_DROPPED", message, this.#now());
    if (!result.ok) return;
    this.#save(result.grant);
    this.#tell(result.grant, "grant.revoked", "info", { message, sessions: 0 });
    await this.#publish();
  }

  // --- deciding -----------------------------------------------------------------------------------------

  /** Approves or denies a request. `by.via` is set when something acts for the person: then it is refused. */
  async decide(
    id: string,
    by: { readonly person: Person; readonly via: { issuer: string; subject: string } | null },
    verdict: "approve" | "deny",
    comment: string | null,
  ): Promise<GrantResult> {
    const [standing] = await standingOf(this.env.DB, [by.person]);
    const now = this.#now();
    const grant = this.#find(id, now);
    if (!grant) return unknown();
    const facts = { actor: actorOf(by.person, by.via) };
    let result: GrantResult;
    if (standing?.disabled !== false) result = refuse(403, "IDENTITY_DISABLED", "this identity is disabled");
    else if (by.via)
      result = refuse(
        403,
        "AGENT_APPROVAL",
        "an approval is given by a person, not by an agent acting for one",
      );
    else if (verdict === "approve") result = approve(grant, by.person, comment, now);
    else result = deny(grant, by.person, comment ?? "", now);
    if (!result.ok) {
      this.#tell(
        grant,
        "grant.refused",
        "warn",
        { message: result.message },
        { ...facts, reason: result.code },
      );
      await this.#publish();
      return result;
    }
    const next = result.grant;
    this.#save(next);
    if (verdict === "deny")
      this.#tell(next, "grant.denied", "warn", { comment }, { ...facts, reason: "APPROVAL_DENIED" });
    else {
      const approvals = next.approvals.length;
      this.#tell(next, "grant.approved", "info", { approvals, needed: next.approval!.count, comment }, facts);
      if (next.status === "active") this.#tell(next, "grant.active", "info", { expires: next.expires });
    }
    await Promise.all([this.#publish(), this.#deliverVerdict(next)]);
    return result;
  }

  /** Ends a grant, withdraws a request, and kills the sessions that run under it. */
  async revoke(
    id: string,
    by: { readonly person: Person; readonly admin: boolean } | null,
    code: string,
    message: string,
  ): Promise<GrantResult> {
    const now = this.#now();
    const grant = this.#find(id, now);
    if (!grant) return unknown();
    const result = revoke(grant, by, code, message, now);
    if (!result.ok) return result;
    const actor = by ? { actor: actorOf(by.person, null) } : {};
    await this.#end(result.grant, code, message, { ...actor, reason: code });
    return result;
  }

  /** The grant as it stands; null when there is none. */
  async get(id: string): Promise<Grant | null> {
    const grant = this.#find(id, this.#now());
    return grant ?? null;
  }

  /** What `person` may do with the grant, for the API and the console. */
  async view(id: string, person: Person, admin: boolean): Promise<GrantView | null> {
    const grant = this.#find(id, this.#now());
    if (!grant) return null;
    const sessions = this.#open.list(id);
    return {
      grant,
      sessions: sessions.map((one) => one.sid),
      mayDecide: grant.status === "pending" && isApprover(grant, person),
      mayRevoke: (grant.status === "pending" || grant.status === "active") && mayRevoke(grant, person, admin),
    };
  }

  // --- sessions -----------------------------------------------------------------------------------------

  /**
   * A session is about to start under the grant: checks everything again and counts it. Must be answered `ok`
   * before the target is opened.
   */
  async sessionStarted(id: string, session: { sid: string; taskDigest: string }): Promise<StartResult> {
    const lost = await this.#lostApproval(id);
    if (lost) return lost;
    const first = this.#tryStart(id, session);
    if (first.ok || first.code !== "LIMIT_CONCURRENT") return first;
    // A session whose object was reset could not say that it ended: ask each before refusing.
    await this.#open.sweep(this.#now());
    return this.#tryStart(id, session);
  }

  #tryStart(id: string, session: { sid: string; taskDigest: string }): StartResult {
    const now = this.#now();
    const grant = this.#find(id, now);
    if (!grant) return unknown();
    const open = this.#open.list();
    const result = startSession(grant, { taskDigest: session.taskDigest, open: open.length });
    if (!result.ok) return result;
    this.#save(result.grant);
    this.#open.add({ sid: session.sid, grant: id, deadline: grant.expires });
    this.ctx.waitUntil(this.#publish());
    return { ok: true, grant: { id, expires: grant.expires, budget: remaining(result.grant) } };
  }

  /** A session ended, by itself or killed. Says nothing for a session that is not open. */
  async sessionEnded(id: string, sid: string, totals: Omit<Spent, "sessions">): Promise<void> {
    if (!this.#open.remove(sid)) return;
    const now = this.#now();
    const grant = this.#find(id, now);
    if (!grant) return;
    const open = this.#open.list(id).length;
    const next = endSession(grant, totals, open);
    this.#save(next);
    for (const held of this.#all(now)) {
      if (held.kind !== "statement" || held.status !== "pending" || held.statement?.session !== sid) continue;
      const dropped = revoke(held, null, "HOLD_DROPPED", "the session ended", now);
      if (dropped.ok) this.#save(dropped.grant);
    }
    if (next.status === "used" && grant.status !== "used") {
      this.#tell(next, "grant.used", "info", { message: "the budget is used up" });
    }
    await this.#publish();
  }

  /** Events of a Worker that could not reach D1 itself. */
  async keepEvents(events: readonly AuditEvent[]): Promise<void> {
    this.#outbox.adopt(events);
    await this.#schedule();
  }

  override async alarm(): Promise<void> {
    const now = this.#now();
    for (const grant of this.#all(now))
      if (grant.status === "expired")
        this.#open.queueKills(grant.id, "GRANT_EXPIRED", "the granted time is over");
    await this.#runKills();
    await this.#publish();
  }

  // --- inside -------------------------------------------------------------------------------------------

  #create(slot: string, ask: GrantAsk, now: number): Grant {
    const last = this.#sql.exec<{ n: number | null }>("SELECT max(n) AS n FROM grants").one().n ?? 0;
    const grant = openNew(`${slot}-${last + 1}`, ask, now);
    this.#sql.exec("INSERT INTO grants (n, body, dirty) VALUES (?, ?, 1)", last + 1, JSON.stringify(grant));
    const { kind, params, reason, durationMs, approval } = grant;
    this.#tell(grant, "grant.requested", "info", {
      kind,
      params,
      statedReason: reason,
      durationMs,
      needed: approval?.count ?? 0,
    });
    if (grant.status === "active") this.#tell(grant, "grant.active", "info", { expires: grant.expires });
    return grant;
  }

  /** All grants, settled: what has expired since is expired, and its sessions are to be ended. */
  #all(now: number): Grant[] {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM grants ORDER BY n").toArray();
    return rows.map((row) => this.#settled(JSON.parse(row.body) as Grant, now));
  }

  #find(id: string, now: number): Grant | null {
    const n = Number(id.slice(id.lastIndexOf("-") + 1));
    if (!Number.isSafeInteger(n)) return null;
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM grants WHERE n = ?", n).toArray()[0];
    const grant = row ? (JSON.parse(row.body) as Grant) : null;
    return grant?.id === id ? this.#settled(grant, now) : null;
  }

  #settled(grant: Grant, now: number): Grant {
    const next = settle(grant, now);
    if (next === grant) return grant;
    this.#save(next);
    const message = next.ended?.message ?? "";
    this.#tell(next, "grant.expired", "info", { message }, { reason: "GRANT_EXPIRED" });
    this.#open.queueKills(next.id, "GRANT_EXPIRED", message);
    if (next.kind === "statement") this.ctx.waitUntil(this.#deliverVerdict(next));
    return next;
  }

  #save(grant: Grant): void {
    const n = Number(grant.id.slice(grant.id.lastIndexOf("-") + 1));
    this.#sql.exec("UPDATE grants SET body = ?, dirty = 1 WHERE n = ?", JSON.stringify(grant), n);
  }

  #session(sid: string): SessionControl {
    return sessionStub(this.env, sid) as unknown as SessionControl;
  }

  async #end(grant: Grant, code: string, message: string, facts: EventFacts): Promise<void> {
    this.#save(grant);
    const began = Date.now();
    const sessions = this.#open.queueKills(grant.id, code, message);
    this.#tell(grant, "grant.revoked", "warn", { message, sessions }, facts);
    const held = this.#all(this.#now()).filter((one) => one.parent === grant.id && one.status === "pending");
    for (const one of held) {
      const dropped = revoke(one, null, code, message, this.#now());
      if (dropped.ok) this.#save(dropped.grant);
    }
    const failed = await this.#runKills();
    if (sessions > 0) {
      this.#tell(grant, "grant.sessions_ended", failed > 0 ? "alarm" : "info", {
        sessions,
        failed,
        ms: Date.now() - began,
      });
    }
    await Promise.all([this.#publish(), this.#deliverVerdict(grant)]);
  }

  async #runKills(): Promise<number> {
    const failed = await this.#open.runKills();
    if (failed > 0) await this.#schedule();
    return failed;
  }

  /** Tells a waiting session what became of its held statement. A session that is gone needs no answer. */
  async #deliverVerdict(grant: Grant): Promise<void> {
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

  /** Refuses when the approvals of a grant no longer count: approver disabled, or out of the group. */
  async #lostApproval(id: string): Promise<GrantRefusal | null> {
    const grant = this.#find(id, this.#now());
    if (!grant) return unknown();
    let standing: Awaited<ReturnType<typeof standingOf>>;
    try {
      standing = await standingOf(this.env.DB, [grant.requester, ...grant.approvals]);
    } catch {
      return refuse(503, "STATE_UNAVAILABLE", "who may still do this could not be looked up");
    }
    if (standing[0]!.disabled) return refuse(403, "IDENTITY_DISABLED", "this identity is disabled");
    if (!grant.approval || grant.status !== "active") return null;
    const groups = grant.approval.groups;
    const valid = standing
      .slice(1)
      .filter((one) => !one.disabled && groups.some((group) => one.groups.includes(group)));
    if (valid.length >= grant.approval.count) return null;
    return {
      ...refuse(403, "APPROVER_CHANGED", "who approved this may not approve it any more"),
      hint: "Ask again; another approver is needed.",
    };
  }

  #tell<Type extends NewEvent["type"]>(
    grant: Grant,
    type: Type,
    severity: NewEvent["severity"],
    data: Extract<NewEvent, { type: Type }>["data"],
    facts: EventFacts = {},
  ): void {
    const event = this.#outbox.add({
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
      this.#outbox.add({ type: "notification.sent", severity: "info", grant, data });
    for (const { grant, ...data } of givenUp)
      this.#outbox.add({ type: "notification.failed", severity: "warn", grant, data });
    if (tried > 0) await this.#schedule();
  }

  /** Brings D1 up to date; what fails is tried again by the alarm. Never throws. */
  async #publish(): Promise<void> {
    const dirty = this.#sql
      .exec<{ n: number; body: string }>("SELECT n, body FROM grants WHERE dirty = 1 LIMIT 50")
      .toArray();
    try {
      await writeGrants(
        this.env.DB,
        dirty.map((row) => JSON.parse(row.body) as Grant),
      );
      for (const row of dirty)
        this.#sql.exec("UPDATE grants SET dirty = 0 WHERE n = ? AND body = ?", row.n, row.body);
    } catch {
      // Still marked dirty: the alarm comes back to it.
    }
    await this.#outbox.flush();
    this.ctx.waitUntil(this.#notify());
    await this.#schedule();
  }

  /** Sets the alarm to the next thing that has to happen. */
  async #schedule(): Promise<void> {
    const now = Date.now();
    const times: number[] = [];
    for (const row of this.#sql.exec<{ body: string }>("SELECT body FROM grants").toArray()) {
      const grant = JSON.parse(row.body) as Grant;
      if (grant.status === "pending" || grant.status === "active") times.push(grant.expires);
    }
    const has = (query: string): boolean => this.#sql.exec(query).toArray().length > 0;
    const due = this.#notifications.nextDue;
    if (due !== null) times.push(due);
    if (this.#open.killsWait) times.push(now + KILL_RETRY_MS);
    if (!this.#outbox.empty || has("SELECT 1 FROM grants WHERE dirty = 1 LIMIT 1"))
      times.push(now + PUBLISH_RETRY_MS);
    if (times.length > 0) await this.ctx.storage.setAlarm(Math.max(Math.min(...times), now + 50));
  }
}

export interface GrantView {
  readonly grant: Grant;
  /** Ids of the sessions that run under it. */
  readonly sessions: readonly string[];
  readonly mayDecide: boolean;
  readonly mayRevoke: boolean;
}

function actorOf(person: Person, via: { issuer: string; subject: string } | null): Actor {
  const { issuer, subject, name, groups } = person;
  return {
    issuer,
    subject,
    name,
    groups,
    ...(via ? { via: { issuer: via.issuer, subject: via.subject } } : {}),
  };
}

/** The frozen fields only: what an approved grant gained since does not pass to its held statements. */
function frozen(ask: GrantAsk): GrantAsk {
  const { kind, requester, actor, task, taskDigest, refs, resource, params, reason, description } = ask;
  const { durationMs, approval, maxConcurrent, budget, parent, statement } = ask;
  return {
    ...{ kind, requester, actor, task, taskDigest, refs, resource, params, reason, description },
    ...{ durationMs, approval, maxConcurrent, budget, parent, statement },
  };
}

function unknown(): GrantRefusal {
  return refuse(404, "GRANT_UNKNOWN", "there is no such grant or request");
}
