/** What pools and drivers send before a session is used again, on a real PostgreSQL: as it is without the gate. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { type GateBridge, startGateBridge } from "../../test/support/gate-bridge.ts";
import { raw, sync } from "../../test/support/gate-database.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import { bindMessage, executeMessage, parseMessage, queryMessage } from "../../wire/postgres/frontend.ts";
import type { Task } from "../task.ts";
import { createDecider } from "./decide.ts";
import { scrubber } from "./scrub.ts";

const task = sqlTask([{ relation: "people" }, { verb: "insert", relation: "people" }], {
  functions: [
    "pg_catalog.pg_advisory_lock",
    "pg_catalog.pg_try_advisory_lock",
    "pg_catalog.pg_advisory_unlock",
  ],
  session: { ttlMs: 60_000, idleMs: 60_000, maxConcurrent: null, temporaryTables: true, pooled: true },
});

let server: TestPostgres;
let lab: SqlLab;
let bridge: GateBridge | null = null;

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  await (await lab.client("postgres")).query("CREATE TABLE people (id serial, name text)");
});

afterEach(async () => {
  await bridge?.stop();
  bridge = null;
});

afterAll(async () => {
  await lab?.close();
  await server?.stop();
});

async function through(of: Task = task): Promise<string> {
  const catalog = await lab.catalog("postgres", of);
  const decider = createDecider({ task: of, catalog, parser: lab.parser });
  bridge = await startGateBridge({ postgres: server.port, task: of, catalog, decider, scrub: scrubber });
  return bridge.url;
}

const shown =
  "SELECT current_setting('TimeZone') AS tz, current_setting('DateStyle') AS style, current_setting('extra_float_digits') AS digits";
const inText = (text: string) => [queryMessage(text)];
const extended = (text: string) => [
  parseMessage("x", text),
  bindMessage({ statement: "x" }),
  executeMessage(),
  sync,
];

const steps: Readonly<Record<string, readonly Uint8Array[][]>> = {
  "DISCARD ALL, as pgbouncer, Npgsql and Rails send it": [
    inText(
      "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; CREATE TEMP TABLE own (a int); PREPARE p AS SELECT 1",
    ),
    inText("DISCARD ALL"),
    inText(shown),
    inText("EXECUTE p"),
    inText("SELECT * FROM own"),
  ],
  "DISCARD ALL by the extended protocol, and the unnamed statement after it": [
    [parseMessage("", shown), parseMessage("named", "SELECT 1"), sync],
    inText("SET TimeZone = 'Asia/Tokyo'"),
    extended("DISCARD ALL"),
    [bindMessage({ statement: "named" }), executeMessage(), sync],
    [...inText(shown)],
  ],
  "an unnamed statement that outlives RESET ALL": [
    extended("SET TimeZone = 'Asia/Tokyo'"),
    [parseMessage("", shown), bindMessage({}), executeMessage(), sync],
    [parseMessage("r", "RESET ALL"), bindMessage({ portal: "r", statement: "r" }), executeMessage("r"), sync],
    [bindMessage({}), executeMessage(), sync],
  ],
  "the query of asyncpg's pool": [
    inText("SET TimeZone = 'Asia/Tokyo'; BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT"),
    inText("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;"),
    inText(shown),
    inText("FETCH c"),
  ],
  "ABORT and DISCARD ALL, as Pgpool sends them": [
    inText("BEGIN"),
    inText("SELECT 1 / 0"),
    inText("ABORT"),
    inText("DISCARD ALL"),
    inText(shown),
  ],
  "DISCARD of one kind, and where it may not stand": [
    inText("INSERT INTO people (name) VALUES ('x'); SELECT currval('people_id_seq') > 0"),
    inText("DISCARD PLANS"),
    inText("DISCARD SEQUENCES"),
    inText("SELECT currval('people_id_seq')"),
    inText("CREATE TEMP TABLE own (a int); DISCARD TEMPORARY"),
    inText("SELECT * FROM own"),
    inText("BEGIN"),
    inText("DISCARD ALL"),
    inText("ROLLBACK"),
    inText(shown),
  ],
  "RESET of one setting, and one that is taken back": [
    inText("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'"),
    inText("RESET TimeZone"),
    inText(shown),
    inText("SET datestyle TO DEFAULT"),
    inText(shown),
    inText("SET TimeZone = 'Asia/Tokyo'"),
    inText("BEGIN"),
    inText("RESET ALL"),
    inText(shown),
    inText("ROLLBACK"),
    inText(shown),
    inText("RESET SESSION AUTHORIZATION; RESET ROLE; SET SESSION AUTHORIZATION DEFAULT"),
  ],
  "DEALLOCATE ALL and CLOSE ALL": [
    [parseMessage("named", "SELECT 1"), sync],
    inText("PREPARE p AS SELECT 1; DEALLOCATE ALL"),
    [bindMessage({ statement: "named" }), executeMessage(), sync],
    inText("BEGIN; DECLARE c CURSOR FOR SELECT 1; CLOSE ALL"),
    inText("FETCH c"),
    inText("ROLLBACK"),
  ],
};

for (const [what, messages] of Object.entries(steps)) {
  test(`P15 P19 ${what}`, async () => {
    const seen: string[][][] = [];
    // The client's own start-up settings are the defaults that a reset goes back to.
    const startup = { TimeZone: "Europe/Berlin", DateStyle: "ISO, DMY", extra_float_digits: "2" };
    const answers: string[][] = [];
    for (const url of [await through(), server.url]) {
      const client = await raw(url, startup);
      const types: string[][] = [];
      for (const step of messages) {
        client.send(...step);
        types.push((await client.until()).filter((type) => type !== "S" && type !== "N"));
      }
      // What is left of it all.
      client.send(queryMessage(`COPY (${shown}) TO STDOUT`));
      types.push(await client.until());
      client.end();
      const driver = new pg.Client({ connectionString: url, options: "-c TimeZone=Europe/Berlin" });
      await driver.connect();
      const settings: string[] = [];
      for (const reset of ["DISCARD ALL", { name: "r", text: "RESET ALL" }, "RESET TimeZone"]) {
        await driver.query("SET TimeZone = 'Asia/Tokyo'");
        await driver.query(reset);
        settings.push(...(Object.values((await driver.query(shown)).rows[0]) as string[]));
      }
      answers.push(settings);
      await driver.end();
      seen.push(types);
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.filter((value) => value === "Europe/Berlin")).toHaveLength(3);
  });
}

test("P19 what the gate sets again is recorded as its own, and has an outcome", async () => {
  const client = await raw(await through(), { TimeZone: "Europe/Berlin" });
  client.send(queryMessage("DISCARD ALL"), queryMessage("SELECT 1"));
  await client.until(2);
  client.end();
  const said = bridge!.events.map((event) =>
    "n" in event ? [event.t, event.n, "text" in event ? event.text : ""] : event.t,
  );
  expect(said.slice(0, 6)).toEqual([
    ["statement", 1, "DISCARD ALL"],
    ["statement", 2, "SET TimeZone TO 'Europe/Berlin'"],
    ["statement", 3, "SELECT 1"],
    ["outcome", 1, ""],
    ["outcome", 2, ""],
    ["outcome", 3, ""],
  ]);
  expect(bridge!.gates[0]!.stats).toMatchObject({ denied: 0, statements: 1 });
});

test("P15 row parameters and pins survive DISCARD ALL", async () => {
  const rows = sqlTask([{ relation: "people", rows: "id = :id" }], {
    params: { id: "integer" },
    session: { ttlMs: 60_000, idleMs: 60_000, maxConcurrent: null, pooled: true },
  });
  const session = await lab.session("postgres", rows, { id: "1" });
  for (const sql of ["DISCARD ALL", "RESET ALL"]) {
    await session.run("SET TimeZone = 'Asia/Tokyo'");
    expect(await session.run(sql)).toMatchObject({ denied: null, error: null });
    expect((await session.run("SELECT id FROM people")).error).toBeNull();
    expect((await session.run("SHOW search_path")).rows).toEqual(['["public,pg_temp"]']);
    expect((await session.run("SHOW default_transaction_read_only")).rows).toEqual(['["on"]']);
  }
  session.close();
});

test("P15 a session whose role is not its login's does not go back to it", async () => {
  const admin = await lab.client("postgres");
  await admin.query(
    "CREATE ROLE lesser; CREATE ROLE login SUPERUSER LOGIN; ALTER ROLE login SET role = lesser",
  );
  const catalog = await lab.catalog("postgres", task);
  const of = createDecider({ task, catalog: { ...catalog, ownRole: false }, parser: lab.parser });
  for (const sql of [
    "DISCARD ALL",
    "RESET ROLE",
    "RESET SESSION AUTHORIZATION",
    "SET SESSION AUTHORIZATION DEFAULT",
  ])
    expect([sql, of.decide(sql).effect]).toEqual([sql, "deny"]);
  expect(of.decide("DISCARD PLANS").effect).toBe("allow");
  const own = createDecider({ task, catalog, parser: lab.parser });
  for (const sql of ["SET ROLE lesser", "SET ROLE NONE", "SET SESSION AUTHORIZATION lesser"])
    expect([sql, own.decide(sql).effect]).toEqual([sql, "deny"]);
});

test("P18 advisory locks where the task lists the functions, no others", async () => {
  const client = new pg.Client(await through());
  await client.connect();
  const { rows } = await client.query("SELECT pg_try_advisory_lock(7) AS got, pg_advisory_unlock(7) AS back");
  expect(rows).toEqual([{ got: true, back: true }]);
  await client.query("SELECT pg_catalog.pg_advisory_lock(1, 2)");
  await client.query("SELECT pg_advisory_unlock_all()");
  for (const sql of [
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT pg_advisory_lock_shared(1)",
    "SELECT (1).pg_advisory_lock",
  ])
    await expect(client.query(sql)).rejects.toThrow(/may not call|would call/);
  await client.end();
});

test("P15 a task that says nothing of pools lets nothing be put back", async () => {
  const plain = sqlTask([{ relation: "people" }]);
  const session = await lab.session("postgres", plain);
  for (const sql of [
    "DISCARD ALL",
    "DISCARD TEMP",
    "RESET ALL",
    "RESET ROLE",
    "RESET statement_timeout",
    "UNLISTEN *",
    "SELECT pg_advisory_unlock_all()",
  ]) {
    const { effect, hint } = session.decide(sql);
    expect([sql, effect]).toEqual([sql, "deny"]);
    if (/DISCARD|ALL$|UNLISTEN/.test(sql))
      expect([sql, hint]).toEqual([sql, expect.stringMatching(/pooled/)]);
  }
  session.close();
});
