/**
 * Replacements in a JSON text, collected while it is read and made when it is known to be whole. One collection
 * serves for many texts: it makes no objects for each of them.
 */

/** Shorter runs are copied byte by byte: a call for them costs more than they do. */
const SHORT = 48;

export class Edits {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: Uint8Array[] = [];
  #count = 0;
  #growth = 0;

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
    this.#growth = 0;
  }

  /** Takes the newest edits back: `count` of them stay. */
  keep(count: number): void {
    while (this.#count > count) {
      const i = --this.#count;
      this.#growth -= this.#texts[i]!.length - (this.#ends[i]! - this.#starts[i]!);
    }
  }

  /** Replaces the bytes from `start` to `end`. Edits come in order and do not overlap. */
  add(start: number, end: number, text: Uint8Array): void {
    const i = this.#count++;
    this.#starts[i] = start;
    this.#ends[i] = end;
    this.#texts[i] = text;
    this.#growth += text.length - (end - start);
  }

  /** The bytes from `from` to `to` with the edits made: a view where there are none, else an array of its own. */
  made(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (this.#count === 0) return bytes.subarray(from, to);
    const out = new Uint8Array(to - from + this.#growth);
    this.#make(bytes, from, to, out, 0);
    return out;
  }

  /**
   * Makes the edits in the bytes themselves, and moves the result to `at`, which is not behind `from`. Returns the
   * offset behind the result; -1, with nothing changed, when it would overwrite what is not read yet.
   */
  moved(bytes: Uint8Array, from: number, to: number, at: number): number {
    let ahead = from - at;
    for (let i = 0; i < this.#count; i++) {
      ahead += this.#ends[i]! - this.#starts[i]! - this.#texts[i]!.length;
      if (ahead < 0) return -1;
    }
    return this.#make(bytes, from, to, bytes, at);
  }

  #make(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    let read = from;
    let write = at;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#starts[i]!;
      const text = this.#texts[i]!;
      write = copy(bytes, read, start, out, write);
      write = copy(text, 0, text.length, out, write);
      read = this.#ends[i]!;
    }
    return copy(bytes, read, to, out, write);
  }
}

/** Copies forwards and gives the offset behind the copy. Within one array the copy does not begin behind `from`. */
function copy(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const size = to - from;
  if (bytes === out) {
    if (at === from) return to;
    if (size > SHORT) {
      out.copyWithin(at, from, to);
      return at + size;
    }
  } else if (size > SHORT) {
    out.set(bytes.subarray(from, to), at);
    return at + size;
  }
  for (let i = 0; i < size; i++) out[at + i] = bytes[from + i]!;
  return at + size;
}
