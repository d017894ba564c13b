/** A shop of two tenants on a real server, and a task that may change one tenant's rows. */
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { Transcript } from "./corpus.ts";
import { sqlTask } from "./corpus-task.ts";
import { testParser } from "./parser.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { SqlLab, type TaskSession } from "./sql-lab.ts";

/** Two tenants; the task is tenant 1's. Even ids are its rows. */
const SCHEMA = `
CREATE SCHEMA shop;
CREATE TABLE shop.items (id int PRIMARY KEY, tenant int NOT NULL, name varchar(12), secret text, email text UNIQUE,
  price numeric(8,2), d date, ssn text, updated timestamptz DEFAULT now());
INSERT INTO shop.items SELECT i, 1 + i % 2, 'n' || i, 'canary' || i, 'u' || i || '.canary@x.com', i, '2026-01-01', 'canary-' || i
  FROM generate_series(1, 10) i;
CREATE TABLE shop.log (id serial PRIMARY KEY, item int, note text, hidden text DEFAULT 'canary');
INSERT INTO shop.log (item, note) VALUES (2, 'two'), (3, 'three');
CREATE TABLE shop."Odd Table" ("Id" int PRIMARY KEY, "select" text, tenant int);
INSERT INTO shop."Odd Table" VALUES (1, 'x', 1), (2, 'y', 2);
CREATE TABLE shop.seen (id int PRIMARY KEY, tenant int, note text);
INSERT INTO shop.seen VALUES (1, 1, 'x'), (2, 2, 'canary');
CREATE VIEW shop.v AS SELECT * FROM shop.items;`;

const tenant = "tenant = :tenant";
const mask = { email: { kind: "email" }, ssn: { kind: "constant", value: "hidden" } } as const;
export const shopTask = sqlTask(
  [
    {
      schema: "shop",
      relation: "items",
      columns: ["id", "tenant", "name", "email", "ssn", "price", "d"],
      rows: tenant,
      mask,
    },
    {
      verb: "update",
      schema: "shop",
      relation: "items",
      columns: ["name", "price", "tenant", "email", "d"],
      rows: tenant,
    },
    {
      verb: "insert",
      schema: "shop",
      relation: "items",
      columns: ["id", "tenant", "name", "email", "price", "d"],
      rows: tenant,
    },
    { verb: "delete", schema: "shop", relation: "items", rows: `${tenant} AND price > 2` },
    { schema: "shop", relation: "log", columns: ["id", "item", "note"] },
    { verb: "insert", schema: "shop", relation: "log", columns: ["item", "note"] },
    { verb: "truncate", schema: "shop", relation: "log" },
    { verb: "truncate", schema: "shop", relation: "items" },
    { verb: "copy", schema: "shop", relation: "log", columns: ["item", "note"] },
    { verb: "copy", schema: "shop", relation: "items", columns: ["id", "tenant", "name"], rows: tenant },
    { schema: "shop", relation: "Odd Table", rows: tenant },
    { verb: "update", schema: "shop", relation: "Odd Table", columns: ["select"], rows: tenant },
    { verb: "insert", schema: "shop", relation: "Odd Table", rows: tenant },
    { schema: "shop", relation: "seen", rows: "tenant = :tenant" },
    { verb: "update", schema: "shop", relation: "seen", columns: ["note", "tenant"] },
    { schema: "shop", relation: "v", columns: ["id"] },
    { verb: "update", schema: "shop", relation: "v", columns: ["name"] },
  ],
  { params: { tenant: "integer" } },
);

/** To be called in a `describe`: a server, and for each test a session in a transaction that is rolled back. */
export function shop() {
  let server: TestPostgres;
  let lab: SqlLab;
  let session: TaskSession;

  beforeAll(async () => {
    server = await startPostgres();
    lab = new SqlLab(server.port, await testParser());
    await (await lab.client("postgres")).query(SCHEMA);
  }, 120_000);

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  beforeEach(async () => {
    session = await lab.session("postgres", shopTask, { tenant: "1" });
    await session.run("BEGIN");
    return async () => {
      await session.run("ROLLBACK");
      session.close();
    };
  });

  /** Nothing that a client sees may hold a hidden value; they all hold the word canary. */
  async function run(sql: string): Promise<Transcript> {
    const shown = await session.run(sql);
    expect(JSON.stringify(shown)).not.toContain("canary");
    return shown;
  }

  return {
    run,
    decide: (sql: string) => session.decide(sql),
    async done(sql: string, tag: string, rows?: readonly (readonly (string | null)[])[]): Promise<void> {
      const shown = await run(sql);
      expect(shown.error).toBeNull();
      expect(shown.tags.at(-1)).toBe(tag);
      if (rows) expect(shown.rows.map((row) => JSON.parse(row))).toEqual(rows);
    },
    async denied(sql: string, code: string): Promise<void> {
      expect((await run(sql)).denied).toBe(code);
    },
    async fails(sql: string, code: string, message: RegExp): Promise<void> {
      const shown = await run(sql);
      expect(shown.denied).toBeNull();
      expect(shown.error).toMatchObject({ code });
      expect(shown.error!.message).toMatch(message);
    },
  };
}
