import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeTable } from "../../test/support/made-catalog.ts";
import { sqlParser } from "../../test/support/sql-parser.ts";
import { createDecider } from "./decide.ts";
import type { Parser } from "./parser.ts";
import type { Tree } from "./tree.ts";

const catalog = madeCatalog(
  [
    madeTable("public", "customers", {
      id: "integer",
      email: "text",
      ssn: "text",
      phone: "character varying(20)",
      country: "character(2)",
      balance: "numeric(12,2)",
      secret: "text",
    }),
    madeTable("public", "orders", { id: "integer", customer_id: "integer", status: "text" }),
  ],
  { fieldFunctions: ["leak", "status"] },
);

let parser: Parser;
beforeAll(async () => {
  parser = await sqlParser();
});

const decider = () => createDecider({ task: corpusTask, catalog, parser, forShow: true });

/** Every value of a key in a tree. */
function values(tree: unknown, key: string): unknown[] {
  if (Array.isArray(tree)) return tree.flatMap((item) => values(item, key));
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) =>
    (name === key ? [value] : []).concat(values(value, key)),
  );
}

describe("the second wall", () => {
  /** A parser that gives another tree for some texts. */
  const lying = (
    change: (text: string, result: ReturnType<Parser["parse"]>) => ReturnType<Parser["parse"]>,
  ): Parser => ({
    fingerprint: (text) => parser.fingerprint(text),
    parse: (text) => change(text, parser.parse(text)),
  });

  test("a rewritten text that does not mean what was meant is refused", () => {
    const other = lying((text, result) =>
      text.startsWith("SELECT 1 FROM (SELECT") ? parser.parse("SELECT 1 FROM secrets") : result,
    );
    const decision = createDecider({ task: corpusTask, catalog, parser: other, forShow: true }).decide(
      "SELECT 1 FROM orders",
    );
    expect(decision).toMatchObject({ effect: "deny", reason: "REWRITE_FAILED", rewritten: null });
  });

  test("M13 a node or a field that is not known is refused, not passed over", () => {
    const hidden = { RangeVar: { relname: "secrets", inh: true } };
    const places: readonly (readonly [string, object])[] = [
      ["A_Expr", { mystery: hidden }],
      ["SelectStmt", { mystery: [hidden] }],
      ["ResTarget", { val: { Mystery: { from: hidden } } }],
      ["FuncCall", { func_variadic: hidden }],
      ["RangeSubselect", { mystery: hidden }],
      ["RangeVar", { mystery: hidden }],
      ["alias", { mystery: hidden }],
    ];
    const sql = "SELECT lower('x') FROM orders o, (SELECT 1) AS s WHERE o.id + 1 = 2";
    for (const [type, fields] of places) {
      const other = lying((text, result) => {
        if (result.ok && text === sql)
          for (const node of values(result.tree, type)) Object.assign(node as object, fields);
        return result;
      });
      const decision = createDecider({ task: corpusTask, catalog, parser: other, forShow: true }).decide(sql);
      expect([type, decision.effect]).toEqual([type, "deny"]);
    }
  });
});

describe("any text", () => {
  /** Pieces that make valid statements often, and odd ones sometimes. */
  const column = fc.constantFrom(
    "id",
    "c.ssn",
    "customers.email",
    "o.status",
    "count(*)",
    "lower(email)",
    "'ä€😀'",
    "c",
    "*",
    "o.*",
    "x.leak",
    "(c).email",
    "public.orders.id",
    "token",
    "$1",
    "1 + id",
  );
  const relation = fc.constantFrom(
    "customers",
    "customers c",
    "orders o",
    "public.orders",
    '"customers" AS "C x"',
    "secrets",
    "pg_class",
    "app.customers",
    "ONLY customers",
    "orders * o",
    "customers c(a, b)",
    "generate_series(1, 2) g",
    "(SELECT * FROM customers) x",
    "(TABLE orders) y",
    "LATERAL (SELECT c.ssn) z",
    "w",
    "orders TABLESAMPLE SYSTEM (5)",
    "information_schema.tables t",
    "pg_authid",
  );
  const condition = fc.constantFrom(
    "",
    " WHERE ssn = 'x'",
    " WHERE id IN (SELECT id FROM secrets)",
    " WHERE EXISTS (SELECT 1 FROM orders)",
    " GROUP BY 1",
    " GROUP BY c.id",
    " ORDER BY email",
    " LIMIT 1",
    " FOR UPDATE",
    " UNION TABLE orders",
    " -- é\n",
  );
  const prefix = fc.constantFrom(
    "",
    "WITH w AS (SELECT * FROM customers) ",
    "WITH secrets AS (SELECT 1 AS id) ",
    "WITH RECURSIVE customers AS (SELECT * FROM customers) ",
    "EXPLAIN ",
    "COPY (",
    "PREPARE p AS ",
    "DECLARE k CURSOR FOR ",
    "/* ü */ ",
  );
  const statement = fc
    .tuple(
      prefix,
      fc.array(column, { minLength: 1, maxLength: 3 }),
      fc.array(relation, { minLength: 1, maxLength: 3 }),
      condition,
    )
    .map(([before, columns, from, after]) => {
      const select = `SELECT ${columns.join(", ")} FROM ${from.join(", ")}${after}`;
      return before === "COPY (" ? `COPY (${select}) TO STDOUT` : before + select;
    });

  test("what is allowed parses, and names only views of granted relations, qualified", () => {
    let allowed = 0;
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 2 }), (parts) => {
        const text = parts.join("; ");
        const decision = decider().decide(text);
        if (decision.effect !== "allow") return;
        allowed++;
        const parsed = parser.parse(decision.rewritten!);
        expect(parsed.ok).toBe(true);
        const { tree } = parsed as { tree: Tree };
        const ctes = new Set(
          values(tree, "CommonTableExpr").map((cte) => (cte as { ctename: string }).ctename),
        );
        for (const range of values(tree, "RangeVar") as { schemaname?: string; relname: string }[]) {
          const name = range.schemaname ? `${range.schemaname}.${range.relname}` : null;
          if (name === null) expect(ctes.has(range.relname)).toBe(true);
          else
            expect([
              "public.customers",
              "public.orders",
              "pg_catalog.pg_class",
              "information_schema.tables",
            ]).toContain(name);
        }
        for (const call of values(tree, "FuncCall") as { funcname: unknown[] }[]) {
          expect(JSON.stringify(call.funcname[0])).toBe('{"String":{"sval":"pg_catalog"}}');
        }
        // A stored column stands only inside of the views, where ssn and email stand inside of their masks.
        const outside = decision.rewritten!.replaceAll(
          /\(SELECT id, \(pg_catalog\.left.*?FROM (ONLY )?public\.customers\)/g,
          "()",
        );
        expect(outside).not.toMatch(/public\.customers\b(?!\.)/);
      }),
      { numRuns: 600 },
    );
    expect(allowed).toBeGreaterThan(50);
  });

  test("deciding never throws, whatever the text", () => {
    const noise = fc.array(
      fc.oneof(
        statement,
        fc.constantFrom(
          "'",
          '"',
          "$$",
          "/*",
          "*/",
          "--",
          "(",
          ")",
          ";",
          "\\",
          "U&",
          "E'",
          "::",
          "ONLY",
          "TABLE",
          "é",
          "😀",
          " ",
        ),
        fc.string({ maxLength: 4 }),
      ),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(noise, (pieces) => {
        const decision = decider().decide(pieces.join(""));
        expect(decision.reason).not.toBe("UNDECIDED");
        expect(["allow", "deny"]).toContain(decision.effect);
      }),
      { numRuns: 1000 },
    );
  });
});
