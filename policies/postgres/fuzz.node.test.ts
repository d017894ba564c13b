/**
 * Generated queries on two databases that differ only in what the task hides, and whose hidden values are canaries.
 * WICKET_FUZZ is how many (150 when not set), WICKET_FUZZ_SEED the first seed; a failure prints its own.
 */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Transcript } from "../../test/support/corpus.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { queryMaker } from "../../test/support/query-maker.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";
import { writeMaker } from "../../test/support/write-maker.ts";
import { tokens } from "./lexer.ts";
import { type Fields, list } from "./tree.ts";

const COUNT = Number(process.env["WICKET_FUZZ"] ?? 150);
const SEED = Number(process.env["WICKET_FUZZ_SEED"] ?? 1);
/** In every hidden text; and in hex, which a query may print. */
const CANARY = /zqc|qcz|7a7163|ZQC|88[0-9]88/;

const task = sqlTask([
  {
    relation: "people",
    columns: ["id", "name", "email", "ssn", "salary", "born", "city", "note"],
    mask: {
      email: { kind: "email" },
      ssn: { kind: "constant", value: "XXX-XX-XXXX" },
      salary: { kind: "round", digits: -5 },
      born: { kind: "year" },
    },
    detect: { note: ["email", "ssn"] },
  },
  { relation: "pets", rows: "owner <= 2", mask: { chip: { kind: "token" } } },
]);
const writes = sqlTask([
  ...task.rules,
  { relation: "notes", columns: ["id", "body", "n"] },
  { verb: "update", relation: "people", columns: ["name", "city"] },
  { verb: "insert", relation: "pets", columns: ["id", "owner", "name"], rows: "owner <= 2" },
  { verb: "update", relation: "pets", columns: ["name"], rows: "owner <= 2" },
  { verb: "delete", relation: "pets", rows: "owner <= 2" },
  ...(["insert", "update", "delete", "merge"] as const).map((verb) => ({
    ...{ verb, relation: "notes", columns: ["id", "body", "n"] },
  })),
]);

let server: TestPostgres;
let lab: SqlLab;
let a: TaskSession;
let b: TaskSession;

beforeAll(async () => {
  server = await startPostgres({ autovacuum: "off" });
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  for (const [name, mark, order] of [
    ["fa", "zqca", 1],
    ["fb", "zqcb", 2],
  ] as const) {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE template0`);
    const client = new pg.Client({ host: "127.0.0.1", port: server.port, user: "postgres", database: name });
    await client.connect();
    await client.query(`
      CREATE TABLE people (id int PRIMARY KEY, name text, email text, ssn text, salary int, born date, city text, note text, secret text);
      CREATE TABLE pets (id int PRIMARY KEY, owner int, name text, chip text);
      CREATE TABLE vault (id int, token text);
      INSERT INTO vault VALUES (1, '${mark}');
      INSERT INTO people SELECT n, 'name ' || n, CASE WHEN n % 4 > 0 THEN 'm${mark}' || (n * 7 * ${order}) || '@example.com' END,
        '${mark}' || n * ${order}, 100000 + 88088 - 88088 + (n * ${order} * 113) % 4000, DATE '1980-01-01' + (n * ${order} * 17) % 300,
        (ARRAY['Rome', 'Oslo', NULL])[1 + n % 3], 'to w${mark}' || n * ${order} || '@example.com, ' || n, '${mark}' FROM generate_series(1, 12) AS n;
      INSERT INTO pets SELECT n, n % 4, CASE WHEN n % 4 IN (0, 1, 2) THEN 'pet ' || n ELSE '${mark}' || n * ${order} END, 'chip ' || n FROM generate_series(1, 12) AS n;
      CREATE TABLE notes (id int PRIMARY KEY, body text, n int, secret text DEFAULT '${mark}', more text NOT NULL DEFAULT '${mark}');
      INSERT INTO notes SELECT n, 'body ' || n, n % 3, '${mark}' || n * ${order}, '${mark}' || n FROM generate_series(1, 9) n;
      ANALYZE people; ANALYZE pets; ANALYZE notes`);
    await client.end();
  }
  await admin.end();
  lab = new SqlLab(server.port, await testParser());
  a = await lab.session("fa", task);
  b = await lab.session("fb", task);
});

afterAll(async () => {
  a?.close();
  b?.close();
  await lab?.close();
  await server?.stop();
});

/** What a client saw, without the numbers of types, and rows in no order. */
function seen(answer: Transcript): string {
  const columns = answer.columns.map((entry) =>
    entry.map((name) => name.replace(/:(?:2249|1[6-9]\d{3}|[2-9]\d{4,})$/, ":record")),
  );
  return JSON.stringify({ ...answer, columns, rows: [...answer.rows].sort() });
}

/** Relations that a tree names. */
function relations(value: unknown, found: Fields[] = []): Fields[] {
  if (Array.isArray(value)) for (const entry of value) relations(entry, found);
  else if (typeof value === "object" && value !== null) {
    const fields = value as Fields;
    if (typeof fields["relname"] === "string") found.push(fields);
    for (const key in fields) relations(fields[key], found);
  }
  return found;
}

test(
  `M1 M5 M6 ${COUNT} generated queries show nothing that is hidden, and are rewritten in places only`,
  async () => {
    let [allowed, failed] = [0, 0];
    for (let seed = SEED; seed < SEED + COUNT; seed++) {
      const sql = queryMaker(seed).next();
      const say = `seed ${seed}: ${sql}`;
      const decision = a.decide(sql);
      const left = await a.run(sql);
      const right = await b.run(sql);
      expect(seen(left), say).toBe(seen(right));
      expect(JSON.stringify(left), say).not.toMatch(CANARY);
      if (decision.effect !== "allow") continue;
      allowed += 1;
      if (left.error) failed += 1;
      const parsed = lab.parser.parse(decision.rewritten!);
      expect(parsed.ok, say).toBe(true);
      const ctes = new Set([...sql.matchAll(/\b(c|r)(?=(?:\([^)]*\))? AS )/g)].map(([name]) => name));
      for (const { schemaname, relname } of relations(parsed.ok ? parsed.tree.stmts : [])) {
        const granted = schemaname === "public" && ["people", "pets"].includes(String(relname));
        const own = schemaname === "pg_catalog" && relname === "pg_attribute";
        expect(
          granted || own || (schemaname === undefined && ctes.has(String(relname))),
          `${say}: ${schemaname}.${relname}`,
        ).toBe(true);
      }
      // All of the user's own words are still there, in their order; only names of relations are not.
      const rest = list(tokens(decision.rewritten!, 0, decision.rewritten!.length)) as { value: string }[];
      let at = 0;
      for (const { value } of tokens(sql, 0, sql.length)) {
        if (
          [
            "people",
            "pets",
            "public",
            "only",
            "table",
            "tablesample",
            "system",
            ".",
            "(",
            ")",
            "100",
          ].includes(value)
        )
          continue;
        while (at < rest.length && rest[at]!.value !== value) at += 1;
        expect(at, `${say}: ${value} is gone from ${decision.rewritten}`).toBeLessThan(rest.length);
        at += 1;
      }
    }
    console.info(
      `${COUNT} queries: ${allowed} allowed, ${failed} of them failed on the server, ${COUNT - allowed} refused`,
    );
    expect(allowed).toBeGreaterThan(COUNT / 2);
  },
  120_000 + COUNT * 200,
);

test(
  `M2 M5 M8 ${COUNT} generated writes show nothing that is hidden and hang on nothing that is`,
  async () => {
    const [left, right] = [await lab.session("fa", writes), await lab.session("fb", writes)];
    let [allowed, failed] = [0, 0];
    for (let seed = SEED; seed < SEED + COUNT; seed++) {
      const sql = writeMaker(seed);
      const say = `seed ${seed}: ${sql}`;
      const answers: Transcript[] = [];
      for (const session of [left, right]) {
        await session.run("BEGIN");
        answers.push(await session.run(sql));
        await session.run("ROLLBACK");
      }
      const [one, other] = answers as [Transcript, Transcript];
      expect(seen(one), say).toBe(seen(other));
      expect(JSON.stringify(one).replaceAll(JSON.stringify(sql).slice(1, -1), ""), say).not.toMatch(CANARY);
      if (one.denied) continue;
      allowed += 1;
      if (one.error) failed += 1;
    }
    left.close();
    right.close();
    console.info(`${COUNT} writes: ${allowed} allowed, ${failed} of them failed on the server`);
    expect(allowed).toBeGreaterThan(COUNT / 8);
  },
  120_000 + COUNT * 200,
);
