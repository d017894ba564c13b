/**
 * Tiles: the static files that a log is read from (C2SP tlog-tiles). A tile holds up to 256 hashes of one
 * level, an entry bundle up to 256 entries. A full one never changes; a partial one of a given width never
 * changes either, so every file is written once.
 */

import { concat } from "../bytes.ts";
import { equalBytes, HASH_SIZE, isCount } from "./bytes.ts";
import { foldComplete, foldSubtrees, type Hash, type Node } from "./merkle.ts";

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the Merkle tree that one tile spans. */
export const TILE_HEIGHT = 8;
/** Longest entry that a bundle can hold, bytes: its length is a uint16. */
export const MAX_ENTRY = 65535;
/** Longest bundle, bytes. */
export const MAX_BUNDLE = TILE_WIDTH * (MAX_ENTRY + 2);
const MAX_LEVEL = 63;

/** Names one tile, or with `level: "entries"` one bundle of entries. `width` 256 = full. */
export interface TileName {
  readonly level: number | "entries";
  readonly index: number;
  readonly width: number;
}

/** A tile with its content. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly width: number;
  /** `width` hashes, one after the other. */
  readonly bytes: Uint8Array;
}

/** Path below the log's prefix: `tile/0/x001/x234/067.p/8`, `tile/entries/000`. */
export function tilePath(name: TileName): string {
  let rest = name.index;
  let path = String(rest % 1000).padStart(3, "0");
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  const partial = name.width === TILE_WIDTH ? "" : `.p/${name.width}`;
  return `tile/${name.level}/${path}${partial}`;
}

/** The tile that a path names, or null. Takes exactly the paths that `tilePath` makes. */
export function parseTilePath(path: string): TileName | null {
  if (path.length > 64) return null;
  const match = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(
    path,
  );
  if (!match) return null;
  const level: TileName["level"] = match[1] === "entries" ? "entries" : Number(match[1]);
  const index = Number(match[2]!.replaceAll(/[x/]/g, ""));
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
  if (level !== "entries" && level > MAX_LEVEL) return null;
  if (!isCount(index) || (match[3] !== undefined && width >= TILE_WIDTH)) return null;
  const name = { level, index, width };
  return tilePath(name) === path ? name : null;
}

/** Width of tile `index` of `level` in a tree of `size` entries: 0 when there is no such tile. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** The tile of a tree of `size` entries that a node's hash is computed from; null when `size` lacks the node. */
export function tileOf(node: Node, size: number): TileName | null {
  const level = Math.floor(node.level / TILE_HEIGHT);
  const span = 2 ** (node.level % TILE_HEIGHT);
  const first = node.index * span;
  const index = Math.floor(first / TILE_WIDTH);
  const width = tileWidth(level, index, size);
  return (first % TILE_WIDTH) + span <= width ? { level, index, width } : null;
}

/** The hash of a node from its tile (`tileOf`); null when the tile is too short or not of that node. */
export function hashFromTile(node: Node, bytes: Uint8Array): Hash | null {
  const span = 2 ** (node.level % TILE_HEIGHT);
  const start = ((node.index * span) % TILE_WIDTH) * HASH_SIZE;
  const end = start + span * HASH_SIZE;
  if (bytes.length % HASH_SIZE !== 0 || bytes.length > TILE_WIDTH * HASH_SIZE || end > bytes.length)
    return null;
  return foldComplete(splitHashes(bytes.subarray(start, end)));
}

/** A tile's bytes as hashes: views, not copies. */
function splitHashes(bytes: Uint8Array): Hash[] {
  const hashes: Hash[] = [];
  for (let at = 0; at < bytes.length; at += HASH_SIZE) hashes.push(bytes.subarray(at, at + HASH_SIZE));
  return hashes;
}

/** The partial tiles of a tree, one a level: all that it takes to grow the tree. */
export interface EdgeState {
  readonly size: number;
  /** By level: the hashes of its partial tile, one after the other; empty when the last tile is full. */
  readonly levels: readonly Uint8Array[];
}

/** The right edge of a growing tree. */
export class TreeEdge {
  #size = 0;
  #levels: Hash[][] = [];

  /** Null when the state is not that of any tree of its size. */
  static restore(state: EdgeState): TreeEdge | null {
    if (!isCount(state.size)) return null;
    const edge = new TreeEdge();
    let hashes = state.size;
    for (const bytes of state.levels) {
      if (bytes.length !== (hashes % TILE_WIDTH) * HASH_SIZE) return null;
      edge.#levels.push(splitHashes(bytes.slice()));
      hashes = Math.floor(hashes / TILE_WIDTH);
    }
    if (hashes !== 0) return null;
    edge.#size = state.size;
    return edge;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an entry's hash. Returns the tiles that became full, from the lowest level up. */
  append(leaf: Hash): Tile[] {
    const full: Tile[] = [];
    this.#size += 1;
    let hash = leaf;
    let count = this.#size;
    for (let level = 0; ; level++) {
      let row = this.#levels[level];
      if (!row) this.#levels[level] = row = [];
      row.push(hash);
      if (row.length < TILE_WIDTH) return full;
      count /= TILE_WIDTH;
      full.push({ level, index: count - 1, width: TILE_WIDTH, bytes: concat(row) });
      hash = foldComplete(row);
      this.#levels[level] = [];
    }
  }

  /** The partial tiles, from the lowest level up. */
  partialTiles(): Tile[] {
    const tiles: Tile[] = [];
    this.#levels.forEach((row, level) => {
      if (row.length === 0) return;
      const index = Math.floor(this.#size / TILE_WIDTH ** (level + 1));
      tiles.push({ level, index, width: row.length, bytes: concat(row) });
    });
    return tiles;
  }

  /** Root of the whole tree. */
  root(): Hash {
    const subtrees: Hash[] = [];
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const row = this.#levels[level]!;
      let at = 0;
      for (let width = TILE_WIDTH / 2; width >= 1; width /= 2) {
        if (row.length - at < width) continue;
        subtrees.push(foldComplete(row.slice(at, at + width)));
        at += width;
      }
    }
    return foldSubtrees(subtrees);
  }

  /** What `restore` takes. */
  state(): EdgeState {
    return { size: this.#size, levels: this.#levels.map((row) => concat(row)) };
  }
}

/** A bundle's bytes: each entry after its length as a big-endian uint16. Null for an entry that is too long. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array | null {
  if (entries.some((entry) => entry.length > MAX_ENTRY)) return null;
  return concat(
    entries.flatMap((entry) => [new Uint8Array([entry.length >> 8, entry.length & 0xff]), entry]),
  );
}

/** The entries of a bundle (views, not copies), or null when it is cut, overlong, or not `width` entries. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (entries.length === width || at + 2 > bytes.length) return null;
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    at += 2;
    if (at + length > bytes.length) return null;
    entries.push(bytes.subarray(at, at + length));
    at += length;
  }
  return entries.length === width ? entries : null;
}

/** Whether a bundle's entries are those whose hashes a level 0 tile holds. */
export function bundleMatchesTile(
  entries: readonly Uint8Array[],
  tile: Uint8Array,
  hashEntry: (entry: Uint8Array) => Hash,
): boolean {
  return equalBytes(concat(entries.map(hashEntry)), tile);
}
