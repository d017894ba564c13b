/**
 * The life of a grant, as a pure state machine: asked, (pending), active, then denied, expired, revoked or
 * used. What was asked for is frozen; only status, approvals and what was spent change. `GrantObject` is
 * the one owner that applies these transitions.
 */
export type GrantStatus = "pending" | "active" | "denied" | "expired" | "revoked" | "used";

/** Who asks or decides: the validated identity, without its claims. */
export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly groups: readonly string[];
  /** Lower case; only ever used to refuse (one person with two accounts), never to allow. */
  readonly email: string | null;
}

/** What may be spent under the grant in all; null = not limited. */
export interface Budget {
  readonly sessions: number | null;
  readonly statements: number | null;
  readonly rows: number | null;
  readonly bytes: number | null;
}

export interface Spent {
  readonly sessions: number;
  readonly statements: number;
  readonly rows: number;
  readonly bytes: number;
}

export interface Approval {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly comment: string | null;
}

/** What the task lets a statement reach of one relation. */
export interface Touch {
  readonly relation: string;
  /** `select`, `update`, … */
  readonly verb: string;
  readonly columns: readonly string[] | "*";
  /** The task's condition on rows, with `:param`; null = all rows. */
  readonly rows: string | null;
  readonly at: string;
}

/** One held statement, as its approver sees it. */
export interface HeldStatement {
  readonly session: string;
  /** Digest over text, parameters, task digest, grant and facts (`statement-digest.ts`). */
  readonly digest: string;
  /** The user's text, exactly. */
  readonly text: string;
  readonly rewritten: string | null;
  readonly params: readonly (string | null)[] | null;
  readonly relations: readonly string[];
  readonly masked: readonly string[];
  readonly rule: string | null;
  readonly touches: readonly Touch[];
  /** The plan, made by the connector without running anything; null when there is none. For who decides only. */
  readonly plan: string | null;
  /** How many rows it is expected to read or change. */
  readonly estimatedRows: number | null;
  /** Why there is no plan. */
  readonly noPlan: string | null;
}

/** Frozen at asking. */
export interface GrantAsk {
  readonly kind: "implicit" | "request" | "statement";
  readonly requester: Person;
  /** Who acts for the requester; may not approve either. */
  readonly actor: { readonly issuer: string; readonly subject: string } | null;
  readonly task: string;
  readonly taskDigest: string;
  /** Lines of the file that the refusals of this grant point to. */
  readonly refs: { readonly session: string; readonly approval: string };
  readonly resource: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  /** Free text for the approver and the record; it never widens anything. */
  readonly description: string | null;
  readonly durationMs: number;
  readonly approval: {
    readonly groups: readonly string[];
    readonly count: number;
    readonly expiresMs: number;
  } | null;
  /** Asked for in an emergency: active without approval, and looked at afterwards by these groups. */
  readonly emergency: { readonly review: readonly string[] } | null;
  readonly maxConcurrent: number | null;
  readonly budget: Budget;
  /** For `kind: "statement"`: the grant whose session waits, and the statement. */
  readonly parent: string | null;
  readonly statement: HeldStatement | null;
}

export interface Grant extends GrantAsk {
  readonly id: string;
  readonly status: GrantStatus;
  readonly asked: number;
  /** When it became active or was denied; null before. */
  readonly decided: number | null;
  /** End of the request while pending, of the grant afterwards. */
  readonly expires: number;
  readonly approvals: readonly Approval[];
  readonly ended: { readonly code: string; readonly message: string; readonly by: Approval | null } | null;
  readonly spent: Spent;
  /** Of an emergency: who looked at it afterwards, and what they found; null before. */
  readonly review: Approval | null;
  /** Grows with each change, so that an older copy never replaces a newer one. */
  readonly revision: number;
}

export interface GrantRefusal {
  readonly ok: false;
  readonly status: 400 | 403 | 404 | 409 | 503;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly rule?: string;
  /** The request that waits for approval, when there is one. */
  readonly request?: string;
}

export type GrantResult = { readonly ok: true; readonly grant: Grant } | GrantRefusal;

/** Longest life of a grant that was not approved through a task's own limit. */
const STATEMENT_USE_MS = 5 * 60_000;

/** A new grant: active at once when nobody has to approve, pending otherwise. */
export function openNew(id: string, ask: GrantAsk, now: number): Grant {
  const waits = ask.approval !== null && ask.emergency === null;
  return {
    ...ask,
    id,
    status: waits ? "pending" : "active",
    asked: now,
    decided: waits ? null : now,
    expires: now + (waits ? ask.approval!.expiresMs : ask.durationMs),
    approvals: [],
    ended: null,
    spent: { sessions: 0, statements: 0, rows: 0, bytes: 0 },
    review: null,
    revision: 1,
  };
}

/** The grant as it stands at `now`: expired when its time is over. Returns the same object when unchanged. */
export function settle(grant: Grant, now: number): Grant {
  if ((grant.status !== "pending" && grant.status !== "active") || now < grant.expires) return grant;
  const message = grant.status === "pending" ? "nobody decided in time" : "the granted time is over";
  return change(grant, { status: "expired", ended: { code: "GRANT_EXPIRED", message, by: null } });
}

/** One approval by `person`. Needs `settle` first. */
export function approve(grant: Grant, person: Person, comment: string | null, now: number): GrantResult {
  const refused = mayDecide(grant, person);
  if (refused) return refused;
  if (grant.approvals.some((one) => samePerson(one, person))) {
    return refuse(409, "ALREADY_APPROVED", "you have approved this already; another person is needed");
  }
  const approvals = [...grant.approvals, approvalOf(person, comment, now)];
  if (approvals.length < grant.approval!.count) return { ok: true, grant: change(grant, { approvals }) };
  const duration = grant.kind === "statement" ? STATEMENT_USE_MS : grant.durationMs;
  return {
    ok: true,
    grant: change(grant, { approvals, status: "active", decided: now, expires: now + duration }),
  };
}

/** One denial ends the request. A reason must be given. */
export function deny(grant: Grant, person: Person, comment: string, now: number): GrantResult {
  const refused = mayDecide(grant, person);
  if (refused) return refused;
  if (comment.trim() === "") return refuse(400, "COMMENT_REQUIRED", "a denial needs a reason");
  const ended = { code: "APPROVAL_DENIED", message: comment, by: approvalOf(person, comment, now) };
  return { ok: true, grant: change(grant, { status: "denied", decided: now, ended }) };
}

/** A reviewer has looked at an emergency. What was found must be said. Changes nothing else of the grant. */
export function review(grant: Grant, person: Person, comment: string, now: number): GrantResult {
  if (!grant.emergency)
    return refuse(409, "NOT_AN_EMERGENCY", "this was approved; there is nothing to review");
  if (grant.review) return refuse(409, "ALREADY_REVIEWED", "this has been reviewed already");
  if (isAsker(grant, person))
    return refuse(403, "SELF_APPROVAL", "who declared the emergency cannot review it");
  if (!isReviewer(grant, person)) {
    const groups = grant.emergency.review.join(", ");
    return refuse(403, "NOT_A_REVIEWER", `only members of ${groups} may review this`);
  }
  if (comment.trim() === "") return refuse(400, "COMMENT_REQUIRED", "a review says what was found");
  return { ok: true, grant: change(grant, { review: approvalOf(person, comment, now) }) };
}

/** True when `person` is in a group that reviews this emergency (and is not who declared it). */
export function isReviewer(grant: Grant, person: Person): boolean {
  if (!grant.emergency || isAsker(grant, person)) return false;
  return grant.emergency.review.some((group) => person.groups.includes(group));
}

/** Ends a grant or withdraws a request. `by` null = the system itself (policy change, disablement). */
export function revoke(
  grant: Grant,
  by: { readonly person: Person; readonly admin: boolean } | null,
  code: string,
  message: string,
  now: number,
): GrantResult {
  if (grant.status !== "pending" && grant.status !== "active") return notOpen(grant);
  if (by && !mayRevoke(grant, by.person, by.admin)) {
    return refuse(403, "NOT_ENTITLED", "only the requester, an approver or an administrator may revoke this");
  }
  const ended = { code, message, by: by ? approvalOf(by.person, message, now) : null };
  return { ok: true, grant: change(grant, { status: "revoked", ended }) };
}

/** True when `person` may end the grant. */
export function mayRevoke(grant: Grant, person: Person, admin: boolean): boolean {
  return (
    admin || samePerson(grant.requester, person) || isApprover(grant, person) || isReviewer(grant, person)
  );
}

/** True when `person` is in a group that may decide on the grant (and is not who asks). */
export function isApprover(
  grant: Pick<GrantAsk, "approval" | "requester" | "actor">,
  person: Person,
): boolean {
  if (!grant.approval || isAsker(grant, person)) return false;
  return grant.approval.groups.some((group) => person.groups.includes(group));
}

/** Checks at the start of a session, and counts it. `open` = sessions of the same ask that run now. */
export function startSession(
  grant: Grant,
  current: { readonly taskDigest: string; readonly open: number },
): GrantResult {
  if (grant.status !== "active") return notOpen(grant);
  if (grant.kind === "statement")
    return refuse(403, "GRANT_KIND", "this approval is for one statement, not a session");
  if (grant.taskDigest !== current.taskDigest) {
    return {
      ...refuse(403, "GRANT_TASK_CHANGED", "the task's policy has changed since this was granted"),
      hint: "Ask again: the new request is for the task as it is now.",
      rule: grant.refs.approval,
    };
  }
  if (grant.maxConcurrent !== null && current.open >= grant.maxConcurrent) {
    return {
      ...refuse(409, "LIMIT_CONCURRENT", `the task allows ${grant.maxConcurrent} sessions at the same time`),
      hint: "End one of them, or `wicket sessions kill ID`.",
      rule: grant.refs.session,
    };
  }
  if (isSpent(grant)) return refuse(403, "GRANT_USED", "the grant's budget is used up");
  return {
    ok: true,
    grant: change(grant, { spent: { ...grant.spent, sessions: grant.spent.sessions + 1 } }),
  };
}

/** Adds what a session used. The grant is used up when its budget is, or when its last session ended. */
export function endSession(grant: Grant, totals: Omit<Spent, "sessions">, open: number): Grant {
  const spent: Spent = {
    sessions: grant.spent.sessions,
    statements: grant.spent.statements + totals.statements,
    rows: grant.spent.rows + totals.rows,
    bytes: grant.spent.bytes + totals.bytes,
  };
  const next = change(grant, { spent });
  if (grant.status !== "active" || open > 0 || !isSpent(next)) return next;
  return {
    ...next,
    status: "used",
    ended: { code: "GRANT_USED", message: "the budget is used up", by: null },
  };
}

/** What a session may still use; each figure is at least 0. */
export function remaining(grant: Grant): Omit<Budget, "sessions"> {
  const rest = (budget: number | null, spent: number): number | null =>
    budget === null ? null : Math.max(0, budget - spent);
  return {
    statements: rest(grant.budget.statements, grant.spent.statements),
    rows: rest(grant.budget.rows, grant.spent.rows),
    bytes: rest(grant.budget.bytes, grant.spent.bytes),
  };
}

/** Spends a statement's approval: once, for exactly the approved digest. */
export function useStatement(grant: Grant, digest: string): GrantResult {
  if (grant.kind !== "statement" || !grant.statement)
    return refuse(403, "GRANT_KIND", "not a statement's approval");
  if (grant.status !== "active") return notOpen(grant);
  if (grant.statement.digest !== digest) {
    return refuse(403, "APPROVAL_MISMATCH", "what would run is not what was approved");
  }
  const ended = { code: "GRANT_USED", message: "the approved statement ran", by: null };
  return { ok: true, grant: change(grant, { status: "used", ended }) };
}

/** The refusal for a grant that is not open (any more). */
export function notOpen(grant: Grant): GrantRefusal {
  switch (grant.status) {
    case "pending":
      return {
        ...refuse(403, "APPROVAL_PENDING", "the request waits for approval"),
        hint: `Request ${grant.id}: \`wicket requests\` shows it.`,
        request: grant.id,
      };
    case "denied":
      return refuse(403, "APPROVAL_DENIED", `the request was denied: ${grant.ended?.message ?? ""}`);
    case "expired":
      return refuse(403, "GRANT_EXPIRED", grant.ended?.message ?? "the grant has expired");
    case "revoked":
      return refuse(403, "GRANT_REVOKED", `the grant was revoked: ${grant.ended?.message ?? ""}`);
    case "used":
      return refuse(403, "GRANT_USED", "the grant is used up");
    case "active":
      return refuse(409, "NOT_PENDING", "the request is decided already");
  }
}

function mayDecide(grant: Grant, person: Person): GrantRefusal | null {
  if (grant.status !== "pending") return notOpen(grant);
  if (isAsker(grant, person)) {
    return refuse(403, "SELF_APPROVAL", "who asks cannot decide, by no account and on no path");
  }
  if (!isApprover(grant, person)) {
    const groups = grant.approval?.groups.join(", ") ?? "";
    return refuse(403, "NOT_AN_APPROVER", `only members of ${groups} may decide this`);
  }
  return null;
}

function isAsker(grant: Pick<GrantAsk, "requester" | "actor">, person: Person): boolean {
  if (samePerson(grant.requester, person)) return true;
  if (grant.actor && samePerson(grant.actor, person)) return true;
  return person.email !== null && person.email === grant.requester.email;
}

function isSpent(grant: Grant): boolean {
  const { budget, spent } = grant;
  return (["sessions", "statements", "rows", "bytes"] as const).some((key) => {
    const limit = budget[key];
    return limit !== null && spent[key] >= limit;
  });
}

function samePerson(a: { issuer: string; subject: string }, b: { issuer: string; subject: string }): boolean {
  return a.issuer === b.issuer && a.subject === b.subject;
}

function approvalOf(person: Person, comment: string | null, at: number): Approval {
  return { issuer: person.issuer, subject: person.subject, name: person.name, at, comment };
}

function change(grant: Grant, changes: Partial<Grant>): Grant {
  return { ...grant, ...changes, revision: grant.revision + 1 };
}

export function refuse(status: GrantRefusal["status"], code: string, message: string): GrantRefusal {
  return { ok: false, status, code, message, hint: "" };
}
