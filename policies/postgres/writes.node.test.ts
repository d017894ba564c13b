import { describe, expect, test } from "vitest";
import { shop } from "../../test/support/shop.ts";

describe("writes, run on a real server", () => {
  const { decide, denied, done, fails } = shop();

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

  test("a write rule without rows reaches only the rows that may be read", async () => {
    await done("UPDATE shop.seen SET note = 'y'", "UPDATE 1");
    await fails("UPDATE shop.seen SET tenant = 2", "44000", /row rule/);
  });

  const open = [
    `INSERT INTO shop."Odd Table" ("Id", tenant) VALUES (9, NULL)`,
    `INSERT INTO shop."Odd Table" ("Id", tenant) SELECT 9, NULL`,
    "UPDATE shop.seen SET tenant = NULL",
  ];
  for (const sql of open) {
    test(`a rule that a NULL leaves open is broken: ${sql}`, () => fails(sql, "44000", /row rule/));
  }

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
      expect(decide("COPY shop.items (id, tenant, name) FROM STDIN").rewritten).toMatch(
        / AND CASE WHEN \(tenant = /,
      );
      expect(decide("COPY shop.log FROM STDIN").rewritten).toMatch(
        /^COPY shop\.log \(item, note\) FROM STDIN WHERE CASE WHEN 'shop\.log'::pg_catalog\.regclass = \d+/,
      );
      expect(decide("COPY shop.log FROM STDIN").statements[0]).toMatchObject({
        copyIn: true,
        effect: "write",
      });
      await denied("COPY shop.log FROM '/etc/passwd'", "COPY_NOT_ALLOWED");
      await denied("COPY shop.log FROM PROGRAM 'id'", "COPY_NOT_ALLOWED");
    });
  });
});
