/** Throughput of statements: direct, through the bare relay, enforced, and enforced with masks. */
import { extended, type Rate, rate, simple } from "./client.ts";
import { COLUMNS, type Lab, openClients, ROWS, rowId } from "./lab.ts";
import { familyTime, settled } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const WAYS = ["direct", "relay", "enforced", "masked"] as const;
type Way = (typeof WAYS)[number];
const SLICE_MS = 1000;
const ONE = `SELECT ${COLUMNS} FROM accounts WHERE id = $1`;

interface Case {
  readonly name: string;
  readonly rounds: number;
  readonly unit: "statements" | "rows";
  /** Units a second, and how many there were. */
  measure(way: Way): Promise<Rate>;
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
    { name: "one row by id, 1 client", rounds: 5, unit: "statements", measure: oneRow(1) },
    { name: "one row by id, 16 clients", rounds: 5, unit: "statements", measure: oneRow(16) },
    {
      name: "the same, the id in the text",
      rounds: 3,
      unit: "statements",
      measure: (way) => rate(clients[way], SLICE_MS, (n) => simple(ONE.replace("$1", rowId(n)))),
    },
    {
      name: "the same, no text of a shape ever seen before",
      rounds: 3,
      unit: "statements",
      measure: (way) =>
        rate(clients[way], SLICE_MS, (n) =>
          simple(ONE.replace("$1", rowId(n)).replace("accounts", `accounts AS a${fresh++}`)),
        ),
    },
    {
      name: "a result of a million rows",
      rounds: 3,
      unit: "rows",
      async measure(way) {
        const start = performance.now();
        const { rows } = await clients[way][0]!.request(simple(`SELECT ${COLUMNS} FROM accounts`));
        if (rows !== ROWS) throw new Error(`${rows} rows came instead of ${ROWS}`);
        return { perSecond: (ROWS / (performance.now() - start)) * 1000, count: ROWS };
      },
    },
  ];
  const rows: string[][] = [];
  const costs: string[][] = [];
  try {
    for (const { name, rounds, unit, measure } of cases) {
      for (const way of WAYS) await measure(way);
      await settled();
      const time: Record<Way, number[]> = { direct: [], relay: [], enforced: [], masked: [] };
      const values = await interleave(WAYS, rounds, async (way) => {
        const before = familyTime();
        const { perSecond, count } = await measure(way);
        await settled();
        time[way].push(((familyTime() - before) * 1000) / count);
        return perSecond;
      });
      const enforced = ratios(values.enforced, values.relay);
      const masked = ratios(values.masked, values.enforced);
      rows.push([
        `${name} (${unit}/s)`,
        ...WAYS.map((way) => figure(spread(values[way]).median)),
        ratioText(enforced),
        verdict("≥", 0.85, enforced.median),
        ratioText(masked),
        verdict("≥", 0.9, masked.median),
      ]);
      costs.push([
        `${name} (µs a ${unit.slice(0, -1)})`,
        ...WAYS.map((way) => figure(spread(time[way]).median)),
        ratioText(ratios(time.relay, time.enforced)),
      ]);
    }
  } finally {
    close();
  }
  const head = ["case", "direct", "bare relay", "enforced", "with masks"];
  return {
    tables: [
      { head: [...head, "enforced ÷ relay", "target", "masks ÷ enforced", "target"], rows },
      { head: ["processor time of all hops", ...head.slice(1), "relay ÷ enforced"], rows: costs },
    ],
    notes: [
      "Processor time is that of client, hops and database together, with what a slice leaves to be done after it (sealing, uploading and storing its recording, the audit log); the next slice begins when that is done.",
    ],
  };
}
