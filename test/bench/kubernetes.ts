/**
 * The cluster door against a bare relay of the same hops: the same Worker, object, channel and connector, with no
 * decision, no mask and no record (test/apiserver/door-worker.ts). The API server is this repository's stand-in.
 */
import { request } from "node:https";
import WebSocket from "ws";
import { kubeTask, rule } from "../../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "../apiserver/door.ts";
import { kinds } from "../apiserver/kinds.ts";
import { type ApiServer, startApiServer } from "../apiserver/server.ts";
import { admission } from "./admission.ts";
import type { Lab } from "./lab.ts";
import { resident, workerdOf } from "./memory.ts";
import { familyTime } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const PODS = 5000;
const PODS_PATH = "/api/v1/namespaces/load/pods";
const WAYS = ["relay", "plain", "masked"] as const;
type Way = (typeof WAYS)[number];
const TARGET = 0.8;
const MIB = 1024 * 1024;
/** What exec prints, about 7 MB. */
const LINES = 1_000_000;

/** What one request took, ms. */
interface Timed {
  readonly first: number;
  readonly total: number;
}

export async function kubernetes(lab: Lab): Promise<Report> {
  const admitted = await admission();
  const { api, door } = await start(lab);
  const room = (way: Way) => (way === "relay" ? "/relay/relay" : `/k8s/${way}`);
  // First of all: what other answers have left behind would hide what a list takes.
  await load(door, `/k8s/masked${PODS_PATH}/load-00000`);
  const cold = await memoryOfList(door, "/relay/relay");
  const memory = await memoryOfList(door, "/k8s/masked");
  const rows: string[][] = [];
  const compare = async (
    name: string,
    ways: readonly Way[],
    rounds: number,
    what: keyof Timed,
    run: (way: Way) => Promise<Timed>,
  ): Promise<void> => {
    for (const way of ways) await run(way);
    const spent = { relay: 0, plain: 0, masked: 0 };
    const times = await interleave(ways, rounds, async (way) => {
      const before = familyTime();
      const time = (await run(way))[what];
      spent[way] += familyTime() - before;
      return time;
    });
    for (const way of ways.slice(1)) {
      // Of speeds: the relay's time over the door's.
      const ratio = ratios(times.relay, times[way]);
      rows.push([
        name + (way === "masked" ? ", masked" : ""),
        figure(spread(times.relay).median),
        figure(spread(times[way]).median),
        ratioText(ratio),
        verdict("≥", TARGET, ratio.median),
        figure(spent.relay / spent[way]),
      ]);
    }
  };
  const get = (path: string) => (way: Way) => load(door, room(way) + path);
  await compare("get a pod", WAYS, 25, "total", get(`${PODS_PATH}/load-00000`));
  await compare("list 5,000 pods, first byte", WAYS, 7, "first", get(PODS_PATH));
  await compare("list 5,000 pods, all of it", WAYS, 9, "total", get(PODS_PATH));
  // Each watch ends by itself, after a second.
  await compare("watch, first event", WAYS, 7, "first", (way) =>
    load(
      door,
      `${room(way)}${PODS_PATH}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dload-00000`,
    ),
  );
  const exec = (command: string) => (way: Way) => execute(door, room(way), command);
  await compare("exec, first byte", ["relay", "plain"], 11, "first", exec("command=echo&command=hello"));
  await compare("exec, 7 MB of output", ["relay", "plain"], 5, "total", exec(`command=seq&command=${LINES}`));
  void api;
  return {
    tables: [
      {
        head: [
          "request",
          "bare relay, ms",
          "the door, ms",
          "speed ÷ relay's",
          "target",
          "processor time, relay's ÷",
        ],
        rows,
      },
      {
        head: ["most growth of the edge's resident memory", "MiB", "target"],
        rows: [
          ["three lists of 5,000 pods through the bare relay, from a cold start", figure(cold), ""],
          ["then three masked ones", figure(memory), verdict("<", 32, memory, " MiB")],
        ],
      },
      admitted,
    ],
  };
}

async function start(lab: Lab): Promise<{ api: ApiServer; door: Door }> {
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
  const door = await startDoor(tasks, { plain: target, masked: target, relay: target });
  lab.stops.add(() => door.close());
  return { api, door };
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

function load(door: Door, path: string): Promise<Timed> {
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

/** Runs a command in a pod and reads its output to the end. */
function execute(door: Door, room: string, command: string): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const url = `${door.url.replace("https", "wss")}${room}${PODS_PATH}/load-00000/exec?${command}&stdout=true`;
    const socket = new WebSocket(url, ["v5.channel.k8s.io"], {
      ...{ ca: door.ca, headers: { authorization: `Bearer ${door.token}` }, perMessageDeflate: false },
    });
    let first = 0;
    let succeeded = false;
    socket.on("message", (data: Buffer) => {
      if (data[0] === 1 && data.length > 1) first ||= performance.now() - start;
      if (data[0] === 3) succeeded = data.toString().includes("Success");
    });
    socket.on("error", reject);
    // The status is the last word; the close that follows it is the transport's.
    socket.on("message", (data: Buffer) => {
      if (data[0] !== 3) return;
      const total = performance.now() - start;
      socket.close();
      if (succeeded) resolve({ first, total });
      else reject(new Error(`exec ended with ${data.toString()}`));
    });
  });
}

/** Reads a list as fast as it comes and looks at the edge's memory meanwhile. MiB. */
async function memoryOfList(door: Door, room: string): Promise<number> {
  const pid = workerdOf(process.pid);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = resident(pid);
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, resident(pid));
  }, 5);
  for (let i = 0; i < 3; i++) await load(door, room + PODS_PATH);
  clearInterval(look);
  return (most - before) / MIB;
}
