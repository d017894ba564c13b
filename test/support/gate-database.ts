/** A real PostgreSQL with a little data, gates before it, and clients that show what comes back. */
import { connect } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import {
  bareMessage,
  bindMessage,
  describeMessage,
  executeMessage,
  parseMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import { startupMessage } from "../../wire/postgres/startup.ts";
import { type GateBridge, type GateBridgeOptions, startGateBridge, wholeCatalog } from "./gate-bridge.ts";
import { openTask, selectRule } from "./open-task.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { scriptedDecider } from "./scripted-decider.ts";

/** Rules that grant the tables of the test database, all but `secrets` and `checked`. */
export const rules = ["people", "loaded"].map((name) => selectRule("public", name));

/** Starts the database for the tests of a file and stops it, and its bridges, after them. */
export function useGateDatabase() {
  let server: TestPostgres;
  let catalog: Catalog;
  const bridges: GateBridge[] = [];

  async function bridge(more: Partial<GateBridgeOptions> = {}): Promise<GateBridge> {
    const started = await startGateBridge({
      postgres: server.port,
      decider: scriptedDecider(),
      task: openTask(rules),
      catalog,
      ...more,
    });
    bridges.push(started);
    return started;
  }

  beforeAll(async () => {
    server = await startPostgres();
    const client = new pg.Client(server.url);
    await client.connect();
    await client.query(`
      create table people (id int primary key, name text not null, born date, data bytea, tags text[]);
      insert into people select i, 'person ' || i, date '1970-01-01' + i, decode(md5(i::text), 'hex'), array['a', 'b' || i]
        from generate_series(1, 500) i;
      create table loaded (id int, name text);
      create table secrets (id int, token text);
      insert into secrets values (1, 'tok');
      create table checked (id int primary key deferrable initially deferred);`);
    await client.end();
    catalog = await wholeCatalog(server.url);
  });
  afterEach(async () => {
    for (const started of bridges.splice(0)) await started.stop();
  });
  afterAll(() => server?.stop());

  /** The same raw messages both ways. */
  async function both(messages: Uint8Array[], ready: number, more: Partial<GateBridgeOptions> = {}) {
    const through = await raw((await bridge(more)).url);
    const direct = await raw(server.url);
    through.send(...messages);
    direct.send(...messages);
    const result = [await through.until(ready), await direct.until(ready)];
    through.end();
    direct.end();
    return result;
  }
  return {
    /** The database without a gate. */
    get url(): string {
      return server.url;
    },
    bridge,
    both,
  };
}

/** Rows and fields of a driver's result, or the error in the terms that a program sees. */
export async function seen(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    const { code, message, severity } = error as { code?: string; message: string; severity?: string };
    return { code, message, severity };
  }
}

/** What the pg driver shows of one script, statement by statement. */
export async function withPg(
  url: string,
  script: (client: pg.Client) => Promise<unknown>[],
): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await Promise.all(script(client).map((promise) => seen(() => promise)));
  } finally {
    await client.end();
  }
}

/** A client that speaks raw messages and shows the types (and errors) that come back. */
export async function raw(url: string, startup: Record<string, string> = {}) {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  let bytes = Buffer.alloc(0);
  let wake: () => void = () => {};
  socket.on("data", (data) => {
    bytes = Buffer.concat([bytes, data]);
    wake();
  });
  let closed = false;
  socket.on("close", () => {
    closed = true;
    wake();
  });
  socket.on("error", () => {});
  socket.write(startupMessage({ user: "postgres", database: "postgres", ...startup }));
  /** Reads messages up to the n-th ReadyForQuery (or the end) and shows them. */
  const until = async (ready = 1): Promise<string[]> => {
    for (;;) {
      const shown: string[] = [];
      let left = ready;
      let at = 0;
      while (left > 0 && at + 5 <= bytes.length && at + 1 + bytes.readInt32BE(at + 1) <= bytes.length) {
        const end = at + 1 + bytes.readInt32BE(at + 1);
        shown.push(show(bytes.subarray(at, end)));
        if (bytes[at] === 0x5a) left -= 1;
        at = end;
      }
      if (left === 0 || closed) {
        bytes = bytes.subarray(at);
        return closed && left > 0 ? [...shown, "closed"] : shown;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await until();
  return {
    send: (...messages: Uint8Array[]) => void socket.write(Buffer.concat(messages)),
    until,
    end: () => socket.destroy(),
  };
}

function show(message: Buffer): string {
  const type = String.fromCharCode(message[0]!);
  if (type === "Z") return `Z${String.fromCharCode(message[5]!)}`;
  if (type === "C") return `C ${message.toString("utf8", 5, message.length - 1)}`;
  if (type === "E") return `E ${/\0C(.{5})/.exec(message.toString("latin1"))?.[1]}`;
  return type;
}

export const sync = bareMessage(Frontend.Sync);
export const flush = bareMessage(Frontend.Flush);
/** A statement by the unnamed prepared statement, without Sync. */
export const ask = (text: string, portal = "") => [
  parseMessage("", text),
  bindMessage({ portal }),
  describeMessage("portal", portal),
  executeMessage(portal),
];
