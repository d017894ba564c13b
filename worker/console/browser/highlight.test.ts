import { expect, test } from "vitest";
import { sqlTokens } from "./highlight.ts";

const kinds = (text: string): string[] =>
  sqlTokens(text)
    .filter((token) => token.kind !== "other")
    .map((token) => `${token.kind} ${token.text}`);

test("words, strings, comments and parameters are told apart", () => {
  expect(kinds(`SELECT "a b", 'it''s' FROM t WHERE id = $1 AND n > 1.5e3 -- end`)).toEqual([
    "keyword SELECT",
    'name "a b"',
    "string 'it''s'",
    "keyword FROM",
    "keyword WHERE",
    "parameter $1",
    "keyword AND",
    "number 1.5e3",
    "comment -- end",
  ]);
  expect(kinds("select $q$ from ' $q$, E'\\'' /* select */")).toEqual([
    "keyword select",
    "string $q$ from ' $q$",
    "string E'\\''",
    "comment /* select */",
  ]);
});

test("the tokens are the text, whatever the text is", () => {
  for (const text of ["", "'", '"', "$$", "/*", "\0\u202e'\n", "😀 sélect $x$ $1", "select'a''"]) {
    expect(
      sqlTokens(text)
        .map((token) => token.text)
        .join(""),
    ).toBe(text);
  }
});

test("long hostile text takes linear time", () => {
  for (const text of ["'".repeat(100_001), "$a".repeat(50_000), "/*".repeat(50_000), "1e".repeat(50_000)]) {
    expect(
      sqlTokens(text)
        .map((token) => token.text)
        .join("").length,
    ).toBe(text.length);
  }
});
