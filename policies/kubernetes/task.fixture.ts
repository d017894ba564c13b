/** Tasks for the tests of this room. */
import type { KubernetesRule, Task } from "../task.ts";

/** A rule that grants nothing but what is given. */
export function rule(given: Partial<KubernetesRule>): KubernetesRule {
  return {
    kind: "kubernetes",
    apiGroups: [""],
    resources: [],
    verbs: [],
    namespaces: [],
    names: null,
    labels: {},
    commands: null,
    ports: null,
    mask: {},
    secrets: [],
    pods: null,
    approval: null,
    at: "tasks/test.yaml:1",
    ...given,
  };
}

/** A task of these rules. */
export function kubeTask(requestRules: Task["requestRules"], given: Partial<Task> = {}): Task {
  return {
    version: 1,
    name: "test",
    digest: "0".repeat(64),
    description: "",
    owner: "",
    at: "tasks/test.yaml:1",
    refs: {
      who: "tasks/test.yaml:1",
      require: "tasks/test.yaml:1",
      params: "tasks/test.yaml:1",
      allow: "tasks/test.yaml:1",
      limits: "tasks/test.yaml:1",
      session: "tasks/test.yaml:1",
      approval: "tasks/test.yaml:1",
      recording: "tasks/test.yaml:1",
    },
    who: { groups: [], workloads: [] },
    require: { reason: null, mfa: false, hours: null },
    params: {},
    resource: "cluster",
    resourceType: "kubernetes",
    rules: [],
    requestRules,
    functions: [],
    limits: { rows: null, statements: null, bytes: null, statementTimeoutMs: null, lookups: null },
    session: { ttlMs: 60_000, idleMs: 60_000, maxConcurrent: null },
    approval: null,
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
    ...given,
  };
}
