import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusFolder, type Database, judge, type Run, readCorpus } from "../../test/support/corpus.ts";
import { corpusObstacle, corpusServers, startCorpusDatabases } from "../../test/support/corpus-databases.ts";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";

const obstacle = corpusObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

const on = obstacle ? [] : corpusServers;
describe.each(on)(
  "the given SQL cases, decided and run with both oracles on $major",
  ({ major, programs }) => {
    let server: TestPostgres;
    let lab: SqlLab;

    beforeAll(async () => {
      server = await startCorpusDatabases(programs);
      lab = new SqlLab(server.port, await testParser(), { keepCatalogs: true });
    }, 120_000);

    afterAll(async () => {
      await lab?.close();
      await server?.stop();
    });

    const gated: Run = async (database, sql, params) => {
      const session = await lab.session(database, corpusTask);
      const shown = await session.run(sql, params);
      session.close();
      return shown;
    };
    const raw: Run = async (database, sql, params) => {
      const session = await lab.raw(database);
      const shown = await session.run(sql, params);
      session.close();
      return shown;
    };

    for (const entry of readCorpus(corpusFolder()!).cases) {
      test(`${entry.id} ${entry.expect}`, async () => {
        if (entry.do_not_execute) {
          const session = await lab.session("na" satisfies Database, corpusTask);
          const { effect } = session.decide(entry.sql);
          session.close();
          expect(effect).toBe(entry.expect === "deny" ? "deny" : "allow");
          return;
        }
        expect(await judge(entry, gated, raw, lab.oids, major)).toBeNull();
      });
    }
  },
);
