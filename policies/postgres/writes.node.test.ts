import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Transcript } from "../../test/support/corpus.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";

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
CREATE VIEW shop.v AS SELECT * FROM shop.items;`;

const tenant = "tenant = :tenant";
const mask = { email: { kind: "email" }, ssn: { kind: "constant", value: "hidden" } } as const;
const task = sqlTask(
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
    { schema: "shop", relation: "v", columns: ["id"] },
    { verb: "update", schema: "shop", relation: "v", columns: ["name"] },
  ],
  { params: { tenant: "integer" } },
);

describe("writes, run on a real server", () => {
  let server: TestPostgres;
  let lab: SqlLab;
  let run: (sql: string) => Promise<Transcript>;

  beforeAll(async () => {
    server = await startPostgres();
    lab = new SqlLab(server.port, await testParser());
    await (await lab.client("postgres")).query(SCHEMA);
  }, 120_000);

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  /** Each test in a transaction that is rolled back. */
  beforeEach(async () => {
    const session = await lab.session("postgres", task, { tenant: "1" });
    await session.run("BEGIN");
    run = async (sql) => {
      const shown = await session.run(sql);
      expect(JSON.stringify(shown)).not.toContain("canary");
      return shown;
    };
    return async () => {
      await session.run("ROLLBACK");
      session.close();
    };
  });

  async function done(sql: string, tag: string, rows?: readonly (readonly (string | null)[])[]) {
    const shown = await run(sql);
    expect(shown.error).toBeNull();
    expect(shown.tags.at(-1)).toBe(tag);
    if (rows) expect(shown.rows.map((row) => JSON.parse(row))).toEqual(rows);
  }

  async function denied(sql: string, code: string) {
    expect((await run(sql)).denied).toBe(code);
  }

  async function fails(sql: string, code: string, message: RegExp) {
    const shown = await run(sql);
    expect(shown.denied).toBeNull();
    expect(shown.error).toMatchObject({ code });
    expect(shown.error!.message).toMatch(message);
  }

  describe("only the task's rows", () => {
    test("UPDATE and DELETE reach them and no others", async () => {
      await done("UPDATE shop.items SET price = price + 1 WHERE id = 2 RETURNING id, price", "UPDATE 1", [
        ["2", "3.00"],
      ]);
      await done("UPDATE shop.items SET price = 0 WHERE id = 1", "UPDATE 0");
      await done("UPDATE shop.items SET price = 0", "UPDATE 5");
    });

    test("a delete rule's own condition and the select rule's hold together", async () => {
      await done("DELETE FROM shop.items WHERE id < 9 RETURNING id", "DELETE 3", [["4"], ["6"], ["8"]]);
      await done("DELETE FROM shop.items", "DELETE 1");
    });

    test("M6 a condition that would fail on a hidden row is never evaluated there", async () => {
      await done("UPDATE shop.items SET price = 3 WHERE 1 / (id - 1) > -1", "UPDATE 5");
      await done("DELETE FROM shop.items WHERE 1 / (id - 3) > -5", "DELETE 5");
    });

    test("other relations are the task's views", async () => {
      await done(
        "UPDATE shop.items i SET name = l.note FROM shop.log l WHERE l.item = i.id RETURNING i.id, i.name",
        "UPDATE 1",
        [["2", "two"]],
      );
      await done("DELETE FROM shop.items i USING shop.log l WHERE i.id = l.item AND i.price > 1", "DELETE 0");
    });

    test("quoted names and aliases", async () => {
      await done(
        `UPDATE "shop"."Odd Table" AS "T x" SET "select" = 'n' WHERE "T x"."Id" < 9 RETURNING "T x".*`,
        "UPDATE 1",
        [["1", "n", "1"]],
      );
      await done(
        "UPDATE shop.items SET price = 1 WHERE shop.items.id = 2 RETURNING shop.items.id",
        "UPDATE 1",
        [["2"]],
      );
      await done("UPDATE ONLY shop.items * SET price = 1 WHERE id = 2".replace(" *", ""), "UPDATE 1");
    });

    test("in WITH, EXPLAIN and PREPARE", async () => {
      await done(
        "WITH u AS (UPDATE shop.items SET price = 5 WHERE id < 5 RETURNING id) SELECT * FROM u ORDER BY 1",
        "SELECT 2",
        [["2"], ["4"]],
      );
      await done(
        "WITH d AS (DELETE FROM shop.items WHERE id = 4 RETURNING id) INSERT INTO shop.log (item, note) SELECT id, 'gone' FROM d RETURNING item",
        "INSERT 0 1",
        [["4"]],
      );
      await done(
        "PREPARE u AS UPDATE shop.items SET price = $1 WHERE id = $2; EXECUTE u(3, 1); EXECUTE u(3, 2)",
        "UPDATE 1",
      );
      await done("EXPLAIN UPDATE shop.items SET price = 1", "EXPLAIN");
      await denied("EXPLAIN ANALYZE UPDATE shop.items SET price = 1", "EXPLAIN_SHOWS_ROWS");
    });
  });

  describe("only granted columns are written", () => {
    test("UPDATE, INSERT and COPY name them", async () => {
      await denied("UPDATE shop.items SET secret = 'x'", "COLUMN_NOT_GRANTED");
      await denied("UPDATE shop.items SET (name, secret) = ('a', 'b')", "COLUMN_NOT_GRANTED");
      await denied("INSERT INTO shop.items (id, tenant, secret) VALUES (100, 1, 'x')", "COLUMN_NOT_GRANTED");
      await denied("COPY shop.items (id, tenant, secret) FROM STDIN", "COLUMN_NOT_GRANTED");
      await denied("INSERT INTO shop.items VALUES (1, 2, 3, 4, 5, 6, 7, 8)", "COLUMN_NOT_GRANTED");
    });

    test("a statement without a column list means the granted ones in order", async () => {
      await done("INSERT INTO shop.log VALUES (7, 'x') RETURNING item, note", "INSERT 0 1", [["7", "x"]]);
      await done("INSERT INTO shop.log AS l SELECT 8, 'y' RETURNING l.item", "INSERT 0 1", [["8"]]);
    });

    test("views, other tables and system catalogs are no targets", async () => {
      await denied("UPDATE shop.v SET name = 'x'", "WRITE_NOT_ALLOWED");
      await denied("DELETE FROM shop.log", "RELATION_NOT_GRANTED");
      await denied("UPDATE pg_catalog.pg_class SET relname = 'x'", "RELATION_NOT_GRANTED");
      await denied("DELETE FROM public.items", "RELATION_NOT_GRANTED");
    });
  });

  describe("what is written must be the task's row", () => {
    test("UPDATE may not move a row out", async () => {
      await done("UPDATE shop.items SET tenant = 1, name = 'q' WHERE id = 2 -- end", "UPDATE 1");
      await fails("UPDATE shop.items SET tenant = 2 WHERE id = 2", "44000", /row rule/);
    });

    test("nor by way of an expression", async () => {
      await fails("UPDATE shop.items SET tenant = tenant + 1", "44000", /row rule/);
    });

    test("nor as several columns or a default", async () => {
      await denied("UPDATE shop.items SET (tenant, name) = (2, 'x')", "WRITE_CHECK_UNSUPPORTED");
      await denied("UPDATE shop.items SET tenant = DEFAULT", "WRITE_CHECK_UNSUPPORTED");
    });

    test("INSERT of values", async () => {
      await done(
        "INSERT INTO shop.items (id, tenant, name) VALUES (100, 1, 'a'), (101, 1, lower('B'))",
        "INSERT 0 2",
      );
      await denied("INSERT INTO shop.items (id, name) VALUES (100, 'a')", "ROW_RULE_VIOLATED");
      await denied("INSERT INTO shop.items (id, tenant) VALUES (100, DEFAULT)", "ROW_RULE_VIOLATED");
      await fails(
        "INSERT INTO shop.items (id, tenant, name) VALUES (102, 1, 'a'), (103, 2, 'b')",
        "44000",
        /row rule/,
      );
    });

    test("INSERT of a query, with literals of any type", async () => {
      await done(
        "INSERT INTO shop.items (id, tenant, d, price) SELECT 100 + g, 1, '2026-01-02', '3.5' FROM generate_series(1, 2) g RETURNING d, price",
        "INSERT 0 2",
        [
          ["2026-01-02", "3.50"],
          ["2026-01-02", "3.50"],
        ],
      );
      await fails(
        "INSERT INTO shop.items (id, tenant) SELECT 200 + g, g FROM generate_series(1, 2) g",
        "44000",
        /row rule/,
      );
    });

    test("a length is still checked, not cut", async () => {
      await fails(
        "INSERT INTO shop.items (id, tenant, name) SELECT 300, 1, 'longer than twelve'",
        "22001",
        /too long/,
      );
    });

    test("COPY FROM", async () => {
      const session = await lab.session("postgres", task, { tenant: "1" });
      expect(session.decide("COPY shop.items (id, tenant, name) FROM STDIN").rewritten).toMatch(
        /WHERE CASE WHEN \(tenant = /,
      );
      expect(session.decide("COPY shop.log FROM STDIN").rewritten).toBe(
        "COPY shop.log (item, note) FROM STDIN",
      );
      expect(session.decide("COPY shop.log FROM STDIN").statements[0]).toMatchObject({
        copyIn: true,
        effect: "write",
      });
      session.close();
      await denied("COPY shop.log FROM '/etc/passwd'", "COPY_NOT_ALLOWED");
      await denied("COPY shop.log FROM PROGRAM 'id'", "COPY_NOT_ALLOWED");
    });
  });

  describe("nothing hidden is read by a write", () => {
    const reads = [
      "UPDATE shop.items SET price = 1 WHERE secret LIKE 'c%'",
      "UPDATE shop.items SET price = 1 WHERE email LIKE 'u2%'",
      "UPDATE shop.items SET price = length(secret)",
      "UPDATE shop.items SET name = (SELECT items.secret)",
      "UPDATE shop.items SET (name, price) = (SELECT secret, 1)",
      "UPDATE shop.items AS x SET name = x.secret",
      "UPDATE shop.items SET price = 1 WHERE items::text LIKE '%can%'",
      "UPDATE shop.items SET price = 1 WHERE (SELECT items) IS NOT NULL",
      "UPDATE shop.items SET price = 1 WHERE (items).secret = 'x'",
      "UPDATE shop.items SET price = 1 WHERE row_to_json(items)::text LIKE '%'",
      "UPDATE shop.items SET price = 1 WHERE ctid = '(0,1)'",
      "UPDATE shop.items SET price = 1 RETURNING email",
      "UPDATE shop.items SET price = 1 RETURNING items",
      "UPDATE shop.items SET price = 1 RETURNING old.secret",
      "UPDATE shop.items SET price = 1 RETURNING WITH (OLD AS o) o.secret",
      "UPDATE shop.items SET price = 1 RETURNING (SELECT secret)",
      "DELETE FROM shop.items WHERE ssn = 'x'",
      "DELETE FROM shop.items RETURNING ssn",
      "INSERT INTO shop.log (item, note) VALUES (1, 'x') RETURNING hidden",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM shop.log l WHERE l.item = items.id AND secret = 'x')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (VALUES (1)) items(secret), (SELECT items.secret z) q WHERE q.z LIKE 'c%')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (VALUES (1)) items(secret), shop.log a JOIN shop.log b ON items.secret LIKE 'c%')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (shop.log a CROSS JOIN (SELECT 1 AS secret) s) AS j(c1, c2, c3, c4) WHERE secret LIKE 'c%')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS secret) s(other) WHERE secret LIKE 'c%')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (WITH w(other) AS (SELECT 'a' AS secret) SELECT 1 FROM w WHERE secret LIKE 'c%')",
      "INSERT INTO shop.items AS t (id, tenant, name) VALUES (2, 1, 'z') ON CONFLICT (id) DO UPDATE SET name = t.secret",
      "INSERT INTO shop.items AS t (id, tenant, name) VALUES (2, 1, 'z') ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE t.ssn LIKE 'c%'",
    ];
    for (const sql of reads) {
      test(`M8 ${sql}`, async () => {
        expect((await run(sql)).denied).toMatch(
          /^(COLUMN_NOT_GRANTED|MASKED_COLUMN_IN_WRITE|SYNTAX_NOT_ALLOWED)$/,
        );
      });
    }

    test("M8 a mask is not copied into another column, by whatever way", async () => {
      await denied(
        "UPDATE shop.items i SET name = q.e FROM (SELECT id, email e FROM shop.items) q WHERE q.id = i.id",
        "MASKED_COLUMN_IN_WRITE",
      );
      await denied(
        "INSERT INTO shop.log (item, note) SELECT id, email FROM shop.items",
        "MASKED_COLUMN_IN_WRITE",
      );
      await denied(
        "INSERT INTO shop.log (item, note) SELECT id, x::text FROM shop.items x",
        "MASKED_COLUMN_IN_WRITE",
      );
      await denied(
        "INSERT INTO shop.log (item, note) SELECT a, c FROM shop.items AS x(a, b, n, c)",
        "MASKED_COLUMN_IN_WRITE",
      );
      await denied(
        "WITH m AS (SELECT email AS e FROM shop.items) INSERT INTO shop.log (item, note) SELECT 1, e FROM m",
        "MASKED_COLUMN_IN_WRITE",
      );
      await denied(
        "INSERT INTO shop.log (note) SELECT note FROM shop.log JOIN shop.items USING (id) NATURAL JOIN shop.items z",
        "MASKED_COLUMN_IN_WRITE",
      );
    });

    test("M8 nor written back over the real value", async () => {
      await done("UPDATE shop.items SET email = 'new@x.com' WHERE id = 2", "UPDATE 1");
      await fails(
        "UPDATE shop.items SET email = 'u***@x.com' WHERE id = 2",
        "44000",
        /overwritten with its mask/,
      );
    });

    test("readable columns may be read anywhere", async () => {
      await done(
        "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT * FROM shop.log l WHERE l.item = items.id AND name LIKE 'n%')",
        "UPDATE 1",
      );
      await done(
        "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM shop.log WHERE note = 'two' AND item = items.id)",
        "UPDATE 1",
      );
      await done(
        "UPDATE shop.items SET price = old_price FROM (SELECT id AS i, price AS old_price FROM shop.items) q WHERE id = i",
        "UPDATE 5",
      );
      await done(
        "UPDATE shop.items SET name = upper(x.name), price = x.price FROM shop.items x WHERE x.id = items.id RETURNING items.name",
        "UPDATE 5",
      );
    });

    test("RETURNING * shows the granted, unmasked columns", async () => {
      await done("UPDATE shop.items SET price = 1 WHERE id = 2 RETURNING *", "UPDATE 1", [
        ["2", "1", "n2", "1.00", "2026-01-01"],
      ]);
      await done("INSERT INTO shop.log (item, note) VALUES (1, 'x') RETURNING *, 1 AS one", "INSERT 0 1");
      await done("UPDATE shop.items SET price = 9 WHERE id = 4 RETURNING old.price, new.price", "UPDATE 1", [
        ["4.00", "9.00"],
      ]);
    });
  });

  describe("MERGE", () => {
    const merge =
      "MERGE INTO shop.items i USING (VALUES (1, 'one'), (2, 'two'), (20, 'new')) s(id, name) ON i.id = s.id ";

    test("changes and adds the task's rows only", async () => {
      await done(
        `${merge} WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED AND s.id > 9 THEN INSERT (id, tenant, name) VALUES (s.id, 1, upper(s.name))`,
        "MERGE 2",
      );
      await done("SELECT id, name FROM shop.items WHERE id IN (1, 2, 20) ORDER BY id", "SELECT 2", [
        ["2", "two"],
        ["20", "NEW"],
      ]);
      await done(
        `${merge} WHEN MATCHED AND CASE WHEN i.price > 1 THEN true ELSE false END THEN UPDATE SET price = 7 WHEN NOT MATCHED THEN DO NOTHING RETURNING merge_action(), i.id, i.price`,
        "MERGE 1",
        [["UPDATE", "2", "7.00"]],
      );
    });

    test("checks columns, new rows and what is read", async () => {
      await denied(`${merge} WHEN MATCHED THEN UPDATE SET secret = s.name`, "COLUMN_NOT_GRANTED");
      await denied(
        `${merge} WHEN MATCHED AND i.secret LIKE 'c%' THEN UPDATE SET name = s.name`,
        "COLUMN_NOT_GRANTED",
      );
      await denied(`${merge} AND ssn = 'x' WHEN MATCHED THEN UPDATE SET name = s.name`, "COLUMN_NOT_GRANTED");
      await denied(
        `${merge} WHEN NOT MATCHED THEN INSERT (id, secret) VALUES (s.id, 'x')`,
        "COLUMN_NOT_GRANTED",
      );
      await denied(
        `${merge} WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, 'x')`,
        "ROW_RULE_VIOLATED",
      );
      await denied(`${merge} WHEN MATCHED THEN UPDATE SET name = 'x' RETURNING email`, "COLUMN_NOT_GRANTED");
      await denied(`${merge} WHEN NOT MATCHED BY SOURCE THEN UPDATE SET name = 'x'`, "WRITE_NOT_ALLOWED");
      await denied(
        `${merge} WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, tenant) VALUES (s.id, 1)`,
        "WRITE_CHECK_UNSUPPORTED",
      );
      await denied(
        "MERGE INTO shop.log l USING shop.items i ON l.item = i.id WHEN MATCHED THEN DELETE",
        "RELATION_NOT_GRANTED",
      );
      await denied(
        "MERGE INTO shop.log l USING shop.items i ON l.item = i.id WHEN NOT MATCHED THEN INSERT (note) VALUES (i.email)",
        "MASKED_COLUMN_IN_WRITE",
      );
      await fails(
        `${merge} WHEN NOT MATCHED AND s.id > 9 THEN INSERT (id, tenant, name) VALUES (s.id, 2, 'x')`,
        "44000",
        /row rule/,
      );
    });

    test("in WITH", async () => {
      await done(
        `WITH m AS (${merge} WHEN MATCHED THEN UPDATE SET name = s.name RETURNING i.id) SELECT * FROM m`,
        "SELECT 1",
        [["2"]],
      );
    });
  });

  describe("existence", () => {
    test("P17 a unique violation tells no value and no name of an index", async () => {
      await fails(
        "UPDATE shop.items SET email = 'u1.' || 'can' || 'ary@x.com' WHERE id = 2",
        "23505",
        /^a value that must be unique exists already$/,
      );
    });

    test("ON CONFLICT may not ask for masked columns", async () => {
      await denied(
        "INSERT INTO shop.items (id, tenant, email) VALUES (200, 1, 'a@b') ON CONFLICT (email) DO NOTHING",
        "CONFLICT_NOT_ALLOWED",
      );
      await denied(
        "INSERT INTO shop.items (id, tenant, email) VALUES (200, 1, 'a@b') ON CONFLICT DO NOTHING",
        "CONFLICT_NOT_ALLOWED",
      );
      await denied(
        "INSERT INTO shop.items (id, tenant) VALUES (2, 1) ON CONFLICT ON CONSTRAINT items_email_key DO NOTHING",
        "CONFLICT_NOT_ALLOWED",
      );
      await denied(
        "INSERT INTO shop.items (id, tenant) VALUES (2, 1) ON CONFLICT (lower(email)) DO NOTHING",
        "CONFLICT_NOT_ALLOWED",
      );
    });

    test("DO UPDATE changes only the task's rows", async () => {
      await done(
        "INSERT INTO shop.items (id, tenant, name) VALUES (2, 1, 'zz') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING name",
        "INSERT 0 1",
        [["zz"]],
      );
      await done(
        "INSERT INTO shop.items (id, tenant, name) VALUES (1, 1, 'zz') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "INSERT 0 0",
      );
      await fails(
        "INSERT INTO shop.items (id, tenant) VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET tenant = 2",
        "44000",
        /row rule/,
      );
    });

    test("TRUNCATE needs every row", async () => {
      await done("TRUNCATE shop.log", "TRUNCATE TABLE");
      await denied("TRUNCATE shop.items", "WRITE_NOT_ALLOWED");
      await denied("TRUNCATE shop.log CASCADE", "WRITE_NOT_ALLOWED");
    });

    test("rows are locked only where they may be changed", async () => {
      await done("SELECT id FROM shop.items WHERE id = 2 FOR UPDATE", "SELECT 1");
      await denied("SELECT id FROM shop.log FOR UPDATE", "LOCK_NOT_ALLOWED");
      await denied("SELECT i.id FROM shop.items i, shop.log l FOR SHARE OF l", "LOCK_NOT_ALLOWED");
      await done(
        "SELECT i.id FROM shop.items i, shop.log l WHERE l.item = i.id FOR NO KEY UPDATE OF i",
        "SELECT 1",
      );
    });
  });
});
