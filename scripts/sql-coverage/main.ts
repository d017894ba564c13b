/**
 * `npm run sql-coverage`: holds the parser and the gate against PostgreSQL's own regression suite on a real server,
 * and writes docs/sql-coverage.md. `--suite DIR` (or WICKET_REGRESS) names src/test/regress of a PostgreSQL; else
 * it is fetched as Debian's source package. `--only a,b` runs these files (and test_setup); then nothing is written.
 * `--sample N` compares one SELECT of N. All of them take about a quarter of an hour. Exit code 1 when the share of equal answers is below 99.5 %.
 */
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import { report } from "./report.ts";
import { SuiteRun } from "./runner.ts";
import { findSuite, suiteFiles } from "./suite.ts";

const root = join(import.meta.dirname, "..", "..");
const TARGET = 0.995;

function option(name: string): string | null {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : (process.argv[at + 1] ?? null);
}

async function main(): Promise<number> {
  const found = findSuite(root, option("suite") ?? process.env["WICKET_REGRESS"] ?? null);
  // The server reads the data files itself, as another user.
  const folder = mkdtempSync(join(tmpdir(), "wicket-suite-"));
  chmodSync(folder, 0o755);
  cpSync(found.folder, folder, { recursive: true });
  const server = await startPostgres({ max_prepared_transactions: "2", wal_level: "logical" });
  try {
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query("CREATE DATABASE regression TEMPLATE template0");
    const { rows } = await admin.query<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    );
    await admin.end();
    const sample = Number(option("sample") ?? 1);
    const run = new SuiteRun({ ...found, folder }, server.port, await testParser(), sample);
    const only =
      option("only")
        ?.split(",")
        .map((name) => `${name}.sql`) ?? null;
    for (const file of suiteFiles(folder)) {
      if (only && file !== "test_setup.sql" && !only.includes(file)) continue;
      const [statements, started] = [run.findings.statements, performance.now()];
      await run.file(file).catch((error: unknown) => console.error(`${file} was left: ${String(error)}`));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${file}: ${run.findings.statements - statements} statements, ${seconds} s`);
    }
    const { text, share } = report(run.findings, found.origin, rows[0]!.version, sample);
    if (only) console.log(text);
    else writeFileSync(join(root, "docs", "sql-coverage.md"), text);
    console.log(`equal answers: ${(100 * share).toFixed(2)} % (target ${100 * TARGET} %)`);
    return share >= TARGET ? 0 : 1;
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
