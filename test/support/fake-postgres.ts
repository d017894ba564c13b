/**
 * A small PostgreSQL of bytes, for tests of the gate in every runtime: the protocol's order, names and
 * transaction states are a server's, the results are made up. Texts it knows:
 * `rows N` (N rows), `fail`, `begin`, `commit`, `copy out`, `copy in`, `notice X`, `set NAME VALUE`, anything
 * else is a command without rows, and a text that starts with `wicketgate` does not parse.
 */
import {
  commandComplete,
  copyResponse,
  dataRow,
  errorResponse,
  noticeResponse,
  parameterDescription,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "../../wire/postgres/backend.ts";
import {
  bareMessage,
  copyDataMessage,
  decodeBind,
  decodeExecute,
  decodeParse,
  decodeQuery,
  decodeTarget,
} from "../../wire/postgres/frontend.ts";
import { Backend, Frontend } from "../../wire/postgres/messages.ts";

const bare = (type: number) => bareMessage(type);

interface FakePortal {
  readonly text: string;
  sent: number;
}

export class FakePostgres {
  /** Texts that were run, in order. */
  readonly ran: string[] = [];
  readonly #send: (bytes: Uint8Array) => void;
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, FakePortal>();
  #input: Uint8Array = new Uint8Array(0);
  #skipping = false;
  #inBlock = false;
  #failed = false;
  #copy: "query" | "execute" | null = null;
  terminated = false;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** Bytes of a client that is logged in. */
  push(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#input.length + bytes.length);
    all.set(this.#input);
    all.set(bytes, this.#input.length);
    const view = new DataView(all.buffer);
    let at = 0;
    while (at + 5 <= all.length && at + 1 + view.getUint32(at + 1) <= all.length) {
      const end = at + 1 + view.getUint32(at + 1);
      this.#message(all[at]!, all.subarray(at + 5, end));
      at = end;
    }
    this.#input = all.slice(at);
  }

  #message(type: number, body: Uint8Array): void {
    if (type === Frontend.Terminate) {
      this.terminated = true;
      return;
    }
    if (this.#copy !== null) {
      this.#inCopy(type);
      return;
    }
    if (type === Frontend.CopyData || type === Frontend.CopyDone || type === Frontend.CopyFail) return;
    if (this.#skipping && type !== Frontend.Sync) return;
    switch (type) {
      case Frontend.Sync:
        this.#skipping = false;
        this.#ready();
        return;
      case Frontend.Flush:
        return;
      case Frontend.Query:
        this.#query(body);
        return;
    }
    const failure = this.#extended(type, body);
    if (failure === null) return;
    this.#error(failure);
    this.#skipping = true;
  }

  #query(body: Uint8Array): void {
    const query = decodeQuery(body);
    this.#statements.delete("");
    this.#portals.delete("");
    if (!query.ok) {
      this.#error("08P01");
      this.#ready();
      return;
    }
    if (query.message.text.startsWith("wicketgate")) {
      this.#error("42601");
      this.#ready();
      return;
    }
    const texts = query.message.text
      .split(";")
      .map((text) => text.trim())
      .filter((text) => text !== "");
    if (texts.length === 0) this.#send(bare(Backend.EmptyQueryResponse));
    for (const text of texts) {
      if (text === "copy in") {
        this.#copy = "query";
        this.#send(copyResponse(Backend.CopyInResponse, 1));
        return;
      }
      const columns = columnsOf(text);
      if (columns && !this.#failed) this.#send(columns);
      const failure = this.#run(text, { text, sent: 0 }, 0);
      if (failure !== null) {
        this.#error(failure);
        break;
      }
    }
    this.#ready();
  }

  /** Null, or the SQLSTATE of the failure. */
  #extended(type: number, body: Uint8Array): string | null {
    switch (type) {
      case Frontend.Parse: {
        const parse = decodeParse(body);
        if (!parse.ok) return "08P01";
        const { name, text } = parse.message;
        if (name === "") this.#statements.delete("");
        if (text.startsWith("wicketgate") || text === "bad") return "42601";
        if (this.#failed && text !== "commit") return "25P02";
        if (this.#statements.has(name)) return "42P05";
        this.#statements.set(name, text);
        this.#send(bare(Backend.ParseComplete));
        return null;
      }
      case Frontend.Bind: {
        const bind = decodeBind(body);
        if (!bind.ok) return "08P01";
        const text = this.#statements.get(bind.message.statement);
        if (text === undefined) return "26000";
        if (this.#failed && text !== "commit") return "25P02";
        const { portal } = bind.message;
        if (portal !== "" && this.#portals.has(portal)) return "42P03";
        this.#portals.set(portal, { text, sent: 0 });
        this.#send(bare(Backend.BindComplete));
        return null;
      }
      case Frontend.Describe: {
        const describe = decodeTarget(body);
        if (!describe.ok) return "08P01";
        const { target, name } = describe.message;
        const text = target === "statement" ? this.#statements.get(name) : this.#portals.get(name)?.text;
        if (text === undefined) return target === "statement" ? "26000" : "34000";
        if (target === "statement") this.#send(parameterDescription([]));
        this.#send(columnsOf(text) ?? bare(Backend.NoData));
        return null;
      }
      case Frontend.Execute: {
        const execute = decodeExecute(body);
        if (!execute.ok) return "08P01";
        const portal = this.#portals.get(execute.message.portal);
        if (portal === undefined) return "34000";
        if (portal.text === "copy in") {
          this.#copy = "execute";
          this.#send(copyResponse(Backend.CopyInResponse, 1));
          return null;
        }
        return this.#run(portal.text, portal, execute.message.maxRows);
      }
      case Frontend.Close: {
        const close = decodeTarget(body);
        if (!close.ok) return "08P01";
        const { target, name } = close.message;
        (target === "statement" ? this.#statements : this.#portals).delete(name);
        this.#send(bare(Backend.CloseComplete));
        return null;
      }
    }
    return "08P01";
  }

  #run(text: string, portal: FakePortal, maxRows: number): string | null {
    if (this.#failed && text !== "commit") return "25P02";
    this.ran.push(text);
    if (text === "fail") return "22012";
    if (text === "") {
      this.#send(bare(Backend.EmptyQueryResponse));
      return null;
    }
    if (text === "copy out") {
      this.#send(copyResponse(Backend.CopyOutResponse, 1));
      for (let i = 0; i < 3; i++) this.#send(copyDataMessage(new TextEncoder().encode(`line ${i}\n`)));
      this.#send(bare(Backend.CopyDone));
      this.#send(commandComplete("COPY 3"));
      return null;
    }
    if (text === "begin") this.#inBlock = true;
    if (text === "commit") {
      this.#inBlock = false;
      this.#failed = false;
      this.#portals.clear();
    }
    const notice = /^notice (.*)$/.exec(text)?.[1];
    if (notice !== undefined) this.#send(noticeResponse({ S: "NOTICE", C: "00000", M: notice }));
    const set = /^set (\S+) (\S+)$/.exec(text);
    if (set) this.#send(parameterStatus(set[1]!, set[2]!));
    const rows = Number(/^rows (\d+)$/.exec(text)?.[1] ?? 0);
    let now = 0;
    while (portal.sent < rows) {
      if (maxRows > 0 && now === maxRows) {
        this.#send(bare(Backend.PortalSuspended));
        return null;
      }
      this.#send(dataRow([String(portal.sent)]));
      portal.sent += 1;
      now += 1;
    }
    this.#send(commandComplete(columnsOf(text) ? `SELECT ${now}` : text.toUpperCase()));
    return null;
  }

  #inCopy(type: number): void {
    if (type === Frontend.CopyDone) {
      const kind = this.#copy;
      this.#copy = null;
      this.ran.push("copy in");
      this.#send(commandComplete("COPY 1"));
      if (kind === "query") this.#ready();
    } else if (type === Frontend.CopyFail) {
      const kind = this.#copy;
      this.#copy = null;
      this.#error("57014");
      if (kind === "query") this.#ready();
      else this.#skipping = true;
    }
  }

  #error(sqlstate: string): void {
    if (this.#inBlock) this.#failed = true;
    else this.#portals.clear();
    this.#send(errorResponse({ S: "ERROR", V: "ERROR", C: sqlstate, M: `error ${sqlstate}` }));
  }

  #ready(): void {
    if (!this.#inBlock) this.#portals.clear();
    this.#send(readyForQuery(this.#failed ? 0x45 : this.#inBlock ? 0x54 : 0x49));
  }
}

function columnsOf(text: string): Uint8Array | null {
  return text.startsWith("rows ") ? rowDescription([{ name: "n", typeOid: 23 }]) : null;
}
