/** Types that a database has made: which may be named, because no input, cast or check of theirs runs a function of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";

const SCHEMA = `
CREATE TABLE secrets (id int, token text);
INSERT INTO secrets VALUES (1, 'canary');
CREATE FUNCTION leak(anyelement) RETURNS text LANGUAGE sql STABLE AS 'SELECT token FROM secrets';
CREATE TYPE place AS (street text, number int, tags text[]);
CREATE TYPE words AS RANGE (subtype = text);
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE DOMAIN short AS text CHECK (length(value) < 20);
CREATE FUNCTION checks(text) RETURNS bool LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM secrets WHERE token LIKE $1 || '%') $$;
CREATE DOMAIN guess AS text CHECK (checks(value));
CREATE TYPE nested AS (g guess);
CREATE TYPE inner_place AS (p place);
CREATE TYPE casting AS (a text);
CREATE FUNCTION casting_text(casting) RETURNS text LANGUAGE sql STABLE AS 'SELECT token FROM secrets';
CREATE CAST (casting AS text) WITH FUNCTION casting_text(casting);
CREATE TYPE steps;
CREATE FUNCTION steps_canonical(steps) RETURNS steps LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE steps AS RANGE (subtype = int4, canonical = steps_canonical);
CREATE FUNCTION place_less(place, place) RETURNS bool LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM secrets)';
CREATE OPERATOR <<< (LEFTARG = place, RIGHTARG = place, FUNCTION = place_less);
CREATE TABLE houses (id int, at place, during words);
INSERT INTO houses VALUES (1, '(Main,7,{a})', '[a,c)');`;

let server: TestPostgres;
let lab: SqlLab;
let session: TaskSession;

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  await (await lab.client("postgres")).query(SCHEMA);
  session = await lab.session("postgres", sqlTask([{ relation: "houses" }]));
}, 120_000);

afterAll(async () => {
  session?.close();
  await lab?.close();
  await server?.stop();
});

test.each([
  ["SELECT ('(Main,7,{x})'::place).street", ["Main"]],
  ["SELECT ROW('Main', 7, NULL)::public.place = at FROM houses", ["f"]],
  ["SELECT (at).number, at::text FROM houses WHERE at IS NOT NULL", ["7", "(Main,7,{a})"]],
  ["SELECT 'b'::text <@ during, '[b,c]'::words && during FROM houses", ["t", "t"]],
  ["SELECT '{[a,b)}'::words_multirange::text", ["{[a,b)}"]],
  ["SELECT ARRAY['red']::colour[], 'x'::short", ["{red}", "x"]],
])("%s", async (sql, row) => {
  const shown = await session.run(sql);
  expect([shown.denied, shown.error]).toEqual([null, null]);
  expect(shown.rows.map((text) => JSON.parse(text))).toEqual([row]);
});

test.each([
  ["SELECT 'x'::guess", "TYPE_NOT_ALLOWED"],
  ["SELECT '(x)'::nested", "TYPE_NOT_ALLOWED"],
  ["SELECT '(\"(a,1,)\")'::inner_place", "TYPE_NOT_ALLOWED"],
  ["SELECT '(x)'::casting::text", "TYPE_NOT_ALLOWED"],
  ["SELECT '[1,2)'::steps", "TYPE_NOT_ALLOWED"],
  ["SELECT NULL::secrets", "TYPE_NOT_ALLOWED"],
  ["SELECT NULL::houses", "TYPE_NOT_ALLOWED"],
  ["SELECT ('(Main,7,)'::place).leak", "FUNCTION_NOT_ALLOWED"],
  ["SELECT (at).leak FROM houses", "FUNCTION_NOT_ALLOWED"],
  ["SELECT at <<< at FROM houses", "OPERATOR_NOT_ALLOWED"],
])("P16 %s", (sql, code) => {
  expect(session.decide(sql).reason).toBe(code);
});
