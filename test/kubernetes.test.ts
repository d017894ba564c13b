import { spawn } from "node:child_process";
import { createServer, connect as dial } from "node:net";
import { connect as dialTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { compileLibrary } from "../policies/compile.ts";
import { hasError, problemText } from "../policies/problem.ts";
import { type Door, startDoor } from "./apiserver/door.ts";
import { type KubeHome, kubectl, kubectlVersions, kubeHome } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";

const echo = createServer((socket) => socket.on("data", (bytes) => socket.end(`echo ${bytes}`)));
let api: ApiServer;
let door: Door;
let direct: KubeHome;
let gated: KubeHome;
let echoPort = 0;
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);

const head = (name: string) => `version: 1
task: ${name}
description: test
owner: test
who: { groups: [support] }
resource: cluster
`;

/** What the tests run under: the file as a person would write it. */
function tasks() {
  const operate = `${head("operate")}allow:
  - { resources: [pods], verbs: [get, list, watch], namespaces: [shop], mask: { "spec.containers[*].env[*].value": { constant: hidden } } }
  - { resources: [pods/log], verbs: [logs], namespaces: [shop] }
  - { resources: [configmaps, services, events, serviceaccounts], verbs: [get, list, watch, create, update, patch, delete], namespaces: [shop] }
  - { resources: [secrets], verbs: [get, list, watch, create, patch], namespaces: [shop] }
  - { apiGroups: [apps], resources: [deployments, deployments/scale], verbs: [get, list, watch, create, update, patch], namespaces: [shop], mask: { "spec.template.spec.containers[*].env[*].value": { constant: hidden } } }
  - { resources: [pods], verbs: [delete], namespaces: [shop], labels: { app: web } }
  - { resources: [pods/exec], verbs: [exec], namespaces: [shop], names: ["web-*"], commands: ["sh -c echo *", "cat", "tar *", "sleep *", "head *"] }
  - { resources: [pods/portforward], verbs: [portforward], namespaces: [shop], ports: [${echoPort}] }
  - { resources: [namespaces, nodes], verbs: [get, list] }
`;
  const blind = `${head("blind")}allow:
  - { resources: [secrets], verbs: [patch, create], namespaces: [shop] }
  - { resources: [pods], verbs: [delete], namespaces: [shop], approval: request }
limits: { statements: 40 }
`;
  const files = new Map([
    ["resources.yaml", "version: 1\nresources: { cluster: { type: kubernetes, connector: demo } }\n"],
    ["tasks/operate.yaml", operate],
    ["tasks/blind.yaml", blind],
    ["tasks/revoked.yaml", operate.replace("task: operate", "task: revoked")],
  ]);
  const compiled = compileLibrary(files);
  if (!compiled.ok || hasError(compiled.problems))
    throw new Error(compiled.problems.map(problemText).join("\n"));
  return compiled.library.bundle.tasks;
}

beforeAll(async () => {
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  echoPort = (echo.address() as { port: number }).port;
  api = await startApiServer();
  const target = {
    url: api.url,
    ca: api.ca,
    credential: () => [["authorization", `Bearer ${api.token}`]] as const,
    impersonate: true,
  };
  door = await startDoor(tasks(), { operate: target, blind: target, revoked: target });
  direct = kubeHome(api.url, api.ca, { token: api.token });
  gated = kubeHome(`${door.url}/k8s/operate`, door.ca, { token: door.token });
});
afterAll(async () => {
  direct?.close();
  gated?.close();
  await door?.close();
  await api?.close();
  echo.close();
});

/** Masks what the task hides, so that what is left must be equal. */
function strip(text: string): string {
  return text
    .replaceAll(HIDDEN, "hidden")
    .replaceAll(Buffer.from(HIDDEN).toString("base64"), "X")
    .replace(/KiptYXNrZWQ\w+=*/g, "X")
    .replace(/\*\*masked-by-wicketgate\*\*/g, "hidden")
    .replace(/eyJ[\w.-]+/g, (found) => "*".repeat(found.length));
}

describe.each(kubectlVersions)("kubectl %s is told the same directly and through the gate", (version) => {
  const binary = kubectl(version);
  if (binary === null) console.log(`kubectl ${version} is not installed: nothing is compared`);
  const reads = [
    ["get", "pods"],
    ["get", "pods", "-o", "wide"],
    ["get", "pods", "-o", "yaml"],
    ["get", "pods", "-o", "json", "-l", "app=web"],
    ["get", "pod", "web-1", "-o", "name"],
    ["get", "deployments", "-o", "yaml"],
    ["get", "secrets"],
    ["get", "secrets", "-o", "yaml"],
    ["get", "nodes"],
    ["get", "ns"],
    ["describe", "pod", "web-1"],
    ["logs", "web-1"],
    ["get", "pods", "--field-selector", "metadata.name=web-1"],
    ["wait", "--for=condition=Ready", "pod/web-1", "--timeout=5s"],
    ["api-resources"],
    ["version"],
    ["get", "pod", "missing"],
    ["exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
  ];
  test.runIf(binary).each(reads.map((args) => [args.join(" "), args] as const))("%s", async (_, args) => {
    const [a, b] = [await direct.run(binary!, args), await gated.run(binary!, args)];
    expect(b.stdout).not.toMatch(hidden);
    expect({ code: b.code, stdout: strip(b.stdout), stderr: strip(b.stderr) }).toEqual({
      code: a.code,
      stdout: strip(a.stdout),
      stderr: strip(a.stderr),
    });
  });

  test.runIf(binary)("writes and their echoes", async () => {
    const name = `m-${version}`;
    const manifest = JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name },
      data: { a: "1" },
    });
    const run = (args: string[], input?: string) =>
      gated.run(binary!, args, input === undefined ? {} : { input });
    expect(await run(["apply", "-f", "-"], manifest)).toMatchObject({ code: 0, stderr: "" });
    expect((await run(["diff", "-f", "-"], manifest.replace('"1"', '"2"'))).stdout).toContain('a: "2"');
    expect(await run(["apply", "-f", "-"], manifest.replace('"1"', '"2"'))).toMatchObject({ code: 0 });
    expect(await run(["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest)).toMatchObject({
      code: 0,
    });
    expect(await run(["scale", "deployment", "web", "--replicas=2"])).toMatchObject({ code: 0 });
    expect(await run(["delete", "configmap", name])).toMatchObject({ code: 0 });
    const secret = `s-${version}`;
    const created = await run([
      "create",
      "secret",
      "generic",
      secret,
      `--from-literal=p=${HIDDEN}`,
      "-o",
      "yaml",
    ]);
    expect(created.code, created.stderr).toBe(0);
    expect(created.stdout).not.toMatch(hidden);
  });

  test.runIf(binary)("stdin, copy and can-i", async () => {
    const cat = await gated.run(binary!, ["exec", "-i", "web-1", "--", "cat"], {
      input: "through the gate\n",
    });
    expect(cat).toMatchObject({ code: 0, stdout: "through the gate\n" });
    expect((await gated.run(binary!, ["auth", "can-i", "list", "pods"])).stdout.trim()).toBe("yes");
    expect((await gated.run(binary!, ["auth", "can-i", "delete", "nodes"])).stdout).toMatch(/^no/);
    expect((await gated.run(binary!, ["auth", "whoami"])).stdout).toContain("tina");
  });

  test.runIf(binary)("refusals name the rule and what would be allowed", async () => {
    const pods = await gated.run(binary!, ["get", "pods", "-n", "billing"]);
    expect(pods.code).not.toBe(0);
    expect(pods.stderr).toMatch(
      /operate does not allow list of pods in namespace billing; it grants -n shop \(NAMESPACE_NOT_GRANTED\) \[tasks\/operate\.yaml:\d+\]/,
    );
    const exec = await gated.run(binary!, ["exec", "web-1", "--", "id"]);
    expect(exec.stderr).toContain("COMMAND_NOT_GRANTED");
    const label = await gated.run(binary!, ["delete", "pod", "db-0", "--wait=false"]);
    expect(label.stderr).toContain("LABELS_NOT_GRANTED");
  });
});

const newest = kubectl("v36") ?? "";

/** A raw request over TLS: what no well-behaved client would send. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(door.url);
    const socket = dialTls(
      { host: "127.0.0.1", port: Number(port), ca: door.ca, servername: "localhost" },
      () => socket.write(text),
    );
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}
const get = (path: string, headers = "", method = "GET", body = "") =>
  raw(
    `${method} /k8s/operate${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${door.token}\r\nConnection: close\r\n${headers}${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
  );

describe("attacks", () => {
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
    expect(await open("/api/v1/namespaces/shop/pods/web-1/exec?command=cat", ["v1.channel.k8s.io"])).toBe(
      400,
    );
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
});
