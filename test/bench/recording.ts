/** What recording costs: throughput with it and without it, and bytes kept. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type System, startSystem } from "../support/system.ts";
import { type Address, BenchClient, extended, rate, simple } from "./client.ts";
import { COLUMNS, type Lab, LIBRARY, openClients, ROWS, rowId } from "./lab.ts";
import { settled } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const WAYS = ["without", "with"] as const;
const SLICE_MS = 1000;
const TARGET = 0.95;
const STATEMENTS = 2_000;
const KEPT_ROWS = 200_000;
const ONE = `SELECT ${COLUMNS} FROM accounts WHERE id = $1`;

export async function recording(lab: Lab): Promise<Report> {
  const addresses = { without: await unrecorded(lab), with: await lab.task("plain") };
  const { clients, close } = await openClients(addresses, 16);
  const rows: string[][] = [];
  const compare = async (
    name: string,
    rounds: number,
    run: (clients: readonly BenchClient[]) => Promise<number>,
  ): Promise<void> => {
    for (const way of WAYS) await run(clients[way]);
    await settled();
    const values = await interleave(WAYS, rounds, async (way) => {
      const perSecond = await run(clients[way]);
      await settled();
      return perSecond;
    });
    const ratio = ratios(values.with, values.without);
    const medians = WAYS.map((way) => figure(spread(values[way]).median));
    rows.push([name, ...medians, ratioText(ratio), verdict("≥", TARGET, ratio.median)]);
  };
  try {
    await compare("one row by id, 1 client (statements/s)", 5, async (all) => {
      const { perSecond } = await rate(all.slice(0, 1), SLICE_MS, (n) => extended(ONE, rowId(n)));
      return perSecond;
    });
    await compare("one row by id, 16 clients (statements/s)", 5, async (all) => {
      const { perSecond } = await rate(all, SLICE_MS, (n) => extended(ONE, rowId(n)));
      return perSecond;
    });
    await compare("a result of a million rows (rows/s)", 3, async ([client]) => {
      const start = performance.now();
      await client!.request(simple(`SELECT ${COLUMNS} FROM accounts`));
      return (ROWS / (performance.now() - start)) * 1000;
    });
  } finally {
    close();
  }
  const system = await lab.system();
  const statements = await kept(system, addresses.with, async (client) => {
    for (let n = 0; n < STATEMENTS; n++) await client.request(extended(ONE, rowId(n)));
    return 0;
  });
  const many = await kept(system, addresses.with, async (client) => {
    const query = simple(`SELECT ${COLUMNS} FROM accounts WHERE id <= ${KEPT_ROWS}`);
    return (await client.request(query)).bytes;
  });
  return {
    tables: [
      { head: ["batched recording", "without", "with", "with ÷ without", "target"], rows },
      {
        head: ["what is kept", "bytes in the store"],
        rows: [
          [
            "a statement of one row, with its parameters, decision, rewritten text and result",
            figure(statements.stored / STATEMENTS),
          ],
          [
            `a row of a large result (${figure(many.answer / KEPT_ROWS)} bytes on the wire)`,
            figure(many.stored / KEPT_ROWS),
          ],
        ],
      },
    ],
  };
}

/** The product with recording taken out (unrecorded.ts), in front of the same database. */
async function unrecorded(lab: Lab): Promise<Address> {
  const { url } = await lab.database();
  const before = process.env["NODE_OPTIONS"];
  const preload = `--import=${pathToFileURL(join(import.meta.dirname, "unrecorded.ts")).href}`;
  process.env["NODE_OPTIONS"] = `${before ?? ""} ${preload}`;
  let system: System;
  try {
    system = await startSystem({ policies: LIBRARY, postgres: url.replace("postgres@", "bench@") });
  } finally {
    if (before === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = before;
  }
  lab.stops.add(() => system.stop());
  const { port, password } = await system.proxy(["orders-db", "--task", "plain"], { as: "ben" });
  return { port, user: "wicket", database: "orders-db", password };
}

/** The size of a session's recording, and what `work` says. */
async function kept(
  system: System,
  address: Address,
  work: (client: BenchClient) => Promise<number>,
): Promise<{ stored: number; answer: number }> {
  const client = await BenchClient.open(address);
  const answer = await work(client);
  const { body } = await system.api("ben", "/api/sessions?open&limit=1");
  const { id } = (body.sessions as { id: string }[])[0]!;
  client.close();
  const segments = await system.until(async () => {
    const found = (await system.api("ben", `/api/sessions/${id}/recording`)).body;
    return found.final !== null && (found.segments as { size: number }[]);
  }, "the end of a recording");
  return { stored: segments.reduce((sum, { size }) => sum + size, 0), answer };
}
