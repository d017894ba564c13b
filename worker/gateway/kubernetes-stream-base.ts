/** What exec, attach and port-forward share: a client's WebSocket, a channel to the connector, and their life. */
import type { KubePermit } from "../../policies/kubernetes/decide.ts";
import { upstreamTarget } from "../../wire/kubernetes/request.ts";
import { type ChannelAnswer, ChannelError, type RequestChannel } from "./request-channel.ts";
import {
  type HeldRequest,
  type RequestHost,
  type RequestLedger,
  readAnswer,
  type StatementEvent,
} from "./requests.ts";

/** A client that sends faster than the target takes is cut at this many waiting bytes. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Reading from the target pauses while the client has this much unsent. */
const MAX_UNSENT = 1024 * 1024;
/** Reading pauses while this much waits on its way to the recording. */
const MAX_LAG = 1024 * 1024;
/** How long the API server's words about a refused stream are waited for, milliseconds. */
const REFUSAL_PATIENCE = 5000;

/** One stream. What extends it reads the frames. */
export abstract class KubeStream {
  protected readonly host: RequestHost;
  protected readonly socket: WebSocket;
  protected readonly channel: RequestChannel;
  protected readonly statement: StatementEvent;
  readonly #ledger: RequestLedger;
  protected readonly permit: KubePermit;
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
    this.permit = permit;
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
      const { rule } = this.statement.decision;
      const no = verdict.effect === "deny" ? verdict : late;
      if (no !== null) {
        this.#ledger.denied += 1;
        const decision = { effect: "deny", reason: no.code, message: no.message, rule } as const;
        this.host.record({ ...this.statement, decision });
      } else if (verdict.effect === "allow") this.host.record(this.statement);
      if (verdict.effect === "deny") throw new ChannelError(verdict.code, verdict.message);
      if (verdict.effect === "wait") throw new ChannelError("APPROVAL_PENDING", verdict.message);
      if (late !== null) throw new ChannelError(late.code, late.message);
    }
    const { request } = this.permit;
    const answer = await this.channel.request({
      method: "GET",
      target: upstreamTarget(request),
      headers: [],
      ...(request.verb === "portforward"
        ? { upgrade: "portforward" as const }
        : { upgrade: "channels" as const, keep: this.statement.n }),
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
      while (!this.over && (unsent(this.socket) > MAX_UNSENT || this.host.lag() > MAX_LAG))
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
    this.host.record(outcome);
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
