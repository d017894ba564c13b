/** Exec and attach: every frame is read, output is masked for credentials, and both are recorded. */

import type { KubePermit } from "../../policies/kubernetes/decide.ts";
import { SecretMasker } from "../../wire/http/secrets.ts";
import { type CastLine, castHeader, castResize } from "../../wire/kubernetes/asciicast.ts";
import {
  CHANNEL_CLOSE,
  CHANNEL_ERROR,
  CHANNEL_STDERR,
  CHANNEL_STDOUT,
  type ChannelProtocol,
  channelMessage,
  MessageReader,
  packMessage,
  readClientFrame,
  readServerFrame,
} from "../../wire/kubernetes/channels.ts";
import { type Status, streamFailure } from "../../wire/kubernetes/status.ts";
import { ByteQueue, type OutputKind, type PieceKind, starsOf } from "../../wire/pieces.ts";
import { KubeStream } from "./kubernetes-stream-base.ts";
import type { RequestChannel } from "./request-channel.ts";
import type { RequestHost, RequestLedger, StatementEvent } from "./requests.ts";

/** Exec and attach. */
export class ProcessStream extends KubeStream {
  readonly #protocol: ChannelProtocol;
  readonly #messages = new MessageReader();
  readonly #maskers = { stdout: new SecretMasker(), stderr: new SecretMasker() };
  /** What came and was not shown yet. */
  readonly #raw = { stdout: new ByteQueue(), stderr: new ByteQueue() };
  readonly #masked = { stdout: 0, stderr: 0 };
  readonly #masking = { stdout: false, stderr: false };
  /** Of what is typed, for the recording. */
  readonly #typed = new SecretMasker();
  #upstream: string = "";
  #pause: ReturnType<typeof setTimeout> | null = null;

  constructor(
    host: RequestHost,
    ledger: RequestLedger,
    socket: WebSocket,
    channel: RequestChannel,
    permit: KubePermit,
    statement: StatementEvent,
    protocol: ChannelProtocol,
  ) {
    super(host, ledger, socket, channel, permit, statement);
    this.#protocol = protocol;
  }

  protected opened(protocol: string): void {
    this.#upstream = protocol;
    const { verb, namespace, name, query } = this.permit.request;
    const words = query.filter(([key]) => key === "command").map(([, value]) => value);
    const timestamp = Math.floor(this.statement.at / 1000);
    const title = `${verb} ${namespace}/${name}`;
    this.#cast(castHeader({ width: 80, height: 24, timestamp, command: words.join(" "), title }));
  }

  #cast(line: CastLine): void {
    this.host.record({ t: "cast", n: this.statement.n, line });
  }

  #keep(kind: PieceKind, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.host.keep({ kind, n: this.statement.n, ms: this.host.now() - this.statement.at, bytes });
  }

  protected fromClient(message: Uint8Array): void {
    const frame = readClientFrame(message, this.#protocol);
    if (typeof frame === "string") {
      this.fail("STREAM_FRAME", frame);
      return;
    }
    if (frame.t === "stdin") this.#keep("stdin", this.#typed.push(frame.bytes));
    if (frame.t === "resize") {
      this.#cast(castResize(frame.columns, frame.rows, this.host.now() - this.statement.at));
    }
    // v4 cannot close a channel: the process then waits, as with any client of that age.
    if (frame.t === "close" && this.#upstream !== "v5.channel.k8s.io") return;
    this.channel.write(packMessage(message));
  }

  protected fromServer(chunk: Uint8Array): void {
    const messages = this.#messages.push(chunk);
    if (messages === null) {
      this.fail("STREAM_FRAME", "a message of the API server is too large");
      return;
    }
    for (const message of messages) {
      const frame = readServerFrame(message);
      if (typeof frame === "string") {
        this.fail("STREAM_FRAME", frame);
        return;
      }
      if (frame.t === "stdout" || frame.t === "stderr") {
        if (frame.bytes.length === 0) this.send(message.slice());
        else {
          this.#raw[frame.t].push(frame.bytes);
          this.#output(frame.t, this.#maskers[frame.t].push(frame.bytes));
        }
      } else if (frame.t === "status") {
        this.#flush(true);
        this.send(message.slice());
      } else if (frame.t === "close" && this.#protocol === "v5.channel.k8s.io") {
        this.#flush(true);
        this.send(Uint8Array.of(CHANNEL_CLOSE, frame.channel));
      }
    }
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#flush(false), 30);
  }

  /** The connector has what was written: it is told how much of it was shown, and where it was masked. */
  #keepOutput(kind: OutputKind, bytes: Uint8Array): void {
    const { masked, masking } = this.#maskers[kind];
    const plain = masked === this.#masked[kind] && !masking && !this.#masking[kind];
    this.#masked[kind] = masked;
    this.#masking[kind] = masking;
    const stars = plain ? [] : starsOf(this.#raw[kind].take(bytes.length)!, bytes);
    if (plain) this.#raw[kind].skip(bytes.length);
    const ms = this.host.now() - this.statement.at;
    this.host.keep({ kind, n: this.statement.n, ms, bytes }, stars);
  }

  /** Sends what was held back: all of it at the end, a few letters at a pause. */
  #flush(all: boolean): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const masker = this.#maskers[stream];
      this.#output(stream, all ? masker.flush() : masker.flushShort());
    }
  }

  #output(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (bytes.length === 0 || this.over) return;
    this.#keepOutput(stream, bytes);
    this.send(channelMessage(stream === "stdout" ? CHANNEL_STDOUT : CHANNEL_STDERR, bytes));
  }

  protected refused(body: Uint8Array | null): void {
    let message = "the API server refused the stream";
    try {
      const status = JSON.parse(new TextDecoder().decode(body ?? new Uint8Array(0))) as Partial<Status>;
      if (typeof status.message === "string") message = status.message.slice(0, 1000);
    } catch {
      // Not a Status: the general sentence stands.
    }
    this.told(message);
  }

  protected notice(message: string): void {
    this.send(channelMessage(CHANNEL_STDERR, new TextEncoder().encode(`${message}\r\n`)));
  }

  protected told(message: string): void {
    const status = new TextEncoder().encode(JSON.stringify(streamFailure(message)));
    try {
      this.socket.send(channelMessage(CHANNEL_ERROR, status));
    } catch {
      // The client is gone.
    }
  }

  protected finished(): void {
    this.#flush(true);
  }

  protected ended(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#keep("stdin", this.#typed.flush());
  }
}
