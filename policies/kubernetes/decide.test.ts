import { describe, expect, test } from "vitest";
import { readKubeRequest } from "../../wire/kubernetes/request.ts";
import { checkBody } from "./body.ts";
import { decideKube, type KubePermit, settle } from "./decide.ts";
import { answerReview } from "./review.ts";
import { kubeTask, rule } from "./task.fixture.ts";

const task = kubeTask([
  rule({
    resources: ["pods", "pods/log"],
    verbs: ["get", "list", "watch", "logs"],
    namespaces: ["shop"],
    at: "t.yaml:1",
  }),
  rule({
    resources: ["pods"],
    verbs: ["delete"],
    namespaces: ["shop"],
    names: ["web-*"],
    at: "t.yaml:2",
    approval: "request",
  }),
  rule({
    resources: ["pods/exec"],
    verbs: ["exec"],
    namespaces: ["shop"],
    commands: ["ls *", "df -h"],
    at: "t.yaml:3",
  }),
  rule({
    apiGroups: ["apps"],
    resources: ["deployments"],
    verbs: ["patch", "create"],
    namespaces: ["shop"],
    labels: { app: "web" },
    at: "t.yaml:4",
  }),
  rule({ resources: ["nodes"], verbs: ["get", "list"], at: "t.yaml:5" }),
  rule({
    resources: ["secrets"],
    verbs: ["get", "create"],
    namespaces: ["shop"],
    names: ["web"],
    at: "t.yaml:6",
  }),
  rule({ resources: ["pods"], verbs: ["portforward"], namespaces: ["shop"], ports: [8080], at: "t.yaml:7" }),
]);

function decide(method: string, target: string) {
  const [path, search = ""] = target.split("?") as [string, string?];
  const read = readKubeRequest(method, path, search);
  if (!read.ok) throw new Error(read.refusal.message);
  return decideKube(task, read.request);
}
function permit(method: string, target: string): KubePermit {
  const decision = decide(method, target);
  if (decision.effect === "deny") throw new Error(decision.message);
  return decision;
}
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe("a request is decided by the first rule that covers it", () => {
  test.each([
    ["GET", "/api/v1/namespaces/shop/pods", "allow", "t.yaml:1"],
    ["GET", "/api/v1/namespaces/shop/pods/web-1/log?follow=true", "allow", "t.yaml:1"],
    ["DELETE", "/api/v1/namespaces/shop/pods/web-1", "hold", "t.yaml:2"],
    ["GET", "/api/v1/namespaces/shop/pods/p/exec?command=ls&command=-la", "allow", "t.yaml:3"],
    ["GET", "/api/v1/nodes", "allow", "t.yaml:5"],
    ["GET", "/api/v1/nodes/n1", "allow", "t.yaml:5"],
    ["GET", "/apis", "allow", null],
    ["GET", "/api/v1/namespaces/shop/pods/p/portforward", "allow", "t.yaml:7"],
  ])("%s %s", (method, target, effect, at) => {
    const decision = decide(method, target);
    expect([decision.effect, decision.rule]).toEqual([effect, at]);
  });

  test.each([
    ["GET", "/api/v1/namespaces/shop/configmaps", "RESOURCE_NOT_GRANTED"],
    ["GET", "/apis/apps/v1/namespaces/shop/pods", "RESOURCE_NOT_GRANTED"],
    ["GET", "/api/v1/namespaces/other/pods", "NAMESPACE_NOT_GRANTED"],
    ["GET", "/api/v1/namespaces/shop/nodes", "NAMESPACE_NOT_GRANTED"],
    ["DELETE", "/api/v1/namespaces/shop/pods/db-1", "NAME_NOT_GRANTED"],
    ["DELETE", "/api/v1/namespaces/shop/pods", "VERB_NOT_GRANTED"],
    ["PUT", "/api/v1/namespaces/shop/pods/web-1", "VERB_NOT_GRANTED"],
    ["PATCH", "/api/v1/namespaces/shop/pods/web-1/ephemeralcontainers", "RESOURCE_NOT_GRANTED"],
    ["POST", "/api/v1/namespaces/shop/pods/web-1/eviction", "RESOURCE_NOT_GRANTED"],
    ["GET", "/api/v1/namespaces/shop/pods/p/exec?command=sh", "COMMAND_NOT_GRANTED"],
    ["POST", "/api/v1/namespaces/shop/pods/p/exec?command=sh", "COMMAND_NOT_GRANTED"],
    ["GET", "/api/v1/namespaces/shop/pods/p/exec", "COMMAND_NOT_GRANTED"],
    ["GET", "/api/v1/namespaces/shop/pods/p/attach?stdin=true", "VERB_NOT_GRANTED"],
    ["GET", "/api/v1/nodes/n1/proxy/run/ns/pod/c", "RESOURCE_NOT_GRANTED"],
    ["POST", "/api/v1/namespaces/shop/serviceaccounts/default/token", "RESOURCE_NOT_GRANTED"],
    ["POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "RESOURCE_NOT_GRANTED"],
    ["POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "RESOURCE_NOT_GRANTED"],
    ["PUT", "/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval", "RESOURCE_NOT_GRANTED"],
  ])("K4 K9 %s %s is refused with %s", (method, target, code) => {
    const decision = decide(method, target);
    expect(decision).toMatchObject({ effect: "deny", reason: code, status: 403 });
  });

  test("a list over all namespaces is served, to be filtered object by object", () => {
    expect(permit("GET", "/api/v1/pods").rules).toHaveLength(1);
  });
  test("GET of a pod with ?watch=true stays a get", () => {
    expect(permit("GET", "/api/v1/namespaces/shop/pods/x?watch=true").request.verb).toBe("get");
  });
  test("labels of the object decide a patch", () => {
    const waiting = permit("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web");
    expect(waiting.needsLabels).toBe(true);
    expect(settle(task, waiting, { app: "web" })).toMatchObject({ effect: "allow", rule: "t.yaml:4" });
    expect(settle(task, waiting, { app: "db" })).toMatchObject({
      effect: "deny",
      reason: "LABELS_NOT_GRANTED",
    });
    expect(settle(task, waiting, null)).toMatchObject({ effect: "deny" });
  });
  test("K3 a selector over a masked field is refused", () => {
    const masked = kubeTask([
      rule({
        resources: ["pods"],
        verbs: ["list"],
        namespaces: ["shop"],
        mask: { "spec.nodeName": { kind: "null" } },
      }),
    ]);
    const read = readKubeRequest("GET", "/api/v1/namespaces/shop/pods", "?fieldSelector=spec.nodeName%3Dn1");
    if (!read.ok) throw new Error("not read");
    expect(decideKube(masked, read.request)).toMatchObject({ reason: "SELECTOR_MASKED" });
  });
  test("K3 a list is narrowed to the one name or labels that are granted", () => {
    const narrow = kubeTask([
      rule({
        resources: ["pods"],
        verbs: ["list"],
        namespaces: ["shop"],
        names: ["web-1"],
        labels: { app: "web" },
      }),
    ]);
    const read = readKubeRequest("GET", "/api/v1/namespaces/shop/pods", "?labelSelector=tier%3Dx");
    if (!read.ok) throw new Error("not read");
    const decision = decideKube(narrow, read.request);
    expect(decision.effect === "deny" ? null : decision.request.query).toEqual([
      ["labelSelector", "tier=x,app=web"],
      ["fieldSelector", "metadata.name=web-1"],
    ]);
  });
});

describe("K8 the body of a write is decided too", () => {
  const deployment = (spec: unknown, labels = { app: "web" }) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", labels },
    spec: { template: { spec } },
  });
  const plain = { containers: [{ name: "c", image: "nginx" }] };
  const post = () => permit("POST", "/apis/apps/v1/namespaces/shop/deployments");

  test("a plain deployment passes", () => {
    expect(checkBody(task, post(), "json", json(deployment(plain)))).toMatchObject({ effect: "allow" });
  });
  test.each([
    ["privileged", { containers: [{ name: "c", securityContext: { privileged: true } }] }],
    ["host network", { ...plain, hostNetwork: true }],
    ["host PID", { ...plain, hostPID: true }],
    ["host path", { ...plain, volumes: [{ name: "v", hostPath: { path: "/" } }] }],
    ["service account", { ...plain, serviceAccountName: "admin" }],
    ["old service account", { ...plain, serviceAccount: "admin" }],
    ["node", { ...plain, nodeName: "master" }],
    [
      "capability",
      { containers: [{ name: "c", securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }] },
    ],
    ["init container", { ...plain, initContainers: [{ name: "i", securityContext: { privileged: true } }] }],
    ["host port", { containers: [{ name: "c", ports: [{ hostPort: 80 }] }] }],
    ["csi volume", { ...plain, volumes: [{ name: "v", csi: { driver: "x" } }] }],
    ["containers as an object", { containers: { name: "c", securityContext: { privileged: true } } }],
  ])("%s is refused", (_, spec) => {
    expect(checkBody(task, post(), "json", json(deployment(spec)))).toMatchObject({
      effect: "deny",
      reason: "POD_NOT_GRANTED",
    });
  });
  test("patches of every kind are looked at", () => {
    const patch = settle(task, permit("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web"), {
      app: "web",
    });
    if (patch.effect === "deny") throw new Error("denied");
    const bad = { spec: { template: { spec: { hostPID: true } } } };
    for (const type of ["merge-patch", "strategic-patch", "apply-patch"] as const) {
      expect(checkBody(task, patch, type, json(bad))).toMatchObject({ reason: "POD_NOT_GRANTED" });
    }
    const ops: [unknown, string][] = [
      [[{ op: "add", path: "/spec/template/spec/hostPID", value: true }], "POD_NOT_GRANTED"],
      [[{ op: "replace", path: "/spec/template/spec", value: { hostNetwork: true } }], "POD_NOT_GRANTED"],
      [
        [{ op: "add", path: "/spec/template/spec/volumes/-", value: { hostPath: { path: "/" } } }],
        "POD_NOT_GRANTED",
      ],
      [
        [
          {
            op: "add",
            path: "/spec/template/spec/containers/0/securityContext",
            value: { privileged: true },
          },
        ],
        "POD_NOT_GRANTED",
      ],
      [[{ op: "replace", path: "", value: {} }], "PATCH_NOT_READ"],
      [[{ op: "copy", from: "/metadata/name", path: "/spec/x" }], "PATCH_NOT_READ"],
      [[{ op: "replace", path: "/metadata/labels/app", value: "db" }], "LABELS_NOT_GRANTED"],
    ];
    for (const [body, reason] of ops) {
      expect(checkBody(task, patch, "json-patch", json(body))).toMatchObject({ effect: "deny", reason });
    }
    const fine = [{ op: "replace", path: "/spec/replicas", value: 3 }];
    expect(checkBody(task, patch, "json-patch", json(fine))).toMatchObject({ effect: "allow" });
  });
  test("name, namespace and labels of the body are those of the grant", () => {
    const secret = permit("POST", "/api/v1/namespaces/shop/secrets");
    const of = (metadata: unknown) => checkBody(task, secret, "json", json({ kind: "Secret", metadata }));
    expect(of({ name: "web" })).toMatchObject({ effect: "allow" });
    expect(of({ name: "db" })).toMatchObject({ reason: "NAME_NOT_GRANTED" });
    expect(of({ generateName: "web" })).toMatchObject({ reason: "NAME_NOT_GRANTED" });
    expect(of({ name: "web", namespace: "other" })).toMatchObject({ reason: "BODY_MISMATCH" });
    expect(of("web")).toMatchObject({ reason: "BODY_NOT_READ" });
    const unlabelled = deployment(plain, { app: "db" });
    expect(checkBody(task, post(), "json", json(unlabelled))).toMatchObject({ reason: "LABELS_NOT_GRANTED" });
  });
  test("a key given twice, a mask written back, YAML and forms are refused", () => {
    const secret = permit("POST", "/api/v1/namespaces/shop/secrets");
    const raw = (text: string) => checkBody(task, secret, "json", new TextEncoder().encode(text));
    expect(raw('{"metadata":{"name":"web","name":"db"}}')).toMatchObject({ reason: "BODY_NOT_READ" });
    expect(raw('{"metadata":{"name":"web"},"m\\u0065tadata":{"name":"db"}}')).toMatchObject({
      reason: "BODY_NOT_READ",
    });
    expect(raw("metadata: { name: web }")).toMatchObject({ reason: "BODY_NOT_READ" });
    expect(raw('{"metadata":{"name":"web"},"data":{"a":"KiptYXNrZWQtYnktd2lja2V0Z2F0ZSoq"}}')).toMatchObject({
      reason: "MASKED_VALUE",
    });
  });
});

describe("K10 can-i answers from the task", () => {
  const identity = { issuer: "i", subject: "s", name: "tina", groups: ["support"], claims: {}, expires: 0 };
  const ask = (resourceAttributes: unknown) => {
    const read = readKubeRequest("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "");
    if (!read.ok) throw new Error("not read");
    const review = answerReview(
      task,
      identity,
      read.request,
      json({ spec: { resourceAttributes } }),
      false,
    ) as {
      status: { allowed: boolean };
    };
    return review.status.allowed;
  };
  test.each([
    [{ verb: "list", resource: "pods", namespace: "shop" }, true],
    [{ verb: "list", resource: "pods", namespace: "other" }, false],
    [{ verb: "delete", resource: "pods", namespace: "shop", name: "web-1" }, true],
    [{ verb: "delete", resource: "pods", namespace: "shop", name: "db-1" }, false],
    [{ verb: "delete", resource: "pods", namespace: "shop" }, true],
    [{ verb: "create", resource: "pods", subresource: "exec", namespace: "shop", name: "p" }, true],
    [{ verb: "create", resource: "pods", subresource: "exec", namespace: "other", name: "p" }, false],
    [{ verb: "get", resource: "pods", subresource: "log", namespace: "shop", name: "p" }, true],
    [{ verb: "*", resource: "*", namespace: "shop" }, false],
    [{ verb: "impersonate", resource: "users" }, false],
  ])("%o: %s", (attributes, allowed) => {
    expect(ask(attributes)).toBe(allowed);
  });
});
