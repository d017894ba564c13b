/**
 * What terminal dashboards (k9s and the like) and controllers do with a cluster, for a while: many lists and watches
 * at once, from a resource version on, as Tables and as objects, with bookmarks and reconnects, while things change.
 * No registry has k9s itself. `WICKET_WATCH_MINUTES` sets how long; a short while when left out.
 */
import { Agent, request } from "node:https";
import * as k8s from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kinds } from "./apiserver/kinds.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";
import { operateTask, startEcho } from "./support/kubectl-commands.ts";

const MINUTES = Number(process.env["WICKET_WATCH_MINUTES"] ?? 0.3);
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
const kind = (name: string) => kinds.find((one) => one.kind === name)!;
let echo: Awaited<ReturnType<typeof startEcho>>;
let cluster: Cluster;
let token: string;
let agent: Agent;

beforeAll(async () => {
  echo = await startEcho();
  cluster = await startCluster({ operate: operateTask(echo.port) });
  const { system } = cluster;
  agent = new Agent({ keepAlive: true, ca: system.https!.authority });
  const answer = await fetch(`${system.edge}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: system.people["tina"]!,
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      authorization_details: JSON.stringify([{ type: "task", task: "operate" }]),
    }),
  });
  token = ((await answer.json()) as { access_token: string }).access_token;
});
afterAll(async () => {
  agent?.destroy();
  await cluster?.close();
  echo?.close();
});

/** Writes as the cluster's own parts do, behind the gate. */
function put(name: string, value: string): void {
  const metadata = { name, namespace: "shop", labels: { app: "busy" } };
  const object = { kind: "ConfigMap", apiVersion: "v1", metadata, data: { value } };
  cluster.api.store.put(kind("ConfigMap"), object, false);
}

/** One raw request; `onText` is given what comes. Resolves with the status when the answer ends or is left. */
function ask(
  path: string,
  accept: string,
  onText: (text: string, leave: () => void) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept };
    const url = `${cluster.system.https!.origin}/k8s/prod-cluster${path}`;
    let left = false;
    const asked = request(url, { agent, headers }, (response) => {
      const status = response.statusCode ?? 0;
      const leave = () => {
        left = true;
        asked.destroy();
        resolve(status);
      };
      response.on("data", (chunk) => onText(String(chunk), leave));
      response.on("end", () => resolve(status));
      response.on("error", (error) => (left ? resolve(status) : reject(error)));
    });
    asked.on("error", (error) => (left ? undefined : reject(error)));
    asked.end();
  });
}

/** A program's own client, with the edge's token. */
function program(): k8s.KubeConfig {
  const { origin, authority } = cluster.system.https!;
  const config = new k8s.KubeConfig();
  const caData = Buffer.from(authority).toString("base64");
  config.loadFromOptions({
    clusters: [{ name: "c", server: `${origin}/k8s/prod-cluster`, caData }],
    users: [{ name: "u", token }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  return config;
}

test(
  `dashboards and controllers watch for ${MINUTES} minutes while things change`,
  async () => {
    const until = Date.now() + MINUTES * 60_000;
    const config = program();
    const counts = { events: 0, faults: 0, lists: 0, watches: 0, writes: 0 };
    // A controller: list, watch from there on, and keep a copy.
    const core = config.makeApiClient(k8s.CoreV1Api);
    const informer = k8s.makeInformer(config, "/api/v1/namespaces/shop/configmaps", () =>
      core.listNamespacedConfigMap({ namespace: "shop" }),
    );
    const copy = new Map<string, string | undefined>();
    const keep = (object: k8s.V1ConfigMap) => {
      counts.events += 1;
      copy.set(object.metadata!.name!, object.data?.["value"]);
    };
    informer.on("add", keep);
    informer.on("update", keep);
    informer.on("error", () => {
      counts.faults += 1;
    });
    await informer.start();

    // A dashboard: what is on the screen is listed as a Table, and watched from there on.
    const seen: string[] = [];
    const dashboard = async (resource: string, group = "/api/v1"): Promise<void> => {
      while (Date.now() < until) {
        let text = "";
        const base = `${group}/namespaces/shop/${resource}`;
        const status = await ask(`${base}?limit=500`, TABLE, (part) => {
          text += part;
        });
        expect([resource, status]).toEqual([resource, 200]);
        seen.push(text);
        counts.lists += 1;
        const version = JSON.parse(text).metadata.resourceVersion;
        const watch = `${base}?watch=true&allowWatchBookmarks=true&resourceVersion=${version}&timeoutSeconds=2`;
        // Left in the middle as often as heard to the end.
        const leaving = counts.watches++ % 2 === 0;
        const from = Date.now();
        await ask(watch, TABLE, (part, leave) => {
          seen.push(part);
          if (leaving && Date.now() > from + 700) leave();
        });
      }
    };
    // As kubectl and client-go wait: the first state comes as events, then a bookmark.
    const waiter = async (): Promise<void> => {
      while (Date.now() < until) {
        let text = "";
        const initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        const path = `/api/v1/namespaces/shop/pods?watch=true&${initial}&timeoutSeconds=5`;
        await ask(path, "application/json", (part, leave) => {
          text += part;
          if (text.includes("initial-events-end")) leave();
        });
        seen.push(text);
        expect(text).toContain("initial-events-end");
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    };
    const world = setInterval(() => {
      put(`busy-${counts.writes % 20}`, `value-${counts.writes}`);
      counts.writes += 1;
    }, 50);
    try {
      await Promise.all([
        ...["pods", "configmaps", "services", "secrets", "events"].map((resource) => dashboard(resource)),
        dashboard("deployments", "/apis/apps/v1"),
        waiter(),
        waiter(),
      ]);
    } finally {
      clearInterval(world);
    }
    put("last", "the end");
    await expect.poll(() => copy.get("last"), { timeout: 15_000 }).toBe("the end");
    // The controller's copy is what the cluster has.
    for (const { metadata, data } of cluster.api.store.list(kind("ConfigMap"), "shop", () => true)) {
      expect([metadata.name, copy.get(metadata.name)]).toEqual([metadata.name, data?.value]);
    }
    await informer.stop();
    expect(seen.join("")).not.toMatch(hidden);
    expect(seen.join("")).not.toContain("ledger");
    expect(counts.faults).toBe(0);
    expect(counts.lists).toBeGreaterThan(10);
    // Nothing that was left goes on at the cluster.
    await expect.poll(() => cluster.api.store.watchers, { timeout: 20_000 }).toBe(0);
    const { lists, watches, events, writes } = counts;
    console.log(`${lists} lists, ${watches} watches, ${events} events to the controller, ${writes} writes`);
  },
  MINUTES * 60_000 + 90_000,
);
