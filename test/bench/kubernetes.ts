/**
 * The cluster door against a bare relay of the same hops: the same Worker, object, channel and connector, with no
 * decision, no mask and no record (test/apiserver/door-worker.ts). The API server is this repository's stand-in.
 */
import { request } from "node:https";
import WebSocket from "ws";
import { kubeTask, rule } from "../../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "../apiserver/door.ts";
import { kinds } from "../apiserver/kinds.ts";
import { startApiServer } from "../apiserver/server.ts";
import { admission } from "./admission.ts";
import type { Lab } from "./lab.ts";
import { resident } from "./memory.ts";
import { family, familyTime } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const PODS = 5000;
const PODS_PATH = "/api/v1/namespaces/load/pods";
const WAYS = ["relay", "plain", "masked"] as const;
type Way = (typeof WAYS)[number];
const TARGET = 0.8;
const MIB = 1024 * 1024;
/** How long a client reads nothing. */
const PAUSED_MS = 2000;
/** What exec prints, about 7 MB. */
const LINES = 1_000_000;

/** What one request took, ms. */
interface Timed {
  readonly first: number;
  readonly total: number;
}

export async function kubernetes(lab: Lab): Promise<Report> {
  const admitted = await admission();
  const open = await start(lab);
  // Each in an edge of its own: what other answers have left behind would hide what a list takes.
  const memory = { relay: await memoryOf(open, "relay"), masked: await memoryOf(open, "masked") };
  const door = await open();
  lab.stops.add(() => door.close());
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
        head: [
          "growth of the edge's resident memory, from a cold start",
          "bare relay, MiB",
          "masked, MiB",
          "target",
        ],
        rows: [
          [
            "three lists of 5,000 pods, at most",
            figure(memory.relay.lists),
            figure(memory.masked.lists),
            verdict("<", 32, memory.masked.lists, " MiB"),
          ],
          ["another one, at most", figure(memory.relay.another), figure(memory.masked.another), ""],
          [
            "another one, whose client stops reading",
            figure(memory.relay.paused),
            figure(memory.masked.paused),
            "",
          ],
        ],
      },
      admitted,
    ],
  };
}

const room = (way: Way) => (way === "relay" ? "/relay/relay" : `/k8s/${way}`);

/** Starts the API server, and gives what starts an edge in front of it. */
async function start(lab: Lab): Promise<() => Promise<Door>> {
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

/** How much the edge's resident memory grows, MiB. */
interface Growth {
  /** In three lists that are read as fast as they come. */
  readonly lists: number;
  /** In another one after those. */
  readonly another: number;
  /** While the client of another one has stopped reading. */
  readonly paused: number;
}

/** In an edge of its own that has answered nothing but one small request. */
async function memoryOf(open: () => Promise<Door>, way: Way): Promise<Growth> {
  const before = new Set(family().map(({ pid }) => pid));
  const door = await open();
  try {
    const edge = family().find(({ pid, name }) => name === "workerd" && !before.has(pid))!.pid;
    const path = room(way) + PODS_PATH;
    await load(door, `${path}/load-00000`);
    const lists = await grown(edge, async () => {
      for (let i = 0; i < 3; i++) await load(door, path);
    });
    const another = await grown(edge, () => load(door, path));
    return { lists, another, paused: await grown(edge, () => pause(door, path)) };
  } finally {
    await door.close();
  }
}

/** The most that a process's resident memory grows meanwhile, MiB. */
async function grown(pid: number, work: () => Promise<unknown>): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = resident(pid);
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, resident(pid));
  }, 5);
  await work();
  clearInterval(look);
  return (most - before) / MIB;
}

/** Asks for a list, reads none of it for a while, and goes away. */
function pause(door: Door, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${door.token}` };
    const asked = request(door.url + path, { ca: door.ca, headers, agent: false }, (response) => {
      response.pause();
      response.on("error", () => {});
      setTimeout(() => {
        asked.destroy();
        resolve();
      }, PAUSED_MS);
    });
    asked.on("error", reject);
    asked.end();
  });
}
