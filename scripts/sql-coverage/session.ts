/** One session of a real server that statements reach both directly and through a gate. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import { PostgresGate } from "../../policies/postgres/gate.ts";
import { scrubber } from "../../policies/postgres/scrub.ts";
import type { Task } from "../../policies/task.ts";
import { concat } from "../../wire/bytes.ts";
import { queryMessage } from "../../wire/postgres/frontend.ts";
import { startupMessage } from "../../wire/postgres/startup.ts";

/** A message of the server. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

export class CoverageSession {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #parameters: Record<string, string> = {};
  #wake: (() => void) | null = null;
  closed = false;
  /**
   * True while the session has the role and the path that a session through the gate always has: the suite changes
   * both, the gate lets nobody.
   */
  get plain(): boolean {
    return (
      /^public, ?pg_temp$/.test(this.#parameters["search_path"] ?? "") &&
      this.#parameters["is_superuser"] === "on" &&
      this.#parameters["session_authorization"] === "postgres"
    );
  }

  /** I, T or E. */
  status = "I";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    const close = () => {
      this.closed = true;
      this.#wake?.();
    };
    socket.on("close", close);
    socket.on("error", close);
  }

  static async open(port: number, database: string, options: string): Promise<CoverageSession> {
    const session = new CoverageSession(connect(port, "127.0.0.1"));
    session.#socket.write(
      startupMessage({ user: "postgres", database, application_name: "pg_regress/coverage", options }),
    );
    await session.#answer(null);
    return session;
  }

  /** Resolves when the server has ended the session, too. */
  async close(): Promise<void> {
    if (this.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
    await closed;
  }

  /** Runs a text as it is. */
  async direct(sql: string, data: string | null = null): Promise<Message[]> {
    this.#socket.write(queryMessage(sql));
    return this.#answer(data);
  }

  /** Runs a text through a new gate; every message that its client gets. */
  async gated(sql: string, task: Task, catalog: Catalog, decider: StatementDecider): Promise<Message[]> {
    const toClient: Uint8Array[] = [];
    const toServer: Uint8Array[] = [];
    const gate = new PostgresGate({
      host: {
        toClient: (bytes) => toClient.push(bytes),
        toServer: (bytes) => toServer.push(bytes),
        record: () => {},
        end: () => {},
      },
      decider,
      scrub: scrubber,
      task,
      catalog,
      clock: () => 0,
      cancelKey: { processId: 1, secretKey: new Uint8Array(4) },
      permit: () => null,
    });
    gate.opened({
      parameters: { ...this.#parameters, search_path: "public, pg_temp" },
      serverVersion: catalog.serverVersion,
    });
    gate.fromClient(startupMessage({ user: "someone", database: "d" }).slice());
    toClient.length = 0;
    gate.fromClient(queryMessage(sql).slice());
    while (toServer.length > 0) {
      this.#socket.write(concat(toServer.splice(0)));
      gate.fromServer(Buffer.concat((await this.#raw()).parts));
    }
    return messagesOf(Buffer.from(concat([...toClient, new Uint8Array(0)])));
  }

  async #answer(data: string | null): Promise<Message[]> {
    const all: Message[] = [];
    for (;;) {
      const { messages, asksForCopy } = await this.#raw();
      all.push(...messages);
      if (!asksForCopy) return all;
      const parts = [];
      if (data !== null) {
        const body = Buffer.from(data);
        const head = Buffer.alloc(5);
        head.write("d", 0, "latin1");
        head.writeInt32BE(body.length + 4, 1);
        parts.push(head, body, Buffer.from([0x63, 0, 0, 0, 4]));
      } else parts.push(Buffer.from([0x66, 0, 0, 0, 5, 0]));
      this.#socket.write(Buffer.concat(parts));
    }
  }

  /** What comes up to ReadyForQuery, or up to a request for COPY data. */
  async #raw(): Promise<{ parts: Buffer[]; messages: Message[]; asksForCopy: boolean }> {
    for (;;) {
      const all = Buffer.concat(this.#chunks);
      const messages = messagesOf(all);
      const last = messages.at(-1);
      for (const { type, body } of messages) {
        if (type !== "S") continue;
        const [name, value] = body.toString("utf8").split("\0");
        this.#parameters[name!] = value!;
      }
      if (last?.type === "Z" || last?.type === "G") {
        this.#chunks = [];
        if (last.type === "Z") this.status = last.body.toString("latin1");
        return { parts: [all], messages, asksForCopy: last.type === "G" };
      }
      this.#chunks = [all];
      if (this.closed) throw new Error("the server ended the session");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function messagesOf(bytes: Buffer): Message[] {
  const out: Message[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    out.push({ type: String.fromCharCode(bytes[at]!), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return out;
}

/** Fields of an ErrorResponse. */
export function fieldsOf(message: Message): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const part of message.body.toString("utf8").split("\0")) if (part) fields[part[0]!] = part.slice(1);
  return fields;
}

/** The texts of the columns of a DataRow. */
export function rowOf({ body }: Message): (string | null)[] {
  const out: (string | null)[] = [];
  let at = 2;
  for (let n = body.readInt16BE(0); n > 0; n--) {
    const size = body.readInt32BE(at);
    at += 4;
    out.push(size < 0 ? null : body.toString("utf8", at, at + size));
    if (size > 0) at += size;
  }
  return out;
}
