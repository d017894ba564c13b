/**
 * The given SQL cases through everything: a driver, `wicket proxy`, the edge in workerd, the connector, PostgreSQL.
 * Each statement runs under the task on two databases that differ only in what the task hides, and is held against
 * the raw statement on the copy that was masked by hand.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusFolder, type Database, judge, type Run, readCorpus } from "./support/corpus.ts";
import { corpusObstacle, startCorpusDatabases } from "./support/corpus-databases.ts";
import { DriverSessions } from "./support/driver-session.ts";
import { testParser } from "./support/parser.ts";
import type { TestPostgres } from "./support/postgres.ts";
import { SqlLab } from "./support/sql-lab.ts";
import { type LocalPort, type System, startSystem } from "./support/system.ts";

const obstacle = corpusObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

const TASK = `version: 1
task: corpus
description: Reads customers with two masks, and orders.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select:
      public.customers:
        columns: [id, email, ssn, phone, country, balance]
        mask: { email: email, ssn: { constant: XXX-XX-XXXX } }
      public.orders: { columns: "*" }
session: { ttl: 1h, idle: 30m }
recording: { level: full, on_failure: terminate }
`;

/** The task library of the cases, in the files that a person would write. */
function writeLibrary(folder: string): void {
  mkdirSync(join(folder, "tasks"));
  writeFileSync(
    join(folder, "resources.yaml"),
    "version: 1\nresources:\n  orders-db: { type: postgres, connector: demo }\n",
  );
  writeFileSync(join(folder, "people.yaml"), "version: 1\npeople:\n  tina: { groups: [support] }\n");
  writeFileSync(join(folder, "tasks", "corpus.yaml"), TASK);
}

describe
  .skipIf(obstacle !== null)
  .concurrent("the given SQL cases through the whole path, with both oracles", () => {
    const folder = mkdtempSync(join(tmpdir(), "wicket-corpus-"));
    const systems: System[] = [];
    const proxies = new Map<Database, LocalPort>();
    const sessions = new Map<string, DriverSessions>();
    let server: TestPostgres;
    let lab: SqlLab;

    beforeAll(async () => {
      writeLibrary(folder);
      server = await startCorpusDatabases();
      lab = new SqlLab(server.port, await testParser());
      for (const database of ["na", "nb"] as const) {
        const postgres = `postgres://postgres@127.0.0.1:${server.port}/${database}`;
        const system = await startSystem({ policies: folder, postgres });
        systems.push(system);
        proxies.set(database, await system.proxy(["orders-db", "--task", "corpus"]));
      }
    });

    afterAll(async () => {
      for (const one of sessions.values()) await one.close();
      for (const system of systems) expect(await system.stop()).toBe(0);
      await lab?.close();
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Sessions start with the path of the reference; the gate takes what is pinned anyway. */
    const options = "-c search_path=public,pg_temp";
    const raw: Run = (database, sql, params) => sessionsOf(`raw ${database}`).run(sql, params);
    const gated: Run = (database, sql, params) => sessionsOf(`gated ${database}`).run(sql, params);

    function sessionsOf(key: string): DriverSessions {
      let found = sessions.get(key);
      if (!found) {
        const [way, database] = key.split(" ") as ["raw" | "gated", Database];
        const direct = { host: "127.0.0.1", port: server.port, user: "postgres", database };
        const where = way === "raw" ? direct : { connectionString: proxies.get(database)!.url };
        found = new DriverSessions({ ...where, options });
        sessions.set(key, found);
      }
      return found;
    }

    test("psql's own commands show what they show without a gate", async () => {
      const commands =
        String.raw`\d \d+ \dS \d_customers \d+_customers \d_orders \d+_v_customers \d+_mv_pii \d_customers_ssn_idx
      \d_ft_secrets \d+_pg_class \d_cust* \d_evil.* \da \dA+ \dAc_btree \dAf_btree \dAo_btree \db+ \dc_utf8* \dC_text \dd \dD+
      \ddp \dE+ \di+ \dm+ \ds+ \dt \dt+ \dt_*.* \dv+ \des+ \det+ \dew+ \df \df_upper \df_leak \dfa_sum \dF+ \dFp \dFt \dg+ \dl
      \dL+ \dn \dn+ \do_#### \dO \dp \dP+ \dRp+ \dRs+ \dT \dT+_mood \du \du+ \dx \dx+_hstore \dX \dy+ \l \l+ \z \sv_v_emp \sv+_v_emp`
          .trim()
          .split(/\s+/)
          .map((command) => command.replace("_", " "))
          .join("\n");
      const shown = (url: string, options: string) => {
        const env = { ...process.env, PGOPTIONS: options, PSQLRC: "/dev/null" };
        const out = spawnSync("psql", ["-XAt", url], { env, input: commands, encoding: "utf8" });
        return {
          status: out.status,
          lines: out.stdout.split("\n"),
          stderr: out.stderr.replace(/^HINT:.*\n/gm, ""),
        };
      };
      const direct = shown(`postgres://postgres@127.0.0.1:${server.port}/na`, options);
      expect(direct.lines.length).toBeGreaterThan(1000);
      expect(shown(proxies.get("na")!.url, "")).toEqual(direct);
    });

    for (const entry of obstacle ? [] : readCorpus(corpusFolder()!).cases) {
      test(`${entry.id} ${entry.expect}`, async () => {
        if (!entry.do_not_execute) return expect(await judge(entry, gated, raw, lab.oids, 18)).toBeNull();
        const explained = await systems[0]!.wicket(
          [
            "policy",
            "explain",
            "--policies",
            folder,
            "--task",
            "corpus",
            "--as",
            "tina",
            "--sql",
            entry.sql,
            "--json",
          ],
          { as: null },
        );
        const { decision } = JSON.parse(explained.stdout);
        return expect(decision).toBe(entry.expect === "deny" ? "deny" : "allow");
      });
    }
  });
