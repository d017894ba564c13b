/** What a task masks and narrows, in every shape in which a cluster can say it, through the whole system. */
import { Agent, request } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HIDDEN } from "./apiserver/seed.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";

const task = (name: string, allow: string) => `version: 1
task: ${name}
description: Shapes.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
${allow}`;
const reading = task(
  "reading",
  `  - { resources: [pods], verbs: [get, list, watch], namespaces: [shop], mask: { "spec.containers[*].env[*].value": { constant: hidden } } }
  - { resources: [secrets], verbs: [get, list, watch, create, update, patch], namespaces: [shop] }
  - { resources: [pods], verbs: [create], namespaces: [shop] }
`,
);
const blind = task("blind", "  - { resources: [secrets], verbs: [patch, create], namespaces: [shop] }\n");
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
const secrets = "/api/v1/namespaces/shop/secrets";
let cluster: Cluster;
let agent: Agent;

beforeAll(async () => {
  cluster = await startCluster({ reading, blind });
  agent = new Agent({ keepAlive: true, ca: cluster.system.https!.authority });
});
afterAll(async () => {
  agent?.destroy();
  await cluster?.close();
});

const field = (number: number, data: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(data as string);
  return Buffer.concat([Buffer.of(number * 8 + 2, bytes.length), bytes]);
};
/** `k8s\0`, then runtime.Unknown with the type and a Pod that has a name. */
const protobufPod = Buffer.concat([
  Buffer.from("k8s\0"),
  field(1, Buffer.concat([field(1, "v1"), field(2, "Pod")])),
  field(2, field(1, field(1, "made"))),
]);

interface Said {
  readonly status: number;
  readonly text: string;
}

function ask(
  path: string,
  more: { method?: string; accept?: string; type?: string; body?: string | Uint8Array; task?: string } = {},
): Promise<Said> {
  const { method = "GET", accept = "application/json", type, body } = more;
  const headers = {
    authorization: `Bearer ${cluster.system.people["tina"]}`,
    "wicket-task": more.task ?? "reading",
    accept,
    ...(type === undefined ? {} : { "content-type": type }),
    ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const url = `${cluster.system.https!.origin}/k8s/prod-cluster${path}`;
    const asked = request(url, { agent, method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const as = (shape: string) => `application/json;as=${shape};v=v1;g=meta.k8s.io`;

test.each([
  ["an object", `${secrets}/web`, "application/json"],
  ["a list", secrets, "application/json"],
  ["a Table", secrets, as("Table")],
  ["a Table with whole objects", `${secrets}?includeObject=Object`, as("Table")],
  ["partial metadata, with the annotation of apply", `${secrets}/web`, as("PartialObjectMetadata")],
  ["a list of partial metadata", secrets, as("PartialObjectMetadataList")],
  ["a watch", `${secrets}?watch=true&timeoutSeconds=1`, "application/json"],
  ["a watch as Tables", `${secrets}?watch=1&timeoutSeconds=1&includeObject=Object`, as("Table")],
  ["a watch of partial metadata", `${secrets}?watch&timeoutSeconds=1`, as("PartialObjectMetadata")],
  ["a dry run's echo", `${secrets}/web?dryRun=All`, "application/json"],
])("K3 %s shows no value of a Secret", async (what, path, accept) => {
  const patch = what.includes("dry run");
  const said = await ask(path, {
    accept,
    ...(patch ? { method: "PATCH", type: "application/merge-patch+json", body: "{}" } : {}),
  });
  expect(said.status).toBe(200);
  expect(said.text).toContain("web");
  expect(said.text).not.toMatch(hidden);
});

test("K3 masked fields of pods are masked in lists, Tables and events", async () => {
  const pods = "/api/v1/namespaces/shop/pods";
  for (const [path, accept] of [
    [pods, "application/json"],
    [`${pods}?includeObject=Object`, as("Table")],
    [`${pods}?watch=true&timeoutSeconds=1`, "application/json"],
    [`${pods}/web-1`, "application/json"],
  ] as const) {
    const said = await ask(path, { accept });
    expect([path, said.status]).toEqual([path, 200]);
    expect(said.text).not.toMatch(hidden);
  }
});

test("K3 lists and watches over all namespaces are narrowed to what is granted", async () => {
  for (const path of ["/api/v1/pods", "/api/v1/pods?watch=true&timeoutSeconds=1"]) {
    const said = await ask(path);
    expect(said.status).toBe(200);
    expect(said.text).toContain("web-1");
    expect(said.text).not.toContain("ledger");
  }
  expect((await ask("/api/v1/namespaces/billing/pods")).status).toBe(403);
});

test("K4 a write's echo and its errors show nothing that the task may not read", async () => {
  const patch = (body: string, type: string) =>
    ask(`${secrets}/web`, { method: "PATCH", type, body, task: "blind" });
  const echo = await patch("{}", "application/merge-patch+json");
  expect([echo.status, echo.text]).toEqual([200, expect.not.stringContaining('"data"')]);
  expect(echo.text).not.toMatch(hidden);
  const failed = await patch(
    '[{"op":"replace","path":"/spec/x/y","value":1}]',
    "application/json-patch+json",
  );
  expect(failed.status).toBe(422);
  expect(failed.text).not.toMatch(hidden);
});

test("K3 other encodings are not served: protobuf, YAML and CBOR as answers, YAML and unread protobuf as bodies", async () => {
  for (const accept of ["application/vnd.kubernetes.protobuf", "application/yaml", "application/cbor"]) {
    expect([accept, (await ask(secrets, { accept })).status]).toEqual([accept, 406]);
  }
  const mixed = await ask(secrets, { accept: "application/vnd.kubernetes.protobuf,application/json" });
  expect([mixed.status, mixed.text.startsWith("{")]).toEqual([200, true]);
  const before = cluster.api.seen.length;
  const yaml = { method: "POST", type: "application/yaml", body: "kind: Secret" };
  expect((await ask(secrets, yaml)).status).toBe(415);
  // A pod's rules need its whole body, which is not read from protobuf.
  const unread = {
    method: "POST",
    type: "application/vnd.kubernetes.protobuf",
    body: protobufPod,
  };
  expect((await ask("/api/v1/namespaces/shop/pods", unread)).status).toBe(415);
  expect(cluster.api.seen.slice(before).filter(({ method }) => method === "POST")).toEqual([]);
});

test("K10 reviews of one's own rights answer from the task", async () => {
  const review = async (verb: string, resource: string, namespace: string) => {
    const spec = { resourceAttributes: { verb, resource, namespace, group: "", version: "v1" } };
    const body = JSON.stringify({
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      spec,
    });
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const said = await ask(path, { method: "POST", type: "application/json", body });
    return JSON.parse(said.text).status.allowed as boolean;
  };
  expect(await review("list", "pods", "shop")).toBe(true);
  expect(await review("list", "pods", "billing")).toBe(false);
  expect(await review("delete", "secrets", "shop")).toBe(false);
  expect(await review("*", "*", "shop")).toBe(false);
});
