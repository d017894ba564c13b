/** One spelling of a JSON value (RFC 8785), so that what is hashed and signed can be made again by anyone. */

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/**
 * The canonical text: no white space, keys by UTF-16 code units, members that are undefined left out. Null for
 * a number that is not a safe integer (one reader's rounding is not another's) and for unpaired surrogates.
 */
export function canonicalJson(value: Json): string | null {
  if (typeof value === "string") return isWellFormed(value) ? JSON.stringify(value) : null;
  if (typeof value === "number") return Number.isSafeInteger(value) ? JSON.stringify(value) : null;
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (isArray(value)) {
    const items = value.map(canonicalJson);
    return items.includes(null) ? null : `[${items.join(",")}]`;
  }
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    const text = canonicalJson(member);
    if (text === null || !isWellFormed(key)) return null;
    members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}
