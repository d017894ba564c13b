import { expect, test } from "vitest";
import { parse } from "yaml";
import { CONTEXT_VARIABLE, execCredential, readExecInfo } from "./credential.ts";
import { contextName, type KubeContext, writeKubeconfig } from "./kubeconfig.ts";

const context: KubeContext = {
  edge: "https://edge.example",
  login: "https://edge.example",
  resource: "prod",
  task: "restart",
  reason: "INC-1",
  params: {},
  namespace: "shop",
  ca: "PEM",
  command: "wicket",
  args: [],
  after: [],
};

test("a context is added to what is there, and replaced when it is written again", () => {
  const existing =
    "apiVersion: v1\nkind: Config\ncontexts: [{ name: other, context: { cluster: a, user: b } }]\nclusters: []\nusers: []\npreferences: { colors: true }\n";
  const first = writeKubeconfig(existing, context);
  if (!first.ok) throw new Error(first.message);
  const again = writeKubeconfig(first.text, { ...context, namespace: null });
  if (!again.ok) throw new Error(again.message);
  const file = parse(again.text);
  expect(file.contexts.map(({ name }: { name: string }) => name)).toEqual(["other", contextName(context)]);
  expect(file.preferences).toEqual({ colors: true });
  expect(file["current-context"]).toBe("wicket-prod-restart");
  expect(file.clusters[0].cluster.server).toBe("https://edge.example/k8s/prod");
  expect(file.users[0].user.exec).toMatchObject({
    command: "wicket",
    args: ["kube-credential"],
    provideClusterInfo: true,
  });
  expect(again.text).not.toContain("token");
});

test("http edges and broken files are refused", () => {
  expect(writeKubeconfig(null, { ...context, edge: "http://edge" })).toMatchObject({ ok: false });
  expect(writeKubeconfig("a: [", context)).toMatchObject({ ok: false });
  expect(writeKubeconfig("[]", context)).toMatchObject({ ok: false });
});

test("what kubectl says of the cluster is read", () => {
  const info = (spec: object, apiVersion = "client.authentication.k8s.io/v1") =>
    JSON.stringify({ apiVersion, kind: "ExecCredential", spec });
  const config = { task: "restart", resource: "prod", reason: "INC-1", params: { n: 7 } };
  expect(
    readExecInfo(info({ interactive: true, cluster: { server: "https://edge.example/k8s/prod", config } })),
  ).toEqual({
    ok: true,
    request: {
      edge: "https://edge.example",
      resource: "prod",
      task: "restart",
      reason: "INC-1",
      params: { n: "7" },
      interactive: true,
    },
  });
  for (const bad of [
    undefined,
    "{",
    info({}),
    info({ cluster: { server: "https://x" } }),
    info({ cluster: { server: "https://x", config } }, "v1beta1"),
  ]) {
    expect(readExecInfo(bad).ok).toBe(false);
  }
  expect(JSON.parse(execCredential("t", 0)).status).toEqual({
    token: "t",
    expirationTimestamp: "1970-01-01T00:00:00Z",
  });
});

test("clients that do not say which cluster it is are told by the kubeconfig's own variable", () => {
  const written = writeKubeconfig(null, context);
  if (!written.ok) throw new Error(written.message);
  const [{ name, value }] = parse(written.text).users[0].user.exec.env;
  expect(name).toBe(CONTEXT_VARIABLE);
  const { ok, request } = readExecInfo(undefined, value) as { ok: true; request: object };
  expect(ok).toBe(true);
  expect(request).toMatchObject({ resource: "prod", task: "restart", reason: "INC-1", interactive: false });
  expect(readExecInfo(undefined, "{").ok).toBe(false);
});
