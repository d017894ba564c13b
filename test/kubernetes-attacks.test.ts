/** The attack list against the cluster door: what is asked for, and what comes back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { hidden, type OperatedCluster, startOperatedCluster } from "./support/operated-cluster.ts";

const newest = kubectl("v36") ?? "";
let api: OperatedCluster["api"];
let door: OperatedCluster["door"];
let direct: OperatedCluster["direct"];
let gated: OperatedCluster["gated"];
let raw: OperatedCluster["raw"];
let get: OperatedCluster["get"];
let cluster: OperatedCluster;

beforeAll(async () => {
  cluster = await startOperatedCluster();
  ({ api, door, direct, gated, raw, get } = cluster);
});
afterAll(() => cluster?.close());

test("K1 identity headers of the client never reach the API server", async () => {
  api.seen.length = 0;
  const answer = await get(
    "/api/v1/namespaces/shop/pods",
    "Impersonate-User: admin\r\nimpersonate-uid: 1\r\nImpersonate-Group: system:masters\r\nImpersonate-Extra-X: y\r\nX-Remote-User: admin\r\nX-Forwarded-For: 1.2.3.4\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  const seen = api.seen.at(-1)!;
  expect(seen.headers["impersonate-user"]).toBe("wicket:tina");
  expect(seen.headers["impersonate-group"]).toBe("wicket:task:operate");
  for (const name of [
    "impersonate-uid",
    "impersonate-extra-x",
    "x-remote-user",
    "x-forwarded-for",
    "cookie",
  ]) {
    expect(seen.headers[name]).toBeUndefined();
  }
  expect(seen.headers.authorization).toBe(`Bearer ${api.token}`);
  expect(answer).not.toContain("upstream=1");
});
test("K1 a Connection header cannot take our identity headers away", async () => {
  api.seen.length = 0;
  await raw(
    `GET /k8s/operate/api/v1/namespaces/shop/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${door.token}\r\nConnection: close, Impersonate-User, Authorization\r\n\r\n`,
  );
  if (api.seen.length > 0) expect(api.seen.at(-1)!.headers["impersonate-user"]).toBe("wicket:tina");
});
test("K1 kubectl --as is not obeyed", async () => {
  api.seen.length = 0;
  await gated.run(newest, ["get", "pods", "--as", "system:admin", "--as-group", "system:masters"]);
  for (const seen of api.seen) expect(seen.headers["impersonate-user"]).toBe("wicket:tina");
});
test.each([
  "/api/v1/namespaces/shop%2F..%2Fbilling/secrets",
  "/api/v1/namespaces/shop/../billing/pods",
  "/api/v1/namespaces/shop/%2e%2e/billing/pods",
  "/api/v1/namespaces/shop/%252e%252e/billing/pods",
  "/api/v1//namespaces/billing/pods",
  "/api/v1/namespaces/shop/pods%2Fledger-0",
  "/api/v1/watch/namespaces/billing/pods",
  "/api/v1/proxy/namespaces/shop/pods/web-1/x",
  "/api/v1/nodes/node-1/proxy/pods",
  "/metrics",
  "/api/v1/namespaces/billing/pods?watch",
  "/api/v1/namespaces/shop/secrets/web/x/y",
])("K2 %s reaches nothing", async (path) => {
  api.seen.length = 0;
  const answer = await get(path);
  expect(answer).toMatch(/^HTTP\/1.1 (400|403|404|405)/);
  expect(api.seen.filter(({ target }) => /billing|proxy|metrics|web\/x/.test(target))).toEqual([]);
});
test("K3 every shape and encoding of a Secret is masked", async () => {
  for (const accept of [
    "*/*",
    "application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf,application/json",
  ]) {
    for (const query of ["", "?includeObject=Object", "?pretty=true", "?labelSelector=", "?limit=1"]) {
      const answer = await get(
        `/api/v1/namespaces/shop/secrets${query}`,
        `Accept: ${accept}\r\nAccept-Encoding: gzip\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 200/);
      expect(answer).not.toMatch(hidden);
    }
  }
  for (const accept of ["application/yaml", "application/cbor", "application/vnd.kubernetes.protobuf"]) {
    expect(await get("/api/v1/namespaces/shop/secrets/web", `Accept: ${accept}\r\n`)).toMatch(
      /^HTTP\/1.1 406/,
    );
  }
});
test("K3 a list over all namespaces shows only the granted ones", async () => {
  const all = await gated.run(newest, ["get", "pods", "-A", "-o", "name"]);
  expect(all.stdout).toContain("web-1");
  expect(all.stdout).not.toContain("ledger");
});
test("K3 a mask cannot be written back", async () => {
  const shown = await gated.run(newest, ["get", "secret", "web", "-o", "json"]);
  const back = await gated.run(newest, ["apply", "--server-side", "--force-conflicts", "-f", "-"], {
    input: shown.stdout,
  });
  expect(back.stderr).toContain("MASKED_VALUE");
  expect(
    JSON.stringify(
      api.store.get({ group: "", resource: "secrets", namespaced: true } as never, "shop", "web"),
    ),
  ).toMatch(hidden);
});
test("K4 an empty patch does not echo a Secret that the task cannot read; errors do not quote it", async () => {
  const url = "/api/v1/namespaces/shop/secrets/web";
  const blind = (body: string, type: string) =>
    raw(
      `PATCH /k8s/blind${url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${door.token}\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  const echoed = await blind("{}", "application/merge-patch+json");
  expect(echoed).toMatch(/^HTTP\/1.1 200/);
  expect(echoed).not.toMatch(hidden);
  expect(echoed).not.toContain('"data"');
  const failed = await blind(
    '[{"op":"replace","path":"/spec/nothing/x","value":1}]',
    "application/json-patch+json",
  );
  expect(failed).toMatch(/^HTTP\/1.1 422/);
  expect(failed).not.toMatch(hidden);
  expect(
    await blind('[{"op":"test","path":"/data/password","value":"x"}]', "application/json-patch+json"),
  ).toContain("PATCH_NOT_READ");
});
test("K4 what needs approval is not done without it", async () => {
  const home = kubeHome(`${door.url}/k8s/blind`, door.ca, { token: door.token });
  const gone = await home.run(newest, ["delete", "pod", "web-1", "--wait=false"]);
  home.close();
  expect(gone.stderr).toContain("APPROVAL_REQUIRED");
  expect((await direct.run(newest, ["get", "pod", "web-1"])).code).toBe(0);
});
test("K8 a pod that leaves its sandbox is not created", async () => {
  const spec = {
    template: { spec: { containers: [{ name: "c", image: "x", securityContext: { privileged: true } }] } },
  };
  const manifest = JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "bad" },
    spec,
  });
  const out = await gated.run(newest, ["create", "-f", "-"], { input: manifest });
  expect(out.stderr).toContain("it is privileged; the rule's `pods` may allow it (POD_NOT_GRANTED)");
});
