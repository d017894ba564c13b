/** Drivers see the same through the gate as without it, before a real PostgreSQL. */
import { once } from "node:events";
import pg from "pg";
import * as copyStreams from "pg-copy-streams";
import Cursor from "pg-cursor";
import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { seen, useGateDatabase, withPg } from "../../test/support/gate-database.ts";

const database = useGateDatabase();
const { bridge } = database;

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
    expect(await withPg(url, pgScript)).toEqual(await withPg(database.url, pgScript));
  });

  test.each([1, 2, 3, 7, 64])("pg, with all bytes cut into pieces of %i", async (chunk) => {
    const { url } = await bridge({ chunk });
    expect(await withPg(url, pgScript)).toEqual(await withPg(database.url, pgScript));
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
    expect(await run(url)).toEqual(await run(database.url));
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
    expect(await run(url)).toEqual(await run(database.url));
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
