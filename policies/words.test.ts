import { expect, test } from "vitest";
import { compileLibrary } from "./compile.ts";
import { maskWords, taskInWords, taskText } from "./words.ts";

const compiled = compileLibrary(
  new Map([
    [
      "resources.yaml",
      "version: 1\nresources: { db: { type: postgres, connector: c }, shop: { type: kubernetes, connector: c }, api: { type: http, connector: c } }\n",
    ],
    [
      "tasks/refund.yaml",
      `version: 1
task: refund
description: Look up orders.
owner: payments
who: { groups: [support], workloads: [{ issuer: https://ci.example, claims: { repo: "7" } }] }
require: { reason: "INC-*", mfa: true, hours: "Mon-Fri 08:00-20:00 Europe/Berlin" }
params: { customer: integer }
resource: db
allow:
  - select:
      public.customers:
        columns: [id, email, ssn]
        rows: id = :customer
        mask: { email: email, ssn: last4 }
        lookup: [email]
  - update: { public.orders: { columns: [status] } }
    approval: statement
limits: { rows: 500, bytes: 5MiB, statement_timeout: 10s }
session: { ttl: 30m, idle: 5m, max_concurrent: 2 }
approval: { from: { groups: [leads] }, count: 2 }
`,
    ],
    [
      "tasks/pods.yaml",
      `version: 1
task: pods
description: x
owner: x
who: { groups: [a] }
resource: shop
allow:
  - { resources: [pods, pods/log], verbs: [get, exec], namespaces: [shop], names: ["web-*"], commands: ["ls *"] }
`,
    ],
    [
      "tasks/bills.yaml",
      `version: 1
task: bills
description: x
owner: x
who: { groups: [a] }
resource: api
allow:
  - { methods: [GET], paths: ["/v1/bills/{id}"], query: [expand], mask: { card: last4 } }
`,
    ],
  ]),
);
if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
const { tasks } = compiled.library.bundle;

test("a task in words", () => {
  expect(taskText(tasks.refund!)).toBe(`refund (on db)
Look up orders.

Who may run it
  - people in the group support
  - programs with a token of https://ci.example where repo = "7"

What it allows
  - read public.customers: id, email (first letter and domain only; can be looked up by its real value), ssn (only the last 4 characters shown); only rows where id = :customer  [tasks/refund.yaml:11]
  - change public.orders: status; each use is approved  [tasks/refund.yaml:16]

What it needs
  - a reason of the form INC-*
  - customer: a whole number that fits 64 bits
  - a login with a second factor
  - a time within Mon, Tue, Wed, Thu, Fri 08:00 to 20:00 (Europe/Berlin)
  - the yes of 2 people in leads within 15m

Its limits
  - at most 500 rows
  - at most 5 MiB of results
  - each statement at most 10s
  - a session lives at most 30m, and 5m without a statement
  - at most 2 open at a time

What is recorded
  - every statement and the rows as you see them; a session that cannot be recorded ends`);
});

test("requests in words", () => {
  expect(taskInWords(tasks.pods!).may[0]!.text).toContain(
    "get, exec pods, pods/log named web-* in shop; commands ls *",
  );
  expect(taskInWords(tasks.bills!).may[0]!.text).toBe(
    "GET /v1/bills/{id} with the query keys expand; masked: card (only the last 4 characters shown)",
  );
});

test("every mask has words", () => {
  expect(maskWords({ kind: "null" })).toBe("always empty");
  expect(maskWords({ kind: "constant", value: "X" })).toBe("always X");
  expect(maskWords({ kind: "keep", first: 0, last: 0, with: "*" })).toBe("every character hidden");
  expect(maskWords({ kind: "token" })).toContain("equal tokens");
  expect(maskWords({ kind: "year" })).toBe("the year only");
  expect(maskWords({ kind: "month" })).toBe("the year and month only");
  expect(maskWords({ kind: "round", digits: -2 })).toBe("rounded to 100s");
  expect(maskWords({ kind: "round", digits: 1 })).toBe("rounded to 1 decimals");
});
