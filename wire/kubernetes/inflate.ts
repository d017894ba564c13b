/**
 * Inflate (RFC 1951) for SPDY header blocks: one zlib stream per direction, cut by sync flushes, so that each block
 * is whole DEFLATE blocks. Synchronous and bounded: a block may not grow beyond its limit. Kept small because the
 * platform's own inflaters are asynchronous and unbounded.
 */

const WINDOW = 32 * 1024;
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
];
const codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

interface Huffman {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

class Malformed extends Error {}

/** One zlib stream (RFC 1950) with a preset dictionary. */
export class HeaderInflater {
  readonly #dictionary: Uint8Array;
  readonly #limit: number;
  #history: Uint8Array = new Uint8Array(0);
  #started = false;
  #broken = false;

  /** `limit`: largest inflated block, bytes. */
  constructor(dictionary: Uint8Array, limit: number) {
    this.#dictionary = dictionary;
    this.#limit = limit;
  }

  /** Inflates one header block; null when it is malformed or too large, and ever after. */
  block(bytes: Uint8Array): Uint8Array | null {
    if (this.#broken) return null;
    try {
      return this.#inflate(bytes);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#broken = true;
      return null;
    }
  }

  #inflate(bytes: Uint8Array): Uint8Array {
    let data = bytes;
    if (!this.#started) {
      if (data.length < 2 || (data[0]! & 15) !== 8 || (data[0]! * 256 + data[1]!) % 31 !== 0)
        throw new Malformed();
      const preset = (data[1]! & 0x20) !== 0;
      if (preset) {
        if (data.length < 6) throw new Malformed();
        const wanted = new DataView(data.buffer, data.byteOffset).getUint32(2);
        if (wanted !== adler32(this.#dictionary)) throw new Malformed();
        this.#history = this.#dictionary.slice(-WINDOW);
      }
      data = data.subarray(preset ? 6 : 2);
      this.#started = true;
    }
    const out = new Uint8Array(this.#history.length + this.#limit);
    out.set(this.#history);
    const end = inflateBlocks(data, out, this.#history.length);
    const block = out.slice(this.#history.length, end);
    this.#history = out.slice(Math.max(0, end - WINDOW), end);
    return block;
  }
}

/** Inflates whole blocks into `out` from `at` on; returns the end. */
function inflateBlocks(data: Uint8Array, out: Uint8Array, at: number): number {
  let position = 0;
  let buffer = 0;
  let count = 0;
  let end = at;
  const bits = (n: number): number => {
    while (count < n) {
      if (position >= data.length) throw new Malformed();
      buffer |= data[position++]! << count;
      count += 8;
    }
    const value = buffer & ((1 << n) - 1);
    buffer >>>= n;
    count -= n;
    return value;
  };
  const symbol = (table: Huffman): number => {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= 15; length++) {
      code |= bits(1);
      const n = table.counts[length]!;
      if (code - n < first) return table.symbols[index + (code - first)]!;
      index += n;
      first = (first + n) << 1;
      code <<= 1;
    }
    throw new Malformed();
  };
  const push = (byte: number) => {
    if (end >= out.length) throw new Malformed();
    out[end++] = byte;
  };
  // A block that ends in a sync flush leaves fewer than 8 bits, all of them padding of the empty stored block.
  while (position < data.length || count >= 8) {
    const last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      buffer = 0;
      count = 0;
      if (position + 4 > data.length) throw new Malformed();
      const length = data[position]! | (data[position + 1]! << 8);
      const check = data[position + 2]! | (data[position + 3]! << 8);
      position += 4;
      if ((length ^ 0xffff) !== check || position + length > data.length || end + length > out.length) {
        throw new Malformed();
      }
      out.set(data.subarray(position, position + length), end);
      end += length;
      position += length;
    } else if (kind === 3) throw new Malformed();
    else {
      const [literals, distances] = kind === 1 ? fixed() : dynamic(bits, symbol);
      for (;;) {
        const value = symbol(literals);
        if (value < 256) {
          push(value);
          continue;
        }
        if (value === 256) break;
        const l = value - 257;
        if (l >= lengthBase.length) throw new Malformed();
        const length = lengthBase[l]! + bits(lengthBits[l]!);
        const d = symbol(distances);
        if (d >= distanceBase.length) throw new Malformed();
        const distance = distanceBase[d]! + bits(d < 4 ? 0 : (d >> 1) - 1);
        if (distance > end) throw new Malformed();
        for (let i = 0; i < length; i++) push(out[end - distance]!);
      }
    }
    if (last === 1) throw new Malformed();
  }
  return end;
}

let fixedTables: readonly [Huffman, Huffman] | null = null;

function fixed(): readonly [Huffman, Huffman] {
  if (fixedTables !== null) return fixedTables;
  const lengths = new Uint8Array(288);
  lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  fixedTables = [huffman(lengths), huffman(new Uint8Array(30).fill(5))];
  return fixedTables;
}

function dynamic(
  bits: (n: number) => number,
  symbol: (table: Huffman) => number,
): readonly [Huffman, Huffman] {
  const literals = bits(5) + 257;
  const distances = bits(5) + 1;
  const codes = bits(4) + 4;
  if (literals > 286 || distances > 30) throw new Malformed();
  const lengths = new Uint8Array(320);
  for (let i = 0; i < codes; i++) lengths[codeOrder[i]!] = bits(3);
  const table = huffman(lengths.subarray(0, 19).slice());
  lengths.fill(0);
  let i = 0;
  while (i < literals + distances) {
    const value = symbol(table);
    if (value < 16) {
      lengths[i++] = value;
      continue;
    }
    let repeat: number;
    let length = 0;
    if (value === 16) {
      if (i === 0) throw new Malformed();
      length = lengths[i - 1]!;
      repeat = 3 + bits(2);
    } else repeat = value === 17 ? 3 + bits(3) : 11 + bits(7);
    if (i + repeat > literals + distances) throw new Malformed();
    lengths.fill(length, i, i + repeat);
    i += repeat;
  }
  if (lengths[256] === 0) throw new Malformed();
  return [huffman(lengths.slice(0, literals)), huffman(lengths.slice(literals, literals + distances))];
}

function huffman(lengths: Uint8Array): Huffman {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new Malformed();
  }
  const offsets = new Uint16Array(16);
  for (let length = 1; length < 15; length++) offsets[length + 1] = offsets[length]! + counts[length]!;
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) if (lengths[i] !== 0) symbols[offsets[lengths[i]!]!++] = i;
  return { counts, symbols };
}

/** RFC 1950 checksum. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
