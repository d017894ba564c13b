/**
 * The shape of a text: the text with its plain literals and comments taken out. Two texts of one shape differ in nothing
 * but what comments say and the values of literals of the same kinds, so PostgreSQL's grammar gives them one tree but for
 * those values (PostgreSQL documentation, 4.1 "Lexical Structure"; standard_conforming_strings is on).
 *
 * Only what is plain has a shape: ASCII outside of strings and comments; words, quoted names, `$1`, operators and white
 * space; whole numbers, decimals and `'strings'` that stand apart; comments that are not nested. A text with a backslash
 * in a string, a prefixed or dollar-quoted string, an exponent or a literal that could go on in the next line has none, and
 * goes the long way.
 */

/**
 * The kind of a literal is the type that the grammar and the server give it whatever its value: `int4` of at most nine
 * digits, `int8` of 11 to 18, `numeric` with a point, or an untyped string. A comment is white space: `block` in stars,
 * `line` to the end of its line.
 */
export type LiteralKind = "int4" | "int8" | "numeric" | "string" | "block" | "line";

export interface Literal {
  readonly kind: LiteralKind;
  /** UTF-16 offsets in the text; `end` is exclusive. Quotes of a string and marks of a comment belong to it. */
  readonly start: number;
  readonly end: number;
}

export interface Shape {
  /** The text in which each literal and comment is a control character, which stands for its kind. */
  readonly key: string;
  /** In the order of the text, comments among them. */
  readonly literals: readonly Literal[];
}

/** Literals of one text; more have no shape. */
const MAX_LITERALS = 500;
/** Longest text that has a shape, characters. */
const MAX_TEXT = 16 * 1024;

const MARKS: Readonly<Record<LiteralKind, string>> = {
  ...{ int4: "\u0001", int8: "\u0002", numeric: "\u0003", string: "\u0004" },
  ...{ block: "\u0005", line: "\u0006" },
};

const SPACE = 1;
const WORD = 2;
const DIGIT = 4;
const PLAIN = 8;

/** What each ASCII character may be; 0 = has no place in a shape, or is looked at by itself. */
const CLASSES = new Uint8Array(128);
for (const char of " \t\n\r") CLASSES[char.charCodeAt(0)] = SPACE;
for (const char of "()[],.;:=<>+-*/%^&|~!?@#") CLASSES[char.charCodeAt(0)] = PLAIN;
for (let code = 0; code < 128; code++) {
  if (/[A-Za-z_]/.test(String.fromCharCode(code))) CLASSES[code] = WORD;
  if (/[0-9]/.test(String.fromCharCode(code))) CLASSES[code] = DIGIT;
}

const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const DOT = 0x2e;
const LF = 0x0a;
const CR = 0x0d;
const MINUS = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const AMPERSAND = 0x26;
const ZERO = 0x30;

/** The shape of a text; null when it has none, or neither a literal nor a comment. */
export function shapeOf(text: string): Shape | null {
  if (text.length > MAX_TEXT) return null;
  const literals: Literal[] = [];
  let key = "";
  let copied = 0;
  /** The literal before has nothing but white space behind it. */
  let touches = false;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    const comment = commentAt(text, at, code);
    if (comment === null) return null;
    if (comment) {
      if (literals.length >= MAX_LITERALS) return null;
      literals.push(comment);
      key += text.slice(copied, at) + MARKS[comment.kind];
      at = copied = comment.end;
      continue;
    }
    const found = code === QUOTE ? stringAt(text, at) : isDigit(code) ? numberAt(text, at) : null;
    if (found) {
      if (touches || literals.length >= MAX_LITERALS || !standsApart(text, found)) return null;
      // `-0` is 0, which has no sign where it is written anew.
      if (code === ZERO && found.kind === "int4" && signBefore(text, at) !== null) return null;
      literals.push(found);
      key += text.slice(copied, at) + MARKS[found.kind];
      at = copied = found.end;
      touches = true;
      continue;
    }
    if (code === QUOTE || isDigit(code)) return null;
    const end = otherEnd(text, at, code);
    if (end === 0) return null;
    if (CLASSES[code] !== SPACE) touches = false;
    at = end;
  }
  return literals.length === 0 ? null : { key: key + text.slice(copied), literals };
}

/** The end of what is no literal: a run of white space, a word, a quoted name, a parameter or one character; 0 = none. */
function otherEnd(text: string, at: number, code: number): number {
  if (code === DOUBLE_QUOTE) return quotedNameEnd(text, at);
  if (code === DOLLAR) return parameterEnd(text, at);
  const kind = code < 128 ? CLASSES[code]! : 0;
  if (kind === WORD) {
    let end = at + 1;
    while (isWordPart(text.charCodeAt(end))) end++;
    return text.charCodeAt(end) === DOLLAR ? 0 : end;
  }
  return kind === SPACE || kind === PLAIN ? at + 1 : 0;
}

/**
 * The comment that begins here; undefined where none does, null when it has no end or another one in it. It may say
 * anything but what ends it.
 */
function commentAt(text: string, start: number, code: number): Literal | null | undefined {
  if (code === MINUS && text.charCodeAt(start + 1) === MINUS) {
    let end = start + 2;
    while (end < text.length && text.charCodeAt(end) !== LF && text.charCodeAt(end) !== CR) end++;
    return { kind: "line", start, end };
  }
  if (code !== SLASH || text.charCodeAt(start + 1) !== STAR) return undefined;
  const end = text.indexOf("*/", start + 2);
  const nested = text.indexOf("/*", start + 2);
  return end < 0 || (nested >= 0 && nested < end) ? null : { kind: "block", start, end: end + 2 };
}

/** `"Name"` without a quote or anything but ASCII in it, and no `U&` before it. */
function quotedNameEnd(text: string, at: number): number {
  if (at > 0 && text.charCodeAt(at - 1) === AMPERSAND) return 0;
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === DOUBLE_QUOTE) return text.charCodeAt(end + 1) === DOUBLE_QUOTE ? 0 : end + 1;
    if (code < 0x20 || code > 0x7e || code === 0x5c) return 0;
  }
  return 0;
}

/** `$1`, apart from other words. */
function parameterEnd(text: string, at: number): number {
  let end = at + 1;
  while (isDigit(text.charCodeAt(end))) end++;
  return end === at + 1 || isWordPart(text.charCodeAt(end)) || text.charCodeAt(end) === DOLLAR ? 0 : end;
}

/** `'text'`, in which a quote is doubled; null with a backslash or a control character in it, or without an end. */
function stringAt(text: string, start: number): Literal | null {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x5c || code === 0x7f) return null;
    if (code !== QUOTE) continue;
    if (text.charCodeAt(at + 1) !== QUOTE) return { kind: "string", start, end: at + 1 };
    at++;
  }
  return null;
}

/** A number whose type does not hang on its value; null for any other. */
function numberAt(text: string, start: number): Literal | null {
  let end = start;
  while (isDigit(text.charCodeAt(end))) end++;
  const digits = end - start;
  const leading = digits > 1 && text.charCodeAt(start) === ZERO;
  if (text.charCodeAt(end) === DOT) {
    const point = end;
    end++;
    while (isDigit(text.charCodeAt(end))) end++;
    return end === point + 1 || leading ? null : { kind: "numeric", start, end };
  }
  if (leading) return null;
  if (digits <= 9) return { kind: "int4", start, end };
  return digits >= 11 && digits <= 18 ? { kind: "int8", start, end } : null;
}

/** No word, prefix, point or other literal runs into it. */
function standsApart(text: string, { start, end }: Literal): boolean {
  const before = text.charCodeAt(start - 1);
  const after = text.charCodeAt(end);
  const joins = (code: number): boolean =>
    isWordPart(code) ||
    code > 127 ||
    code === DOT ||
    code === DOLLAR ||
    code === QUOTE ||
    code === DOUBLE_QUOTE;
  return !joins(before) && before !== AMPERSAND && !joins(after);
}

/** Where the `-` stands that has nothing but white space between it and the offset; null when none does. */
export function signBefore(text: string, at: number): number | null {
  let sign = at - 1;
  while (CLASSES[text.charCodeAt(sign)] === SPACE) sign--;
  return text.charCodeAt(sign) === MINUS ? sign : null;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isWordPart(code: number): boolean {
  return code < 128 && (CLASSES[code]! & (WORD | DIGIT)) !== 0;
}
