import fc from "fast-check";
import { expect, test } from "vitest";
import type { GateEvent } from "../../policies/postgres/gate.ts";
import { Slab } from "../../wire/slab.ts";
import { recordLines } from "../../wire/tunnel.ts";
import { Records, recordLine } from "./records.ts";

const slab = new Slab();
const read = (line: Uint8Array) => JSON.parse(new TextDecoder().decode(line)) as unknown;
const text = fc.string({ unit: "binary", maxLength: 40 });
const decision = { effect: "allow", reason: "ALLOWED", message: "é", rule: null, relations: [], masked: [] };
const statement = fc
  .record({ n: fc.nat(), text, params: fc.array(fc.option(text), { maxLength: 3 }), at: fc.nat() })
  .map(({ params, ...one }) => ({
    ...{ t: "statement", protocol: "extended", decision, ...one },
    ...(params.length > 0 ? { params } : {}),
  })) as unknown as fc.Arbitrary<GateEvent>;

test("a record says what the fact says, whatever was written of the same decision before, and has no line break", () => {
  const facts = fc.array(statement, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(facts, (some) => {
      const lines = some.map((event) => recordLine(event, slab));
      expect(lines.map(read)).toEqual(some.map((event) => ({ t: "record", event })));
      const { text: message, size } = new Records(lines, 0);
      const bytes = new TextEncoder().encode(message);
      expect(bytes.length).toBe(size);
      expect(recordLines(bytes)!.map(read)).toEqual(lines.map(read));
    }),
  );
});

test("facts of other kinds", () => {
  const outcome: GateEvent = {
    t: "outcome",
    n: 1,
    ok: true,
    tag: "SELECT 1",
    rows: 1,
    bytes: 2,
    ms: 3,
    at: 4,
  };
  expect(read(recordLine(outcome, slab))).toEqual({ t: "record", event: outcome });
});
