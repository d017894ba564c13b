/** Tasks for tests of the gate: no file, no conditions. */
import type { SqlRule, Task, TaskLimits } from "../../policies/task.ts";

/** A task that grants every column of the given relations. */
export function openTask(rules: readonly SqlRule[] = [], limits: Partial<TaskLimits> = {}): Task {
  const at = "tasks/test.yaml:1";
  return {
    version: 1,
    name: "test",
    digest: "0".repeat(64),
    description: "",
    owner: "",
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
    resource: "test-db",
    resourceType: "postgres",
    rules,
    requestRules: [],
    functions: [],
    limits: { rows: null, statements: null, bytes: null, statementTimeoutMs: null, lookups: null, ...limits },
    session: { ttlMs: 60_000, idleMs: 60_000, maxConcurrent: null },
    approval: null,
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
  };
}

export function selectRule(schema: string, relation: string, more: Partial<SqlRule> = {}): SqlRule {
  return {
    verb: "select",
    schema,
    relation,
    columns: "*",
    rows: null,
    mask: {},
    lookup: [],
    detect: {},
    approval: null,
    at: "tasks/test.yaml:3",
    ...more,
  } as SqlRule;
}
