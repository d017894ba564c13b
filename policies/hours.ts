/** Working hours of a task: days and a span of the clock in a named time zone. */
import { nearest } from "./nearest.ts";
import type { TaskHours } from "./task.ts";

/** ISO 8601: Monday is 1, Sunday is 7. */
const days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

type Parsed = { readonly value: TaskHours } | { readonly message: string; readonly fix: string | null };

const example = "Mon-Fri 08:00-20:00 Europe/Berlin";

/** Reads `Mon-Fri 08:00-20:00 Europe/Berlin`; days may be a list (`Mon,Wed-Fri`) or left out (every day). */
export function parseHours(text: string): Parsed {
  const parts = /^(?:(\S+) )?(\d{2}:\d{2})-(\d{2}:\d{2}) ([A-Za-z][A-Za-z0-9_+\-/]*)$/.exec(text);
  if (parts === null)
    return { message: `\`${text}\` is not a span of hours`, fix: `write it like ${example}` };
  const [, dayText, from, to, zone] = parts as unknown as [
    string,
    string | undefined,
    string,
    string,
    string,
  ];
  const daySet = new Set<number>();
  for (const item of dayText?.split(",") ?? ["Mon-Sun"]) {
    const [first, last = first] = item.split("-") as [string, string?];
    const unknown = [first, last].find((day) => !days.includes(day));
    if (unknown !== undefined) {
      return {
        message: `\`${unknown}\` is not a day`,
        fix: `write ${nearest(unknown, days) ?? "Mon … Sun"}`,
      };
    }
    for (let day = days.indexOf(first); ; day = (day + 1) % 7) {
      daySet.add(day + 1);
      if (days[day] === last) break;
    }
  }
  for (const time of [from, to]) {
    if (minutes(time) === null) {
      return { message: `\`${time}\` is not a time of day`, fix: "write 00:00 to 24:00" };
    }
  }
  if (from === to) return { message: "the span is empty", fix: "write 00:00-24:00 for the whole day" };
  if (localTime(0, zone) === null) {
    return {
      message: `the time zone \`${zone}\` is not known`,
      fix: "use an IANA name such as Europe/Berlin",
    };
  }
  return { value: { days: [...daySet].sort(), from, to, zone } };
}

/**
 * Whether a moment (milliseconds since the epoch) is within the hours. `from` is included, `to` is not. A span
 * past midnight (22:00-06:00) belongs to the day it starts on. A zone this runtime does not know: false.
 */
export function withinHours(hours: TaskHours, now: number): boolean {
  const local = localTime(now, hours.zone);
  const from = minutes(hours.from);
  const to = minutes(hours.to);
  if (local === null || from === null || to === null) return false;
  const today = hours.days.includes(local.day);
  if (from < to) return today && local.minute >= from && local.minute < to;
  const yesterday = hours.days.includes(local.day === 1 ? 7 : local.day - 1);
  return (today && local.minute >= from) || (yesterday && local.minute < to);
}

/** `Mon, Tue, Wed 08:00 to 20:00 (Europe/Berlin)`. */
export function hoursWords(hours: TaskHours): string {
  const names = hours.days.length === 7 ? "every day" : hours.days.map((day) => days[day - 1]).join(", ");
  return `${names} ${hours.from} to ${hours.to} (${hours.zone})`;
}

function minutes(time: string): number | null {
  const [hour, minute] = time.split(":").map(Number) as [number, number];
  return minute < 60 && (hour < 24 || (hour === 24 && minute === 0)) ? hour * 60 + minute : null;
}

function localTime(now: number, zone: string): { day: number; minute: number } | null {
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
    const day = days.indexOf(parts.weekday ?? "") + 1;
    const minute = Number(parts.hour) * 60 + Number(parts.minute);
    return day > 0 && Number.isInteger(minute) ? { day, minute } : null;
  } catch {
    return null;
  }
}
