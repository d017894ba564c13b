import fc from "fast-check";
import { expect, test } from "vitest";
import { concat } from "../../wire/bytes.ts";
import {
  commandComplete,
  dataRow,
  errorResponse,
  notificationResponse,
  readyForQuery,
  rowDescription,
} from "../../wire/postgres/backend.ts";
import { TranscriptReader } from "./transcript.ts";
import { type Checkpoint, ResultStream } from "./transcript-results.ts";

const encoder = new TextEncoder();

function event(value: object) {
  return {
    kind: "event" as const,
    at: 1,
    bytes: encoder.encode(JSON.stringify({ t: "record", event: value })),
  };
}

const backend = (...messages: Uint8Array[]) => ({ kind: "backend" as const, at: 1, bytes: concat(messages) });

function statement(n: number, masked: string[] = []) {
  const decision = { effect: "allow", reason: "ALLOWED", message: "", rule: null, relations: [], masked };
  return event({ t: "statement", n, protocol: "simple", text: `s${n}`, decision, at: 1 });
}

const outcome = (n: number, ok = true) => event({ t: "outcome", n, ok, rows: 0, bytes: 0, ms: 1, at: 1 });

test("results go to their statements, also when outcomes are written after later results", () => {
  const reader = new TranscriptReader(10);
  const column = rowDescription([{ name: "a", tableOid: 16_400 }]);
  const entries = [
    backend(readyForQuery(0x49)),
    statement(1),
    statement(2),
    backend(column, dataRow(["1"]), commandComplete("SELECT 1"), readyForQuery(0x49)),
    backend(errorResponse({ S: "ERROR", C: "42501", M: "no" }), readyForQuery(0x49)),
    outcome(1),
    outcome(2, false),
    statement(3),
    backend(
      column,
      dataRow(["3"]),
      commandComplete("SELECT 1"),
      commandComplete("UPDATE 2"),
      readyForQuery(0x49),
    ),
    outcome(3),
  ];
  for (const entry of entries) reader.entry(entry);
  const { statements } = reader.transcript;
  expect(statements.map((one) => one.results.map(({ tag, rows }) => [tag, rows]))).toEqual([
    [["SELECT 1", [["1"]]]],
    [],
    [
      ["SELECT 1", [["3"]]],
      ["UPDATE 2", []],
    ],
  ]);
});

test("a Query behind a Sync has its own results", () => {
  const reader = new TranscriptReader(10);
  const column = rowDescription([{ name: "a", tableOid: 16_400 }]);
  const extended = { t: "statement", n: 1, protocol: "extended", text: "s1", decision: {}, at: 1 };
  for (const entry of [
    event(extended),
    backend(column, dataRow(["1"]), commandComplete("SELECT 1")),
    outcome(1),
    backend(readyForQuery(0x49)),
    statement(2),
    backend(column, dataRow(["2"]), commandComplete("SELECT 1"), readyForQuery(0x49)),
    outcome(2),
  ])
    reader.entry(entry);
  expect(reader.transcript.statements.map(({ results }) => results.map(({ rows }) => rows))).toEqual([
    [[["1"]]],
    [[["2"]]],
  ]);
});

test("a notification that was shown is a fact of its own, wherever it comes", () => {
  const reader = new TranscriptReader(10);
  for (const entry of [
    statement(1),
    backend(commandComplete("LISTEN"), notificationResponse(0, "a", "x"), readyForQuery(0x49)),
    outcome(1),
    backend(notificationResponse(0, "b", "")),
  ])
    reader.entry(entry);
  const facts = ["a: x", "b: "].map((text) => ({ at: 1, kind: "notification", text }));
  expect(reader.transcript.facts).toEqual(facts);
});

test("a column is marked as masked by its name and as computed otherwise, never when it comes from a table", () => {
  const reader = new TranscriptReader(10);
  const columns = [
    { name: "email", tableOid: 0 },
    { name: "mail", tableOid: 0 },
    { name: "email", tableOid: 16_400 },
    { name: "id", tableOid: 16_400 },
  ];
  reader.entry(statement(1, ["public.customers.email"]));
  reader.entry(backend(rowDescription(columns), dataRow(["a", "b", "c", "d"]), commandComplete("SELECT 1")));
  reader.entry(backend(readyForQuery(0x49)));
  reader.entry(outcome(1));
  expect(reader.transcript.statements[0]!.results[0]!.marks).toEqual(["masked", "computed", null, null]);
});

test("any window of rows read from any checkpoint is that of the whole, however the stream was cut", () => {
  const value = fc.string({ maxLength: 40 });
  const result = fc.array(value, { maxLength: 30 });
  fc.assert(
    fc.property(
      fc.array(result, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(400), { maxLength: 30 }),
      fc.nat(3),
      fc.nat(30),
      fc.nat(12),
      (results, cuts, which, from, length) => {
        const stream = concat(
          results.flatMap((rows) => [
            rowDescription([{ name: "v" }]),
            ...rows.map((row) => dataRow([row])),
            commandComplete(`SELECT ${rows.length}`),
            readyForQuery(0x49),
          ]),
        );
        const places = [...new Set([0, ...cuts.map((cut) => cut % stream.length), stream.length])].sort(
          (a, b) => a - b,
        );
        const chunks = places.slice(1).map((end, i) => stream.subarray(places[i]!, end));
        const points: Checkpoint[] = [];
        const scan = new ResultStream(() => false);
        for (const chunk of chunks) {
          points.push(scan.checkpoint);
          scan.feed(chunk);
        }
        const unit = which % results.length;
        const wanted = results[unit]!.slice(from, from + length).map((row) => [row]);
        points.forEach((point, start) => {
          // A checkpoint serves for rows that begin behind it.
          if (point.unit > unit || (point.unit === unit && point.count > from)) return;
          const reader = new ResultStream(
            (at, row) => at === unit && row >= from && row < from + length,
            point,
          );
          for (const chunk of chunks.slice(start)) reader.feed(chunk);
          const read = reader.units.find((one) => one.result?.unit === unit)?.result;
          expect(read?.rows ?? []).toEqual(wanted);
          if (read) expect(read.count).toBe(results[unit]!.length);
        });
      },
    ),
    { numRuns: 300 },
  );
});
