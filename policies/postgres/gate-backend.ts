/** The server's half of the gate: every message belongs to a reply that is owed, or the session ends. */
import {
  commandComplete,
  decodeCommandComplete,
  decodeFields,
  decodeParameterStatus,
  errorResponse,
  noticeResponse,
} from "../../wire/postgres/backend.ts";
import { Backend, type ErrorFields, TransactionStatus } from "../../wire/postgres/messages.ts";
import {
  type MessageSink,
  type MessageStream,
  Oversize,
  treatments,
  Verdict,
  type Violation,
} from "../../wire/postgres/stream.ts";
import { checkOrigins } from "./gate-origins.ts";
import { refusalFields } from "./gate-refusal.ts";
import { countsRows, mayHaveRows, type Reply } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";
import type { SessionParameters } from "./gate-startup.ts";
import { shownNotification } from "./notifications.ts";

/** Largest message of the server that is put together, bytes. 65,535 parameters are described in less. */
export const MAX_BACKEND_MESSAGE = 300 * 1024;
/** Bytes kept of a longer ErrorResponse or NoticeResponse. */
const keptOfError = 64 * 1024;

/** Treatment of a server's messages. Authentication, CopyBoth, FunctionCallResponse have no place here. */
export const backendTypes: Uint8Array = treatments(
  [
    Backend.BindComplete,
    Backend.CloseComplete,
    Backend.CommandComplete,
    Backend.CopyDone,
    Backend.CopyInResponse,
    Backend.CopyOutResponse,
    Backend.EmptyQueryResponse,
    Backend.ErrorResponse,
    Backend.NoData,
    Backend.NoticeResponse,
    Backend.NotificationResponse,
    Backend.ParameterDescription,
    Backend.ParameterStatus,
    Backend.ParseComplete,
    Backend.PortalSuspended,
    Backend.ReadyForQuery,
    Backend.RowDescription,
  ],
  [Backend.DataRow, Backend.CopyData],
);

/** Errors of a statement that is kept and does not fit any more: feature, name, definition, and what is not there. */
const STALE = /^(0A|26|42|55|XX)/;
const parseComplete = new Uint8Array([Backend.ParseComplete, 0, 0, 0, 4]);

export class BackendHalf implements MessageSink {
  readonly #session: GateSession;
  readonly #parameters: SessionParameters;
  /** The greeting, once the settings of the client are made. */
  readonly #greet: () => Uint8Array;
  /** Tells the frontend half that the server discards its messages up to Sync. */
  readonly #skip: () => void;
  /** Set once by the gate. */
  stream!: MessageStream;
  /** The task's limits: checked at every row. */
  readonly #maxRows: number;
  readonly #maxBytes: number;

  constructor(
    session: GateSession,
    parameters: SessionParameters,
    greet: () => Uint8Array,
    skip: () => void,
  ) {
    this.#session = session;
    this.#parameters = parameters;
    this.#greet = greet;
    this.#skip = skip;
    this.#maxRows = session.task.limits.rows ?? Infinity;
    this.#maxBytes = session.task.limits.bytes ?? Infinity;
  }

  emit(bytes: Uint8Array): void {
    this.#session.toClient(bytes);
  }

  /** DataRow and CopyData: the hot path, once a row. */
  streamed(type: number, size: number): Verdict {
    const session = this.#session;
    const reply = session.replies.head;
    if (reply === null || !(type === Backend.DataRow ? reply.rows || mayHaveRows(reply) : reply.copyOut))
      return this.#violate(type);
    const { run } = reply;
    if (run === null) return Verdict.Drop;
    run.rows += 1;
    run.bytes += size;
    session.rowBytes += size;
    if (session.rowBytes > this.#maxBytes)
      return this.#overLimit("LIMIT_BYTES", `${session.task.limits.bytes} bytes`);
    if (reply.counts) {
      if (session.stats.rows >= this.#maxRows)
        return this.#overLimit("LIMIT_ROWS", `${session.task.limits.rows} rows`);
      session.stats.rows += 1;
    }
    return Verdict.Pass;
  }

  #overLimit(code: string, what: string): Uint8Array {
    this.stream.stop();
    const message = `the task allows ${what} a session, and this result has more`;
    return this.#session.end({ code, message, sqlstate: "53400" });
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    switch (type) {
      case Backend.NoticeResponse:
        return this.#notice(decodeFields(bytes, start, end));
      case Backend.NotificationResponse:
        return this.#notification(bytes, start, end);
      case Backend.ParameterStatus:
        return this.#parameterStatus(bytes, start, end);
      case Backend.ErrorResponse:
        return this.#error(decodeFields(bytes, start, end));
    }
    const reply = this.#session.replies.head;
    if (reply === null) return this.#violate(type);
    if (type === Backend.ReadyForQuery) return this.#ready(reply, bytes, start, end);
    // The text that went in its place cannot succeed; if it seems to, nothing can be trusted.
    if (reply.refusal) return this.#violate(type);
    switch (reply.kind) {
      case "query":
      case "setup":
        return this.#queryReply(reply, type, bytes, start, end);
      case "execute":
        return this.#executeReply(reply, type, bytes, start, end);
      case "describe_statement":
      case "describe_portal":
        return this.#description(reply, type, bytes, start, end);
      case "parse":
        return this.#parsed(reply, type);
      case "bind":
        return type === Backend.BindComplete ? this.#done(reply) : this.#violate(type);
      case "close":
        return type === Backend.CloseComplete ? this.#done(reply) : this.#violate(type);
      case "sync":
        return this.#violate(type);
    }
  }

  oversize(type: number): number {
    return type === Backend.ErrorResponse || type === Backend.NoticeResponse ? keptOfError : Oversize.Refuse;
  }

  truncated(type: number, bytes: Uint8Array): Verdict {
    const fields = decodeFields(bytes);
    return type === Backend.ErrorResponse ? this.#error(fields) : this.#notice(fields);
  }

  violation(what: Violation, type: number): Uint8Array {
    return this.#session.alarmEnd(
      "TARGET_PROTOCOL",
      `the database sent a message of type 0x${type.toString(16)}: ${what}`,
      "the database broke the protocol",
    );
  }

  #violate(type: number): Uint8Array {
    this.stream.stop();
    return this.violation("UNKNOWN_TYPE", type);
  }

  #parsed(reply: Reply, type: number): Verdict {
    if (type !== (reply.known ? Backend.CloseComplete : Backend.ParseComplete)) return this.#violate(type);
    const kept = reply.prepared?.kept;
    if (kept) kept.ready = true;
    const verdict = this.#done(reply);
    return reply.known ? parseComplete : verdict;
  }

  #done(reply: Reply): Verdict {
    this.#session.confirmNames(reply);
    this.#session.replies.shift();
    return reply.hidden ? Verdict.Drop : Verdict.Pass;
  }

  #notice(fields: ErrorFields): Verdict {
    const shown = this.#session.scrub.notice(fields, this.#session.task);
    return shown ? noticeResponse(shown) : Verdict.Drop;
  }

  /** Of a channel that the task lists and this session asked for; counted as rows are. */
  #notification(bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const shown = shownNotification(bytes, start, end, session.channels);
    if (shown === null) return Verdict.Drop;
    session.rowBytes += shown.length;
    if (session.rowBytes > this.#maxBytes)
      return this.#overLimit("LIMIT_BYTES", `${session.task.limits.bytes} bytes`);
    return shown;
  }

  #parameterStatus(bytes: Uint8Array, start: number, end: number): Verdict {
    const status = decodeParameterStatus(bytes, start, end);
    if (!status) return this.#violate(Backend.ParameterStatus);
    const change = this.#parameters.change(status.name, status.value);
    if (change === "drop") return Verdict.Drop;
    this.#session.kept.forget();
    if (change === "pass") return this.#session.replies.head?.kind === "setup" ? Verdict.Drop : Verdict.Pass;
    this.stream.stop();
    const message = "a setting that this gate depends on was changed";
    return this.#session.alarmEnd("PINNED_SETTING_CHANGED", change.wrong, message);
  }

  #ready(reply: Reply, bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const status = bytes[start]!;
    const known =
      status === TransactionStatus.Idle ||
      status === TransactionStatus.InTransaction ||
      status === TransactionStatus.Failed;
    const due =
      reply.kind === "sync" || ((reply.kind === "query" || reply.kind === "setup") && reply.answered);
    if (end - start !== 1 || !known || !due) return this.#violate(Backend.ReadyForQuery);
    if (reply.kind === "query") {
      session.confirmNames(reply);
      session.endCopy(reply, reply.run?.error !== null);
      if (reply.run) session.outcome(reply.run);
    }
    session.replies.shift();
    session.settled = reply.cycle;
    session.status = status;
    if (status === TransactionStatus.Idle) session.portals.expire(reply.cycle);
    if (reply.kind === "setup") return this.#greet();
    return reply.hidden ? Verdict.Drop : Verdict.Pass;
  }

  #queryReply(reply: Reply, type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const pass = reply.hidden ? Verdict.Drop : Verdict.Pass;
    const { run } = reply;
    switch (type) {
      case Backend.RowDescription: {
        const wall = this.#wall(bytes, start, end);
        if (wall !== null) return wall;
        reply.rows = true;
        reply.counts = countsRows(reply);
        return pass;
      }
      case Backend.CommandComplete: {
        const tag = decodeCommandComplete(bytes, start, end);
        if (tag === null) return this.#violate(type);
        if (run) {
          const shown = run.decision?.statements[run.index]?.tag;
          run.tag = shown ?? tag;
          run.index += 1;
          if (shown !== undefined) {
            this.#statementDone(reply);
            return commandComplete(shown);
          }
        }
        this.#statementDone(reply);
        return pass;
      }
      case Backend.EmptyQueryResponse:
        if (run) run.tag = "EMPTY";
        reply.answered = true;
        return pass;
      default:
        return this.#copyReply(reply, type);
    }
  }

  #statementDone(reply: Reply): void {
    reply.rows = false;
    reply.copyOut = false;
    reply.answered = true;
    if (this.#session.copyIn === reply) this.#session.copyMode = false;
  }

  #executeReply(reply: Reply, type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const session = this.#session;
    const run = reply.run!;
    switch (type) {
      case Backend.CommandComplete: {
        const tag = decodeCommandComplete(bytes, start, end);
        if (tag === null) return this.#violate(type);
        run.tag = tag;
        break;
      }
      case Backend.EmptyQueryResponse:
        run.tag = "EMPTY";
        break;
      case Backend.PortalSuspended:
        run.tag = "SUSPENDED";
        break;
      default:
        return this.#copyReply(reply, type);
    }
    const shown = type === Backend.CommandComplete ? run.decision?.statements[0]?.tag : undefined;
    run.tag = shown ?? run.tag;
    session.endCopy(reply, false);
    session.outcome(run);
    run.rows = 0;
    run.bytes = 0;
    const verdict = this.#done(reply);
    return shown === undefined ? verdict : commandComplete(shown);
  }

  #copyReply(reply: Reply, type: number): Verdict {
    const session = this.#session;
    const statements = reply.run?.decision?.statements ?? [];
    switch (type) {
      case Backend.CopyOutResponse:
        if (!statements.some((statement) => statement.kind === "Copy" && !statement.copyIn)) break;
        reply.copyOut = true;
        reply.counts = countsRows(reply);
        return Verdict.Pass;
      case Backend.CopyInResponse:
        if (session.copyIn !== reply) break;
        session.copyMode = true;
        return Verdict.Pass;
      case Backend.CopyDone:
        if (!reply.copyOut) break;
        reply.copyOut = false;
        return Verdict.Pass;
    }
    return this.#violate(type);
  }

  #description(reply: Reply, type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (
      type === Backend.ParameterDescription &&
      reply.kind === "describe_statement" &&
      !reply.parametersSeen
    ) {
      reply.parametersSeen = true;
      return Verdict.Pass;
    }
    if (reply.kind === "describe_statement" && !reply.parametersSeen) return this.#violate(type);
    const prepared = reply.prepared!;
    if (type === Backend.RowDescription) {
      const wall = this.#wall(bytes, start, end);
      if (wall !== null) return wall;
    } else if (type !== Backend.NoData) return this.#violate(type);
    prepared.rows = type === Backend.RowDescription;
    // What a FETCH or an SQL EXECUTE returns is another statement's, and may be another one's next time.
    prepared.verified = !prepared.decision.statements.some(
      ({ kind }) => kind === "Fetch" || kind === "Execute",
    );
    return this.#done(reply);
  }

  /** The second wall; null when every column may be shown. */
  #wall(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
    const session = this.#session;
    const wrong = checkOrigins(session.origins, bytes, start, end, session.newestOrigin);
    if (wrong === null) return null;
    this.stream.stop();
    return this.#session.alarmEnd(
      "MASK_BREACH",
      `the database was about to show ${wrong}`,
      "the result was about to show what the task hides; the session ends",
    );
  }

  #error(fields: ErrorFields): Verdict {
    const session = this.#session;
    const severity = fields["V"] ?? fields["S"];
    const reply = session.replies.head;
    if (severity === "FATAL" || severity === "PANIC") return this.#fatal(fields, reply);
    if (reply === null) return this.#violate(Backend.ErrorResponse);
    if (reply.kind === "setup") return this.#fatal(fields, null);
    const shown = reply.refusal ? refusalFields(reply.refusal) : this.#shownError(fields, reply);
    const run = reply.run;
    if (run) run.error = { sqlstate: shown["C"] ?? "XX000", message: shown["M"] ?? "" };
    const kept = reply.prepared?.kept;
    // Its table was changed, or the server does not have it: the next Parse is a new one.
    if (kept && STALE.test(fields["C"] ?? "")) kept.gone = true;
    session.endCopy(reply, true);
    if (reply.kind === "query" || reply.kind === "sync") {
      // One error, then ReadyForQuery.
      reply.rows = false;
      reply.copyOut = false;
      reply.answered = true;
      if (reply.hidden) return Verdict.Drop;
    } else if (!session.failExtended(reply)) this.#skip();
    return errorResponse(shown);
  }

  #shownError(fields: ErrorFields, reply: Reply): ErrorFields {
    const { P: position, ...shown } = this.#session.scrubbed(fields);
    const sent = reply.prepared ?? null;
    const decision = sent?.decision ?? reply.run?.decision ?? null;
    // A position in a rewritten text means nothing in the user's.
    const same = sent ? decision?.rewritten === sent.text : reply.sameText;
    return position !== undefined && same ? { ...shown, P: position } : shown;
  }

  #fatal(fields: ErrorFields, reply: Reply | null): Uint8Array {
    const session = this.#session;
    const scrubbed = session.scrubbed(fields);
    const shown: ErrorFields = { ...scrubbed, S: "FATAL", V: "FATAL" };
    const sqlstate = shown["C"] ?? "XX000";
    const message = shown["M"] ?? "the database ended the session";
    if (reply?.run) {
      reply.run.error = { sqlstate, message };
      session.outcome(reply.run);
    }
    this.stream.stop();
    session.ending ??= { code: "TARGET_ENDED", message, sqlstate };
    return errorResponse(shown);
  }
}
