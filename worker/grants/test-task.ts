/** Test support: a task and people. */
import type { Identity, Task } from "../../policies/task.ts";
import type { Person } from "./grant.ts";

const PARTS = [
  "allow",
  "approval",
  "limits",
  "params",
  "recording",
  "require",
  "resource",
  "session",
  "who",
] as const;

export const TEST_ISSUER = "https://id.example.com";

export function testTask(changes: Partial<Task> = {}): Task {
  return {
    version: 1,
    name: "t",
    digest: "a".repeat(64),
    description: "A task for tests.",
    owner: "owners",
    at: "tasks/t.yaml:1",
    who: { groups: ["support"], workloads: [] },
    require: { reason: null, mfa: false, hours: null },
    params: { customer: "integer" },
    resource: "orders-db",
    resourceType: "postgres",
    rules: [],
    requestRules: [],
    functions: [],
    limits: { rows: 500, statements: 200, bytes: null, statementTimeoutMs: null, lookups: null },
    session: { ttlMs: 1_800_000, idleMs: 300_000, maxConcurrent: 2 },
    approval: null,
    refs: Object.fromEntries(
      PARTS.map((part) => [part, `tasks/t.yaml:${PARTS.indexOf(part) + 2}`]),
    ) as Task["refs"],
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
    ...changes,
  };
}

export function person(subject: string, groups: string[], email: string | null = null): Person {
  return { issuer: TEST_ISSUER, subject, name: subject, groups, email };
}

export function identity(subject: string, groups: string[], claims: Identity["claims"] = {}): Identity {
  return { issuer: TEST_ISSUER, subject, name: subject, groups, claims, expires: Date.now() + 600_000 };
}
