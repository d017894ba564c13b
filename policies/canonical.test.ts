import { expect, test } from "vitest";
import { canonicalText, digestOf, jsonEquals } from "./canonical.ts";

test("RFC 8785: the example of section 3.2", () => {
  const value = {
    numbers: [JSON.parse("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  expect(canonicalText(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test("RFC 8785: keys are sorted by UTF-16 code units (section 3.2.3)", () => {
  const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
  const text = canonicalText(Object.fromEntries(keys.map((key, i) => [key, i])));
  expect(Object.values(JSON.parse(`[${text.replace(/"[^"]*":/g, "").slice(1, -1)}]`))).toEqual([
    1, 3, 5, 6, 0, 4, 2,
  ]);
});

test("what is not JSON has no canonical text", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, undefined, { a: undefined }, "\ud800", 1n]) {
    expect(() => canonicalText(value)).toThrow(TypeError);
  }
});

test("the digest does not depend on the order of keys", () => {
  expect(digestOf({ a: 1, b: [2] })).toBe(digestOf({ b: [2], a: 1 }));
  expect(digestOf({})).toBe("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
});

test("equality is exact in type", () => {
  expect(jsonEquals({ a: [1, "x", null] }, { a: [1, "x", null] })).toBe(true);
  expect(jsonEquals(1, "1")).toBe(false);
  expect(jsonEquals([1], { "0": 1 })).toBe(false);
  expect(jsonEquals({ a: 1 }, { a: 1, b: 2 })).toBe(false);
  expect(jsonEquals({ a: 1 }, JSON.parse('{"__proto__":1}'))).toBe(false);
  expect(jsonEquals("x", ["x"])).toBe(false);
  expect(jsonEquals(undefined, undefined)).toBe(true);
});
