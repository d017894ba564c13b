/** Statements that are kept on a real PostgreSQL: each answer is the one that a client without the gate gets. */
import pg from "pg";
import { expect, test } from "vitest";
import { useGateDatabase } from "../../test/support/gate-database.ts";

const database = useGateDatabase();
const { bridge } = database;

type Step = string | readonly [text: string, values: readonly unknown[]];

/** Rows or the error's code of each step; a text alone goes as a simple query. */
async function run(url: string, steps: readonly Step[], more = async (_: number) => {}): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  const seen: unknown[] = [];
  for (const [n, step] of steps.entries()) {
    await more(n);
    const [text, values] = typeof step === "string" ? [step, undefined] : step;
    const asked = values ? client.query(text, [...values]) : client.query(text);
    seen.push(
      await asked.then(
        (result) => result.rows ?? [],
        (error: pg.DatabaseError) => error.code,
      ),
    );
  }
  await client.end();
  return seen;
}

const times = (count: number, step: Step): Step[] => Array.from({ length: count }, () => step);

const sessions: Readonly<Record<string, readonly Step[]>> = {
  "one text with other parameters": Array.from(
    { length: 8 },
    (_, n): Step => ["select id, name, born, tags from people where id = $1", [n]],
  ),
  "a setting that changes how a literal is read": [
    ...times(4, ["select '01/02/2024'::date::text as day where $1", [true]]),
    "set datestyle = 'ISO, DMY'",
    ...times(4, ["select '01/02/2024'::date::text as day where $1", [true]]),
  ],
  "a setting that a transaction takes back": [
    "begin",
    "set datestyle = 'ISO, DMY'",
    ...times(4, ["select '01/02/2024'::date::text as day where $1", [true]]),
    "rollback",
    ...times(4, ["select '01/02/2024'::date::text as day where $1", [true]]),
  ],
  "errors of the statement, in and out of a transaction": [
    ...times(4, ["select 1 / $1::int as x", [0]]),
    "begin",
    ...times(3, ["select 1 / $1::int as x", [1]]),
    ["select 1 / $1::int as x", [0]],
    ["select 1 / $1::int as x", [1]],
    "rollback",
    ["select 1 / $1::int as x", [1]],
  ],
  "prepared statements taken away": [
    ...times(3, ["select name from people where id = $1", [3]]),
    "deallocate all",
    ...times(3, ["select name from people where id = $1", [4]]),
    "discard all",
    ...times(3, ["select name from people where id = $1", [5]]),
  ],
};

for (const [what, steps] of Object.entries(sessions)) {
  test(what, async () => {
    const { url } = await bridge();
    expect(await run(url, steps)).toEqual(await run(database.url, steps));
  });
}

test("the server parses a text that comes again once, by its own list of prepared statements", async () => {
  const { url } = await bridge();
  const list =
    "select name, calls.n from pg_prepared_statements, lateral (select generic_plans + custom_plans as n) calls";
  const seen = await run(url, [...times(6, ["select name from people where id = $1", [3]]), list]);
  expect(seen.at(-1)).toEqual([{ name: "wicketgate 1", n: "5" }]);
});

test("a column that gets another type is told once by the server, and then read anew", async () => {
  const { url } = await bridge();
  const admin = new pg.Client(database.url);
  await admin.connect();
  const change = async (n: number) => {
    if (n === 4) await admin.query("alter table loaded alter column id type text");
  };
  const seen = await run(url, times(8, ["select id from loaded where $1", [true]]), change);
  expect(seen).toEqual([[], [], [], [], "0A000", [], [], []]);
  await admin.end();
});
