/**
 * Masks as SQL: each is an expression of the column's own type, NULL where the column is NULL (but `null`),
 * total (it never raises), deterministic, and made of pg_catalog functions and operators only.
 */
import type { Mask } from "../task.ts";
import type { CatalogColumn } from "./catalog-types.ts";
import { quoteText } from "./names.ts";

export type MaskResult =
  | { readonly ok: true; readonly sql: string }
  /** `MASK_UNSUITABLE`: this mask cannot be made for a column of this type. */
  | { readonly ok: false; readonly code: "MASK_UNSUITABLE"; readonly message: string };

/** Session settings that hold the two HMAC pads of the token mask, in hex. No statement may read them. */
export const TOKEN_INNER = "wicket.token_i";
export const TOKEN_OUTER = "wicket.token_o";

/** Types by what a mask may do with them; names as `format_type` prints them, without modifiers. */
const TEXT = new Set(["text", "character varying", "character", "name", "bpchar", "public.citext", "citext"]);
const INTEGERS: Readonly<Record<string, readonly [string, string]>> = {
  smallint: ["-32768", "32767"],
  integer: ["-2147483648", "2147483647"],
  bigint: ["-9223372036854775808", "9223372036854775807"],
};
const FLOATS = new Set(["real", "double precision"]);
const DATES = new Set(["date", "timestamp without time zone", "timestamp with time zone"]);

/** A type as printed by `format_type`: its name, its modifiers, and whether it is an array. */
function parseType(type: string): { name: string; modifiers: number[]; array: boolean } {
  const array = type.endsWith("[]");
  const match = /^([^(]*?)\s*(?:\((\d+(?:,-?\d+)?)\))?\s*((?:with|without) time zone)?$/.exec(
    type.replace(/(\[\])+$/, ""),
  );
  if (!match) return { name: type, modifiers: [], array };
  const modifiers = match[2]?.split(",").map(Number) ?? [];
  return { name: match[3] ? `${match[1]} ${match[3]}` : match[1]!, modifiers, array };
}

/**
 * The mask of one column.
 * @param ref the column as SQL, quoted, possibly qualified
 */
export function maskExpression(mask: Mask, column: CatalogColumn, ref: string): MaskResult {
  const type = column.baseType ?? column.type;
  const { name, modifiers, array } = parseType(type);
  const cast = (sql: string): MaskResult => ({ ok: true, sql: `(${sql})::${type}` });
  const refuse = (why: string): MaskResult => ({
    ok: false,
    code: "MASK_UNSUITABLE",
    message: `the mask ${describe(mask)} does not fit column ${column.name} of type ${column.type}: ${why}`,
  });
  if (mask.kind === "null") return { ok: true, sql: `NULL::${type}` };
  if (array) return refuse("an array can only be masked with null");
  const text = TEXT.has(name) || (column.category === "S" && !column.labels);
  const value = `(${ref})::pg_catalog.text`;
  switch (mask.kind) {
    case "constant": {
      const literal = constant(mask.value, name, modifiers, text, column);
      if (literal === null) return refuse(`${JSON.stringify(mask.value)} is not a value of that type`);
      return cast(`CASE WHEN ${ref} IS NOT NULL THEN ${literal} END`);
    }
    case "email":
      if (!text) return refuse("it needs a text column");
      return cast(
        `pg_catalog.left(${value}, 1) OPERATOR(pg_catalog.||) '***@' OPERATOR(pg_catalog.||) pg_catalog.split_part(${value}, '@', 2)`,
      );
    case "keep":
      return text ? cast(keep(mask, value)) : refuse("it needs a text column");
    case "token":
      return token(name, modifiers, text, value, cast, refuse);
    case "year":
    case "month":
      return DATES.has(name)
        ? cast(truncated(mask.kind, name, ref))
        : refuse("it needs a date or timestamp column");
    case "round":
      return round(mask.digits, name, modifiers, ref, cast, refuse);
  }
}

function describe(mask: Mask): string {
  return mask.kind === "constant" ? `{ constant: ${JSON.stringify(mask.value)} }` : mask.kind;
}

/** A literal of the column's type; null when the value is not one. */
function constant(
  value: string | number | boolean,
  name: string,
  modifiers: readonly number[],
  text: boolean,
  column: CatalogColumn,
): string | null {
  const written = String(value);
  if (written.includes("\0")) return null;
  const literal = quoteText(written);
  if (column.labels) return column.labels.includes(written) ? literal : null;
  if (text)
    return name !== "text" && modifiers[0] !== undefined && [...written].length > modifiers[0]
      ? null
      : literal;
  const range = INTEGERS[name];
  if (range) {
    if (!/^-?\d{1,19}$/.test(written)) return null;
    const number = BigInt(written);
    return number < BigInt(range[0]) || number > BigInt(range[1]) ? null : literal;
  }
  if (name === "numeric") return fitsNumeric(written, modifiers) ? literal : null;
  if (FLOATS.has(name)) {
    const number = Number(written);
    const limit = name === "real" ? 3.4e38 : Number.MAX_VALUE;
    return written.trim() !== "" && Number.isFinite(number) && Math.abs(number) <= limit ? literal : null;
  }
  if (name === "boolean") return /^(true|false)$/.test(written) ? literal : null;
  if (DATES.has(name)) return isDate(written, name !== "date") ? literal : null;
  if (name === "uuid") return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(written) ? literal : null;
  if (name === "json" || name === "jsonb") return isJson(written) ? literal : null;
  if (name === "bytea") return /^\\x([0-9a-f]{2})*$/i.test(written) ? literal : null;
  return null;
}

function fitsNumeric(written: string, modifiers: readonly number[]): boolean {
  const match = /^-?(\d+)(?:\.(\d+))?$/.exec(written);
  if (!match) return false;
  const [precision, scale = 0] = modifiers;
  if (precision === undefined) return match[1]!.length + (match[2]?.length ?? 0) <= 1000;
  return (
    match[1]!.replace(/^0+/, "").length <= precision - scale && (match[2]?.length ?? 0) <= Math.max(scale, 0)
  );
}

function isDate(written: string, time: boolean): boolean {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$/.exec(
      written,
    );
  if (!match || (match[4] !== undefined && !time)) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (year < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false;
  return Number(match[4] ?? 0) < 24 && Number(match[5] ?? 0) < 60 && Number(match[6] ?? 0) < 60;
}

function isJson(written: string): boolean {
  try {
    JSON.parse(written);
    return !/\\u0000/i.test(written) && !/\\ud[89a-f]/i.test(written);
  } catch {
    return false;
  }
}

/** The first and last characters; each character between becomes `with`; a value with nothing between is hidden whole. */
function keep(mask: Mask & { kind: "keep" }, value: string): string {
  const kept = mask.first + mask.last;
  const filler = quoteText(mask.with);
  const length = `pg_catalog.char_length(${value})`;
  const fill = (count: string) => {
    const bounded =
      [...mask.with].length === 1 && mask.with.charCodeAt(0) < 128 ? count : `LEAST(${count}, 1000000)`;
    return `pg_catalog.repeat(${filler}, ${bounded})`;
  };
  const parts = [
    mask.first > 0 ? `pg_catalog.left(${value}, ${mask.first})` : null,
    fill(`${length} OPERATOR(pg_catalog.-) ${kept}`),
    mask.last > 0 ? `pg_catalog.right(${value}, ${mask.last})` : null,
  ].filter((part) => part !== null);
  return (
    `CASE WHEN ${length} OPERATOR(pg_catalog.>) ${kept} THEN ${parts.join(" OPERATOR(pg_catalog.||) ")} ` +
    `ELSE ${fill(length)} END`
  );
}

/** HMAC-SHA256 (RFC 2104) of the value's text in UTF-8; the padded keys come from session settings. */
function hmac(value: string): string {
  const pad = (name: string) => `pg_catalog.decode(pg_catalog.current_setting(${quoteText(name)}), 'hex')`;
  const inner = `pg_catalog.sha256(${pad(TOKEN_INNER)} OPERATOR(pg_catalog.||) pg_catalog.convert_to(${value}, 'UTF8'))`;
  return `pg_catalog.sha256(${pad(TOKEN_OUTER)} OPERATOR(pg_catalog.||) ${inner})`;
}

/** Characters of a token that a text column must have room for, so that two values do not meet by chance. */
const MIN_TOKEN = 16;

function token(
  name: string,
  modifiers: readonly number[],
  text: boolean,
  value: string,
  cast: (sql: string) => MaskResult,
  refuse: (why: string) => MaskResult,
): MaskResult {
  const hex = `pg_catalog.encode(${hmac(value)}, 'hex')`;
  if (text) {
    const room = name === "name" ? 63 : (modifiers[0] ?? 36);
    if (room < MIN_TOKEN) return refuse(`a token needs at least ${MIN_TOKEN} characters`);
    return cast(`'tok_' OPERATOR(pg_catalog.||) pg_catalog.left(${hex}, ${Math.min(room - 4, 32)})`);
  }
  if (name === "uuid") return cast(`pg_catalog.left(${hex}, 32)`);
  if (name === "bigint")
    return cast(`('x' OPERATOR(pg_catalog.||) pg_catalog.left(${hex}, 16))::pg_catalog.bit(64)`);
  if (name === "integer")
    return cast(`('x' OPERATOR(pg_catalog.||) pg_catalog.left(${hex}, 8))::pg_catalog.bit(32)`);
  return refuse("it needs a text, uuid, bigint or integer column");
}

/** The first moment of the year or month, in UTC whatever the session's time zone is. */
function truncated(unit: "year" | "month", name: string, ref: string): string {
  const zone = name === "timestamp with time zone" ? ", 'UTC'" : "";
  const first = "4713-01-01 BC";
  const type = name === "date" ? "pg_catalog.date" : zone ? "pg_catalog.timestamptz" : "pg_catalog.timestamp";
  // Below this the first moment of the unit may lie before the earliest value of the type.
  const early = `${ref} OPERATOR(pg_catalog.<) '${first}'::${type} THEN '${first}'::${type}`;
  const stays = `NOT pg_catalog.isfinite(${ref}) THEN ${ref}`;
  const month = unit === "month" ? `pg_catalog.date_part('month', ${ref})::pg_catalog.int4` : "1";
  const floor =
    name === "date"
      ? `pg_catalog.make_date(pg_catalog.date_part('year', ${ref})::pg_catalog.int4, ${month}, 1)`
      : `pg_catalog.date_trunc('${unit}', ${ref}${zone})`;
  return `CASE WHEN ${stays} WHEN ${early} ELSE ${floor} END`;
}

/** Rounded to so many decimal digits; where rounding up would leave the type's range, rounded towards zero. */
function round(
  digits: number,
  name: string,
  modifiers: readonly number[],
  ref: string,
  cast: (sql: string) => MaskResult,
  refuse: (why: string) => MaskResult,
): MaskResult {
  const number = `(${ref})::pg_catalog.numeric`;
  const rounded = `pg_catalog.round(${number}, ${digits})`;
  const cut = `pg_catalog.trunc(${number}, ${digits})`;
  const range = INTEGERS[name];
  if (range) {
    return cast(
      `CASE WHEN ${rounded} BETWEEN '${range[0]}'::pg_catalog.numeric AND '${range[1]}'::pg_catalog.numeric THEN ${rounded} ELSE ${cut} END`,
    );
  }
  if (name === "numeric") {
    const [precision, scale = 0] = modifiers;
    if (precision === undefined) return cast(rounded);
    // The least magnitude that no longer fits numeric(p,s) is 10^(p-s).
    const limit = `'1e${precision - scale}'::pg_catalog.numeric`;
    return cast(
      `CASE WHEN pg_catalog.abs(${rounded}) OPERATOR(pg_catalog.>=) ${limit} THEN ${cut} ELSE ${rounded} END`,
    );
  }
  if (FLOATS.has(name)) {
    const limit = name === "real" ? "3.4e38" : "1.79e308";
    return cast(
      `CASE WHEN pg_catalog.abs(${number}) OPERATOR(pg_catalog.<) '${limit}'::pg_catalog.numeric THEN ${rounded} ` +
        `WHEN pg_catalog.abs(${number}) OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.numeric THEN pg_catalog.sign(${number}) ` +
        `OPERATOR(pg_catalog.*) '${limit}'::pg_catalog.numeric ELSE ${number} END`,
    );
  }
  return refuse("it needs a number column");
}
