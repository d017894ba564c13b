/** R4: text of others on a terminal. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { inert, inertJson, inertLines } from "./inert.ts";

/** What a terminal acts on, or shows in another order, or not at all. */
const ACTIVE =
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}]/u;

test.each([
  ["ANSI", "\u001b[31mred\u001b[2J", "\\u001b[31mred\\u001b[2J"],
  ["an 8-bit CSI", "\u009b2J", "\\u009b2J"],
  ["OSC 52", "\u001b]52;c;ZXZpbA==\u0007", "\\u001b]52;c;ZXZpbA==\\u0007"],
  ["bidirectional controls", "a\u202eb\u2066c", "a\\u202eb\\u2066c"],
  ["NUL and line breaks", "a\u0000b\r\nc\u2028d", "a\\u0000b\\u000d\\u000ac\\u2028d"],
  ["what does not show", "a\u200bb\u{e0041}c", "a\\u200bb\\u{e0041}c"],
  ["HTML and formulas, which are text here", "=1+1 <b>", "=1+1 <b>"],
])("R4 %s is shown, and does nothing", (_name, text, shown) => {
  expect(inert(text)).toBe(shown);
});

test("R4 no text is active, and JSON means the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(inert(text)).not.toMatch(ACTIVE);
      expect(inertLines(text).replaceAll(/[\n\t]/g, "")).not.toMatch(ACTIVE);
      const json = inertJson(JSON.stringify({ [text]: [text] }));
      expect(json).not.toMatch(ACTIVE);
      expect(JSON.parse(json)).toEqual({ [text]: [text] });
    }),
  );
});
