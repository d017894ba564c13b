/** Whether a decided statement goes on, and which names it takes from the protocol's reach. */
import type { StatementDecision } from "./decision.ts";
import type { Parked } from "./gate-holds.ts";
import type { NameEntry } from "./gate-names.ts";
import { FIRST_NORMAL_OID } from "./gate-origins.ts";
import { type Refusal, refusal, refusalOf } from "./gate-refusal.ts";
import type { Portal, Prepared } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";

/** Prepared statements, portals and cursors that a session may keep, of each. */
export const MAX_NAMES = 2048;

/** Null when the statement may go on: to the server, or into a hold. */
export function refusalFor(
  session: GateSession,
  decision: StatementDecision,
  parked: Parked | null,
): Refusal | null {
  if (decision.effect === "deny" || decision.rewritten === null) return refusalOf(decision);
  const verdict = parked?.verdict;
  if (verdict?.effect === "deny") {
    const { code, message, hint, sqlstate } = verdict;
    return refusal(code, sqlstate ?? "42501", message, hint ?? null);
  }
  if (decision.effect === "hold" && !session.host.hold) {
    return refusal(
      "APPROVAL_REQUIRED",
      "42501",
      "this statement needs an approval, which is not possible here",
    );
  }
  // What was parked was counted when it was.
  return (
    session.mayRun(parked ? null : decision) ??
    rowsSpent(session, decision) ??
    uncountedRun(session, decision)
  );
}

/** What an approval or a limit of lookups stands before is asked for at Bind: each run of it must come that way. */
export function countedAtBind(decision: StatementDecision): boolean {
  return decision.effect === "hold" || decision.statements.some((statement) => statement.lookup);
}

/**
 * SQL's EXECUTE also runs what the protocol's Parse gave a name, past Bind. So there is none once such a statement has
 * a name; also not after it was closed, because what the server still has is not known for certain.
 */
export function uncountedRun(session: GateSession, decision: StatementDecision): Refusal | null {
  if (!session.uncountable || !decision.statements.some(({ kind }) => kind === "Execute")) return null;
  const message =
    "EXECUTE is not allowed after a statement was named that needs an approval or looks up a value";
  const hint = "Bind the statement by its name instead, or connect again.";
  return refusal("STATEMENT_NOT_ALLOWED", "42501", message, hint);
}

/** The refusal of a statement with rows when the task's rows are used up. */
export function rowsSpent(session: GateSession, decision: StatementDecision): Refusal | null {
  const limit = session.task.limits.rows;
  if (limit === null || session.stats.rows < limit) return null;
  if (!decision.statements.some((statement) => statement.returnsRows)) return null;
  return session.limit("LIMIT_ROWS", `${limit} rows`);
}

/**
 * A parameter has the type that Parse gives it, whatever the text says. A type of the database's own may have casts, or as
 * a domain checks, that run its functions: `$1::text` would.
 */
export function unfitTypes(session: GateSession, types: readonly number[]): Refusal | null {
  const wrong = types.find((type) => type >= FIRST_NORMAL_OID && !session.typeOids.has(type));
  if (wrong === undefined) return null;
  const message = `a parameter may not have the type with oid ${wrong}: its casts or checks may run a function`;
  return refusal(
    "TYPE_NOT_ALLOWED",
    "42501",
    message,
    "Leave the parameter's type open, or give a built-in one.",
  );
}

/** One entry or none, as a list. */
export function closed<Value>(entry: NameEntry<Value> | null): NameEntry<Value>[] {
  return entry ? [entry] : [];
}

/** PREPARE and DEALLOCATE share their names with Parse: what SQL changes, the gate no longer vouches for. */
export function sqlStatements(
  session: GateSession,
  decision: StatementDecision,
  cycle: number,
): NameEntry<Prepared>[] {
  const { statements } = session;
  const gone: NameEntry<Prepared>[] = [];
  for (const { kind, name } of decision.statements) {
    if (kind !== "Prepare" && kind !== "Deallocate" && !discardsAll(kind, name)) continue;
    if (typeof name === "string") gone.push(...closed(statements.close(name, cycle)));
    else gone.push(...statements.closeNamed(cycle));
  }
  return gone;
}

/** DECLARE and CLOSE share theirs with Bind: such a portal is read by FETCH, no more by Execute. */
export function sqlPortals(
  session: GateSession,
  decision: StatementDecision,
  cycle: number,
): NameEntry<Portal>[] {
  const { portals } = session;
  const gone: NameEntry<Portal>[] = [];
  for (const { kind, name } of decision.statements) {
    if (kind !== "DeclareCursor" && kind !== "ClosePortal" && !discardsAll(kind, name)) continue;
    if (typeof name === "string") gone.push(...closed(portals.close(name, cycle)));
    else gone.push(...portals.closeNamed(cycle));
  }
  return gone;
}

/**
 * Cursors that SQL declares or closes: the protocol may describe and close them, as libpq's PQdescribePortal does.
 * One that ends with its transaction stays in the list: the server says itself that it is gone.
 */
export function sqlCursors(
  session: GateSession,
  decision: StatementDecision,
  cycle: number,
): NameEntry<Prepared>[] {
  const { cursors } = session;
  const changed: NameEntry<Prepared>[] = [];
  for (const { kind, name } of decision.statements) {
    if (kind === "DeclareCursor" && typeof name === "string") {
      if (cursors.size < MAX_NAMES) changed.push(cursors.define(name, described(decision), cycle));
    } else if (kind === "ClosePortal" || kind === "Discard") {
      if (typeof name === "string") changed.push(...closed(cursors.close(name, cycle)));
      else changed.push(...cursors.closeNamed(cycle));
    }
  }
  return changed;
}

/** A cursor as something to describe. */
function described(decision: StatementDecision): Prepared {
  return {
    text: "",
    decision,
    verified: false,
    rows: false,
    describedIn: 0,
    kept: null,
    lost: false,
    types: [],
  };
}

/** DISCARD ALL; the others leave names alone. */
function discardsAll(kind: string, name: string | null | undefined): boolean {
  return kind === "Discard" && name !== "";
}
