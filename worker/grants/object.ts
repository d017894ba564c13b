/**
 * The serial owner of a person's grants for one task, parameters and reason. Each change is one synchronous
 * step over the object's own storage (state, audit events and sessions to end are written together), so two
 * approvers, or a revoke and a start, meet in an order and never halfway.
 */
import { DurableObject } from "cloudflare:workers";
import type { AuditEvent } from "../audit/events.ts";
import { standingOf } from "../identity/people.ts";
import { actorOf, GrantBook, type GrantEnv } from "./book.ts";
import {
  type Approval,
  approve,
  deny,
  endSession,
  type Grant,
  type GrantAsk,
  type GrantRefusal,
  type GrantResult,
  type HeldStatement,
  isApprover,
  isReviewer,
  mayRevoke,
  notOpen,
  type Person,
  refuse,
  remaining,
  review,
  revoke,
  type Spent,
  startSession,
  useStatement,
} from "./grant.ts";

export type { GrantEnv, HoldVerdict } from "./book.ts";

export type StartResult =
  | {
      readonly ok: true;
      readonly grant: {
        readonly id: string;
        /** The session ends then at the latest, ms since the epoch. */
        readonly expires: number;
        /** What this session may still use of the grant's budget; null = not limited by it. */
        readonly budget: { statements: number | null; rows: number | null; bytes: number | null };
        /** Who approved it. */
        readonly approvals: readonly Approval[];
      };
    }
  | GrantRefusal;

const MAX_OPEN_REQUESTS = 20;

export class GrantObject extends DurableObject<GrantEnv> {
  readonly #book: GrantBook;
  /** What the sessions that run have used, as far as they told; told again after a reset. */
  readonly #running = new Map<string, Omit<Spent, "sessions">>();

  constructor(ctx: DurableObjectState, env: GrantEnv) {
    super(ctx, env);
    this.#book = new GrantBook(ctx, () => this.env);
  }

  // --- asking -------------------------------------------------------------------------------------------

  /**
   * The direct form: the active grant for `ask`, or a new one when nobody has to approve it. A grant with
   * less than half of its time left is not handed out again when a new one costs nothing.
   */
  async open(slot: string, ask: GrantAsk): Promise<GrantResult> {
    const now = this.#book.now();
    const grants = this.#book.all(now).filter((grant) => grant.kind !== "statement");
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
    const grant = this.#book.create(slot, ask, now);
    await this.#book.publish();
    return { ok: true, grant };
  }

  /**
   * Asks for a grant. The same request while one is pending is that one; anything else is a new one. With
   * `reuse`, an active grant of the same length serves too (a token exchange that is repeated).
   */
  async request(slot: string, ask: GrantAsk, reuse = false): Promise<GrantResult> {
    const now = this.#book.now();
    const grants = this.#book.all(now);
    const isSame = (grant: Grant): boolean =>
      (grant.emergency === null) === (ask.emergency === null) &&
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
    const grant = this.#book.create(slot, ask, now);
    await this.#book.publish();
    return { ok: true, grant };
  }

  /** Holds a statement of a running session for approval. */
  async hold(parentId: string, statement: HeldStatement): Promise<GrantResult> {
    const now = this.#book.now();
    const parent = this.#book.find(parentId, now);
    if (!parent) return unknown();
    if (parent.status !== "active") return notOpen(parent);
    if (!parent.approval) {
      return refuse(403, "APPROVAL_IMPOSSIBLE", "the task names nobody who could approve its statements");
    }
    const open = this.#book.open.list(parentId).some((one) => one.sid === statement.session);
    if (!open) return refuse(403, "GRANT_KIND", "the session does not run under this grant");
    const ask: GrantAsk = {
      ...parent,
      kind: "statement",
      emergency: null,
      parent: parentId,
      statement,
      budget: { sessions: null, statements: 1, rows: null, bytes: null },
    };
    const slot = parentId.slice(0, parentId.lastIndexOf("-"));
    const grant = this.#book.create(slot, frozen(ask), now);
    await this.#book.publish();
    return { ok: true, grant };
  }

  /** Spends the approval of a held statement, once. Only after `ok` may the statement go to the server. */
  async useHold(id: string, digest: string): Promise<GrantResult> {
    const lost = await this.#lostApproval(id);
    if (lost) return lost;
    const now = this.#book.now();
    const grant = this.#book.find(id, now);
    if (!grant) return unknown();
    const parent = grant.parent ? this.#book.find(grant.parent, now) : null;
    if (parent && parent.status !== "active") return notOpen(parent);
    const result = useStatement(grant, digest);
    if (!result.ok) return result;
    this.#book.save(result.grant);
    this.#book.tell(result.grant, "grant.used", "info", { message: "the approved statement ran" });
    this.ctx.waitUntil(this.#book.publish());
    return result;
  }

  /** A held statement is no longer waiting (its session ended, or the person cancelled it). */
  async dropHold(id: string, message: string): Promise<void> {
    const grant = this.#book.find(id, this.#book.now());
    if (grant?.kind !== "statement" || grant.status !== "pending") return;
    const result = revoke(grant, null, "HOLD_DROPPED", message, this.#book.now());
    if (!result.ok) return;
    this.#book.save(result.grant);
    this.#book.tell(result.grant, "grant.revoked", "info", { message, sessions: 0 });
    await this.#book.publish();
  }

  // --- deciding -----------------------------------------------------------------------------------------

  /** Approves or denies a request. `by.via` is set when something acts for the person: then it is refused. */
  async decide(
    id: string,
    by: { readonly person: Person; readonly via: { issuer: string; subject: string } | null },
    verdict: "approve" | "deny" | "review",
    comment: string | null,
  ): Promise<GrantResult> {
    const [standing] = await standingOf(this.env.DB, [by.person]);
    const now = this.#book.now();
    const grant = this.#book.find(id, now);
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
    else if (verdict === "review") result = review(grant, by.person, comment ?? "", now);
    else result = deny(grant, by.person, comment ?? "", now);
    if (!result.ok) {
      this.#book.tell(
        grant,
        "grant.refused",
        "warn",
        { message: result.message },
        { ...facts, reason: result.code },
      );
      await this.#book.publish();
      return result;
    }
    const next = result.grant;
    this.#book.save(next);
    if (verdict === "review")
      this.#book.tell(next, "grant.reviewed", "info", { comment: comment ?? "" }, facts);
    else if (verdict === "deny")
      this.#book.tell(next, "grant.denied", "warn", { comment }, { ...facts, reason: "APPROVAL_DENIED" });
    else {
      const approvals = next.approvals.length;
      this.#book.tell(
        next,
        "grant.approved",
        "info",
        { approvals, needed: next.approval!.count, comment },
        facts,
      );
      if (next.status === "active") this.#book.tell(next, "grant.active", "info", { expires: next.expires });
    }
    await Promise.all([this.#book.publish(), this.#book.deliverVerdict(next)]);
    return result;
  }

  /** Ends a grant, withdraws a request, and kills the sessions that run under it. */
  async revoke(
    id: string,
    by: { readonly person: Person; readonly admin: boolean } | null,
    code: string,
    message: string,
  ): Promise<GrantResult> {
    const now = this.#book.now();
    const grant = this.#book.find(id, now);
    if (!grant) return unknown();
    const result = revoke(grant, by, code, message, now);
    if (!result.ok) return result;
    const actor = by ? { actor: actorOf(by.person, null) } : {};
    await this.#book.end(result.grant, code, message, { ...actor, reason: code });
    return result;
  }

  /** The grant as it stands; null when there is none. */
  async get(id: string): Promise<Grant | null> {
    const grant = this.#book.find(id, this.#book.now());
    return grant ?? null;
  }

  /** What `person` may do with the grant, for the API and the console. */
  async view(id: string, person: Person, admin: boolean): Promise<GrantView | null> {
    const grant = this.#book.find(id, this.#book.now());
    if (!grant) return null;
    const sessions = this.#book.open.list(id);
    return {
      grant,
      sessions: sessions.map((one) => one.sid),
      mayReview: grant.emergency !== null && grant.review === null && isReviewer(grant, person),
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
    await this.#book.open.sweep(this.#book.now());
    return this.#tryStart(id, session);
  }

  #tryStart(id: string, session: { sid: string; taskDigest: string }): StartResult {
    const now = this.#book.now();
    const grant = this.#book.find(id, now);
    if (!grant) return unknown();
    const open = this.#book.open.list();
    const result = startSession(grant, { taskDigest: session.taskDigest, open: open.length });
    if (!result.ok) return result;
    const running = new Set(this.#book.open.list(id).map((one) => one.sid));
    const told = [...this.#running].filter(([sid]) => running.has(sid)).map(([, used]) => used);
    const { budget } = withSpent(result.grant, told);
    if (Object.values(budget).some((left) => left === 0))
      return refuse(403, "GRANT_USED", "the grant's budget is used up");
    this.#book.save(result.grant);
    this.#book.open.add({ sid: session.sid, grant: id, deadline: grant.expires });
    this.ctx.waitUntil(this.#book.publish());
    return { ok: true, grant: { id, expires: grant.expires, budget, approvals: grant.approvals } };
  }

  /** What a session has used so far. True when the budget of the grant is used up by all its sessions together. */
  sessionSpent(id: string, sid: string, used: Omit<Spent, "sessions">): boolean {
    const grant = this.#book.find(id, this.#book.now());
    if (grant?.status !== "active") return false;
    const running = new Set(this.#book.open.list(id).map((one) => one.sid));
    if (!running.has(sid)) return false;
    this.#running.set(sid, used);
    for (const known of this.#running.keys()) if (!running.has(known)) this.#running.delete(known);
    const { budget } = withSpent(grant, [...this.#running.values()]);
    const over = Object.values(budget).some((left) => left === 0);
    if (over) {
      // The others may be idle, and would not ask again.
      this.#book.open.queueKills(id, "GRANT_USED", "the budget of the grant is used up");
      this.ctx.waitUntil(this.#book.runKills());
    }
    return over;
  }

  /** A session ended, by itself or killed. Says nothing for a session that is not open. */
  async sessionEnded(id: string, sid: string, totals: Omit<Spent, "sessions">): Promise<void> {
    if (!this.#book.open.remove(sid)) return;
    const now = this.#book.now();
    const grant = this.#book.find(id, now);
    if (!grant) return;
    const open = this.#book.open.list(id).length;
    this.#running.delete(sid);
    const next = endSession(grant, totals, open);
    this.#book.save(next);
    for (const held of this.#book.all(now)) {
      if (held.kind !== "statement" || held.status !== "pending" || held.statement?.session !== sid) continue;
      const dropped = revoke(held, null, "HOLD_DROPPED", "the session ended", now);
      if (dropped.ok) this.#book.save(dropped.grant);
    }
    if (next.status === "used" && grant.status !== "used") {
      this.#book.tell(next, "grant.used", "info", { message: "the budget is used up" });
    }
    await this.#book.publish();
  }

  /** Of the object that counts a person's emergencies: takes one, or says no. Times in ms. */
  takeEmergency(quota: number, windowMs: number): { readonly ok: boolean; readonly used: number } {
    return this.#book.takeEmergency(quota, windowMs);
  }

  /** Events of a Worker that could not reach D1 itself. */
  async keepEvents(events: readonly AuditEvent[]): Promise<void> {
    this.#book.outbox.adopt(events);
    await this.#book.schedule();
  }

  override async alarm(): Promise<void> {
    const now = this.#book.now();
    for (const grant of this.#book.all(now))
      if (grant.status === "expired")
        this.#book.open.queueKills(grant.id, "GRANT_EXPIRED", "the granted time is over");
    await this.#book.runKills();
    await this.#book.publish();
  }

  // --- inside -------------------------------------------------------------------------------------------

  /** Refuses when the approvals of a grant no longer count: approver disabled, or out of the group. */
  async #lostApproval(id: string): Promise<GrantRefusal | null> {
    const grant = this.#book.find(id, this.#book.now());
    if (!grant) return unknown();
    let standing: Awaited<ReturnType<typeof standingOf>>;
    try {
      standing = await standingOf(this.env.DB, [grant.requester, ...grant.approvals]);
    } catch {
      return refuse(503, "STATE_UNAVAILABLE", "who may still do this could not be looked up");
    }
    if (standing[0]!.disabled) return refuse(403, "IDENTITY_DISABLED", "this identity is disabled");
    if (!grant.approval || grant.emergency || grant.status !== "active") return null;
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
}

export interface GrantView {
  readonly grant: Grant;
  /** Ids of the sessions that run under it. */
  readonly sessions: readonly string[];
  readonly mayDecide: boolean;
  readonly mayReview: boolean;
  readonly mayRevoke: boolean;
}

/** The frozen fields only: what an approved grant gained since does not pass to its held statements. */
function frozen(ask: GrantAsk): GrantAsk {
  const { kind, requester, actor, task, taskDigest, refs, resource, params, reason, description } = ask;
  const { durationMs, approval, emergency, maxConcurrent, budget, parent, statement } = ask;
  return {
    ...{ kind, requester, actor, task, taskDigest, refs, resource, params, reason, description },
    ...{ durationMs, approval, emergency, maxConcurrent, budget, parent, statement },
  };
}

/** What is left of the budget when what runs is counted too. */
function withSpent(
  grant: Grant,
  running: readonly Omit<Spent, "sessions">[],
): { readonly budget: ReturnType<typeof remaining> } {
  const sum = (key: "statements" | "rows" | "bytes"): number =>
    running.reduce((all, one) => all + one[key], grant.spent[key]);
  const spent = { ...grant.spent, statements: sum("statements"), rows: sum("rows"), bytes: sum("bytes") };
  return { budget: remaining({ ...grant, spent }) };
}

function unknown(): GrantRefusal {
  return refuse(404, "GRANT_UNKNOWN", "there is no such grant or request");
}
