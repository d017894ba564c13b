/** Writes of real clients through the gate, on a table that is still the one of the catalog and on one that is not. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from } from "pg-copy-streams";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { type GateBridge, startGateBridge } from "../../test/support/gate-bridge.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import { createDecider } from "./decide.ts";
import { scrubber } from "./scrub.ts";

const columns = ["id", "a", "b"];
const task = sqlTask([
  { relation: "loads", columns },
  ...(["insert", "copy", "truncate"] as const).map((verb) => ({ verb, relation: "loads", columns })),
  { verb: "truncate", relation: "parents" },
]);

let server: TestPostgres;
let lab: SqlLab;
let admin: pg.Client;
let bridge: GateBridge;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  admin = await lab.client("postgres");
});

beforeEach(async () => {
  await admin.query(`
    DROP TABLE IF EXISTS was, loads, children, parents;
    CREATE TABLE loads (gone int, id int, a text, b text, secret text);
    ALTER TABLE loads DROP gone;
    CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (id int REFERENCES parents)`);
  const catalog = await lab.catalog("postgres", task);
  const decider = createDecider({ task, catalog, parser: lab.parser });
  bridge = await startGateBridge({ postgres: server.port, task, catalog, decider, scrub: scrubber });
  client = new pg.Client(bridge.url);
  await client.connect();
  return async () => {
    await client.end();
    await bridge.stop();
  };
});

afterAll(async () => {
  await lab?.close();
  await server?.stop();
});

async function copy(sql: string, lines: readonly string[]): Promise<unknown> {
  try {
    const target = client.query(from(sql));
    await pipeline(Readable.from(lines.map((line) => `${line}\n`)), target);
    return (target as unknown as { rowCount: number }).rowCount;
  } catch (error) {
    return (error as pg.DatabaseError).code;
  }
}

async function tag(query: string | pg.QueryConfig): Promise<unknown> {
  return client.query(query).then(
    ({ command }) => command,
    ({ code, message }: pg.DatabaseError) => [code, message],
  );
}

const stored = async () => (await admin.query("SELECT * FROM loads ORDER BY id")).rows;
const lines = Array.from({ length: 2500 }, (_, n) => `${n}\tx\ty`);

test("COPY FROM loads, also after a column was added, and with every column that there is", async () => {
  expect(await copy("COPY loads FROM STDIN", ["1\tx\ty"])).toBe(1);
  await admin.query("ALTER TABLE loads ADD more text");
  expect(await copy("COPY loads (b, id) FROM STDIN WITH (FORMAT csv)", ["z,2"])).toBe(1);
  expect(await copy("COPY loads FROM STDIN", lines)).toBe(2500);
  expect(await copy("COPY loads FROM STDIN", [])).toBe(0);
});

for (const [what, change] of [
  [
    "columns that swap names",
    "RENAME b TO x; ALTER TABLE loads RENAME secret TO b; ALTER TABLE loads RENAME x TO secret",
  ],
  [
    "a column that is gone, and the names as before",
    "DROP a; ALTER TABLE loads RENAME b TO a; ALTER TABLE loads RENAME secret TO b",
  ],
  ["a table in its place", "RENAME TO was; CREATE TABLE loads (LIKE was)"],
] as const) {
  test(`M12 ${what}: COPY FROM writes nothing`, async () => {
    await admin.query(`INSERT INTO loads VALUES (1, 'kept', 'kept'); ALTER TABLE loads ${change}`);
    const before = await stored();
    expect(await copy("COPY loads (id, a, b) FROM STDIN", lines)).toBe("55000");
    expect(await copy("COPY loads (b) FROM STDIN", ["x"])).toBe("55000");
    expect(await stored()).toEqual(before);
  });
}

test("TRUNCATE has its own tag in both protocols, and its own errors", async () => {
  await admin.query("INSERT INTO loads VALUES (1, 'a', 'b')");
  expect(await tag("TRUNCATE loads")).toBe("TRUNCATE");
  expect(await stored()).toEqual([]);
  expect(await tag({ text: "TRUNCATE TABLE ONLY loads RESTART IDENTITY", name: "t" })).toBe("TRUNCATE");
  expect(bridge.events.filter(({ t }) => t === "outcome")).toMatchObject([
    { tag: "TRUNCATE TABLE" },
    { tag: "TRUNCATE TABLE" },
  ]);
  const message = "cannot truncate a table referenced in a foreign key constraint";
  expect(await tag("TRUNCATE parents")).toEqual(["0A000", message]);
  expect(await tag("TRUNCATE children")).toMatchObject(["42501", expect.any(String)]);
});

test("M12 TRUNCATE of another table that took the name empties nothing, alone and in a transaction", async () => {
  await admin.query(
    "ALTER TABLE loads RENAME TO was; CREATE TABLE loads (LIKE was); INSERT INTO loads VALUES (1)",
  );
  const changed = ["55000", "the definition of public.loads has changed since this session began"];
  expect(await tag("TRUNCATE loads")).toEqual(changed);
  expect(await tag({ text: "TRUNCATE loads", name: "t" })).toEqual(changed);
  await tag("BEGIN");
  expect(await tag("TRUNCATE loads, parents")).toMatchObject(["0A000", expect.any(String)]);
  await tag("COMMIT");
  expect(await stored()).toHaveLength(1);
});

test("P17 an error names a constraint like the database where all of its kind are over what the task sees, and no value", async () => {
  await admin.query(`
    DROP TABLE IF EXISTS half, clear, refs; CREATE TABLE refs (id int PRIMARY KEY);
    CREATE TABLE clear (id int PRIMARY KEY, email text CONSTRAINT once UNIQUE, n int NOT NULL CONSTRAINT small CHECK (n < 10),
      ref int CONSTRAINT known REFERENCES refs, span int4range, CONSTRAINT apart EXCLUDE USING gist (span WITH &&));
    CREATE UNIQUE INDEX "Lower" ON clear (lower(email), n);
    CREATE TABLE half (id int PRIMARY KEY, email text CONSTRAINT half_once UNIQUE, secret int UNIQUE, n int CONSTRAINT half_small
      CHECK (n < 10) CONSTRAINT half_secret CHECK (n <> secret), c int CONSTRAINT half_known REFERENCES clear);
    INSERT INTO refs VALUES (1); INSERT INTO clear VALUES (1, 'Canary', 1, 1, '[1,9)'); INSERT INTO half VALUES (1, 'canary', 1, 2, 1);
    CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE unique_violation USING CONSTRAINT = 'once', TABLE = 'clear', SCHEMA = 'public', MESSAGE = 'canary'; END $$;
    CREATE TRIGGER t BEFORE INSERT ON clear FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION raises()`);
  const verbs = ["insert", "update", "delete", "copy"] as const;
  const of = sqlTask([
    { relation: "clear" },
    { relation: "half", columns: ["id", "email", "n", "c"], mask: { email: { kind: "email" } } },
    ...verbs.flatMap((verb) => ["clear", "half"].map((relation) => ({ verb, relation }))),
  ]);
  const catalog = await lab.catalog("postgres", of);
  const decider = createDecider({ task: of, catalog, parser: lab.parser });
  const own = await startGateBridge({ postgres: server.port, task: of, catalog, decider, scrub: scrubber });
  const shown = new pg.Client(own.url);
  await shown.connect();
  const error = (on: pg.Client, sql: string) =>
    on.query(sql).then(
      () => null,
      ({ code, message, schema, table, column, constraint, detail }: pg.DatabaseError) =>
        ({ code, message, schema, table, column, constraint, detail }) as const,
    );
  const keys: Record<string, string> = { once: "email", clear_pkey: "id" };
  for (const sql of [
    "INSERT INTO clear VALUES (1, 'x', 1)",
    "INSERT INTO clear VALUES (2, 'Canary', 3)",
    "UPDATE clear SET email = 'canary', id = 3 WHERE false",
    "INSERT INTO clear VALUES (2, 'canary', 1)",
    "INSERT INTO clear VALUES (2, 'x', 11)",
    "UPDATE clear SET n = NULL",
    "INSERT INTO clear VALUES (2, 'x', 2, 77)",
    "INSERT INTO clear VALUES (2, 'x', 2, 1, '[3,4)')",
    "INSERT INTO half (id, n, c) VALUES (5, 3, 77)",
  ]) {
    const [direct, told] = [await error(admin, sql), await error(shown, sql)];
    const columns = keys[String(direct?.constraint)];
    const detail = columns ? `Key (${columns})=(hidden) already exists.` : undefined;
    expect([sql, told]).toEqual([sql, direct && { ...direct, detail }]);
  }
  for (const sql of [
    "INSERT INTO half (id, email, n) VALUES (1, 'x', 3)",
    "INSERT INTO half (id, email, n) VALUES (5, 'canary', 3)",
    "INSERT INTO half (id, n) VALUES (5, 11)",
    "UPDATE half SET n = 1",
    "DELETE FROM clear",
    "INSERT INTO clear VALUES (7, 'x', 1)",
  ]) {
    const told = await error(shown, sql);
    expect([sql, told]).toMatchObject([sql, { code: expect.stringMatching(/^23/), constraint: undefined }]);
    expect(JSON.stringify(told)).not.toMatch(/canary|half_|once|known/);
  }
  await shown.end();
  await own.stop();
});

test("parameters of an INSERT have the types that they have without the gate", async () => {
  const raw = await lab.raw("postgres");
  const session = await lab.session("postgres", task);
  for (const sql of [
    "INSERT INTO loads (id, a) VALUES ($1, $2)",
    "INSERT INTO loads (a, id) VALUES ($2, $1), ($3, 5)",
    "INSERT INTO loads (id) VALUES ($1)",
    "INSERT INTO loads (id, a) SELECT $1, $2",
    "INSERT INTO loads (id, a) SELECT $1, $2 WHERE $3",
    "INSERT INTO loads (id) VALUES ($1::int8), ($2 + 1)",
    "INSERT INTO loads (id, a) VALUES (DEFAULT, $1) RETURNING id",
  ]) {
    const types: unknown[] = [];
    for (const text of [sql, session.decide(sql).rewritten!]) {
      const { rows, error } = await raw.run(
        `PREPARE p AS ${text}; SELECT parameter_types FROM pg_prepared_statements; DEALLOCATE p`,
      );
      types.push(error ?? rows);
    }
    expect([sql, types[1]]).toEqual([sql, types[0]]);
  }
  raw.close();
  session.close();
});
