/**
 * The relay of one Postgres session: two sockets, the gate between them, and the credit that keeps what waits
 * here under a bound. Synchronous throughout: an `await` before a `send` would reorder the stream. It knows
 * nothing of storage, time limits or people; `object.ts` does.
 */
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import {
  type GateEvent,
  type GateHold,
  type GateReason,
  PostgresGate,
} from "../../policies/postgres/gate.ts";
import { scrubber } from "../../policies/postgres/scrub.ts";
import { RecordingRoots } from "../../wire/recording.ts";
import { sha256 } from "../../wire/sha256.ts";
import {
  encodeControl,
  INITIAL_WINDOW,
  MAX_DATA_FRAME,
  parseClientToEdge,
  parseConnectorToEdge,
  RelayWindow,
} from "../../wire/tunnel.ts";
import { ClientStream } from "./client-stream.ts";
import { type Answered, ConnectorStream } from "./connector-stream.ts";
import type { RelayEnd, RelayOptions, RelaySocket, Waiting } from "./relay-types.ts";

export type * from "./relay-types.ts";

/** A peer that lets so much wait in its socket is cut: credit alone keeps an honest one below a window. */
const MAX_BUFFERED = 2 * INITIAL_WINDOW;
/** How long the outcome of a statement waits for a statement to go along with, milliseconds. */
const RECORDS_MS = 200;
/** Largest message of a plain bridge, which knows no frames. */
const MAX_PLAIN_MESSAGE = INITIAL_WINDOW;

export class PostgresRelay {
  /** Over what crosses the connector's socket, as the connector counts it too. */
  readonly roots: RecordingRoots;
  readonly #options: RelayOptions;
  readonly #full: boolean;
  readonly #gate: PostgresGate;
  readonly #toConnector: ConnectorStream;
  readonly #toClient = new ClientStream();
  /** Credit of the client and of the connector. */
  readonly #clientWindow = new RelayWindow();
  readonly #connectorWindow = new RelayWindow();
  #connector: RelaySocket | null = null;
  #isOpen = false;
  #explains = false;
  #over: RelayEnd | null = null;
  #failure: GateReason | null = null;
  #poll: ReturnType<typeof setTimeout> | null = null;
  /** Sends the records that no data took along. */
  #later: ReturnType<typeof setTimeout> | null = null;
  #peak = 0;
  #lastActive: number;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#full = options.task.recording.level === "full";
    this.roots = new RecordingRoots(options.session);
    this.#lastActive = options.clock();
    this.#toConnector = new ConnectorStream(this.roots, (message) => this.#sendConnector(message));
    this.#gate = new PostgresGate({
      task: options.task,
      clock: () => options.clock(),
      cancelKey: options.cancelKey,
      session: options.session,
      scrub: scrubber,
      maxMessage: options.maxMessage,
      permit: () => options.permit(),
      host: {
        toClient: (bytes) => this.#toClient.data(bytes),
        toServer: (bytes) => {
          if (this.#connector) this.#toConnector.data(bytes);
        },
        record: (event) => this.#record(event),
        end: (reason) => this.#gateEnded(reason),
        cancel: (processId, secretKey) => options.cancel?.(processId, secretKey),
        ...(options.hold ? { hold: (hold: GateHold) => options.hold!(hold) } : {}),
      },
    });
  }

  /**
   * The messages that the connector has on its disk for sure, because a statement was answered, or rows of it came; null
   * for none.
   */
  get answered(): Answered | null {
    const began = this.#gate.answering;
    if (began > 0) this.#toConnector.answer(began);
    return this.#toConnector.answered;
  }

  get gate(): PostgresGate {
    return this.#gate;
  }

  get end(): RelayEnd | null {
    return this.#over;
  }

  get hasClient(): boolean {
    return this.#toClient.attached;
  }

  get hasConnector(): boolean {
    return this.#connector !== null;
  }

  /** True once the target is open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Time of the last message of the client, or of the last one that was owed to it; ms since the epoch. */
  get lastActive(): number {
    return this.#lastActive;
  }

  get waiting(): Waiting {
    return {
      gate: this.#gate.bufferedFromClient + this.#gate.bufferedFromServer,
      client: this.#toClient.level,
      connector: this.#connectorLevel(),
    };
  }

  /** The largest sum of `waiting` so far, bytes. */
  get peak(): number {
    return this.#peak;
  }

  /** The client's socket. `framed`: it speaks `wicket.pg.v1`; otherwise it is a plain bridge. */
  attachClient(socket: RelaySocket, framed: boolean): void {
    this.#toClient.attach(socket, framed);
    const { session, deadline, cancelKey } = this.#options;
    let secretKey = "";
    for (const byte of cancelKey.secretKey) secretKey += byte.toString(16).padStart(2, "0");
    const cancel = { processId: cancelKey.processId, secretKey };
    this.#toClient.control({ t: "session", id: session, cancel, expires: deadline });
  }

  attachConnector(socket: RelaySocket): void {
    this.#connector = socket;
  }

  clientMessage(data: string | ArrayBuffer): void {
    if (this.#over) return;
    this.#lastActive = this.#options.clock();
    if (typeof data !== "string") this.#clientData(new Uint8Array(data));
    else if (this.#toClient.framed) this.#clientControl(data);
    else this.#violated("client", "CONTROL_UNKNOWN", "a plain bridge sends binary messages only");
    this.#settle();
  }

  connectorMessage(data: string | ArrayBuffer): void {
    if (this.#over) return;
    if (typeof data !== "string") this.#connectorData(new Uint8Array(data));
    else this.#connectorControl(data);
    this.#settle();
  }

  clientClosed(): void {
    this.#toClient.mute();
    this.finish("CLIENT_GONE", "the client's connection was lost");
  }

  connectorClosed(): void {
    this.finish("CONNECTOR_LOST", "the connection to the database's connector was lost");
  }

  /**
   * Ends the session: the client is told in the protocol (FATAL, SQLSTATE 57P01 unless given) where it can
   * still be told anything.
   */
  finish(code: string, message: string, sqlstate = "57P01"): void {
    if (this.#over) return;
    this.#gate.finish({ code, message, sqlstate });
    this.#settle();
  }

  /**
   * The target could not be opened. A driver that still negotiates would misread an error, so it waits for
   * the client's StartupMessage.
   */
  failed(code: string, message: string, sqlstate: string): void {
    this.#failure ??= { code, message, sqlstate };
    this.#failWhenStarted();
  }

  /** Cancels what runs when the key is the session's. False for any other key. */
  cancel(processId: number, secretKey: Uint8Array): boolean {
    if (this.#over || !this.#gate.matchesCancel(processId, secretKey)) return false;
    this.#sendConnector(encodeControl({ t: "cancel" }));
    return true;
  }

  /** A control message for the client outside of the stream's order; nothing for a plain bridge. */
  tell(text: string): void {
    if (!this.#toClient.muted && !this.#over) this.#toClient.now(text);
  }

  /** Asks for a plan; false when the connector makes none. */
  explain(id: number, text: string, params: readonly (string | null)[]): boolean {
    if (!this.#explains || this.#over) return false;
    this.#sendConnector(encodeControl({ t: "explain", id, text, params: [...params] }));
    return true;
  }

  /** After a call into the gate from outside (a verdict): sends what it made. */
  flush(): void {
    this.#settle();
  }

  // --- from the client ----------------------------------------------------------------------------------

  #clientData(bytes: Uint8Array): void {
    const { framed } = this.#toClient;
    if (bytes.length > (framed ? MAX_DATA_FRAME : MAX_PLAIN_MESSAGE)) {
      this.#violated("client", "FRAME_TOO_LARGE", "a message is larger than allowed");
      return;
    }
    if (framed && this.#clientWindow.received(bytes.length)) {
      this.#violated("client", "CREDIT_EXCEEDED", "more was sent than was granted");
      return;
    }
    this.#gate.fromClient(bytes);
    if (this.#failure) this.#failWhenStarted();
    if (!framed && this.#connectorLevel() > MAX_BUFFERED) {
      this.#violated("client", "CLIENT_TOO_FAST", "more was sent than the database takes");
    }
  }

  #clientControl(text: string): void {
    const parsed = parseClientToEdge(text);
    if (!parsed.ok) {
      this.#violated("client", parsed.code, parsed.message);
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case "credit":
        if (!this.#toClient.grant(message.bytes)) {
          this.#violated("client", "CREDIT_INVALID", "credit was granted for bytes that were not sent");
        }
        return;
      case "eof":
        this.#toConnector.end();
        return;
      case "reset":
        this.#toClient.mute();
        this.finish("CLIENT_RESET", "the client reset the connection");
    }
  }

  // --- from the connector -------------------------------------------------------------------------------

  #connectorData(bytes: Uint8Array): void {
    if (bytes.length > MAX_DATA_FRAME) {
      this.#violated("connector", "FRAME_TOO_LARGE", "a message is larger than allowed");
      return;
    }
    if (this.#connectorWindow.received(bytes.length)) {
      this.#violated("connector", "CREDIT_EXCEEDED", "more was sent than was granted");
      return;
    }
    // The connector keeps the hash alone where the task records no results.
    if (this.#full) this.roots.add("backend", bytes);
    else this.roots.backend.addHashed("backend", sha256(bytes), bytes.length);
    const owed = !this.#gate.idle;
    this.#gate.fromServer(bytes);
    if (this.#gate.idle) this.#toConnector.settled();
    if (owed) this.#lastActive = this.#options.clock();
  }

  #connectorControl(text: string): void {
    const parsed = parseConnectorToEdge(text);
    if (!parsed.ok) {
      this.#violated("connector", parsed.code, parsed.message);
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case "credit":
        if (!this.#toConnector.grant(message.bytes)) {
          this.#violated("connector", "CREDIT_INVALID", "credit was granted for bytes that were not sent");
        }
        return;
      case "opened":
        this.#explains = message.explains ?? false;
        this.#opened(message.parameters, message.serverVersion, message.catalog as unknown as Catalog);
        return;
      case "plan":
        this.#options.plan?.(message.id, message.plan, message.message ?? null);
        return;
      case "eof":
        // The server says why before it closes; a word of the edge after it would only confuse.
        this.#toClient.flush();
        this.#toClient.mute();
        this.finish("TARGET_CLOSED", "the database closed the connection");
        return;
      case "reset":
        this.finish(message.code, message.message);
    }
  }

  #opened(parameters: Record<string, string>, serverVersion: number, catalog: Catalog): void {
    if (this.#isOpen) {
      this.#violated("connector", "OUT_OF_TURN", "a session is opened once");
      return;
    }
    let decider: StatementDecider;
    try {
      decider = this.#options.decider(catalog);
    } catch {
      this.#violated("connector", "CATALOG_INVALID", "the database's catalog could not be read");
      return;
    }
    this.#isOpen = true;
    this.#gate.opened({ parameters, serverVersion, decider, catalog });
    this.#options.opened();
  }

  // --- from the gate ------------------------------------------------------------------------------------

  /**
   * A fact for the recording. It goes out before the data that the gate gives later in the same turn, and
   * data from before it in the turn may follow it: the connector writes it down before either.
   */
  #record(event: GateEvent): void {
    this.#options.event(event);
    if (this.#connector) this.#toConnector.record(event);
  }

  #gateEnded(reason: GateReason): void {
    this.#toClient.flush();
    this.#toConnector.flush();
    this.#toConnector.flushRecords();
    const planned = ["CLIENT_TERMINATED", "CANCEL_REQUEST", "TARGET_CLOSED"].includes(reason.code);
    this.#over = { code: reason.code, message: reason.message, cut: !planned };
    if (this.#poll !== null) clearTimeout(this.#poll);
    if (this.#later !== null) clearTimeout(this.#later);
    const told = { t: "reset", code: reason.code, message: reason.message.slice(0, 1000) } as const;
    if (planned && this.#toConnector.queued === 0) this.#toConnector.end();
    else this.#sendConnector(encodeControl(this.#gate.idle ? { ...told, idle: true } : told));
    if (reason.code !== "CLIENT_GONE" && reason.code !== "CLIENT_RESET") {
      // What waits for credit would never arrive: then the end is told at once.
      this.#toClient.now(encodeControl(this.#toClient.queued === 0 ? { t: "eof" } : told));
    }
    this.#options.ended(this.#over);
  }

  // --- sending ------------------------------------------------------------------------------------------

  #sendConnector(message: string | Uint8Array): void {
    try {
      this.#connector?.send(message);
    } catch {
      // Its close event ends the session.
    }
  }

  #failWhenStarted(): void {
    const failure = this.#failure;
    if (!failure || !this.#gate.startup || this.#over) return;
    this.finish(failure.code, failure.message, failure.sqlstate);
  }

  #violated(side: "client" | "connector", code: string, message: string): void {
    if (this.#over) return;
    const what = `the ${side} broke the tunnel's protocol: ${message}`;
    this.#record({ t: "alarm", code, message: what, at: this.#options.clock() });
    this.finish(code, what, "08P01");
  }

  // --- credit -------------------------------------------------------------------------------------------

  #connectorLevel(): number {
    const buffered = this.#connector?.bufferedAmount ?? 0;
    return Math.max(this.#toConnector.level, buffered) + this.#toConnector.queuedRecords;
  }

  /** After each input: sends what was made of it, then grants the credit that is due, both ways. */
  #settle(): void {
    this.#toClient.flush();
    this.#toConnector.flush();
    if (this.#over) return;
    if (this.#toConnector.hasRecords) {
      this.#later ??= setTimeout(() => {
        this.#later = null;
        this.#toConnector.flushRecords();
      }, RECORDS_MS);
    }
    const gate = this.#gate;
    const client = this.#toClient.level;
    const connector = this.#connectorLevel();
    const all = client + connector + gate.bufferedFromClient + gate.bufferedFromServer;
    if (all > this.#peak) this.#peak = all;
    if (client > MAX_BUFFERED) {
      this.#toClient.mute();
      this.finish("CLIENT_STALLED", "the client does not take what it asked for");
      return;
    }
    if (connector > 2 * MAX_BUFFERED) {
      this.finish("CONNECTOR_STALLED", "the connector does not take what is sent");
      return;
    }
    if (this.#connector) {
      const credit = this.#connectorWindow.settle(client + gate.bufferedFromServer);
      if (credit > 0) this.#sendConnector(encodeControl({ t: "credit", bytes: credit }));
    }
    const { framed, attached } = this.#toClient;
    if (framed && attached) {
      const credit = this.#clientWindow.settle(connector + gate.bufferedFromClient);
      if (credit > 0) this.#toClient.now(encodeControl({ t: "credit", bytes: credit }));
    }
    // A plain bridge says nothing when it has drained: look again.
    if (!framed && client > 0 && this.#poll === null) {
      this.#poll = setTimeout(() => {
        this.#poll = null;
        this.#settle();
      }, 10);
    }
  }
}
