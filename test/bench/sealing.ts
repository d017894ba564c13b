/** What sealing segments to auditors costs the connector: bytes and processor time, beside closing the same segment. */
import { exportJWK, generateKeyPair } from "jose";
import { compress } from "../../tunnel-connector/compress.ts";
import { commandComplete, dataRow, readyForQuery, rowDescription } from "../../wire/postgres/backend.ts";
import { type SealedSegment, SegmentWriter } from "../../wire/recording.ts";
import { type AuditorKey, auditorKey, openSegment, sealSegment } from "../../wire/recording-seal.ts";
import type { Lab } from "./lab.ts";
import { figure, type Report } from "./report.ts";
import { spread } from "./statistics.ts";

const ROUNDS = 7;
/** Each figure is of so long a loop, milliseconds of the processor. */
const LOOP_MS = 150;
const encoder = new TextEncoder();

/** Statements of a row each, as a person or a program sends them in a second. */
function statements(count: number): (writer: SegmentWriter) => void {
  return (writer) => {
    for (let n = 0; n < count; n++) {
      const decision = {
        ...{ effect: "allow", reason: "ALLOWED", message: "", rule: "tasks/order-lookup.yaml:12" },
        ...{ relations: ["public.customers"], masked: ["public.customers.email"], rewritten: null },
      };
      const text = `SELECT id, email, country FROM customers WHERE id = ${n}`;
      const statement = { t: "statement", n, protocol: "simple", text, decision, at: n };
      writer.add({
        kind: "event",
        at: n,
        bytes: encoder.encode(JSON.stringify({ t: "record", event: statement })),
      });
      writer.add({ kind: "frontend", at: n, bytes: encoder.encode(`Q\0\0\0\u0040${text}\0`) });
      const fields = ["id", "email", "country"].map((name) => ({ name, tableOid: 16_400 }));
      const row = dataRow([String(n), `c***@example.com`, "CH"]);
      for (const bytes of [rowDescription(fields), row, commandComplete("SELECT 1"), readyForQuery(0x49)])
        writer.add({ kind: "backend", at: n, bytes });
      const outcome = {
        t: "outcome",
        n,
        ok: true,
        tag: "SELECT 1",
        rows: 1,
        bytes: row.length,
        ms: 2,
        at: n,
      };
      writer.add({
        kind: "event",
        at: n,
        bytes: encoder.encode(JSON.stringify({ t: "record", event: outcome })),
      });
    }
  };
}

/** Rows of a large result, in frames of 64 KiB, until a segment is full. */
function rows(writer: SegmentWriter): void {
  const frame = new Uint8Array(65_536);
  let n = 0;
  while (writer.size + frame.length < 2_000_000) {
    for (let at = 0; at + 120 < frame.length; n++) {
      const row = dataRow([
        String(n),
        `customer-${n}@example.com`,
        "CH",
        String(n * 7.5),
        "paid",
        "2026-11-24",
      ]);
      frame.set(row, at);
      at += row.length;
    }
    writer.add({ kind: "backend", at: n, bytes: frame.slice() });
  }
}

const CASES: readonly [name: string, fill: (writer: SegmentWriter) => void][] = [
  ["a segment of 1 statement", statements(1)],
  ["a segment of 300 statements", statements(300)],
  ["a full segment of rows (2 MB)", rows],
];

function closed(fill: (writer: SegmentWriter) => void): SealedSegment {
  const writer = new SegmentWriter("s0123456789abcdefghijklmno", undefined, compress);
  fill(writer);
  return writer.seal(1_790_000_000_000);
}

/** Processor time of this process for one run, microseconds: median of some loops. */
async function costs(run: () => unknown): Promise<number> {
  await run();
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.cpuUsage();
    let count = 0;
    let used = 0;
    do {
      await run();
      count += 1;
      const { user, system } = process.cpuUsage(began);
      used = user + system;
    } while (used < LOOP_MS * 1000);
    values.push(used / count);
  }
  return spread(values).median;
}

export async function sealing(_lab: Lab): Promise<Report> {
  const auditors: AuditorKey[] = [];
  for (let n = 0; n < 4; n++) {
    const pair = await generateKeyPair("ECDH-ES+A256KW", { crv: "X25519", extractable: true });
    auditors.push((await auditorKey(await exportJWK(pair.privateKey)))!);
  }
  const table: string[][] = [];
  for (const [name, fill] of CASES) {
    const segment = closed(fill);
    const one = await sealSegment(segment.bytes, null, auditors.slice(0, 1));
    const four = await sealSegment(segment.bytes, null, auditors);
    const opened = await openSegment(one, auditors[0]!);
    if (!opened.ok) throw new Error(opened.message);
    const close = await costs(() => closed(fill));
    const [seal, sealFour] = [
      await costs(() => sealSegment(segment.bytes, null, auditors.slice(0, 1))),
      await costs(() => sealSegment(segment.bytes, null, auditors)),
    ];
    const open = await costs(() => openSegment(one, auditors[0]!));
    table.push([
      name,
      figure(segment.header.size),
      figure(segment.bytes.length),
      `+${figure(one.length - segment.bytes.length)}`,
      `+${figure(four.length - segment.bytes.length)}`,
      ...[close, seal, sealFour, open].map(figure),
    ]);
  }
  const head = ["", "entries, bytes", "stored, bytes", "sealed, 1 auditor", "4 auditors"];
  return {
    tables: [
      {
        head: [...head, "closing it, µs", "sealing, 1 auditor, µs", "4 auditors, µs", "opening, µs"],
        rows: table,
      },
    ],
    notes: [
      "Processor time of one process. Closing is to gather the entries, hash, compress and digest them. A session that does something has about one segment a second, so sealing costs that much a second for each session.",
    ],
  };
}
