import { expect, test } from "vitest";
import { compileLibrary } from "./compile.ts";
import type { StatementDecision } from "./postgres/decision.ts";
import { type DecideSql, runTests } from "./tests.ts";

const task = `version: 1
task: refund
description: x
owner: x
who: { groups: [support] }
require: { reason: "INC-*", hours: "Mon-Fri 08:00-20:00 UTC" }
params: { customer: integer }
resource: db
allow:
  - select: { public.customers: { columns: [id, email], rows: "id = :customer", mask: { email: email } } }
  - update: { public.orders: { columns: [status] } }
`;

function library(tests: string) {
  const compiled = compileLibrary(
    new Map([
      ["resources.yaml", "version: 1\nresources: { db: { type: postgres, connector: c } }\n"],
      ["people.yaml", "version: 1\npeople: { tina: { groups: [support] }, omar: { groups: [warehouse] } }\n"],
      ["tasks/refund.yaml", task],
      ["tasks/refund.test.yaml", `tests:\n${tests}`],
    ]),
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.library;
}

const decision: StatementDecision = {
  effect: "allow",
  reason: "ALLOWED",
  message: "",
  hint: null,
  sqlstate: "42501",
  position: null,
  rule: null,
  rewritten: "…",
  statements: [{ kind: "Select", effect: "read", returnsRows: true, copyIn: false, lookup: false }],
  relations: ["public.customers"],
  masked: ["public.customers.email"],
  fingerprint: null,
};
const decide: DecideSql = (_task, sql) => {
  if (sql === "hold") return { ...decision, effect: "hold", reason: "NEEDS_APPROVAL" };
  if (sql === "deny") return { ...decision, effect: "deny", reason: "RELATION_NOT_GRANTED", relations: [] };
  return decision;
};

/** `ok GOT` of each test. */
function run(tests: string): string[] {
  return runTests(library(tests), decide).results.map(({ ok, got }) => `${ok ? "ok" : "FAILED"} ${got}`);
}

test("what a test leaves out it does not speak of", () => {
  expect(run("  - { as: tina, sql: select 1, expect: allow }\n")).toEqual(["ok allow"]);
  expect(run("  - { as: tina, sql: select 1, expect: { deny: REASON_REQUIRED } }\n")).toEqual([
    "ok deny REASON_REQUIRED",
  ]);
  expect(run("  - { as: tina, sql: select 1, reason: INC-1, expect: { deny: PARAM_MISSING } }\n")).toEqual([
    "ok deny PARAM_MISSING",
  ]);
  expect(run("  - { as: tina, sql: select 1, expect: { deny: PARAM_MISSING } }\n")).toEqual([
    "ok deny PARAM_MISSING",
  ]);
});

test("what it says is checked", () => {
  expect(run("  - { as: tina, sql: select 1, reason: no, expect: allow }\n")).toEqual([
    "FAILED deny REASON_MISMATCH",
  ]);
  expect(run("  - { as: tina, sql: select 1, params: {}, expect: allow }\n")).toEqual([
    "FAILED deny PARAM_MISSING",
  ]);
  expect(
    run("  - { as: tina, sql: select 1, params: { customer: x }, expect: { deny: PARAM_TYPE } }\n"),
  ).toEqual(["ok deny PARAM_TYPE"]);
  expect(
    run("  - { as: tina, sql: select 1, at: '2026-11-24T07:00:00Z', expect: { deny: OUTSIDE_HOURS } }\n"),
  ).toEqual(["ok deny OUTSIDE_HOURS"]);
  expect(run("  - { as: omar, sql: select 1, expect: allow }\n")).toEqual(["FAILED deny NOT_A_MEMBER"]);
});

test("the effect, the code and the masked columns must be those expected", () => {
  expect(run("  - { as: tina, sql: deny, expect: { deny: RELATION_NOT_GRANTED } }\n")).toEqual([
    "ok deny RELATION_NOT_GRANTED",
  ]);
  expect(run("  - { as: tina, sql: deny, expect: { deny: OTHER } }\n")).toEqual([
    "FAILED deny RELATION_NOT_GRANTED",
  ]);
  expect(run("  - { as: tina, sql: hold, expect: { hold: true } }\n")).toEqual(["ok hold"]);
  expect(run("  - { as: tina, sql: hold, expect: allow }\n")).toEqual(["FAILED hold"]);
  for (const name of ["email", "customers.email", "public.customers.email"]) {
    expect(run(`  - { as: tina, sql: select 1, expect: { allow: true, masked: [${name}] } }\n`)).toEqual([
      "ok allow",
    ]);
  }
  expect(run("  - { as: tina, sql: select 1, expect: { allow: true, masked: [mail] } }\n")).toEqual([
    "FAILED allow",
  ]);
  expect(run("  - { as: tina, request: GET /, expect: allow }\n")).toEqual(["FAILED nothing"]);
});

test("an allow line that no passing test uses is named", () => {
  const used = runTests(library("  - { as: tina, sql: select 1, expect: allow }\n"), decide);
  expect(used).toMatchObject({ passed: 1, failed: 0 });
  expect(used.uncovered).toEqual([
    { task: "refund", at: "tasks/refund.yaml:11", verb: "update", relation: "public.orders" },
  ]);
  const failing = runTests(library("  - { as: tina, sql: select 1, expect: { hold: true } }\n"), decide);
  expect(failing.uncovered.map(({ verb }) => verb)).toEqual(["select", "update"]);
});
