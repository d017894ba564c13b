/** The client's half of the gate: every message decided, and sent on, replaced, held or dropped, in order. */
import { concat } from "../../wire/bytes.ts";
import { bareMessage, decodeQuery, queryMessage } from "../../wire/postgres/frontend.ts";
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
import { ExtendedProtocol } from "./gate-extended.ts";
import { Holds } from "./gate-holds.ts";
import { malformed, mustFailQuery, type Refusal, refusal } from "./gate-refusal.ts";
import { owe, type Run } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";
import { settingsText } from "./gate-startup.ts";
import { closed, refusalFor, sqlCursors, sqlPortals, sqlStatements } from "./gate-statements.ts";

/** Replies that may be owed at once; more wait in the client's buffer. */
const maxOwed = 8192;
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

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export class FrontendHalf implements MessageSink {
  readonly #session: GateSession;
  /** Query messages of rewritten texts; decisions are the decider's cached objects. */
  readonly #rewritten = new WeakMap<StatementDecision, Uint8Array>();
  /** Set once by the gate. */
  stream!: MessageStream;
  readonly holds: Holds;
  readonly #extended: ExtendedProtocol;

  constructor(session: GateSession, notice: (message: string, hint?: string) => void) {
    this.#session = session;
    this.holds = new Holds(session, notice);
    this.#extended = new ExtendedProtocol(session, this.holds);
  }

  emit(bytes: Uint8Array): void {
    this.#session.toServer(bytes);
  }

  /** Whether what the waiting message waits for has come. */
  get mayResume(): boolean {
    if (this.holds.waiting) return false;
    const { replies, settled } = this.#session;
    return !this.#copyPending && replies.length < maxOwed / 2 && this.#extended.waitsFor <= settled;
  }

  get #copyPending(): boolean {
    return this.#session.copyIn !== null && !this.#session.copyMode;
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    if (this.#copyPending || session.replies.length >= maxOwed) return Verdict.Wait;
    this.#extended.waitsFor = 0;
    if (type === Frontend.Terminate) return this.#terminate();
    if (session.copyMode) return this.#inCopy(type);
    if (type === Frontend.CopyDone || type === Frontend.CopyFail) return this.#strayCopy(type);
    session.copyDraining = false;
    if (session.skipping) {
      if (type !== Frontend.Sync) {
        this.holds.discard();
        return Verdict.Drop;
      }
      session.skipping = false;
    }
    switch (type) {
      case Frontend.Query:
        return this.#query(bytes, start, end);
      case Frontend.Parse:
        return this.#extended.parse(bytes, start, end);
      case Frontend.Bind:
        return this.#extended.bind(bytes, start, end);
      case Frontend.Describe:
        return this.#extended.describe(bytes, start, end);
      case Frontend.Execute:
        return this.#extended.execute(bytes, start, end);
      case Frontend.Close:
        return this.#extended.close(bytes, start, end);
      case Frontend.Sync:
        if (end !== start) return this.#fatal("MESSAGE_MALFORMED", "invalid message format");
        session.replies.push(owe("sync", session.cycle));
        session.cycle += 1;
        return this.#withSettings(Verdict.Pass, bytes, start, end);
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
    return this.#extended.refuse(
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

  #query(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const parked = this.holds.take();
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
    const why = refusalFor(session, decision, parked);
    if (why) return this.#refuseQuery(parked?.run ?? session.begin("simple", text, decision, why), why);
    const run = parked?.run ?? session.begin("simple", text, decision, null);
    if (decision.effect === "hold" && !parked) {
      return this.holds.park("simple", text, decision, run, [])
        ? Verdict.Wait
        : this.#query(bytes, start, end);
    }
    const { cycle } = session;
    session.cycle += 1;
    const sameText = decision.rewritten === text;
    const reply = owe("query", cycle, {
      run,
      sameText,
      statements: [
        ...closed(session.statements.close("", cycle)),
        ...sqlStatements(session, decision, cycle),
      ],
      portals: [...closed(session.portals.close("", cycle)), ...sqlPortals(session, decision, cycle)],
      cursors: sqlCursors(session, decision, cycle),
    });
    session.replies.push(reply);
    if (decision.statements.some((statement) => statement.copyIn)) session.copyIn = reply;
    session.resetsSettings(decision);
    return this.#withSettings(sameText ? Verdict.Pass : this.#rewrittenQuery(decision), bytes, start, end);
  }

  /**
   * A message, and behind it what makes the client's start-up settings again where a RESET or DISCARD ALL put them back to
   * those of the database session. It is recorded as a statement of the gate's own; the client sees no answer to it.
   */
  #withSettings(verdict: Verdict, bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const settings = session.takeSettings();
    if (settings.length === 0) return verdict;
    const text = settingsText(settings);
    const { cycle } = session;
    session.cycle += 1;
    // A Query drops the unnamed statement and portal.
    const unnamed = session.statements.latest("");
    if (unnamed) unnamed.lost = true;
    const portals = closed(session.portals.close("", cycle));
    const run = session.beginOwn(text);
    session.replies.push(owe("query", cycle, { run, hidden: true, sameText: true, portals }));
    return concat([
      verdict instanceof Uint8Array ? verdict : bytes.subarray(start - 5, end),
      queryMessage(text),
    ]);
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
    const statements = closed(session.statements.close("", cycle));
    const portals = closed(session.portals.close("", cycle));
    session.replies.push(owe("query", cycle, { run, refusal: why, statements, portals }));
    return mustFailQuery;
  }

  /** The fast path of libpq (attack P11): calls a function by oid, past any text. */
  #functionCall(): Uint8Array {
    const why = refusal("FUNCTION_CALL_REFUSED", "42501", "the function call protocol is not allowed");
    return this.#refuseQuery(this.#session.begin("simple", "", null, why), why);
  }
}
