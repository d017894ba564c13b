/** Names that SQL and the protocol share, on a real PostgreSQL: nothing runs under a name past what decides it. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { type GateBridge, startGateBridge } from "../../test/support/gate-bridge.ts";
import { ask, raw, sync } from "../../test/support/gate-database.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import { bindMessage, executeMessage, parseMessage, queryMessage } from "../../wire/postgres/frontend.ts";
import { createDecider } from "./decide.ts";

const task = sqlTask(
  [
    { relation: "held", lookup: ["mail"], mask: { mail: { kind: "email" } } },
    { verb: "update", relation: "held", columns: ["v"], approval: "statement" },
  ],
  { limits: { rows: null, statements: null, bytes: null, statementTimeoutMs: null, lookups: 1 } },
);

let server: TestPostgres;
let lab: SqlLab;
let admin: pg.Client;
let bridge: GateBridge;

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  admin = await lab.client("postgres");
  await admin.query(
    "CREATE TABLE held (id int, v text, mail text); INSERT INTO held VALUES (1, 'a', 'a@x.com')",
  );
});

afterEach(async () => bridge?.stop());

afterAll(async () => {
  await lab?.close();
  await server?.stop();
});

/** A gate of the task; every statement that waits is refused by the person who is asked. */
async function through() {
  const catalog = await lab.catalog("postgres", task);
  bridge = await startGateBridge({
    postgres: server.port,
    task,
    catalog,
    decider: createDecider({ task, catalog, parser: lab.parser }),
    hold: ({ id }, gate) => {
      queueMicrotask(() => gate.resolveHold(id, { effect: "deny", code: "NO", message: "no" }));
    },
  });
  return bridge.url;
}

/** Rows, or the error's code. */
async function answer(client: pg.Client, query: string | pg.QueryConfig): Promise<unknown> {
  return client.query(query).then(
    ({ rows }) => rows,
    (error: pg.DatabaseError) => error.code,
  );
}

test("P10 SQL EXECUTE does not run a statement that waits for an approval at Bind", async () => {
  const client = new pg.Client(await through());
  await client.connect();
  await client.query({ name: "e", text: "EXECUTE s1('evil')" }).catch(() => {});
  expect(await answer(client, { name: "s1", text: "UPDATE held SET v = $1", values: ["evil"] })).toBe(
    "42501",
  );
  for (const sql of ["EXECUTE s1('evil')", "SELECT 1; EXECUTE s1('evil')"])
    expect(await answer(client, sql)).toBe("42501");
  // Also when the gate was made to forget the name by a PREPARE that fails.
  await answer(client, "PREPARE s1 AS SELECT 1");
  expect(await answer(client, "EXECUTE s1('evil')")).toBe("42501");
  expect(await answer(client, { name: "e", text: "EXECUTE s1('evil')" })).toBe("42501");
  await client.end();
  expect((await admin.query("SELECT v FROM held")).rows).toEqual([{ v: "a" }]);
});

test("P10 a portal of EXECUTE that was bound before does not, either", async () => {
  const client = await raw(await through());
  client.send(parseMessage("e", "EXECUTE s1('evil')"), bindMessage({ portal: "p", statement: "e" }));
  client.send(parseMessage("s1", "UPDATE held SET v = $1"), executeMessage("p"), sync);
  expect(await client.until()).toEqual(["1", "2", "1", "E 42501", "ZI"]);
  client.end();
  expect((await admin.query("SELECT v FROM held")).rows).toEqual([{ v: "a" }]);
});

test("P10 SQL EXECUTE does not look up masked values uncounted", async () => {
  const client = new pg.Client(await through());
  await client.connect();
  const lookup = { text: "SELECT id FROM held WHERE mail = $1", values: ["a@x.com"] };
  expect(await answer(client, { ...lookup, name: "l1" })).toEqual([{ id: 1 }]);
  expect(await answer(client, { ...lookup, name: "l1" })).toBe("53400");
  expect(await answer(client, "EXECUTE l1('a@x.com')")).toBe("42501");
  await client.end();
});

test("the gate's own names are taken, in SQL and in the protocol", async () => {
  const client = new pg.Client(await through());
  await client.connect();
  for (const sql of [
    'PREPARE "wicketgate 1" AS SELECT 1',
    'EXECUTE "wicketgate 1"',
    'DEALLOCATE "wicketgate 1"',
    "PREPARE wicketgate AS SELECT 1",
  ])
    expect([sql, await answer(client, sql)]).toEqual([sql, "42501"]);
  expect(await answer(client, { name: "wicketgate 1", text: "SELECT 1" })).toBe("42501");
  // The server cuts a name at 63 bytes, where it could meet another one.
  expect(await answer(client, { name: "n".repeat(64), text: "SELECT 1" })).toBe("42622");
  expect(await answer(client, { name: "n".repeat(63), text: "SELECT 1 AS x" })).toEqual([{ x: 1 }]);
  await client.end();
});

const rows = "SELECT v FROM held WHERE $1";
const named = (name: string) => [bindMessage({ statement: name, parameters: ["t"] }), executeMessage(), sync];

/** Messages, and after how many ReadyForQuery to read on. */
const sessions: Readonly<Record<string, readonly Uint8Array[][]>> = {
  "DEALLOCATE of one name leaves the others": [
    [parseMessage("a", rows), parseMessage("b", rows), sync],
    [queryMessage("DEALLOCATE a")],
    named("b"),
    named("a"),
  ],
  "PREPARE and CLOSE of one name leave the others": [
    [parseMessage("a", rows), sync],
    [queryMessage("PREPARE c AS SELECT 1")],
    [queryMessage("EXECUTE c")],
    [queryMessage("BEGIN; DECLARE d CURSOR FOR SELECT 1")],
    named("a"),
    [queryMessage("CLOSE d; COMMIT")],
    named("a"),
  ],
  "the unnamed statement survives DEALLOCATE ALL, also where the gate kept it under a name": [
    ...Array.from({ length: 3 }, () => [parseMessage("", rows), ...named("")]),
    [
      parseMessage("d", "DEALLOCATE ALL"),
      bindMessage({ portal: "x", statement: "d" }),
      executeMessage("x"),
      sync,
    ],
    named(""),
    named("d"),
    [...ask("SELECT 1"), sync],
  ],
};

for (const [what, steps] of Object.entries(sessions)) {
  test(`P10 ${what}`, async () => {
    const seen: string[][][] = [];
    for (const url of [await through(), server.url]) {
      const client = await raw(url);
      const shown: string[][] = [];
      for (const messages of steps) {
        client.send(...messages);
        shown.push(await client.until());
      }
      client.end();
      seen.push(shown);
    }
    expect(seen[0]).toEqual(seen[1]);
  });
}
