import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeHome, kubectl, kubectlVersions, kubeHome } from "./kubectl.ts";
import { type ApiServer, startApiServer } from "./server.ts";

let server: ApiServer;
let home: KubeHome;
beforeAll(async () => {
  server = await startApiServer();
  home = kubeHome(server.url, server.ca, { token: server.token });
});
afterAll(async () => {
  home?.close();
  await server?.close();
});

describe.each(kubectlVersions)("the stand-in serves real kubectl %s", (version) => {
  const binary = kubectl(version);
  if (binary === null) console.log(`kubectl ${version} is not installed: nothing is proved of it`);
  const run = (...args: string[]) => home.run(binary!, args);

  test.runIf(binary)("reads", async () => {
    const pods = await run("get", "pods");
    expect(pods.stderr).toBe("");
    expect(pods.stdout).toMatch(/NAME +READY +STATUS[\s\S]*web-1 +1\/1 +Running/);
    expect((await run("get", "pods", "-A", "-o", "name")).stdout).toContain("pod/ledger-0");
    expect((await run("describe", "pod", "web-1")).stdout).toContain("nginx:1.27");
    expect((await run("logs", "web-1")).stdout).toContain("ready");
    expect((await run("get", "secret", "web", "-o", "yaml")).stdout).toContain("password:");
  });
  test.runIf(binary)("writes", async () => {
    const manifest = JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `m-${version}` },
      data: { a: "1" },
    });
    const apply = await home.run(binary!, ["apply", "-f", "-"], { input: manifest });
    expect(apply.stderr).toBe("");
    expect(apply.stdout).toContain("created");
    const side = await home.run(binary!, ["apply", "--server-side", "-f", "-"], {
      input: manifest.replace('"1"', '"2"'),
    });
    expect(side.stdout).toContain("serverside-applied");
    expect((await run("scale", "deployment", "web", "--replicas=3")).stdout).toContain("scaled");
    expect((await run("delete", "configmap", `m-${version}`)).stdout).toContain("deleted");
    expect((await run("create", "secret", "generic", `s-${version}`, "--from-literal=a=b")).stdout).toContain(
      "created",
    );
  });
  test.runIf(binary)("runs commands", async () => {
    const exec = await run("exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3");
    expect(exec).toMatchObject({ code: 3, stdout: "out\n" });
    expect(exec.stderr).toContain("err");
    const cat = await home.run(binary!, ["exec", "-i", "web-1", "--", "cat"], { input: "through\n" });
    expect(cat.stdout).toBe("through\n");
  });
});

test("port-forward over SPDY reaches a real socket", async () => {
  const binary = kubectl("v36");
  if (binary === null) return console.log("kubectl v36 is not installed");
  const echo = createServer((socket) => socket.on("data", (bytes) => socket.end(`echo ${bytes}`)));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const { port } = echo.address() as { port: number };
  const { spawn } = await import("node:child_process");
  const child = spawn(binary, ["port-forward", "pod/web-1", `:${port}`], {
    env: { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] },
  });
  try {
    const local = await new Promise<number>((resolve, reject) => {
      let out = "";
      child.stdout.on("data", (chunk) => {
        out += chunk;
        const found = /127\.0\.0\.1:(\d+)/.exec(out);
        if (found) resolve(Number(found[1]));
      });
      child.stderr.on("data", (chunk) => reject(new Error(String(chunk))));
    });
    const { connect } = await import("node:net");
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(local, "127.0.0.1", () => socket.write("hello"));
      socket.on("data", (bytes) => resolve(String(bytes)));
      socket.on("error", reject);
    });
    expect(answer).toBe("echo hello");
  } finally {
    child.kill("SIGKILL");
    echo.close();
  }
});
