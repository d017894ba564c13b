/**
 * `npm run chaos -- --minutes N [--seed S] [--clients C] [--durability strict]`: breaks parts at random under load, on loopback only, mends
 * them, and then proves from PostgreSQL's own statement log that no recording lacks a statement. Ends with code 1
 * when one does. CHAOS_LOG names a file for what the connector says.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { startBridge } from "../support/edge-client.ts";
import type { EdgeLab } from "../support/edge-lab.ts";
import { type Durability, type Parts, startParts } from "./parts.ts";
import { type Proof, prove } from "./proof.ts";

export interface ChaosOptions {
  readonly ms: number;
  readonly seed: number;
  readonly clients: number;
  /** Of the task's recording; `batched` when left out. */
  readonly durability?: Durability;
  /** At least so often a fault, milliseconds. */
  readonly every: number;
  /** Only these faults, in this order, once each before chance decides; all when left out. */
  readonly kinds?: readonly string[];
  /** How long faults last, as a part of what they last otherwise. */
  readonly pace?: number;
  /** So many statements are answered before each fault, so that it hits sessions at work: instead of waiting for `every`. */
  readonly load?: number;
  /** How long recordings may take to become whole afterwards, milliseconds. */
  readonly patience: number;
  say(line: string): void;
}

export interface ChaosReport extends Proof {
  readonly faultsMade: Readonly<Record<string, number>>;
  /** Statements that clients had an answer to. */
  readonly answered: number;
  /** Requests to R2 that failed on purpose. */
  readonly storeFaults: number;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** When clients get no answers for so long, the next fault comes all the same, milliseconds. */
const WORK_MS = 15_000;

/** Load and faults for `ms`, then mending and the proof. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const parts = await startParts(options.durability);
  const load = await startLoad(parts, options.clients);
  try {
    const { made, storeFaults } = await breakThings(parts, load, options);
    await load.stop();
    options.say("mended; waiting for the recordings");
    const proof = await prove(parts, options.patience);
    return { ...proof, faultsMade: made, storeFaults, answered: load.answered() };
  } finally {
    await load.stop();
    await parts.stop();
  }
}

interface Load {
  /** Breaks off one client's connection in the middle of whatever it does. */
  dropOne(): void;
  answered(): number;
  stop(): Promise<void>;
}

async function startLoad(parts: Parts, count: number): Promise<Load> {
  const bridge = await startBridge(parts as unknown as EdgeLab, { task: "chaos", person: "ana" });
  const open = new Set<pg.Client>();
  let next = 0;
  let answered = 0;
  let running = true;
  const work = async (): Promise<void> => {
    while (running) {
      const client = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x", database: "x" });
      client.on("error", () => {});
      try {
        await Promise.race([client.connect(), sleep(20_000).then(() => Promise.reject(new Error("slow")))]);
        open.add(client);
        for (let i = 0; running && i < 60; i++) {
          const tag = `'chaos-${++next}'`;
          const asked =
            i % 3 === 0
              ? client.query(`select ${tag} as tag, id from customers where id < 20`)
              : client.query(`select ${tag} as tag, email from customers where id = $1`, [i]);
          asked.catch(() => {});
          await Promise.race([asked, sleep(15_000).then(() => Promise.reject(new Error("stuck")))]);
          answered += 1;
        }
      } catch {
        await sleep(200);
      } finally {
        open.delete(client);
        void client.end().catch(() => {});
      }
    }
  };
  const workers = Array.from({ length: count }, work);
  return {
    dropOne() {
      const [client] = open;
      (
        client as unknown as { connection: { stream: { destroy(): void } } } | undefined
      )?.connection.stream.destroy();
    },
    answered: () => answered,
    async stop() {
      running = false;
      await bridge.stop();
      await Promise.allSettled(workers);
    },
  };
}

async function breakThings(
  parts: Parts,
  load: Load,
  options: ChaosOptions,
): Promise<{ made: Record<string, number>; storeFaults: number }> {
  const { pace = 1 } = options;
  const random = seeded(options.seed);
  const between = (from: number, to: number): number => from + random() * (to - from);
  const lasting = (from: number, to: number): number => pace * between(from, to);
  let storeFaults = 0;
  const storeIsFine = async (): Promise<void> => {
    storeFaults += await parts.store("fine");
  };
  const forAWhile = async (begin: () => unknown, [from, to]: [number, number]): Promise<void> => {
    await begin();
    await sleep(lasting(from, to));
  };
  const kinds: Readonly<Record<string, () => Promise<void> | void>> = {
    async "connector killed"() {
      await parts.killConnector();
      await sleep(lasting(0, 500));
      await parts.startConnector();
    },
    async "edge killed"() {
      await parts.killEdge();
      await sleep(lasting(0, 500));
      await parts.startEdge();
    },
    async "both killed"() {
      await Promise.all([parts.killEdge(), parts.killConnector()]);
      await parts.startEdge();
      await parts.startConnector();
    },
    async "both killed, network cut"() {
      parts.network(false);
      await Promise.all([parts.killConnector(), parts.killEdge()]);
      await parts.startEdge();
      const started = parts.startConnector();
      await sleep(lasting(200, 3_000));
      parts.network(true);
      await started;
    },
    async "network cut"() {
      parts.network(false);
      await sleep(lasting(200, 3_000));
      parts.network(true);
    },
    "connector paused": () => parts.pauseConnector(lasting(100, 2_000)),
    "client gone": () => load.dropOne(),
    async "R2 fails"() {
      await forAWhile(() => parts.store("errors"), [500, 3_000]);
      await storeIsFine();
    },
    async "R2 hangs"() {
      await forAWhile(() => parts.store("hangs"), [500, 3_000]);
      await storeIsFine();
    },
    async "R2's answers are lost or cut"() {
      await forAWhile(() => parts.store("lost"), [500, 2_000]);
      await forAWhile(() => parts.store("cut"), [200, 1_000]);
      await storeIsFine();
    },
    async "disk slow"() {
      await forAWhile(() => parts.host({ disk: "slow" }), [500, 2_000]);
      parts.host({});
    },
    async "disk full"() {
      await forAWhile(() => parts.host({ disk: "full" }), [200, 2_000]);
      parts.host({});
    },
    async "clock back"() {
      // By less than a token lives, or by much more.
      const back = random() < 0.5 ? between(1_000, 20_000) : between(60_000, 3_600_000);
      await forAWhile(() => parts.host({ clock: -Math.round(back) }), [500, 3_000]);
      parts.host({});
    },
  };
  const names = options.kinds ?? Object.keys(kinds);
  const made: Record<string, number> = {};
  const end = Date.now() + options.ms;
  /** Waits for the time, or for the work, between two faults. */
  const atWork = async (): Promise<void> => {
    if (options.load === undefined) return sleep(between(options.every / 2, options.every));
    const enough = load.answered() + options.load;
    const late = Date.now() + WORK_MS;
    while (load.answered() < enough && Date.now() < late) await sleep(20);
  };
  // Each kind once before chance decides: a short run has them all.
  const queue = options.kinds ? [...names] : [...names].sort(() => random() - 0.5);
  while (Date.now() < end || queue.length > 0) {
    await atWork();
    const name = queue.shift() ?? names[Math.floor(random() * names.length)]!;
    options.say(`${name} (${load.answered()} statements answered)`);
    await kinds[name]!();
    made[name] = (made[name] ?? 0) + 1;
  }
  await atWork();
  return { made, storeFaults };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      clients: { type: "string", default: "6" },
      durability: { type: "string", default: "batched" },
    },
  });
  const [minutes, seed, clients] = [Number(values.minutes), Number(values.seed), Number(values.clients)];
  const { durability } = values;
  const known = durability === "batched" || durability === "strict";
  if (
    !known ||
    !(minutes > 0 && minutes <= 600) ||
    !Number.isSafeInteger(seed) ||
    !(clients > 0 && clients <= 100)
  ) {
    console.error(
      "npm run chaos -- --minutes N (to 600) --seed S --clients C (to 100) --durability batched|strict",
    );
    process.exit(2);
  }
  console.log(`chaos for ${minutes} minutes, seed ${seed}, ${clients} clients, ${durability}`);
  const began = Date.now();
  const say = (line: string): void =>
    console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const report = await runChaos({
    ...{ ms: minutes * 60_000, seed, clients, durability, every: 4_000, patience: 60_000, say },
  });
  const { sessions, reached, recorded, answered, faults, faultsMade, storeFaults } = report;
  console.log(JSON.stringify(faultsMade));
  console.log(`${storeFaults} requests to R2 failed on purpose; ends: ${JSON.stringify(report.ends)}`);
  console.log(
    `${sessions} sessions; ${answered} statements answered, ${reached} reached the database, ${recorded} are recorded`,
  );
  console.log(
    `${report.verified} recordings exported and verified, ${report.gaps} of them with a stated gap`,
  );
  for (const fault of faults) console.log(`FAULT ${fault}`);
  console.log(
    faults.length === 0
      ? "PASS: every statement that reached the database is recorded, in order, once"
      : "FAIL",
  );
  process.exit(faults.length === 0 ? 0 : 1);
}
