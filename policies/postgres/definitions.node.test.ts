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
