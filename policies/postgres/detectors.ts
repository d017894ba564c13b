/**
 * Content detectors as SQL: what they find in a text or JSON value is replaced where the table is read, as a mask
 * does it. So a value cannot be cut in pieces first, and it does not matter how the result is sent: as rows, by
 * COPY, in binary, or split over messages. NULL stays NULL, and no value makes the expression fail.
 *
 * Forms and checks: e-mail RFC 5321 (bounded); cards ISO/IEC 7812 with the Luhn check; IBAN ISO 13616 with its
 * mod-97 check; telephone numbers in the E.164, North American and written national forms; U.S. social security
 * numbers with dashes or spaces; IPv4 and IPv6 addresses. Names and street addresses have no form to be found by.
 */
import type { CatalogColumn } from "./catalog-types.ts";
import type { MaskResult } from "./masks.ts";
import { quoteText } from "./names.ts";

const TEXT = /^(text|character varying|character|bpchar|name)(\(\d+\))?$/;
const JSON_TYPE = /^jsonb?$/;

const op = (left: string, operator: string, right: string) =>
  `${left} OPERATOR(pg_catalog.${operator}) ${right}`;
const call = (name: string, ...args: readonly string[]) => `pg_catalog.${name}(${args.join(", ")})`;

/** What may not stand before and behind a find. Lookbehinds of one character only: longer ones cost n² steps. */
const BEFORE = "(?<![[:alnum:]])";
const AFTER = "(?![[:alnum:]])";

/** Letters beyond ASCII are written out: what a class of letters holds depends on the database's locale. */
const WIDE = "\\u00a1-\\ud7ff";
const LABEL = `[[:alnum:]${WIDE}](?:[[:alnum:]${WIDE}-]{0,61}[[:alnum:]${WIDE}])?`;
const EMAIL = `[^[:space:][:cntrl:]@<>"(),:;\\[\\]\\\\]{1,64}@(?:${LABEL}\\.){1,8}[[:alpha:]${WIDE}]{2,24}`;
const SSN = "(?:\\d{3}-\\d{2}-\\d{4}|\\d{3} \\d{2} \\d{4})";
/** `+49 171 1234567`; `(212) 555-0143`; `0171 1234567`, `030/1234567`. A date has fewer digits, or other separators. */
const PHONES = [
  "\\+(?=(?:[ .()/-]{0,2}\\d){7,15}(?!\\d))[1-9]\\d{0,3}(?:[ .()/-]{0,2}\\d{1,14}){1,8}",
  "(?:1[-. ])?(?:\\(\\d{3}\\)[-. ]?|\\d{3}[-. ])\\d{3}[-. ]\\d{4}",
  "(?<!\\d{4} )(?:\\(0\\d{1,4}\\)|0\\d{1,4})[ /](?=(?:[ -]?\\d){6,11}(?!\\d))\\d{2,8}(?:[ -]\\d{2,6}){0,4}",
];
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const HEX = "[[:xdigit:]]{1,4}";
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}(?!\\.\\d)`;
const IPV6 = `(?:(?:${HEX}:){7}${HEX}|(?:${HEX}(?::${HEX}){0,5})?::(?:${HEX}(?::${HEX}){0,5})?(?<=[[:xdigit:]]))(?!:[[:xdigit:]:])`;
const CARD =
  "(?:[2-6]\\d{12,18}|[2-6]\\d{3}(?: \\d{4}){3}|[2-6]\\d{3}(?:-\\d{4}){3}|3\\d{3}[ -]\\d{6}[ -]\\d{4,5})";
const IBAN = "[[:alpha:]]{2}\\d{2}(?:[[:alnum:]]{8,30}|(?: [[:alnum:]]{4}){2,7}(?: [[:alnum:]]{1,3})?)";

/**
 * The value of a column with what the detectors find replaced by `[email]`, `[card]`, …; in JSON, a bare number
 * becomes 0, so that the value stays JSON.
 * @param kinds names of detectors, as a task lists them
 * @param ref the column as SQL, quoted, possibly qualified
 */
export function detectExpression(kinds: readonly string[], column: CatalogColumn, ref: string): MaskResult {
  const type = column.baseType ?? column.type;
  const json = JSON_TYPE.test(type);
  const text = TEXT.test(type) || (/citext$/.test(type) && column.category === "S");
  const unknown = kinds.find((kind) => !Object.hasOwn(FINDERS, kind));
  if ((!json && !text) || unknown !== undefined) {
    const why = unknown === undefined ? "it needs a text or JSON column" : `there is no detector ${unknown}`;
    const message = `a detector does not fit column ${column.name} of type ${column.type}: ${why}`;
    return { ok: false, code: "MASK_UNSUITABLE", message };
  }
  const value = `(${ref})::pg_catalog.text`;
  // One inside of the other, the longest forms first: what is replaced cannot be found again.
  let found = json ? apart(value) : value;
  for (const kind of Object.keys(FINDERS)) if (kinds.includes(kind)) found = FINDERS[kind]!(found, json);
  if (json) found = call("replace", found, MARK, "''");
  // The json type keeps its text as it was given, where an escape may hide any character.
  if (type === "json") {
    const escaped = op(value, "~", quoteText("\\\\u00[2-7]"));
    found = `CASE WHEN ${escaped} THEN '"[hidden]"' ELSE ${found} END`;
  }
  return { ok: true, sql: `(${found})::${type}` };
}

type Finder = (value: string, json: boolean) => string;

/** In the order of their use. */
const FINDERS: Readonly<Record<string, Finder>> = {
  email: (value) => replaced(value, EMAIL, "[email]"),
  iban: (value) => checked(value, IBAN, ibanHolds, "[iban]", false),
  card: (value, json) => checked(value, CARD, luhnHolds, "[card]", json),
  ssn: (value) => bounded(value, SSN, "[ssn]"),
  phone: (value) => PHONES.reduce((inner, form) => bounded(inner, form, "[phone]"), value),
  ip: (value) => bounded(replaced(value, `(?<![[:alnum:].])${IPV4}${AFTER}`, "[ip]"), IPV6, "[ip]"),
};

/** JSON text has no control characters, so that one can stand behind each escape while finds are replaced. */
const MARK = "pg_catalog.chr(1)";

/** JSON text with a mark behind each escape: its letter is no part of a word then. */
function apart(value: string): string {
  const escaped = quoteText("\\\\(u[[:xdigit:]]{4}|[^u])");
  return call("regexp_replace", value, escaped, op("'\\&'", "||", MARK), "'g'");
}

function replaced(value: string, pattern: string, by: string): string {
  return call("regexp_replace", value, quoteText(pattern), quoteText(by), "'g'");
}

function bounded(value: string, pattern: string, by: string): string {
  return replaced(value, `${BEFORE}${pattern}${AFTER}`, by);
}

/**
 * Replaces only what a check holds for: the finds that pass it become one pattern. They are made of letters,
 * digits, spaces and dashes, which mean themselves there.
 */
function checked(
  value: string,
  pattern: string,
  holds: (find: string) => string,
  by: string,
  numbers: boolean,
): string {
  const finds = call("regexp_matches", "v.t", quoteText(`${BEFORE}(${pattern})${AFTER}`), "'g'");
  // The last groups may be words that follow.
  const shorter = (groups: string) =>
    `SELECT ${call("regexp_replace", "m.m[1]", `'( [[:alnum:]]{1,4})${groups}$'`, "''")} FROM ${finds} AS m(m)`;
  const options = `(SELECT m.m[1] AS t FROM ${finds} AS m(m) UNION ${shorter("")} UNION ${shorter("{2}")}) AS f`;
  const replace = (from: string, where: string, word: string) => {
    const either = op(
      op(quoteText(`${BEFORE}(?:`), "||", call("string_agg", "f.t", "'|'")),
      "||",
      quoteText(`)${AFTER}`),
    );
    const made = call("regexp_replace", from, either, quoteText(word), "'g'");
    return `COALESCE((SELECT ${made} FROM ${options} WHERE ${where}), ${from})`;
  };
  const valid = holds("f.t");
  const body = numbers
    ? `(SELECT ${replace("w.t", valid, by)} FROM (SELECT ${replace("v.t", `${op("f.t", "!~", "'[^0-9]'")} AND ${valid}`, "0")} AS t) AS w)`
    : replace("v.t", valid, by);
  return `(SELECT CASE WHEN ${op("v.t", "~", quoteText(pattern))} THEN ${body} ELSE v.t END FROM (SELECT ${value} AS t) AS v)`;
}

/** Each character of `text` with its place, as `c.c` and `c.i`. */
function characters(text: string): string {
  const length = call("char_length", text);
  return `(SELECT i.i, ${call("substr", text, "i.i", "1")} AS c FROM ${call("generate_series", "1", length)} AS i(i)) AS c`;
}

/** ISO/IEC 7812-1, annex B. */
function luhnHolds(find: string): string {
  const digits = call("reverse", call("regexp_replace", find, "'[^0-9]'", "''", "'g'"));
  const digit = "(c.c)::pg_catalog.int4";
  const double = op("2", "*", digit);
  const doubled = `CASE WHEN ${op(digit, ">", "4")} THEN ${op(`(${double})`, "-", "9")} ELSE ${double} END`;
  const part = `CASE WHEN ${op(`(${op("c.i", "%", "2")})`, "=", "1")} THEN ${digit} ELSE ${doubled} END`;
  return `(SELECT ${op(`(${op(call("sum", part), "%", "10::pg_catalog.int8")})`, "=", "0::pg_catalog.int8")} FROM ${characters(digits)})`;
}

/** ISO 13616-1 with the check of ISO 7064: letters count as 10 to 35, and the whole is 1 modulo 97. */
function ibanHolds(find: string): string {
  const plain = call("upper", call("replace", find, "' '", "''"));
  const turned = op(call("substr", plain, "5"), "||", call("left", plain, "4"));
  const letter = `(${op(call("ascii", "c.c"), "-", "55")})::pg_catalog.text`;
  const part = `CASE WHEN ${op("c.c", "~", "'[A-Z]'")} THEN ${letter} WHEN ${op("c.c", "~", "'[0-9]'")} THEN c.c ELSE '99' END`;
  const number = `(pg_catalog.string_agg(${part}, '' ORDER BY c.i))::pg_catalog.numeric`;
  return `(SELECT ${op(`(${op(number, "%", "97")})`, "=", "1")} FROM ${characters(`(${turned})`)})`;
}

/** What stands in a value in place of a find. */
export const DETECTED = /\[(email|iban|card|ssn|phone|ip|hidden)\]/;
