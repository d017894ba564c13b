/** The attack list against the cluster door: streams, and what is kept of them. */
import { spawn } from "node:child_process";
import { connect as dial } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { kubectl, kubeHome } from "./apiserver/kubectl.ts";
import { type OperatedCluster, startOperatedCluster } from "./support/operated-cluster.ts";

const newest = kubectl("v36") ?? "";
let door: OperatedCluster["door"];
let gated: OperatedCluster["gated"];
let get: OperatedCluster["get"];
let echoPort: OperatedCluster["echoPort"];
let cluster: OperatedCluster;

beforeAll(async () => {
  cluster = await startOperatedCluster();
  ({ door, gated, get, echoPort } = cluster);
});
afterAll(() => cluster?.close());

test("K5 WebSocket only on streams, SPDY not at all, frames checked", async () => {
  const open = (path: string, protocols: string[]) =>
    new Promise<WebSocket | number>((resolve) => {
      const socket = new WebSocket(`${door.url.replace("https", "wss")}/k8s/operate${path}`, protocols, {
        ca: door.ca,
        headers: { authorization: `Bearer ${door.token}` },
      });
      socket.on("open", () => resolve(socket));
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
      socket.on("error", () => {});
    });
  expect(await open("/api/v1/namespaces/shop/pods?watch=true", ["v5.channel.k8s.io"])).toBe(400);
  expect(await open("/api/v1/namespaces/shop/pods/web-1/exec?command=cat", ["v1.channel.k8s.io"])).toBe(400);
  expect(await open("/api/v1/namespaces/shop/pods/web-1/exec?command=id", ["v5.channel.k8s.io"])).toBe(403);
  const spdy = await get(
    "/api/v1/namespaces/shop/pods/web-1/exec?command=cat&stdin=true",
    "Upgrade: SPDY/3.1\r\n",
    "POST",
  );
  expect(spdy).toContain("kubectl 1.30");
  const socket = (await open("/api/v1/namespaces/shop/pods/web-1/exec?command=cat&stdin=true&stdout=true", [
    "v5.channel.k8s.io",
  ])) as WebSocket;
  const said = new Promise<string>((resolve) => {
    let text = "";
    socket.on("message", (data) => {
      text += String(data);
    });
    socket.on("close", () => resolve(text));
  });
  socket.send(Buffer.from([1, 65]));
  expect(await said).toContain("STREAM_FRAME");
});
test("K5 an upgrade that the API server refuses gives no stream", async () => {
  const missing = await gated.run(newest, ["exec", "web-9", "--", "cat"]);
  expect(missing.code).not.toBe(0);
  const { stderr } = await gated.run(newest, ["logs", "web-9"]);
  expect(stderr).toContain("not found");
});
test("K7 port-forward reaches a granted port and no other", async () => {
  const forward = async (port: number): Promise<string> => {
    const child = spawn(newest, ["port-forward", "pod/web-1", `:${port}`], {
      env: { HOME: gated.folder, KUBECONFIG: gated.config, PATH: process.env["PATH"] },
    });
    try {
      const local = await new Promise<number>((resolve, reject) => {
        let out = "";
        child.stdout.on("data", (chunk) => {
          out += chunk;
          const found = /127\.0\.0\.1:(\d+)/.exec(out);
          if (found) resolve(Number(found[1]));
        });
        child.on("exit", () => reject(new Error("kubectl ended")));
      });
      return await new Promise((resolve) => {
        const socket = dial(local, "127.0.0.1", () => socket.write("hello"));
        let text = "";
        socket.on("data", (bytes) => {
          text += bytes;
        });
        socket.on("close", () => resolve(text));
        socket.on("error", () => resolve(text));
      });
    } finally {
      child.kill("SIGKILL");
    }
  };
  expect(await forward(echoPort)).toBe("echo hello");
  expect(await forward(echoPort === 65535 ? 1 : echoPort + 1)).toBe("");
  const events = JSON.stringify(await door.call("/events/operate"));
  expect(events).toContain("PORT_NOT_GRANTED");
  expect(events).toContain(`"port":${echoPort}`);
});
test("K11 revocation cuts watches, logs and exec", { timeout: 30_000 }, async () => {
  const home = kubeHome(`${door.url}/k8s/revoked`, door.ca, { token: door.token });
  const env = { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] };
  const children = [
    ["logs", "-f", "web-1"],
    ["exec", "web-1", "--", "sleep", "100"],
  ].map((args) => spawn(newest, args, { env }));
  const first = new Promise((resolve) => children[0]!.stdout.once("data", resolve));
  const ended = children.map(
    (child) =>
      new Promise<string>((resolve) => {
        let text = "";
        child.stderr.on("data", (chunk) => {
          text += chunk;
        });
        child.on("close", () => resolve(text));
      }),
  );
  await first;
  await expect
    .poll(async () => JSON.stringify(await door.call("/events/revoked")), { timeout: 10_000 })
    .toContain("/exec?");
  await door.call("/revoke/revoked");
  const [, exec] = await Promise.all(ended);
  expect(exec).toContain("GRANT_REVOKED");
  expect((await home.run(newest, ["get", "pods"])).stderr).toContain("GRANT_REVOKED");
  home.close();
});
test("R4 exec is recorded as a masked asciicast before it is seen", async () => {
  const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
  door.recorded.length = 0;
  const out = await gated.run(newest, ["exec", "web-1", "--", "sh", "-c", `echo before ${jwt} after`]);
  expect(out.stdout).toBe(`before ${"*".repeat(jwt.length)} after\n`);
  // kubectl reads the pod first; that its last words are there is waited for.
  const output = () =>
    door
      .pieces()
      .filter(({ kind }) => kind === "stdout")
      .map(({ bytes }) => Buffer.from(bytes).toString());
  await expect.poll(() => output().join("")).toContain("before ****");
  expect(output().join("")).not.toContain(jwt);
  const cast = door.facts().find(({ t }) => t === "cast");
  expect(cast?.["line"]).toMatchObject({ version: 2 });
  const first = door.recorded[0];
  expect(typeof first === "string" && JSON.parse(first).event.t).toBe("statement");
});
