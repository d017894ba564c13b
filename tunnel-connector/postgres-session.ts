/**
 * One session: the database's socket on one side, the edge's on the other. What comes from the edge is on the disk
 * before the database sees it; what comes from the database is scrubbed, and recorded before the edge sees it: on the
 * disk too with `strict`, else a moment later, with what comes next. Each side is read only as fast as the other takes.
 */
import type { Socket } from "node:net";
import type WebSocket from "ws";
import type { NamedConstraints } from "../policies/postgres/constraints.ts";
import { concat } from "../wire/bytes.ts";
import {
  type EdgeToConnector,
  encodeControl,
  FramedSender,
  parseEdgeToConnector,
  ReceiveWindow,
  recordLines,
  splitFrame,
} from "../wire/tunnel.ts";
import { BackendScrubber } from "./backend-scrubber.ts";
import type { OpenSocket } from "./edge-socket.ts";
import type { ExplainAsk, Explained } from "./explain.ts";
import type { TakenSocket } from "./handshake-stream.ts";
import { RecordingError, type SessionRecording } from "./session-recording.ts";

/** After the last word the edge has this long to close, milliseconds. */
const CLOSE_MS = 5_000;
/** Sessions are ended here a little after the edge should have done it, milliseconds. */
const DEADLINE_SLACK_MS = 5_000;

export interface PostgresSessionOptions {
  readonly session: string;
  readonly task: string;
  /** Channels whose notifications the task may see. */
  readonly listen: readonly string[];
  /** Constraints that errors may name. */
  readonly constraints: NamedConstraints;
  readonly target: TakenSocket;
  readonly edge: OpenSocket;
  readonly recording: SessionRecording;
  /** Whether a recording that cannot be written ends the session. */
  readonly onFailure: "terminate" | "continue";
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** Sends CancelRequest to the database. */
  cancel(): void;
  /** The plan of a statement that waits, on another connection. Never rejects. */
  explain(ask: ExplainAsk): Promise<Explained>;
  /** Once, last, with the reason in UPPER_SNAKE. */
  ended(reason: string): void;
  /** The recording stopped and the session goes on without it. */
  unrecorded(message: string): void;
}

export class PostgresSession {
  readonly #options: PostgresSessionOptions;
  readonly #target: Socket;
  readonly #socket: WebSocket;
  readonly #recording: SessionRecording;
  readonly #scrubber: BackendScrubber;
  readonly #window = new ReceiveWindow();
  readonly #sender: FramedSender;
  readonly #deadline: NodeJS.Timeout;
  #targetEnded = false;
  #reason: string | null = null;
  #over = false;
  #explaining = false;
  /** False once the recording failed and the task lets the session go on. */
  #recorded = true;
  bytesIn = 0;
  bytesOut = 0;

  constructor(options: PostgresSessionOptions) {
    this.#options = options;
    this.#target = options.target.socket;
    this.#socket = options.edge.socket;
    this.#recording = options.recording;
    this.#scrubber = new BackendScrubber({ name: options.task }, options.listen, options.constraints);
    this.#sender = new FramedSender((message) => this.#emit(message));
    const left = options.deadline + DEADLINE_SLACK_MS - Date.now();
    this.#deadline = setTimeout(() => this.kill("SESSION_EXPIRED"), Math.min(left, 2 ** 31 - 1));
    this.#recording.onFailure = (error) => this.#recordingFailed(error);
  }

  /** Tells the edge that the target is open, and begins. */
  start(opened: { parameters: Record<string, string>; serverVersion: number; catalog: object }): void {
    const socket = this.#socket;
    const target = this.#target;
    socket.on("close", (_code, reason) => this.#closed(reason.toString()));
    socket.on("error", () => socket.terminate());
    target.on("error", () => target.destroy());
    target.on("data", (chunk) => {
      try {
        this.#fromTarget(chunk as Buffer);
      } catch (error) {
        this.#fault(error);
      }
    });
    target.on("end", () => this.#targetClosed());
    target.on("close", () => this.#targetClosed());
    const catalog = opened.catalog as never;
    socket.send(encodeControl({ t: "opened", ...opened, catalog, explains: true }));
    if (this.#options.target.rest.length > 0) this.#fromTarget(this.#options.target.rest);
    target.resume();
    if (target.destroyed) this.#targetClosed();
    // Last: the edge may have said that the session is over already.
    this.#options.edge.listen((data, binary) => {
      try {
        if (binary) this.#data(data);
        else this.#control(data);
      } catch (error) {
        this.#fault(error);
      }
    });
    if (socket.readyState === socket.CLOSED) this.#closed("");
  }

  /** Ends the session now, from this side. */
  kill(code: string, message = "the session was ended at the connector"): void {
    if (this.#over) return;
    this.#reason ??= code;
    this.#stopTarget();
    if (this.#socket.readyState === 1) this.#socket.send(encodeControl({ t: "reset", code, message }));
    this.#closeSoon();
  }

  // --- from the edge ------------------------------------------------------------------------------------

  #data(message: Buffer): void {
    const frame = splitFrame(message);
    if (!frame) {
      this.kill("FRAME_MALFORMED", "the edge sent a message that is no frame");
      return;
    }
    for (const record of frame.records) this.#record("event", record);
    const bytes = frame.data;
    if (this.#window.received(bytes.length)) {
      this.kill("CREDIT_EXCEEDED", "the edge sent more than it was granted");
      return;
    }
    this.bytesIn += bytes.length;
    this.#record("frontend", bytes);
    this.#flush();
    if (this.#over || this.#target.destroyed) return;
    this.#target.write(bytes, () => {
      const credit = this.#window.drained(bytes.length);
      if (credit > 0 && this.#socket.readyState === 1)
        this.#socket.send(encodeControl({ t: "credit", bytes: credit }));
    });
  }

  #control(data: Buffer): void {
    const records = recordLines(data);
    if (records) {
      // As they came: both sides hash the same bytes.
      for (const record of records) this.#record("event", record);
      return;
    }
    const parsed = parseEdgeToConnector(data.toString());
    if (!parsed.ok) {
      this.kill(parsed.code, parsed.message);
      return;
    }
    const { message } = parsed;
    if (message.t === "record") this.kill("CONTROL_MALFORMED", "the edge sent a record in another form");
    else this.#order(message);
  }

  #order(message: Exclude<EdgeToConnector, { t: "record" }>): void {
    switch (message.t) {
      case "credit":
        if (!this.#sender.grant(message.bytes)) {
          this.kill("CREDIT_INVALID", "the edge granted credit for bytes that were not sent");
        } else if (this.#sender.queued === 0) this.#target.resume();
        return;
      case "cancel":
        this.#options.cancel();
        return;
      case "explain":
        void this.#explain(message.id, message);
        return;
      case "eof":
        this.#target.end();
        return;
      case "reset":
        this.#reason ??= message.code;
        this.#stopTarget(message.idle);
        this.#closeSoon();
    }
  }

  /** One at a time: the edge holds one statement at a time. */
  async #explain(id: number, ask: ExplainAsk): Promise<void> {
    if (this.#explaining) return;
    this.#explaining = true;
    const explained = await this.#options.explain(ask);
    this.#explaining = false;
    if (this.#socket.readyState === 1) this.#socket.send(encodeControl({ t: "plan", id, ...explained }));
  }

  // --- from the target ----------------------------------------------------------------------------------

  #fromTarget(chunk: Uint8Array): void {
    const parts = this.#scrubber.push(chunk);
    if (parts === null) {
      this.kill("TARGET_PROTOCOL", "the database sent what is not of its protocol");
      return;
    }
    if (parts.length > 0) this.#sender.data(concat(parts));
    if (this.#sender.queued > 0) this.#target.pause();
  }

  /** A frame leaves for the edge. */
  #emit(message: Uint8Array | string): void {
    if (typeof message !== "string") {
      this.#record("backend", message);
      if (this.#recorded) this.#guarded(() => this.#recording.flushSoon());
      this.bytesOut += message.length;
    }
    if (this.#socket.readyState === 1) this.#socket.send(message);
  }

  #targetClosed(): void {
    if (this.#targetEnded) return;
    this.#targetEnded = true;
    this.#sender.control(encodeControl({ t: "eof" }));
    this.#closeSoon();
  }

  /** A server that computes does not notice that its client is gone: it is told, unless it is `idle`. */
  #stopTarget(idle = false): void {
    if (this.#target.destroyed) return;
    if (!idle) this.#options.cancel();
    this.#target.destroy();
  }

  // --- the record ---------------------------------------------------------------------------------------

  #record(kind: "event" | "frontend" | "backend", bytes: Uint8Array): void {
    if (this.#recorded) this.#guarded(() => this.#recording.add(kind, bytes));
  }

  #flush(): void {
    if (this.#recorded) this.#guarded(() => this.#recording.flush());
  }

  #guarded(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#recordingFailed(error);
      // Whoever wants to go on must not: it would be unrecorded.
      if (this.#over || this.#options.onFailure === "terminate") throw error;
    }
  }

  #recordingFailed(error: RecordingError): void {
    if (!this.#recorded || this.#over) return;
    if (this.#options.onFailure === "terminate") {
      this.kill("RECORDING_FAILED", "the session cannot be recorded any more, so it ends");
      return;
    }
    this.#recorded = false;
    this.#options.unrecorded(error.message);
  }

  #fault(error: unknown): void {
    if (!(error instanceof RecordingError))
      this.kill("INTERNAL_ERROR", "the session failed at the connector");
  }

  // --- the end ------------------------------------------------------------------------------------------

  /** The edge closes when it has read everything; one that does not is cut. */
  #closeSoon(): void {
    setTimeout(() => this.#socket.terminate(), CLOSE_MS).unref();
  }

  #closed(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#deadline);
    const told = /^[A-Z][A-Z0-9_]{0,63}$/.test(reason) ? reason : null;
    if (told === null && this.#reason === null) this.#stopTarget();
    // A session that ended as planned has told the server so: it is given the time to read it.
    this.#target.end();
    setTimeout(() => this.#target.destroy(), CLOSE_MS).unref();
    const end = this.#reason ?? told ?? "CONNECTION_LOST";
    this.#recording.close(end);
    this.#options.ended(end);
  }
}
