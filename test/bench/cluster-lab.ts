/** A cluster of 5,000 pods behind the cluster door, and behind a bare relay of the same hops. */
import { request } from "node:https";
import { kubeTask, rule } from "../../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "../apiserver/door.ts";
import { kinds } from "../apiserver/kinds.ts";
import { startApiServer } from "../apiserver/server.ts";
import type { Lab } from "./lab.ts";

const PODS = 5000;
export const PODS_PATH = "/api/v1/namespaces/load/pods";
export const WAYS = ["relay", "plain", "masked"] as const;
export type Way = (typeof WAYS)[number];
/** What exec prints, about 7 MB. */
export const LINES = 1_000_000;

/** What one request took, ms. */
export interface Timed {
  readonly first: number;
  readonly total: number;
}

/** Where a way's requests go. */
export const room = (way: Way) => (way === "relay" ? "/relay/relay" : `/k8s/${way}`);

/** Starts the API server, and gives what starts an edge in front of it. */
export async function startCluster(lab: Lab): Promise<() => Promise<Door>> {
  const api = await startApiServer();
  lab.stops.add(() => api.close());
  const kind = kinds.find(({ kind }) => kind === "Pod")!;
  for (let i = 0; i < PODS; i++) api.store.put(kind, pod(i), false);
  const reads = { resources: ["pods"], verbs: ["get", "list", "watch"], namespaces: ["load"] } as const;
  const runs = rule({
    ...{ resources: ["pods/exec"], verbs: ["exec"], namespaces: ["load"], commands: ["echo *", "seq *"] },
  });
  const mask = { "spec.containers[*].env[*].value": { kind: "constant", value: "hidden" } } as const;
  const tasks = {
    plain: kubeTask([rule(reads), runs]),
    masked: kubeTask([rule({ ...reads, mask })]),
    relay: kubeTask([]),
  };
  const target = {
    ...{ url: api.url, ca: api.ca, impersonate: true },
    credential: () => [["authorization", `Bearer ${api.token}`]] as const,
  };
  return () => startDoor(tasks, { plain: target, masked: target, relay: target });
}

/** A pod of about 2 KB. */
function pod(i: number): object & { kind: string; apiVersion: string; metadata: object } {
  const env = Array.from({ length: 12 }, (_, n) => ({ name: `SETTING_${n}`, value: `value-${i}-${n}` }));
  const managedFields = Array.from({ length: 2 }, () => ({
    manager: "kubelet",
    fieldsV1: { "f:status": { "f:conditions": {}, "f:phase": {}, "f:podIP": {} } },
  }));
  const conditions = ["Ready", "Initialized", "PodScheduled"].map((type) => ({
    ...{ type, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" },
  }));
  const name = `load-${String(i).padStart(5, "0")}`;
  const resources = { limits: { cpu: "1", memory: "1Gi" } };
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, namespace: "load", labels: { app: "load", index: String(i) }, managedFields },
    ...{
      spec: {
        containers: [{ name: "main", image: "registry.example/app:1.0", env, resources }],
        nodeName: "node-1",
      },
      status: { phase: "Running", podIP: "10.0.0.1", conditions },
    },
  };
}

/** Asks for a path and reads the answer to its end. */
export function load(door: Door, path: string): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const headers = { authorization: `Bearer ${door.token}`, accept: "application/json" };
    const asked = request(door.url + path, { ca: door.ca, headers }, (response) => {
      let first = 0;
      if (response.statusCode !== 200) reject(new Error(`${path} was answered ${response.statusCode}`));
      response.on("data", () => {
        first ||= performance.now() - start;
      });
      response.on("end", () => resolve({ first, total: performance.now() - start }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}
