/**
 * Exec, attach and port-forward: the client's WebSocket on one side, a channel to the connector on the other. Bytes
 * flow only after the API server's own 101; anything else ends the stream. Every frame is read, ports are decided
 * stream by stream, output is masked and recorded.
 */
import { type KubePermit, portAllowed } from "../../policies/kubernetes/decide.ts";
import { SecretMasker } from "../../wire/http/secrets.ts";
import { CastWriter } from "../../wire/kubernetes/asciicast.ts";
import {
  CHANNEL_CLOSE,
  CHANNEL_ERROR,
  CHANNEL_STDERR,
  CHANNEL_STDOUT,
  type ChannelProtocol,
  channelMessage,
  channelProtocols,
  MessageReader,
  packMessage,
  readClientFrame,
  readServerFrame,
} from "../../wire/kubernetes/channels.ts";
import { upstreamTarget } from "../../wire/kubernetes/request.ts";
import { ForwardReader } from "../../wire/kubernetes/spdy.ts";
import { failure, type Status, streamFailure } from "../../wire/kubernetes/status.ts";
import { type ChannelAnswer, ChannelError, type RequestChannel } from "./request-channel.ts";
import { type HeldRequest, type RequestHost, type RequestLedger, readAnswer } from "./requests.ts";

/** The subprotocol of port-forward over WebSocket. */
const FORWARD_PROTOCOL = "SPDY/3.1+portforward.k8s.io";
/** A client that sends faster than the target takes is cut at this many waiting bytes. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Reading from the target pauses while the client has this much unsent. */
const MAX_UNSENT = 1024 * 1024;

/** How long the API server's words about a refused stream are waited for, milliseconds. */
const REFUSAL_PATIENCE = 5000;

type StatementEvent = Parameters<RequestHost["record"]>[0] & { t: "statement" };

/** Answers the upgrade and runs the stream. Errors before the upgrade are thrown as `ChannelError`. */
export async function serveStream(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  permit: KubePermit,
  statement: StatementEvent,
  held: Omit<HeldRequest, "patience"> | null,
): Promise<Response> {
  const forward = permit.request.verb === "portforward";
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  const protocol = forward
    ? offered.find((name) => name === FORWARD_PROTOCOL)
    : channelProtocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    const message = `none of the stream protocols is served here; ${forward ? FORWARD_PROTOCOL : channelProtocols.join(", ")} are`;
    return new Response(JSON.stringify(failure(400, message)), {
      status: 400,
      headers: { "content-type": "application/json" },
    });
  }
  const channel = await host.channel();
  host.record(statement, channel);
  const pair = new WebSocketPair();
  const [client, server] = [pair[0], pair[1]];
  server.binaryType = "arraybuffer";
  server.accept();
  const stream = forward
    ? new ForwardStream(host, ledger, server, channel, permit, statement)
    : new ProcessStream(host, ledger, server, channel, permit, statement, protocol as ChannelProtocol);
  stream.start(held);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { "sec-websocket-protocol": protocol },
  });
}

/** What both kinds of stream share: their life, and the record of it. */
abstract class KubeStream {
  protected readonly host: RequestHost;
  protected readonly socket: WebSocket;
  protected readonly channel: RequestChannel;
  protected readonly statement: StatementEvent;
  readonly #ledger: RequestLedger;
  readonly #permit: KubePermit;
  protected bytes = 0;
  protected over = false;
  protected streaming = false;
  #early: ArrayBuffer[] = [];
  #earlySize = 0;

  constructor(
    host: RequestHost,
    ledger: RequestLedger,
    socket: WebSocket,
    channel: RequestChannel,
    permit: KubePermit,
    statement: StatementEvent,
  ) {
    this.host = host;
    this.#ledger = ledger;
    this.socket = socket;
    this.channel = channel;
    this.#permit = permit;
    this.statement = statement;
  }

  /** `held`: what people must say yes to before anything goes to the API server. */
  start(held: Omit<HeldRequest, "patience"> | null): void {
    const cut = (code: string, message: string) => this.fail(code, message);
    this.#ledger.open.add(cut);
    this.onEnd = () => this.#ledger.open.delete(cut);
    this.socket.addEventListener("message", ({ data }) => {
      if (this.over) return;
      const late = this.host.permit();
      if (late !== null) {
        this.fail(late.code, late.message);
        return;
      }
      if (typeof data === "string") {
        this.fail("STREAM_TEXT", "text messages have no meaning here");
        return;
      }
      const bytes = data as ArrayBuffer;
      if (this.streaming) {
        this.fromClient(new Uint8Array(bytes));
        if (this.channel.queued > MAX_WAITING)
          this.fail("STREAM_TOO_FAST", "the target takes the data more slowly than it is sent");
        return;
      }
      this.#earlySize += bytes.byteLength;
      if (this.#earlySize > MAX_WAITING) {
        this.fail("STREAM_TOO_FAST", "too much was sent before the stream was open");
        return;
      }
      this.#early.push(bytes);
    });
    this.socket.addEventListener("close", () => this.end("CLIENT_GONE", false));
    this.socket.addEventListener("error", () => this.end("CLIENT_GONE", false));
    this.#run(held).catch((error: unknown) => {
      const fault =
        error instanceof ChannelError ? error : new ChannelError("STREAM_FAILED", "the stream failed");
      this.fail(fault.code, fault.message);
    });
  }

  async #run(held: Omit<HeldRequest, "patience"> | null): Promise<void> {
    if (held !== null) {
      const waiting = (message: string) => this.notice(message);
      const verdict = await this.host.hold!({ ...held, patience: null, waiting });
      if (this.over) return;
      const late = this.host.permit();
      if (verdict.effect === "deny") throw new ChannelError(verdict.code, verdict.message);
      if (verdict.effect === "wait") throw new ChannelError("APPROVAL_PENDING", verdict.message);
      if (late !== null) throw new ChannelError(late.code, late.message);
    }
    const { request } = this.#permit;
    const answer = await this.channel.request({
      method: "GET",
      target: upstreamTarget(request),
      headers: [],
      upgrade: request.verb === "portforward" ? "portforward" : "channels",
      caller: this.host.caller,
    });
    const { status, upgraded } = answer.head;
    // K5: a stream only after the API server's own 101.
    if (status !== 101 || upgraded === null) {
      // Only an error says something; a server that never ends its answer is not waited for.
      const body = status < 400 ? null : await within(readAnswer(answer, 64 * 1024), REFUSAL_PATIENCE);
      this.channel.abort("TARGET_REFUSED", "the API server refused the stream");
      this.refused(body);
      this.end("TARGET_REFUSED", false);
      return;
    }
    this.opened(upgraded);
    this.streaming = true;
    for (const bytes of this.#early.splice(0)) if (!this.over) this.fromClient(new Uint8Array(bytes));
    await this.#pump(answer);
  }

  async #pump(answer: ChannelAnswer): Promise<void> {
    for (;;) {
      const chunk = await answer.read();
      if (this.over) return;
      if (chunk === null) {
        this.finished();
        this.end("DONE", true);
        return;
      }
      this.fromServer(chunk);
      while (!this.over && unsent(this.socket) > MAX_UNSENT)
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  protected send(bytes: Uint8Array): void {
    if (this.over) return;
    this.bytes += bytes.length;
    const limit = this.host.task.limits.bytes;
    if (limit !== null && this.#ledger.bytes + this.bytes > limit) {
      this.fail("LIMIT_BYTES", `the task ${this.host.task.name} allows ${limit} bytes a session`);
      return;
    }
    this.socket.send(bytes);
  }

  /** Ends the stream and tells the client why. */
  protected fail(code: string, message: string): void {
    if (this.over) return;
    this.told(`wicketgate: ${message} (${code})`);
    this.channel.abort(code, message);
    this.end(code, false);
  }

  protected end(code: string, ok: boolean): void {
    if (this.over) return;
    this.over = true;
    this.onEnd();
    this.ended();
    this.#ledger.bytes += this.bytes;
    if (!this.channel.dead && this.channel.busy) this.channel.abort(code, "the stream is over");
    try {
      this.socket.close(1000, code);
    } catch {
      // Already closed by the other side.
    }
    const now = this.host.now();
    const ms = now - this.statement.at;
    const outcome = {
      t: "outcome",
      n: this.statement.n,
      ok,
      status: 101,
      rows: 0,
      bytes: this.bytes,
      masked: [],
      ms,
      at: now,
    } as const;
    this.host.record(outcome, this.channel.dead ? null : this.channel);
  }

  protected onEnd: () => void = () => {};
  protected abstract opened(protocol: string): void;
  protected abstract fromClient(message: Uint8Array): void;
  protected abstract fromServer(chunk: Uint8Array): void;
  /** The API server answered with an error: its body, or null. */
  protected abstract refused(body: Uint8Array | null): void;
  /** Shows the client a sentence while it waits. */
  protected abstract notice(message: string): void;
  /** Shows the client a sentence before the end. */
  protected abstract told(message: string): void;
  /** The API server ended the stream. */
  protected abstract finished(): void;
  protected abstract ended(): void;
}

/** Exec and attach. */
class ProcessStream extends KubeStream {
  readonly #protocol: ChannelProtocol;
  readonly #messages = new MessageReader();
  readonly #maskers = { stdout: new SecretMasker(), stderr: new SecretMasker() };
  readonly #cast: CastWriter;
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
    const { request } = permit;
    const command = request.query
      .filter(([key]) => key === "command")
      .map(([, value]) => value)
      .join(" ");
    const title = `${request.verb} ${request.namespace}/${request.name}`;
    const timestamp = Math.floor(statement.at / 1000);
    this.#cast = new CastWriter({ width: 80, height: 24, timestamp, command, title }, (line) => {
      host.record({ t: "cast", n: statement.n, line }, channel.dead ? null : channel);
    });
  }

  protected opened(protocol: string): void {
    this.#upstream = protocol;
  }

  protected fromClient(message: Uint8Array): void {
    const frame = readClientFrame(message, this.#protocol);
    if (typeof frame === "string") {
      this.fail("STREAM_FRAME", frame);
      return;
    }
    const now = this.host.now() - this.statement.at;
    if (frame.t === "stdin") this.#cast.input(frame.bytes, now);
    if (frame.t === "resize") this.#cast.resize(frame.columns, frame.rows, now);
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
        else this.#output(frame.t, this.#maskers[frame.t].push(frame.bytes));
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

  /** Sends what was held back: all of it at the end, a few letters at a pause. */
  #flush(all: boolean): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const masker = this.#maskers[stream];
      this.#output(stream, all ? masker.flush() : masker.flushShort());
    }
  }

  #output(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (bytes.length === 0 || this.over) return;
    this.#cast.output(stream, bytes, this.host.now() - this.statement.at);
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
    this.#cast.end(this.host.now() - this.statement.at);
  }
}

/** Port-forward: the client's SPDY bytes are read for the ports they ask for; the answers pass as they are. */
class ForwardStream extends KubeStream {
  readonly #reader: ForwardReader;
  #refusedPort: number | null = null;

  constructor(
    host: RequestHost,
    ledger: RequestLedger,
    socket: WebSocket,
    channel: RequestChannel,
    permit: KubePermit,
    statement: StatementEvent,
  ) {
    super(host, ledger, socket, channel, permit, statement);
    this.#reader = new ForwardReader(({ port, type }) => {
      if (!portAllowed(permit, port)) {
        this.#refusedPort = port;
        return false;
      }
      if (type === "data") host.record({ t: "forward", n: statement.n, port, at: host.now() }, channel);
      return true;
    });
  }

  protected opened(): void {}

  protected fromClient(message: Uint8Array): void {
    const { bytes, fault } = this.#reader.push(message);
    for (const part of bytes) this.channel.write(part.slice());
    if (fault === null) return;
    const port = this.#refusedPort;
    const message2 =
      port === null
        ? "the stream cannot be read"
        : `the task ${this.host.task.name} does not allow port ${port}`;
    if (port !== null)
      this.host.record(
        { t: "alarm", code: "PORT_NOT_GRANTED", message: message2, at: this.host.now() },
        null,
      );
    this.fail(port === null ? fault : "PORT_NOT_GRANTED", message2);
  }

  protected fromServer(chunk: Uint8Array): void {
    this.send(chunk.slice());
  }

  protected refused(): void {}
  protected notice(): void {}
  protected told(): void {}
  protected finished(): void {}
  protected ended(): void {}
}

/** What a promise gives, or null when it takes too long or fails. */
function within<T>(work: Promise<T>, ms: number): Promise<T | null> {
  return Promise.race([
    work.catch(() => null),
    new Promise<null>((resolve) => setTimeout(() => resolve(null), ms)),
  ]);
}

/** Bytes that the socket has not sent yet; runtimes without the property send at once. */
function unsent(socket: WebSocket): number {
  return (socket as { bufferedAmount?: number }).bufferedAmount ?? 0;
}
