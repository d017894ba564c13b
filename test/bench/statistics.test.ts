import { expect, test } from "vitest";
import { interleave, percentile, ratios, spread } from "./statistics.ts";

test("median, extremes and percentiles", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spread([4, 1, 2, 3]).median).toBe(2.5);
  expect(spread([]).median).toBeNaN();
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([0.5, 0.99, 1, 0].map((share) => percentile(hundred, share))).toEqual([50, 99, 100, 1]);
  expect(percentile([7], 0.99)).toBe(7);
});

test("ratios are of pairs: what slows both of a pair does not show", () => {
  expect(ratios([10, 5, 20], [20, 10, 40])).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
  expect(() => ratios([1], [1, 2])).toThrow(RangeError);
});

test("each way is measured once a round, and each is first in turn", async () => {
  const order: string[] = [];
  const values = await interleave(["a", "b", "c"], 3, async (way, round) => {
    order.push(way);
    return round;
  });
  expect(order.join("")).toBe("abcbcacab");
  expect(values).toEqual({ a: [0, 1, 2], b: [0, 1, 2], c: [0, 1, 2] });
});

test("no round begins when the time is used up, but one is made", async () => {
  let now = 0;
  const slow = (ms: number) =>
    interleave(
      ["a", "b"],
      9,
      async () => {
        now += ms;
        return 1;
      },
      () => now,
    );
  expect((await slow(100_000)).a).toHaveLength(1);
  expect((await slow(10_000)).b).toHaveLength(3);
});
