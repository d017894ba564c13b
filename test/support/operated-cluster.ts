/** The cluster door with the task `operate` and two others, and homes for kubectl on either side of it. */
import { createServer } from "node:net";
import { connect as dialTls } from "node:tls";
import { compileLibrary } from "../../policies/compile.ts";
import { hasError, problemText } from "../../policies/problem.ts";
import { type Door, startDoor } from "../apiserver/door.ts";
import { type KubeHome, kubeHome } from "../apiserver/kubectl.ts";
import { HIDDEN } from "../apiserver/seed.ts";
import { type ApiServer, startApiServer } from "../apiserver/server.ts";

/** What the tasks hide, as it is and in base64. */
export const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);

export interface OperatedCluster {
  readonly api: ApiServer;
  readonly door: Door;
  /** With the cluster's own credential. */
  readonly direct: KubeHome;
  /** Under `operate`. */
  readonly gated: KubeHome;
  /** A port that `operate` lets be forwarded: it answers what it is sent. */
  readonly echoPort: number;
  /** A raw request over TLS: what no well-behaved client would send. */
  raw(text: string): Promise<string>;
  /** A raw request to a path under `operate`. */
  get(path: string, headers?: string, method?: string, body?: string): Promise<string>;
  close(): Promise<void>;
}

const head = (name: string) => `version: 1
task: ${name}
description: test
owner: test
who: { groups: [support] }
resource: cluster
`;

/** What the tests run under: the file as a person would write it. */
function tasks(echoPort: number) {
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

export async function startOperatedCluster(): Promise<OperatedCluster> {
  const echo = createServer((socket) => socket.on("data", (bytes) => socket.end(`echo ${bytes}`)));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const echoPort = (echo.address() as { port: number }).port;
  const api = await startApiServer();
  const target = {
    url: api.url,
    ca: api.ca,
    credential: () => [["authorization", `Bearer ${api.token}`]] as const,
    impersonate: true,
  };
  const door = await startDoor(tasks(echoPort), { operate: target, blind: target, revoked: target });
  const direct = kubeHome(api.url, api.ca, { token: api.token });
  const gated = kubeHome(`${door.url}/k8s/operate`, door.ca, { token: door.token });
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
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
  return {
    ...{ api, door, direct, gated, echoPort, raw },
    get: (path, headers = "", method = "GET", body = "") =>
      raw(
        `${method} /k8s/operate${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${door.token}\r\nConnection: close\r\n${headers}${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
      ),
    async close() {
      direct.close();
      gated.close();
      await door.close();
      await api.close();
      echo.close();
    },
  };
}
