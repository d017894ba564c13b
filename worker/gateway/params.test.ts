import { expect, test } from "vitest";
import { paramsFrom } from "./params.ts";

test("reads form-urlencoded pairs", () => {
  expect(paramsFrom(null)).toEqual({ ok: true, params: {} });
  expect(paramsFrom("")).toEqual({ ok: true, params: {} });
  expect(paramsFrom("customer=7&name=a+b%26c&empty=")).toEqual({
    ok: true,
    params: { customer: "7", name: "a b&c", empty: "" },
  });
});

test("a name like an object's own is a name", () => {
  const read = paramsFrom("__proto__=1&constructor=2");
  expect(read.ok && Object.entries(read.params)).toEqual([
    ["__proto__", "1"],
    ["constructor", "2"],
  ]);
});

test.each([
  ["twice", "a=1&a=2"],
  ["no name", "=1"],
  ["broken UTF-8", "a=%ff"],
  ["too long", `a=${"x".repeat(9000)}`],
  ["too many", Array.from({ length: 65 }, (_, i) => `p${i}=1`).join("&")],
])("refuses %s", (_name, header) => {
  expect(paramsFrom(header).ok).toBe(false);
});
