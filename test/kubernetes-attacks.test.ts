/** Attacks on the doors for clusters, tried on the whole system as it is deployed: no harness in the way. */
import { spawn } from "node:child_process";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { makeCertificates } from "../wire/certificate.ts";
import { type KubeHome, kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";
import { operateTask, startEcho } from "./support/kubectl-commands.ts";

const newest = kubectl("v36");
if (newest === null) console.log("kubectl is not installed: nothing is proved of it");
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
const echo = await startEcho();
let cluster: Cluster;
let hostile: Server;
let hostileHome: KubeHome;
/** What the hostile API server was asked, and what it got after its answers. */
const asked: string[] = [];
let after = "";

const careful = `version: 1
task: careful
description: Change the shop's settings with a second pair of eyes.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { resources: [configmaps], verbs: [get, list, watch], namespaces: [shop] }
  - { resources: [configmaps], verbs: [patch, delete], namespaces: [shop], approval: request }
  - { resources: [pods/exec], verbs: [exec], namespaces: [shop], commands: ["echo *"], approval: request }
  - { resources: [pods], verbs: [get], namespaces: [shop] }
approval: { from: { groups: [leads] }, count: 1, expires: 15m }
`;

beforeAll(async () => {
  const made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  hostile = createServer({ cert: made.certificate, key: made.key }, (request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(302, { location: "https://169.254.169.254/latest" }).end();
  });
  // Answers upgrades with everything but a 101, keeps the connection open, and hopes for bytes.
  hostile.on("upgrade", (request, socket) => {
    asked.push(request.url ?? "");
    const found = /command=(\w+)/.exec(request.url ?? "")?.[1];
    socket.on("data", (bytes) => {
      after += String(bytes);
    });
    socket.on("error", () => {});
    const lines: Record<string, string> = {
      ok: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
      forbidden: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
      redirect: "HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
      other: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    };
    socket.write(`${lines[found ?? "ok"] ?? lines["ok"]}raw bytes of the server`);
  });
  await new Promise<void>((resolve) => hostile.listen(0, "127.0.0.1", resolve));
  const { port } = hostile.address() as AddressInfo;
  hostileHome = kubeHome(`https://127.0.0.1:${port}`, made.authority, { token: "hostile" });
  const task = operateTask(echo.port)
    .replace("task: operate", "task: visit")
    .replace("resource: prod-cluster", "resource: hostile")
    .replace('"echo *"', '"echo *", "ok", "forbidden", "redirect", "other"');
  cluster = await startCluster(
    { operate: operateTask(echo.port), careful, visit: task },
    {
      resources: "  hostile: { type: kubernetes, connector: demo }\n",
      target: { hostile: hostileHome.config },
    },
  );
});
afterAll(async () => {
  await cluster?.close();
  hostileHome?.close();
  hostile?.closeAllConnections();
  hostile?.close();
  echo.close();
});

const head = (task = "operate", person = "tina") =>
  `Authorization: Bearer ${cluster.system.people[person]}\r\nWicket-Task: ${task}\r\n`;

/** What no well-behaved client would send, over TLS. Resolves when the edge closes, or after `ms` of silence. */
function raw(text: string, ms = 3000): Promise<string> {
  const { origin, authority } = cluster.system.https!;
  return new Promise((resolve) => {
    const port = Number(new URL(origin).port);
    const socket = connect({ host: "127.0.0.1", port, ca: authority, servername: "localhost" }, () =>
      socket.write(text),
    );
    let answer = "";
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ms, done);
    socket.on("data", (chunk) => {
      answer += String(chunk);
    });
    socket.on("close", done);
    socket.on("error", done);
  });
}
const get = (path: string, headers = "") =>
  raw(
    `GET /k8s/prod-cluster${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head()}${headers}Connection: close\r\n\r\n`,
  );
const pods = "/api/v1/namespaces/shop/pods";
const count = () => cluster.api.seen.length;

/** A stream as a program opens it: the socket, or the status of the refusal. */
function stream(
  path: string,
  headers: Record<string, string>,
  protocols = ["v5.channel.k8s.io"],
): Promise<WebSocket | number> {
  const { origin, authority } = cluster.system.https!;
  return new Promise((resolve) => {
    const socket = new WebSocket(origin.replace("https", "wss") + path, protocols, {
      ca: authority,
      headers,
    });
    socket.on("open", () => resolve(socket));
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    socket.on("error", () => {});
  });
}
const tina = (task: string) => ({
  authorization: `Bearer ${cluster.system.people["tina"]}`,
  "wicket-task": task,
});
const execPath = (resource: string, command: string) =>
  `/k8s/${resource}${pods}/web-1/exec?command=${command}&stdin=true&stdout=true`;

describe("who asks", () => {
  test("H1 a page of another origin opens no stream and reads nothing, whatever its token or cookie", async () => {
    const before = count();
    const origin = { origin: "https://evil.example" };
    const path = execPath("prod-cluster", "cat");
    expect(await stream(path, { ...tina("operate"), ...origin })).toBe(403);
    expect(await stream(path, { cookie: "__Host-wicket=x", ...origin })).toBe(403);
    expect(await stream(path, { cookie: "__Host-wicket=x" })).toBe(401);
    expect(await get(pods, "Origin: https://evil.example\r\n")).toMatch(
      /^HTTP\/1.1 403[\s\S]*ORIGIN_FOREIGN/,
    );
    expect(count()).toBe(before);
  });
  test("H4 a client's own headers of ours change neither who it is nor what it may do", async () => {
    const context = JSON.stringify({
      session: "rq-x",
      task: "careful",
      path: "/",
      identity: { subject: "lee" },
    });
    const answer = await get(
      "/api/v1/namespaces/shop/secrets/web",
      `Wicket-Context: ${context}\r\nWicket-Connector: demo\r\nWicket-Ticket: x\r\nCf-Access-Jwt-Assertion: x\r\nX-Forwarded-User: lee\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 200/);
    const { headers } = cluster.api.seen.at(-1)!;
    expect(headers["impersonate-user"]).toBe("wicket:tina");
    expect(Object.keys(headers).filter((name) => /^(wicket|cf|x-forwarded)/.test(name))).toEqual([]);
  });
  test("H11 ids of somebody else's session, grant and channel open nothing", async () => {
    const { system } = cluster;
    await get(pods);
    const [session] = (await system.api("tina", "/api/sessions?task=operate")).body.sessions;
    expect(session.id).toMatch(/^rq-/);
    for (const [path, method] of [
      [`/api/sessions/${session.id}`, "GET"],
      [`/api/sessions/${session.id}/recording`, "GET"],
      [`/api/sessions/${session.id}/recording/0`, "GET"],
      [`/api/sessions/${session.id}/kill`, "POST"],
      [`/api/requests/${session.grant}`, "GET"],
      [`/api/requests/${session.grant}/revoke`, "POST"],
    ] as const) {
      const body = method === "POST" ? { body: "{}", headers: { "content-type": "application/json" } } : {};
      const { status } = await system.api("omar", path, { method, ...body });
      expect([path, [403, 404].includes(status)]).toEqual([path, true]);
    }
    // A channel is for the connector with the ticket; neither a person nor nobody has one.
    const channel = `/connector/sessions/${session.id}.1`;
    expect(await stream(channel, tina("operate"), ["wicket.connector.v1"])).toBe(401);
    expect(await stream(channel, {}, ["wicket.connector.v1"])).toBe(401);
    expect((await system.api("tina", `/api/sessions/${session.id}`)).body.ended).toBeNull();
  });
  test("H11 a token for one grant is for no other resource and no other room", async () => {
    const { system } = cluster;
    const answer = await fetch(`${system.edge}/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: system.people["tina"]!,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        authorization_details: JSON.stringify([{ type: "task", task: "operate" }]),
      }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const call = (path: string) =>
      fetch(system.edge + path, { headers: { authorization: `Bearer ${token}` } }).then(
        ({ status }) => status,
      );
    expect(await call(`/k8s/prod-cluster${pods}`)).toBe(200);
    expect(await call(`/k8s/hostile${pods}`)).toBe(401);
    expect(await call("/api/sessions")).toBeGreaterThanOrEqual(401);
    expect(await call("/log/read")).toBeGreaterThanOrEqual(401);
  });
});

describe("how it is asked", () => {
  test.each([
    ["CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ["two lengths", "Content-Length: 0\r\nContent-Length: 60\r\n", ""],
    ["folded header", "X-A: b\r\n c: d\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
  ])("H2 %s smuggles no second request", async (_, headers, body) => {
    const smuggled = `GET /k8s/prod-cluster/api/v1/namespaces/billing/secrets HTTP/1.1\r\nHost: x\r\n\r\n`;
    const before = count();
    await raw(
      `POST /k8s/prod-cluster/api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: x\r\n${head()}Content-Type: application/json\r\n${headers}\r\n${body}${smuggled}`,
      1000,
    );
    expect(cluster.api.seen.slice(before).filter(({ target }) => target.includes("billing"))).toEqual([]);
  });
  test.each([
    "/api/v1/namespaces/shop%2F..%2Fbilling/secrets",
    "/api/v1/namespaces/shop/../billing/pods",
    "/api/v1/namespaces/shop/%2e%2e/billing/pods",
    "/api/v1/namespaces/shop/%252e%252e/billing/pods",
    "/api/v1//namespaces/billing/pods",
    "/api/v1/namespaces/shop;x=/../billing/pods",
    "/api/v1/namespaces/shop/pods%00",
    "\\..\\..\\api\\v1\\namespaces\\billing\\pods",
  ])("H3 K2 %s reaches nothing", async (path) => {
    const before = count();
    expect(await get(path)).toMatch(/^HTTP\/1.1 (400|403|404)/);
    expect(cluster.api.seen.slice(before).filter(({ target }) => target.includes("billing"))).toEqual([]);
  });
  test("H5 Host and absolute targets choose neither the cluster nor the edge's name", async () => {
    const before = count();
    const path = `/k8s/prod-cluster${pods}`;
    const evil = await raw(
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\n${head()}Connection: close\r\n\r\n`,
    );
    expect(evil).not.toContain("evil.example");
    for (const { headers } of cluster.api.seen.slice(before))
      expect(headers.host).toBe(new URL(cluster.api.url).host);
    const reached = count();
    const absolute = await raw(
      `GET https://169.254.169.254${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head()}Connection: close\r\n\r\n`,
    );
    expect(absolute).not.toContain("169.254");
    for (const { headers } of cluster.api.seen.slice(reached))
      expect(headers.host).toBe(new URL(cluster.api.url).host);
  });
  test("H8 endless and huge bodies and headers before anyone is known are not read", async () => {
    const before = count();
    const post = "POST /k8s/prod-cluster/api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: x\r\n";
    const nobody = await raw(`${post}Content-Length: 9999999999\r\n\r\n${"x".repeat(100_000)}`);
    // Refused, or closed on: a connection that is cut before all was read loses the answer.
    expect(nobody).toMatch(/^HTTP\/1.1 (401|413)|^$/);
    const chunk = `10000\r\n${"y".repeat(65_536)}\r\n`;
    const endless = await raw(`${post}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(64)}`);
    expect(endless).toMatch(/^HTTP\/1.1 401|^$/);
    const headers = Array.from({ length: 10_000 }, (_, i) => `X-H${i}: ${"z".repeat(50)}\r\n`).join("");
    expect(await get(pods, headers)).not.toMatch(/^HTTP\/1.1 200/);
    expect(count()).toBe(before);
    // Known, and too much: the cluster does not see it either.
    const large = await raw(
      `${post}${head()}Content-Type: application/json\r\nContent-Length: 20000000\r\n\r\n${"1".repeat(20_000_000)}`,
      5000,
    );
    expect(large).toMatch(/^HTTP\/1.1 413|^$/);
    expect(cluster.api.seen.slice(before).filter(({ method }) => method === "POST")).toEqual([]);
    expect(await get(pods)).toMatch(/^HTTP\/1.1 200/);
  });
  test.each(["/metrics", "/debug/pprof/", "/logs/", "/api/v1/nodes/node-1/proxy/metrics", "/configz"])(
    "H10 K2 %s of the cluster is not reached",
    async (path) => {
      const before = count();
      expect(await get(path)).toMatch(/^HTTP\/1.1 (400|403|404)/);
      expect(count()).toBe(before);
    },
  );
});

describe("streams", () => {
  test.each(["ok", "forbidden", "redirect", "other"])(
    "K5 K6 after an answer like %s to the upgrade no byte passes either way",
    async (answer) => {
      after = "";
      const socket = (await stream(execPath("hostile", answer), tina("visit"))) as WebSocket;
      expect(socket).toBeInstanceOf(WebSocket);
      const said = await new Promise<string>((resolve) => {
        let text = "";
        socket.on("message", (data) => {
          text += String(data);
        });
        socket.on("close", () => resolve(text));
        socket.send(Buffer.concat([Buffer.from([0]), Buffer.from("secret input")]));
      });
      expect(said).toContain('"Failure"');
      expect(said).not.toContain("raw bytes");
      expect(after).not.toContain("secret input");
      expect(asked.at(-1)).toContain(`command=${answer}`);
    },
  );
  test("K6 a redirect of a plain request is not followed", async () => {
    const answer = await raw(
      `GET /k8s/hostile${pods} HTTP/1.1\r\nHost: x\r\n${head("visit")}Connection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 502[\s\S]*TARGET_REDIRECT/);
    expect(answer).not.toContain("169.254");
  });
  test.each(["v4.channel.k8s.io", "v5.channel.k8s.io"])(
    "K5 exec over %s is recorded both ways",
    async (protocol) => {
      const { system } = cluster;
      const path = execPath("prod-cluster", "cat");
      const socket = (await stream(path, tina("operate"), [protocol])) as WebSocket;
      const heard = new Promise<string>((resolve) => {
        let text = "";
        socket.on("message", (data) => {
          text += String(data);
          if (text.includes("said-and-heard")) resolve(text);
        });
        socket.on("close", () => resolve(text));
      });
      socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(`said-and-heard ${protocol}\n`)]));
      expect(await heard).toContain("said-and-heard");
      socket.close();
      const [session] = (await system.api("tina", "/api/sessions?task=operate")).body.sessions;
      const casts = await system.until(async () => {
        const played = await system.wicket(["play", session.id, "--json"]);
        const statements = played.code === 0 ? JSON.parse(played.stdout).statements : [];
        const exec = statements.findLast((one: { text: string }) => one.text.includes("/exec?command=cat"));
        return exec?.casts >= 3 ? exec.casts : null;
      }, "the terminal is in the recording");
      expect(casts).toBeGreaterThanOrEqual(3);
    },
  );
  test("K5 a stream is no way around: not on reads, not with SPDY, not with unknown protocols", async () => {
    expect(await stream(`/k8s/prod-cluster${pods}?watch=true`, tina("operate"))).toBe(400);
    expect(await stream(execPath("prod-cluster", "cat"), tina("operate"), ["v1.channel.k8s.io"])).toBe(400);
    expect(await stream(execPath("prod-cluster", "id"), tina("operate"))).toBe(403);
    const spdy = await raw(
      `POST ${execPath("prod-cluster", "cat")} HTTP/1.1\r\nHost: x\r\n${head()}Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(spdy).not.toMatch(/^HTTP\/1.1 101/);
  });
});

describe("what a task never grants by itself", () => {
  test.runIf(newest)("K9 nobody makes himself more than he is", async () => {
    const home = await cluster.home("tina", "operate");
    const binding = (args: string[]) => home.run(newest!, args);
    const before = count();
    for (const args of [
      ["create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", "--user=wicket:tina"],
      ["create", "token", "default"],
      ["certificate", "approve", "x"],
    ]) {
      expect([args[1], (await binding(args)).code]).not.toEqual([args[1], 0]);
    }
    const writes = cluster.api.seen.slice(before).filter(({ method }) => method !== "GET");
    expect(writes).toEqual([]);
  });
  test.runIf(newest)(
    "K10 can-i answers what the task says, though the cluster would say yes to all",
    async () => {
      const home = await cluster.home("tina", "operate");
      const can = async (...args: string[]) =>
        (await home.run(newest!, ["auth", "can-i", ...args])).stdout.trim().split(/\s/)[0];
      expect(await can("list", "pods")).toBe("yes");
      expect(await can("delete", "pods")).toBe("no");
      expect(await can("get", "pods", "-n", "billing")).toBe("no");
      expect(await can("create", "pods/exec")).toMatch(/yes|no/);
      expect((await cluster.direct.run(newest!, ["auth", "can-i", "delete", "nodes"])).stdout.trim()).toMatch(
        /^yes/,
      );
    },
  );
  test.runIf(newest)("K3 what a task hides stays hidden over every namespace and shape", async () => {
    const home = await cluster.home("tina", "operate");
    for (const args of [
      ["get", "pods", "-A", "-o", "json"],
      ["get", "secrets", "-o", "json"],
      ["get", "deployments", "-o", "yaml"],
    ]) {
      const said = await home.run(newest!, args);
      expect(said.stdout + said.stderr).not.toMatch(hidden);
      expect(said.stdout).not.toContain("ledger");
    }
  });
});

describe("approvals of single requests", () => {
  test.runIf(newest)("A4 a yes is for exactly one request: another body asks again", async () => {
    const { system, api } = cluster;
    const home = await cluster.home("tina", "careful");
    const start = (args: string[]) => {
      const env = { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] };
      const child = spawn(newest!, args, { env });
      const said = { out: "", err: "" };
      child.stdout.on("data", (chunk) => {
        said.out += String(chunk);
      });
      child.stderr.on("data", (chunk) => {
        said.err += String(chunk);
      });
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      return { said, ended };
    };
    const decided = new Set<string>();
    const pending = (kind: string) =>
      system.until(async () => {
        const { body } = await system.api("lee", "/api/requests?status=pending");
        return (body.requests as { id: string; kind: string }[]).find(
          (one) => (one.kind === "statement") === (kind === "statement") && !decided.has(one.id),
        );
      }, `a ${kind} that waits`);
    const decide = async (kind: string, verb: "approve" | "deny") => {
      const { id } = await pending(kind);
      decided.add(id);
      const done = await system.wicket([verb, id, "--reason", "seen"], { as: "lee" });
      expect([done.code, done.stderr]).toEqual([0, expect.anything()]);
      return id;
    };
    const first = start(["patch", "configmap", "settings", "-p", '{"data":{"mode":"one"}}']);
    await decide("grant", "approve");
    const { id } = await pending("statement");
    const seen = (await system.api("lee", `/api/requests/${id}`)).body.statement.text;
    expect(seen).toMatch(/^PATCH .*configmaps\/settings[\s\S]*"mode":"one"/);
    expect(api.seen.some(({ method }) => method === "PATCH")).toBe(false);
    await decide("statement", "approve");
    expect(await first.ended).toBe(0);
    expect(api.seen.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    // The same object, another value: the yes from before does not count for it.
    const second = start(["patch", "configmap", "settings", "-p", '{"data":{"mode":"two"}}']);
    await decide("statement", "deny");
    expect(await second.ended).not.toBe(0);
    expect(second.said.err).toMatch(/denied|APPROVAL_DENIED/i);
    expect(api.seen.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    // A stream says on its own terminal that it waits, and nothing of it reaches the cluster before.
    const exec = start(["exec", "web-1", "--", "echo", "approved"]);
    await system.until(async () => /waiting for approval: https?:/.test(exec.said.err), "the words");
    expect(exec.said.out).toBe("");
    expect(api.seen.some(({ target }) => target.includes("command=approved"))).toBe(false);
    await decide("statement", "approve");
    expect(await exec.ended).toBe(0);
    expect(exec.said.out).toBe("approved\n");
  });
});
