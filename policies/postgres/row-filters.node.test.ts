import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transcript } from "../../test/support/corpus.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";

/** Two databases that differ only in the rows that the filter hides. */
const schema = (hidden: string) => `
CREATE SCHEMA "Sales";
CREATE TABLE "Sales"."Order" (id int PRIMARY KEY, owner uuid, region text, code varchar(20), day date, total numeric(10,2), note text);
INSERT INTO "Sales"."Order" SELECT i, '00000000-0000-0000-0000-000000000001', CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, 'c' || i, '2026-01-01', i, 'shown'
  FROM generate_series(1, 10) i;
INSERT INTO "Sales"."Order" SELECT 100 + i, '00000000-0000-0000-0000-000000000002', 'eu', '${hidden}', '2026-01-02', 0, '${hidden}'
  FROM generate_series(1, ${hidden.length}) i;
CREATE TABLE "Sales".line (id int PRIMARY KEY, "order" int, what text);
INSERT INTO "Sales".line SELECT i, i, 'w' || i FROM generate_series(1, 10) i;
INSERT INTO "Sales".line SELECT 100 + i, 100 + i, 'canary' FROM generate_series(1, ${hidden.length}) i;
CREATE INDEX ON "Sales"."Order" (owner);
ANALYZE;`;

const owner = "00000000-0000-0000-0000-000000000001";
const task = sqlTask(
  [
    { schema: "Sales", relation: "Order", rows: "owner = :owner AND day <= :until" },
    {
      schema: "Sales",
      relation: "line",
      rows: `"order" IN (SELECT o.id FROM "Sales"."Order" o WHERE o.owner = :owner)`,
    },
  ],
  { params: { owner: "uuid", until: "date" } },
);

describe("row filters, run on two databases that differ in the hidden rows", () => {
  let server: TestPostgres;
  let lab: SqlLab;

  beforeAll(async () => {
    server = await startPostgres();
    lab = new SqlLab(server.port, await testParser());
    const admin = await lab.client("postgres");
    for (const [database, hidden] of [
      ["a", "canary"],
      ["b", "canary-other"],
    ] as const) {
      await admin.query(`CREATE DATABASE ${database}`);
      await (await lab.client(database)).query(schema(hidden));
    }
  }, 120_000);

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  async function both(sql: string, params?: readonly string[]): Promise<Transcript> {
    const shown: Transcript[] = [];
    for (const database of ["a", "b"]) {
      const session = await lab.session(database, task, { owner, until: "2026-12-31" });
      shown.push(await session.run(sql, params));
      session.close();
    }
    expect(shown[1]).toEqual(shown[0]);
    expect(JSON.stringify(shown[0])).not.toContain("canary");
    return shown[0]!;
  }

  const statements: readonly (readonly [string, number] | readonly [string, number, readonly string[]])[] = [
    [`SELECT * FROM "Sales"."Order"`, 10],
    [`SELECT id FROM "Sales"."Order" WHERE 1 / total > 0`, 10],
    [`SELECT id FROM "Sales"."Order" WHERE note::int > 0 OR true`, 10],
    [
      `SELECT id FROM "Sales"."Order" o WHERE CASE WHEN note <> 'shown' THEN 1 / (id - id) > 0 ELSE true END`,
      10,
    ],
    [`SELECT max(note), count(*), string_agg(DISTINCT code, ',') FROM "Sales"."Order"`, 1],
    [`SELECT id FROM "Sales"."Order" WHERE id = 101`, 0],
    [`SELECT id FROM "Sales"."Order" WHERE id IN (1, 101, 2)`, 2],
    [`SELECT id FROM "Sales"."Order" WHERE id = $1 AND region = $2`, 1, ["2", "eu"]],
    [`SELECT id FROM "Sales"."Order" WHERE id = ANY ($1)`, 2, ["{1,3,101}"]],
    [
      `SELECT o.id FROM "Sales"."Order" o WHERE o.id >= 9 AND o.owner = '${owner}'::uuid AND o.day = '2026-01-01' AND 1 / o.total < 1`,
      2,
    ],
    [`SELECT "Sales"."Order".id FROM "Sales"."Order" WHERE "Order".id < 3`, 2],
    [
      `SELECT l.what, o.id FROM "Sales".line l LEFT JOIN "Sales"."Order" o ON o.id = l."order" AND o.id = 3`,
      10,
    ],
    [
      `SELECT l.what, o.id FROM "Sales".line l LEFT JOIN "Sales"."Order" o ON o.id = l."order" WHERE o.id = 3`,
      1,
    ],
    [
      `SELECT l.what, o.id FROM "Sales".line l FULL JOIN "Sales"."Order" o ON o.id = l.id + 5 WHERE l.id = 3`,
      1,
    ],
    [`SELECT l.what FROM "Sales".line l FULL JOIN "Sales"."Order" o USING (id) WHERE id = 3`, 1],
    [`SELECT count(*) FROM "Sales".line`, 1],
    [`SELECT * FROM "Sales"."Order" TABLESAMPLE BERNOULLI (100) WHERE id = 3`, 1],
    [`SELECT * FROM "Sales"."Order" FOR UPDATE`, -1],
    [`EXPLAIN SELECT * FROM "Sales"."Order" WHERE id = 3`, -2],
    [`EXPLAIN ANALYZE SELECT * FROM "Sales"."Order"`, -1],
    [`COPY "Sales"."Order" TO STDOUT`, 10],
    [`SELECT o.id, o.note, count(*) FROM "Sales"."Order" o GROUP BY o.id`, 10],
    [`SELECT (SELECT count(*) FROM "Sales"."Order" i WHERE i.id > o.id) FROM "Sales"."Order" o`, 10],
    [
      `WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t JOIN "Sales"."Order" o ON o.id = t.n) SELECT count(*) FROM t`,
      1,
    ],
  ];
  for (const [sql, rows, params] of statements) {
    test(sql, async () => {
      const shown = await both(sql, params);
      if (rows === -1) expect(shown.denied).not.toBeNull();
      else expect(shown.denied).toBeNull();
      if (rows >= 0) expect({ error: shown.error, rows: shown.rows.length }).toEqual({ error: null, rows });
    });
  }

  test("a safe condition uses its index behind the barrier, another one does not pass it", async () => {
    const session = await lab.session("a", task, { owner, until: "2026-12-31" });
    const { rewritten } = session.decide(`SELECT id FROM "Sales"."Order" WHERE id = 3 AND 1 / total > 0`);
    session.close();
    const other = await lab.session("a", task, { owner, until: "2026-12-31" });
    for (const unsafe of [
      "total = 1",
      "note < 'x'",
      "id + 0 = 3",
      "id = total",
      "note LIKE 'x'",
      "id = (SELECT 3)",
      "NOT id = 3",
      "id = 3 OR true",
    ]) {
      const decided = other.decide(`SELECT id FROM "Sales"."Order" WHERE ${unsafe}`);
      expect(decided.rewritten).toMatch(/pg_catalog\.date\) OFFSET 0\)/);
    }
    other.close();
    expect(rewritten).toMatch(
      /AND id OPERATOR\(pg_catalog\.=\) 3 OFFSET 0\) AS "Order" WHERE id = 3 AND 1 \/ total > 0$/,
    );
  });

  test("values of parameters are typed, and never text of a statement", async () => {
    const evil = sqlTask([{ schema: "Sales", relation: "Order", rows: "note = :what" }], {
      params: { what: "text" },
    });
    const session = await lab.session("a", evil, { what: "x' OR true --\\ \n;" });
    const shown = await session.run(`SELECT count(*) FROM "Sales"."Order"`);
    expect(shown).toMatchObject({ error: null, rows: ['["0"]'] });
    session.close();
    const wrong = await lab.session("a", task, { owner: "not a uuid", until: "2026-12-31" });
    expect((await wrong.run(`SELECT * FROM "Sales"."Order"`)).error?.code).toBe("22P02");
    wrong.close();
    const missing = await lab.session("a", task, {});
    expect((await missing.run(`SELECT * FROM "Sales"."Order"`)).error?.code).toBe("42704");
    missing.close();
  });
});
