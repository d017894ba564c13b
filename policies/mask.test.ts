import { expect, test } from "vitest";
import { maskText } from "./mask.ts";
import type { Mask } from "./task.ts";

const hash = () => "0123456789abcdef".repeat(4);
const keep = (first: number, last: number): Mask => ({ kind: "keep", first, last, with: "*" });
const round = (digits: number): Mask => ({ kind: "round", digits });

test.each<[Mask, string, string | null, string | null]>([
  [{ kind: "null" }, "text", "x", null],
  [{ kind: "constant", value: "XXX-XX-XXXX" }, "text", "123-45-6789", "XXX-XX-XXXX"],
  [{ kind: "constant", value: "XXX" }, "text", null, null],
  [{ kind: "constant", value: 0.5 }, "numeric(10,2)", "9.99", "0.50"],
  [{ kind: "constant", value: true }, "boolean", "f", "t"],
  [{ kind: "constant", value: "too long" }, "character varying(3)", "abc", null],
  [{ kind: "email" }, "text", "alice@example.com", "a***@example.com"],
  [{ kind: "email" }, "text", "no address", "n***@"],
  [{ kind: "email" }, "text", "a@b@c", "a***@b"],
  [{ kind: "email" }, "text", "", "***@"],
  [{ kind: "email" }, "text", "😀x@y", "😀***@y"],
  [{ kind: "email" }, "character varying(6)", "alice@example.com", "a***@e"],
  [keep(0, 4), "text", "+15550001234", "********1234"],
  [keep(0, 4), "text", "1234", "****"],
  [keep(2, 2), "text", "12😀56", "12*56"],
  [keep(2, 2), "text", "123", "***"],
  [keep(1, 0), "character(5)", "ab   ", "a*   "],
  [{ kind: "token" }, "text", "x", "tok_0123456789abcdef0123456789abcdef"],
  [{ kind: "token" }, "character varying(20)", "x", "tok_0123456789abcdef"],
  [{ kind: "token" }, "character varying(15)", "x", null],
  [{ kind: "token" }, "uuid", "x", "01234567-89ab-cdef-0123-456789abcdef"],
  [{ kind: "token" }, "integer", "7", "19088743"],
  [{ kind: "token" }, "boolean", "t", null],
  [{ kind: "year" }, "date", "2026-11-24", "2026-01-01"],
  [{ kind: "month" }, "date", "0044-03-15 BC", "0044-03-01 BC"],
  [{ kind: "year" }, "date", "infinity", "infinity"],
  [{ kind: "month" }, "timestamp without time zone", "2026-11-24 10:00:00.5", "2026-11-01 00:00:00"],
  [{ kind: "year" }, "timestamp with time zone", "2026-11-24 10:00:00+00", "2026-01-01 00:00:00+00"],
  [{ kind: "year" }, "timestamp with time zone", "2026-11-24 10:00:00+01", null],
  [{ kind: "year" }, "date", "24/11/2026", null],
  [round(-2), "integer", "150", "200"],
  [round(-2), "integer", "-149", "-100"],
  [round(-9), "integer", "2147483647", "2000000000"],
  [round(-5), "smallint", "32767", "0"],
  [round(1), "numeric", "1.25", "1.3"],
  [round(3), "numeric", "-0.5", "-0.500"],
  [round(-1), "numeric(4,2)", "96.00", "90.00"],
  [round(0), "numeric(10,2)", "2.50", "3.00"],
  [round(0), "double precision", "2.5", null],
  [round(0), "numeric", "NaN", "NaN"],
])("%j of %s %j is %j", (mask, type, value, masked) => {
  expect(maskText(mask, value, type, hash)).toBe(masked);
});
