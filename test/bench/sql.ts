/** Throughput of statements: direct, through the bare relay, enforced, and enforced with masks. */
import { extended, rate, simple } from "./client.ts";
import { COLUMNS, type Lab, openClients, ROWS, rowId } from "./lab.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const WAYS = ["direct", "relay", "enforced", "masked"] as const;
type Way = (typeof WAYS)[number];
const SLICE_MS = 500;
const ONE = `SELECT ${COLUMNS} FROM accounts WHERE id = $1`;

interface Case {
  readonly name: string;
  readonly rounds: number;
  readonly unit: string;
  measure(way: Way): Promise<number>;
}

export async function sql(lab: Lab): Promise<Report> {
  const addresses = {
    direct: await lab.direct(),
    relay: await lab.relay(),
    enforced: await lab.task("plain"),
    masked: await lab.task("masked"),
  };
  const { clients, close } = await openClients(addresses, 16);
  let fresh = 0;
  const oneRow = (count: number) => (way: Way) =>
    rate(clients[way].slice(0, count), SLICE_MS, (n) => extended(ONE, rowId(n)));
  const cases: Case[] = [
    { name: "one row by id, 1 client", rounds: 11, unit: "statements/s", measure: oneRow(1) },
    { name: "one row by id, 16 clients", rounds: 11, unit: "statements/s", measure: oneRow(16) },
    {
      name: "the same, no text ever seen before",
      rounds: 7,
      unit: "statements/s",
      measure: (way) => rate(clients[way], SLICE_MS, () => simple(ONE.replace("$1", rowId(fresh++)))),
    },
    {
      name: "a result of a million rows",
      rounds: 3,
      unit: "rows/s",
      async measure(way) {
        const start = performance.now();
        const { rows } = await clients[way][0]!.request(simple(`SELECT ${COLUMNS} FROM accounts`));
        if (rows !== ROWS) throw new Error(`${rows} rows came instead of ${ROWS}`);
        return (ROWS / (performance.now() - start)) * 1000;
      },
    },
  ];
  const rows: string[][] = [];
  try {
    for (const { name, rounds, unit, measure } of cases) {
      for (const way of WAYS) await measure(way);
      const values = await interleave(WAYS, rounds, measure);
      const enforced = ratios(values.enforced, values.relay);
      const masked = ratios(values.masked, values.enforced);
      rows.push([
        `${name} (${unit})`,
        ...WAYS.map((way) => figure(spread(values[way]).median)),
        ratioText(enforced),
        verdict("≥", 0.85, enforced.median),
        ratioText(masked),
        verdict("≥", 0.9, masked.median),
      ]);
    }
  } finally {
    close();
  }
  const head = ["case", "direct", "bare relay", "enforced", "with masks"];
  return {
    tables: [{ head: [...head, "enforced ÷ relay", "target", "masks ÷ enforced", "target"], rows }],
  };
}
