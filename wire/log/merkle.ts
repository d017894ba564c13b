/**
 * The Merkle tree of RFC 6962, section 2.1: hashes, and proofs that an entry is in a tree and that a tree
 * extends an older one. The verifiers follow RFC 9162, sections 2.1.3.2 and 2.1.4.2.
 *
 * A node `(level, index)` is the hash of the complete subtree over entries `[index * 2^level, (index+1) * 2^level)`.
 * Provers name the nodes that they need first, so that a caller may read them from wherever tiles are kept.
 */
import { equalBytes, HASH_SIZE, isCount, sha256 } from "./bytes.ts";

/** 32 bytes. */
export type Hash = Uint8Array;

/** A complete subtree of `2^level` entries, the `index`-th of its level. */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** Entries `[start, end)` of a tree. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Most hashes that a proof in a tree of at most 2^53 entries can have. */
export const MAX_PROOF_LENGTH = 63;

const LEAF = new Uint8Array([0]);
const INNER = new Uint8Array([1]);

/** Root of the tree with no entries: SHA-256 of nothing. */
export const EMPTY_ROOT: Hash = sha256();

/** Hash of an entry: SHA-256(0x00 || entry). */
export function hashLeaf(entry: Uint8Array): Hash {
  return sha256(LEAF, entry);
}

/** Hash of an inner node: SHA-256(0x01 || left || right). */
export function hashChildren(left: Hash, right: Hash): Hash {
  return sha256(INNER, left, right);
}

/** Largest power of two that is smaller than `n`; `n` is at least 2. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/**
 * The complete subtrees that make up `[start, end)`, left to right, largest first. `start` has to be a
 * multiple of the largest of them, as it is for every range that the proofs below name.
 */
export function subtreesOf(range: Range): Node[] {
  const nodes: Node[] = [];
  let { start } = range;
  let rest = range.end - start;
  while (rest > 0) {
    let width = 1;
    let level = 0;
    while (width * 2 <= rest) {
      width *= 2;
      level += 1;
    }
    nodes.push({ level, index: start / width });
    start += width;
    rest -= width;
  }
  return nodes;
}

/** Root over subtrees given left to right, largest first (as `subtreesOf` orders them). */
export function foldSubtrees(hashes: readonly Hash[]): Hash {
  let root = hashes[hashes.length - 1];
  if (!root) return EMPTY_ROOT;
  for (let i = hashes.length - 2; i >= 0; i--) root = hashChildren(hashes[i]!, root);
  return root;
}

/** Root over `2^k` hashes of one level. */
export function foldComplete(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) {
    const above: Hash[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) above.push(hashChildren(row[i]!, row[i + 1]!));
    row = above;
  }
  return row[0] ?? EMPTY_ROOT;
}

/**
 * The ranges whose hashes prove that entry `index` is in the tree of `size` entries, from the leaf's sibling
 * up (RFC 6962, section 2.1.1). Null when the tree has no such entry.
 */
export function inclusionRanges(index: number, size: number): Range[] | null {
  if (!isCount(index) || !isCount(size) || index >= size) return null;
  const path: Range[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * The ranges whose hashes prove that the tree of `size` entries extends the tree of `oldSize` (RFC 6962,
 * section 2.1.2). Empty when they are the same tree or the old one is empty; null when it is larger.
 */
export function consistencyRanges(oldSize: number, size: number): Range[] | null {
  if (!isCount(oldSize) || !isCount(size) || oldSize > size) return null;
  if (oldSize === 0 || oldSize === size) return [];
  const path: Range[] = [];
  let start = 0;
  let end = size;
  // Whether the old tree is the whole of a subtree that the verifier knows already: its own root.
  let known = true;
  while (oldSize !== end) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
      known = false;
    }
  }
  if (!known) path.push({ start, end });
  return path.reverse();
}

/** Every node that the ranges' hashes are made of. */
export function nodesOf(ranges: readonly Range[]): Node[] {
  return ranges.flatMap(subtreesOf);
}

/** The ranges' hashes: the proof. `hashOf` gives the hash of a node named by `nodesOf`. */
export function proofFrom(ranges: readonly Range[], hashOf: (node: Node) => Hash): Hash[] {
  return ranges.map((range) => foldSubtrees(subtreesOf(range).map(hashOf)));
}

const isHash = (value: Hash) => value.length === HASH_SIZE;

/** Whether `proof` shows that the entry with hash `leaf` is number `index` of the tree `(size, root)`. */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Hash,
  root: Hash,
  proof: readonly Hash[],
): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (proof.length > MAX_PROOF_LENGTH || !isHash(leaf) || !proof.every(isHash)) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = hashChildren(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = hashChildren(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(hash, root);
}

/**
 * Whether `proof` shows that the tree `(size, root)` begins with the entries of `(oldSize, oldRoot)`.
 * The empty tree is a beginning of every tree: its proof is empty and its root has to be `EMPTY_ROOT`.
 */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Hash,
  size: number,
  root: Hash,
  proof: readonly Hash[],
): boolean {
  if (!isCount(oldSize) || !isCount(size) || oldSize > size) return false;
  if (proof.length > MAX_PROOF_LENGTH || !proof.every(isHash)) return false;
  if (size === 0)
    return proof.length === 0 && equalBytes(root, EMPTY_ROOT) && equalBytes(oldRoot, EMPTY_ROOT);
  if (oldSize === 0) return proof.length === 0 && equalBytes(oldRoot, EMPTY_ROOT) && isHash(root);
  if (oldSize === size) return proof.length === 0 && isHash(root) && equalBytes(oldRoot, root);
  if (proof.length === 0) return false;

  let node = oldSize - 1;
  let last = size - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  // When the old tree is complete its own root starts the path; otherwise the proof brings the start.
  const rest = node === 0 ? proof : proof.slice(1);
  let oldHash = node === 0 ? oldRoot : proof[0]!;
  let hash = oldHash;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = hashChildren(sibling, oldHash);
      hash = hashChildren(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = hashChildren(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(hash, root);
}
