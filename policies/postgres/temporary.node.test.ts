/** Temporary tables of the session's own, on real PostgreSQL: what they may hold, and that they are nobody else's. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { corpusServers } from "../../test/support/corpus-databases.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";

const SCHEMA = `
CREATE TABLE people (id int PRIMARY KEY, email text, ssn text, country text, hidden text);
INSERT INTO people SELECT i, 'p' || i || '.canary@x.com', 'canary' || i, CASE WHEN i > 5 THEN 'DE' ELSE 'canary' END, 'canary'
  FROM generate_series(1, 9) i;
CREATE TABLE notes (id int PRIMARY KEY, text text);
INSERT INTO notes VALUES (1, 'one');
CREATE TABLE secrets (id int, token text);
INSERT INTO secrets VALUES (1, 'canary');
CREATE TABLE keep (id int);
INSERT INTO keep VALUES (1);
CREATE FUNCTION leak(anyelement) RETURNS text LANGUAGE sql STABLE AS 'SELECT token FROM secrets';
CREATE TYPE shape AS (a int);`;

const rules = [
  {
    relation: "people",
    columns: ["id", "email", "ssn", "country"],
    rows: "country = 'DE'",
    mask: { email: { kind: "email" }, ssn: { kind: "constant", value: "XXX" } },
    lookup: ["email"],
  },
  { relation: "notes" },
  { verb: "update", relation: "notes", columns: ["text"] },
] as const;

const base = sqlTask(rules);
const task = sqlTask(rules, { session: { ...base.session, temporaryTables: true } });

describe.each(corpusServers)("on PostgreSQL $major", ({ programs }) => {
  let server: TestPostgres;
  let lab: SqlLab;
  let session: TaskSession;

  beforeAll(async () => {
    server = await startPostgres({}, programs);
    lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
    await (await lab.client("postgres")).query(SCHEMA);
  }, 120_000);

  beforeEach(async () => {
    session = await lab.session("postgres", task);
    return () => session.close();
  });

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  /** The rows of the last statement, or its error; never anything hidden. */
  async function run(sql: string): Promise<unknown> {
    const shown = await session.run(sql);
    expect(JSON.stringify(shown)).not.toContain("canary");
    return shown.denied ?? shown.error?.code ?? shown.rows.map((row) => JSON.parse(row));
  }

  async function script(...steps: readonly (readonly [string, unknown])[]): Promise<void> {
    for (const [sql, shows] of steps) expect([sql, await run(sql)]).toEqual([sql, shows]);
  }

  test("one of what the task shows, joined, changed and dropped", () =>
    script(
      ["CREATE TEMP TABLE seen AS SELECT * FROM people", []],
      ["SELECT * FROM seen ORDER BY id LIMIT 1", [["6", "p***@x.com", "XXX", "DE"]]],
      ["SELECT count(*) FROM seen s JOIN people p ON p.id = s.id AND p.email = s.email", [["4"]]],
      [
        "SELECT seen.*, seen.ctid IS NOT NULL FROM pg_temp.seen WHERE seen.id = 7",
        [["7", "p***@x.com", "XXX", "DE", "t"]],
      ],
      ["INSERT INTO seen (id, email) VALUES (20, 'mine') RETURNING *", [["20", "mine", null, null]]],
      [
        "INSERT INTO seen SELECT id + 100, email, ssn, country FROM people RETURNING id",
        [["106"], ["107"], ["108"], ["109"]],
      ],
      [
        "UPDATE seen AS s SET (email, ssn) = (p.email, upper(p.ssn)), country = DEFAULT FROM people p WHERE p.id = s.id RETURNING s.id, s.country",
        [
          ["6", null],
          ["7", null],
          ["8", null],
          ["9", null],
        ],
      ],
      [
        "UPDATE seen SET (email, ssn) = (SELECT country, ssn FROM people WHERE id = 6) WHERE id = 20 RETURNING email, ssn",
        [["DE", "XXX"]],
      ],
      ["DELETE FROM seen USING people WHERE people.id + 100 = seen.id", []],
      [
        "MERGE INTO seen USING people p ON p.id = seen.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (p.id)",
        [],
      ],
      ["SELECT seen FROM seen", [["(20,DE,XXX,)"]]],
      [
        "EXPLAIN (COSTS OFF) INSERT INTO seen SELECT * FROM seen",
        [["Insert on seen"], ["  ->  Seq Scan on seen seen_1"]],
      ],
      ["TRUNCATE seen", []],
      ["TABLE seen", []],
      ["DROP TABLE seen", []],
      ["SELECT * FROM seen", "42P01"],
    ));

  test("with columns, defaults and keys, upserts, COPY and ON COMMIT", () =>
    script(
      [
        "CREATE TEMPORARY TABLE IF NOT EXISTS \"My Own\" (id int PRIMARY KEY, t text NOT NULL DEFAULT upper('x'), n numeric(6,2) NULL, UNIQUE (t, n))",
        [],
      ],
      [
        'INSERT INTO "My Own" AS m (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = coalesce(m.n, 0) + excluded.id RETURNING m.*',
        [["1", "X", null]],
      ],
      [
        "INSERT INTO \"My Own\" AS m (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = coalesce(m.n, 0) + excluded.id WHERE m.t = 'X' RETURNING n",
        [["1.00"]],
      ],
      ['COPY "My Own" TO STDOUT', ["1\tX\t1.00\n"]],
      ['COPY "My Own" (id, t) TO STDOUT (FORMAT csv)', ["1,X\n"]],
      ['WITH d AS (DELETE FROM "My Own" RETURNING *) SELECT t FROM d', [["X"]]],
      ["BEGIN", []],
      ["CREATE TEMP TABLE brief ON COMMIT DROP AS VALUES (1, 'a')", []],
      ["SELECT column2 FROM brief", [["a"]]],
      ["COMMIT", []],
      ["SELECT * FROM brief", "42P01"],
      ["CREATE TEMP TABLE two (a, b) AS SELECT id, email FROM people WITH NO DATA", []],
      ["SELECT a, b FROM two", []],
      ["DROP TABLE IF EXISTS two, pg_temp.brief CASCADE", []],
      ["CREATE TEMP TABLE in_one AS SELECT 1 AS a; SELECT a FROM in_one; DROP TABLE in_one", [["1"]]],
    ));

  test("P16 a name never means another table than the session's own", async () => {
    await script(
      ["SELECT * FROM secrets", "RELATION_NOT_GRANTED"],
      ["CREATE TEMP TABLE secrets (id int)", []],
      ["SELECT * FROM secrets", []],
      ["SELECT * FROM public.secrets", "RELATION_NOT_GRANTED"],
      ["INSERT INTO public.secrets VALUES (2)", "RELATION_NOT_GRANTED"],
      ["INSERT INTO secrets VALUES (2) RETURNING id", [["2"]]],
      ["DROP TABLE public.secrets", "STATEMENT_NOT_ALLOWED"],
      ["DROP TABLE keep", "STATEMENT_NOT_ALLOWED"],
      ["DROP TABLE secrets", []],
      ["DROP TABLE secrets", "42P01"],
      ["SELECT * FROM secrets", "42P01"],
      ["TRUNCATE secrets", "42P01"],
      ["BEGIN", []],
      ["CREATE TEMP TABLE keep AS SELECT 5 AS id", []],
      ["SELECT id FROM keep", [["5"]]],
      ["ROLLBACK", []],
      ["SELECT id FROM keep", "42P01"],
      ["DROP TABLE keep", "42P01"],
      ["WITH keep AS (SELECT 9 AS id) SELECT id FROM keep", [["9"]]],
    );
    const { rows } = await (await lab.client("postgres")).query(
      "SELECT (SELECT count(*)::int FROM keep) AS keep, (SELECT count(*)::int FROM secrets) AS secrets",
    );
    expect(rows).toEqual([{ keep: 1, secrets: 1 }]);
  });

  test.each([
    ["CREATE TEMP TABLE people (id int)", "NAME_TAKEN"],
    ["CREATE TEMP TABLE notes AS SELECT 1", "NAME_TAKEN"],
    ["CREATE TEMP TABLE pg_class (id int)", "NAME_TAKEN"],
    ["CREATE TEMP TABLE pg_temp_x (id int)", "NAME_TAKEN"],
    ["CREATE TEMP TABLE public.x (id int)", "NAME_TAKEN"],
    ["CREATE TABLE x (id int)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TABLE pg_temp.x (id int)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE UNLOGGED TABLE x AS SELECT 1", "STATEMENT_NOT_ALLOWED"],
    ["SELECT 1 INTO TEMP x", "STATEMENT_NOT_ALLOWED"],
    ["CREATE MATERIALIZED VIEW x AS SELECT 1", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP VIEW x AS SELECT 1", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP SEQUENCE x", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x AS SELECT * FROM secrets", "RELATION_NOT_GRANTED"],
    ["CREATE TEMP TABLE x AS SELECT hidden FROM people", "42703"],
    ["CREATE TEMP TABLE x AS SELECT leak(1)", "FUNCTION_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x AS EXECUTE p", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x AS SELECT id FROM people WHERE email = 'p6.canary@x.com'", "LOOKUP_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (LIKE secrets)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x () INHERITS (secrets)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x OF shape", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x PARTITION OF secrets DEFAULT", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int) PARTITION BY LIST (a)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int) TABLESPACE pg_default", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int) WITH (fillfactor = 50)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x USING heap AS SELECT 1", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int CHECK (leak(a) IS NULL))", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int GENERATED ALWAYS AS (1) STORED)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a int REFERENCES notes)", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a text DEFAULT leak(1))", "FUNCTION_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (a text DEFAULT (SELECT token FROM secrets))", "RELATION_NOT_GRANTED"],
    ["CREATE TEMP TABLE x (a secrets)", "TYPE_NOT_ALLOWED"],
    ["CREATE TEMP TABLE x (EXCLUDE (a WITH =))", "STATEMENT_NOT_ALLOWED"],
    ["PREPARE p AS CREATE TEMP TABLE x AS SELECT 1", "SYNTAX_ERROR"],
    ["EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1", "STATEMENT_NOT_ALLOWED"],
    ["CREATE INDEX ON own (a)", "STATEMENT_NOT_ALLOWED"],
    ["ALTER TABLE own RENAME TO notes", "STATEMENT_NOT_ALLOWED"],
    ["ALTER TABLE own SET SCHEMA public", "STATEMENT_NOT_ALLOWED"],
    ["CREATE TRIGGER t BEFORE INSERT ON own EXECUTE FUNCTION leak()", "STATEMENT_NOT_ALLOWED"],
    ["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "STATEMENT_NOT_ALLOWED"],
    ["DROP TABLE own, secrets", "STATEMENT_NOT_ALLOWED"],
    ["DROP TABLE pg_temp_1.own", "STATEMENT_NOT_ALLOWED"],
    ["DROP VIEW own", "STATEMENT_NOT_ALLOWED"],
    ["TRUNCATE own, secrets", "RELATION_NOT_GRANTED"],
    ["TRUNCATE own CASCADE", "WRITE_NOT_ALLOWED"],
    ["SELECT * FROM pg_temp.people", "RELATION_NOT_GRANTED"],
    ["SELECT own.leak FROM own", "FUNCTION_NOT_ALLOWED"],
    ["SELECT (own).leak FROM own", "FUNCTION_NOT_ALLOWED"],
    ["SELECT leak(own) FROM own", "FUNCTION_NOT_ALLOWED"],
    ["SELECT NULL::own", "TYPE_NOT_ALLOWED"],
    ["INSERT INTO own SELECT id FROM secrets", "RELATION_NOT_GRANTED"],
    ["INSERT INTO own VALUES ((SELECT id FROM secrets))", "RELATION_NOT_GRANTED"],
    ["INSERT INTO own VALUES (1) RETURNING (SELECT token FROM secrets)", "RELATION_NOT_GRANTED"],
    ["INSERT INTO own VALUES (1) RETURNING leak(a)", "FUNCTION_NOT_ALLOWED"],
    ["INSERT INTO own VALUES (1) ON CONFLICT (leak(a)) DO NOTHING", "FUNCTION_NOT_ALLOWED"],
    ["INSERT INTO own VALUES (1) ON CONFLICT (a public.my_ops) DO NOTHING", "CONFLICT_NOT_ALLOWED"],
    ["UPDATE own SET a = s.id FROM secrets s", "RELATION_NOT_GRANTED"],
    ["UPDATE own SET a = 1 WHERE leak(a) IS NULL", "FUNCTION_NOT_ALLOWED"],
    ["DELETE FROM own USING secrets", "RELATION_NOT_GRANTED"],
    ["MERGE INTO own USING secrets s ON true WHEN MATCHED THEN DELETE", "RELATION_NOT_GRANTED"],
    [
      "MERGE INTO own USING notes n ON true WHEN MATCHED AND leak(a) IS NULL THEN DELETE",
      "FUNCTION_NOT_ALLOWED",
    ],
    [
      "WITH w AS (INSERT INTO own SELECT 1 RETURNING a) UPDATE notes SET text = ssn FROM people",
      "MASKED_COLUMN_IN_WRITE",
    ],
    [
      "WITH w AS (UPDATE notes SET text = 'x' RETURNING id) INSERT INTO own SELECT id FROM w, people WHERE ssn = 'X'",
      "MASKED_COLUMN_IN_WRITE",
    ],
    ["INSERT INTO own SELECT 1 FROM people WHERE email = 'x'", "LOOKUP_NOT_ALLOWED"],
    ["COPY own FROM PROGRAM 'id'", "COPY_NOT_ALLOWED"],
    ["COPY own TO '/tmp/x'", "COPY_NOT_ALLOWED"],
    ["LOCK TABLE own", "STATEMENT_NOT_ALLOWED"],
  ])("P14 P16 M8 %s", async (sql, code) => {
    expect(await run("CREATE TEMP TABLE own AS SELECT 1 AS a")).toEqual([]);
    expect(await run(sql)).toBe(code);
  });

  test("a task that does not say so has none, and its session stays read-only", async () => {
    const other = await lab.session("postgres", sqlTask(rules.slice(0, 2)));
    for (const sql of [
      "CREATE TEMP TABLE x (a int)",
      "CREATE TEMP TABLE x AS SELECT 1",
      "DROP TABLE x",
      "SELECT * FROM pg_temp.x",
    ])
      expect((await other.run(sql)).denied).toMatch(/^(STATEMENT|RELATION)_NOT_(ALLOWED|GRANTED)$/);
    expect((await other.run("SHOW transaction_read_only")).rows).toEqual(['["on"]']);
    other.close();
  });
});
