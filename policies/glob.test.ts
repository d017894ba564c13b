import fc from "fast-check";
import { expect, test } from "vitest";
import { globFault, globMatches } from "./glob.ts";

test("the whole text must match, by case", () => {
  expect(globMatches("INC-*", "INC-7")).toBe(true);
  expect(globMatches("INC-*", "INC-")).toBe(true);
  expect(globMatches("INC-*", "inc-7")).toBe(false);
  expect(globMatches("INC-*", " INC-7")).toBe(false);
  expect(globMatches("INC-?", "INC-77")).toBe(false);
  expect(globMatches("INC-?", "INC-😀")).toBe(true);
  expect(globMatches("*-x", "a*-y-x")).toBe(true);
  expect(globMatches("a*b*c", "aXbYbZc")).toBe(true);
  expect(globMatches("", "")).toBe(true);
  expect(globMatches("", "a")).toBe(false);
  expect(globMatches("*", "")).toBe(true);
  expect(globMatches("*?", "")).toBe(false);
});

test("it agrees with the regular expression that it stands for", () => {
  const part = fc.constantFrom("a", "b", "*", "?");
  const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), letters, (parts, given) => {
      const pattern = parts.join("");
      const text = given.join("");
      const regex = parts.map((p) => (p === "*" ? "[^]*" : p === "?" ? "[^]" : p)).join("");
      expect(globMatches(pattern, text)).toBe(new RegExp(`^${regex}$`).test(text));
    }),
    { numRuns: 2000 },
  );
});

test("many stars against a long text cost at most length times length", () => {
  const steps = globMatches(`${"*a".repeat(100)}b`, "a".repeat(1000));
  expect(steps).toBe(false);
});

test("A13 what only means something in a regular expression is refused", () => {
  expect(globFault("^test|staging$")).toMatchObject({ message: expect.stringContaining("glob") });
  expect(globFault("test|staging")?.message).toContain("`|` makes no alternatives");
  for (const pattern of ["INC-.*", "INC-\\d", "(INC|OPS)-*", "INC-[0-9]*", "INC-{1,3}", "INC-+"]) {
    expect(globFault(pattern), pattern).not.toBeNull();
  }
  expect(globFault("INC-*")).toBeNull();
  expect(globFault("*".repeat(201))).not.toBeNull();
});
