import { expect, test } from "vitest";
import { figure, putSection, ratioText, tableText, verdict } from "./report.ts";

test("a section is replaced between its own marks, and only there", () => {
  const page =
    "a\n<!-- bench:sql -->\nold\n<!-- /bench:sql -->\nb\n<!-- bench:memory -->\n<!-- /bench:memory -->\n";
  const once = putSection(page, "sql", "new");
  expect(once).toBe(page.replace("old", "new"));
  expect(putSection(once, "sql", "new")).toBe(once);
  expect(() => putSection(page, "pgbench", "x")).toThrow("no place");
  expect(() => putSection(page + page, "sql", "x")).toThrow("no place");
  expect(() => putSection("<!-- /bench:a --><!-- bench:a -->", "a", "x")).toThrow("no place");
});

test("tables, figures and verdicts", () => {
  expect(tableText({ head: ["case", "n"], rows: [["one", "1"], ["longer"]] })).toBe(
    "| case   | n   |\n| ------ | --- |\n| one    | 1   |\n| longer |     |",
  );
  expect([0.12345, 12.34, 1234.5, 987_654, Number.NaN].map(figure)).toEqual([
    "0.123",
    "12.3",
    "1,230",
    "988,000",
    "–",
  ]);
  expect(ratioText({ median: 0.867, min: 0.8, max: 0.9 })).toBe("0.87 (0.80–0.90)");
  expect(verdict("≥", 0.85, 0.85)).toBe("≥ 0.85: met");
  expect(verdict("<", 5, 5, " µs")).toBe("< 5 µs: **missed**");
});
