import { expect, test } from "vitest";
import { durationWords, parseDuration, parseSize, sizeWords } from "./units.ts";

const value = (parsed: ReturnType<typeof parseDuration>) => ("value" in parsed ? parsed.value : null);
const fix = (parsed: ReturnType<typeof parseDuration>) => ("fix" in parsed ? parsed.fix : null);

test("durations", () => {
  expect(value(parseDuration("30m"))).toBe(1_800_000);
  expect(value(parseDuration("10s"))).toBe(10_000);
  expect(value(parseDuration("1h30m"))).toBe(5_400_000);
  expect(value(parseDuration("500ms"))).toBe(500);
  expect(value(parseDuration("1m500ms"))).toBe(60_500);
  expect(value(parseDuration("1d"))).toBe(86_400_000);
  for (const wrong of ["", "30", "m30", "30M", "1m1h", "-5m", "1.5h", "0s", "31d", "5 m", "10m10m"]) {
    expect(value(parseDuration(wrong)), wrong).toBeNull();
  }
  expect(fix(parseDuration("30"))).toContain("30m");
  expect(durationWords(5_400_000)).toBe("1h 30m");
  expect(durationWords(0)).toBe("0s");
});

test("sizes", () => {
  expect(value(parseSize("5MiB"))).toBe(5_242_880);
  expect(value(parseSize("64KiB"))).toBe(65_536);
  expect(value(parseSize("1GB"))).toBe(1e9);
  expect(value(parseSize("500"))).toBe(500);
  for (const wrong of ["", "MiB", "5mib", "5 MiB", "-1", "0", "1.5MiB", "5TiB", "2000GiB"]) {
    expect(value(parseSize(wrong)), wrong).toBeNull();
  }
  expect(fix(parseSize("5mib"))).toBe("write 5MiB");
  expect(sizeWords(5_242_880)).toBe("5 MiB");
  expect(sizeWords(500)).toBe("500 bytes");
});
