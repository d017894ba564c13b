/** The task of the SQL cases: customers with two masks, all of orders, nothing else. */
import type { SqlRule, Task } from "../../policies/task.ts";

const at = "tasks/test.yaml:1";

/** A postgres task with defaults for everything that a test does not speak of. */
export function sqlTask(rules: readonly Partial<SqlRule>[], more: Partial<Task> = {}): Task {
  return {
    version: 1,
    name: "test",
    digest: "0".repeat(64),
    description: "",
    owner: "test",
    at,
    refs: {
      who: at,
      require: at,
      params: at,
      allow: at,
      limits: at,
      session: at,
      approval: at,
      recording: at,
    },
    who: { groups: [], workloads: [] },
    require: { reason: null, mfa: false, hours: null },
    params: {},
    resource: "orders-db",
    resourceType: "postgres",
    rules: rules.map((rule, index) => ({
      verb: "select",
      schema: "public",
      relation: "",
      columns: "*",
      rows: null,
      mask: {},
      lookup: [],
      detect: {},
      approval: null,
      at: `tasks/test.yaml:${index + 2}`,
      ...rule,
    })),
    requestRules: [],
    functions: [],
    limits: { rows: null, statements: null, bytes: null, statementTimeoutMs: null, lookups: null },
    session: { ttlMs: 60_000, idleMs: 60_000, maxConcurrent: null },
    approval: null,
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
    ...more,
  };
}

export const corpusTask: Task = sqlTask([
  {
    relation: "customers",
    columns: ["id", "email", "ssn", "phone", "country", "balance"],
    mask: { email: { kind: "email" }, ssn: { kind: "constant", value: "XXX-XX-XXXX" } },
  },
  { relation: "orders" },
]);
