import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import type { RawSession } from "../../test/support/raw-session.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";
import { REFUSED_TOOL_QUERIES, TOOL_QUERIES } from "../../test/support/tool-queries.ts";

let server: TestPostgres;
let lab: SqlLab;
let session: TaskSession;
let direct: RawSession;
const oids: Record<string, string> = {};

beforeAll(async () => {
  server = await startPostgres();
  lab = new SqlLab(server.port, await testParser());
  const admin = await lab.client("postgres");
  const schema = join(import.meta.dirname, "..", "..", "test", "languages", "schema.sql");
  await admin.query(readFileSync(schema, "utf8"));
  for (const name of ["people", "notes", "busy"])
    oids[name] = (await admin.query(`SELECT '${name}'::regclass::oid::text AS oid`)).rows[0].oid;
  const task = sqlTask([
    { relation: "people", columns: ["id", "name", "ssn"], mask: { ssn: { kind: "null" } } },
  ]);
  session = await lab.session("postgres", task);
  direct = await lab.raw("postgres");
});

afterAll(async () => {
  session?.close();
  direct?.close();
  await lab?.close();
  await server?.stop();
});

describe.each(TOOL_QUERIES)("what $tool asks", ({ queries }) => {
  test.each(queries)("%s", async (query) => {
    const sql = query.replace(/:(people|notes|busy)\b/g, (_, name) => oids[name]!);
    const through = await session.run(sql);
    const { columns, rows, error } = await direct.run(sql);
    expect(error).toBeNull();
    expect(through).toMatchObject({ denied: null, error: null });
    expect({ columns: through.columns, rows: through.rows }).toEqual({ columns, rows });
  });
});

test.each(REFUSED_TOOL_QUERIES)("refused, and why: %s", (sql, why) => {
  const { effect, hint } = session.decide(sql);
  expect([effect, hint]).toEqual(["deny", expect.stringMatching(why)]);
});
