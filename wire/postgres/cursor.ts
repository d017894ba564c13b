/** Reading and writing the fields of message bodies. Integers are big-endian; strings are UTF-8 and end in NUL. */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * A cursor over one body. A read that does not fit returns a zero value and sets `failed`, so that a decoder
 * checks once at its end; nothing throws.
 */
export class BodyReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  failed = false;
  /** A string was not UTF-8. */
  notUtf8 = false;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Nothing failed and nothing is left. */
  get complete(): boolean {
    return !this.failed && this.at === this.end;
  }

  uint8(): number {
    if (this.at + 1 > this.end) return this.#fail();
    return this.bytes[this.at++]!;
  }

  uint16(): number {
    if (this.at + 2 > this.end) return this.#fail();
    const { bytes, at } = this;
    this.at = at + 2;
    return (bytes[at]! << 8) | bytes[at + 1]!;
  }

  int16(): number {
    return (this.uint16() << 16) >> 16;
  }

  int32(): number {
    if (this.at + 4 > this.end) return this.#fail();
    const { bytes, at } = this;
    this.at = at + 4;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length < 0 || this.at + length > this.end) {
      this.#fail();
      return this.bytes.subarray(this.end, this.end);
    }
    const view = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return view;
  }

  /** A string up to its NUL. */
  cstring(): string {
    const { bytes, at } = this;
    const nul = bytes.indexOf(0, at);
    if (nul < 0 || nul >= this.end) {
      this.#fail();
      return "";
    }
    this.at = nul + 1;
    if (nul === at) return "";
    const text = decodeUtf8(bytes.subarray(at, nul));
    if (text === null) {
      this.failed = true;
      this.notUtf8 = true;
      return "";
    }
    return text;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }
}

/** Text of UTF-8 bytes; null when they are not UTF-8. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** UTF-8 of a text. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Builds one message, or several after each other. */
export class MessageWriter {
  #bytes: Uint8Array;
  #length = 0;
  #start = -1;

  constructor(capacity = 128) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Starts a message; `type` null for a start-up packet. */
  begin(type: number | null): this {
    if (type !== null) this.uint8(type);
    this.#start = this.#length;
    return this.int32(0);
  }

  /** Fills in the length of the message begun last. */
  end(): this {
    const length = this.#length - this.#start;
    this.#put32(this.#start, length);
    this.#start = -1;
    return this;
  }

  uint8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  int16(value: number): this {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value;
    return this;
  }

  int32(value: number): this {
    this.#reserve(4);
    this.#put32(this.#length, value);
    this.#length += 4;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A string and its NUL. Characters that no C string can hold are left out. */
  cstring(text: string): this {
    const clean = text.includes("\0") ? text.replaceAll("\0", "") : text;
    this.#reserve(clean.length * 3 + 1);
    const { written } = encoder.encodeInto(clean, this.#bytes.subarray(this.#length));
    this.#length += written;
    this.#bytes[this.#length++] = 0;
    return this;
  }

  /** What was built. The writer is done. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #put32(at: number, value: number): void {
    this.#bytes[at] = value >> 24;
    this.#bytes[at + 1] = value >> 16;
    this.#bytes[at + 2] = value >> 8;
    this.#bytes[at + 3] = value;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    bigger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bigger;
  }
}
