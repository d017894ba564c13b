import { describe, expect, test } from "vitest";
import { inertCell } from "./copying.ts";

describe("R4 a cell that is copied", () => {
  test.each([
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(A1)",
    "\t=1",
    " =HYPERLINK(1)",
    "|x",
    "-",
    "+a",
  ])("%j runs nowhere", (text) => expect(inertCell(text)).toBe(`'${text}`));
  test.each([
    "-5",
    "+41.5",
    "-1,000.25",
    "1e-7",
    "-1.5E+10",
    "a=1",
    "",
    "NULL",
    "⟨U+001B⟩[31m",
    "2026-11-24",
  ])("%j stays as it is", (text) => expect(inertCell(text)).toBe(text));
});
