/** What people, helm, agents and programs do, through the whole system, held against the cluster itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as k8s from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeHome, kubectl } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";
import { kubectlCommands, operateTask, runUntil, startEcho } from "./support/kubectl-commands.ts";

const newest = kubectl("v36");
if (newest === null) console.log("kubectl is not installed: nothing is proved of it");
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
const echo = await startEcho();
let cluster: Cluster;
let home: KubeHome;

const release = `version: 1
task: release
description: Install releases.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { resources: [configmaps], verbs: [get, list, create, patch, update, delete], namespaces: [shop] }
  - { resources: [secrets], verbs: [get, list, watch, create, patch, update, delete], namespaces: [shop], secrets: ["helm.sh/*"] }
`;

beforeAll(async () => {
  cluster = await startCluster({ operate: operateTask(echo.port), release });
  home = await cluster.home("tina", "operate");
});
afterAll(async () => {
  await cluster?.close();
  echo.close();
});

/** What is left to compare when the hidden values are taken out. */
function strip(text: string): string {
  return text
    .replaceAll(HIDDEN, "hidden")
    .replaceAll(Buffer.from(HIDDEN).toString("base64"), "X")
    .replace(/KiptYXNrZWQ\w+=*/g, "X")
    .replace(/\*\*masked-by-wicketgate\*\*/g, "hidden")
    .replace(/eyJ[\w.-]+/g, (found) => "*".repeat(found.length))
    .replace(/(resourceVersion|uid|creationTimestamp|restartedAt): .*/g, "$1")
    .replace(/"(resourceVersion|uid)":\s*"[^"]*"/g, "$1");
}

describe("kubectl does the same directly and through the gate", () => {
  const commands = kubectlCommands(echo.port);
  test.runIf(newest).each(commands.map((one) => [one.name, one] as const))("%s", async (name, command) => {
    const tag = name.replace(/[^a-z]+/g, "-").replace(/^-|-$/g, "");
    const there = await command.run(newest!, cluster.direct, `${tag}-d`);
    const here = await command.run(newest!, home, `${tag}-g`);
    expect(there.stdout).toMatch(command.says);
    expect(here.stdout + here.stderr).not.toMatch(hidden);
    expect({ ...here, stdout: strip(here.stdout), stderr: strip(here.stderr) }).toEqual({
      ...there,
      stdout: strip(there.stdout),
      stderr: strip(there.stderr),
    });
  });

  test.runIf(newest)("all of it was one session", async () => {
    const { body } = await cluster.system.api("tina", "/api/sessions?task=operate");
    expect(body.sessions).toHaveLength(1);
  });
});

describe("watches", () => {
  test.runIf(newest)("a change shows while it is watched, and nothing of another namespace", async () => {
    const said = await runUntil(
      ...([newest!, home, ["get", "configmaps", "--watch", "-o", "name"]] as const),
      /settings/,
      async () => {
        const run = (args: string[]) => cluster.direct.run(newest!, args);
        await run(["create", "configmap", "seen-by-nobody", "-n", "billing"]);
        await run(["create", "configmap", "seen-while-watched"]);
        await new Promise((resolve) => setTimeout(resolve, 500));
      },
    );
    expect(said.stdout).toContain("seen-while-watched");
    expect(said.stdout).not.toContain("nobody");
  });
  test.runIf(newest)("what wait waits for comes to pass", async () => {
    const run = (args: string[]) => cluster.direct.run(newest!, args);
    await run(["create", "configmap", "to-go"]);
    const waiting = home.run(newest!, ["wait", "--for=delete", "configmap/to-go", "--timeout=20s"]);
    await cluster.system.until(
      async () =>
        cluster.api.seen.some(({ target }) => target.includes("watch=") && target.includes("to-go")),
      "the watch",
    );
    await run(["delete", "configmap", "to-go"]);
    expect(await waiting).toMatchObject({ code: 0, stdout: expect.stringContaining("condition met") });
  });
});

describe("other clients", () => {
  const helm = kubectl("v36", "helm");
  test.runIf(helm)("helm installs, lists, upgrades, takes back and removes a release", async () => {
    const at = await cluster.home("tina", "release");
    const chart = join(at.folder, "chart");
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: demo\nversion: 1.0.0\n");
    const config = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: from-helm }\ndata: { a: ${value} }\n`;
    writeFileSync(join(chart, "templates/map.yaml"), config("b"));
    const installed = await at.run(helm!, ["install", "demo", chart, "--wait=hookOnly"]);
    expect(installed.stderr).toBe("");
    expect(installed.stdout).toContain("STATUS: deployed");
    writeFileSync(join(chart, "templates/map.yaml"), config("c"));
    expect((await at.run(helm!, ["upgrade", "demo", chart, "--wait=hookOnly"])).stdout).toContain(
      "REVISION: 2",
    );
    expect((await at.run(helm!, ["list"])).stdout).toMatch(/demo\s+shop\s+2/);
    const value = async () =>
      (await cluster.direct.run(newest!, ["get", "configmap", "from-helm", "-o", "jsonpath={.data.a}"]))
        .stdout;
    expect(await value()).toBe("c");
    expect((await at.run(helm!, ["rollback", "demo", "1", "--wait=hookOnly"])).stdout).toContain("Rollback");
    expect(await value()).toBe("b");
    expect((await at.run(helm!, ["status", "demo"])).stdout).toMatch(/STATUS: deployed\s+REVISION: 3/);
    expect((await at.run(helm!, ["history", "demo"])).stdout).toMatch(/superseded[\s\S]*Rollback to 1/);
    expect((await at.run(helm!, ["get", "manifest", "demo"])).stdout).toContain("name: from-helm");
    expect((await at.run(helm!, ["uninstall", "demo"])).stdout).toContain("uninstalled");
  });

  test("@kubernetes/client-node reads, writes and watches with the credential plugin", async () => {
    const config = new k8s.KubeConfig();
    config.loadFromFile(home.config);
    const core = config.makeApiClient(k8s.CoreV1Api);
    const pods = await core.listNamespacedPod({ namespace: "shop" });
    expect(pods.items.map((pod) => pod.metadata?.name)).toContain("web-1");
    expect(JSON.stringify(pods)).not.toMatch(hidden);
    const body = { metadata: { name: "from-node" }, data: { a: "b" } };
    await core.createNamespacedConfigMap({ namespace: "shop", body });
    await core.deleteNamespacedConfigMap({ namespace: "shop", name: "from-node" });
    await expect(core.listNamespacedPod({ namespace: "billing" })).rejects.toThrow(/NAMESPACE_NOT_GRANTED/);
    const names: string[] = [];
    await new Promise<void>((resolve, reject) => {
      let stop: AbortController | null = null;
      const each = (_: string, object: { metadata: { name: string } }) => {
        names.push(object.metadata.name);
        if (names.length < 3) return;
        stop?.abort();
        resolve();
      };
      new k8s.Watch(config)
        .watch("/api/v1/namespaces/shop/pods", {}, each, (error) =>
          names.length < 3 ? reject(error) : resolve(),
        )
        .then((found) => {
          stop = found;
        }, reject);
    });
    expect(names).toContain("web-1");
  });

  const binary = join(
    import.meta.dirname,
    "../node_modules/kubernetes-mcp-server-linux-amd64/bin/kubernetes-mcp-server-linux-amd64",
  );
  const present = existsSync(binary);
  if (!present) console.log("kubernetes-mcp-server is not installed: nothing is proved of it");
  let server: ChildProcess | null = null;
  afterAll(() => void server?.kill("SIGKILL"));

  test.runIf(present)("kubernetes-mcp-server, an agent's client, sees what the task shows", async () => {
    const env = { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] };
    const child = spawn(binary, ["--kubeconfig", home.config], { env, stdio: ["pipe", "pipe", "ignore"] });
    server = child;
    const waiting = new Map<number, (message: { result?: unknown }) => void>();
    let held = "";
    child.stdout.on("data", (chunk) => {
      held += String(chunk);
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      for (const line of lines.filter((one) => one.trim() !== "")) {
        const message = JSON.parse(line);
        waiting.get(message.id)?.(message);
      }
    });
    let id = 0;
    const ask = (method: string, params: unknown): Promise<{ result?: unknown }> => {
      id += 1;
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method, params, id })}\n`);
      return new Promise((resolve) => waiting.set(id, resolve));
    };
    const client = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    };
    await ask("initialize", client);
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
    const tool = async (name: string, args: object) =>
      JSON.stringify((await ask("tools/call", { name, arguments: args })).result);
    expect(await tool("pods_list_in_namespace", { namespace: "shop" })).toContain("web-1");
    const secret = { apiVersion: "v1", kind: "Secret", namespace: "shop", name: "web" };
    expect(await tool("resources_get", secret)).not.toMatch(hidden);
    const refused = await tool("pods_list_in_namespace", { namespace: "billing" });
    expect(refused).toContain("NAMESPACE_NOT_GRANTED");
    expect(refused).not.toContain("ledger");
    expect(await tool("pods_delete", { namespace: "shop", name: "web-1" })).toMatch(/not allow|forbidden/i);
  });
});
