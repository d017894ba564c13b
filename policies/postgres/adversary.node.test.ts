import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adversarialCases } from "../../test/support/adversarial-cases.ts";
import { CANARY, type Transcript } from "../../test/support/corpus.ts";
import { corpusObstacle, startCorpusDatabases } from "../../test/support/corpus-databases.ts";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import { KeptSessions, SqlLab } from "../../test/support/sql-lab.ts";

const obstacle = corpusObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

/** What a client saw; rows without their order, whole rows without the name of their type. */
function seen({ columns, rows, tags, error, notices }: Transcript) {
  const anonymous = (name: string) => name.replace(/:(?:2249|2287|1[6-9]\d{3}|[2-9]\d{4,})$/, ":record");
  return {
    columns: columns.map((list) => list.map(anonymous)),
    rows: [...rows].sort(),
    tags,
    error,
    notices,
  };
}

describe.skipIf(obstacle !== null)(
  "an adversary's statements, run on two databases and on the masked copy",
  () => {
    let server: TestPostgres;
    let lab: SqlLab;

    beforeAll(async () => {
      server = await startCorpusDatabases();
      lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
    }, 120_000);

    const gated = new KeptSessions((database) => lab.session(database, corpusTask));
    const raw = new KeptSessions((database) => lab.raw(database));

    afterAll(async () => {
      await Promise.all([gated.close(), raw.close()]);
      await lab?.close();
      await server?.stop();
    });

    for (const [attack, expected, sql] of obstacle ? [] : adversarialCases) {
      test(`${attack} ${expected}: ${sql.replaceAll(/\s+/g, " ").slice(0, 120)}`, async () => {
        const a = await gated.run("na", sql, undefined);
        if (expected !== "copy" && expected !== "same") {
          expect(a.denied).toBe(expected);
          return;
        }
        expect(a.denied).toBeNull();
        expect(seen(await gated.run("nb", sql, undefined))).toEqual(seen(a));
        if (!CANARY.test(sql)) expect(JSON.stringify(a)).not.toMatch(CANARY);
        if (expected === "same") return;
        expect(seen(a)).toEqual(seen(await raw.run("nm", sql, undefined)));
      });
    }
  },
);
