/**
 * What passed in a request, for its session's recording: pieces of bodies and of what a terminal said, as the person
 * sent and saw them, masked. A piece is a binary message on the session's first connection and an entry of the
 * recording (`frontend`, as everything from the edge to the connector): kind (uint8), number of the statement (uint32),
 * milliseconds since its start (uint32), bytes. Integers are big-endian.
 *
 * What a process wrote went through the connector on its way out, so it is not sent there again: a reference stands for
 * its piece. Kind with the highest bit set, number, milliseconds, how many of the next bytes of that stream it is of
 * (uint32), and ranges of them that are masked by "*" (offset and length, uint32 each).
 */

/** Kinds of pieces by their byte. */
const kinds = { asked: 1, answered: 2, stdout: 3, stderr: 4, stdin: 5 } as const;
export type PieceKind = keyof typeof kinds;
const names: readonly (PieceKind | undefined)[] = [
  ...([undefined, "asked", "answered", "stdout", "stderr", "stdin"] as const),
];

/** Bytes before a piece's own. */
const OVERHEAD = 9;

export interface Piece {
  /** `asked`, `answered`: the bodies. The others are a process's streams. */
  readonly kind: PieceKind;
  /** The statement that it is of. */
  readonly n: number;
  /** Milliseconds since the statement began. */
  readonly ms: number;
  readonly bytes: Uint8Array;
}

export function encodePiece({ kind, n, ms, bytes }: Piece): Uint8Array {
  const out = new Uint8Array(OVERHEAD + bytes.length);
  const view = new DataView(out.buffer);
  out[0] = kinds[kind];
  view.setUint32(1, n);
  view.setUint32(5, Math.min(Math.max(0, ms), 0xffffffff));
  out.set(bytes, OVERHEAD);
  return out;
}

/** Null when it is none. */
export function readPiece(entry: Uint8Array): Piece | null {
  const kind = names[entry[0] ?? 0];
  if (kind === undefined || entry.length < OVERHEAD) return null;
  const view = new DataView(entry.buffer, entry.byteOffset);
  return { kind, n: view.getUint32(1), ms: view.getUint32(5), bytes: entry.subarray(OVERHEAD) };
}

/** Offset and length of masked bytes in a piece. */
export type Stars = readonly (readonly [offset: number, length: number])[];
export type OutputKind = "stdout" | "stderr";

export interface Reference {
  readonly kind: OutputKind;
  readonly n: number;
  readonly ms: number;
  /** Bytes of the piece. */
  readonly length: number;
  readonly stars: Stars;
}

const REFERENCE = 0x80;

export function encodeReference({ kind, n, ms, length, stars }: Reference): Uint8Array {
  const out = new Uint8Array(OVERHEAD + 4 + stars.length * 8);
  const view = new DataView(out.buffer);
  out[0] = kinds[kind] | REFERENCE;
  view.setUint32(1, n);
  view.setUint32(5, Math.min(Math.max(0, ms), 0xffffffff));
  view.setUint32(9, length);
  stars.forEach(([offset, size], i) => {
    view.setUint32(OVERHEAD + 4 + i * 8, offset);
    view.setUint32(OVERHEAD + 8 + i * 8, size);
  });
  return out;
}

/** Null when it is none. Ranges are within the piece. */
export function readReference(message: Uint8Array): Reference | null {
  const first = message[0] ?? 0;
  const kind = names[first & ~REFERENCE];
  if ((first & REFERENCE) === 0 || (kind !== "stdout" && kind !== "stderr")) return null;
  if (message.length < OVERHEAD + 4 || (message.length - OVERHEAD - 4) % 8 !== 0) return null;
  const view = new DataView(message.buffer, message.byteOffset);
  const length = view.getUint32(9);
  const stars: [number, number][] = [];
  for (let at = OVERHEAD + 4; at < message.length; at += 8) {
    const [offset, size] = [view.getUint32(at), view.getUint32(at + 4)];
    if (offset + size > length) return null;
    stars.push([offset, size]);
  }
  return { kind, n: view.getUint32(1), ms: view.getUint32(5), length, stars };
}

/** Most ranges of a reference: with more it is not worth it. */
const MAX_STARS = 1000;

/** The reference to send in place of a piece of a process's output; null: the piece itself is sent. */
export function messageOf({ kind, n, ms, bytes }: Piece, stars: Stars | undefined): Uint8Array | null {
  if (stars === undefined || stars.length > MAX_STARS) return null;
  if (kind !== "stdout" && kind !== "stderr") return null;
  return encodeReference({ kind, n, ms, length: bytes.length, stars });
}

/** The piece that a reference stands for. `raw`: its bytes before they were masked, which are changed. */
export function pieceOf({ kind, n, ms, stars }: Reference, raw: Uint8Array): Uint8Array {
  for (const [offset, size] of stars) raw.fill(0x2a, offset, offset + size);
  return encodePiece({ kind, n, ms, bytes: raw });
}

/** Where masked bytes differ from what they were; both have one length. */
export function starsOf(raw: Uint8Array, masked: Uint8Array): [number, number][] {
  const stars: [number, number][] = [];
  for (let i = 0; i < masked.length; i++) {
    if (masked[i] === raw[i]) continue;
    const last = stars.at(-1);
    if (last !== undefined && last[0] + last[1] === i) last[1] += 1;
    else stars.push([i, 1]);
  }
  return stars;
}

/** Bytes in the order in which they came, taken out by length. */
export class ByteQueue {
  #parts: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  /** The next bytes as a copy; null when there are not so many. */
  take(length: number): Uint8Array | null {
    if (length > this.#size) return null;
    const out = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const part = this.#parts[0]!;
      const size = Math.min(part.length, length - at);
      out.set(size === part.length ? part : part.subarray(0, size), at);
      at += size;
      if (size === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(size);
    }
    this.#size -= length;
    return out;
  }

  /** Leaves the next bytes out. */
  skip(length: number): void {
    let left = Math.min(length, this.#size);
    this.#size -= left;
    while (left > 0) {
      const part = this.#parts[0]!;
      if (part.length > left) {
        this.#parts[0] = part.subarray(left);
        return;
      }
      left -= part.length;
      this.#parts.shift();
    }
  }
}
