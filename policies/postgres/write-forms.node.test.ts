/**
 * Many forms of statements that change data, one a line in test/support/statements: `write-same` does and shows what
 * the raw statement does where nothing of it is hidden, `write-deny` is refused. Both also under a row rule. No
 * statement shows a hidden value; they all hold the word canary.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusServers } from "../../test/support/corpus-databases.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import type { Task } from "../task.ts";

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, tenant int NOT NULL, name varchar(12), secret text, email text UNIQUE,
  price numeric(8,2), d date, tags text[], doc jsonb, ssn text, n int GENERATED ALWAYS AS (id * 2) STORED,
  k int GENERATED ALWAYS AS IDENTITY, UNIQUE (tenant, name));
INSERT INTO items (id, tenant, name, secret, email, price, d, tags, doc, ssn)
  SELECT i, 1 + i % 2, 'n' || i, 'canary' || i, 'u' || i || '.canary@x.com', i, '2026-01-01', '{a,b}', '{"a":1}', 'canary-' || i
  FROM generate_series(1, 10) i;
CREATE TABLE open (id serial PRIMARY KEY, a text, b int DEFAULT 7, c text[], j jsonb, t timestamptz DEFAULT '2020-01-01Z');
INSERT INTO open (a, b) VALUES ('x', 1), ('y', 2);
CREATE TABLE part (id int, r text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
INSERT INTO part VALUES (1, 'p');
CREATE TABLE other (id int PRIMARY KEY, v text);
INSERT INTO other VALUES (1, 'canary-other'), (2, 'canary');`;

function task(rows: string | null): Task {
  const writable = ["id", "tenant", "name", "email", "price", "d", "tags", "doc"];
  return sqlTask(
    [
      {
        relation: "items",
        columns: [...writable, "ssn", "n", "k"],
        mask: { email: { kind: "email" }, ssn: { kind: "constant", value: "hidden" } },
        rows,
      },
      { verb: "update", relation: "items", columns: writable.slice(1), rows },
      { verb: "insert", relation: "items", columns: writable, rows },
      { verb: "delete", relation: "items", rows },
      ...(["select", "insert", "update", "delete", "copy", "truncate"] as const).map((verb) => ({
        verb,
        relation: "open",
      })),
      ...(["select", "insert", "update", "delete"] as const).map((verb) => ({ verb, relation: "part" })),
    ],
    { params: rows === null ? {} : { tenant: "integer" } },
  );
}

function statements(file: string): string[] {
  const folder = join(import.meta.dirname, "..", "..", "test", "support", "statements");
  return readFileSync(join(folder, file), "utf8").trim().split("\n");
}

describe.each(corpusServers)("on PostgreSQL $major", ({ programs }) => {
  let server: TestPostgres;
  let lab: SqlLab;

  beforeAll(async () => {
    server = await startPostgres({}, programs);
    lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
    await (await lab.client("postgres")).query(SCHEMA);
  }, 120_000);

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  const tasks: readonly (readonly [string, string | null])[] = [
    ["no row rule", null],
    ["a row rule", "tenant = :tenant"],
  ];

  test.each(tasks)("M8 P13 what is not granted is refused, with %s", async (_, rows) => {
    const session = await lab.session("postgres", task(rows), { tenant: "1" });
    const granted = statements("write-deny.sql").filter((sql) => session.decide(sql).effect !== "deny");
    session.close();
    expect(granted).toEqual([]);
  });

  test.each(tasks)("M8 what is granted does what it does without a gate, with %s", async (_, rows) => {
    const failures: string[] = [];
    const session = await lab.session("postgres", task(rows), { tenant: "1" });
    const raw = await lab.raw("postgres");
    for (const sql of statements("write-same.sql")) {
      await session.run("BEGIN");
      const shown = await session.run(sql);
      await session.run("ROLLBACK; DEALLOCATE ALL");
      await raw.run("BEGIN");
      const direct = await raw.run(sql);
      await raw.run("ROLLBACK; DEALLOCATE ALL");
      // A form that this server does not have.
      if (direct.error?.code === "42601") continue;
      const seen = (of: typeof shown) => JSON.stringify([of.tags, of.rows, of.error?.code]);
      const same = rows !== null || seen(shown) === seen(direct);
      if (shown.denied || !same || JSON.stringify(shown).includes("canary"))
        failures.push(`${sql}\n  ${shown.denied} ${seen(shown)}\n  ${seen(direct)}`);
    }
    session.close();
    raw.close();
    expect(failures).toEqual([]);
  });
});
