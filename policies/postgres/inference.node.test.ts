/**
 * Attacks that infer a hidden value instead of reading it, on two databases that differ only in what the task hides:
 * whatever is computed from a masked column, how long it takes, and how often it is asked, is the same on both.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transcript } from "../../test/support/corpus.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab, type TaskSession, TOKEN_KEY } from "../../test/support/sql-lab.ts";
import { ALLOWED_FUNCTIONS, BUILTIN_TYPES } from "./functions.generated.ts";
import { encodeOptions, startupOptions } from "./pins.ts";

const databases = ["one", "two"] as const;

/** Values of the same shape that differ in every character, with a hidden row of each tenant. */
const schema = (name: (typeof databases)[number]) => {
  const value = (i: string) =>
    name === "one"
      ? `md5('one' || ${i})`
      : `translate(md5('two' || ${i}), '0123456789abcdef', 'ghijklmnopqrstuv')`;
  return `
CREATE TABLE people (id int PRIMARY KEY, tenant int, email text, ssn text, born date, pay numeric(10,2), code varchar(40), doc jsonb);
INSERT INTO people SELECT i, 1 + i % 2, ${value("i")} || '@x.com', ${value("i + 100")}, date '1950-01-01' + ${name === "one" ? "i" : "i * 37"},
  ${name === "one" ? "i * 11" : "i * 17 + 3"}, ${value("i + 200")}, jsonb_build_object('card', ${value("i + 300")}) FROM generate_series(1, 40) i;
CREATE TABLE orders (id int, person int);
INSERT INTO orders SELECT i, 1 + i % 40 FROM generate_series(1, 100) i;
ANALYZE;`;
};

const task = sqlTask(
  [
    {
      relation: "people",
      columns: ["id", "tenant", "email", "ssn", "born", "pay", "code", "doc"],
      rows: "tenant = :tenant",
      mask: {
        email: { kind: "constant", value: "hidden@x.com" },
        ssn: { kind: "constant", value: "XXX-XX-XXXX" },
        born: { kind: "null" },
        pay: { kind: "constant", value: "1.00" },
        code: { kind: "null" },
        doc: { kind: "null" },
      },
    },
    { relation: "orders" },
  ],
  { params: { tenant: "integer" } },
);

let server: TestPostgres;
let lab: SqlLab;
const sessions = new Map<string, TaskSession>();

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  const admin = await lab.client("postgres");
  for (const name of databases) {
    await admin.query(`CREATE DATABASE ${name}`);
    await (await lab.client(name)).query(schema(name));
    sessions.set(name, await lab.session(name, task, { tenant: "1" }));
  }
}, 120_000);

afterAll(async () => {
  for (const session of sessions.values()) session.close();
  await lab?.close();
  await server?.stop();
});

/** What one session shows, as far as two databases can be held against each other. */
const shown = ({ denied, columns, rows, tags, error, notices }: Transcript) =>
  JSON.stringify({ denied, columns, rows, tags, error, notices });

async function both(sql: string): Promise<[string, string]> {
  const [one, two] = databases.map((name) => sessions.get(name)!.run(sql));
  return [shown(await one!), shown(await two!)];
}

describe("M4 functions and casts over a masked value", () => {
  /** How an argument of a type is made of a masked column; a constant where none can be. */
  const ARGUMENTS: Readonly<Record<string, string>> = {
    text: "ssn",
    varchar: "code",
    bpchar: "ssn::bpchar",
    name: "ssn::name",
    bytea: "ssn::bytea",
    cstring: "ssn",
    json: "to_json(ssn)",
    jsonb: "to_jsonb(email)",
    numeric: "pay",
    date: "born",
    int4: "length(ssn)",
    int8: "length(email)::int8",
    int2: "length(email)::int2",
    float8: "pay::float8",
    bool: "ssn < email",
    _text: "ARRAY[ssn, email]",
    anyelement: "ssn",
    anyarray: "ARRAY[ssn]",
    anynonarray: "ssn",
    anycompatible: "ssn",
    anycompatiblearray: "ARRAY[email]",
    any: "ssn",
    record: "ROW(ssn, email)",
    tsvector: "to_tsvector('simple', email)",
    tsquery: "plainto_tsquery('simple', ssn)",
    regconfig: "'simple'::regconfig",
    jsonpath: "'$'::jsonpath",
    timestamptz: "timestamptz '2020-01-01Z'",
    timestamp: "born::timestamp",
    interval: "interval '1 day'",
    xml: "xmlelement(name x, ssn)",
  };

  test("every built-in function that takes one, by itself and as an aggregate", async () => {
    const { rows } = await (await lab.client("one")).query<{ name: string; args: string[]; kind: string }>(`
      SELECT DISTINCT p.proname AS name, p.prokind AS kind,
             array(SELECT t.typname::text FROM unnest(p.proargtypes) WITH ORDINALITY a(oid, n) JOIN pg_type t USING (oid) ORDER BY n) AS args
        FROM pg_proc p
       WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.pronargs BETWEEN 1 AND 4 AND p.prokind IN ('f', 'a')
         AND p.provolatile <> 'v' AND NOT EXISTS (SELECT FROM pg_aggregate g WHERE g.aggfnoid = p.oid AND g.aggkind <> 'n')
       ORDER BY 1, 3`);
    const differ: string[] = [];
    let [called, answered] = [0, 0];
    for (const { name, args, kind } of rows) {
      if (!ALLOWED_FUNCTIONS.has(name) || args.some((arg) => ARGUMENTS[arg] === undefined)) continue;
      const call = `"${name}"(${args.map((arg) => ARGUMENTS[arg]).join(", ")})`;
      const sql =
        kind === "a" ? `SELECT ${call} FROM people` : `SELECT ${call} FROM people ORDER BY id LIMIT 2`;
      called++;
      const [one, two] = await both(sql);
      if (one.includes('"error":null')) answered++;
      // What the session or the clock says is not what a column says.
      if (/^(pg_|current_|session_|age$|has_|txid)/.test(name)) continue;
      if (one !== two) differ.push(`${sql}\n  ${one}\n  ${two}`);
    }
    expect(differ).toEqual([]);
    expect(called).toBeGreaterThan(800);
    expect(answered).toBeGreaterThan(400);
  }, 180_000);

  test("every cast to a built-in type", async () => {
    for (const type of BUILTIN_TYPES) {
      if (/^(any|_|internal|trigger|cstring|void|record|opaque|unknown)/.test(type)) continue;
      for (const column of ["ssn", "pay", "doc"]) {
        const [one, two] = await both(
          `SELECT ${column}::${type === "char" ? '"char"' : type} FROM people ORDER BY id LIMIT 2`,
        );
        expect([type, one]).toEqual([type, two]);
      }
    }
  }, 120_000);
});

describe("M7 time that depends on a hidden value", () => {
  const heavy = "(SELECT count(*) FROM generate_series(1, 20000))";

  test("nothing that waits may be called", async () => {
    for (const call of [
      "pg_sleep(2)",
      "pg_sleep_for('2s')",
      "pg_sleep_until(now())",
      "pg_advisory_lock(1)",
    ]) {
      const sql = `SELECT CASE WHEN ssn LIKE '1%' THEN ${call} END FROM people`;
      expect((await both(sql))[0]).toContain("FUNCTION_NOT_ALLOWED");
    }
  });

  // How often each step of the plan runs says how long it takes, without a clock.
  const statements = [
    `SELECT id FROM people WHERE CASE WHEN ssn LIKE '%a%' THEN ${heavy} > 0 ELSE false END`,
    `SELECT id, CASE WHEN email ~ '^[0-4]' THEN ${heavy} END FROM people`,
    `SELECT count(*) FROM people p JOIN orders o ON o.person = p.id AND p.ssn LIKE 'a%' WHERE ${heavy} > o.id`,
    `SELECT id FROM people WHERE ssn > 'm' AND ${heavy} > id ORDER BY email`,
    `SELECT id FROM people WHERE coalesce(pay > 500, false) OR ${heavy} > 1`,
    `SELECT count(*) FROM orders o WHERE EXISTS (SELECT FROM people p WHERE p.id = o.person AND p.ssn LIKE '%f%')`,
    `SELECT id FROM people WHERE email = 'x' ORDER BY ssn LIMIT 1`,
  ];
  const counts = "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off)";

  test.each(statements)("%s", async (sql) => {
    const plans: string[][] = [];
    for (const name of databases) {
      const { rewritten } = sessions.get(name)!.decide(sql);
      // On a session of its own: a filter's rows are not counted for the client.
      const raw = await lab.raw(
        name,
        encodeOptions(startupOptions(task, { tenant: "1" }, { tokenKey: TOKEN_KEY })),
      );
      // Object ids are in the check that a table is still the same.
      plans.push(
        (await raw.run(`${counts} ${rewritten}`)).rows.map((row) => row.replaceAll(/\b\d{5}\b/g, "oid")),
      );
      raw.close();
    }
    expect(plans[0]!.length).toBeGreaterThan(2);
    expect(plans[1]).toEqual(plans[0]);
  });

  test("and without a gate they do differ", async () => {
    const plans: string[][] = [];
    for (const name of databases) {
      const raw = await lab.raw(name);
      plans.push((await raw.run(`${counts} ${statements[0]}`)).rows as string[]);
      raw.close();
    }
    expect(plans[1]).not.toEqual(plans[0]);
  });
});

describe("M9 averages, small groups and linked values", () => {
  const masks = {
    email: { kind: "email" },
    code: { kind: "token" },
  } as const;
  const kept = (mask: Partial<typeof masks>) =>
    sqlTask([{ relation: "people", mask }, { relation: "orders" }]);

  test("a mask has no noise to average: it is the same however often and in whatever order it is read", async () => {
    const session = await lab.session("one", kept({ email: masks.email, code: masks.code }));
    const rows = new Set<string>();
    for (const order of ["id", "id DESC", "email", "code", "random()"]) {
      for (let time = 0; time < 4; time++) {
        const read = `SELECT id, email, code FROM (SELECT * FROM people ORDER BY ${order}) p ORDER BY id`;
        rows.add(JSON.stringify((await session.run(read)).rows));
      }
    }
    session.close();
    expect(rows.size).toBe(1);
  });

  test("groups are those of the masks, and none is smaller than they make it", async () => {
    const [one, two] = await both("SELECT ssn, email, pay, count(*) FROM people GROUP BY ssn, email, pay");
    expect(one).toBe(two);
    expect(JSON.parse(JSON.parse(one).rows[0])).toEqual(["XXX-XX-XXXX", "hidden@x.com", "1.00", "20"]);
    for (const sql of [
      "SELECT count(DISTINCT ssn), min(ssn), max(email), avg(pay), stddev(pay), percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM people",
      "SELECT id % 3, count(*) FILTER (WHERE ssn < 'm'), avg(pay) FROM people GROUP BY 1 ORDER BY 1",
      "SELECT a.id, b.id FROM people a JOIN people b ON a.ssn = b.ssn AND a.code IS NOT DISTINCT FROM b.code ORDER BY 1, 2",
      "SELECT corr(pay, id), regr_slope(pay, id), covar_pop(pay, length(ssn)) FROM people",
    ]) {
      const [left, right] = await both(sql);
      expect(right).toBe(left);
    }
  });

  test("tokens link equal values only under one key; without the mask's key they say nothing", async () => {
    const tokens = async (key: Uint8Array) => {
      const raw = await lab.raw("one", encodeOptions(startupOptions(kept({}), {}, { tokenKey: key })));
      const { rewritten } = (await lab.session("one", kept({ code: masks.code }))).decide(
        "SELECT code, code = (SELECT code FROM people WHERE id = 1) FROM people ORDER BY id LIMIT 2",
      );
      const { rows } = await raw.run(rewritten!);
      raw.close();
      return rows.map((row) => JSON.parse(row) as [string, string]);
    };
    const [first, again, other] = [
      await tokens(TOKEN_KEY),
      await tokens(TOKEN_KEY),
      await tokens(new Uint8Array(32).fill(7)),
    ];
    expect(again).toEqual(first);
    expect(first.map(([, same]) => same)).toEqual(["t", "f"]);
    expect(other.map(([token]) => token)).not.toEqual(first.map(([token]) => token));
  });
});
