/**
 * What passed in a request, for its session's recording: pieces of bodies and of what a terminal said, as the person
 * sent and saw them, masked. A piece is a binary message on the session's first connection and an entry of the
 * recording (`frontend`, as everything from the edge to the connector): kind (uint8), number of the statement (uint32),
 * milliseconds since its start (uint32), bytes. Integers are big-endian.
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
