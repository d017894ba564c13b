/**
 * A small scanner for texts that PostgreSQL's parser has already accepted: it only finds where tokens begin and
 * end (PostgreSQL documentation, 4.1 "Lexical Structure"; standard_conforming_strings is on). A wrong answer
 * cannot do harm: every rewritten text is parsed again and compared with the tree that was meant.
 */

export interface Token {
  /** `name` an unquoted word, `quoted` a quoted identifier, `other` literals, numbers, parameters, operators. */
  readonly kind: "name" | "quoted" | "other";
  /** UTF-16 offsets; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** Folded name, decoded quoted identifier, or the raw text. */
  readonly value: string;
}

const SPACE = /[ \t\n\r\f\v]/;
const NAME_START = /[A-Za-z_\u0080-\uffff]/;
const NAME_PART = /[A-Za-z0-9_$\u0080-\uffff]/;
const OPERATOR = /[~!@#^&|`?+\-*/%<>=]/;

/** The offset of the next token at or after `at`, behind white space and comments. */
export function skipSpace(text: string, at: number): number {
  let index = at;
  while (index < text.length) {
    const char = text[index]!;
    if (SPACE.test(char)) index++;
    else if (char === "-" && text[index + 1] === "-") index = lineEnd(text, index);
    else if (char === "/" && text[index + 1] === "*") index = commentEnd(text, index);
    else break;
  }
  return index;
}

function lineEnd(text: string, at: number): number {
  let index = at;
  while (index < text.length && text[index] !== "\n" && text[index] !== "\r") index++;
  return index;
}

/** Block comments nest. */
function commentEnd(text: string, at: number): number {
  let depth = 0;
  let index = at;
  while (index < text.length) {
    if (text[index] === "/" && text[index + 1] === "*") {
      depth++;
      index += 2;
    } else if (text[index] === "*" && text[index + 1] === "/") {
      depth--;
      index += 2;
      if (depth === 0) return index;
    } else index++;
  }
  return index;
}

/** The token at or after `at`; null at the end of the text. */
export function tokenAt(text: string, at: number): Token | null {
  const start = skipSpace(text, at);
  const char = text[start];
  if (char === undefined) return null;
  if (char === '"') {
    const end = quotedEnd(text, start, '"');
    return { kind: "quoted", start, end, value: text.slice(start + 1, end - 1).replaceAll('""', '"') };
  }
  if (char === "'") return other(text, start, quotedEnd(text, start, "'"));
  if (char === "$") return other(text, start, dollarEnd(text, start));
  if (NAME_START.test(char)) return wordAt(text, start);
  if (/[0-9]/.test(char) || (char === "." && /[0-9]/.test(text[start + 1] ?? ""))) {
    return other(text, start, numberEnd(text, start));
  }
  if (char === ":" && (text[start + 1] === ":" || text[start + 1] === "="))
    return other(text, start, start + 2);
  if (OPERATOR.test(char)) return other(text, start, operatorEnd(text, start));
  return other(text, start, start + 1);
}

function other(text: string, start: number, end: number): Token {
  return { kind: "other", start, end, value: text.slice(start, end) };
}

function wordAt(text: string, start: number): Token {
  const next = text[start + 1];
  const first = text[start]!;
  if (next === "'" && /[eE]/.test(first)) return other(text, start, escapedEnd(text, start + 1));
  if (next === "'" && /[bBxXnN]/.test(first)) return other(text, start, quotedEnd(text, start + 1, "'"));
  if (/[uU]/.test(first) && next === "&" && text[start + 2] === "'") {
    return other(text, start, quotedEnd(text, start + 2, "'"));
  }
  if (/[uU]/.test(first) && next === "&" && text[start + 2] === '"') {
    return unicodeName(text, start);
  }
  let end = start + 1;
  while (end < text.length && NAME_PART.test(text[end]!)) end++;
  return {
    kind: "name",
    start,
    end,
    value: text.slice(start, end).replace(/[A-Z]+/g, (run) => run.toLowerCase()),
  };
}

/** `U&"d\0061t\+000061"`, with its `UESCAPE '!'` when there is one. */
function unicodeName(text: string, start: number): Token {
  const close = quotedEnd(text, start + 2, '"');
  const clause = /^uescape\b/i.test(text.slice(skipSpace(text, close), skipSpace(text, close) + 8));
  const literal = clause ? skipSpace(text, skipSpace(text, close) + "uescape".length) : -1;
  const end = clause ? quotedEnd(text, literal, "'") : close;
  const mark = clause ? text[literal + 1]! : "\\";
  const raw = text.slice(start + 3, close - 1).replaceAll('""', '"');
  let value = "";
  for (let at = 0; at < raw.length; ) {
    const rest = raw.slice(at);
    const digits = /^.(?:\+([0-9a-f]{6})|([0-9a-f]{4}))/i.exec(rest);
    if (raw[at] !== mark) value += raw[at++];
    else if (raw[at + 1] === mark) {
      value += mark;
      at += 2;
    } else if (digits) {
      value += String.fromCodePoint(Math.min(Number.parseInt(digits[1] ?? digits[2]!, 16), 0x10ffff));
      at += digits[0].length;
    } else value += raw[at++];
  }
  return { kind: "quoted", start, end, value };
}

function quotedEnd(text: string, at: number, quote: string): number {
  let index = at + 1;
  while (index < text.length) {
    if (text[index] !== quote) index++;
    else if (text[index + 1] === quote) index += 2;
    else return index + 1;
  }
  return index;
}

function escapedEnd(text: string, at: number): number {
  let index = at + 1;
  while (index < text.length) {
    if (text[index] === "\\") index += 2;
    else if (text[index] !== "'") index++;
    else if (text[index + 1] === "'") index += 2;
    else return index + 1;
  }
  return Math.min(index, text.length);
}

/** `$1`, `$$ … $$`, `$tag$ … $tag$`. */
function dollarEnd(text: string, at: number): number {
  const tag = /^\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/.exec(text.slice(at, at + 80));
  if (tag) {
    const close = text.indexOf(tag[0], at + tag[0].length);
    return close < 0 ? text.length : close + tag[0].length;
  }
  let end = at + 1;
  while (end < text.length && /[0-9]/.test(text[end]!)) end++;
  return end;
}

function numberEnd(text: string, at: number): number {
  const match =
    /^(?:0[xXoObB][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?\.?(?:[0-9][0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?)/.exec(
      text.slice(at, at + 400),
    );
  const end = at + (match?.[0].length || 1);
  // `1..2`: a dot that begins a range belongs to the next token.
  return text[end - 1] === "." && text[end] === "." ? end - 1 : end;
}

function operatorEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && OPERATOR.test(text[end]!)) {
    if (end > at && text[end] === "-" && text[end + 1] === "-") break;
    if (end > at && text[end] === "/" && text[end + 1] === "*") break;
    end++;
  }
  // A multi-character operator ends in + or - only when it holds one of these characters.
  if (!/[~!@#^&|`?%]/.test(text.slice(at, end))) {
    while (end > at + 1 && /[+-]/.test(text[end - 1]!)) end--;
  }
  return end;
}

/** Every token of `text[from, to)`. */
export function tokens(text: string, from = 0, to = text.length): Token[] {
  const out: Token[] = [];
  let at = from;
  for (;;) {
    const token = tokenAt(text, at);
    if (!token || token.start >= to) return out;
    out.push(token);
    at = token.end > token.start ? token.end : token.start + 1;
  }
}

/** The dotted name that begins at `at`, of exactly `count` parts; null when there is none. */
export function dottedName(text: string, at: number, count: number): Token[] | null {
  const parts: Token[] = [];
  let index = at;
  for (;;) {
    const token = tokenAt(text, index);
    if (!token || token.kind === "other") return null;
    parts.push(token);
    if (parts.length === count) return parts;
    const dot = skipSpace(text, token.end);
    if (text[dot] !== ".") return null;
    index = dot + 1;
  }
}

/** The offset behind the parenthesis that closes the one at `open`; null when it is not closed. */
export function closing(text: string, open: number): number | null {
  let depth = 0;
  let at = open;
  for (;;) {
    const token = tokenAt(text, at);
    if (!token) return null;
    if (token.value === "(" && token.kind === "other") depth++;
    else if (token.value === ")" && token.kind === "other") {
      depth--;
      if (depth === 0) return token.end;
    }
    at = token.end;
  }
}
