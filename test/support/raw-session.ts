/** A bare Postgres client for tests: it reports every message, so that two ways of running can be compared. */
import { connect, type Socket } from "node:net";
import type { Transcript } from "./corpus.ts";

export interface SessionTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
  /** StartupMessage `options`. */
  readonly options?: string;
}

type Fields = Record<string, string>;

/** With every field of the errors and notices. */
export interface RawTranscript extends Transcript {
  readonly fields: Fields | null;
  readonly noticeFields: readonly Fields[];
}

/** One connection; statements one after another. */
export class RawSession {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #messages: { type: string; body: Buffer }[] = [];
  #wake: (() => void) | null = null;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const close = () => {
      this.#closed = true;
      this.#wake?.();
    };
    socket.on("close", close);
    socket.on("error", close);
  }

  static async open(target: SessionTarget): Promise<RawSession> {
    const session = new RawSession(connect(target.port, target.host));
    const pairs = [
      "user",
      target.user,
      "database",
      target.database,
      ...(target.options ? ["options", target.options] : []),
    ];
    const body = Buffer.concat([...pairs, ""].map((text) => Buffer.from(`${text}\0`)));
    const head = Buffer.alloc(8);
    head.writeInt32BE(body.length + 8, 0);
    head.writeInt32BE(196608, 4);
    session.#socket.write(Buffer.concat([head, body]));
    for (;;) {
      const message = await session.#next();
      if (message.type === "E") throw new Error(JSON.stringify(errorFields(message.body)));
      if (message.type === "R" && message.body.readInt32BE(0) === 3)
        session.#send("p", Buffer.from(`${target.password ?? ""}\0`));
      if (message.type === "Z") return session;
    }
  }

  /** A simple Query, or Parse/Bind/Describe/Execute/Sync when there are parameters (text format). */
  async run(sql: string, params?: readonly string[]): Promise<RawTranscript> {
    if (params) this.#extended(sql, params);
    else this.#send("Q", Buffer.from(`${sql}\0`));
    const out = {
      denied: null as string | null,
      columns: [] as string[][],
      rows: [] as string[],
      tags: [] as string[],
      error: null as Transcript["error"],
      notices: [] as string[],
      fields: null as Fields | null,
      noticeFields: [] as Fields[],
    };
    for (;;) {
      const { type, body } = await this.#next();
      if (type === "T") out.columns.push(describe(body));
      else if (type === "D") out.rows.push(JSON.stringify(row(body)));
      else if (type === "d") out.rows.push(JSON.stringify(body.toString("latin1")));
      else if (type === "C") out.tags.push(body.toString("utf8", 0, body.length - 1));
      else if (type === "G") this.#send("f", Buffer.from("no data\0"));
      else if (type === "N") {
        out.noticeFields.push(errorFields(body));
        out.notices.push(errorFields(body)["M"] ?? "");
      } else if (type === "E") {
        const fields = errorFields(body);
        out.error = { code: fields["C"] ?? "", message: fields["M"] ?? "" };
        out.fields = fields;
      } else if (type === "Z") return out;
    }
  }

  close(): void {
    this.#socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
  }

  #extended(sql: string, params: readonly string[]): void {
    const count = Buffer.alloc(2);
    this.#send("P", Buffer.concat([Buffer.from(`\0${sql}\0`), count]));
    const number = Buffer.alloc(2);
    number.writeInt16BE(params.length);
    const values = params.map((value) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    });
    this.#send("B", Buffer.concat([Buffer.from("\0\0"), count, number, ...values, count]));
    this.#send("D", Buffer.from("P\0"));
    this.#send("E", Buffer.from("\0\0\0\0\0"));
    this.#send("S", Buffer.alloc(0));
  }

  #send(type: string, body: Buffer): void {
    const head = Buffer.alloc(5);
    head.write(type, 0, "latin1");
    head.writeInt32BE(body.length + 4, 1);
    this.#socket.write(Buffer.concat([head, body]));
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= 5) {
      const length = this.#buffer.readInt32BE(1);
      if (this.#buffer.length < length + 1) break;
      this.#messages.push({
        type: String.fromCharCode(this.#buffer[0]!),
        body: this.#buffer.subarray(5, length + 1),
      });
      this.#buffer = this.#buffer.subarray(length + 1);
    }
    this.#wake?.();
  }

  async #next(): Promise<{ type: string; body: Buffer }> {
    while (this.#messages.length === 0) {
      if (this.#closed) throw new Error("the connection is closed");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#messages.shift()!;
  }
}

export function errorFields(body: Buffer): Fields {
  const fields: Fields = {};
  for (const part of body.toString("utf8").split("\0")) if (part) fields[part[0]!] = part.slice(1);
  return fields;
}

/** `name:type oid` of each column, with the modifier where there is one. */
function describe(body: Buffer): string[] {
  const out: string[] = [];
  let at = 2;
  for (let index = 0; index < body.readInt16BE(0); index++) {
    const end = body.indexOf(0, at);
    const name = body.toString("utf8", at, end);
    const type = body.readUInt32BE(end + 7);
    const modifier = body.readInt32BE(end + 13);
    out.push(`${name}${modifier === -1 ? "" : `(${modifier})`}:${type}`);
    at = end + 19;
  }
  return out;
}

function row(body: Buffer): (string | null)[] {
  const out: (string | null)[] = [];
  let at = 2;
  for (let index = 0; index < body.readInt16BE(0); index++) {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) out.push(null);
    else {
      out.push(body.toString("utf8", at, at + length));
      at += length;
    }
  }
  return out;
}
