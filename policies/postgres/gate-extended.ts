/**
 * The extended protocol: Parse, Bind, Describe, Execute, Close, each decided or checked against what the gate
 * itself let be parsed and bound. Returns what becomes of each message.
 */
import { concat } from "../../wire/bytes.ts";
import {
  closeMessage,
  decodeBind,
  decodeExecute,
  decodeParse,
  decodeTarget,
  describeMessage,
  parseMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend, TransactionStatus } from "../../wire/postgres/messages.ts";
import { Verdict } from "../../wire/postgres/stream.ts";
import { Slab } from "../../wire/slab.ts";
import type { Holds } from "./gate-holds.ts";
import { recordParams } from "./gate-params.ts";
import {
  malformed,
  mustFailExtended,
  mustFailUnnamedParse,
  type Refusal,
  refusal,
  UNUSED_NAME,
  unfitName,
} from "./gate-refusal.ts";
import { owe, type Prepared, type ReplyKind, type Run } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";
import {
  closed,
  countedAtBind,
  MAX_NAMES,
  refusalFor,
  rowsSpent,
  sqlCursors,
  sqlPortals,
  sqlStatements,
  uncountedRun,
  unfitTypes,
} from "./gate-statements.ts";

/** For messages that are sent, and copied for that, in the turn in which they are made. */
const slab = new Slab();
/** A Close of what no server has: it is answered, and does nothing. */
const closeNothing = {
  statement: closeMessage("statement", UNUSED_NAME),
  portal: closeMessage("portal", UNUSED_NAME),
} as const;
/** Characters of all prepared statements' texts. */
const maxPreparedText = 8 * 1024 * 1024;

export class ExtendedProtocol {
  readonly #session: GateSession;
  readonly #holds: Holds;
  /** The cycle that must be settled before the message that was last told to wait, or 0. */
  waitsFor = 0;

  constructor(session: GateSession, holds: Holds) {
    this.#session = session;
    this.#holds = holds;
  }

  parse(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parse = decodeParse(bytes, start, end);
    if (!parse.ok) {
      const why = malformed(parse.malformed);
      return this.refuse("parse", session.begin("extended", "", null, why), why);
    }
    const { name, text, parameterTypes } = parse.message;
    const decision = session.decide(text);
    let why = refusalFor(session, decision, null);
    const { size, weight } = session.statements;
    why ??= unfitName(name) ?? unfitTypes(session, parameterTypes);
    if (!why && (size >= MAX_NAMES || weight + text.length > maxPreparedText)) {
      why = refusal("TOO_MANY_STATEMENTS", "54000", "this session has too many prepared statements");
    }
    const { cycle } = session;
    if (why) {
      const run = session.begin("extended", text, decision, why);
      if (name !== "") return this.refuse("parse", run, why);
      const statements = closed(session.statements.close("", cycle));
      session.replies.push(owe("parse", cycle, { run, refusal: why, statements }));
      session.skipping = true;
      return mustFailUnnamedParse;
    }
    // In a failed transaction Parse fails, where a Close in its place would not: then it is sent as it is.
    const asking = name === "" && session.quiet && session.status !== TransactionStatus.Failed;
    const kept = asking ? session.kept.find(decision, parameterTypes) : null;
    const types = parameterTypes;
    const prepared: Prepared = {
      text,
      decision,
      verified: false,
      rows: false,
      describedIn: 0,
      kept,
      types,
      lost: false,
    };
    if (name !== "" && countedAtBind(decision)) session.uncountable = true;
    const entry = session.statements.define(name, prepared, cycle);
    const known = kept?.ready ?? false;
    session.replies.push(owe("parse", cycle, { prepared, known, statements: [entry] }));
    if (known) return closeNothing.statement;
    if (kept) return parseMessage(kept.name, decision.rewritten!, parameterTypes);
    if (decision.rewritten === text) return Verdict.Pass;
    return parseMessage(name, decision.rewritten!, parameterTypes);
  }

  bind(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parked = this.#holds.take();
    if (parked === "waiting") return Verdict.Wait;
    const bind = decodeBind(bytes, start, end);
    if (!bind.ok) {
      const why = malformed(bind.malformed);
      return this.refuse("bind", session.begin("extended", "", null, why), why);
    }
    const { portal, statement } = bind.message;
    const found = session.statements.find(statement, session.cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "missing") {
      const why = noStatement(statement);
      return this.refuse("bind", session.begin("extended", "", null, why), why);
    }
    const prepared = found.value;
    const { decision, text } = prepared;
    let why = refusalFor(session, decision, parked);
    why ??= unfitName(portal);
    if (!why && portal !== "" && session.portals.size >= MAX_NAMES) {
      why = refusal("TOO_MANY_PORTALS", "54000", "this session has too many portals");
    }
    const params = parked ? [] : recordParams(bind.message);
    const run = parked?.run ?? session.begin("extended", text, decision, why, params);
    if (why) return this.refuse("bind", run, why);
    if (decision.effect === "hold" && !parked) {
      return this.#holds.park("extended", text, decision, run, params)
        ? Verdict.Wait
        : this.bind(bytes, start, end);
    }
    const anew = this.#parseAnew(prepared);
    const entry = session.portals.define(portal, { prepared, run }, session.cycle);
    if (portal !== "") session.decider?.bound?.(portal);
    session.replies.push(owe("bind", session.cycle, { run, prepared, portals: [entry] }));
    if (prepared.kept) return bindTo(prepared.kept.encoded, bytes, start, end);
    return anew ? concat([anew, bytes.subarray(start - 5, end)]) : Verdict.Pass;
  }

  describe(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const describe = decodeTarget(bytes, start, end);
    if (!describe.ok) return this.refuse("describe_portal", null, malformed(describe.malformed));
    const { target, name } = describe.message;
    if (target === "statement") {
      const found = session.statements.find(name, session.cycle);
      if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
      if (found.is === "missing") return this.refuse("describe_statement", null, noStatement(name));
      const anew = this.#parseAnew(found.value);
      const { kept } = found.value;
      const pass = this.#owedDescription("describe_statement", found.value, false);
      if (anew) return concat([anew, bytes.subarray(start - 5, end)]);
      return kept ? describeMessage("statement", kept.name) : pass;
    }
    const found = session.portals.find(name, session.cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "here") return this.#owedDescription("describe_portal", found.value.prepared, false);
    const declared = session.cursors.find(name, session.cycle);
    if (declared.is === "unsettled") return this.#waitForCycle(declared.cycle);
    if (declared.is === "missing") return this.refuse("describe_portal", null, noPortal(name));
    return this.#owedDescription("describe_portal", declared.value, false);
  }

  /** The unnamed statement again, when it or what was kept in its place was dropped without the client's doing. */
  #parseAnew(prepared: Prepared): Uint8Array | null {
    if (!prepared.kept?.dropped && !prepared.lost) return null;
    prepared.kept = null;
    prepared.lost = false;
    this.#session.replies.push(owe("parse", this.#session.cycle, { prepared, hidden: true }));
    return parseMessage("", prepared.decision.rewritten!, prepared.types);
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

  execute(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const execute = decodeExecute(bytes, start, end);
    if (!execute.ok) return this.refuse("execute", null, malformed(execute.malformed));
    const { portal } = execute.message;
    const { cycle } = session;
    const found = session.portals.find(portal, cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    if (found.is === "missing") return this.refuse("execute", null, noPortal(portal));
    const { prepared, run } = found.value;
    const { decision } = prepared;
    // The statement was counted at Bind; a portal kept open past the grant or a limit is stopped here (P10).
    const why = session.mayRun(null) ?? rowsSpent(session, decision) ?? uncountedRun(session, decision);
    if (why) return this.refuse("execute", run, why);
    // Rows must not come before it is known where they come from, also when the client does not ask.
    const unseen = !prepared.verified && prepared.describedIn !== cycle;
    if (unseen) this.#owedDescription("describe_portal", prepared, true);
    const reply = owe("execute", cycle, {
      run,
      prepared,
      statements: sqlStatements(session, decision, cycle),
      portals: sqlPortals(session, decision, cycle),
      cursors: sqlCursors(session, decision, cycle),
    });
    session.replies.push(reply);
    if (decision.statements.some((statement) => statement.copyIn)) session.copyIn = reply;
    session.resetsSettings(decision);
    if (!unseen) return Verdict.Pass;
    return concat([describeMessage("portal", portal), bytes.subarray(start - 5, end)]);
  }

  close(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const close = decodeTarget(bytes, start, end);
    if (!close.ok) return this.refuse("close", null, malformed(close.malformed));
    const { target, name } = close.message;
    const { cycle } = session;
    if (target === "statement") {
      const found = session.statements.find(name, cycle);
      if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
      session.replies.push(
        owe("close", cycle, { statements: closed(session.statements.close(name, cycle)) }),
      );
      // To close what is not there is no error. A name that this gate did not make is left alone.
      return found.is === "here" ? Verdict.Pass : closeNothing.statement;
    }
    const found = session.portals.find(name, cycle);
    if (found.is === "unsettled") return this.#waitForCycle(found.cycle);
    const declared = session.cursors.find(name, cycle);
    if (declared.is === "unsettled") return this.#waitForCycle(declared.cycle);
    const portals = closed(session.portals.close(name, cycle));
    session.replies.push(
      owe("close", cycle, { portals, cursors: closed(session.cursors.close(name, cycle)) }),
    );
    const here = found.is === "here" || declared.is === "here";
    return here ? Verdict.Pass : closeNothing.portal;
  }

  /** Makes the server fail here, and drops what it will discard up to the Sync. */
  refuse(kind: ReplyKind, run: Run | null, why: Refusal): Uint8Array {
    const session = this.#session;
    session.replies.push(owe(kind, session.cycle, { run, refusal: why }));
    session.skipping = true;
    return mustFailExtended;
  }

  #waitForCycle(cycle: number): Verdict {
    this.waitsFor = cycle;
    return Verdict.Wait;
  }
}

/** A Bind of the unnamed statement as one of `named`. */
function bindTo(named: Uint8Array, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const statement = bytes.indexOf(0, start) + 1;
  const message = slab.take(5 + (end - start) + named.length);
  const length = message.length - 1;
  message[0] = Frontend.Bind;
  message[1] = length >>> 24;
  message[2] = length >>> 16;
  message[3] = length >>> 8;
  message[4] = length;
  message.set(bytes.subarray(start, statement), 5);
  message.set(named, 5 + statement - start);
  message.set(bytes.subarray(statement, end), 5 + statement - start + named.length);
  return message;
}

function noStatement(name: string): Refusal {
  const what =
    name === "" ? "unnamed prepared statement does not exist" : `prepared statement "${name}" does not exist`;
  return refusal("STATEMENT_UNKNOWN", "26000", what);
}

function noPortal(name: string): Refusal {
  return refusal("PORTAL_UNKNOWN", "34000", `portal "${name}" does not exist`);
}
