import { expect, test } from "vitest";
import { kubeTask, rule } from "./kubernetes/task.fixture.ts";
import { decideRequest } from "./request.ts";
import type { Json } from "./task.ts";

const task = kubeTask([
  rule({ resources: ["secrets"], verbs: ["get"], namespaces: ["shop"], at: "t:1" }),
  rule({
    resources: ["pods"],
    verbs: ["delete"],
    namespaces: ["shop"],
    labels: { app: "web" },
    approval: "request",
    at: "t:2",
  }),
  rule({ resources: ["configmaps"], verbs: ["create"], namespaces: ["shop"], names: ["a-*"], at: "t:3" }),
]);
const said = (request: Json) => {
  const decision = decideRequest(task, request);
  return decision === null
    ? null
    : `${decision.effect} ${decision.reason} ${decision.rule ?? "-"} ${decision.masked.join()}`.trim();
};

test("requests as tests write them", () => {
  expect(said("GET /api/v1/namespaces/shop/secrets/web")).toBe("allow ALLOWED t:1 data.*");
  expect(said("GET /api/v1/namespaces/other/secrets/web")).toBe("deny NAMESPACE_NOT_GRANTED t:1");
  const pod = "/api/v1/namespaces/shop/pods/web-1";
  expect(said({ method: "DELETE", path: pod, labels: { app: "web" } })).toBe("hold NEEDS_APPROVAL t:2");
  expect(said({ method: "DELETE", path: pod })).toBe("deny LABELS_NOT_GRANTED t:2");
  const maps = "/api/v1/namespaces/shop/configmaps";
  expect(said({ method: "POST", path: maps, body: { metadata: { name: "a-1" } } })).toBe("allow ALLOWED t:3");
  expect(said({ method: "POST", path: maps, body: { metadata: { name: "b-1" } } })).toBe(
    "deny NAME_NOT_GRANTED t:3",
  );
  expect(said("GET /metrics")).toBe("deny PATH_NOT_ALLOWED -");
  for (const bad of ["pods", 7, null, [], { path: 1 }, { path: "/", unknown: 1 }] as Json[])
    expect(said(bad)).toBeNull();
});
