import { beforeAll, describe, expect, test } from "vitest";
import { corpusTask, sqlTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeColumn, madeTable } from "../../test/support/made-catalog.ts";
import { sqlParser } from "../../test/support/sql-parser.ts";
import type { Task } from "../task.ts";
import type { Catalog } from "./catalog-types.ts";
import { createDecider } from "./decide.ts";
import type { StatementDecider } from "./decision.ts";
import type { Parser } from "./parser.ts";
import { STATEMENT_KINDS } from "./statements.ts";

const customers = madeTable("public", "customers", {
  id: "integer",
  email: "text",
  ssn: "text",
  phone: "character varying(20)",
  country: "character(2)",
  balance: "numeric(12,2)",
  secret: "text",
});
const orders = madeTable("public", "orders", { id: "integer", customer_id: "integer", status: "text" });
const catalog = madeCatalog([customers, orders], { fieldFunctions: ["leak", "status"] });

let parser: Parser;
beforeAll(async () => {
  parser = await sqlParser();
});

const decider = (task: Task = corpusTask, known: Catalog = catalog): StatementDecider =>
  createDecider({ task, catalog: known, parser, forShow: true });

describe("a decision", () => {
  test("says what a person and the record need", () => {
    const allowed = decider().decide("SELECT c.email FROM customers c, orders o WHERE c.id = o.customer_id");
    expect(allowed).toMatchObject({
      effect: "allow",
      reason: "ALLOWED",
      relations: ["public.customers", "public.orders"],
      masked: ["public.customers.email", "public.customers.ssn"],
      statements: [{ kind: "Select", effect: "read", returnsRows: true, copyIn: false, lookup: false }],
    });
    expect(allowed.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const denied = decider().decide("SELECT 'ü', id FROM secrets");
    expect(denied).toMatchObject({
      effect: "deny",
      reason: "RELATION_NOT_GRANTED",
      sqlstate: "42501",
      position: 21,
      rewritten: null,
    });
    expect(denied.hint).toContain("public.customers");
  });

  test("M1 a table that has the name of a view of information_schema is one like any other", () => {
    const domains = madeTable("public", "domains", { id: "integer", owner: "text", key: "text" });
    const tables = ["tables", "columns", "parameters"].map((name) =>
      madeTable("app", name, { id: "integer" }),
    );
    const task = sqlTask([
      { relation: "domains", columns: ["id", "owner"], mask: { owner: { kind: "email" } } },
    ]);
    const { decide } = decider(task, madeCatalog([domains, ...tables]));
    const all = ["domains", "public.domains", "shop.public.domains", "ONLY domains", "domains AS d"];
    for (const from of all) {
      const { rewritten, masked } = decide(`SELECT * FROM ${from}`);
      expect(masked).toEqual(["public.domains.owner"]);
      expect(rewritten).toContain("(SELECT id, (pg_catalog.left(");
    }
    for (const name of ["tables", "app.tables", "app.columns", "app.parameters", "public.routines", "views"])
      expect(decide(`SELECT * FROM ${name}`).reason).toBe("RELATION_NOT_GRANTED");
    for (const name of ["information_schema.domains", "information_schema.tables", "pg_catalog.pg_class"])
      expect(decide(`SELECT * FROM ${name}`).effect).toBe("allow");
  });

  test("a syntax error is answered here, at its character", () => {
    expect(decider().decide("SELECT 'é' FRM x y")).toMatchObject({
      reason: "SYNTAX_ERROR",
      sqlstate: "42601",
      position: 16,
    });
  });

  test("texts without a statement are left alone", () => {
    for (const text of ["", " ; ", "-- nothing", "/* nothing */;;"]) {
      expect(decider().decide(text)).toMatchObject({ effect: "allow", rewritten: text, statements: [] });
    }
  });

  test("a rule with an approval holds the statement", () => {
    const task = sqlTask([{ relation: "orders", approval: "statement" }]);
    expect(decider(task).decide("SELECT * FROM orders")).toMatchObject({
      effect: "hold",
      reason: "APPROVAL_NEEDED",
      rule: "tasks/test.yaml:2",
    });
    expect(decider(task).decide("SELECT 1").effect).toBe("allow");
  });

  test("A4 what an approval would not show, or not for one run only, is refused: PREPARE, COPY FROM", () => {
    const task = sqlTask([
      { relation: "orders", approval: "statement" },
      { relation: "orders", verb: "insert", columns: ["id", "status"], approval: "statement" },
      { relation: "orders", verb: "copy", columns: ["id", "status"], approval: "statement" },
    ]);
    for (const text of [
      "PREPARE p (int) AS SELECT status FROM orders WHERE id = $1",
      "SELECT 1; PREPARE p AS INSERT INTO orders (id, status) VALUES (1, 'x')",
      "COPY orders (id, status) FROM STDIN",
    ]) {
      expect(decider(task).decide(text), text).toMatchObject({
        effect: "deny",
        reason: "STATEMENT_NOT_ALLOWED",
        rewritten: null,
      });
    }
    const held = decider(task).decide("DECLARE c CURSOR FOR SELECT status FROM orders");
    expect(held.effect).toBe("hold");
  });

  test("is kept by text", () => {
    const one = decider();
    expect(one.decide("SELECT id FROM orders")).toBe(one.decide("SELECT id FROM orders"));
  });

  test("P10 a cursor is one that this session declared", () => {
    const one = decider();
    expect(one.decide("FETCH ALL FROM c").reason).toBe("CURSOR_UNKNOWN");
    expect(one.decide("DECLARE c CURSOR FOR SELECT * FROM secrets").effect).toBe("deny");
    expect(one.decide("FETCH ALL FROM c").reason).toBe("CURSOR_UNKNOWN");
    expect(one.decide("DECLARE c CURSOR FOR SELECT * FROM orders").effect).toBe("allow");
    expect(one.decide("FETCH ALL FROM c").effect).toBe("allow");
  });
});

describe("what cannot be used on a database is refused with its rule", () => {
  const refused = (rule: Parameters<typeof sqlTask>[0][number], known: Catalog = catalog) =>
    decider(sqlTask([rule]), known).decide(`SELECT * FROM ${rule.relation}`);

  test("relations, columns and masks that do not fit", () => {
    expect(refused({ relation: "gone" })).toMatchObject({
      reason: "RELATION_NOT_FOUND",
      rule: "tasks/test.yaml:2",
    });
    expect(refused({ relation: "orders", columns: ["gone"] }).reason).toBe("COLUMN_NOT_FOUND");
    expect(refused({ relation: "orders", mask: { id: { kind: "email" } } }).reason).toBe("MASK_UNSUITABLE");
    expect(refused({ relation: "orders", rows: "id = :x" }).reason).toBe("ROW_FILTER_INVALID");
    expect(refused({ relation: "orders", rows: "true) OR (true" }).reason).toBe("ROW_FILTER_INVALID");
    expect(refused({ relation: "orders", rows: "true ORDER BY 1" }).reason).toBe("ROW_FILTER_INVALID");
    expect(refused({ relation: "orders", rows: "gone = 1" }).reason).toBe("ROW_FILTER_INVALID");
  });

  test("P16 a column whose type a user can cast with a function of his own", () => {
    const mood = {
      ...orders,
      columns: [...orders.columns, madeColumn("mood", 4, "public.mood", { userCasts: true })],
    };
    const known = madeCatalog([mood]);
    expect(refused({ relation: "orders", columns: ["id", "mood"] }, known).reason).toBe("COLUMN_TYPE_UNSAFE");
    expect(refused({ relation: "orders" }, known).rewritten).not.toContain("mood");
  });

  test("P16 operators and casts that a user made", () => {
    const known = { ...catalog, foreignOperators: ["####", "~~"] };
    expect(decider(corpusTask, known).decide("SELECT 1 #### 2").reason).toBe("OPERATOR_NOT_ALLOWED");
    expect(decider(corpusTask, known).decide("SELECT 'a' LIKE 'b'").reason).toBe("OPERATOR_NOT_ALLOWED");
    expect(decider(corpusTask, { ...catalog, castTargets: ["int4"] }).decide("SELECT '1'::int").reason).toBe(
      "TYPE_NOT_ALLOWED",
    );
    expect(decider(corpusTask, { ...catalog, unsafeCasts: true }).decide("SELECT 1").reason).toBe(
      "DATABASE_UNSAFE",
    );
    const filtered = sqlTask([{ relation: "orders", rows: "id #### 1 = 2" }]);
    expect(decider(filtered, known).decide("SELECT * FROM orders").reason).toBe("ROW_FILTER_INVALID");
  });
});

describe("names", () => {
  test("P16 a field that is a known column is no function call", () => {
    expect(
      decider().decide("SELECT o.status FROM orders o JOIN customers c ON o.status = c.country").effect,
    ).toBe("allow");
    expect(decider().decide("SELECT c.status FROM customers c").reason).toBe("FUNCTION_NOT_ALLOWED");
    expect(decider().decide("SELECT (o).status FROM orders o").reason).toBe("FUNCTION_NOT_ALLOWED");
    expect(decider().decide("WITH orders AS (SELECT 1 AS x) SELECT orders.status FROM orders").reason).toBe(
      "FUNCTION_NOT_ALLOWED",
    );
    expect(decider().decide("SELECT o.status FROM orders o(a, b)").reason).toBe("FUNCTION_NOT_ALLOWED");
  });

  test("a task's own functions are called where it says", () => {
    const known = {
      ...catalog,
      functions: [
        { oid: 1, schema: "public", name: "price" },
        { oid: 2, schema: "lib", name: "rate" },
      ],
    };
    expect(decider(corpusTask, known).decide("SELECT price(1), lib.rate(2), lower('X')").rewritten).toBe(
      "SELECT public.price(1), lib.rate(2), pg_catalog.lower('X')",
    );
    expect(decider(corpusTask, known).decide("SELECT rate(2)").reason).toBe("FUNCTION_NOT_ALLOWED");
  });

  test("M12 columns that came after the catalog are not shown", () => {
    expect(decider().decide("SELECT * FROM orders").rewritten).toBe(
      "SELECT * FROM (SELECT id, customer_id, status FROM public.orders) AS orders",
    );
  });

  test("the rest of the text stays as it is", () => {
    expect(decider().decide("select /* a */ O.ID\n from\tOrders  as O -- end").rewritten).toBe(
      "select /* a */ O.ID\n from\t(SELECT id, customer_id, status FROM public.orders)  as O -- end",
    );
  });

  test("P8 SQL/JSON that an older server takes for functions", () => {
    const old = { ...catalog, serverVersion: 150000 };
    for (const sql of [
      "SELECT JSON_SCALAR(1)",
      "SELECT JSON_ARRAY(1)",
      "SELECT JSON_VALUE('{}', '$')",
      "SELECT JSON_OBJECT('a': 1)",
      "SELECT JSON('{}')",
      "SELECT MERGE_ACTION()",
    ]) {
      expect(decider(corpusTask, old).decide(sql).reason).toBe("SYNTAX_NOT_ALLOWED");
    }
    expect(decider(corpusTask, old).decide("SELECT json_object('{a,b}')").rewritten).toBe(
      "SELECT pg_catalog.json_object('{a,b}')",
    );
  });
});

describe("caps", () => {
  const long = [
    ["a long text", `SELECT '${"x".repeat(300_000)}'`],
    ["a long text of wide characters", `SELECT '${"€".repeat(90_000)}'`],
    ["many comments", `SELECT 1 ${"/* */".repeat(300)}`],
    ["nested comments", `SELECT 1 ${"/*".repeat(50_000)}`],
    ["a run of operators", `SELECT 1 ${"+".repeat(2000)} 1`],
    ["a deep expression", `SELECT ${"1+".repeat(40_000)}1`],
    ["many unions", `SELECT 1 ${"UNION SELECT 1 ".repeat(12_000)}`],
  ] as const;
  for (const [name, sql] of long) {
    test(`${name} is refused, and the next one decided`, () => {
      expect(decider().decide(sql)).toMatchObject({ effect: "deny", rewritten: null });
      expect(decider().decide("SELECT 1").effect).toBe("allow");
    });
  }

  test("P8 NUL characters and half surrogate pairs", () => {
    expect(decider().decide("SELECT 1\0").reason).toBe("TEXT_INVALID");
    expect(decider().decide("SELECT '\ud800'").reason).toBe("TEXT_INVALID");
  });
});

describe("the statement table", () => {
  test("nothing that it refuses is ever allowed", () => {
    const refused = [...STATEMENT_KINDS].filter(([, kind]) => kind.never !== null);
    expect(refused.length).toBeGreaterThan(90);
    for (const sql of [
      "DO 'x'",
      "CALL p()",
      "UNLISTEN *",
      "LOAD 'x'",
      "DISCARD ALL",
      "VACUUM",
      "LOCK orders",
      "GRANT SELECT ON orders TO x",
      "CREATE TABLE x ()",
      "DROP TABLE orders",
      "ALTER SYSTEM SET x = 1",
      "CHECKPOINT",
      "REINDEX TABLE orders",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      "ALTER TABLE orders ADD x int",
      "CREATE VIEW v AS SELECT 1",
      "COMMENT ON TABLE orders IS 'x'",
      "SECURITY LABEL ON TABLE orders IS 'x'",
      "CREATE RULE r AS ON SELECT TO orders DO INSTEAD NOTHING",
    ]) {
      expect(decider().decide(sql)).toMatchObject({ effect: "deny", reason: "STATEMENT_NOT_ALLOWED" });
    }
  });
});

describe("P17 channels", () => {
  const one = sqlTask([], {
    session: { ...corpusTask.session, listen: ["a", "Jobs:b"], notify: ["a", "b"] },
  });
  const decides = (sql: string) => createDecider({ task: one, catalog, parser }).decide(sql);

  test("those that the task lists, by the name that the server takes", () => {
    for (const sql of [
      "LISTEN a",
      'LISTEN "Jobs:b"',
      "UNLISTEN a",
      "UNLISTEN *",
      "NOTIFY A, 'x'",
      "SELECT pg_listening_channels()",
    ])
      expect(decides(sql)).toMatchObject({ effect: "allow" });
    expect(decides("LISTEN A").statements).toMatchObject([{ kind: "Listen", channel: "a" }]);
    expect(decides("SELECT pg_notify('b', 'x')")).toMatchObject({
      rewritten: "SELECT pg_catalog.pg_notify('b', 'x')",
      statements: [{ effect: "write" }],
    });
    expect(decides("SELECT pg_catalog.pg_notify($1, $2 || 'concat')").rewritten).toMatch(
      /^SELECT pg_catalog\.pg_notify\(CASE WHEN \(\$1\).* ANY \(ARRAY\['a', 'b'\].* END, \$2 \|\| 'concat'\)$/,
    );
  });

  test.each([
    ["LISTEN b", "It may listen on a, Jobs:b."],
    ["LISTEN jobs:b", null],
    ['LISTEN "A"', "It may listen on a, Jobs:b."],
    ['NOTIFY "Jobs:b"', "It may send to a, b."],
    ["SELECT pg_notify('c', 'x')", "It may send to a, b."],
    ["SELECT pg_notify('a' || 'b', 'x')", "Write the channel as a constant, or as a parameter of its own."],
    ["SELECT pg_notify(payload => 'x', channel => 'c')", null],
    ["SELECT pg_notify(NULL, 'a')", null],
    ["SELECT pg_notify(VARIADIC ARRAY['a', 'b'])", null],
  ])("%s is refused", (sql, hint) => {
    expect(decides(sql)).toMatchObject({ effect: "deny", ...(hint ? { hint } : {}) });
  });

  test("none where the task lists none", () => {
    for (const [sql, key] of [
      ["LISTEN c", "listen"],
      ["NOTIFY c", "notify"],
      ["SELECT pg_notify('c', 'x')", "notify"],
    ] as const)
      expect(decider().decide(sql)).toMatchObject({
        reason: "CHANNEL_NOT_GRANTED",
        hint: `A task lists channels under \`session.${key}\`.`,
      });
  });
});

describe("names that statements give and take", () => {
  test.each([
    ["DEALLOCATE a", "a"],
    ['DEALLOCATE PREPARE "A b"', "A b"],
    ["DEALLOCATE ALL", null],
    ["PREPARE P1 AS SELECT 1", "p1"],
    ["DECLARE C CURSOR FOR SELECT 1", "c"],
    ["CLOSE c", "c"],
    ["CLOSE ALL", null],
  ])("%s", (sql, name) => {
    expect(decider().decide(sql).statements).toMatchObject([{ name }]);
  });

  test("FETCH reads a cursor that was declared or a portal that was bound, and no other", () => {
    const one = decider();
    expect(one.decide("FETCH 1 FROM p").reason).toBe("CURSOR_UNKNOWN");
    one.bound!("p");
    expect(one.decide("FETCH 1 FROM p").effect).toBe("allow");
    expect(one.decide("MOVE FORWARD 3 IN p").effect).toBe("allow");
    expect(one.decide('FETCH 1 FROM "P"').reason).toBe("CURSOR_UNKNOWN");
    for (let i = 0; i < 5000; i++) one.bound!(`p${i}`);
    expect(one.decide("FETCH 1 FROM p4999").effect).toBe("allow");
    expect(one.decide("FETCH 2 FROM p").reason).toBe("CURSOR_UNKNOWN");
  });
});
