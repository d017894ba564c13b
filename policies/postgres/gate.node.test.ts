/** The gate before a real PostgreSQL: drivers see the same through it as without it. */
import { once } from "node:events";
import { connect } from "node:net";
import pg from "pg";
import * as copyStreams from "pg-copy-streams";
import Cursor from "pg-cursor";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type GateBridge,
  type GateBridgeOptions,
  startGateBridge,
  wholeCatalog,
} from "../../test/support/gate-bridge.ts";
import { openTask, selectRule } from "../../test/support/open-task.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { allowing, scriptedDecider } from "../../test/support/scripted-decider.ts";
import {
  bareMessage,
  bindMessage,
  closeMessage,
  copyDataMessage,
  describeMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import { startupMessage } from "../../wire/postgres/startup.ts";
import type { Catalog } from "./catalog-types.ts";

let server: TestPostgres;
let catalog: Catalog;
const rules = ["people", "loaded"].map((name) => selectRule("public", name));
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

/** Rows and fields of a driver's result, or the error in the terms that a program sees. */
async function seen(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    const { code, message, severity } = error as { code?: string; message: string; severity?: string };
    return { code, message, severity };
  }
}

/** What the pg driver shows of one script, statement by statement. */
async function withPg(url: string, script: (client: pg.Client) => Promise<unknown>[]): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await Promise.all(script(client).map((promise) => seen(() => promise)));
  } finally {
    await client.end();
  }
}

const plain = (result: pg.QueryResult | pg.QueryResult[]): unknown =>
  Array.isArray(result)
    ? result.map(plain)
    : {
        command: result.command,
        rowCount: result.rowCount,
        rows: result.rows,
        fields: result.fields?.map(({ name, dataTypeID, tableID, columnID }) => [
          name,
          dataTypeID,
          tableID,
          columnID,
        ]),
      };

const pgScript = (client: pg.Client): Promise<unknown>[] =>
  [
    client.query("select 1 as one, null as nothing, 'ü' as text"),
    client.query("select * from people where id < 4 order by id"),
    client.query("select * from people where id = $1", [7]),
    client.query({ name: "by-id", text: "select name, data from people where id = $1", values: [8] }),
    client.query({ name: "by-id", text: "select name, data from people where id = $1", values: [9] }),
    client.query("select 1; select 2; select id from people where id = 3"),
    client.query(""),
    client.query("begin"),
    client.query("select 1/0"),
    client.query("select 1"),
    client.query("rollback"),
    client.query("select nope from people"),
    client.query("selec 1"),
    client.query("select id from people where id = $1", ["not a number"]),
    client.query("select generate_series(1, 2000) as n"),
    client.query("show client_encoding"),
    client.query("begin; insert into loaded values (1, 'x'); rollback"),
    client.query("begin"),
    client.query("insert into checked values (1), (1)"),
    client.query("commit"),
    client.query("commit"),
    client.query({ text: "select id, name from people where id < 3 order by 1", rowMode: "array" }),
  ].map((promise) => promise.then((result) => plain(result as pg.QueryResult)));

describe("drivers see through the gate what they see without it", () => {
  test("pg, simple and extended, errors and transactions", async () => {
    const { url } = await bridge();
    expect(await withPg(url, pgScript)).toEqual(await withPg(server.url, pgScript));
  });

  test.each([1, 2, 3, 7, 64])("pg, with all bytes cut into pieces of %i", async (chunk) => {
    const { url } = await bridge({ chunk });
    expect(await withPg(url, pgScript)).toEqual(await withPg(server.url, pgScript));
  });

  test("postgres.js, pipelined", async () => {
    const run = async (url: string) => {
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      try {
        return await Promise.all([
          seen(() => sql`select * from people where id = ${3}`),
          seen(() => sql`select * from people where id = ${4}`),
          seen(() => sql`select ${"text"}::text as t, ${[1, 2]}::int[] as a`),
          seen(() => sql`select 1/0`),
          seen(() => sql`select * from people where name = ${"person 5"}`),
          seen(() => sql.unsafe("select 1 as a; select 2 as b")),
          seen(() =>
            sql.begin(async (tx) => [await tx`select 1 as x`, await tx`select count(*) from people`]),
          ),
          seen(() =>
            sql.begin(async (tx) => {
              await tx`insert into loaded values (9, 'gone')`;
              throw new Error("undo");
            }),
          ),
          seen(() => sql`select count(*)::int from loaded`),
          ...Array.from({ length: 50 }, (_, i) =>
            seen(() => sql`select name from people where id = ${i + 1}`),
          ),
          seen(() => sql`select nope`.describe()),
          seen(async () => {
            const { columns, types } = await sql`select id, name from people where id = ${1}`.describe();
            return {
              columns: columns.map(({ name, type, table, number }) => [name, type, table, number]),
              types,
            };
          }),
          seen(async () => {
            const batches: unknown[] = [];
            await sql`select id from people order by id`.cursor(120, (rows) => {
              batches.push([...rows]);
            });
            return batches;
          }),
        ]);
      } finally {
        await sql.end();
      }
    };
    const { url } = await bridge();
    expect(await run(url)).toEqual(await run(server.url));
  });

  test("pg-cursor: Execute with a row limit", async () => {
    const run = async (url: string) => {
      const client = new pg.Client(url);
      await client.connect();
      const cursor = client.query(new Cursor("select id from people order by id", []));
      const parts = [
        await cursor.read(200),
        await cursor.read(200),
        await cursor.read(200),
        await cursor.read(1),
      ];
      await cursor.close();
      const after = (await client.query("select 1 as after")).rows;
      await client.end();
      return [parts.map((rows) => rows.length), parts[2]!.at(-1), after];
    };
    const { url, events } = await bridge();
    expect(await run(url)).toEqual(await run(server.url));
    expect(events.filter((event) => event.t === "outcome").map((event) => event.tag)).toEqual([
      "SUSPENDED",
      "SUSPENDED",
      "SELECT 100",
      "SELECT 1",
    ]);
  });

  test("COPY TO STDOUT, and COPY FROM STDIN when the decision says so", async () => {
    const { url } = await bridge();
    const client = new pg.Client(url);
    await client.connect();
    const out = client.query(copyStreams.to("copy (select id, name from people where id <= 300) to stdout"));
    let text = "";
    for await (const piece of out) text += String(piece);
    expect(text.split("\n").length).toBe(301);
    const into = client.query(copyStreams.from("copy loaded from stdin"));
    into.end("1\tone\n2\ttwo\n");
    await once(into, "finish");
    expect((await client.query("select * from loaded order by id")).rows).toEqual([
      { id: 1, name: "one" },
      { id: 2, name: "two" },
    ]);
    const bad = client.query(copyStreams.from("copy loaded from stdin"));
    bad.on("error", () => {});
    const failed = once(bad, "error");
    bad.end("not a number\tx\n");
    await failed.catch(() => {});
    expect((await client.query("select count(*)::int as n from loaded")).rows).toEqual([{ n: 2 }]);
    await client.query("delete from loaded");
    await client.end();
  });

  test("many at once, each in order", async () => {
    const { url } = await bridge();
    const pool = new pg.Pool({ connectionString: url, max: 20 });
    const results = await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        pool.query("select $1::int as i, name from people where id = $1", [(i % 500) + 1]),
      ),
    );
    expect(results.map((result) => result.rows[0].i)).toEqual(
      Array.from({ length: 400 }, (_, i) => (i % 500) + 1),
    );
    await pool.end();
  });
});

/** A client that speaks raw messages and shows the types (and errors) that come back. */
async function raw(url: string, startup: Record<string, string> = {}) {
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

const sync = bareMessage(Frontend.Sync);
const flush = bareMessage(Frontend.Flush);
const ask = (text: string, portal = "") => [
  parseMessage("", text),
  bindMessage({ portal }),
  describeMessage("portal", portal),
  executeMessage(portal),
];

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

describe("the protocol, message by message, equals a server's", () => {
  const cases: Record<string, [Uint8Array[], number]> = {
    "a pipeline": [[...ask("select 1"), ...ask("select 2"), sync, ...ask("select 3"), sync], 2],
    "an error discards up to Sync": [
      [...ask("select 1"), ...ask("select 1/0"), ...ask("select 3"), sync, queryMessage("select 4")],
      2,
    ],
    "a Query behind an extended error is discarded": [
      [...ask("select 1/0"), queryMessage("select 2"), sync],
      1,
    ],
    "a Query in an extended pipeline": [
      [...ask("select 1"), queryMessage("select 2"), ...ask("select 3"), sync],
      2,
    ],
    "Parse failing drops the unnamed statement": [
      [
        parseMessage("", "select 1"),
        sync,
        parseMessage("", "select from where"),
        sync,
        bindMessage({}),
        sync,
      ],
      3,
    ],
    "Parse failing, and the next cycle's Parse already on its way": [
      [
        parseMessage("", "select from where"),
        sync,
        parseMessage("", "select 2"),
        sync,
        bindMessage({}),
        executeMessage(),
        sync,
      ],
      3,
    ],
    "a Query discarded, and a Bind behind it that waits for it": [
      [
        parseMessage("a", "select 1"),
        parseMessage("a", "select 1"),
        parseMessage("", "select 1"),
        queryMessage("select 2"),
        bindMessage({}),
        sync,
        queryMessage("select 3"),
      ],
      2,
    ],
    "Query drops the unnamed statement": [
      [parseMessage("", "select 1"), queryMessage("select 2"), bindMessage({}), sync],
      2,
    ],
    "a named statement twice": [
      [
        parseMessage("a", "select 1"),
        parseMessage("a", "select 2"),
        sync,
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      2,
    ],
    "closed and parsed again": [
      [
        parseMessage("a", "select 1"),
        closeMessage("statement", "a"),
        parseMessage("a", "select 'b'"),
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      1,
    ],
    "a discarded Close leaves the statement": [
      [
        parseMessage("a", "select 1"),
        sync,
        ...ask("select 1/0"),
        closeMessage("statement", "a"),
        sync,
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      3,
    ],
    "DEALLOCATE in SQL": [
      [parseMessage("a", "select 1"), queryMessage("deallocate a"), bindMessage({ statement: "a" }), sync],
      2,
    ],
    "Execute without Describe": [[parseMessage("", "select 1"), bindMessage({}), executeMessage(), sync], 1],
    "rows in portions": [
      [
        queryMessage("begin"),
        parseMessage("", "select id from people order by id limit 5"),
        bindMessage({ portal: "p" }),
        executeMessage("p", 2),
        sync,
        executeMessage("p", 2),
        sync,
        executeMessage("p", 2),
        sync,
        queryMessage("commit"),
        executeMessage("p", 2),
        sync,
      ],
      6,
    ],
    nothing: [
      [
        parseMessage("", ""),
        bindMessage({}),
        describeMessage("portal"),
        executeMessage(),
        sync,
        queryMessage(""),
      ],
      2,
    ],
    "unknown names": [
      [
        bindMessage({ statement: "x" }),
        sync,
        describeMessage("portal", "x"),
        sync,
        executeMessage("x"),
        sync,
        closeMessage("statement", "x"),
        sync,
      ],
      4,
    ],
    Flush: [[...ask("select 1"), flush, ...ask("select 2"), sync], 1],
    "an aborted transaction": [
      [queryMessage("begin"), queryMessage("select 1/0"), ...ask("select 1"), sync, queryMessage("rollback")],
      4,
    ],
    "a failing commit at Sync": [
      [queryMessage("begin"), queryMessage("insert into checked values (5), (5)"), ...ask("commit"), sync],
      3,
    ],
    "a deferred constraint at Sync itself": [
      [...ask("insert into checked values (6), (6)"), sync, queryMessage("select 1")],
      2,
    ],
    "COPY out by the extended protocol": [
      [parseMessage("", "copy (select 1) to stdout"), bindMessage({}), executeMessage(), sync],
      1,
    ],
    "COPY in by the extended protocol, Sync ignored within": [
      [
        parseMessage("", "copy loaded from stdin"),
        bindMessage({}),
        executeMessage(),
        sync,
        copyDataMessage(Buffer.from("7\tx\n")),
        bareMessage(Frontend.CopyDone),
        sync,
        queryMessage("delete from loaded"),
      ],
      2,
    ],
    "COPY in that fails": [
      [
        queryMessage("copy loaded from stdin"),
        copyDataMessage(Buffer.from("no\tx\n")),
        copyDataMessage(Buffer.from("8\tx\n")),
        bareMessage(Frontend.CopyDone),
        queryMessage("select count(*) from loaded"),
      ],
      2,
    ],
    "cursors in SQL": [
      [queryMessage("begin; declare c cursor for select id from people; fetch 3 from c; close c; commit")],
      1,
    ],
    "FETCH by the extended protocol": [
      [
        queryMessage("begin; declare c cursor for select id from people"),
        parseMessage("f", "fetch 2 from c"),
        bindMessage({ statement: "f" }),
        executeMessage(),
        bindMessage({ statement: "f" }),
        executeMessage(),
        sync,
        queryMessage("commit"),
      ],
      3,
    ],
    "a malformed Bind": [
      [
        parseMessage("", "select 1"),
        Uint8Array.of(0x42, 0, 0, 0, 7, 0, 0, 0),
        sync,
        queryMessage("select 1"),
      ],
      2,
    ],
  };
  for (const [name, [messages, ready]] of Object.entries(cases)) {
    test(name, async () => {
      const [through, direct] = await both(messages, ready);
      expect(through).toEqual(direct);
    });
  }
});

describe("a denial behaves as an error of the server's own", () => {
  test("P9 a denied Parse, pipelined: discard until Sync, one ReadyForQuery, no older unnamed statement", async () => {
    const { url, events } = await bridge();
    const client = await raw(url);
    client.send(parseMessage("", "select 'older'"), sync);
    await client.until();
    client.send(parseMessage("", "select token from secrets"), bindMessage({}), executeMessage(), sync);
    expect(await client.until()).toEqual(["E 42501", "ZI"]);
    client.send(bindMessage({}), executeMessage(), sync);
    expect(await client.until()).toEqual(["E 26000", "ZI"]);
    expect(events.filter((event) => event.t === "statement").map((event) => event.decision.effect)).toEqual([
      "deny",
      "deny",
    ]);
    client.end();
  });

  test("in a transaction, in order, with the hint", async () => {
    const { url } = await bridge();
    const results = await withPg(url, (client) => [
      client.query("begin"),
      client.query("select 1 as one"),
      client.query("select * from secrets"),
      client.query("select 1 as two"),
      client.query("rollback"),
      client.query("select 3 as three").then((result) => result.rows),
    ]);
    expect(results.slice(2)).toEqual([
      { code: "42501", message: "denied by the script: RELATION_NOT_GRANTED", severity: "ERROR" },
      {
        code: "25P02",
        message: "current transaction is aborted, commands ignored until end of transaction block",
        severity: "ERROR",
      },
      expect.anything(),
      [{ three: 3 }],
    ]);
    const [error] = (await withPg(url, (client) => [
      client
        .query("select token from secrets")
        .catch((e: pg.DatabaseError) => ({ hint: e.hint, detail: e.detail, position: e.position })),
    ])) as unknown[];
    expect(error).toEqual({
      hint: "Ask for something else. Decided by tasks/test.yaml:7.",
      detail: "Reason: RELATION_NOT_GRANTED.",
      position: "8",
    });
  });

  test("nothing of a denied multi-statement Query runs", async () => {
    const { url } = await bridge();
    const client = await raw(url);
    client.send(queryMessage("insert into loaded values (66, 'x'); select * from secrets"));
    expect(await client.until()).toEqual(["E 42501", "ZI"]);
    client.send(queryMessage("select count(*) from loaded"));
    await client.until();
    client.end();
    expect(
      (
        await withPg(server.url, (c) => [
          c.query("select count(*)::int as n from loaded").then((r) => r.rows),
        ])
      )[0],
    ).toEqual([{ n: 0 }]);
  });

  test("a rewritten text runs in place of the user's", async () => {
    const decider = scriptedDecider({
      "select name from people": allowing(
        "select name from people",
        "select 'masked' as name from people where id < 3",
      ),
    });
    const { url, events } = await bridge({ decider });
    const rows = await withPg(url, (client) => [
      client.query("select name from people").then((r) => r.rows),
      client.query({ name: "x", text: "select name from people" }).then((r) => r.rows),
    ]);
    expect(rows).toEqual([
      [{ name: "masked" }, { name: "masked" }],
      [{ name: "masked" }, { name: "masked" }],
    ]);
    expect(events.find((event) => event.t === "statement")).toMatchObject({
      n: 1,
      text: "select name from people",
      decision: { rewritten: "select 'masked' as name from people where id < 3" },
    });
  });

  test("P10 a grant that ends between Parse and Bind, and between Bind and the next Execute", async () => {
    let expired = false;
    const { url } = await bridge({
      permit: () => (expired ? { code: "GRANT_EXPIRED", message: "the grant has expired" } : null),
    });
    const client = await raw(url);
    client.send(
      queryMessage("begin"),
      parseMessage("a", "select id from people"),
      bindMessage({ portal: "p", statement: "a" }),
      executeMessage("p", 1),
      sync,
    );
    expect(await client.until(2)).toEqual(["C BEGIN", "ZT", "1", "2", "D", "s", "ZT"]);
    expired = true;
    client.send(
      executeMessage("p", 1),
      sync,
      bindMessage({ statement: "a" }),
      executeMessage(),
      sync,
      queryMessage("select 1"),
    );
    expect(await client.until(3)).toEqual(["E 42501", "ZE", "E 42501", "ZE", "E 42501", "ZE"]);
    client.end();
  });

  test("P7 CancelRequest with the gate's key cancels, a guessed one does not", async () => {
    const { url, gates } = await bridge();
    const client = new pg.Client(url);
    await client.connect();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const slow = seen(() => client.query("select pg_sleep(30)"));
    const cancel = async (key: number) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      const bytes = Buffer.alloc(16);
      [16, 80877102, processID, key].forEach((value, i) => bytes.writeInt32BE(value, i * 4));
      socket.end(bytes);
      await once(socket.resume(), "close");
    };
    await cancel(secretKey ^ 1);
    expect(gates[0]!.idle).toBe(false);
    await cancel(secretKey);
    expect(await slow).toMatchObject({ code: "57014" });
    await client.end();
  });

  test("a statement held for approval: allowed, denied, and what comes behind it waits in order", async () => {
    const held = {
      ...allowing("update people set born = null where id = 1"),
      effect: "hold" as const,
      reason: "APPROVAL_REQUIRED",
    };
    const verdicts: ("allow" | "deny")[] = ["allow", "deny", "allow"];
    const { url, events } = await bridge({
      decider: scriptedDecider({ "update people set born = null where id = 1": held }),
      hold: (hold, gate) => {
        hold.notice("waiting for approval at https://edge/approve");
        setImmediate(() =>
          gate.resolveHold(
            hold.id,
            verdicts.shift() === "allow"
              ? { effect: "allow" }
              : { effect: "deny", code: "REFUSED", message: "no" },
          ),
        );
      },
    });
    const client = await raw(url);
    const update = "update people set born = null where id = 1";
    client.send(
      queryMessage(update),
      queryMessage("select 1"),
      queryMessage(update),
      queryMessage("select 2"),
    );
    // The second NOTICE may come before the first answer: notices are asynchronous.
    expect((await client.until(4)).filter((type) => type !== "N")).toEqual([
      "C UPDATE 1",
      "ZI",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
      "E 42501",
      "ZI",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
    ]);
    client.send(...ask(update), ...ask("select 3"), sync);
    expect((await client.until()).filter((type) => type !== "N")).toEqual([
      "1",
      "2",
      "n",
      "C UPDATE 1",
      "1",
      "2",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
    ]);
    expect(events.filter((event) => event.t === "held").map((event) => event.verdict)).toEqual([
      "allow",
      "deny",
      "allow",
    ]);
    client.end();
  });

  test("limits end a session, or refuse its next statement", async () => {
    const { url, ends } = await bridge({ task: openTask(rules, { rows: 100 }) });
    const results = await withPg(url, (client) => {
      client.on("error", () => {});
      return [
        client.query("select id from people where id <= 100").then((r) => r.rowCount),
        client.query("select id from people"),
      ];
    });
    expect(results).toEqual([
      100,
      expect.objectContaining({ code: "53400", message: "the task allows 100 rows a session" }),
    ]);
    const second = await withPg(url, (client) => {
      client.on("error", () => {});
      return [client.query("select id from people")];
    });
    expect(second).toEqual([expect.objectContaining({ code: "53400", severity: "FATAL" })]);
    expect(ends.map((end) => end.code)).toContain("LIMIT_ROWS");
  });

  test("the second wall: a column that is masked or not granted ends the session before a row", async () => {
    for (const text of ["select id, token from secrets s", "select name from people"]) {
      const task = openTask([selectRule("public", "people", { mask: { name: { kind: "null" } } })]);
      const { url, events } = await bridge({ task, decider: { decide: (asked) => allowing(asked) } });
      for (const messages of [
        [queryMessage(text)],
        [...ask(text), sync],
        [parseMessage("", text), bindMessage({}), executeMessage(), sync],
      ]) {
        const client = await raw(url);
        client.send(...messages);
        const answer = await client.until();
        expect(answer.slice(-2)).toEqual(["E 08P01", "closed"]);
        expect(answer).not.toContain("D");
      }
      expect(events.filter((event) => event.t === "alarm").map((event) => event.code)).toEqual([
        "MASK_BREACH",
        "MASK_BREACH",
        "MASK_BREACH",
      ]);
    }
  });

  test("P20 wire-05 a setting that text depends on changes: the session ends", async () => {
    const { url, events } = await bridge();
    const client = await raw(url);
    client.send(queryMessage("set standard_conforming_strings to off; select 1"));
    expect((await client.until()).slice(-2)).toEqual(["E 08P01", "closed"]);
    expect(events.map((event) => event.t === "alarm" && event.code)).toContain("PINNED_SETTING_CHANGED");
  });

  test("startup settings are made for the client", async () => {
    const { url } = await bridge();
    const client = await raw(url, {
      TimeZone: "Asia/Tokyo",
      DateStyle: "German",
      extra_float_digits: "2",
      application_name: "x",
    });
    client.send(queryMessage("select current_setting('TimeZone') || current_setting('DateStyle')"));
    expect(await client.until()).toEqual(["T", "D", "C SELECT 1", "ZI"]);
    client.end();
  });
});
