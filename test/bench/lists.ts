/**
 * A list of 5,000 pods through the cluster door and through a bare relay: the processor time of all hops together, which
 * others on the machine disturb less than the clock's, and what it costs the edge's memory.
 */
import { request } from "node:https";
import type { Door } from "../apiserver/door.ts";
import { load, PODS_PATH, room, startCluster, WAYS, type Way } from "./cluster-lab.ts";
import type { Lab } from "./lab.ts";
import { resident } from "./memory.ts";
import { family } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const ROUNDS = 25;
const TARGET = 0.8;
const MIB = 1024 * 1024;
/** How long a client reads nothing. */
const PAUSED_MS = 2000;

export async function lists(lab: Lab): Promise<Report> {
  const open = await startCluster(lab);
  // Each in an edge of its own: what other answers have left behind would hide what a list takes.
  const memory = { relay: await memoryOf(open, "relay"), masked: await memoryOf(open, "masked") };
  const door = await open();
  lab.stops.add(() => door.close());
  for (const way of [...WAYS, ...WAYS, ...WAYS]) await load(door, room(way) + PODS_PATH);
  const edge = () => family().reduce((sum, { ms, name }) => sum + (name === "workerd" ? ms : 0), 0);
  const others = () => family().reduce((sum, { ms, name }) => sum + (name === "workerd" ? 0 : ms), 0);
  const atEdge: Record<Way, number[]> = { relay: [], plain: [], masked: [] };
  const all = await interleave(WAYS, ROUNDS, async (way) => {
    const before = { edge: edge(), others: others() };
    await load(door, room(way) + PODS_PATH);
    const spent = edge() - before.edge;
    atEdge[way].push(spent);
    return spent + others() - before.others;
  });
  const middle = (values: readonly number[]) => spread(values).median;
  const ratio = (way: Way) => middle(all.relay) / middle(all[way]);
  const names = { relay: "bare relay", plain: "the door", masked: "the door, masked" };
  return {
    tables: [
      {
        head: [
          "processor time of a list of 5,000 pods, 7 MB, median",
          "edge, ms",
          "all hops, ms",
          "relay ÷ door, all hops",
          "target",
        ],
        rows: WAYS.map((way) => [
          names[way],
          figure(middle(atEdge[way])),
          figure(middle(all[way])),
          way === "relay" ? "" : `${figure(ratio(way))}, pairs: ${ratioText(ratios(all.relay, all[way]))}`,
          way === "relay" ? "" : verdict("≥", TARGET, ratio(way)),
        ]),
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
            ...[figure(memory.relay.lists), figure(memory.masked.lists)],
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
    ],
  };
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
