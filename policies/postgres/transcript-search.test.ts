import fc from "fast-check";
import { expect, test } from "vitest";
import { concat } from "../../wire/bytes.ts";
import { commandComplete, dataRow, readyForQuery, rowDescription } from "../../wire/postgres/backend.ts";
import { excerptOf, type FoundValue, ValueSearch } from "./transcript-search.ts";

const columns = rowDescription([
  { name: "id", tableOid: 1 },
  { name: "note", tableOid: 1 },
]);

function found(words: string, ...chunks: Uint8Array[]): FoundValue[] {
  const values: FoundValue[] = [];
  const search = new ValueSearch(words, (value) => values.push(value));
  for (const bytes of chunks) search.entry({ kind: "backend", bytes });
  return values;
}

const ended = [commandComplete("SELECT 2"), readyForQuery(0x49)];

test("a value is found by its result, row and column, whatever its letters' case; NULL and names are not", () => {
  const first = [columns, dataRow(["1", null]), dataRow(["2", "Überfall am See"]), ...ended];
  const second = [columns, dataRow(["2", "note"]), dataRow(["22", "2 and 2"]), ...ended];
  const stream = concat([...first, ...second]);
  const places = (words: string) => found(words, stream).map(({ unit, row, column }) => [unit, row, column]);
  expect(places("überFALL")).toEqual([[0, 1, "note"]]);
  expect(places("2")).toEqual([
    [0, 1, "id"],
    [1, 0, "id"],
    [1, 1, "id"],
    [1, 1, "note"],
  ]);
  expect(places("null")).toEqual([]);
  expect(places("note")).toEqual([[1, 0, "note"]]);
  expect(places("SELECT")).toEqual([]);
});

test("an excerpt is short, and the words are in it", () => {
  const long = `${"a".repeat(500)}needle${"b".repeat(500)}`;
  expect(excerptOf(long, "NEEDLE")).toEqual([`…${"a".repeat(40)}`, "needle", `${"b".repeat(80)}…`]);
  expect(excerptOf("needle", "needle")).toEqual(["", "needle", ""]);
  expect(excerptOf("hay", "needle")).toBeNull();
});

test("however the stream was cut into entries, the same is found", () => {
  const rows = Array.from({ length: 40 }, (_, i) =>
    dataRow([String(i), i % 7 === 0 ? `needle ${i}` : "hay"]),
  );
  const stream = concat([columns, ...rows, ...ended, columns, ...rows, ...ended]);
  const whole = found("needle", stream);
  expect(whole.length).toBe(12);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const chunks = at.slice(1).map((end, i) => stream.subarray(at[i]!, end));
      expect(found("needle", ...chunks)).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});
