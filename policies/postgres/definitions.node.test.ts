/** What happens to a session when the schema changes under it. */
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";

let server: TestPostgres;
let lab: SqlLab;
let admin: pg.Client;
let session: TaskSession;

const task = sqlTask([
  { relation: "people", columns: ["id", "name", "city", "mail"], mask: { mail: { kind: "email" } } },
  { relation: "cities" },
]);

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  lab = new SqlLab(server.port, await testParser());
});

beforeEach(async () => {
  await admin.query(`
    DROP VIEW IF EXISTS cities;
    DROP TABLE IF EXISTS people, others;
    CREATE TABLE people (id int PRIMARY KEY, name text, city text, mail text, secret text);
    INSERT INTO people VALUES (1, 'Ana', 'Rome', 'ana@canary.example', 'canary');
    CREATE VIEW cities AS SELECT DISTINCT city FROM people`);
  session?.close();
  session = await lab.session("postgres", task);
});

afterAll(async () => {
  session?.close();
  await lab?.close();
  await admin?.end();
  await server?.stop();
});

const read = "SELECT id, name || '', city || '', mail || '' FROM people";
const changed = {
  code: "55000",
  message: "the definition of public.people has changed since this session began",
};

test("M12 a table that did not change is read, and one with more columns, too", async () => {
  const rows = ['[1,"Ana","Rome","a***@canary.example"]'.replace("1", '"1"')];
  expect(await session.run(read)).toMatchObject({ error: null, rows });
  await admin.query("ALTER TABLE people ADD COLUMN more text DEFAULT 'canary'");
  expect(await session.run(read)).toMatchObject({ error: null, rows });
  expect((await session.run("SELECT * FROM people")).rows).toEqual(rows);
});

for (const [what, change] of [
  [
    "two columns that swap their names",
    "RENAME secret TO x; ALTER TABLE people RENAME city TO secret; ALTER TABLE people RENAME x TO city",
  ],
  [
    "a masked column that takes another's name",
    "DROP COLUMN name CASCADE; ALTER TABLE people RENAME mail TO name; ALTER TABLE people ADD mail text",
  ],
  [
    "columns that moved up, and all the names as before",
    `DROP COLUMN name CASCADE; ALTER TABLE people RENAME city TO name; ALTER TABLE people RENAME mail TO city;
     ALTER TABLE people RENAME secret TO mail; ALTER TABLE people ADD secret text`,
  ],
  [
    "a table in its place",
    "RENAME TO others; CREATE TABLE people AS SELECT id, secret AS name, secret AS city, secret AS mail FROM others",
  ],
] as const) {
  test(`M12 ${what}: the first statement after it is stopped, also one that was prepared before`, async () => {
    await session.run(`PREPARE p AS ${read}`);
    expect((await session.run("EXECUTE p")).rows).toHaveLength(1);
    await admin.query(`ALTER TABLE people ${change}`);
    for (const sql of [
      read,
      "EXECUTE p",
      "SELECT left(city, 3) FROM people",
      "COPY people TO STDOUT",
      "SELECT count(*) FROM people AS p WHERE p.city LIKE 'c%'",
    ]) {
      const answer = await session.run(sql);
      expect(answer.error, sql).toEqual(changed);
      expect(JSON.stringify(answer)).not.toMatch(/canary/);
    }
  });
}

test("M12 columns with odd names, and of domains, are the same while nothing changes", async () => {
  await admin.query(`
    DROP TABLE IF EXISTS "Odd ""names"" \\ {,}", agreed; DROP DOMAIN IF EXISTS word;
    CREATE TABLE "Odd ""names"" \\ {,}" ("a ""b"" \\c" int, "select" int, "d''e" int, "{f,g}" int, "\t" int, "ä\u2028" int);
    CREATE DOMAIN word AS text NOT NULL CHECK (value <> '');
    CREATE TABLE agreed (id int, said word, more text)`);
  const rules = [{ relation: 'Odd "names" \\ {,}' }, { relation: "agreed" }];
  const odd = await lab.session("postgres", sqlTask(rules));
  for (const { relation } of rules) {
    const name = `"${relation.replaceAll('"', '""')}"`;
    expect(await odd.run(`SELECT count(*) FROM ${name}`)).toMatchObject({ error: null, rows: ['["0"]'] });
  }
  odd.close();
});

const writing = sqlTask([
  { relation: "people", columns: ["id", "name", "city", "mail"], mask: { mail: { kind: "email" } } },
  { verb: "update", relation: "people", columns: ["city"] },
  { verb: "delete", relation: "people" },
  { verb: "insert", relation: "people", columns: ["id", "name", "city"] },
]);

test("M12 a write on a table that changed is stopped before it reads a row, also one that was prepared before", async () => {
  const writes = [
    "UPDATE people SET city = 'x' WHERE name LIKE 'c%' RETURNING name || ''",
    "UPDATE people SET city = 'x'",
    "UPDATE people SET city = upper(name) FROM cities c WHERE c.city <> name",
    "DELETE FROM people WHERE 1 / (length(name) - 6) = 1",
    "DELETE FROM people RETURNING upper(name)",
    "INSERT INTO people (id, name) VALUES (1, 'y') ON CONFLICT (id) DO UPDATE SET city = people.name RETURNING city || ''",
    "MERGE INTO people p USING (SELECT 1 AS id) s ON p.id = s.id AND p.name LIKE 'c%' WHEN MATCHED THEN UPDATE SET city = p.name",
    "MERGE INTO people p USING (SELECT 1 AS id) s ON p.id = s.id WHEN MATCHED THEN DELETE",
  ];
  const rules = [...writing.rules, ...sqlTask([{ relation: "cities" }]).rules];
  const writer = await lab.session("postgres", { ...writing, rules });
  await writer.run(`PREPARE w AS ${writes[0]}`);
  for (const sql of writes) {
    await writer.run("BEGIN");
    const answer = await writer.run(sql);
    expect([sql, answer.denied, answer.error?.code]).toEqual([sql, null, undefined]);
    expect(JSON.stringify(answer)).not.toMatch(/canary/);
    await writer.run("ROLLBACK");
  }
  await admin.query(
    "ALTER TABLE people RENAME secret TO x; ALTER TABLE people RENAME name TO secret; ALTER TABLE people RENAME x TO name",
  );
  for (const sql of [...writes, "EXECUTE w", `EXPLAIN ANALYZE ${writes[1]}`]) {
    const answer = await writer.run(sql);
    expect([sql, answer.error]).toEqual([sql, changed]);
    expect(JSON.stringify(answer)).not.toMatch(/canary/);
  }
  writer.close();
  const { rows } = await admin.query("SELECT name, city FROM people");
  expect(rows).toEqual([{ name: "canary", city: "Rome" }]);
});

/** Two statements each: `loads` is written, and what the statement says goes into the columns of these names. */
const inserts = [
  "INSERT INTO loads (id, a, b, n) VALUES (1, 'x', 'y', 2)",
  "INSERT INTO loads (id, a, b, n) VALUES ('1', 'x', 'y', '2') RETURNING id, a || b",
  "INSERT INTO loads VALUES (1, 'x', 'y'), (2, DEFAULT, NULL) RETURNING *",
  "INSERT INTO loads VALUES (DEFAULT, DEFAULT, 'y', DEFAULT), (1, 'x', 'y', 1)",
  "INSERT INTO loads (a) VALUES ('x') ON CONFLICT (id) DO NOTHING",
  "INSERT INTO loads (a, b) VALUES ('x', NULL), (lower('Y'), 'z') ON CONFLICT DO NOTHING RETURNING b",
  "INSERT INTO loads (d, j, k) VALUES ('2026-01-01', '{\"a\": 1}', '{1,2}')",
  "INSERT INTO loads (d) VALUES ('2026-01-01'), ('2026-01-02')",
  "INSERT INTO loads (c, w, bits) VALUES ('ab', 'word', '101') RETURNING length(c), w, bits",
  "INSERT INTO loads (bits) VALUES ('1010')",
  "INSERT INTO loads (c) VALUES ('too long')",
  "INSERT INTO loads (w) VALUES ('')",
  "INSERT INTO loads (pair) VALUES (ROW(1, 'x'))",
  "INSERT INTO loads (pair, a) VALUES (ROW(1, 'x'), 'a')",
  "INSERT INTO loads (k[1], a) VALUES (7, 'x') RETURNING k",
  "INSERT INTO loads (k[1], k[2]) VALUES ('7', '8'), ('7', NULL) RETURNING k",
  "INSERT INTO loads (k[1:2]) VALUES ('{7,8}') RETURNING k",
  "INSERT INTO loads (n) VALUES (1.6), ('2')",
  "INSERT INTO loads (n) VALUES (true)",
  "INSERT INTO loads (n) VALUES ((SELECT count(*) FROM loads))",
  "INSERT INTO loads AS l (a) VALUES ('x') RETURNING l.a",
  "INSERT INTO loads (id, a) OVERRIDING SYSTEM VALUE VALUES (100, 'x') RETURNING id",
  "INSERT INTO loads DEFAULT VALUES RETURNING a, n",
  "INSERT INTO loads AS l DEFAULT VALUES RETURNING l.*",
  "INSERT INTO loads VALUES (DEFAULT) RETURNING a",
  "INSERT INTO loads (id, n) VALUES (DEFAULT, DEFAULT), (DEFAULT, DEFAULT) RETURNING n",
  "INSERT INTO loads (id, n) OVERRIDING USER VALUE VALUES (DEFAULT, DEFAULT) ON CONFLICT DO NOTHING RETURNING n",
  "INSERT INTO loads (a, b) SELECT 'x', 'y'",
  "INSERT INTO loads (d, n, a) SELECT '2026-01-01', 1, 'z' -- the end",
  "INSERT INTO loads (d) SELECT d FROM (SELECT date '2026-01-01' AS d) s ORDER BY d LIMIT 1",
  "INSERT INTO loads (a, n) SELECT b, count(*) FROM loads GROUP BY b",
  "INSERT INTO loads (n) SELECT count(*) FROM loads WHERE false",
  "INSERT INTO loads (a) SELECT 'x' UNION SELECT 'y' ORDER BY 1 RETURNING a",
  "INSERT INTO loads (a) (SELECT 'x')",
  "INSERT INTO loads (SELECT 5, 'x', 'y') RETURNING id",
  "INSERT INTO loads (VALUES (5, 'x', 'y'))",
  "INSERT INTO loads (d) (VALUES ('2026-01-01'))",
  "INSERT INTO loads (a) VALUES ('x'), ('y') LIMIT 1",
  "INSERT INTO loads (d) WITH w AS (SELECT 1) SELECT '2026-01-01' FROM w",
  "WITH w AS (SELECT 'x' AS a) INSERT INTO loads (a) SELECT a FROM w",
  "WITH w AS (INSERT INTO loads (a) VALUES ('x') RETURNING a) SELECT a FROM w",
  "INSERT INTO loads (a) SELECT a FROM loads ON CONFLICT DO NOTHING",
  "INSERT INTO loads (a, n) SELECT 'x' AS conflict, 1 RETURNING n",
  "INSERT INTO loads (n) SELECT generate_series(1, 3) RETURNING n",
  "INSERT INTO loads (k, a) SELECT '{1,2}', a FROM (VALUES ('q')) v(a) RETURNING k",
  "INSERT INTO loads (a) SELECT 'x', 'too', 'many'",
  "INSERT INTO loads (a, b) SELECT 'x'",
  "INSERT INTO loads (a) VALUES ('x', 'y')",
  "MERGE INTO loads l USING (SELECT 1 AS id) s ON l.id = s.id WHEN NOT MATCHED THEN INSERT (a, b) VALUES ('x', 'y')",
  "MERGE INTO loads l USING (SELECT 1 AS id) s ON l.id = s.id WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
  "MERGE INTO loads l USING (SELECT 1 AS id) s ON false WHEN NOT MATCHED AND CASE WHEN s.id = 1 THEN true END THEN INSERT (a) VALUES ('x')",
  "MERGE INTO loads l USING (SELECT 1 AS id) s ON false WHEN NOT MATCHED AND s.id > 1 OR s.id = 1 THEN INSERT (d) VALUES ('2026-01-01')",
  "MERGE INTO loads l USING (SELECT 1 AS id) s ON false WHEN NOT MATCHED BY TARGET AND s.id = 2 THEN INSERT (n) VALUES (1) WHEN NOT MATCHED BY TARGET THEN INSERT (n) VALUES (2)",
];

const truncates = [
  "TRUNCATE loads",
  "TRUNCATE TABLE ONLY loads RESTART IDENTITY",
  "BEGIN; TRUNCATE loads; COMMIT",
];

const LOADS = `
  DROP TABLE IF EXISTS loads; DROP TYPE IF EXISTS pair; DROP DOMAIN IF EXISTS word CASCADE;
  CREATE TYPE pair AS (i int, t text); CREATE DOMAIN word AS varchar(8) CHECK (value <> '');
  CREATE TABLE loads (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a text DEFAULT 'def', b text, n int DEFAULT 7,
    d date, j jsonb, k int[], c char(3), w word, bits bit(3), pair pair, secret text DEFAULT 'canary')`;

const columns = "id a b n d j k c w bits pair".split(" ");
const loading = sqlTask([
  { relation: "loads", columns },
  { verb: "insert", relation: "loads", columns },
  { verb: "copy", relation: "loads", columns },
  { verb: "truncate", relation: "loads" },
]);

test("M12 an INSERT does what it does without a gate while its table is the same", async () => {
  const unequal: unknown[] = [];
  await admin.query(LOADS);
  for (const sql of inserts) {
    const seen: unknown[] = [];
    for (const gated of [true, false]) {
      await admin.query("TRUNCATE loads RESTART IDENTITY");
      const run = gated ? await lab.session("postgres", loading) : await lab.raw("postgres");
      const shown = await run.run(sql);
      const { rows } = await admin.query("SELECT * FROM loads ORDER BY id");
      run.close();
      const returned = shown.rows.map((row) => row.replaceAll(',"canary"', ""));
      seen.push({ denied: shown.denied, tags: shown.tags, code: shown.error?.code, returned, rows });
    }
    if (JSON.stringify(seen[0]) !== JSON.stringify(seen[1])) unequal.push([sql, ...seen]);
  }
  expect(unequal).toEqual([]);
});

for (const [what, change] of [
  [
    "columns that swap names",
    "RENAME b TO x; ALTER TABLE loads RENAME secret TO b; ALTER TABLE loads RENAME x TO secret",
  ],
  ["a table in its place", "RENAME TO was; CREATE TABLE loads (LIKE was INCLUDING ALL)"],
  [
    "a first column that is gone, and all the names as before",
    "DROP a; ALTER TABLE loads RENAME b TO a; ALTER TABLE loads ADD b text",
  ],
] as const) {
  test(`M12 ${what}: no INSERT, COPY or TRUNCATE writes`, async () => {
    await admin.query(`DROP TABLE IF EXISTS was; ${LOADS}`);
    await admin.query("INSERT INTO loads (a, b) VALUES ('kept', 'kept')");
    const session = await lab.session("postgres", loading);
    await session.run("PREPARE w AS INSERT INTO loads (a, b) VALUES ($1, $2)");
    await admin.query(`ALTER TABLE loads ${change}`);
    const before = (await admin.query("SELECT * FROM loads ORDER BY id")).rows;
    const written: unknown[] = [];
    for (const sql of [
      ...inserts,
      "EXECUTE w('x', 'y')",
      ...(what === "a table in its place" ? truncates : []),
    ]) {
      const { error, denied, rows } = await session.run(sql);
      const own = error?.code === "55000" || (/^(42|22)/.test(error?.code ?? "") && rows.length === 0);
      if (denied !== null || !own) written.push([sql, denied, error, rows]);
    }
    session.close();
    expect(written).toEqual([]);
    expect((await admin.query("SELECT * FROM loads ORDER BY id")).rows).toEqual(before);
  });
}

test("M12 the check of a write is made once, before the table is read, and keeps its index", async () => {
  const session = await lab.session("postgres", writing);
  const { rows } = await session.run(
    "EXPLAIN (ANALYZE, COSTS off) UPDATE people SET city = 'x' WHERE id = 7",
  );
  session.close();
  const plan = rows.join("\n");
  expect(plan).toMatch(/One-Time Filter/);
  expect(plan).toMatch(/Index (Cond|Scan)/);
});

test("M12 a view that was replaced is not read until the session begins again", async () => {
  expect((await session.run("SELECT * FROM cities")).rows).toEqual(['["Rome"]']);
  await admin.query("CREATE OR REPLACE VIEW cities AS SELECT secret AS city FROM people");
  expect((await session.run("SELECT upper(city) FROM cities")).error?.message).toMatch(
    /public.cities has changed/,
  );
  const fresh = await lab.session("postgres", task);
  expect((await fresh.run("SELECT count(*) FROM cities")).rows).toEqual(['["1"]']);
  fresh.close();
});

test("M12 a table that is gone or has lost a granted column is the server's own error", async () => {
  await admin.query("ALTER TABLE people DROP COLUMN city CASCADE");
  expect((await session.run(read)).error?.code).toBe("42703");
  await admin.query("DROP TABLE people");
  expect((await session.run("SELECT id FROM people")).error?.code).toBe("42P01");
});
