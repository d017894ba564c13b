/** For attacks on the doors for clusters: the whole system as it is deployed, and a hostile API server behind it. */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import WebSocket from "ws";
import { makeCertificates } from "../../wire/certificate.ts";
import { type KubeHome, kubectl, kubeHome } from "../apiserver/kubectl.ts";
import { HIDDEN } from "../apiserver/seed.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { operateTask, startEcho } from "./kubectl-commands.ts";

export const newest = kubectl("v36");
if (newest === null) console.log("kubectl is not installed: nothing is proved of it");
/** What no task shows. */
export const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
export let cluster: Cluster;
let echo: Awaited<ReturnType<typeof startEcho>>;
let hostile: Server;
let hostileHome: KubeHome;
/** What the hostile API server was asked, and what it got after its answers. */
export const hostility = { asked: [] as string[], after: "" };

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

/** Starts the system, a cluster, and a hostile API server behind the resource `hostile`. */
export async function startAttackLab(): Promise<void> {
  echo = await startEcho();
  const made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  hostile = createServer({ cert: made.certificate, key: made.key }, (request, response) => {
    hostility.asked.push(request.url ?? "");
    response.writeHead(302, { location: "https://169.254.169.254/latest" }).end();
  });
  // Answers upgrades with everything but a 101, keeps the connection open, and hopes for bytes.
  hostile.on("upgrade", (request, socket) => {
    hostility.asked.push(request.url ?? "");
    const found = /command=(\w+)/.exec(request.url ?? "")?.[1];
    socket.on("data", (bytes) => {
      hostility.after += String(bytes);
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
}

/** Stops all of it. */
export async function stopAttackLab(): Promise<void> {
  await cluster?.close();
  hostileHome?.close();
  hostile?.closeAllConnections();
  hostile?.close();
  echo?.close();
}

/** The headers of a person under a task. */
export const head = (task = "operate", person = "tina") =>
  `Authorization: Bearer ${cluster.system.people[person]}\r\nWicket-Task: ${task}\r\n`;

/** What no well-behaved client would send, over TLS. Resolves when the edge closes, or after `ms` of silence. */
export function raw(text: string, ms = 3000): Promise<string> {
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
/** A GET of the cluster, raw. */
export const get = (path: string, headers = "") =>
  raw(
    `GET /k8s/prod-cluster${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head()}${headers}Connection: close\r\n\r\n`,
  );
export const pods = "/api/v1/namespaces/shop/pods";
/** Requests that the cluster has seen. */
export const count = () => cluster.api.seen.length;

/** A stream as a program opens it: the socket, or the status of the refusal. */
export function stream(
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
/** The headers of tina under a task. */
export const tina = (task: string) => ({
  authorization: `Bearer ${cluster.system.people["tina"]}`,
  "wicket-task": task,
});
export const execPath = (resource: string, command: string) =>
  `/k8s/${resource}${pods}/web-1/exec?command=${command}&stdin=true&stdout=true`;
