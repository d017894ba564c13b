/** The smallest PostgreSQL client that can load a server: it counts what comes back and looks at nothing else. */
import { connect, type Socket } from "node:net";
import { startupMessage } from "../../wire/postgres/startup.ts";

/** Where to connect. */
export interface Address {
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
}

/** What one request brought. */
export interface Answer {
  readonly rows: number;
  readonly bytes: number;
}

const ERROR = 0x45;
const READY = 0x5a;
const ROW = 0x44;
const AUTHENTICATION = 0x52;

export class BenchClient {
  readonly #tcp: Socket;
  readonly #password: string;
  /** A header that a chunk cut in two, and how much of it is there. */
  readonly #header = Buffer.alloc(5);
  #headed = 0;
  /** Bytes of a message still to come. */
  #left = 0;
  #rows = 0;
  #bytes = 0;
  #error: string | null = null;
  #done: ((answer: Answer) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(tcp: Socket, password: string) {
    this.#tcp = tcp;
    this.#password = password;
    tcp.on("data", (chunk) => this.#read(chunk as Buffer));
    tcp.on("error", (error) => this.#fail(error));
    tcp.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Connects and logs in. */
  static async open({ port, user, database, password = "" }: Address): Promise<BenchClient> {
    const tcp = connect({ port, host: "127.0.0.1", noDelay: true });
    const client = new BenchClient(tcp, password);
    await client.request(startupMessage({ user, database }));
    return client;
  }

  /** Sends bytes and resolves at the next ReadyForQuery. Rejects when there was an error. */
  request(bytes: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#rows = 0;
      this.#bytes = 0;
      this.#tcp.write(bytes);
    });
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#tcp.pause();
  }

  resume(): void {
    this.#tcp.resume();
  }

  /** Reads on to the end, and looks at nothing. */
  discard(): void {
    this.#tcp.removeAllListeners("data");
    this.#tcp.resume();
  }

  /** Resolves when the connection is closed by the other side. */
  closed(): Promise<void> {
    return new Promise((resolve) => this.#tcp.once("close", () => resolve()));
  }

  /** A request that is under way is rejected. */
  close(): void {
    this.#fail(new Error("closed"));
    this.#tcp.destroy();
  }

  #fail(error: Error): void {
    const failed = this.#failed;
    this.#failed = null;
    this.#done = null;
    failed?.(error);
  }

  #read(chunk: Buffer): void {
    this.#bytes += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const size = Math.min(this.#left, chunk.length - at);
        this.#left -= size;
        at += size;
        continue;
      }
      let type: number;
      let length: number;
      let body: number;
      if (this.#headed === 0 && at + 5 <= chunk.length) {
        type = chunk[at]!;
        length = chunk.readInt32BE(at + 1);
        body = at + 5;
      } else {
        this.#header[this.#headed++] = chunk[at++]!;
        if (this.#headed < 5) continue;
        this.#headed = 0;
        type = this.#header[0]!;
        length = this.#header.readInt32BE(1);
        body = at;
      }
      at = body;
      this.#left = length - 4;
      if (type === ROW) this.#rows += 1;
      else if (type === READY) this.#ready();
      else if (type === ERROR) this.#error = chunk.toString("latin1", body, body + length - 4);
      else if (type === AUTHENTICATION) this.#authenticate(chunk.readInt32BE(body));
    }
  }

  #authenticate(kind: number): void {
    if (kind !== 3) return;
    const text = Buffer.from(`${this.#password}\0`);
    const message = Buffer.alloc(5 + text.length);
    message[0] = 0x70;
    message.writeInt32BE(4 + text.length, 1);
    text.copy(message, 5);
    this.#tcp.write(message);
  }

  #ready(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) {
      this.#fail(new Error(error.replaceAll("\0", " ")));
      return;
    }
    const done = this.#done;
    this.#done = null;
    this.#failed = null;
    done?.({ rows: this.#rows, bytes: this.#bytes });
  }
}

export interface Rate {
  readonly perSecond: number;
  readonly count: number;
}

/** Requests of clients that each send the next request when the last was answered, for `ms`. */
export async function rate(
  clients: readonly BenchClient[],
  ms: number,
  next: (n: number) => Uint8Array,
): Promise<Rate> {
  let count = 0;
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) await client.request(next(count++));
    }),
  );
  return { perSecond: (count / (performance.now() - start)) * 1000, count };
}

/** Parse, Bind, Describe, Execute and Sync of a statement with one text parameter, as drivers send them. */
export function extended(text: string, value: string): Buffer {
  return Buffer.concat([
    message("P", Buffer.from(`\0${text}\0\0\0`)),
    bind("", value),
    message("D", Buffer.from("P\0")),
    message("E", Buffer.from("\0\0\0\0\0")),
    message("S", Buffer.alloc(0)),
  ]);
}

/** A simple query. */
export function simple(text: string): Buffer {
  return message("Q", Buffer.from(`${text}\0`));
}

function bind(statement: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from(`\0${statement}\0\0\0\0\x01`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return message("B", Buffer.concat([head, length, bytes, Buffer.from("\0\0")]));
}

function message(type: string, body: Buffer): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 0, "latin1");
  bytes.writeInt32BE(4 + body.length, 1);
  body.copy(bytes, 5);
  return bytes;
}
