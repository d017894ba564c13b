/**
 * Throughput and first byte of the cluster door against a bare relay of the same hops (the same channel and
 * connector, no decision and no masking). Run: `node test/bench/kubernetes.ts`. Prints one JSON line a case.
 */
import { request } from "node:https";
import { kubeTask, rule } from "../../policies/kubernetes/task.fixture.ts";
import { startDoor } from "../apiserver/door.ts";
import { kinds } from "../apiserver/kinds.ts";
import { startApiServer } from "../apiserver/server.ts";

const PODS = 5000;
const ROUNDS = 7;

const api = await startApiServer();
const pod = kinds.find(({ kind }) => kind === "Pod")!;
for (let i = 0; i < PODS; i++) {
  const env = Array.from({ length: 12 }, (_, n) => ({ name: `SETTING_${n}`, value: `value-${i}-${n}` }));
  const managedFields = Array.from({ length: 2 }, () => ({
    manager: "kubelet",
    fieldsV1: { "f:status": { "f:conditions": {}, "f:phase": {}, "f:podIP": {} } },
  }));
  const conditions = ["Ready", "Initialized", "PodScheduled"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  }));
  api.store.put(
    pod,
    {
      kind: "Pod",
      apiVersion: "v1",
      metadata: {
        name: `load-${String(i).padStart(5, "0")}`,
        namespace: "load",
        labels: { app: "load", index: String(i) },
        managedFields,
      },
      spec: {
        containers: [
          {
            name: "main",
            image: "registry.example/app:1.0",
            env,
            resources: { limits: { cpu: "1", memory: "1Gi" } },
          },
        ],
        nodeName: "node-1",
      },
      status: { phase: "Running", podIP: "10.0.0.1", conditions },
    },
    false,
  );
}
const reads = { resources: ["pods"], verbs: ["get", "list", "watch"], namespaces: ["load"] } as const;
const tasks = {
  plain: kubeTask([rule(reads)]),
  masked: kubeTask([
    rule({ ...reads, mask: { "spec.containers[*].env[*].value": { kind: "constant", value: "hidden" } } }),
  ]),
  relay: kubeTask([]),
};
const target = {
  url: api.url,
  ca: api.ca,
  credential: () => [["authorization", `Bearer ${api.token}`]] as const,
  impersonate: true,
};
const door = await startDoor(tasks, { plain: target, masked: target, relay: target });

function load(path: string): Promise<{ first: number; total: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const asked = request(
      door.url + path,
      { ca: door.ca, headers: { authorization: `Bearer ${door.token}`, accept: "application/json" } },
      (response) => {
        let first = 0;
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          first ||= performance.now() - start;
          bytes += chunk.length;
        });
        response.on("end", () => resolve({ first, total: performance.now() - start, bytes }));
        response.on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
for (const [name, path] of [
  ["get", "/api/v1/namespaces/load/pods/load-00000"],
  ["list 5,000", "/api/v1/namespaces/load/pods"],
] as const) {
  const figures: Record<string, { firstMs: number; totalMs: number; mbPerS: number }> = {};
  for (const way of ["relay", "plain", "masked"]) {
    const room = way === "relay" ? "/relay/relay" : `/k8s/${way}`;
    await load(room + path);
    const runs: Awaited<ReturnType<typeof load>>[] = [];
    for (let i = 0; i < ROUNDS; i++) runs.push(await load(room + path));
    const total = median(runs.map((run) => run.total));
    figures[way] = {
      firstMs: Math.round(median(runs.map((run) => run.first)) * 10) / 10,
      totalMs: Math.round(total * 10) / 10,
      mbPerS: Math.round((runs[0]!.bytes / total / 1000) * 10) / 10,
    };
  }
  const ratio = (way: string) => Math.round((figures["relay"]!.totalMs / figures[way]!.totalMs) * 100) / 100;
  console.log(
    JSON.stringify({ case: name, ...figures, ratioPlain: ratio("plain"), ratioMasked: ratio("masked") }),
  );
}
await door.close();
await api.close();
