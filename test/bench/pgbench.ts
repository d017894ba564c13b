/** pgbench with prepared statements, through the bare relay and enforced. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Address } from "./client.ts";
import { COLUMNS, type Lab, ROWS } from "./lab.ts";
import { settled } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const WAYS = ["relay", "enforced"] as const;
/**
 * Statements of a run, by its clients: a number, not a time, which would begin before the last client is in. Enough that
 * the beginning of the sessions, which is not measured here, does not count.
 */
const STATEMENTS = { 1: 6_000, 8: 24_000 } as const;
const ROUNDS = 3;

export async function pgbench(lab: Lab): Promise<Report> {
  const addresses = { relay: await lab.relay(), enforced: await lab.task("plain") };
  const folder = mkdtempSync(join(tmpdir(), "wicket-bench-"));
  const script = join(folder, "select.sql");
  writeFileSync(script, `\\set id random(1, ${ROWS})\nSELECT ${COLUMNS} FROM accounts WHERE id = :id;\n`);
  const rows: string[][] = [];
  try {
    for (const clients of [1, 8] as const) {
      const values = await interleave(WAYS, ROUNDS, async (way) => {
        await settled();
        return run(addresses[way], script, clients);
      });
      const ratio = ratios(values.enforced, values.relay);
      rows.push([
        `${clients} client${clients > 1 ? "s" : ""}`,
        ...WAYS.map((way) => figure(spread(values[way]).median)),
        ratioText(ratio),
        verdict("≥", 0.9, ratio.median),
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    tables: [{ head: ["pgbench -M prepared", "bare relay, tps", "enforced, tps", "ratio", "target"], rows }],
  };
}

/** Transactions a second, without the time to connect. */
async function run(address: Address, script: string, clients: 1 | 8): Promise<number> {
  const { port, user, database, password = "" } = address;
  const each = String(STATEMENTS[clients] / clients);
  const args = ["-n", "-M", "prepared", "-c", String(clients), "-t", each, "-f", script];
  const { stdout } = await promisify(execFile)(
    "pgbench",
    [...args, "-h", "127.0.0.1", "-p", String(port), "-U", user, database],
    { env: { ...process.env, PGPASSWORD: password }, timeout: 180_000 },
  ).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new Error("pgbench is not installed (Debian: postgresql-contrib)");
  });
  const found = /^tps = ([\d.]+) \(without/m.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`pgbench said: ${stdout}`);
  return Number(found);
}
