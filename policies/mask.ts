/**
 * The masks as functions on values, as PostgreSQL prints them: the same answers as the SQL of
 * policies/postgres/masks.ts, for what never was in SQL or is already out of the database (previews, detectors,
 * answers of other systems). Held together by a differential test against a real server.
 *
 * What a function cannot say exactly (floats, enums, domains, other date styles) it hides: the answer is null.
 */
import type { Mask } from "./task.ts";

/** Keyed hash of a text: HMAC-SHA256 in lower-case hexadecimal. The key stays with the caller. */
export type TokenHash = (text: string) => string;

/** A type of pg_type as `format_type` prints it, in parts. */
interface ColumnType {
  readonly name: string;
  readonly modifiers: readonly number[];
}

const integers: Readonly<Record<string, readonly [bigint, bigint]>> = {
  smallint: [-32768n, 32767n],
  integer: [-2147483648n, 2147483647n],
  bigint: [-9223372036854775808n, 9223372036854775807n],
};

/**
 * The masked text of a column's text. `null` in is null out; null out may also mean that this mask does not fit
 * the type, or that this function cannot tell what the database would print.
 * @param type the column's type as `format_type` prints it: `text`, `character varying(20)`, `numeric(12,2)`
 */
export function maskText(mask: Mask, value: string | null, type: string, hash: TokenHash): string | null {
  const column = parseType(type);
  if (value === null || column === null) return null;
  const text = isText(column);
  switch (mask.kind) {
    case "null":
      return null;
    case "constant":
      return constantText(String(mask.value), column);
    case "email":
      return text ? clip(emailText(trimmed(value, column)), column) : null;
    case "keep":
      return text ? clip(keepText(mask, trimmed(value, column)), column) : null;
    case "token":
      return tokenText(hash(trimmed(value, column)), column);
    case "year":
    case "month":
      return dateText(value, mask.kind, column);
    case "round":
      return roundText(value, mask.digits, column);
  }
}

/** `left(v,1) || '***@' || split_part(v,'@',2)`; characters are code points, as in SQL. */
function emailText(value: string): string {
  return `${Array.from(value)[0] ?? ""}***@${value.split("@")[1] ?? ""}`;
}

/** The first and last characters; a value with nothing between them is hidden whole. */
function keepText(mask: Mask & { kind: "keep" }, value: string): string {
  const characters = Array.from(value);
  const hidden = characters.length - mask.first - mask.last;
  if (hidden <= 0) return mask.with.repeat(characters.length);
  const last = mask.last === 0 ? "" : characters.slice(-mask.last).join("");
  return `${characters.slice(0, mask.first).join("")}${mask.with.repeat(hidden)}${last}`;
}

function tokenText(hex: string, column: ColumnType): string | null {
  if (isText(column)) {
    const room = column.name === "name" ? 63 : (column.modifiers[0] ?? 36);
    return room < 16 ? null : clip(`tok_${hex.slice(0, Math.min(room - 4, 32))}`, column);
  }
  if (column.name === "uuid") {
    return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  if (column.name === "bigint") return BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`)).toString();
  if (column.name === "integer") return BigInt.asIntN(32, BigInt(`0x${hex.slice(0, 8)}`)).toString();
  return null;
}

function constantText(value: string, column: ColumnType): string | null {
  if (isText(column)) {
    const room = column.name === "text" ? undefined : column.modifiers[0];
    return room !== undefined && Array.from(value).length > room ? null : clip(value, column);
  }
  const range = integers[column.name];
  if (range) {
    if (!/^-?\d{1,19}$/.test(value)) return null;
    const number = BigInt(value);
    return number < range[0] || number > range[1] ? null : number.toString();
  }
  if (column.name === "numeric") {
    if (!/^-?\d+(\.\d+)?$/.test(value)) return null;
    const [precision, scale = 0] = column.modifiers;
    if (precision === undefined) return decimalText(parseDecimal(value)!);
    const number = rescale(parseDecimal(value)!, scale);
    return number === null || !fits(number, precision) ? null : decimalText(number);
  }
  if (column.name === "boolean") return value === "true" ? "t" : value === "false" ? "f" : null;
  if (column.name === "date") return /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : null;
  return column.name === "uuid" ? value.toLowerCase() : null;
}

/** Only the ISO date style, and for `timestamptz` a time printed in UTC: the unit starts there. */
function dateText(value: string, unit: "year" | "month", column: ColumnType): string | null {
  const tail = {
    date: "",
    "timestamp without time zone": " 00:00:00",
    "timestamp with time zone": " 00:00:00+00",
  }[column.name];
  if (tail === undefined) return null;
  if (value === "infinity" || value === "-infinity") return value;
  const parts = /^(\d{4,6})-(\d{2})-\d{2}( \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)?(\+00)?( BC)?$/.exec(value);
  if (parts === null) return null;
  const [, year, month, time, zone, bc = ""] = parts;
  if ((time === undefined) !== (column.name === "date")) return null;
  if ((zone === undefined) !== (column.name !== "timestamp with time zone")) return null;
  // PostgreSQL's calendar starts in 4714 BC; what lies before 4713 BC is shown as its first day.
  if (bc !== "" && Number(year) > 4713) return `4713-01-01${tail}${bc}`;
  return `${year}-${unit === "year" ? "01" : month}-01${tail}${bc}`;
}

/** An exact decimal: `digits` × 10^-scale. */
interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

function roundText(value: string, digits: number, column: ColumnType): string | null {
  if (column.name === "numeric" && /^(NaN|-?Infinity)$/.test(value)) return value;
  const number = parseDecimal(value);
  if (number === null) return null;
  const rounded = roundDecimal(number, digits, true);
  const cut = roundDecimal(number, digits, false);
  const range = integers[column.name];
  if (range) {
    const whole = (decimal: Decimal) => roundDecimal(decimal, 0, true).digits;
    const result = whole(rounded);
    return (result >= range[0] && result <= range[1] ? result : whole(cut)).toString();
  }
  if (column.name !== "numeric") return null;
  const [precision, scale = 0] = column.modifiers;
  if (precision === undefined) return decimalText(rounded);
  const chosen = fits(roundDecimal(rounded, scale, true), precision) ? rounded : cut;
  const result = rescale(chosen, scale);
  return result === null ? null : decimalText(result);
}

function parseDecimal(text: string): Decimal | null {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (parts === null) return null;
  const [, sign, whole, part = ""] = parts;
  return { digits: BigInt(`${sign}${whole}${part}`), scale: part.length };
}

/** PostgreSQL's round (half away from zero) or trunc to so many digits; the scale is never negative. */
function roundDecimal(number: Decimal, digits: number, nearest: boolean): Decimal {
  const scale = Math.max(digits, 0);
  if (digits >= number.scale) {
    return { digits: number.digits * 10n ** BigInt(scale - number.scale), scale };
  }
  const unit = 10n ** BigInt(number.scale - digits);
  const half = number.digits < 0n ? -unit / 2n : unit / 2n;
  const units = (number.digits + (nearest ? half : 0n)) / unit;
  return { digits: units * 10n ** BigInt(scale - digits), scale };
}

/** The same number with another scale, rounded where it must be. */
function rescale(number: Decimal, scale: number): Decimal | null {
  return scale < 0 ? null : roundDecimal(number, scale, true);
}

/** Whether a number fits numeric(precision, scale) with its own scale. */
function fits(number: Decimal, precision: number): boolean {
  const magnitude = number.digits < 0n ? -number.digits : number.digits;
  return magnitude < 10n ** BigInt(precision);
}

function decimalText({ digits, scale }: Decimal): string {
  const negative = digits < 0n;
  const text = (negative ? -digits : digits).toString().padStart(scale + 1, "0");
  const whole = text.slice(0, text.length - scale);
  return `${negative ? "-" : ""}${whole}${scale > 0 ? `.${text.slice(-scale)}` : ""}`;
}

function parseType(type: string): ColumnType | null {
  const parts = /^([a-z_." ]+?)\s*(?:\((\d+)(?:,(-?\d+))?\))?\s*((?:with|without) time zone)?$/i.exec(type);
  if (parts === null) return null;
  const modifiers = [parts[2], parts[3]].filter((text) => text !== undefined).map(Number);
  return { name: parts[4] ? `${parts[1]} ${parts[4]}` : parts[1]!, modifiers };
}

function isText({ name }: ColumnType): boolean {
  return name === "text" || name === "name" || name === "character varying" || name === "character";
}

/** A `character(n)` loses its padding when it becomes text. */
function trimmed(value: string, { name }: ColumnType): string {
  return name === "character" ? value.replace(/ +$/, "") : value;
}

/** An explicit cast cuts to the column's length; `character(n)` is padded, `name` is cut to 63 bytes. */
function clip(value: string, { name, modifiers }: ColumnType): string {
  if (name === "name") {
    let cut = value;
    while (new TextEncoder().encode(cut).length > 63) cut = Array.from(cut).slice(0, -1).join("");
    return cut;
  }
  const length = modifiers[0];
  if (length === undefined) return value;
  const cut = Array.from(value).slice(0, length).join("");
  return name === "character" ? cut + " ".repeat(length - Array.from(cut).length) : cut;
}
