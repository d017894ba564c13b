/**
 * Many more statements than the given cases, of the same kinds, one a line in test/support/statements: `copy` shows
 * what the raw statement shows on the masked copy (`copy-or-deny`: where the server has the form), `shape` the same columns, `same` what the raw statement shows on
 * the same database, and `deny` is refused, or fails on the server.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CorpusCase, judge } from "../../test/support/corpus.ts";
import { corpusObstacle, corpusServers, startCorpusDatabases } from "../../test/support/corpus-databases.ts";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import { KeptSessions, SqlLab } from "../../test/support/sql-lab.ts";

const obstacle = corpusObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

const folder = join(import.meta.dirname, "..", "..", "test", "support", "statements");
const kinds: Readonly<
  Record<string, Pick<CorpusCase, "expect" | "compare_rows" | "deny_also_ok" | "server_error_also_ok">>
> = {
  copy: { expect: "masked" },
  "copy-or-deny": { expect: "masked", deny_also_ok: true },
  shape: { expect: "masked", compare_rows: false },
  same: { expect: "allow-unmasked-free-of-pii" },
  deny: { expect: "deny", server_error_also_ok: true },
};

describe.each(obstacle ? [] : corpusServers)("on PostgreSQL $major", ({ major, programs }) => {
  let server: TestPostgres;
  let lab: SqlLab;

  beforeAll(async () => {
    server = await startCorpusDatabases(programs);
    lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
  }, 120_000);

  afterAll(async () => {
    await Promise.all([gated.close(), raw.close()]);
    await lab?.close();
    await server?.stop();
  });

  const gated = new KeptSessions((database) => lab.session(database, corpusTask));
  const raw = new KeptSessions((database) => lab.raw(database));

  for (const [kind, expected] of Object.entries(kinds)) {
    test(kind, async () => {
      const statements = readFileSync(join(folder, `${kind}.sql`), "utf8")
        .trim()
        .split("\n");
      const failures: string[] = [];
      for (const sql of statements) {
        const failure = await judge(
          { id: "", category: "", sql, ...expected },
          gated.run,
          raw.run,
          lab.oids,
          major,
        );
        if (failure) failures.push(`${sql}\n  ${failure}`);
      }
      expect(failures).toEqual([]);
    });
  }
});
