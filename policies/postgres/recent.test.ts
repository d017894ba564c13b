import { expect, test } from "vitest";
import { Recent } from "./recent.ts";

test("the oldest make place, by number and by size", () => {
  const recent = new Recent<number>(3, 80);
  for (const n of [1, 2, 3, 4]) recent.set(`t${n}`, n, 1);
  expect([1, 2, 3, 4].map((n) => recent.get(`t${n}`))).toEqual([undefined, 2, 3, 4]);
  const large = new Recent<number>(100, 80);
  for (let n = 10; n < 30; n++) large.set(`t${n}`, n, 7);
  expect(
    Array.from({ length: 20 }, (_, n) => large.get(`t${n + 10}`)).filter((n) => n !== undefined),
  ).toEqual([22, 23, 24, 25, 26, 27, 28, 29]);
});

test("what takes too much is not kept, and forgets what was kept for its text", () => {
  const recent = new Recent<number>(10, 80);
  recent.set("a", 1, 2);
  recent.set("a", 2, 9);
  expect(recent.get("a")).toBe(2);
  recent.set("a", 3, 10);
  expect(recent.get("a")).toBeUndefined();
  recent.set("b", 4, 2);
  recent.clear();
  expect(recent.get("b")).toBeUndefined();
  const none = new Recent<number>(0, 80);
  none.set("a", 1, 1);
  expect(none.get("a")).toBeUndefined();
});
