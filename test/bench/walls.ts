/**
 * What two of the walls around a table cost at the database itself, without a gate between: the check that a table is
 * still the one of the catalog (for reads and writes), and the barrier behind which a row rule hides its rows. A client
 * runs prepared statements, as the decider writes them and as they would be without the wall.
 */
import { readFileSync } from "node:fs";
import pg from "pg";
import { buildCatalog, type CatalogRow, catalogQueries } from "../../policies/postgres/catalog.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import { encodeOptions, startupOptions } from "../../policies/postgres/pins.ts";
import { sqlTask } from "../support/corpus-task.ts";
import { testParser } from "../support/parser.ts";
import type { Lab } from "./lab.ts";
import { figure, type Report, ratioText } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const ROUNDS = 9;
/** How long one way is measured in a round. */
const SLICE_MS = 250;

const reading = { relation: "accounts", mask: { email: { kind: "email" } } } as const;
const writing = { verb: "update", relation: "accounts", columns: ["note"] } as const;
const checked = sqlTask([reading, writing]);
const filtered = sqlTask([{ ...reading, rows: "country = :country" }], { params: { country: "text" } });

export async function walls(lab: Lab): Promise<Report> {
  const { url } = await lab.database();
  const options = encodeOptions(startupOptions(filtered, { country: "C7" }));
  const client = new pg.Client({ connectionString: url, options });
  await client.connect();
  try {
    await client.query("SET default_transaction_read_only = off");
    // One process does all of a statement.
    await client.query("SET max_parallel_workers_per_gather = 0");
    const pid = (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]!.pid;
    const rows: Record<string, CatalogRow[]> = {};
    for (const query of catalogQueries([{ schema: "public", name: "accounts" }], []))
      rows[query.name] = (await client.query({ text: query.text, values: [...query.values] }))
        .rows as CatalogRow[];
    const catalog = buildCatalog(rows);
    const parser = await testParser();
    const written = (task: typeof checked, sql: string, forShow: boolean): string => {
      const { rewritten, message } = createDecider({ task, catalog, parser, forShow }).decide(sql);
      if (rewritten === null) throw new Error(message);
      return rewritten;
    };
    const byId = "SELECT id, email, balance FROM accounts WHERE id = $1";
    const update = "UPDATE accounts SET note = 'x' WHERE id = $1";
    // The row rule with the user's condition beside it, as a plain view would have it.
    const open = (condition: string) =>
      `SELECT count(*) FROM accounts WHERE (country = pg_catalog.current_setting('wicket.p_country')) AND ${condition}`;
    const user = (condition: string) => `SELECT count(*) FROM accounts WHERE ${condition}`;
    const cases: readonly (readonly [what: string, without: string, wall: string])[] = [
      ["definition check, one row by id", written(checked, byId, true), written(checked, byId, false)],
      [
        "definition check, UPDATE of one row by id",
        written(checked, update, true),
        written(checked, update, false),
      ],
      ...(
        [
          ["row rule, id = … (safe: repeated behind the barrier, uses its index)", "id = $1"],
          ["row rule, balance = … (safe: no index)", "balance = $1"],
          ["row rule, id = abs(…) (not repeated: a call could fail; reads every row)", "id = abs($1::int)"],
        ] as const
      ).map(
        ([what, condition]) => [what, open(condition), written(filtered, user(condition), true)] as const,
      ),
    ];
    const table: string[][] = [];
    for (const [index, [what, without, wall]] of cases.entries()) {
      const texts = { without, wall };
      const values = await interleave(["without", "wall"], ROUNDS, (way) =>
        measure(client, pid, `${way} ${index}`, texts[way]),
      );
      const { median, min, max } = ratios(values.wall, values.without);
      table.push([
        what,
        figure(spread(values.without).median),
        figure(spread(values.wall).median),
        ratioText({ median, min, max }),
      ]);
    }
    return {
      tables: [
        {
          head: ["wall", "without, µs of the server", "with, µs of the server", "with ÷ without"],
          rows: table,
        },
      ],
      notes: [
        "One client on PostgreSQL itself, prepared statements on a table of a million rows; processor time of the server's process for a statement. Conditions are safe when their operator is leakproof: they may then run before the rule without telling anything of a hidden row.",
      ],
    };
  } finally {
    await client.end();
  }
}

/** Nanoseconds that a process has had a processor (Linux, /proc/<pid>/schedstat), which others on the machine hardly change. */
function processorTime(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]);
}

/** Microseconds of the server's processor time a statement, with another id each time. */
async function measure(client: pg.Client, pid: number, name: string, text: string): Promise<number> {
  const before = processorTime(pid);
  const start = performance.now();
  let done = 0;
  while (done === 0 || performance.now() - start < SLICE_MS) {
    done += 1;
    await client.query({ name, text, values: [(done * 7919) % 1000] });
  }
  return (processorTime(pid) - before) / 1000 / done;
}
