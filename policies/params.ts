/** The typed parameters of a task: text from a person to one canonical text for the database. */
import type { ParamType } from "./task.ts";

/** Longest `text` parameter, bytes of UTF-8. */
export const MAX_TEXT = 1024;
/** Most digits of a `numeric` parameter. */
export const MAX_DIGITS = 100;

/** What each type is, to complete "must be …". */
export const paramWords: Readonly<Record<ParamType, string>> = {
  text: "text of at most 1024 bytes",
  integer: "a whole number that fits 64 bits",
  numeric: "a decimal number such as 12.50",
  boolean: "true or false",
  date: "a date such as 2026-11-24",
  timestamp: "a time with an offset, such as 2026-11-24T10:00:00+01:00",
  uuid: "a UUID",
};

/**
 * The canonical text of a value, or null when it is not of the type. Equal values have equal texts, so that
 * grants with the same parameters are the same grant. Nothing is trimmed or guessed.
 */
export function canonicalParam(type: ParamType, text: string): string | null {
  if (text.length > MAX_TEXT) return null;
  switch (type) {
    case "text": {
      const fits = new TextEncoder().encode(text).length <= MAX_TEXT;
      return fits && text.isWellFormed() && !text.includes("\0") ? text : null;
    }
    case "integer": {
      if (!/^[+-]?\d{1,30}$/.test(text)) return null;
      const value = BigInt(text.replace(/^\+/, ""));
      return value >= -(2n ** 63n) && value < 2n ** 63n ? value.toString() : null;
    }
    case "numeric":
      return canonicalNumeric(text);
    case "boolean":
      return text === "true" || text === "false" ? text : null;
    case "date":
      return isDate(text) ? text : null;
    case "timestamp":
      return canonicalTimestamp(text);
    case "uuid":
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : null;
  }
}

function canonicalNumeric(text: string): string | null {
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (parts === null) return null;
  const [, sign, whole = "", part = ""] = parts;
  if (whole.length + part.length === 0 || whole.length + part.length > MAX_DIGITS) return null;
  const left = whole.replace(/^0+/, "") || "0";
  const right = part.replace(/0+$/, "");
  const value = right === "" ? left : `${left}.${right}`;
  return sign === "-" && value !== "0" ? `-${value}` : value;
}

/** Proleptic Gregorian, years 0001 to 9999. */
function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (parts === null) return false;
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return year > 0 && day > 0 && day <= length;
}

/** To UTC with microseconds as needed: `2026-11-24T09:00:00Z`. Without an offset it is ambiguous: null. */
function canonicalTimestamp(text: string): string | null {
  const parts =
    /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  if (parts === null || !isDate(parts[1]!)) return null;
  const [, date, hour, minute, second = "00", fraction = "", offset] = parts as unknown as string[];
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (offset !== "Z" && (Number(offset!.slice(1, 3)) > 15 || Number(offset!.slice(4)) > 59)) return null;
  const utc = Date.parse(`${date}T${hour}:${minute}:${second}${offset}`);
  if (!Number.isFinite(utc)) return null;
  const canonical = new Date(utc).toISOString();
  if (!/^\d{4}-/.test(canonical) || canonical.startsWith("0000")) return null;
  const part = fraction.replace(/0+$/, "");
  return `${canonical.slice(0, 19)}${part === "" ? "" : `.${part}`}Z`;
}
