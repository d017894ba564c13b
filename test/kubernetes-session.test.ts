import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { kubeTask, rule } from "../policies/kubernetes/task.fixture.ts";
import { RequestServer } from "../tunnel-connector/http-requests.ts";
import { type MadeCertificates, makeCertificates } from "../wire/certificate.ts";
import { type KubeHome, kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";

const newest = kubectl("v36");
let api: ApiServer;
let edge: Miniflare;
let made: MadeCertificates;
let url = "";
let hub: WebSocket;
const homes: KubeHome[] = [];
const sockets = new Set<WebSocket>();
const dials: { url: string; ticket: string }[] = [];

const reads = rule({
  resources: ["pods", "configmaps"],
  verbs: ["get", "list", "watch", "logs"],
  namespaces: ["shop"],
});
const asks = { namespaces: ["shop"], approval: "request" } as const;
const approval = { from: { groups: ["leads"] }, count: 1, expiresMs: 60_000 };
const tasks = {
  look: kubeTask([reads], {
    name: "look",
    digest: "1".repeat(64),
    who: { groups: ["support"], workloads: [] },
  }),
  careful: kubeTask(
    [
      reads,
      rule({ ...asks, resources: ["configmaps"], verbs: ["delete"], at: "tasks/careful.yaml:9" }),
      rule({
        ...asks,
        resources: ["pods/exec"],
        verbs: ["exec"],
        commands: ["echo *"],
        at: "tasks/careful.yaml:10",
      }),
    ],
    { name: "careful", digest: "2".repeat(64), approval },
  ),
  gone: kubeTask([reads], { name: "gone", digest: "3".repeat(64) }),
};

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
function call(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { ca: made.authority, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        let body: unknown = text;
        try {
          body = JSON.parse(text);
        } catch {
          // Not JSON: the text itself.
        }
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

function open(path: string, ticket: string): Promise<WebSocket | number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace("https", "wss") + path, {
      ca: made.authority,
      headers: { "wicket-ticket": ticket },
      perMessageDeflate: false,
      closeTimeout: 500,
    } as WebSocket.ClientOptions);
    socket.binaryType = "nodebuffer";
    socket.on("open", () => resolve(socket));
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    socket.on("error", () => {});
  });
}

beforeAll(async () => {
  api = await startApiServer();
  made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  const bundled = await build({
    entryPoints: [join(import.meta.dirname, "apiserver/edge-worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["cloudflare:*", "node:*"],
    conditions: ["workerd", "worker", "browser"],
  });
  edge = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "edge.js", contents: bundled.outputFiles[0]!.text }],
      compatibilityDate: "2026-11-17",
      compatibilityFlags: ["nodejs_compat", "request_signal_passthrough"],
      durableObjects: {
        GRANTS: { className: "GrantObject", useSQLite: true },
        SESSIONS: { className: "EdgeSession", useSQLite: true },
        REQUESTS: { className: "EdgeSession", useSQLite: true },
        HUB: { className: "Hub", useSQLite: true },
      },
      d1Databases: { DB: "test" },
      bindings: { TASKS: tasks },
      httpsKey: made.key,
      httpsCert: made.certificate,
      host: "127.0.0.1",
      port: 0,
    } as never),
  );
  url = `https://127.0.0.1:${(await edge.ready).port}`;
  const database = await edge.getD1Database("DB");
  const folder = join(import.meta.dirname, "../migrations");
  for (const file of readdirSync(folder).sort()) {
    const statements = readFileSync(join(folder, file), "utf8").split(/;\s*$/m);
    for (const text of statements)
      if (text.replace(/--.*$/gm, "").trim() !== "") await database.prepare(text).run();
  }
  hub = (await open("/hub", "")) as WebSocket;
  const target = {
    url: api.url,
    ca: api.ca,
    credential: () => [["authorization", `Bearer ${api.token}`]] as const,
    impersonate: true,
  };
  hub.on("message", async (data) => {
    const dial = JSON.parse(String(data)) as { url: string; ticket: string };
    dials.push(dial);
    const socket = await open(dial.url, dial.ticket);
    if (typeof socket === "number") return;
    sockets.add(socket);
    const send = (message: Uint8Array | string) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    };
    const server = new RequestServer({ send, close: (code, reason) => socket.close(code, reason) }, target);
    socket.on("message", (bytes: Buffer, binary: boolean) =>
      server.message(binary ? bytes : bytes.toString()),
    );
    socket.on("close", () => {
      sockets.delete(socket);
      server.close();
    });
  });
});
afterAll(async () => {
  for (const home of homes) home.close();
  hub?.terminate();
  for (const socket of sockets) socket.terminate();
  await edge?.dispose();
  await api?.close();
});

function home(task: string): KubeHome {
  const made2 = kubeHome(`${url}/k8s/${task}`, made.authority, { token: "tina" });
  homes.push(made2);
  return made2;
}
const events = async () => JSON.stringify((await call("/events")).body);
const pending = async () => {
  const { body } = await call("/pending");
  return body as { id: string }[];
};
const nextPending = async () => {
  await expect.poll(async () => (await pending()).length, { timeout: 20_000 }).toBeGreaterThan(0);
  return (await pending())[0]!.id;
};

describe("a session of requests under a real grant", () => {
  test.runIf(newest)(
    "many requests are one session: its start, decisions and connector are known",
    async () => {
      const { run } = home("look");
      expect((await run(newest!, ["get", "pods"])).stdout).toContain("web-1");
      expect((await run(newest!, ["get", "secrets"])).stderr).toContain("RESOURCE_NOT_GRANTED");
      await expect.poll(events, { timeout: 10_000 }).toMatch(/RESOURCE_NOT_GRANTED/);
      const log = await events();
      expect(log.match(/"type":"session\.start"/g)).toHaveLength(1);
      expect(api.seen.at(-1)!.headers["impersonate-extra-wicket-session"]).toMatch(/^rq-/);
    },
  );
  test("C5 a dial's ticket is used once, and a guessed one not at all", async () => {
    const used = dials[0]!;
    expect(await open(used.url, used.ticket)).toBe(403);
    expect(await open(used.url, "0".repeat(64))).toBe(403);
    expect(await open("/connector/sessions/rq-x.1", used.ticket)).toBe(403);
  });
  test("the client cannot bring a context of its own", async () => {
    const context = JSON.stringify({ session: "rq-x", task: "careful", path: "/" });
    const answer = await call("/k8s/look/api/v1/namespaces/shop/secrets", {
      authorization: "Bearer tina",
      "wicket-context": context,
    });
    expect(answer.body.message).toContain("the task look does not allow");
  });
  test.runIf(newest)("V1 K11 revoking the grant cuts what runs and refuses what comes", async () => {
    const { run, config, folder } = home("gone");
    expect((await run(newest!, ["get", "pods"])).code).toBe(0);
    const { spawn } = await import("node:child_process");
    const child = spawn(newest!, ["logs", "-f", "web-1"], {
      env: { HOME: folder, KUBECONFIG: config, PATH: process.env["PATH"] },
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const ended = new Promise((resolve) => child.on("close", resolve));
    const session = api.seen.at(-1)!.headers["impersonate-extra-wicket-session"] as string;
    const grant = /^rq-(.+)-[0-9a-z]+$/.exec(session)![1]!;
    expect((await call(`/grants/${grant}/revoke`)).body.ok).toBe(true);
    await ended;
    await expect.poll(events, { timeout: 10_000 }).toMatch(/session\.end/);
  });
});

describe("approvals, as stock kubectl lives them", () => {
  test.runIf(newest)("a delete waits, is approved, and happens once", async () => {
    const { run } = home("careful");
    expect((await run(newest!, ["get", "configmap", "settings"])).code).toBe(0);
    const running = run(newest!, ["delete", "configmap", "settings", "--wait=false"], { timeout: 60_000 });
    const id = await nextPending();
    expect(api.seen.some(({ method }) => method === "DELETE")).toBe(false);
    expect((await call(`/grants/${id}/approve`)).body.ok).toBe(true);
    const done = await running;
    expect(done.stderr).toBe("");
    expect(done.stdout).toContain("deleted");
    expect(api.seen.filter(({ method }) => method === "DELETE")).toHaveLength(1);
  });
  test.runIf(newest)("exec says that it waits, with the address, and runs after the yes", async () => {
    const { folder, config } = home("careful");
    const { spawn } = await import("node:child_process");
    const child = spawn(newest!, ["exec", "web-1", "--", "echo", "approved"], {
      env: { HOME: folder, KUBECONFIG: config, PATH: process.env["PATH"] },
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => err, { timeout: 20_000 }).toMatch(/waiting for approval: https:/);
    expect(out).toBe("");
    expect(api.seen.some(({ target }) => target.includes("/exec?"))).toBe(false);
    const id = await nextPending();
    expect(err).toContain(id);
    await call(`/grants/${id}/approve`);
    expect(await ended).toBe(0);
    expect(out).toBe("approved\n");
  });
  test.runIf(newest)("A1 a no ends it, with the reason", async () => {
    const { run } = home("careful");
    const before = api.seen.filter(({ target }) => target.includes("/exec?")).length;
    const running = run(newest!, ["exec", "web-1", "--", "echo", "denied"], { timeout: 60_000 });
    await call(`/grants/${await nextPending()}/deny`);
    const done = await running;
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/APPROVAL_DENIED|denied/i);
    expect(api.seen.filter(({ target }) => target.includes("/exec?"))).toHaveLength(before);
  });
});
