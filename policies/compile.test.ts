import fc from "fast-check";
import { expect, test } from "vitest";
import { findTask, openBundle } from "./bundle.ts";
import { compileLibrary } from "./compile.ts";
import { problemText } from "./problem.ts";

const resources = `version: 1
resources:
  orders-db: { type: postgres, connector: demo }
  shop: { type: kubernetes, connector: demo }
  billing: { type: http, connector: demo }
`;
const task = `version: 1
task: refund
description: Look up orders.
owner: payments
who: { groups: [support] }
require: { reason: "INC-*" }
params: { customer: integer }
resource: orders-db
allow:
  - select:
      public.customers:
        columns: [id, email, ssn, country]
        rows: id = :customer
        mask: { email: email, ssn: { constant: XXX-XX-XXXX } }
      public.orders: { columns: "*" }
  - update:
      public.orders: { columns: [status], rows: customer_id = :customer }
    approval: statement
limits: { rows: 500, statements: 200, bytes: 5MiB, statement_timeout: 10s }
session: { ttl: 30m, idle: 5m, max_concurrent: 2 }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }
recording: { level: full, on_failure: terminate }
`;

function compile(text: string, more: Record<string, string> = {}) {
  return compileLibrary(
    new Map(Object.entries({ "resources.yaml": resources, "tasks/refund.yaml": text, ...more })),
  );
}

function compiledTask(text: string) {
  const compiled = compile(text);
  if (!compiled.ok) throw new Error(compiled.problems.map(problemText).join("\n"));
  return findTask(compiled.library.bundle, "refund")!;
}

/** The problems as `line:column CODE`. */
function problems(text: string, more: Record<string, string> = {}): string[] {
  return compile(text, more).problems.map(({ line, column, code }) => `${line}:${column} ${code}`);
}

test("the file of the design notes, with every part", () => {
  const compiled = compile(task);
  expect(compiled.problems).toEqual([]);
  const refund = compiledTask(task);
  expect(refund).toMatchObject({
    name: "refund",
    at: "tasks/refund.yaml:2",
    refs: { who: "tasks/refund.yaml:5", approval: "tasks/refund.yaml:21" },
    require: { reason: "INC-*", mfa: false, hours: null },
    params: { customer: "integer" },
    limits: { rows: 500, statements: 200, bytes: 5_242_880, statementTimeoutMs: 10_000, lookups: null },
    session: { ttlMs: 1_800_000, idleMs: 300_000, maxConcurrent: 2 },
    approval: { from: { groups: ["support-leads"] }, count: 1, expiresMs: 900_000 },
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
  });
  expect(refund.rules.map(({ verb, relation, at, approval }) => [verb, relation, at, approval])).toEqual([
    ["select", "customers", "tasks/refund.yaml:11", null],
    ["select", "orders", "tasks/refund.yaml:15", null],
    ["update", "orders", "tasks/refund.yaml:17", "statement"],
  ]);
  expect(refund.rules[0]).toMatchObject({
    columns: ["id", "email", "ssn", "country"],
    rows: "id = :customer",
    mask: { email: { kind: "email" }, ssn: { kind: "constant", value: "XXX-XX-XXXX" } },
  });
  expect(refund.rules[1]!.columns).toBe("*");
});

test("every mask, and YAML null as the null mask", () => {
  const masks = {
    null: { kind: "null" },
    "~": { kind: "null" },
    '"null"': { kind: "null" },
    "{ constant: 0.5 }": { kind: "constant", value: 0.5 },
    "{ constant: true }": { kind: "constant", value: true },
    email: { kind: "email" },
    last4: { kind: "keep", first: 0, last: 4, with: "*" },
    '{ keep: { first: 1, last: 2, with: "•" } }': { kind: "keep", first: 1, last: 2, with: "•" },
    "{ keep: { first: 1 } }": { kind: "keep", first: 1, last: 0, with: "*" },
    token: { kind: "token" },
    year: { kind: "year" },
    month: { kind: "month" },
    "{ round: -2 }": { kind: "round", digits: -2 },
  };
  for (const [written, mask] of Object.entries(masks)) {
    expect(compiledTask(task.replace("email: email", `email: ${written}`)).rules[0]!.mask.email).toEqual(
      mask,
    );
  }
});

test("left out parts are the defaults, and warn where a person should say more", () => {
  const short =
    "version: 1\ntask: refund\nwho: { groups: [a] }\nresource: orders-db\nallow:\n  - delete: { public.a: {} }\n";
  expect(problems(short)).toEqual(["2:7 NO_DESCRIPTION", "2:7 NO_OWNER"].map((p) => p.replace("2:7", "2:1")));
  expect(compiledTask(short)).toMatchObject({
    approval: null,
    session: { ttlMs: 3_600_000, idleMs: 600_000, maxConcurrent: null },
    rules: [{ verb: "delete", columns: [], rows: null }],
  });
});

const wrong: [name: string, change: [string, string], problem: string, words: string][] = [
  ["unknown key", ["owner:", "ownr:"], "4:1 UNKNOWN_KEY", "did you mean `owner`?"],
  ["unknown key in a grant", ["rows: id", "row: id"], "13:9 UNKNOWN_KEY", "did you mean `rows`?"],
  ["duplicate key", ["owner: payments", "task: refund"], "4:1 DUPLICATE_KEY", "already given on line 2"],
  ["missing key", ["resource: orders-db\n", ""], "1:1 MISSING_KEY", "`resource` is missing"],
  ["wrong type", ["groups: [support]", "groups: support"], "5:16 WRONG_TYPE", "write [support]"],
  ["number for text", ["[support]", "[7]"], "5:17 WRONG_TYPE", 'put it in quotes: "7"'],
  ["text for number", ["rows: 500", "rows: many"], "19:17 WRONG_TYPE", "a whole number from 1"],
  ["out of range", ["rows: 500", "rows: 0"], "19:17 OUT_OF_RANGE", "0 is out of range"],
  ["duration without unit", ["ttl: 30m", 'ttl: "30"'], "20:17 BAD_VALUE", "name the unit"],
  ["a bare number as duration", ["ttl: 30m", "ttl: 30"], "20:17 WRONG_TYPE", "a duration such as 30m"],
  ["size", ["5MiB", "5mib"], "19:46 BAD_VALUE", "write 5MiB"],
  ["unknown version", ["version: 1", "version: 2"], "1:10 UNKNOWN_VERSION", "write `version: 1`"],
  ["unknown mask", ["email: email", "email: emial"], "14:24 UNKNOWN_MASK", "did you mean `email`?"],
  ["missing mask", ["email: email", "email: "], "14:17 MISSING_MASK", "write null"],
  [
    "mask on a hidden column",
    ["{ email: email", "{ phone: last4"],
    "14:17 NOT_GRANTED",
    "add it to `columns`",
  ],
  [
    "mask on a misspelt column",
    ["{ email: email", "{ emial: email"],
    "14:17 NOT_GRANTED",
    "did you mean `email`?",
  ],
  [
    "undeclared parameter",
    ["id = :customer", "id = :custmer"],
    "13:20 UNDECLARED_PARAM",
    "did you mean :customer?",
  ],
  [
    "unused parameter",
    ["{ customer: integer }", "{ customer: integer, x: text }"],
    "7:30 UNUSED_PARAM",
    ":x",
  ],
  ["unknown parameter type", ["customer: integer", "customer: int"], "7:21 BAD_VALUE", "did you mean"],
  ["parameter name", ["params: { customer:", "params: { Customer:"], "7:11 BAD_NAME", "lower-case"],
  ["file name", ["task: refund", "task: refunds"], "2:1 NAME_MISMATCH", "write `task: refund`"],
  ["unknown resource", ["orders-db", "orders-bd"], "8:1 UNKNOWN_RESOURCE", "did you mean `orders-db`?"],
  [
    "channel",
    ["session: { ttl: 30m,", 'session: { listen: [a, "a b"], ttl: 30m,'],
    "20:24 BAD_VALUE",
    "letters, digits",
  ],
  ["relation without schema", ["public.customers:", "customers:"], "11:7 BAD_NAME", "public.customers"],
  ["system relation", ["public.customers:", "pg_catalog.pg_authid:"], "11:7 BAD_NAME", "system schema"],
  ["wildcard relation", ["public.customers:", '"public.*":'], "11:7 BAD_NAME", "no wildcards"],
  ["quoted column", ["[id, email", `['"id"', email`], "12:19 BAD_VALUE", "write id"],
  ["repeated column", ["[id, email", "[id, id, email"], "12:23 REPEATED", "keep one"],
  ["A13 alternation", ['"INC-*"', '"^test|staging$"'], "6:20 BAD_VALUE", "no"],
  ["A13 regular expression", ['"INC-*"', '"INC-.*"'], "6:20 BAD_VALUE", "not a regular expression"],
  ["A13 group pattern", ["[support]", '["support*"]'], "5:17 BAD_VALUE", "compared exactly"],
  ["nobody", ["{ groups: [support] }", "{}"], "5:1 NOBODY", "add `groups`"],
  ["no groups", ["groups: [support] }", "groups: [] }"], "5:8 EMPTY_LIST", "the list is empty"],
  ["more than one condition", ["rows: id = :customer", "rows: id = :customer; drop"], "13:29 BAD_ROWS", ";"],
  ["a condition that closes more", ["id = :customer", "id = :customer) or (true"], "13:29 BAD_ROWS", ")"],
  [
    "an item that allows nothing",
    ["approval: statement\n", "approval: statement\n  - approval: statement\n"],
    "19:5 NOTHING_ALLOWED",
    "select",
  ],
  [
    "the same grant twice",
    ["  - update:\n      public.orders:", "  - select:\n      public.orders:"],
    "17:7 DUPLICATE_RULE",
    "line 15",
  ],
  ["tab", ["owner: payments", "owner:\tpayments\n\tx: 1"], "5:1 NOT_YAML", "not valid YAML"],
  ["anchor", ["[support]", "&g [support]"], "5:19 ANCHOR", "remove &g"],
  ["alias", ["[support-leads]", "*g"], "21:29 ALIAS", "write the value out"],
  ["tag", ["[support]", "!!seq [support]"], "5:22 TAG", "remove the tag"],
  ["merge key", ["owner: payments", "<<: { owner: payments }"], "4:1 MERGE_KEY", "not read"],
  ["number as key", ["owner: payments", "7: payments"], "4:1 KEY_NOT_TEXT", '"7" in quotes'],
];

test.each(wrong)("%s", (_name, [from, to], problem, words) => {
  expect(task).toContain(from);
  const compiled = compile(task.replace(from, to));
  expect(compiled.ok).toBe(false);
  const found = compiled.problems.filter(({ severity }) => severity === "error");
  expect(found.map(({ line, column, code }) => `${line}:${column} ${code}`)).toContain(problem);
  expect(found.map(problemText).join("\n")).toContain(words);
  expect(found.map(problemText).join("\n")).toMatch(/^tasks\/refund\.yaml:\d+:\d+: error: /);
});

test("lookup and detect speak of granted columns, lookup of masked ones", () => {
  const add = (text: string) => task.replace("        rows: id", `        ${text}\n        rows: id`);
  expect(compiledTask(add("lookup: [email]")).rules[0]!.lookup).toEqual(["email"]);
  expect(compiledTask(add("detect: { country: [email, iban] }")).rules[0]!.detect).toEqual({
    country: ["email", "iban"],
  });
  expect(problems(add("lookup: [country]"))).toEqual(["13:18 LOOKUP_NOT_MASKED"]);
  expect(problems(add("lookup: [phone]"))).toContain("13:18 NOT_GRANTED");
  expect(problems(add("detect: { country: [emails] }"))).toEqual(["13:29 BAD_VALUE"]);
});

test("workloads must name claims, exactly", () => {
  const who = (text: string) => task.replace("{ groups: [support] }", `{ workloads: [${text}] }`);
  const issuer = "issuer: https://token.example";
  expect(compiledTask(who(`{ ${issuer}, claims: { repository_id: "7" } }`)).who.workloads).toEqual([
    { issuer: "https://token.example", claims: { repository_id: "7" } },
  ]);
  expect(problems(who(`{ ${issuer}, claims: {} }`))).toEqual(["5:20 WORKLOAD_TOO_WIDE"]);
  expect(problems(who(`{ ${issuer}, claims: { repo: "org/*" } }`))).toEqual(["5:63 PATTERN_IN_CLAIM"]);
  expect(problems(who(`{ ${issuer} }`))).toContain("5:20 MISSING_KEY");
});

test("what is wide is allowed but said", () => {
  const warnings = (from: string, to: string) => problems(task.replace(from, to));
  expect(warnings('"INC-*"', '"*"')).toEqual(["6:12 WIDE_PATTERN"]);
  expect(warnings("ttl: 30m", "ttl: 12h")).toEqual(["20:1 LONG_SESSION"]);
  expect(warnings("[support-leads]", "[support]")).toEqual(["21:1 APPROVERS_ARE_REQUESTERS"]);
  expect(warnings("approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }\n", "")).toEqual([
    "9:1 NO_APPROVERS",
  ]);
});

test("rules of a cluster and of an HTTP API", () => {
  const head = "version: 1\ntask: refund\ndescription: x\nowner: x\nwho: { groups: [a] }\n";
  const pods = `${head}resource: shop
allow:
  - resources: [pods, pods/log]
    verbs: [get, list, exec]
    namespaces: [shop]
    names: ["web-*"]
    commands: ["ls *"]
    approval: request
`;
  expect(compiledTask(pods)).toMatchObject({
    resourceType: "kubernetes",
    rules: [],
    requestRules: [
      { kind: "kubernetes", apiGroups: [""], names: ["web-*"], ports: null, approval: "request" },
    ],
    refs: { approval: "tasks/refund.yaml:2" },
  });
  expect(problems(pods.replace("[pods, ", '["*", '))).toContain("8:17 WILDCARD");
  expect(problems(pods.replace('    commands: ["ls *"]\n', ""))).toContain("8:5 INCOMPLETE_RULE");
  const http = `${head}resource: billing
allow:
  - { methods: [GET], paths: ["/v1/orders/{id}", /v1/files/**], query: [expand], mask: { "card.number": last4 } }
`;
  expect(compiledTask(http)).toMatchObject({
    resourceType: "http",
    requestRules: [{ kind: "http", methods: ["GET"], paths: ["/v1/orders/{id}", "/v1/files/**"] }],
  });
  for (const path of ["v1", "/v1/../x", "/a//b", "/a/**/b", "/a?b=1"]) {
    expect(problems(http.replace("/v1/files/**", `"${path}"`)), path).toContain("8:50 BAD_VALUE");
  }
});

test("the other files of the library", () => {
  const people = "version: 1\npeople:\n  tina: { groups: [support], claims: { email: tina@example.com } }\n";
  const tests = "tests:\n  - { as: tina, sql: select 1, params: { customer: 7 }, expect: { deny: X } }\n";
  const compiled = compile(task, { "people.yaml": people, "tasks/refund.test.yaml": tests });
  expect(compiled.problems).toEqual([]);
  expect(compiled.ok && compiled.library).toMatchObject({
    people: { tina: { groups: ["support"], claims: { email: "tina@example.com" } } },
    tests: [{ task: "refund", at: "tasks/refund.test.yaml:2", params: { customer: "7" }, reason: null }],
  });
  expect(problems(task, { "tasks/refund.test.yaml": tests })).toEqual(["2:5 UNKNOWN_PERSON"]);
  expect(problems(task, { "people.yaml": people, "tasks/refnd.test.yaml": tests })).toEqual([
    "1:1 UNKNOWN_TASK",
  ]);
  expect(problems(task, { "tasks/more/refund.yaml": task })).toEqual(["1:1 MISPLACED_FILE"]);
  expect(problems(task, { "tasks/refund.yml": task })).toEqual(["1:1 MISPLACED_FILE"]);
  expect(problems(task, { "people.yaml": "version: 1\npeople: { Tina: {} }\n" })).toEqual(["2:11 BAD_NAME"]);
  const listed = `${resources}connectors: [dmeo]\n`;
  expect(problems(task, { "resources.yaml": listed })).toContain("3:32 UNKNOWN_CONNECTOR");
  expect(problems(task, { "resources.yaml": listed.replace("dmeo", "demo") })).toEqual([]);
  const none = compileLibrary(new Map([["tasks/refund.yaml", task]]));
  expect(none.problems.map(({ code }) => code)).toContain("MISSING_FILE");
});

test("A12 a text that is no task is refused in bounded time, whatever it is", () => {
  const bomb = `a: &a [${"x,".repeat(9)}]\n${Array.from({ length: 20 }, (_, i) => `b${i}: &b${i} [*a, *a]`).join("\n")}\n`;
  for (const text of [
    "",
    "#",
    "null",
    "[]",
    "7",
    "---\na: 1\n---\nb: 2\n",
    bomb,
    "[".repeat(50_000),
    "{a: ".repeat(10_000),
    "- ".repeat(20_000),
    `a: ${"x".repeat(300_000)}`,
    "? [a]\n: b\n",
    "\u0000",
    "%YAML 1.1\n---\nyes: no\n",
  ]) {
    expect(compile(text).ok, text.slice(0, 20)).toBe(false);
  }
});

test("A12 any change of a character gives a task or errors with places, never an exception", () => {
  fc.assert(
    fc.property(
      fc.nat(task.length - 1),
      fc.constantFrom(..."[]{}:,*&!|>'\"#%@-? \n\t~0a".split("")),
      (at, character) => {
        const compiled = compile(task.slice(0, at) + character + task.slice(at + 1));
        for (const { line, column, file } of compiled.problems) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(file).toMatch(/^(tasks\/refund\.yaml|tasks)$/);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("the bundle carries digests of what it says, and is opened only with them", () => {
  const compiled = compile(task);
  if (!compiled.ok) throw new Error("not compiled");
  const { bundle } = compiled.library;
  const copy = () => JSON.parse(JSON.stringify(bundle));
  expect(openBundle(copy())).toMatchObject({ ok: true, bundle: { digest: bundle.digest } });
  expect(compile(task.replace("\n", "\r\n"))).toMatchObject({
    ok: true,
    library: { bundle: { digest: bundle.digest } },
  });
  const widened = copy();
  widened.tasks.refund.rules[0].mask = {};
  expect(openBundle(widened)).toMatchObject({ ok: false, message: expect.stringContaining("refund") });
  const moved = copy();
  moved.resources["orders-db"].connector = "evil";
  expect(openBundle(moved).ok).toBe(false);
  expect(openBundle({ ...copy(), version: 2 }).ok).toBe(false);
  expect(openBundle(null).ok).toBe(false);
  expect(findTask(bundle, "constructor")).toBeNull();
  expect(findTask(bundle, "__proto__")).toBeNull();
});
