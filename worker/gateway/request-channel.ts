/**
 * The edge's end of a session socket to a connector that carries HTTP (wire/requests.ts). It turns messages into one
 * promise of an answer and a stream of its bytes. The reader's pace is the sender's: credit is granted as bytes are
 * read, so a slow client holds at most one window here.
 */
import {
  parseRequestToEdge,
  type RequestHead,
  type RequestToConnector,
  type ResponseHead,
} from "../../wire/requests.ts";
import { FramedSender, ReceiveWindow } from "../../wire/tunnel.ts";

/** Why a request did not get its answer. */
export class ChannelError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** An answer: its head, and its bytes message by message. `read` gives null at the end. */
export interface ChannelAnswer {
  readonly head: ResponseHead;
  read(): Promise<Uint8Array | null>;
}

/** What is recorded of a session so far. */
export interface Written {
  /** How many facts must be in the recording before a request goes to the target. */
  readonly count: number;
  /** The target answered a request that waited for them: the connector has them. */
  answered(): void;
}

/** Of a session without a recording. */
export const NOTHING_WRITTEN: Written = { count: 0, answered: () => {} };

interface Waiting {
  resolve(chunk: Uint8Array | null): void;
  reject(error: Error): void;
}

/** One socket. `busy` from `request` until both sides ended; then it can be used again. */
export class RequestChannel {
  readonly #send: (message: Uint8Array | string) => void;
  readonly #close: (code: number, reason: string) => void;
  readonly #written: () => Written;
  readonly #unsent: () => number;
  #sender: FramedSender;
  #window = new ReceiveWindow();
  #n = 0;
  /** What was written when the request was sent. */
  #before: Written = NOTHING_WRITTEN;
  #head: { resolve(answer: ChannelAnswer): void; reject(error: Error): void } | null = null;
  #chunks: Uint8Array[] = [];
  #waiting: Waiting | null = null;
  #ended = { mine: true, theirs: true };
  #failed: ChannelError | null = null;
  /** Called when the socket may take another request, or never will. */
  onIdle: (() => void) | null = null;

  constructor(
    send: (message: Uint8Array | string) => void,
    close: (code: number, reason: string) => void,
    written: () => Written = () => NOTHING_WRITTEN,
    unsent: () => number = () => 0,
  ) {
    this.#send = send;
    this.#close = close;
    this.#written = written;
    this.#unsent = unsent;
    this.#sender = new FramedSender(send);
  }

  get busy(): boolean {
    // What was received and not read yet belongs to this request: another one would take it away.
    return !(this.#ended.mine && this.#ended.theirs && this.#chunks.length === 0);
  }

  get dead(): boolean {
    return this.#failed !== null;
  }

  /** Bytes received that nobody has read yet. */
  get held(): number {
    return this.#window.held;
  }

  /** Writes a fact for the recording. Returns the message. */
  record(event: Record<string, unknown>): string {
    const message = JSON.stringify({ t: "record", event });
    this.#send(message);
    return message;
  }

  /** Writes a piece (wire/pieces.ts) for the recording. */
  keep(piece: Uint8Array): void {
    this.#send(piece);
  }

  /** Bytes that the socket has not sent yet. */
  get unsent(): number {
    return this.#unsent();
  }

  /** Sends the head of a request. Its body follows by `write` and `end`. */
  request(head: Omit<RequestHead, "t" | "n" | "after">): Promise<ChannelAnswer> {
    if (this.#failed !== null) return Promise.reject(this.#failed);
    if (this.busy) return Promise.reject(new ChannelError("CHANNEL_BUSY", "the channel has a request"));
    this.#ended = { mine: false, theirs: false };
    this.#chunks = [];
    this.#n += 1;
    this.#before = this.#written();
    this.#control({ t: "request", n: this.#n, ...head, after: this.#before.count });
    return new Promise((resolve, reject) => {
      this.#head = { resolve, reject };
    });
  }

  /** Bytes of the body or stream; queued when there is no credit. A message of at most a frame stays whole. */
  write(bytes: Uint8Array): void {
    if (!this.#ended.mine && this.#failed === null) this.#sender.data(bytes);
  }

  /** Bytes that wait for credit. */
  get queued(): number {
    return this.#sender.queued;
  }

  /** The end of the body or of this side of the stream. */
  end(): void {
    if (this.#ended.mine || this.#failed !== null) return;
    this.#sender.control(JSON.stringify({ t: "eof" } satisfies RequestToConnector));
    this.#ended.mine = true;
    this.#idle();
  }

  /** Ends the request and the socket: what was asked for must not go on. */
  abort(code: string, message: string): void {
    if (this.#failed !== null) return;
    this.#control({ t: "reset", code, message: message.slice(0, 1000) });
    this.#fail(new ChannelError(code, message));
    this.#close(1000, code);
  }

  /** A message of the socket. */
  message(data: ArrayBuffer | string): void {
    if (this.#failed !== null) return;
    if (typeof data !== "string") {
      this.#data(new Uint8Array(data));
      return;
    }
    const parsed = parseRequestToEdge(data);
    if (!parsed.ok) {
      this.#violated(parsed.code, parsed.message);
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case "response":
        if (message.n !== this.#n || this.#head === null) {
          this.#violated("OUT_OF_TURN", "an answer out of turn");
          return;
        }
        this.#before.answered();
        // Read to its end, an answer has nothing more: what comes then is the next request's.
        this.#head.resolve({
          head: message,
          read: () => (message.n === this.#n ? this.#read() : Promise.resolve(null)),
        });
        this.#head = null;
        return;
      case "credit":
        if (!this.#sender.grant(message.bytes)) {
          this.#violated("CREDIT", "more credit than was used");
        }
        return;
      case "eof":
        if (this.#ended.theirs || this.#head !== null) {
          this.#violated("OUT_OF_TURN", "an end out of turn");
          return;
        }
        this.#ended.theirs = true;
        if (this.#chunks.length === 0) this.#waiting?.resolve(null);
        if (this.#chunks.length === 0) this.#waiting = null;
        this.#idle();
        return;
      case "reset":
        this.#fail(new ChannelError(message.code, message.message));
        this.#close(1000, message.code);
    }
  }

  /** The socket closed. */
  closed(): void {
    this.#fail(new ChannelError("CONNECTOR_LOST", "the connection to the connector was lost"));
  }

  #control(message: RequestToConnector): void {
    this.#sender.control(JSON.stringify(message));
  }

  #data(bytes: Uint8Array): void {
    if (this.#ended.theirs || this.#head !== null) {
      this.#violated("OUT_OF_TURN", "data out of turn");
      return;
    }
    if (this.#window.received(bytes.length)) {
      this.#violated("WINDOW", "more data than was granted");
      return;
    }
    if (this.#waiting !== null && this.#chunks.length === 0) {
      const { resolve } = this.#waiting;
      this.#waiting = null;
      this.#drained(bytes.length);
      resolve(bytes);
    } else this.#chunks.push(bytes);
  }

  #read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#drained(chunk.length);
      if (this.#ended.theirs) this.#idle();
      return Promise.resolve(chunk);
    }
    if (this.#failed !== null) return Promise.reject(this.#failed);
    if (this.#ended.theirs) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #drained(bytes: number): void {
    const credit = this.#window.drained(bytes);
    if (credit > 0 && this.#failed === null) this.#send(JSON.stringify({ t: "credit", bytes: credit }));
  }

  #violated(code: string, message: string): void {
    this.abort(`CHANNEL_${code}`, message);
  }

  #fail(error: ChannelError): void {
    if (this.#failed !== null) return;
    this.#failed = error;
    this.#head?.reject(error);
    this.#head = null;
    this.#waiting?.reject(error);
    this.#waiting = null;
    this.#ended = { mine: true, theirs: true };
    this.onIdle?.();
  }

  #idle(): void {
    if (!this.busy) this.onIdle?.();
  }
}
