/** Clients that go away while nothing happens: what they asked for ends at the cluster too. */
import { request } from "node:https";
import { connect } from "node:net";
import { connect as secure } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubeTask, rule } from "../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "./apiserver/door.ts";
import { kinds } from "./apiserver/kinds.ts";
import { kubectl, kubeHome, oldKubectl } from "./apiserver/kubectl.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";

let api: ApiServer;
let door: Door;

beforeAll(async () => {
  api = await startApiServer();
  const reads = rule({
    ...{ resources: ["pods", "configmaps"], verbs: ["get", "list", "watch", "logs"], namespaces: ["shop"] },
  });
  const runs = rule({
    ...{ resources: ["pods"], verbs: ["exec", "portforward"], namespaces: ["shop"], commands: ["*"] },
    ports: [80],
  });
  const credential = () => [["authorization", `Bearer ${api.token}`]] as const;
  const target = { url: api.url, ca: api.ca, credential, impersonate: true };
  door = await startDoor({ look: kubeTask([reads, runs]) }, { look: target });
});
afterAll(async () => {
  await door?.close();
  await api?.close();
});

/** Asks, hears the head of the answer, and goes away: closes its end, or resets the connection. */
function visit(path: string, how: "close" | "reset"): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const raw = connect(Number(new URL(door.url).port), "127.0.0.1");
    const createConnection = () => secure({ socket: raw, ca: door.ca, host: "127.0.0.1" });
    const headers = { authorization: `Bearer ${door.token}` };
    const asked = request(`${door.url}/k8s/look${path}`, { createConnection, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`));
      response.on("error", () => {});
      response.resume();
      resolve(() => {
        if (how === "close") asked.destroy();
        else raw.resetAndDestroy();
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("K11 a watch in which nothing happens ends at the cluster when its client has left", async () => {
  const quiet = "/api/v1/namespaces/shop/configmaps?watch=true&fieldSelector=metadata.name%3Dnobody";
  // More than the door has connections: each visit must give its own back.
  for (let i = 0; i < 3; i++) {
    const leave = await Promise.all([1, 2, 3].map(() => visit(quiet, "close")));
    expect(api.store.watchers).toBe(3);
    for (const one of leave) one();
    await expect.poll(() => api.store.watchers, { timeout: 15_000 }).toBe(0);
  }
}, 60_000);

test("K11 a client that resets its connection ends a quiet log and a quiet watch at once", async () => {
  const log = "/api/v1/namespaces/shop/pods/web-1/log?follow=true&container=quiet";
  const watch = "/api/v1/namespaces/shop/configmaps?watch=true&fieldSelector=metadata.name%3Dnobody";
  for (let i = 0; i < 3; i++) {
    const leave = await Promise.all([log, watch, log].map((path) => visit(path, "reset")));
    expect([api.store.followers, api.store.watchers]).toEqual([2, 1]);
    for (const one of leave) one();
    // Nothing is ever written into the log.
    await expect
      .poll(() => api.store.followers + api.store.watchers, { timeout: 4000, interval: 10 })
      .toBe(0);
  }
}, 60_000);

test("hundreds of watches that are opened and left, beside lists, while the cluster closes what is idle: none fails", async () => {
  const base = "/api/v1/namespaces/shop";
  for (let i = 0; i < 70; i++) {
    const asked = Promise.all(
      [`${base}/configmaps?watch=true`, `${base}/pods?watch=true`, `${base}/pods`].map((path) =>
        visit(path, "reset"),
      ),
    );
    // While they are on their way, on connections that are kept for them.
    api.closeIdle();
    for (const leave of await asked) leave();
  }
  await expect.poll(() => api.store.watchers, { timeout: 15_000 }).toBe(0);
}, 120_000);

test("what is written into a quiet watch means nothing to its reader", async () => {
  const path = "/api/v1/namespaces/shop/configmaps?watch=true&timeoutSeconds=12";
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: `Bearer ${door.token}` };
    const asked = request(`${door.url}/k8s/look${path}`, { ca: door.ca, headers }, (response) => {
      let said = "";
      response.on("data", (chunk) => {
        said += String(chunk);
        if (!said.endsWith(" ")) return;
        // Between two events.
        const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "late", namespace: "shop" } };
        if (!said.includes('"late"'))
          api.store.put(kinds.find(({ kind }) => kind === "ConfigMap")!, object, false);
      });
      response.on("end", () => resolve(said));
    });
    asked.on("error", reject);
    asked.end();
  });
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  expect(lines.some((line) => line.startsWith(" {"))).toBe(true);
  const names = lines.map((line) => JSON.parse(line).object.metadata.name);
  expect(names).toContain("settings");
  expect(names.at(-1)).toBe("late");
}, 60_000);

const old = kubectl(oldKubectl);
if (old === null) console.log("kubectl 1.29 is not installed: nothing is proved of it");
test.runIf(old).each([
  ["exec", ["exec", "web-1", "--", "echo", "x"]],
  ["port-forward", ["port-forward", "pod/web-1", ":80"]],
])("kubectl 1.29 is told in one sentence which version %s needs", async (_, args) => {
  const home = kubeHome(`${door.url}/k8s/look`, door.ca, { token: door.token });
  const said = await home.run(old!, args);
  home.close();
  expect(said.code).not.toBe(0);
  expect(said.stderr.trim().split("\n")).toEqual([
    expect.stringContaining(
      "this needs kubectl 1.30 or newer for exec and 1.31 for port-forward: SPDY does not reach the edge",
    ),
  ]);
  expect(said.stdout).toBe("");
});
