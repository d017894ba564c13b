import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as k8s from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeKubeconfig } from "../client/kubernetes/kubeconfig.ts";
import { kubeTask, rule } from "../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "./apiserver/door.ts";
import { type KubeHome, kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";

let api: ApiServer;
let door: Door;
let home: KubeHome;
const reads = ["get", "list", "watch"] as const;
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);

beforeAll(async () => {
  api = await startApiServer();
  const release = { resources: ["secrets"], namespaces: ["shop"], secrets: ["helm.sh/*"] };
  const tasks = {
    work: kubeTask([
      rule({
        resources: ["pods", "services", "events", "configmaps"],
        verbs: [...reads, "create", "patch", "update", "delete"],
        namespaces: ["shop"],
      }),
      rule({
        resources: ["pods"],
        verbs: ["logs", "exec"],
        namespaces: ["shop"],
        commands: ["cat", "tar *", "sh -c *", "head *"],
      }),
      rule({ ...release, verbs: [...reads, "create", "patch", "update", "delete"] }),
      rule({ resources: ["namespaces"], verbs: ["get", "list"] }),
    ]),
  };
  const credential = () => [["authorization", `Bearer ${api.token}`]] as const;
  door = await startDoor(tasks, { work: { url: api.url, ca: api.ca, credential, impersonate: true } });
  home = kubeHome(`${door.url}/k8s/work`, door.ca, { token: door.token });
});
afterAll(async () => {
  home?.close();
  await door?.close();
  await api?.close();
});

const newest = kubectl("v36");

describe("large streams", () => {
  test.runIf(newest)("eight megabytes through exec, both ways, byte for byte", async () => {
    const input = "0123456789abcdef".repeat(512 * 1024);
    const out = await home.run(newest!, ["exec", "-i", "web-1", "--", "cat"], { input, timeout: 60_000 });
    expect(out.stderr).toBe("");
    expect(out.stdout === input).toBe(true);
  });
  test.runIf(newest)("kubectl cp copies a file from a pod", async () => {
    const source = join(home.folder, "source.txt");
    writeFileSync(source, "copied\n".repeat(10_000));
    const target = join(home.folder, "target.txt");
    // The pod's processes run on this machine, so its files are these.
    const out = await home.run(newest!, ["cp", `shop/web-1:${source.slice(1)}`, target]);
    const far = await home.run(newest!, ["cp", `shop/web-1:${source}`, target]);
    expect([out.code, far.code]).toContain(0);
    expect(readFileSync(target, "utf8")).toBe("copied\n".repeat(10_000));
  });
});

describe("the exec credential plugin", () => {
  test.runIf(newest)(
    "kubectl gets its token from the plugin that the kubeconfig names, and shows what it says",
    async () => {
      const plugin = join(home.folder, "wicket");
      const module = join(import.meta.dirname, "../client/kubernetes/credential.ts");
      const node = process.execPath;
      writeFileSync(
        plugin,
        `#!${node}\nimport(${JSON.stringify(module)}).then(({ readExecInfo, execCredential }) => {\n  const info = readExecInfo(process.env.KUBERNETES_EXEC_INFO);\n  if (!info.ok) { console.error(info.message); process.exit(1); }\n  console.error("wicket: task " + info.request.task);\n  console.log(execCredential(${JSON.stringify(door.token)}, Date.now() + 60000));\n});\n`,
      );
      chmodSync(plugin, 0o700);
      const written = writeKubeconfig(null, {
        edge: door.url,
        login: door.url,
        resource: "work",
        task: "restart",
        reason: null,
        params: {},
        namespace: "shop",
        ca: door.ca,
        command: plugin,
        args: [],
        after: [],
      });
      if (!written.ok) throw new Error(written.message);
      const config = join(home.folder, "plugin-config");
      writeFileSync(config, written.text, { mode: 0o600 });
      const out = await home.run(newest!, ["--kubeconfig", config, "get", "pods", "-o", "name"]);
      expect(out.stderr).toContain("wicket: task restart");
      expect(out.stdout).toContain("pod/web-1");
    },
  );
});

describe("helm", () => {
  const helm = kubectl("v36", "helm");
  if (helm === null) console.log("helm is not installed: nothing is proved of it");
  test.runIf(helm)("installs, lists and removes a release", async () => {
    const chart = join(home.folder, "chart");
    const { mkdirSync } = await import("node:fs");
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: demo\nversion: 1.0.0\n");
    const map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: from-helm }\ndata: { a: b }\n";
    writeFileSync(join(chart, "templates/map.yaml"), map);
    const installed = await home.run(helm!, ["install", "demo", chart, "--wait=hookOnly"]);
    expect(installed.stderr).toBe("");
    expect(installed.stdout).toContain("STATUS: deployed");
    expect((await home.run(helm!, ["list"])).stdout).toMatch(/demo\s+shop\s+1/);
    expect((await home.run(helm!, ["uninstall", "demo"])).stdout).toContain("uninstalled");
    const secrets = await home.run(newest!, ["get", "secrets", "-o", "yaml"]);
    expect(secrets.stdout).not.toMatch(hidden);
  });
});

describe("@kubernetes/client-node", () => {
  const client = () => {
    const config = new k8s.KubeConfig();
    config.loadFromFile(home.config);
    return config;
  };
  test("lists, reads and runs", async () => {
    const core = client().makeApiClient(k8s.CoreV1Api);
    const pods = await core.listNamespacedPod({ namespace: "shop" });
    expect(pods.items.map((pod) => pod.metadata?.name)).toEqual(["db-0", "web-1", "web-2"]);
    const secret = await core.readNamespacedSecret({ namespace: "shop", name: "web" });
    expect(JSON.stringify(secret)).not.toMatch(hidden);
    await expect(core.listNamespacedPod({ namespace: "billing" })).rejects.toThrow(/NAMESPACE_NOT_GRANTED/);
  });
  test("watches", async () => {
    const names: string[] = [];
    const watch = new k8s.Watch(client());
    await new Promise<void>((resolve, reject) => {
      let controller: AbortController | null = null;
      watch
        .watch(
          "/api/v1/namespaces/shop/pods",
          {},
          (_, object) => {
            names.push(object.metadata.name);
            if (names.length === 3) {
              controller?.abort();
              resolve();
            }
          },
          (error) => (names.length < 3 ? reject(error) : resolve()),
        )
        .then((found) => {
          controller = found;
        }, reject);
    });
    expect(names).toEqual(["db-0", "web-1", "web-2"]);
  });
});

describe("kubernetes-mcp-server, an agent's client", () => {
  const binary = join(
    import.meta.dirname,
    "../node_modules/kubernetes-mcp-server-linux-amd64/bin/kubernetes-mcp-server-linux-amd64",
  );
  const present = existsSync(binary);
  if (!present) console.log("kubernetes-mcp-server is not installed: nothing is proved of it");
  let server: ChildProcess | null = null;
  afterAll(() => {
    server?.kill("SIGKILL");
  });

  test.runIf(present)("lists pods, and is refused what the task does not grant", async () => {
    const env = { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] };
    const child = spawn(binary, ["--kubeconfig", home.config], { env, stdio: ["pipe", "pipe", "ignore"] });
    server = child;
    const waiting = new Map<number, (message: { result?: unknown; error?: unknown }) => void>();
    let held = "";
    child.stdout.on("data", (chunk) => {
      held += chunk;
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() === "") continue;
        const message = JSON.parse(line);
        waiting.get(message.id)?.(message);
      }
    });
    let id = 0;
    const send = (
      method: string,
      params: unknown,
      notify = false,
    ): Promise<{ result?: unknown; error?: unknown }> => {
      const message = { jsonrpc: "2.0", method, params, ...(notify ? {} : { id: ++id }) };
      child.stdin.write(`${JSON.stringify(message)}\n`);
      return notify ? Promise.resolve({}) : new Promise((resolve) => waiting.set(id, resolve));
    };
    await send("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "test", version: "1" },
    });
    await send("notifications/initialized", {}, true);
    const tool = async (name: string, args: object) =>
      JSON.stringify((await send("tools/call", { name, arguments: args })).result);
    expect(await tool("pods_list_in_namespace", { namespace: "shop" })).toContain("web-1");
    expect(
      await tool("resources_get", { apiVersion: "v1", kind: "Secret", namespace: "shop", name: "web" }),
    ).not.toMatch(hidden);
    const refused = await tool("pods_list_in_namespace", { namespace: "billing" });
    expect(refused).toContain("NAMESPACE_NOT_GRANTED");
    expect(refused).not.toContain("ledger");
    expect(await tool("nodes_log", { name: "node-1", query: "kubelet" })).toMatch(
      /RESOURCE_NOT_GRANTED|not allow|error|failed/i,
    );
  });
});
