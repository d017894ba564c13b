/** What a client that stops reading in the middle of a large result costs the edge. */
import { readFileSync } from "node:fs";
import { BenchClient, simple } from "./client.ts";
import { COLUMNS, type Lab } from "./lab.ts";
import { family, settled } from "./processor.ts";
import { figure, type Report, verdict } from "./report.ts";
import { spread } from "./statistics.ts";

const ROUNDS = 3;
const PAUSED_MS = 2_500;
const MIB = 1024 * 1024;

export async function memory(lab: Lab): Promise<Report> {
  const system = await lab.system();
  const address = await lab.task("plain");
  const pid = workerdOf(system.process.pid!);
  const query = simple(`SELECT ${COLUMNS} FROM accounts`);
  const grown: number[] = [];
  const waiting: number[] = [];
  // The runtime's heap finds its size on a result that is read to its end.
  const warm = await BenchClient.open(address);
  for (let i = 0; i < 2; i++) await warm.request(query);
  warm.close();
  for (let round = 0; round < ROUNDS; round++) {
    const client = await BenchClient.open(address);
    await client.request(simple("SELECT 1"));
    await settled();
    const before = resident(pid);
    const reading = client.request(query).catch(() => null);
    await sleep(100);
    client.pause();
    await sleep(PAUSED_MS);
    grown.push((resident(pid) - before) / MIB);
    waiting.push((await waitingAtEdge(lab)) / MIB);
    client.close();
    await reading;
  }
  const most = Math.max(...waiting);
  const rss = spread(grown);
  return {
    tables: [
      {
        head: ["a client pauses in a result of a million rows", "MiB", "target"],
        rows: [
          ["bytes that wait at the edge for it, most seen", figure(most), verdict("<", 2, most, " MiB")],
          [
            "growth of the edge's resident memory, median (least, most)",
            `${figure(rss.median)} (${figure(rss.min)}, ${figure(rss.max)})`,
            verdict("<", 2, rss.median, " MiB"),
          ],
        ],
      },
    ],
  };
}

/** Sum over the open sessions of what the edge holds. */
async function waitingAtEdge(lab: Lab): Promise<number> {
  const system = await lab.system();
  const { body } = await system.api("ben", "/api/sessions?open");
  let most = 0;
  for (const { id } of body.sessions as { id: string }[]) {
    const { waiting } = (await system.api("ben", `/api/sessions/${id}`)).body;
    if (waiting) most = Math.max(most, waiting.gate + waiting.client + waiting.connector);
  }
  return most;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resident memory of a process, bytes. Linux only. */
export function resident(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found![1]) * 1024;
}

/** The workerd process below a process. */
export function workerdOf(root: number): number {
  const all = family(root).filter(({ name }) => name === "workerd");
  // Its own, before that of a system that it started.
  const found = all.find(({ parent }) => parent === root) ?? all[0];
  if (!found) throw new Error("the edge's process was not found");
  return found.pid;
}
