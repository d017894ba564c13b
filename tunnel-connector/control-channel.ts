/**
 * The one long-lived socket to the edge. It is kept open: a ping every heartbeat, and a new attempt with full
 * jitter whenever it is lost. What the edge says on it is validated before anyone sees it.
 */
import type WebSocket from "ws";
import {
  type ConnectorControl,
  type Dial,
  encodeConnectorControl,
  parseEdgeControl,
} from "../wire/control.ts";
import { CONNECTOR_SUBPROTOCOL } from "../wire/tunnel.ts";
import { backoff, sleep } from "./backoff.ts";
import { EdgeRefusal, edgeSocket, opened } from "./edge-socket.ts";
import type { ConnectorIdentity } from "./identity.ts";
import type { Log } from "./log.ts";

/** After this silence behind a `ping` the edge is gone, milliseconds. */
const PONG_MS = 30_000;
/** Without an interval from the edge. */
const HEARTBEAT_MS = 20_000;
/** A connection that lasted this long starts the pauses anew. */
const STEADY_MS = 60_000;
/** The edge gave the name to another key, or took it away: trying again cannot help. */
const FINAL_REASONS = new Set(["CONNECTOR_REPLACED", "CONNECTOR_REMOVED"]);
const FINAL_REFUSALS = new Set(["CONNECTOR_UNKNOWN", "TOKEN_SIGNATURE"]);

export interface ControlHandlers {
  dial(message: Dial): void;
  kill(session: string): void;
  /** The edge is there, or not. */
  online(online: boolean): void;
  /** The edge does not know this connector (any more). */
  expelled(code: string): void;
}

export interface ControlOptions {
  readonly edge: string;
  readonly identity: ConnectorIdentity;
  readonly version: string;
  readonly resources: readonly string[];
  /** It can seal recordings. */
  readonly seals: boolean;
  readonly log: Log;
  readonly handlers: ControlHandlers;
}

export class ControlChannel {
  readonly #options: ControlOptions;
  readonly #stop = new AbortController();
  #socket: WebSocket | null = null;
  #ready = false;
  #loop: Promise<void> | null = null;
  reconnects = 0;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** True while the edge has said welcome on an open socket. */
  get online(): boolean {
    return this.#ready;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Sends; dropped when the edge is not there, which then has given the session up already. */
  send(message: ConnectorControl): void {
    if (this.#socket?.readyState === 1) this.#socket.send(encodeConnectorControl(message));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#socket?.close(1000);
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { log, handlers } = this.#options;
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      const began = Date.now();
      const end = await this.#once().catch((error: Error) => error);
      if (this.#ready) handlers.online(false);
      this.#ready = false;
      this.#socket = null;
      if (this.#stop.signal.aborted) return;
      const code = end instanceof EdgeRefusal ? end.code : typeof end === "string" ? end : "UNREACHABLE";
      const final = end instanceof EdgeRefusal ? FINAL_REFUSALS.has(code) : FINAL_REASONS.has(code);
      if (final) {
        handlers.expelled(code);
        return;
      }
      if (Date.now() - began > STEADY_MS) attempt = 0;
      const pause = backoff(attempt++);
      this.reconnects += 1;
      log("warn", "edge lost", { code, reason: end instanceof Error ? end.message : end, retry_ms: pause });
      await sleep(pause, this.#stop.signal);
    }
  }

  /** One connection; resolves with the reason of its end. */
  async #once(): Promise<string> {
    const { edge, identity, version, resources, seals, log, handlers } = this.#options;
    const headers = { authorization: `Bearer ${await identity.token()}` };
    const socket = edgeSocket(edge, "/connector/control", CONNECTOR_SUBPROTOCOL, headers);
    this.#socket = socket;
    let heartbeat: NodeJS.Timeout | null = null;
    let pong: NodeJS.Timeout | null = null;
    const beat = (ms: number): void => {
      if (heartbeat) clearInterval(heartbeat);
      heartbeat = setInterval(() => {
        socket.send("ping");
        // What came while this process was busy is read before the socket is given up.
        pong ??= setTimeout(() => setImmediate(() => pong && socket.terminate()), PONG_MS);
      }, ms);
    };
    const closed = new Promise<string>((resolve) => {
      socket.on("close", (code, reason) => resolve(reason.toString() || `closed with ${code}`));
    });
    socket.on("message", (data, binary) => {
      const text = String(data);
      // Whatever the edge says, it is there.
      if (pong) clearTimeout(pong);
      pong = null;
      if (!binary && text === "pong") return;
      const parsed = binary ? null : parseEdgeControl(text);
      if (!parsed?.ok) {
        log("error", "edge not understood", { code: parsed?.code ?? "CONTROL_MALFORMED" });
        socket.close(4400, parsed?.code ?? "CONTROL_MALFORMED");
        return;
      }
      const { message } = parsed;
      if (message.t === "welcome") {
        beat(message.heartbeatMs);
        socket.send(
          encodeConnectorControl({
            v: 1,
            t: "hello",
            name: identity.name,
            version,
            resources: [...resources],
            seals,
          }),
        );
        this.#ready = true;
        log("info", "online", { edge });
        handlers.online(true);
      } else if (message.t === "dial") handlers.dial(message);
      else if (message.t === "kill") handlers.kill(message.session);
      else {
        // The edge restarts soon: sessions have sockets of their own; this one is opened anew.
        log("info", "edge drains");
        socket.close(1000, "DRAINED");
      }
    });
    // Set before the handshake ends: a welcome may come with it.
    beat(HEARTBEAT_MS);
    try {
      await opened(socket);
      socket.on("error", (error) => log("debug", "control socket", { error }));
      return await closed;
    } finally {
      if (heartbeat) clearInterval(heartbeat);
      if (pong) clearTimeout(pong);
      socket.on("error", () => {});
      socket.terminate();
    }
  }
}
