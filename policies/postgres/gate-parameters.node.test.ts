/** Types that a client gives its parameters in Parse, on a real PostgreSQL whose own types run its functions. */
import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { type GateBridge, startGateBridge } from "../../test/support/gate-bridge.ts";
import { raw, sync } from "../../test/support/gate-database.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import { bindMessage, executeMessage, parseMessage } from "../../wire/postgres/frontend.ts";
import { createDecider } from "./decide.ts";

const task = sqlTask([{ relation: "people" }]);
let server: TestPostgres;
let lab: SqlLab;
let admin: pg.Client;
let bridge: GateBridge;

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  admin = await lab.client("postgres");
  await admin.query(`
    CREATE TABLE secrets (token text); INSERT INTO secrets VALUES ('canary');
    CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TYPE plain AS ENUM ('a', 'b');
    CREATE FUNCTION mood_leak(mood) RETURNS text LANGUAGE sql AS 'SELECT token FROM secrets';
    CREATE CAST (mood AS text) WITH FUNCTION mood_leak(mood);
    CREATE FUNCTION is_secret(text) RETURNS bool LANGUAGE sql AS 'SELECT $1 IN (SELECT token FROM secrets)';
    CREATE DOMAIN guess AS text CHECK (is_secret(value)); CREATE DOMAIN word AS text CHECK (value <> '');
    CREATE TABLE people (id int, p plain); INSERT INTO people VALUES (1, 'a')`);
  const catalog = await lab.catalog("postgres", task);
  const decider = createDecider({ task, catalog, parser: lab.parser });
  bridge = await startGateBridge({ postgres: server.port, task, catalog, decider });
});

afterEach(() => {
  expect(JSON.stringify(bridge.events)).not.toContain("canary");
});

afterAll(async () => {
  await bridge?.stop();
  await lab?.close();
  await server?.stop();
});

/** The types of messages that come back, when the parameter has the type. */
async function answer(sql: string, type: string, value: string): Promise<string> {
  const { rows } = await admin.query("SELECT $1::regtype::oid::int8 AS oid", [type]);
  const client = await raw(bridge.url);
  client.send(
    parseMessage("", sql, [Number(rows[0].oid)]),
    bindMessage({ parameters: [value] }),
    executeMessage(),
    sync,
  );
  const shown = await client.until();
  client.end();
  return shown.join(" ");
}

test("P16 a parameter has no type whose casts or checks run a function of the database", async () => {
  for (const [type, value] of [
    ["mood", "ok"],
    ["mood[]", "{ok}"],
    ["guess", "canary"],
    ["secrets", "(x)"],
    ["people[]", "{}"],
  ] as const)
    expect([type, await answer("SELECT $1::text", type, value)]).toEqual([type, "E 42501 ZI"]);
});

test("P16 built-in types, enums and domains with plain checks are taken", async () => {
  for (const [type, value] of [
    ["int4", "1"],
    ["int4[]", "{1}"],
    ["plain", "a"],
    ["plain[]", "{a,b}"],
    ["word", "x"],
  ] as const)
    expect([type, await answer("SELECT $1::text", type, value)]).toEqual([type, "1 2 D C SELECT 1 ZI"]);
  expect(await answer("SELECT id FROM people WHERE p = $1", "plain", "a")).toBe("1 2 D C SELECT 1 ZI");
});

test("P16 pg_input_is_valid and its like name a type whose input runs no function", async () => {
  const session = await lab.session("postgres", task);
  for (const call of [
    "pg_input_is_valid('canary', 'guess')",
    "pg_input_is_valid('canary', 'public.guess')",
    "pg_catalog.pg_input_error_info('x', 'mood')",
    "pg_input_is_valid('x', 'gue' || 'ss')",
    "pg_input_is_valid('x', type_name => 'guess')",
    "pg_input_is_valid('x', 'int, (SELECT token FROM secrets)::text')",
    "pg_input_is_valid('x', 'text FROM secrets')",
  ])
    expect([call, session.decide(`SELECT ${call}`).reason]).toEqual([call, "TYPE_NOT_ALLOWED"]);
  for (const [call, valid] of [
    ["pg_input_is_valid('1', 'int')", "t"],
    ["pg_input_is_valid('123', 'varchar(2)')", "f"],
    ["pg_input_is_valid('c', 'plain')", "f"],
    ["pg_input_is_valid('2026-13-01', 'timestamp with time zone')", "f"],
  ])
    expect((await session.run(`SELECT ${call}`)).rows).toEqual([`["${valid}"]`]);
  session.close();
});
