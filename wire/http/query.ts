/** The one reading of a query string: pairs in order, decoded once, as `application/x-www-form-urlencoded`. */
import { percentDecode } from "./path.ts";

/** Longest query, characters. */
export const MAX_QUERY = 16 * 1024;
/** Most pairs. */
export const MAX_PAIRS = 256;

/** Name and value, decoded. A pair without "=" has the value "". */
export type Pair = readonly [name: string, value: string];

/** Pairs in order, or a sentence on what is odd. */
export type QueryReading =
  | { readonly ok: true; readonly pairs: readonly Pair[] }
  | { readonly ok: false; readonly message: string };

/**
 * Reads `URL.search` (with or without "?"). ";" is refused where Go's `url.ParseQuery` errs and others split;
 * control characters are refused except tab, line feed and carriage return, which exec commands carry.
 */
export function readQuery(search: string): QueryReading {
  const text = search.startsWith("?") ? search.slice(1) : search;
  if (text.length > MAX_QUERY) return odd(`the query is longer than ${MAX_QUERY} characters`);
  if (text === "") return { ok: true, pairs: [] };
  if (text.includes(";")) return odd("the query has a semicolon");
  const parts = text.split("&");
  if (parts.length > MAX_PAIRS) return odd(`the query has more than ${MAX_PAIRS} parameters`);
  const pairs: Pair[] = [];
  for (const part of parts) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    const value = decode(equals < 0 ? "" : part.slice(equals + 1));
    if (name === null || value === null) return odd("the query has a broken percent-encoding");
    if (name === "") return odd("the query has a parameter without a name");
    if (control.test(name) || control.test(value)) return odd("the query has a control character");
    pairs.push([name, value]);
  }
  return { ok: true, pairs };
}

/** The query for upstream, with its "?" unless it is empty. Spaces become %20. */
export function writeQuery(pairs: readonly Pair[]): string {
  if (pairs.length === 0) return "";
  return `?${pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")}`;
}

/** The first value of a name, or null. */
export function firstValue(pairs: readonly Pair[], name: string): string | null {
  for (const [key, value] of pairs) if (key === name) return value;
  return null;
}

const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

function decode(text: string): string | null {
  return percentDecode(text.replaceAll("+", " "));
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function odd(message: string): QueryReading {
  return { ok: false, message };
}
