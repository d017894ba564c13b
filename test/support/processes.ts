/** Processes of this machine, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** The process below `pid` that runs the program. */
export function descendant(pid: number, program: string): number | null {
  const parents = new Map<number, number>();
  const names = new Map<number, string>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const close = stat.lastIndexOf(")");
      names.set(Number(entry), stat.slice(stat.indexOf("(") + 1, close));
      parents.set(Number(entry), Number(stat.slice(close + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  for (const [child, name] of names) {
    if (name !== program) continue;
    for (let at: number | undefined = child; at !== undefined && at > 1; at = parents.get(at)) {
      if (at === pid) return child;
    }
  }
  return null;
}
