import fc from "fast-check";
import { expect, test } from "vitest";
import { findPlaceholders } from "./placeholders.ts";
import { tokens } from "./postgres/lexer.ts";

const names = (sql: string) => findPlaceholders(sql).placeholders.map(({ name }) => name);
const faults = (sql: string) => findPlaceholders(sql).faults.map(({ message }) => message);

test("placeholders stand outside quotes and are not casts", () => {
  expect(names("id = :customer and x > :from_date::date")).toEqual(["customer", "from_date"]);
  expect(names("a = ':no' and b = :yes")).toEqual(["yes"]);
  expect(names("a = 'it''s :no' and b = :yes")).toEqual(["yes"]);
  expect(names(String.raw`a = E'\':no' and b = :yes`)).toEqual(["yes"]);
  expect(names(String.raw`a = '\' and b = :yes`)).toEqual(["yes"]);
  expect(names(`"a:no" = :yes`)).toEqual(["yes"]);
  expect(names("a = $q$ :no $q$ and b = :yes")).toEqual(["yes"]);
  expect(names("a = $$ :no $$ and b = :yes")).toEqual(["yes"]);
  expect(names("a::text = :x::pg_catalog.text")).toEqual(["x"]);
  expect(names("a[1 : 2] = :x")).toEqual(["x"]);
});

test("the offsets are those of the whole placeholder", () => {
  const sql = "id = :customer and true";
  const [found] = findPlaceholders(sql).placeholders;
  expect(sql.slice(found!.start, found!.end)).toBe(":customer");
});

test("what could change the meaning of the statement around it is a fault", () => {
  for (const sql of [
    "true) or (true",
    "(true",
    "true; drop table x",
    "true -- comment",
    "true /* comment */",
    "a = 'open",
    `"open = 1`,
    "a = $q$ open $$",
    "a = $1",
    "   ",
    "a\0",
  ]) {
    expect(faults(sql).length, sql).toBeGreaterThan(0);
  }
  expect(faults("a = ';' and b = '--' and c = '(' and d = $$/*$$")).toEqual([]);
});

test("a text without faults stays one condition between parentheses, whatever it is", () => {
  const words = "a|e|E|U&|:x|:y|::|:|'|\"|$|$$|$t$|\\|(|)| |\n|[1:2]|=|é|_|1|--|/*|*/|;".split("|");
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 16 }), (parts) => {
      const sql = parts.join("");
      if (findPlaceholders(sql).faults.length > 0) return;
      const around = tokens(`(${sql}\n)`);
      const depths: number[] = [];
      let depth = 0;
      for (const { value, kind } of around) {
        if (kind === "other" && value === "(") depth += 1;
        if (kind === "other" && value === ")") depth -= 1;
        depths.push(depth);
      }
      expect(around.some(({ value, kind }) => kind === "other" && value === ";")).toBe(false);
      expect(depths.slice(0, -1).every((at) => at > 0)).toBe(true);
      expect(depths.at(-1)).toBe(0);
    }),
    { numRuns: 5000 },
  );
});
