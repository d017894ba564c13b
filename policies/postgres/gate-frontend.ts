/** The client's half of the gate: every message decided, and sent on, replaced, held or dropped, in order. */
import { concat } from "../../wire/postgres/cursor.ts";
import {
  bareMessage,
  closeMessage,
  decodeBind,
  decodeExecute,
  decodeParse,
  decodeQuery,
  decodeTarget,
  describeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import {
  type MessageSink,
  type MessageStream,
  Oversize,
  treatments,
  Verdict,
  type Violation,
} from "../../wire/postgres/stream.ts";
import type { StatementDecision } from "./decision.ts";
import type { NameEntry } from "./gate-names.ts";
import { recordParams } from "./gate-params.ts";
import {
  malformed,
  mustFailExtended,
  mustFailQuery,
  mustFailUnnamedParse,
  type Refusal,
  refusal,
  refusalOf,
  UNUSED_NAME,
} from "./gate-refusal.ts";
import { owe, type Portal, type Prepared, type ReplyKind, type Run } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";
import type { GateHold, HoldVerdict, RecordedParam } from "./gate-types.ts";

/** Replies that may be owed at once; more wait in the client's buffer. */
const maxOwed = 8192;
/** Prepared statements and portals that a session may keep. */
const maxNames = 2048;
/** Characters of all prepared statements' texts. */
const maxPreparedText = 8 * 1024 * 1024;
/** Bytes of an over-size message that are recorded. */
const keptOfOversize = 1024;

/** Treatment of a client's messages after its start-up. */
export const frontendTypes: Uint8Array = treatments(
  [
    Frontend.Query,
    Frontend.Parse,
    Frontend.Bind,
    Frontend.Describe,
    Frontend.Execute,
    Frontend.Close,
    Frontend.Flush,
    Frontend.Sync,
    Frontend.Terminate,
    Frontend.FunctionCall,
    Frontend.CopyDone,
    Frontend.CopyFail,
  ],
  [Frontend.CopyData],
);

/** A statement that waits for its approval. */
interface Parked {
  readonly id: number;
  readonly run: Run;
  readonly decision: StatementDecision;
  verdict: HoldVerdict | null;
}

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export class FrontendHalf implements MessageSink {
  readonly #session: GateSession;
  readonly #notice: (message: string, hint?: string) => void;
  /** Query messages of rewritten texts; decisions are the decider's cached objects. */
  readonly #rewritten = new WeakMap<StatementDecision, Uint8Array>();
  /** Set once by the gate. */
  stream!: MessageStream;
  #parked: Parked | null = null;
  #holds = 0;
  /** While waiting: the cycle that must be settled first, or 0. */
  #waitsFor = 0;

  constructor(session: GateSession, notice: (message: string, hint?: string) => void) {
    this.#session = session;
    this.#notice = notice;
  }

  emit(bytes: Uint8Array): void {
    this.#session.toServer(bytes);
  }

  /** Whether what the waiting message waits for has come. */
  get mayResume(): boolean {
    if (this.#parked && !this.#parked.verdict) return false;
    const { replies, settled } = this.#session;
    return !this.#copyPending && replies.length < maxOwed / 2 && this.#waitsFor <= settled;
  }

  get #copyPending(): boolean {
    return this.#session.copyIn !== null && !this.#session.copyMode;
  }

  /** The verdict for a parked statement; false when it no longer waits. */
  resolve(id: number, verdict: HoldVerdict): boolean {
    const parked = this.#parked;
    if (!parked || parked.id !== id || parked.verdict) return false;
    parked.verdict = verdict;
    const at = this.#session.clock();
    this.#session.record({ t: "held", n: parked.run.n, verdict: verdict.effect, at });
    return true;
  }

  /** The server discards what is parked: an earlier message of its cycle failed. */
  skipParked(): void {
    if (!this.#parked) return;
    this.resolve(this.#parked.id, {
      effect: "deny",
      code: "SKIPPED",
      message: "an earlier statement failed",
    });
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    if (this.#copyPending || session.replies.length >= maxOwed) return Verdict.Wait;
    this.#waitsFor = 0;
    if (type === Frontend.Terminate) return this.#terminate();
    if (session.copyMode) return this.#inCopy(type);
    if (type === Frontend.CopyDone || type === Frontend.CopyFail) return this.#strayCopy(type);
    session.copyDraining = false;
    if (session.skipping) {
      if (type !== Frontend.Sync) return this.#discard();
      session.skipping = false;
    }
    switch (type) {
      case Frontend.Query:
        return this.#query(bytes, start, end);
      case Frontend.Parse:
        return this.#parse(bytes, start, end);
      case Frontend.Bind:
        return this.#bind(bytes, start, end);
      case Frontend.Describe:
        return this.#describe(bytes, start, end);
      case Frontend.Execute:
        return this.#execute(bytes, start, end);
      case Frontend.Close:
        return this.#close(bytes, start, end);
      case Frontend.Sync:
        if (end !== start) return this.#fatal("MESSAGE_MALFORMED", "invalid message format");
        session.replies.push(owe("sync", session.cycle));
        session.cycle += 1;
        return Verdict.Pass;
      case Frontend.Flush:
        return end === start ? Verdict.Pass : this.#fatal("MESSAGE_MALFORMED", "invalid message format");
      default:
        return this.#functionCall();
    }
  }

  /** CopyData. */
  streamed(type: number): Verdict {
    const session = this.#session;
    if (this.#copyPending) return Verdict.Wait;
    if (session.copyMode) return Verdict.Pass;
    if (session.copyDraining || session.skipping) return Verdict.Drop;
    return this.#strayCopy(type);
  }

  oversize(type: number): number {
    const session = this.#session;
    if (this.#copyPending || session.replies.length >= maxOwed) return Oversize.Wait;
    const replaceable =
      type === Frontend.Query ||
      type === Frontend.Parse ||
      type === Frontend.Bind ||
      type === Frontend.FunctionCall;
    return replaceable && !session.copyMode ? keptOfOversize : Oversize.Refuse;
  }

  truncated(type: number, bytes: Uint8Array, size: number): Verdict {
    const session = this.#session;
    if (session.skipping) return Verdict.Drop;
    if (type === Frontend.FunctionCall) return this.#functionCall();
    const why = refusal(
      "MESSAGE_TOO_LARGE",
      "54000",
      `a message of ${size} bytes is too large for this gate`,
    );
    if (type === Frontend.Query) {
      return this.#refuseQuery(session.begin("simple", decoder.decode(bytes), null, why), why);
    }
    const nul = type === Frontend.Parse ? bytes.indexOf(0) : -1;
    const text = nul < 0 ? "" : decoder.decode(bytes.subarray(nul + 1));
    return this.#refuse(
      type === Frontend.Parse ? "parse" : "bind",
      session.begin("extended", text, null, why),
      why,
    );
  }

  violation(what: Violation): null {
    const message =
      what === "UNKNOWN_TYPE"
        ? "invalid frontend message type"
        : what === "INVALID_LENGTH"
          ? "invalid message length"
          : "a message is too large for this gate";
    this.#fatal("CLIENT_PROTOCOL", message);
    return null;
  }

  #terminate(): Uint8Array {
    this.stream.stop();
    this.#session.ending ??= {
      code: "CLIENT_TERMINATED",
      message: "the client ended the session",
      sqlstate: "00000",
    };
    return bareMessage(Frontend.Terminate);
  }

  #fatal(code: string, message: string): Verdict {
    this.#session.toClient(this.#session.end({ code, message, sqlstate: "08P01" }));
    return Verdict.Stop;
  }

  /** Everything between CopyInResponse and CopyDone. The server ignores Flush and Sync there. */
  #inCopy(type: number): Verdict {
    if (type === Frontend.Flush || type === Frontend.Sync) return Verdict.Drop;
    if (type !== Frontend.CopyDone && type !== Frontend.CopyFail) {
      return this.#fatal("CLIENT_PROTOCOL", "unexpected message type during COPY from stdin");
    }
    const session = this.#session;
    session.copyMode = false;
    // Another COPY may follow in a Query. An Execute is over, and its answer may need the Sync behind it.
    if (session.copyIn?.kind === "execute") session.copyIn = null;
    return Verdict.Pass;
  }

  /** COPY data that nobody asked for. The rest of a COPY that failed is dropped, as PostgreSQL does. */
  #strayCopy(type: number): Verdict {
    const session = this.#session;
    if (session.copyDraining || session.skipping) {
      if (type !== Frontend.CopyData) session.copyDraining = false;
      return Verdict.Drop;
    }
    return this.#fatal("COPY_NOT_ALLOWED", "COPY data without a COPY FROM STDIN that the task allows");
  }

  #discard(): Verdict {
    const parked = this.#parked;
    this.#parked = null;
    if (parked) {
      parked.run.tag = "SKIPPED";
      this.#session.outcome(parked.run);
    }
    return Verdict.Drop;
  }

  #query(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parked = this.#takeParked();
    if (parked === "waiting") return Verdict.Wait;
    const query = decodeQuery(bytes, start, end);
    if (!query.ok) {
      const why = malformed(query.malformed);
      return this.#refuseQuery(
        session.begin("simple", decoder.decode(bytes.subarray(start, end)), null, why),
        why,
      );
    }
    const { text } = query.message;
    const decision = parked?.decision ?? session.decide(text);
    const why = this.#refusalFor(decision, parked);
    if (why) return this.#refuseQuery(parked?.run ?? session.begin("simple", text, decision, why), why);
    const run = parked?.run ?? session.begin("simple", text, decision, null);
    if (decision.effect === "hold" && !parked) {
      return this.#park("simple", text, decision, run, []) ?? this.#query(bytes, start, end);
    }
    const { cycle } = session;
    session.cycle += 1;
    const sameText = decision.rewritten === text;
    const reply = owe("query", cycle, {
      run,
      sameText,
      statements: [
        ...this.#closed(session.statements.close("", cycle)),
        ...this.#sqlStatements(decision, cycle),
      ],
      portals: [...this.#closed(session.portals.close("", cycle)), ...this.#sqlPortals(decision, cycle)],
    });
    session.replies.push(reply);
    if (decision.statements.some((statement) => statement.copyIn)) session.copyIn = reply;
    return sameText ? Verdict.Pass : this.#rewrittenQuery(decision);
  }

  #rewrittenQuery(decision: StatementDecision): Uint8Array {
    let bytes = this.#rewritten.get(decision);
    if (!bytes) {
      bytes = queryMessage(decision.rewritten!);
      this.#rewritten.set(decision, bytes);
    }
    return bytes;
  }

  #refuseQuery(run: Run, why: Refusal): Uint8Array {
    const session = this.#session;
    const { cycle } = session;
    session.cycle += 1;
    const statements = this.#closed(session.statements.close("", cycle));
    const portals = this.#closed(session.portals.close("", cycle));
    session.replies.push(owe("query", cycle, { run, refusal: why, statements, portals }));
    return mustFailQuery;
  }

  /** The fast path of libpq (attack P11): calls a function by oid, past any text. */
  #functionCall(): Uint8Array {
    const why = refusal("FUNCTION_CALL_REFUSED", "42501", "the function call protocol is not allowed");
    return this.#refuseQuery(this.#session.begin("simple", "", null, why), why);
  }

  #parse(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parse = decodeParse(bytes, start, end);
    if (!parse.ok) {
      const why = malformed(parse.malformed);
      return this.#refuse("parse", session.begin("extended", "", null, why), why);
    }
    const { name, text, parameterTypes } = parse.message;
    const decision = session.decide(text);
    let why = this.#refusalFor(decision, null);
    const { size, weight } = session.statements;
    if (!why && (size >= maxNames || weight + text.length > maxPreparedText)) {
      why = refusal("TOO_MANY_STATEMENTS", "54000", "this session has too many prepared statements");
    }
    const { cycle } = session;
    if (why) {
      const run = session.begin("extended", text, decision, why);
      if (name !== "") return this.#refuse("parse", run, why);
      const statements = this.#closed(session.statements.close("", cycle));
      session.replies.push(owe("parse", cycle, { run, refusal: why, statements }));
      session.skipping = true;
      return mustFailUnnamedParse;
    }
    const prepared: Prepared = { text, decision, verified: false, rows: false, describedIn: 0 };
    const entry = session.statements.define(name, prepared, cycle);
    session.replies.push(owe("parse", cycle, { prepared, statements: [entry] }));
    if (decision.rewritten === text) return Verdict.Pass;
    return parseMessage(name, decision.rewritten!, parameterTypes);
  }

  #bind(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parked = this.#takeParked();
    if (parked === "waiting") return Verdict.Wait;
    const bind = decodeBind(bytes, start, end);
    if (!bind.ok) {
      const why = malformed(bind.malformed);
      return this.#refuse("bind", session.begin("extended", "", null, why), why);
    }
    const { portal, statement } = bind.message;
    const found = session.statements.find(statement, session.cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "missing") {
      const why = noStatement(statement);
      return this.#refuse("bind", session.begin("extended", "", null, why), why);
    }
    const prepared = found.value;
    const { decision, text } = prepared;
    let why = this.#refusalFor(decision, parked);
    if (!why && portal !== "" && session.portals.size >= maxNames) {
      why = refusal("TOO_MANY_PORTALS", "54000", "this session has too many portals");
    }
    const params = parked ? [] : recordParams(bind.message);
    const run = parked?.run ?? session.begin("extended", text, decision, why, params);
    if (why) return this.#refuse("bind", run, why);
    if (decision.effect === "hold" && !parked) {
      return this.#park("extended", text, decision, run, params) ?? this.#bind(bytes, start, end);
    }
    const entry = session.portals.define(portal, { prepared, run }, session.cycle);
    session.replies.push(owe("bind", session.cycle, { run, portals: [entry] }));
    return Verdict.Pass;
  }

  #describe(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const describe = decodeTarget(bytes, start, end);
    if (!describe.ok) return this.#refuse("describe_portal", null, malformed(describe.malformed));
    const { target, name } = describe.message;
    if (target === "statement") {
      const found = session.statements.find(name, session.cycle);
      if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
      if (found.is === "missing") return this.#refuse("describe_statement", null, noStatement(name));
      return this.#owedDescription("describe_statement", found.value, false);
    }
    const found = session.portals.find(name, session.cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "missing") return this.#refuse("describe_portal", null, noPortal(name));
    return this.#owedDescription("describe_portal", found.value.prepared, false);
  }

  #owedDescription(
    kind: "describe_statement" | "describe_portal",
    prepared: Prepared,
    hidden: boolean,
  ): typeof Verdict.Pass {
    const { cycle, replies } = this.#session;
    prepared.describedIn = cycle;
    replies.push(owe(kind, cycle, { prepared, hidden }));
    return Verdict.Pass;
  }

  #execute(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const execute = decodeExecute(bytes, start, end);
    if (!execute.ok) return this.#refuse("execute", null, malformed(execute.malformed));
    const { portal } = execute.message;
    const { cycle } = session;
    const found = session.portals.find(portal, cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "missing") return this.#refuse("execute", null, noPortal(portal));
    const { prepared, run } = found.value;
    const { decision } = prepared;
    // The statement was counted at Bind; a portal kept open past the grant or a limit is stopped here (P10).
    const why = session.mayRun(null) ?? this.#rowsSpent(decision);
    if (why) return this.#refuse("execute", run, why);
    // Rows must not come before it is known where they come from, also when the client does not ask.
    const unseen = !prepared.verified && prepared.describedIn !== cycle;
    if (unseen) this.#owedDescription("describe_portal", prepared, true);
    const reply = owe("execute", cycle, {
      run,
      prepared,
      statements: this.#sqlStatements(decision, cycle),
      portals: this.#sqlPortals(decision, cycle),
    });
    session.replies.push(reply);
    if (decision.statements.some((statement) => statement.copyIn)) session.copyIn = reply;
    if (!unseen) return Verdict.Pass;
    return concat([describeMessage("portal", portal), bytes.subarray(start - 5, end)]);
  }

  #rowsSpent(decision: StatementDecision): Refusal | null {
    const limit = this.#session.task.limits.rows;
    if (limit === null || this.#session.stats.rows < limit) return null;
    if (!decision.statements.some((statement) => statement.returnsRows)) return null;
    return refusal("LIMIT_ROWS", "53400", `the task allows ${limit} rows a session`);
  }

  #close(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const close = decodeTarget(bytes, start, end);
    if (!close.ok) return this.#refuse("close", null, malformed(close.malformed));
    const { target, name } = close.message;
    const { cycle } = session;
    if (target === "statement") {
      const found = session.statements.find(name, cycle);
      if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
      session.replies.push(
        owe("close", cycle, { statements: this.#closed(session.statements.close(name, cycle)) }),
      );
      // To close what is not there is no error. A name that this gate did not make is left alone.
      return found.is === "here" ? Verdict.Pass : closeMessage(target, UNUSED_NAME);
    }
    const found = session.portals.find(name, cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    session.replies.push(owe("close", cycle, { portals: this.#closed(session.portals.close(name, cycle)) }));
    return found.is === "here" ? Verdict.Pass : closeMessage(target, UNUSED_NAME);
  }

  /** Makes the server fail here, and drops what it will discard up to the Sync. */
  #refuse(kind: ReplyKind, run: Run | null, why: Refusal): Uint8Array {
    const session = this.#session;
    session.replies.push(owe(kind, session.cycle, { run, refusal: why }));
    session.skipping = true;
    return mustFailExtended;
  }

  #waitForCycle(cycle: number): Verdict {
    this.#waitsFor = cycle;
    return Verdict.Wait;
  }

  /** Null when the statement may go on: to the server, or into a hold. */
  #refusalFor(decision: StatementDecision, parked: Parked | null): Refusal | null {
    if (decision.effect === "deny" || decision.rewritten === null) return refusalOf(decision);
    const verdict = parked?.verdict;
    if (verdict?.effect === "deny") {
      const { code, message, hint, sqlstate } = verdict;
      return refusal(code, sqlstate ?? "42501", message, hint ?? null);
    }
    if (decision.effect === "hold" && !this.#session.host.hold) {
      return refusal(
        "APPROVAL_REQUIRED",
        "42501",
        "this statement needs an approval, which is not possible here",
      );
    }
    // What was parked was counted when it was.
    return this.#session.mayRun(parked ? null : decision) ?? this.#rowsSpent(decision);
  }

  /** The parked statement that is given again, once it has its verdict. */
  #takeParked(): Parked | null | "waiting" {
    const parked = this.#parked;
    if (!parked) return null;
    if (!parked.verdict) return "waiting";
    this.#parked = null;
    return parked;
  }

  /** Parks the message in hand. Null when the host gave its verdict at once. */
  #park(
    protocol: "simple" | "extended",
    text: string,
    decision: StatementDecision,
    run: Run,
    params: readonly RecordedParam[],
  ): Verdict | null {
    this.#holds += 1;
    const id = this.#holds;
    const parked: Parked = { id, run, decision, verdict: null };
    this.#parked = parked;
    const hold: GateHold = { id, n: run.n, protocol, text, decision, params, notice: this.#notice };
    this.#session.host.hold!(hold);
    return parked.verdict ? null : Verdict.Wait;
  }

  #closed<Value>(entry: NameEntry<Value> | null): NameEntry<Value>[] {
    return entry ? [entry] : [];
  }

  /** PREPARE and DEALLOCATE share their names with Parse: what SQL changes, the gate no longer vouches for. */
  #sqlStatements(decision: StatementDecision, cycle: number): NameEntry<Prepared>[] {
    const { statements } = this.#session;
    const closed: NameEntry<Prepared>[] = [];
    for (const { kind, name } of decision.statements) {
      if (kind !== "Prepare" && kind !== "Deallocate" && kind !== "Discard") continue;
      if (typeof name === "string") closed.push(...this.#closed(statements.close(name, cycle)));
      else closed.push(...statements.closeNamed(cycle));
    }
    return closed;
  }

  /** DECLARE and CLOSE share theirs with Bind. */
  #sqlPortals(decision: StatementDecision, cycle: number): NameEntry<Portal>[] {
    const { portals } = this.#session;
    const closed: NameEntry<Portal>[] = [];
    for (const { kind, name } of decision.statements) {
      if (kind !== "DeclareCursor" && kind !== "ClosePortal" && kind !== "Discard") continue;
      if (typeof name === "string") closed.push(...this.#closed(portals.close(name, cycle)));
      else closed.push(...portals.closeNamed(cycle));
    }
    return closed;
  }
}

function noStatement(name: string): Refusal {
  const what =
    name === "" ? "unnamed prepared statement does not exist" : `prepared statement "${name}" does not exist`;
  return refusal("STATEMENT_UNKNOWN", "26000", what);
}

function noPortal(name: string): Refusal {
  return refusal("PORTAL_UNKNOWN", "34000", `portal "${name}" does not exist`);
}
