import { expect, test } from "vitest";
import { hoursWords, parseHours, withinHours } from "./hours.ts";

function at(hours: string, time: string): boolean {
  const parsed = parseHours(hours);
  if (!("value" in parsed)) throw new Error(parsed.message);
  return withinHours(parsed.value, Date.parse(time));
}

test("days and times in their zone, with summer time", () => {
  const office = "Mon-Fri 08:00-20:00 Europe/Berlin";
  expect(at(office, "2026-11-24T08:00:00+01:00")).toBe(true);
  expect(at(office, "2026-11-24T07:59:59+01:00")).toBe(false);
  expect(at(office, "2026-11-24T20:00:00+01:00")).toBe(false);
  expect(at(office, "2026-11-22T12:00:00+01:00")).toBe(false);
  expect(at(office, "2026-07-01T06:30:00Z")).toBe(true);
  expect(at(office, "2026-12-01T06:30:00Z")).toBe(false);
});

test("a span past midnight belongs to the day it starts on", () => {
  const night = "Fri 22:00-06:00 UTC";
  expect(at(night, "2026-11-27T23:00:00Z")).toBe(true);
  expect(at(night, "2026-11-28T05:59:00Z")).toBe(true);
  expect(at(night, "2026-11-28T06:00:00Z")).toBe(false);
  expect(at(night, "2026-11-27T05:00:00Z")).toBe(false);
  expect(at("Sun 22:00-06:00 UTC", "2026-11-30T01:00:00Z")).toBe(true);
});

test("every day, lists and ranges over the end of the week", () => {
  expect(at("00:00-24:00 UTC", "2026-11-29T23:59:59Z")).toBe(true);
  expect(at("Sat-Mon 09:00-10:00 UTC", "2026-11-29T09:30:00Z")).toBe(true);
  expect(at("Mon,Wed-Thu 09:00-10:00 UTC", "2026-11-24T09:30:00Z")).toBe(false);
  expect(at("Mon,Wed-Thu 09:00-10:00 UTC", "2026-11-26T09:30:00Z")).toBe(true);
});

test("what is not a span is refused with a fix", () => {
  for (const wrong of [
    "always",
    "Mon-Fri 8:00-20:00 UTC",
    "Mon-Fri 08:00-20:00",
    "Mo-Fr 08:00-20:00 UTC",
    "Mon 25:00-26:00 UTC",
    "Mon 08:60-09:00 UTC",
    "Mon 08:00-08:00 UTC",
    "Mon 08:00-09:00 Europe/Berln",
  ]) {
    expect(parseHours(wrong), wrong).toMatchObject({ message: expect.any(String), fix: expect.any(String) });
  }
});

test("a zone that the runtime does not know is never within hours", () => {
  expect(withinHours({ days: [1, 2, 3, 4, 5, 6, 7], from: "00:00", to: "24:00", zone: "Nowhere/X" }, 0)).toBe(
    false,
  );
});

test("in words", () => {
  const parsed = parseHours("Mon-Tue 08:00-20:00 Europe/Berlin");
  expect("value" in parsed && hoursWords(parsed.value)).toBe("Mon, Tue 08:00 to 20:00 (Europe/Berlin)");
});
