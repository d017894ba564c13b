import { describe, expect, test } from "vitest";
import { shop } from "../../test/support/shop.ts";

describe("what a write reads, on a real server", () => {
  const { denied, done, fails, run } = shop();

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
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (SELECT 'x' AS secret) s, shop.log a JOIN shop.log b ON secret LIKE 'c%')",
      "UPDATE shop.items SET price = 1 WHERE EXISTS (SELECT 1 FROM (SELECT 'x' AS secret) s, (SELECT secret AS z) q WHERE q.z LIKE 'c%')",
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

    test("M2 M8 the whole row of the target has no hidden column, also where it is called like one", async () => {
      for (const row of [
        "hidden",
        "to_jsonb(hidden.*)",
        "(hidden)::text",
        "row_to_json(hidden)",
        "(hidden).note",
      ]) {
        const shown = await run(
          `INSERT INTO shop.log AS hidden (item, note) VALUES (1, 'x') RETURNING ${row}`,
        );
        expect([row, shown.denied, shown.error, shown.rows.length]).toEqual([row, null, null, 1]);
      }
      for (const row of ["wicket_row", "to_jsonb(wicket_row)", "to_jsonb(wicket_row.*) - 'id'"])
        await done(
          `INSERT INTO shop.log AS wicket_row (item) VALUES (1) RETURNING ${row} IS NULL`,
          "INSERT 0 1",
          [["f"]],
        );
    });

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
});
