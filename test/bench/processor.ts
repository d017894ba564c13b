/** Processor time of this process and all below it, from /proc. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** Length of a clock tick, ms (USER_HZ is 100 on every Linux that Node runs on). */
const TICK_MS = 10;
/** Idle means less than this share of a processor, over this time. */
const IDLE_SHARE = 0.15;
const IDLE_MS = 300;
const PATIENCE_MS = 15_000;

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** User and system time so far, ms. */
  readonly ms: number;
}

/** This process and its descendants. */
export function family(root = process.pid): Process[] {
  const all = new Map<number, Process>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const end = stat.lastIndexOf(")");
      const fields = stat.slice(end + 2).split(" ");
      all.set(Number(entry), {
        pid: Number(entry),
        parent: Number(fields[1]),
        name: stat.slice(stat.indexOf("(") + 1, end),
        ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return [...all.values()].filter(({ pid }) => {
    let at: number | undefined = pid;
    while (at !== undefined && at > 1 && at !== root) at = all.get(at)?.parent;
    return at === root;
  });
}

/** Their processor time so far, ms. What ended before is not in it. */
export function familyTime(): number {
  return family().reduce((sum, { ms }) => sum + ms, 0);
}

/** Waits until nothing of ours works any more: what one measurement left to do must not slow the next. */
export async function settled(): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const before = familyTime();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    if (familyTime() - before < IDLE_SHARE * IDLE_MS || performance.now() > end) return;
  }
}
