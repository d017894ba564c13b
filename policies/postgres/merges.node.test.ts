import { describe, test } from "vitest";
import { shop } from "../../test/support/shop.ts";

describe("MERGE, and what a write tells of other rows", () => {
  const { denied, done, fails } = shop();

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

    test("M5 M6 one that does nothing looks at the task's rows only, and needs a rule of the target too", async () => {
      const nothing = "WHEN MATCHED THEN DO NOTHING";
      await done(`MERGE INTO shop.items i USING (SELECT 1) s ON 1 / (i.id - 1) = 1 ${nothing}`, "MERGE 0");
      await denied(`MERGE INTO shop.v USING shop.items i ON i.id = v.id ${nothing}`, "WRITE_NOT_ALLOWED");
      await denied(
        `MERGE INTO shop."Unknown" u USING shop.items i ON true ${nothing}`,
        "RELATION_NOT_GRANTED",
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
