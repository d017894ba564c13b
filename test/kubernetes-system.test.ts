/**
 * Clusters and HTTP APIs through the whole system as it is started by hand: `wicket dev` with a cluster behind it,
 * `wicket kubeconfig`, real kubectl with the credential plugin, the real connector. The cluster is the stand-in.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeHome, kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";
import { type System, startSystem } from "./support/system.ts";

const newest = kubectl("v36");
if (newest === null) console.log("kubectl is not installed: nothing is proved of it");
const folder = mkdtempSync(join(tmpdir(), "wicket-kube-system-"));
const running = new Set<ChildProcess>();
const seen: { url: string; headers: IncomingHttpHeaders }[] = [];
let api: ApiServer;
let billing: Server;
let system: System;
let home: KubeHome;

const library: Readonly<Record<string, string>> = {
  "resources.yaml": `version: 1
resources:
  prod-cluster: { type: kubernetes, connector: demo }
  billing: { type: http, connector: demo }
`,
  "people.yaml": `version: 1
people:
  tina: { groups: [support] }
  lee: { groups: [support, leads] }
  omar: { groups: [warehouse] }
`,
  "tasks/look.yaml": `version: 1
task: look
description: Look at what runs, and run harmless commands in it.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { apiGroups: [""], resources: [pods, configmaps, secrets, services], verbs: [get, list, watch, logs], namespaces: [shop] }
  - { apiGroups: [""], resources: [pods/exec], verbs: [exec], commands: ["echo *", "sh -c *"], namespaces: [shop] }
  - { apiGroups: [""], resources: [configmaps], verbs: [delete], namespaces: [shop], approval: request }
session: { ttl: 30m, idle: 5m, max_concurrent: 2 }
approval: { from: { groups: [leads] }, count: 1, expires: 15m }
recording: { level: full, on_failure: terminate }
`,
  "tasks/read.yaml": `version: 1
task: read
description: Read what runs.
owner: platform
who: { groups: [support] }
require: { reason: "INC-*" }
resource: prod-cluster
allow:
  - { apiGroups: [""], resources: [pods, configmaps, secrets], verbs: [get, list, watch, logs], namespaces: [shop] }
limits: { statements: 500 }
session: { ttl: 30m, idle: 5m, max_concurrent: 2 }
recording: { level: full, on_failure: terminate }
`,
  "tasks/invoices.yaml": `version: 1
task: invoices
description: Read invoices.
owner: payments
who: { groups: [support] }
resource: billing
allow:
  - { methods: [GET], paths: ["/v1/invoices/{id}"], mask: { "customer.email": email } }
session: { ttl: 30m, idle: 5m }
recording: { level: full, on_failure: terminate }
`,
};

beforeAll(async () => {
  for (const [name, text] of Object.entries(library)) {
    mkdirSync(dirname(join(folder, "library", name)), { recursive: true });
    writeFileSync(join(folder, "library", name), text);
  }
  api = await startApiServer();
  const admin = kubeHome(api.url, api.ca, { token: api.token });
  home = admin;
  billing = createServer((request, response) => {
    seen.push({ url: request.url ?? "", headers: request.headers });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ id: 7, customer: { email: "tina@example.com" } }));
  });
  await new Promise<void>((resolve) => billing.listen(0, "127.0.0.1", resolve));
  writeFileSync(join(folder, "key"), "Bearer service-key\n", { mode: 0o600 });
  const { port } = billing.address() as AddressInfo;
  const target = {
    type: "http",
    url: `http://127.0.0.1:${port}/base`,
    header: { name: "authorization", file: join(folder, "key") },
  };
  writeFileSync(join(folder, "billing.yaml"), JSON.stringify(target));
  system = await startSystem({
    policies: join(folder, "library"),
    target: { "prod-cluster": home.config, billing: join(folder, "billing.yaml") },
  });
});

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  expect(await system?.stop()).toBe(0);
  billing?.close();
  await api?.close();
  home?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A kubeconfig that `wicket kubeconfig` wrote for tina. */
async function context(name: string, args: readonly string[]): Promise<string> {
  const file = join(folder, `${name}.kubeconfig`);
  const token = system.tokenFile("tina");
  const written = await system.wicket(
    [
      "kubeconfig",
      "prod-cluster",
      ...args,
      "--namespace",
      "shop",
      "--file",
      file,
      "--token",
      token,
      "--json",
    ],
    { as: null },
  );
  expect(written.stderr).toBe("");
  expect(JSON.parse(written.stdout)).toMatchObject({ status: "ok", file });
  return file;
}

/** What a session did, once the edge knows of its end or of so many statements. */
async function sessionOf(task: string) {
  const { body } = await system.api("tina", `/api/sessions?task=${task}`);
  return body.sessions[0] as { id: string; ended: number | null; end_code: string | null; grant: string };
}

describe("kubectl with the kubeconfig that wicket wrote", () => {
  test.runIf(newest)("reads what the task grants, masked, and is told what it does not grant", async () => {
    const config = await context("read", ["--task", "read", "--reason", "INC-1"]);
    const pods = await home.run(newest!, ["--kubeconfig", config, "get", "pods"]);
    expect(pods.stderr).toBe("");
    expect(pods.stdout).toContain("web-1");
    const direct = await home.run(newest!, ["get", "pods"]);
    expect(pods.stdout).toBe(direct.stdout);
    const secrets = await home.run(newest!, ["--kubeconfig", config, "get", "secrets", "-o", "json"]);
    expect(secrets.code).toBe(0);
    const values = JSON.parse((await home.run(newest!, ["get", "secrets", "-o", "json"])).stdout);
    for (const { data = {} } of values.items as { data?: Record<string, string> }[]) {
      for (const value of Object.values(data))
        if (value.length > 8) expect(secrets.stdout).not.toContain(value);
    }
    const denied = await home.run(newest!, ["--kubeconfig", config, "delete", "pod", "web-1"]);
    expect(denied.code).not.toBe(0);
    expect(denied.stderr).toMatch(/tasks\/read\.yaml/);
    expect(api.seen.some(({ method }) => method === "DELETE")).toBe(false);
  });

  test.runIf(newest)(
    "a reason that the task requires and a task that is not there: one clear sentence",
    async () => {
      const config = await context("unreasoned", ["--task", "read"]);
      const run = await home.run(newest!, ["--kubeconfig", config, "get", "pods"]);
      expect(run.code).not.toBe(0);
      expect(run.stderr).toMatch(/reason/i);
      const token = system.tokenFile("omar");
      const refused = await system.wicket(
        ["kubeconfig", "prod-cluster", "--task", "read", "--token", token, "--file", join(folder, "x")],
        { as: null },
      );
      expect(refused).toMatchObject({ code: 3 });
      expect(refused.stderr).toMatch(/NOT_A_MEMBER/);
    },
  );

  test.runIf(newest)(
    "the requests are statements of one session: listed, recorded, played, verified",
    async () => {
      const found = await system.until(async () => {
        const session = await sessionOf("read");
        return session?.id.startsWith("rq-") ? session : null;
      }, "the session");
      const killed = await system.wicket(["sessions", "kill", found.id, "--json"]);
      expect(killed.stderr).toBe("");
      await system.until(async () => {
        const { body } = await system.api("tina", `/api/sessions/${found.id}/recording`);
        return body.final;
      }, "the recording's last segment");
      const played = await system.wicket(["play", found.id]);
      expect(played.stderr).toBe("");
      expect(played.stdout).toMatch(/GET \/api\/v1\/namespaces\/shop\/pods/);
      expect(played.stdout).toMatch(/DELETE \/api\/v1\/namespaces\/shop\/pods\/web-1/);
      expect(played.stdout).toMatch(/denied/);
      const bundle = join(folder, "session.zip");
      expect((await system.wicket(["recording", "export", found.id, "-o", bundle])).code).toBe(0);
      const keys = system.keys.flatMap((key) => ["--key", key]);
      const verified = await system.wicket(["recording", "verify", bundle, ...keys]);
      expect(verified.stdout).not.toMatch(/FAIL/);
      expect(verified.code).toBe(0);
    },
  );
});

describe("approvals and revocation, with real grants", () => {
  let config = "";
  test.runIf(newest)("the plugin waits for approval and says so; lee says yes", async () => {
    config = await context("look", ["--task", "look"]);
    const env = { HOME: folder, KUBECONFIG: config, PATH: process.env["PATH"] ?? "" };
    const child = spawn(newest!, ["get", "pods", "-o", "name"], { env });
    running.add(child);
    let err = "";
    let out = "";
    child.stderr.on("data", (chunk) => {
      err += String(chunk);
    });
    child.stdout.on("data", (chunk) => {
      out += String(chunk);
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const id = await system.until(
      async () => /wicket approve (\S+)/.exec(err)?.[1],
      "the words about approval",
    );
    expect(out).toBe("");
    const approved = await system.wicket(["approve", id], { as: "lee" });
    expect(approved.code).toBe(0);
    expect(await ended).toBe(0);
    expect(out).toContain("pod/web-1");
  });

  test.runIf(newest)("exec runs, is recorded as a cast, and its token-shaped output is masked", async () => {
    const secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    const ran = await home.run(newest!, [
      "--kubeconfig",
      config,
      "exec",
      "web-1",
      "--",
      "echo",
      `found ${secret}`,
    ]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain("found");
    expect(ran.stdout).not.toContain(secret);
    const refused = await home.run(newest!, [
      "--kubeconfig",
      config,
      "exec",
      "web-1",
      "--",
      "cat",
      "/etc/passwd",
    ]);
    expect(refused.code).not.toBe(0);
    expect(refused.stdout).toBe("");
  });

  test.runIf(newest)(
    "V1 K11 revoking the grant cuts a watch and a log, and what comes needs a new yes",
    async () => {
      const env = { HOME: folder, KUBECONFIG: config, PATH: process.env["PATH"] ?? "" };
      const children = [
        ["get", "pods", "--watch"],
        ["logs", "-f", "web-1"],
      ].map((args) => spawn(newest!, args, { env }));
      for (const child of children) running.add(child);
      await Promise.all(
        children.map((child) => new Promise((resolve) => child.stdout.once("data", resolve))),
      );
      const ends = children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
      const { grant } = await sessionOf("look");
      const revoked = await system.wicket(["revoke", grant], { as: "lee" });
      expect(revoked.code).toBe(0);
      await Promise.all(ends);
      const session = await system.until(async () => {
        const one = await sessionOf("look");
        return one.ended === null ? null : one;
      }, "the session's end");
      expect(session.end_code).toBe("GRANT_REVOKED");
    },
  );
});

describe("an HTTP API", () => {
  const call = (path: string, init: RequestInit = {}, person = "tina") =>
    fetch(`${system.edge}/http/billing${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${system.people[person]}`,
        "wicket-task": "invoices",
        ...init.headers,
      },
    });
  test("what is granted comes masked; the connector's credential is the API's, not the caller's", async () => {
    const answer = await call("/v1/invoices/7");
    expect(await answer.json()).toEqual({ id: 7, customer: { email: "t***@example.com" } });
    expect(answer.status).toBe(200);
    expect(seen.at(-1)).toMatchObject({
      url: "/base/v1/invoices/7",
      headers: { authorization: "Bearer service-key" },
    });
  });
  test("H5 what is not granted never reaches it, and says why", async () => {
    const before = seen.length;
    for (const [path, init, status] of [
      ["/v1/invoices", {}, 403],
      ["/v1/invoices/7", { method: "DELETE" }, 403],
      ["/v1/invoices/%2f7", {}, 400],
      ["/v1/invoices/7", { headers: { authorization: "Bearer x" } }, 401],
      ["/v1/invoices/7", { headers: { origin: "https://evil.example" } }, 403],
    ] as const) {
      const answer = await call(path, init);
      expect([path, answer.status]).toEqual([path, status]);
      expect(await answer.json()).toMatchObject({ code: expect.any(String) });
    }
    expect((await call("/v1/invoices/7", {}, "omar")).status).toBe(403);
    expect(seen.length).toBe(before);
  });
});
