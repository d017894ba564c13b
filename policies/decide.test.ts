import { expect, test } from "vitest";
import { compileLibrary } from "./compile.ts";
import { isMember, mayStart, nearestTask, needsApproval, tasksFor } from "./decide.ts";
import type { Identity, Task } from "./task.ts";

const resources =
  "version: 1\nresources: { db: { type: postgres, connector: c }, other: { type: postgres, connector: c } }\n";
const head = (name: string, who: string, resource = "db") =>
  `version: 1\ntask: ${name}\ndescription: x\nowner: x\nwho: ${who}\nresource: ${resource}\n`;
const allow = (relation: string) => `allow:\n  - select: { public.${relation}: { columns: "*" } }\n`;

const compiled = compileLibrary(
  new Map([
    ["resources.yaml", resources],
    [
      "tasks/refund.yaml",
      `${head("refund", "{ groups: [support] }")}require: { reason: "INC-*", hours: "Mon-Fri 08:00-20:00 Europe/Berlin" }
params: { customer: integer, note: text }
allow:
  - select: { public.orders: { columns: "*", rows: "id = :customer and note = :note" } }
`,
    ],
    ["tasks/strong.yaml", `${head("strong", "{ groups: [support] }")}require: { mfa: true }\n${allow("a")}`],
    [
      "tasks/deploy.yaml",
      `${head("deploy", '{ workloads: [{ issuer: https://ci.example, claims: { repo: "7", env: prod } }] }')}${allow("a")}`,
    ],
    [
      "tasks/wide.yaml",
      `${head("wide", "{ groups: [support] }")}${allow("a")}  - select: { public.b: { columns: "*" } }\n`,
    ],
    [
      "tasks/held.yaml",
      `${head("held", "{ groups: [support] }")}${allow("a")}approval: { from: { groups: [leads] } }\n`,
    ],
    ["tasks/elsewhere.yaml", `${head("elsewhere", "{ groups: [support] }", "other")}${allow("a")}`],
  ]),
);
if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
const { bundle } = compiled.library;
const task = (name: string): Task => bundle.tasks[name]!;

const tina: Identity = {
  issuer: "https://id.example",
  subject: "tina",
  name: "Tina",
  groups: ["support"],
  claims: {},
  expires: 0,
};
const tuesday = Date.parse("2026-11-24T10:00:00+01:00");
const fine = { params: { customer: "007", note: "x" }, reason: "INC-7", now: tuesday };
const code = (result: ReturnType<typeof mayStart>) => (result.ok ? "ok" : result.code);

test("parameters come back as canonical text", () => {
  expect(mayStart(task("refund"), tina, fine)).toEqual({ ok: true, params: { customer: "7", note: "x" } });
});

test("each refusal has its code, the next step and the line that says so", () => {
  const start = (change: Partial<typeof fine>, who = tina) =>
    mayStart(task("refund"), who, { ...fine, ...change });
  expect(start({}, { ...tina, groups: ["Support", "support "] })).toMatchObject({
    ok: false,
    code: "NOT_A_MEMBER",
    rule: "tasks/refund.yaml:5",
  });
  expect(start({ reason: null as never })).toMatchObject({
    code: "REASON_REQUIRED",
    rule: "tasks/refund.yaml:7",
  });
  expect(code(start({ reason: "  " }))).toBe("REASON_REQUIRED");
  expect(code(start({ reason: "because INC-7" }))).toBe("REASON_MISMATCH");
  expect(code(start({ now: tuesday - 5 * 3_600_000 }))).toBe("OUTSIDE_HOURS");
  expect(start({ params: { note: "x" } as never })).toMatchObject({
    code: "PARAM_MISSING",
    rule: "tasks/refund.yaml:8",
  });
  expect(code(start({ params: { ...fine.params, more: "1" } as never }))).toBe("PARAM_UNKNOWN");
  expect(code(start({ params: { ...fine.params, customer: "7 or true" } }))).toBe("PARAM_TYPE");
  expect(code(start({ params: { ...fine.params, customer: 7 as never } }))).toBe("PARAM_TYPE");
});

test("A10 a reason is short and plain text, also where none is needed", () => {
  for (const reason of [
    `INC-${"7".repeat(1000)}`,
    "INC-7\u001b[2J",
    "INC-7\nINC-8",
    "INC-\u202e7",
    "INC-\u00857",
    "INC-\u20287",
    "INC-\ud8007",
  ]) {
    expect(code(mayStart(task("refund"), tina, { ...fine, reason }))).toBe("REASON_MISMATCH");
    expect(code(mayStart(task("wide"), tina, { params: {}, reason, now: 0 }))).toBe("REASON_MISMATCH");
  }
  expect(code(mayStart(task("refund"), tina, { ...fine, reason: "INC-7 <b>Ünïcode</b> 😀" }))).toBe("ok");
});

test("inherited names are not parameters, claims or groups", () => {
  const start = (params: Record<string, string>) => code(mayStart(task("refund"), tina, { ...fine, params }));
  expect(start({ ...fine.params, constructor: "x" })).toBe("PARAM_UNKNOWN");
  expect(start(JSON.parse('{"customer":"7","note":"x","__proto__":"y"}'))).toBe("PARAM_UNKNOWN");
  expect(start(Object.create({ customer: "7", note: "x" }))).toBe("PARAM_MISSING");
});

test("a second factor is what the token's amr says", () => {
  const start = (claims: Identity["claims"]) =>
    code(mayStart(task("strong"), { ...tina, claims }, { params: {}, reason: null, now: 0 }));
  expect(start({ amr: ["pwd", "mfa"] })).toBe("ok");
  expect(start({})).toBe("MFA_REQUIRED");
  expect(start({ amr: ["pwd"] })).toBe("MFA_REQUIRED");
  expect(start({ amr: "mfa" })).toBe("MFA_REQUIRED");
  expect(start({ amr: [["mfa"]] })).toBe("MFA_REQUIRED");
});

test("a workload is its issuer and all of its claims, by type", () => {
  const ci = (issuer: string, claims: Identity["claims"]) =>
    isMember(task("deploy"), { ...tina, groups: [], issuer, claims });
  expect(ci("https://ci.example", { repo: "7", env: "prod", sub: "x" })).toBe(true);
  expect(ci("https://ci.example/", { repo: "7", env: "prod" })).toBe(false);
  expect(ci("https://ci.example", { repo: 7, env: "prod" })).toBe(false);
  expect(ci("https://ci.example", { repo: "7" })).toBe(false);
  expect(ci("https://ci.example", { repo: ["7"], env: "prod" })).toBe(false);
  expect(ci("https://ci.example", Object.create({ repo: "7", env: "prod" }))).toBe(false);
  expect(isMember(task("deploy"), tina)).toBe(false);
});

test("what can I do: every task, with why not", () => {
  const offers = tasksFor(bundle, tina, tuesday - 5 * 3_600_000);
  expect(offers.map(({ task, may, why, needsApproval }) => [task.name, may, why, needsApproval])).toEqual([
    ["deploy", false, "NOT_A_MEMBER", false],
    ["elsewhere", true, null, false],
    ["held", true, null, true],
    ["refund", false, "OUTSIDE_HOURS", false],
    ["strong", false, "MFA_REQUIRED", false],
    ["wide", true, null, false],
  ]);
  expect(needsApproval(task("held"))).toBe(true);
});

test("the nearest task that would allow it: of the same resource, the person's own, no approval first", () => {
  const anything = () => true;
  expect(nearestTask(bundle, tina, task("strong"), anything)?.name).toBe("refund");
  expect(nearestTask(bundle, tina, task("refund"), anything)?.name).toBe("wide");
  expect(nearestTask(bundle, tina, task("refund"), ({ name }) => name === "held")?.name).toBe("held");
  expect(nearestTask(bundle, tina, task("refund"), ({ name }) => name === "deploy")).toBeNull();
  expect(nearestTask(bundle, tina, task("refund"), ({ name }) => name === "elsewhere")).toBeNull();
});
