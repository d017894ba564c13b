import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeTable } from "../../test/support/made-catalog.ts";
import { sqlParser } from "../../test/support/sql-parser.ts";
import { decideBothWays } from "../../test/support/varied.ts";
import { createDecider } from "./decide.ts";
import type { Parser } from "./parser.ts";

const catalog = madeCatalog(
  [
    madeTable("public", "customers", {
      id: "integer",
      email: "text",
      country: "text",
      balance: "numeric(12,2)",
    }),
    madeTable("public", "orders", { id: "integer", customer_id: "integer", status: "text", placed: "date" }),
    madeTable("public", "secrets", { id: "integer", token: "text" }),
  ],
  {
    sequences: [{ schema: "public", name: "orders_id_seq", of: { schema: "public", name: "orders" } }],
  } as never,
);
const task = sqlTask(
  [
    {
      relation: "customers",
      mask: { email: { kind: "email" } },
      lookup: ["email"],
      rows: "country = :country",
    },
    { relation: "orders" },
    { relation: "orders", verb: "insert" },
    { relation: "orders", verb: "update", columns: ["status", "placed"], rows: "status <> 'closed'" },
    { relation: "customers", verb: "update", columns: ["email"] },
    { relation: "orders", verb: "delete" },
  ],
  { params: { country: "text" } },
);

let parser: Parser;
let parses = 0;
beforeAll(async () => {
  const own = await sqlParser();
  parser = {
    fingerprint: (text) => own.fingerprint(text),
    parse(text) {
      parses++;
      return own.parse(text);
    },
  };
});

const decider = () => createDecider({ task, catalog, parser });

describe("texts of one shape", () => {
  test.each([
    "SELECT email FROM customers WHERE id = {n}",
    "SELECT id FROM orders WHERE status = '{n}' AND id IN ({n}, -{n}) AND placed > '2024-01-01'::date LIMIT {n}",
    "INSERT INTO orders (customer_id, status) VALUES ({n}, 'x{n}'), ({n}, 'y')",
    "UPDATE orders SET status = 'x{n}' WHERE id = {n}",
    "UPDATE customers SET email = 'x{n}@example.com' WHERE id = -{n}",
    "DELETE FROM orders WHERE id BETWEEN {n} AND {n} + 10",
    "/* trace {n} */ SELECT id FROM orders /*it's {n}*/ WHERE id = 1 -- {n} = 'x'",
    "SELECT 1.5 * {n}; SELECT status LIKE 'a{n}' FROM orders",
  ])("are parsed no more from the third on: %s", (form) => {
    const { decide } = decider();
    const at = (n: number) => form.replaceAll("{n}", String(n));
    for (const n of [1, 2]) expect(decide(at(n)).effect).toBe("allow");
    parses = 0;
    const decided = decide(at(3));
    expect([decided.effect, parses]).toEqual(["allow", 0]);
    const meant = createDecider({ task, catalog, parser, byShape: false }).decide(at(3));
    expect(decided.rewritten).toBe(meant.rewritten);
    expect({ ...decided, recorded: null }).toEqual({ ...meant, recorded: null });
    expect(decided.rewritten).not.toMatch(/wicket7|47000/);
  });

  test("a literal that says what is done is decided each time", () => {
    const { decide } = decider();
    const reasons = (texts: readonly string[]) => texts.map((text) => decide(text).reason);
    const call = (name: string) => `SELECT nextval('${name}') FROM orders WHERE id = ${name.length}`;
    expect(reasons(["orders_id_seq", "orders_id_seq", "orders_id_seq", "secrets_seq"].map(call))).toEqual([
      "ALLOWED",
      "ALLOWED",
      "ALLOWED",
      "RELATION_NOT_GRANTED",
    ]);
    const type = (name: string, n: number) => `SELECT pg_input_is_valid('1', '${name}') WHERE 1 < ${n}`;
    expect(reasons([1, 2, 3].map((n) => type("int4", n)))).toEqual(["ALLOWED", "ALLOWED", "ALLOWED"]);
    expect(decide(type("customers", 4)).effect).toBe("deny");
    const group = (n: number, at: number) => `SELECT id, status FROM orders WHERE id > ${n} GROUP BY ${at}`;
    const added = [group(5, 1), group(6, 1), group(7, 1), group(8, 2)].map((text) => decide(text).rewritten);
    expect(added.map((text) => /GROUP BY (.*)$/.exec(text!)![1])).toEqual([
      ...["status, 1", "status, 1", "status, 1", "2"].map((by) => expect.stringContaining(by)),
    ]);
  });

  test("a lookup, a refusal and a secret are decided by their own texts", () => {
    const { decide } = decider();
    const lookup = (n: number) =>
      decide(`SELECT id FROM customers WHERE email = 'a${n}@example.com' AND id > ${n}`);
    const denied = (n: number) => decide(`SELECT token FROM secrets WHERE id = ${n}`);
    const secret = (n: number) => decide(`SELECT id FROM orders WHERE status = 'postgres://a:b@c/${n}'`);
    for (let n = 0; n < 4; n++) {
      parses = 0;
      expect(lookup(n).statements[0]!.lookup).toBe(true);
      expect(denied(n)).toMatchObject({ effect: "deny", position: 19 });
      expect(secret(n).recorded!.text).toBe("SELECT id FROM orders WHERE status = '[redacted]'");
      expect(parses).toBeGreaterThan(2);
    }
  });

  test("a value that looks like a stand-in stays where it is", () => {
    const { decide } = decider();
    const text = (value: string, n: number) => `SELECT id FROM orders WHERE status = ${value} AND id = ${n}`;
    const values = [
      "'wicket70000000shape'",
      "'a'",
      "'wicket70000001shape'",
      "'470000000'",
      "'wicket70000000shape'",
    ];
    for (const [index, value] of values.entries()) {
      const { rewritten } = decide(text(value, 470_000_000 + index));
      expect(rewritten).toContain(`status = ${value} AND id = ${470_000_000 + index}`);
    }
  });

  test("the last of many shapes is known, and what a decision is does not hang on how many there are", () => {
    const decide = decideBothWays({ task, catalog, parser });
    for (let n = 0; n < 700; n++) {
      expect(decide(`SELECT id AS c${n % 350} FROM orders WHERE id = ${n}`).effect).toBe("allow");
      expect(decide(`SELECT ${n}, id FROM orders WHERE id = ${n}`).effect).toBe("allow");
    }
  });
});

/** Stand-ins, so many that a text with all of them leaves none. */
const ALL = Array.from({ length: 140 }, (_, n) => `4${70_000_000 + n} wicket${70_000_000 + n}shape`).join(
  " ",
);

describe("attacks on shapes: the last text of each list is decided as it is in full", () => {
  test.each([
    ["no stand-in is left", [`SELECT id FROM orders WHERE status = '${ALL}' AND id = {}`, "1", "2", "3"]],
    ["a negative zero, written anew", ["SELECT id FROM customers WHERE id = -{}", "1", "2", "0"]],
    ["the task's own words are stand-ins", ["SELECT id FROM orders WHERE id = {}", "1", "2", "470000000"]],
    ["an = in a comment", ["UPDATE orders SET status /*{}*/ = 'a'", "x", "y", "="]],
    ["a star in a comment", ["UPDATE orders o SET status = 'a' RETURNING o/*{}*/.*", "x", "y", "*"]],
    ["a parenthesis in a comment", ["SELECT id, status FROM orders GROUP BY --{}\n id", "x", "y", "("]],
    ["a comment in TABLESAMPLE", ["SELECT 1 FROM orders TABLESAMPLE SYSTEM (5 /*{}*/)", "x", ")", "("]],
    ["a group's position", ["SELECT id, status FROM orders GROUP BY {}", "1", "1", "2"]],
    ["a sequence", ["SELECT 1 = nextval('{}'::text)", "orders_id_seq", "orders_id_seq", "secrets_seq"]],
    ["a type", ["SELECT 1 = ('{}'::text)::regclass::int", "a", "b", "secrets"]],
    ["a setting", ["SELECT set_config('{}', 'a', true) = 'a'", "timezone", "timezone", "role"]],
    ["a setting's value", ["SELECT set_config('row_security', '{}', true) = 'a'", "on", "on", "off"]],
    ["a length", ["SELECT 1 = 'abc'::varchar({})", "1", "2", "3"]],
    ["a precision", ["SELECT 1 = float({}) '1'", "3", "30", "60"]],
    ["a character to escape with", ["SELECT 'a' LIKE 'b' ESCAPE '{}'", "a", "b", "cc"]],
    ["a wider number", ["SELECT 1 = {}", "1", "2147483648", "21474836480"]],
    ["a quote in a string", ["SELECT 'a' = '{}'", "a", "b", "'' OR 1=1 --"]],
    ["a comment that ends early", ["SELECT /*{}*/ 'a' = 'b'", "a", "b", "*/ token FROM secrets --"]],
    ["a line that ends early", ["SELECT --{}\n 'a' = 'b'", "a", "b", "\r token FROM secrets --"]],
    ["a secret", ["SELECT id FROM orders WHERE status = '{}'", "a", "b", "postgres://a:b@c"]],
    ["another text in the place of a value", ["SELECT id FROM orders WHERE id = {}", "1", "2", "(id)"]],
    ["a type that does not parse first", ["CREATE TEMP TABLE t AS SELECT float({}) '1'/*x*/", "60", "3"]],
  ])("%s", (_, [form, ...values]) => {
    const rules = task.rules.map((rule) =>
      rule.relation === "orders" ? { ...rule, rows: "id <> 470000000" } : rule,
    );
    const options = { task: { ...task, rules }, catalog, parser };
    const [ofShape, inFull] = [createDecider(options), createDecider({ ...options, byShape: false })];
    for (const value of values) {
      const text = form!.replace("{}", () => value);
      expect({ ...ofShape.decide(text) }).toEqual({ ...inFull.decide(text) });
    }
  });

  test("a tree that is deeper than the stack is a decision, too, also with a secret in it", () => {
    for (const depth of [1000, 2000, 3000]) {
      const { decide } = decider();
      for (const value of ["a", "b", "token"]) {
        const text = `SELECT id FROM orders WHERE ${"NOT ".repeat(depth)} status = '${value}'`;
        expect(["ALLOWED", "UNDECIDED", "TEXT_TOO_LARGE"]).toContain(decide(text).reason);
      }
    }
  });

  test("a table of the session's own is known at once, however its text was decided", () => {
    const session = { ...task.session, temporaryTables: true as const };
    const { decide } = createDecider({ task: { ...task, session }, catalog, parser });
    const make = (bits: number) => decide(`CREATE TEMP TABLE t AS SELECT float(${bits}) '1' /*x*/`).effect;
    const read = () => decide("SELECT * FROM t").effect;
    expect([read(), make(60), make(3), read()]).toEqual(["deny", "deny", "allow", "allow"]);
  });
});

describe("any text", () => {
  const value = fc.constantFrom(
    "1",
    "'a'",
    "-2",
    "0.5",
    "20000000000",
    "'it''s'",
    "''",
    "$1",
    "id",
    "now()",
    "NULL",
  );
  const typed = fc.tuple(value, fc.constantFrom("", "::text", "::date", "::regclass", " + 1", " || 'x'"));
  const operand = typed.map((parts) => parts.join(""));
  const condition = fc.oneof(
    fc
      .tuple(fc.constantFrom("id", "email", "c.country", "lower(email)", "1"), operand)
      .map((p) => p.join(" = ")),
    fc.array(operand, { minLength: 1, maxLength: 3 }).map((p) => `id IN (${p.join(", ")})`),
    fc.tuple(operand, operand).map((p) => `id BETWEEN ${p.join(" AND ")}`),
    fc.tuple(operand, operand).map((p) => `(id, email) = (${p.join(", ")})`),
    operand.map((p) => `set_config('a.b', ${p}, true) = 'x'`),
    operand.map((p) => `coalesce(email, ${p}) LIKE 'a%'`),
  );
  const where = fc
    .array(condition, { maxLength: 3 })
    .map((p) => (p.length ? ` WHERE ${p.join(" AND ")}` : ""));
  const tail = fc.constantFrom(
    "",
    " GROUP BY 1",
    " ORDER BY 2, id + 1",
    " LIMIT 5 OFFSET 3",
    "; SELECT 1",
    " FOR UPDATE",
  );
  const from = fc.constantFrom(
    "customers c",
    "orders c",
    "customers c JOIN orders o ON o.id = 5",
    "secrets c",
  );
  const statement = fc.oneof(
    fc.tuple(operand, from, where, tail).map(([p, f, w, t]) => `SELECT ${p}, id FROM ${f}${w}${t}`),
    fc
      .tuple(operand, operand, tail)
      .map(([a, b, t]) => `INSERT INTO orders (id, status) VALUES (${a}, ${b})${t}`),
    fc.tuple(operand, where).map(([a, w]) => `UPDATE orders c SET status = ${a}${w}`),
    fc.tuple(operand, where).map(([a, w]) => `UPDATE customers c SET email = ${a}${w} RETURNING 1`),
    where.map((w) => `DELETE FROM orders c${w}`),
  );

  test("is decided by its shape as it is in full", () => {
    const effects = { allow: 0, hold: 0, deny: 0 };
    fc.assert(
      fc.property(statement, (text) => {
        effects[decideBothWays({ task, catalog, parser })(text).effect]++;
      }),
      { numRuns: 300 },
    );
    expect(effects.allow).toBeGreaterThan(50);
  });
});
