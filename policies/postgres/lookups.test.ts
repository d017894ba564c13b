import { beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeTable } from "../../test/support/made-catalog.ts";
import { sqlParser } from "../../test/support/sql-parser.ts";
import { createDecider } from "./decide.ts";
import type { Parser } from "./parser.ts";

let parser: Parser;
beforeAll(async () => {
  parser = await sqlParser();
});

const catalog = madeCatalog([
  madeTable("public", "customers", { id: "integer", email: "text", ssn: "text" }),
  madeTable("public", "orders", { id: "integer", customer_id: "integer", status: "text" }),
]);

describe("lookup by a masked value", () => {
  const task = sqlTask([
    {
      relation: "customers",
      columns: ["id", "email", "ssn"],
      mask: { email: { kind: "email" }, ssn: { kind: "null" } },
      lookup: ["email", "ssn"],
    },
    { relation: "orders" },
  ]);
  const decide = (sql: string) => createDecider({ task, catalog, parser, forShow: true }).decide(sql);
  const stored = /FROM public\.customers WHERE email OPERATOR\(pg_catalog\.=\) (\$1|'a@b')\)/;

  test("tests the stored value inside of the view, by itself", () => {
    for (const sql of [
      "SELECT * FROM customers WHERE email = 'a@b'",
      "SELECT * FROM customers c WHERE c.email = $1 AND c.id > 1",
      "SELECT o.id FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.email = $1",
    ]) {
      const decision = decide(sql);
      expect(decision).toMatchObject({ effect: "allow", statements: [{ lookup: true }] });
      expect(decision.rewritten).toMatch(stored);
      expect(decision.rewritten).toMatch(/WHERE (c\.)?email IS NOT NULL/);
    }
  });

  test("is nothing but an equation with a constant at the top of WHERE", () => {
    for (const sql of [
      "SELECT * FROM customers WHERE email LIKE 'a@b'",
      "SELECT * FROM customers WHERE email > 'a@b'",
      "SELECT * FROM customers WHERE NOT email = 'a@b'",
      "SELECT * FROM customers WHERE email = 'a@b' OR true",
      "SELECT * FROM customers WHERE email = lower('A@b')",
      "SELECT * FROM customers WHERE lower(email) = 'a@b'",
      "SELECT * FROM customers WHERE ssn = 'a@b'",
      "SELECT email = 'a@b' FROM customers",
      "SELECT * FROM customers c JOIN orders o ON c.email = 'a@b'",
      "SELECT * FROM customers c, orders o WHERE c.email = o.status",
      "SELECT * FROM (SELECT email AS e FROM customers) x WHERE e = 'a@b'",
    ]) {
      const decision = decide(sql);
      expect(decision).toMatchObject({ effect: "allow", statements: [{ lookup: false }] });
      expect(decision.rewritten).not.toMatch(/FROM public\.customers WHERE/);
    }
  });

  test("is counted: one for each statement, and not in a prepared one", () => {
    const twice = "SELECT 1 FROM customers WHERE email = 'a' UNION SELECT 2 FROM customers WHERE email = 'b'";
    expect(decide(twice).reason).toBe("LOOKUP_NOT_ALLOWED");
    expect(decide("PREPARE p AS SELECT 1 FROM customers WHERE email = $1").reason).toBe("LOOKUP_NOT_ALLOWED");
  });
});
