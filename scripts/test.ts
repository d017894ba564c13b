/**
 * Runs every test and ends with one plain line `N passed, N failed` (`, N skipped` when there are any,
 * each named with its reason above it). Exit code 0 only when nothing failed and something ran.
 * Arguments are passed to vitest, e.g. `npm test -- --project node wire`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numFailedTestSuites: number;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { fullName: string; status: string; meta?: { reason?: string } }[];
  }[];
}

const root = join(import.meta.dirname, "..");
const reportFile = join(root, "build", "test-report.json");

function main(): number {
  mkdirSync(join(root, "build"), { recursive: true });
  rmSync(reportFile, { force: true });
  console.log(`Node ${process.versions.node}`);
  const run = spawnSync(
    process.execPath,
    [
      join(root, "node_modules", "vitest", "vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportFile}`,
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" } },
  );
  let report: VitestReport;
  try {
    report = JSON.parse(readFileSync(reportFile, "utf8")) as VitestReport;
  } catch (cause) {
    console.error(`The test runner left no report (exit code ${run.status}): ${String(cause)}`);
    console.log("0 passed, 1 failed");
    return 1;
  }
  // A file that fails to load has no assertions of its own: count it, or it would vanish from the sum.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((one) => one.status === "failed"),
  );
  for (const file of broken) console.log(`failed to run: ${file.name}: ${file.message ?? ""}`);
  const skipped = report.testResults.flatMap((file) =>
    file.assertionResults
      .filter((one) => one.status !== "passed" && one.status !== "failed")
      .map((one) => `${file.name.slice(root.length + 1)}: ${one.fullName}`),
  );
  for (const name of skipped) console.log(`skipped: ${name}`);
  const failed = report.numFailedTests + broken.length;
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
  console.log(`${report.numPassedTests} passed, ${failed} failed${tail}`);
  return failed === 0 && run.status === 0 && report.numPassedTests > 0 ? 0 : 1;
}

process.exitCode = main();
