/**
 * The checks that are not tests: formatter and linter, types, generated references, and a dry run of the deployment.
 * Prints one line a check; exit code 1 when any failed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

const checks: { name: string; script: string; args: string[] }[] = [
  { name: "format and lint", script: "node_modules/@biomejs/biome/bin/biome", args: ["ci", "."] },
  { name: "types", script: "node_modules/typescript/bin/tsc", args: ["-p", "."] },
  {
    name: "types of the console's scripts",
    script: "node_modules/typescript/bin/tsc",
    args: ["-p", "worker/console/browser"],
  },
  { name: "reference of audit events", script: "scripts/generate-audit.ts", args: ["--check"] },
  { name: "table of attacks", script: "scripts/threats/main.ts", args: ["--check"] },
  {
    name: "deployment dry run",
    script: "node_modules/wrangler/bin/wrangler.js",
    args: ["deploy", "--dry-run", "--outdir", "dist/worker"],
  },
];

let failed = 0;
for (const check of checks) {
  const run = spawnSync(process.execPath, [join(root, check.script), ...check.args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
  });
  const ok = run.status === 0;
  if (!ok) {
    failed += 1;
    process.stdout.write(run.stdout ?? "");
    process.stderr.write(run.stderr ?? "");
  }
  console.log(`${ok ? "ok" : "FAILED"}: ${check.name}`);
}
process.exitCode = failed === 0 ? 0 : 1;
