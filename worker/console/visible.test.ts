import { expect, test } from "vitest";
import { visible } from "./visible.ts";

const shown = (text: string): string =>
  visible(text)
    .parts.map((part) => part.text)
    .join("");

test.each([
  ["bidi override", "UPDATE orders SET status = '\u202edediov' ", "⟨U+202E⟩"],
  ["zero width", "ord\u200bers", "⟨U+200B⟩"],
  ["carriage return", "SELECT 1\r-- safe", "⟨U+000D⟩"],
  ["escape", "\u001b[2Jx", "⟨U+001B⟩"],
  ["no-break space", "a\u00a0b", "⟨U+00A0⟩"],
  ["tag characters", "a\u{e0041}b", "⟨U+E0041⟩"],
])("A3 %s is made visible, with a warning", (_name, text, mark) => {
  expect(shown(text)).toContain(mark);
  expect(visible(text).warnings.length).toBeGreaterThan(0);
});

test("A3 look-alike letters, comments, blank runs and length are pointed out", () => {
  expect(visible("SELECT * FROM оrders").warnings.join()).toContain("о(U+43E)rders");
  expect(visible("SELECT 1 -- DELETE").warnings.join()).toContain("comments");
  expect(visible(`SELECT 1${" ".repeat(200)}; DELETE`).warnings.join()).toContain("blank space");
  expect(visible("x".repeat(5000)).warnings.join()).toContain("5000 characters");
});

test("plain text of any one script is shown as it is, without warnings", () => {
  for (const text of ["SELECT id\n\tFROM orders", "naïve café", "Заявка", "注文"]) {
    expect(shown(text)).toBe(text);
    expect(visible(text).warnings).toEqual([]);
  }
});
