import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusFolder, type Database, judge, readCorpus } from "../../test/support/corpus.ts";
import { corpusObstacle, corpusServers, startCorpusDatabases } from "../../test/support/corpus-databases.ts";
import { corpusTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import { KeptSessions, SqlLab } from "../../test/support/sql-lab.ts";

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

    const gated = new KeptSessions((database) => lab.session(database, corpusTask));
    const raw = new KeptSessions((database) => lab.raw(database));

    for (const entry of readCorpus(corpusFolder()!).cases) {
      test(`${entry.id} ${entry.expect}`, async () => {
        if (entry.do_not_execute) {
          const session = await lab.session("na" satisfies Database, corpusTask);
          const { effect } = session.decide(entry.sql);
          session.close();
          expect(effect).toBe(entry.expect === "deny" ? "deny" : "allow");
          return;
        }
        expect(await judge(entry, gated.run, raw.run, lab.oids, major)).toBeNull();
      });
    }
  },
);
