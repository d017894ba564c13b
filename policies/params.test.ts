import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalParam } from "./params.ts";
import type { ParamType } from "./task.ts";

const cases: [ParamType, string, string | null][] = [
  ["integer", "7", "7"],
  ["integer", "+007", "7"],
  ["integer", "-0", "0"],
  ["integer", "9223372036854775807", "9223372036854775807"],
  ["integer", "9223372036854775808", null],
  ["integer", "-9223372036854775808", "-9223372036854775808"],
  ["integer", "-9223372036854775809", null],
  ["integer", " 7", null],
  ["integer", "7 or true", null],
  ["integer", "0x7", null],
  ["integer", "1e3", null],
  ["integer", "", null],
  ["integer", "٧", null],
  ["numeric", "12.50", "12.5"],
  ["numeric", "-.5", "-0.5"],
  ["numeric", "-0.00", "0"],
  ["numeric", "5.", "5"],
  ["numeric", ".", null],
  ["numeric", "NaN", null],
  ["numeric", "1e3", null],
  ["numeric", "1".repeat(101), null],
  ["boolean", "true", "true"],
  ["boolean", "TRUE", null],
  ["boolean", "1", null],
  ["date", "2026-02-28", "2026-02-28"],
  ["date", "2026-02-29", null],
  ["date", "2024-02-29", "2024-02-29"],
  ["date", "0000-01-01", null],
  ["date", "infinity", null],
  ["date", "2026-13-01", null],
  ["timestamp", "2026-11-24T10:00:00+01:00", "2026-11-24T09:00:00Z"],
  ["timestamp", "2026-11-24 10:00Z", "2026-11-24T10:00:00Z"],
  ["timestamp", "2026-11-24T10:00:00.120000Z", "2026-11-24T10:00:00.12Z"],
  ["timestamp", "2026-01-01T00:30:00.000001+01:00", "2025-12-31T23:30:00.000001Z"],
  ["timestamp", "2026-11-24T10:00:00", null],
  ["timestamp", "2026-11-24T24:00:00Z", null],
  ["timestamp", "now", null],
  ["uuid", "0E984725-C51C-4BF4-9960-E1C80E27ABA0", "0e984725-c51c-4bf4-9960-e1c80e27aba0"],
  ["uuid", "{0e984725-c51c-4bf4-9960-e1c80e27aba0}", null],
  ["text", "'; drop table x --", "'; drop table x --"],
  ["text", "", ""],
  ["text", "a\0b", null],
  ["text", "\ud800", null],
  ["text", "ä".repeat(512), "ä".repeat(512)],
  ["text", "ä".repeat(513), null],
];

test.each(cases)("%s %j", (type, given, canonical) => {
  expect(canonicalParam(type, given)).toBe(canonical);
});

test("a canonical text is its own canonical text", () => {
  for (const [type, , canonical] of cases) {
    if (canonical !== null) expect(canonicalParam(type, canonical)).toBe(canonical);
  }
});

test("integers agree with BigInt; nothing but the exact grammar is taken", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (value) => {
      const fits = value >= -(2n ** 63n) && value < 2n ** 63n;
      expect(canonicalParam("integer", value.toString())).toBe(fits ? value.toString() : null);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const value = canonicalParam("integer", text);
      if (value !== null) expect(text).toMatch(/^[+-]?[0-9]+$/);
    }),
  );
});
