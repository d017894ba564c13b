/** A statement text with the edits that are collected on it. */
import { dottedName, type Token, tokens } from "./lexer.ts";

/** Characters that a word would merge with. */
const JOINS = /[A-Za-z0-9_$"'\u0080-\uffff]/;

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export class Source {
  readonly text: string;
  readonly #offsets: Uint32Array | null;
  readonly #edits: Edit[] = [];
  #tokens: readonly Token[] | null = null;

  constructor(text: string) {
    this.text = text;
    this.#offsets = byteOffsets(text);
  }

  /** The UTF-16 offset of a byte offset of the parser. */
  index(byte: number): number {
    return this.#offsets ? (this.#offsets[byte] ?? this.text.length) : byte;
  }

  /** The 1-based character position of a byte offset, as ErrorResponse counts it. */
  position(byte: number): number {
    return characterPosition(this.text, this.index(byte));
  }

  /** Replaces `[start, end)`, UTF-16 offsets. Edits must not overlap; insertions at one place keep their order. */
  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }

  /** Like `replace`, with a space where the new text would run into a word or a quoted name beside it. */
  replaceName(start: number, end: number, text: string): void {
    const before = start > 0 && JOINS.test(this.text[start - 1]!) ? " " : "";
    const after = end > start && end < this.text.length && JOINS.test(this.text[end]!) ? " " : "";
    this.replace(start, end, before + text + after);
  }

  /** Takes back edits in `[start, end]`, which will be replaced as a whole. */
  forget(start: number, end: number): void {
    for (let index = this.#edits.length - 1; index >= 0; index--) {
      const edit = this.#edits[index]!;
      if (edit.start >= start && edit.end <= end) this.#edits.splice(index, 1);
    }
  }

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  get edited(): boolean {
    return this.#edits.length > 0;
  }

  /** True when an edit lies in `[start, end)`. */
  editedWithin(start: number, end: number): boolean {
    return this.#edits.some((edit) => edit.start < end && edit.end >= start);
  }

  /** A dotted name of `count` parts at a byte offset. */
  name(byte: number, count: number): Token[] | null {
    return dottedName(this.text, this.index(byte), count);
  }

  /** The two tokens that begin last before a UTF-16 offset, the nearer one first. */
  before(at: number): readonly [Token | undefined, Token | undefined] {
    this.#tokens ??= tokens(this.text);
    let low = 0;
    for (let high = this.#tokens.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#tokens[middle]!.start < at) low = middle + 1;
      else high = middle;
    }
    return [this.#tokens[low - 1], this.#tokens[low - 2]];
  }

  /** The text with all edits; null when two overlap. */
  splice(): string | null {
    const edits = this.#edits.map((edit, order) => ({ ...edit, order }));
    edits.sort((a, b) => a.start - b.start || a.end - b.end || a.order - b.order);
    let out = "";
    let at = 0;
    for (const edit of edits) {
      if (edit.start < at || edit.end < edit.start) return null;
      out += this.text.slice(at, edit.start) + edit.text;
      at = edit.end;
    }
    return out + this.text.slice(at);
  }
}

/** 1-based, counted in characters (code points). */
export function characterPosition(text: string, index: number): number {
  let count = 1;
  for (let at = 0; at < index; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xdc00 || unit > 0xdfff) count++;
  }
  return count;
}

/** For each UTF-8 byte offset the UTF-16 offset; null when they are the same (ASCII). */
function byteOffsets(text: string): Uint32Array | null {
  let ascii = true;
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 127) {
      ascii = false;
      break;
    }
  }
  if (ascii) return null;
  const offsets = new Uint32Array(text.length * 3 + 1);
  let byte = 0;
  for (let index = 0; index < text.length; ) {
    const point = text.codePointAt(index)!;
    const bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    offsets.fill(index, byte, byte + bytes);
    byte += bytes;
    index += point < 0x10000 ? 1 : 2;
  }
  offsets[byte] = text.length;
  return offsets.subarray(0, byte + 1);
}
