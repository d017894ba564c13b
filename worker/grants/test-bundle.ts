/** Test support: a small library of tasks on one resource. */
import type { Bundle } from "../../policies/task.ts";
import { testTask } from "./test-task.ts";

export function testBundle(): Bundle {
  const approval = { from: { groups: ["support-leads"] }, count: 1, expiresMs: 900_000 };
  const tasks = [
    testTask({ name: "look-up", digest: "1".repeat(64) }),
    testTask({ name: "refund", digest: "2".repeat(64), approval }),
    testTask({ name: "two-people", digest: "3".repeat(64), approval: { ...approval, count: 2 } }),
    testTask({
      name: "ticket",
      digest: "4".repeat(64),
      require: { reason: "INC-*", mfa: false, hours: null },
    }),
    testTask({
      name: "glass",
      digest: "6".repeat(64),
      approval: { ...approval, emergency: { review: { groups: ["admins"] }, quota: 2 } },
    }),
    testTask({
      name: "careful",
      digest: "a1".repeat(32),
      require: { reason: null, mfa: true, hours: null },
    }),
    testTask({ name: "stock", digest: "5".repeat(64), who: { groups: ["warehouse"], workloads: [] } }),
  ];
  return {
    version: 1,
    digest: "0".repeat(64),
    resources: {
      "orders-db": { name: "orders-db", type: "postgres", connector: "demo" },
      "shop-cluster": { name: "shop-cluster", type: "kubernetes", connector: "demo" },
    },
    tasks: Object.fromEntries(tasks.map((task) => [task.name, task])),
  } as Bundle;
}
