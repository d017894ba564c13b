/**
 * JSON as bytes: finding where values end, editing values in place, and a strict reader. Editing by byte spans
 * leaves everything else as the server wrote it: 64-bit numbers, spellings and order (RFC 8259).
 */

/** Deepest nesting that is read. */
export const MAX_JSON_DEPTH = 200;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a byte is JSON white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The next offset that is not white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at;
  while (isSpace(bytes[i])) i++;
  return i;
}

/** The offset behind the string that starts at `at` (a quote), or -1. */
export function skipString(bytes: Uint8Array, at: number): number {
  const end = bytes.length;
  for (let i = at + 1; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === BACKSLASH) i++;
    else if (byte === QUOTE) return i + 1;
    else if (byte < 0x20) return -1;
  }
  return -1;
}

/**
 * The offset behind the string whose text starts at `at`, or -1. What it holds is not looked at. Four bytes a turn:
 * most of JSON is strings.
 */
export function stringEnd(bytes: Uint8Array, at: number): number {
  const end = bytes.length;
  const whole = end - 3;
  let i = at;
  for (;;) {
    while (i < whole) {
      let byte = bytes[i]!;
      if (byte === QUOTE || byte === BACKSLASH) break;
      byte = bytes[i + 1]!;
      if (byte === QUOTE || byte === BACKSLASH) {
        i += 1;
        break;
      }
      byte = bytes[i + 2]!;
      if (byte === QUOTE || byte === BACKSLASH) {
        i += 2;
        break;
      }
      byte = bytes[i + 3]!;
      if (byte === QUOTE || byte === BACKSLASH) {
        i += 3;
        break;
      }
      i += 4;
    }
    if (i >= end) return -1;
    const byte = bytes[i]!;
    if (byte === QUOTE) return i + 1;
    i += byte === BACKSLASH ? 2 : 1;
  }
}

/**
 * The offset behind the value that starts at `at` (not white space), or -1 when it does not end. Brackets must
 * pair; the finer grammar is left to whoever parses the value.
 */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return skipString(bytes, at);
  const end = bytes.length;
  let i = at;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    while (i < end && isScalarByte(bytes[i]!)) i++;
    return i === at ? -1 : i;
  }
  const open = closers;
  let depth = 0;
  while (i < end) {
    const byte = bytes[i++]!;
    if (byte === QUOTE) {
      i = stringEnd(bytes, i);
      // After most strings comes another one.
      while (i > 0 && i + 1 < end && bytes[i + 1] === QUOTE && (bytes[i] === COLON || bytes[i] === COMMA)) {
        i = stringEnd(bytes, i + 2);
      }
      if (i < 0) return -1;
    } else if (byte < OPEN_BRACKET) {
      // Commas, colons, numbers, white space: most of what is outside strings.
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth >= MAX_JSON_DEPTH) return -1;
      open[depth++] = byte + 2;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (open[--depth] !== byte) return -1;
      if (depth === 0) return i;
    }
  }
  return -1;
}

/** The brackets that close what is open, innermost last; used within one call of `skipValue`. */
const closers = new Uint8Array(MAX_JSON_DEPTH);

/** Bytes of numbers, true, false and null. */
export function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}

/** The text of a string token, or null when it is not valid. */
export function stringAt(bytes: Uint8Array, start: number, end: number): string | null {
  for (let i = start + 1; i < end - 1; i++) {
    const byte = bytes[i]!;
    if (byte === BACKSLASH || byte > 0x7f) {
      try {
        return JSON.parse(decoder.decode(bytes.subarray(start, end))) as string;
      } catch {
        return null;
      }
    }
  }
  return ascii(bytes, start + 1, end - 1);
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 4096) return decoder.decode(bytes.subarray(start, end));
  return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[]);
}

/**
 * Walks the members of the object that starts at `at`. `member` gets the bounds of the key's token (with its quotes)
 * and where the value starts, and gives the offset behind the value, or -1 to stop. Returns the offset behind the
 * object, or -1 when it is malformed or was stopped.
 */
export function walkMembers(
  bytes: Uint8Array,
  at: number,
  member: (keyStart: number, keyEnd: number, start: number) => number,
): number {
  let i = skipSpace(bytes, at + 1);
  if (bytes[i] === CLOSE_BRACE) return i + 1;
  for (;;) {
    if (bytes[i] !== QUOTE) return -1;
    const keyStart = i;
    const keyEnd = skipString(bytes, i);
    if (keyEnd < 0) return -1;
    i = skipSpace(bytes, keyEnd);
    if (bytes[i] !== COLON) return -1;
    const end = member(keyStart, keyEnd, skipSpace(bytes, i + 1));
    if (end < 0) return -1;
    i = skipSpace(bytes, end);
    if (bytes[i] === CLOSE_BRACE) return i + 1;
    if (bytes[i] !== COMMA) return -1;
    i = skipSpace(bytes, i + 1);
  }
}

/** Walks the elements of the array that starts at `at`; as `walkMembers`. */
export function walkElements(bytes: Uint8Array, at: number, element: (start: number) => number): number {
  let i = skipSpace(bytes, at + 1);
  if (bytes[i] === CLOSE_BRACKET) return i + 1;
  for (;;) {
    const end = element(i);
    if (end < 0) return -1;
    i = skipSpace(bytes, end);
    if (bytes[i] === CLOSE_BRACKET) return i + 1;
    if (bytes[i] !== COMMA) return -1;
    i = skipSpace(bytes, i + 1);
  }
}

/**
 * Calls `member` for each member of the object that starts at `at`, with the value's bounds. Returns the offset
 * behind the object, or -1 when it is malformed or `member` returned false.
 */
export function eachMember(
  bytes: Uint8Array,
  at: number,
  member: (key: string, start: number, end: number) => boolean,
): number {
  return walkMembers(bytes, at, (keyStart, keyEnd, start) => {
    const key = stringAt(bytes, keyStart, keyEnd);
    const end = key === null ? -1 : skipValue(bytes, start);
    return end >= 0 && key !== null && member(key, start, end) ? end : -1;
  });
}

/** Calls `element` for each element of the array that starts at `at`; as `eachMember`. */
export function eachElement(
  bytes: Uint8Array,
  at: number,
  element: (start: number, end: number) => boolean,
): number {
  return walkElements(bytes, at, (start) => {
    const end = skipValue(bytes, start);
    return end >= 0 && element(start, end) ? end : -1;
  });
}

export type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/**
 * Parses a whole document and refuses what two parsers could read differently: repeated keys, invalid UTF-8, a
 * byte order mark, text behind the document, too deep nesting.
 */
export function parseStrict(bytes: Uint8Array): StrictJson {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { ok: false, message: "the body is not UTF-8" };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: "the body is not JSON" };
  }
  const fault = repeatedKey(bytes, skipSpace(bytes, 0), 0);
  return fault === null ? { ok: true, value } : { ok: false, message: fault };
}

/** Null, or the first key that an object has twice. The bytes must be valid JSON. */
function repeatedKey(bytes: Uint8Array, at: number, depth: number): string | null {
  if (depth > MAX_JSON_DEPTH) return "the body is nested too deep";
  let fault: string | null = null;
  const first = bytes[at];
  if (first === OPEN_BRACE) {
    const seen = new Set<string>();
    const end = eachMember(bytes, at, (key, start) => {
      fault = seen.has(key)
        ? `the body has the key ${JSON.stringify(key.slice(0, 64))} twice`
        : repeatedKey(bytes, start, depth + 1);
      seen.add(key);
      return fault === null;
    });
    return fault ?? (end < 0 ? "the body is nested too deep" : null);
  }
  if (first === OPEN_BRACKET) {
    const end = eachElement(bytes, at, (start) => {
      fault = repeatedKey(bytes, start, depth + 1);
      return fault === null;
    });
    return fault ?? (end < 0 ? "the body is nested too deep" : null);
  }
  return null;
}
