/**
 * A second adversary's statements, one a line in test/support/statements: nothing of `second-leaks` that is let through
 * differs on two databases that differ in what is hidden, holds a hidden value, or is unequal to the masked copy; all of
 * `second-legit` is let through, and equal to the masked copy.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANARY, type Database, type Transcript } from "../../test/support/corpus.ts";
import { corpusObstacle, corpusServers, startCorpusDatabases } from "../../test/support/corpus-databases.ts";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import { KeptSessions, SqlLab } from "../../test/support/sql-lab.ts";

const obstacle = corpusObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

const folder = join(import.meta.dirname, "..", "..", "test", "support", "statements");
const statements = (file: string) => readFileSync(join(folder, file), "utf8").trim().split("\n");

/** What a client saw; whole rows without the name of their type. */
function seen({ columns, rows, tags, error, notices }: Transcript) {
  const anonymous = (name: string) => name.replace(/:(?:2249|2287|1[6-9]\d{3}|[2-9]\d{4,})$/, ":record");
  return { columns: columns.map((list) => list.map(anonymous)), rows, tags, error, notices };
}

/** Databases give other numbers to the same objects. */
const withoutOids = (shown: string) => shown.replaceAll(/(?<!\d)(1[6-9]\d{3}|[2-9]\d{4})(?!\d)/g, "#");
/** What the gate shows otherwise by design: plans, sources of functions, other sessions. */
const OTHERWISE = /^EXPLAIN|\bpg_(stat_activity|proc)\b/;

/** Shown, and different where there is no gate: a whole row of a view is a record, so its columns have no names there. */
const RECORD =
  /^could not identify column|^record type has not been registered|record|^function .* does not exist$/;

describe.each(obstacle ? [] : corpusServers)("on PostgreSQL $major", ({ major, programs }) => {
  let server: TestPostgres;
  let lab: SqlLab;
  let gated: KeptSessions;
  let raw: KeptSessions;

  beforeAll(async () => {
    server = await startCorpusDatabases(programs);
    lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
    gated = new KeptSessions((database) => lab.session(database, corpusTask));
    raw = new KeptSessions((database) => lab.raw(database));
  }, 120_000);

  afterAll(async () => {
    await gated?.close();
    await raw?.close();
    await lab?.close();
    await server?.stop();
  });

  /** What is wrong with a statement; null when nothing is. */
  async function judged(sql: string, refusable: boolean): Promise<string | null> {
    const on = (database: Database) => gated.run(database, sql.replaceAll("\\r\\n", "\r\n"), undefined);
    const a = await on("na");
    const newer = major < 17 && /which the server's version does not have/.test(a.error?.message ?? "");
    if (a.denied) return refusable || newer ? null : `refused: ${a.denied} ${a.error?.message}`;
    if (!CANARY.test(sql) && CANARY.test(JSON.stringify(a)))
      return `a canary: ${JSON.stringify(a).slice(0, 300)}`;
    const [mine, other] = [JSON.stringify(seen(a)), JSON.stringify(seen(await on("nb")))];
    if (withoutOids(mine) !== withoutOids(other)) return `unequal on two databases: ${mine} ${other}`;
    const copy = await raw.run("nm", sql, undefined);
    const theirs = JSON.stringify(seen(copy));
    if (mine === theirs || OTHERWISE.test(sql)) return null;
    if (refusable && a.error && RECORD.test(a.error.message)) return null;
    return `unequal to the copy: ${mine.slice(0, 400)} ${theirs.slice(0, 400)}`;
  }

  for (const [file, refusable] of [
    ["second-leaks.sql", true],
    ["second-legit.sql", false],
  ] as const) {
    test(`M1 M2 M3 M5 M6 M10 M15 P12 P14 P16 ${file}`, { timeout: 300_000 }, async () => {
      const failures: unknown[] = [];
      for (const sql of statements(file)) {
        const wrong = await judged(sql, refusable);
        if (wrong !== null) failures.push([sql, wrong]);
      }
      expect(failures).toEqual([]);
    });
  }
});
