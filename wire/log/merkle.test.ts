import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBase64, fromHex, hashFromBase64, sha256, toHex, utf8 } from "./bytes.ts";
import {
  consistencyRanges,
  EMPTY_ROOT,
  foldSubtrees,
  type Hash,
  hashChildren,
  hashLeaf,
  inclusionRanges,
  type Node,
  nodesOf,
  proofFrom,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";
import { argon2020 } from "./vectors.ts";

/** RFC 6962, section 2.1, word by word: slow and obviously right. */
function naiveRoot(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  const k = naiveSplit(leaves.length);
  return hashChildren(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}
function naivePath(m: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length === 1) return [];
  const k = naiveSplit(leaves.length);
  return m < k
    ? [...naivePath(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}
function naiveSubproof(m: number, leaves: readonly Hash[], whole: boolean): Hash[] {
  if (m === leaves.length) return whole ? [] : [naiveRoot(leaves)];
  const k = naiveSplit(leaves.length);
  return m <= k
    ? [...naiveSubproof(m, leaves.slice(0, k), whole), naiveRoot(leaves.slice(k))]
    : [...naiveSubproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}
function naiveSplit(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}

const entry = (i: number) => utf8(`entry ${i}`);
const leaves = Array.from({ length: 300 }, (_, i) => hashLeaf(entry(i)));
const hashOf = ({ level, index }: Node) =>
  naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
const rootOf = (size: number) => foldSubtrees(subtreesOf({ start: 0, end: size }).map(hashOf));
const hex = (hashes: readonly Hash[]) => hashes.map(toHex);
const flipped = (hash: Hash, bit: number) => {
  const copy = hash.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe("RFC 6962 trees", () => {
  test("the roots of the Certificate Transparency reference tree", () => {
    const inputs = [
      "",
      "00",
      "10",
      "2021",
      "3031",
      "40414243",
      "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ];
    const roots = [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    const hashes = inputs.map((input) => hashLeaf(fromHex(input)!));
    roots.forEach((root, i) => {
      expect(
        toHex(
          foldSubtrees(
            subtreesOf({ start: 0, end: i + 1 }).map((node) => {
              const width = 2 ** node.level;
              return naiveRoot(hashes.slice(node.index * width, (node.index + 1) * width));
            }),
          ),
        ),
      ).toBe(root);
    });
    expect(toHex(EMPTY_ROOT)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  test("trees of every size below 300 equal the naive recursion", () => {
    for (let size = 0; size < 300; size++) {
      expect(toHex(rootOf(size))).toBe(toHex(naiveRoot(leaves.slice(0, size))));
    }
  });

  test("proofs equal the naive recursion and verify", () => {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 100, 127]) {
      const root = rootOf(size);
      for (let index = 0; index < size; index++) {
        const proof = proofFrom(inclusionRanges(index, size)!, hashOf);
        expect(hex(proof)).toEqual(hex(naivePath(index, leaves.slice(0, size))));
        expect(verifyInclusion(index, size, leaves[index]!, root, proof)).toBe(true);
        const older = proofFrom(consistencyRanges(index, size)!, hashOf);
        if (index > 0) expect(hex(older)).toEqual(hex(naiveSubproof(index, leaves.slice(0, size), true)));
        expect(verifyConsistency(index, rootOf(index), size, root, older)).toBe(true);
      }
    }
  });
});

describe("proofs that are not", () => {
  const pair = fc
    .integer({ min: 1, max: 299 })
    .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat(size - 1) }));

  test("a flipped bit anywhere fails", () => {
    fc.assert(
      fc.property(pair, fc.nat(255), fc.nat(), ({ size, index }, bit, pick) => {
        const root = rootOf(size);
        const leaf = leaves[index]!;
        const proof = proofFrom(inclusionRanges(index, size)!, hashOf);
        expect(verifyInclusion(index, size, flipped(leaf, bit), root, proof)).toBe(false);
        expect(verifyInclusion(index, size, leaf, flipped(root, bit), proof)).toBe(false);
        const older = proofFrom(consistencyRanges(index, size)!, hashOf);
        const oldRoot = rootOf(index);
        expect(verifyConsistency(index, flipped(oldRoot, bit), size, root, older)).toBe(false);
        if (index > 0) expect(verifyConsistency(index, oldRoot, size, flipped(root, bit), older)).toBe(false);
        for (const [hashes, verify] of [
          [proof, (p: Hash[]) => verifyInclusion(index, size, leaf, root, p)],
          [older, (p: Hash[]) => verifyConsistency(index, oldRoot, size, root, p)],
        ] as const) {
          if (hashes.length === 0) continue;
          const at = pick % hashes.length;
          expect(verify(hashes.map((hash, i) => (i === at ? flipped(hash, bit) : hash)))).toBe(false);
          expect(verify(hashes.slice(0, -1))).toBe(false);
          expect(verify(hashes.slice(1))).toBe(false);
          expect(verify([...hashes, hashes[at]!])).toBe(false);
          expect(verify(hashes.map((hash, i) => (i === at ? hash.slice(1) : hash)))).toBe(false);
        }
      }),
    );
  });

  test("another index or another size fails", () => {
    fc.assert(
      fc.property(pair, fc.nat(310), ({ size, index }, other) => {
        const proof = proofFrom(inclusionRanges(index, size)!, hashOf);
        if (other !== index) {
          expect(verifyInclusion(other, size, leaves[index]!, rootOf(size), proof)).toBe(false);
        }
        const older = proofFrom(consistencyRanges(index, size)!, hashOf);
        if (other !== index && other !== size && index > 0) {
          expect(verifyConsistency(other, rootOf(index), size, rootOf(size), older)).toBe(false);
        }
      }),
    );
  });

  test("an inner node cannot pass for an entry", () => {
    const inner = hashChildren(leaves[0]!, leaves[1]!);
    expect(toHex(hashLeaf(new Uint8Array([1, ...leaves[0]!, ...leaves[1]!])))).not.toBe(toHex(inner));
  });

  test("the empty tree is a beginning of every tree, with an empty proof only", () => {
    const root = rootOf(5);
    expect(verifyConsistency(0, EMPTY_ROOT, 5, root, [])).toBe(true);
    expect(verifyConsistency(0, EMPTY_ROOT, 5, root, [root])).toBe(false);
    expect(verifyConsistency(0, root, 5, root, [])).toBe(false);
    expect(verifyConsistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])).toBe(true);
    expect(verifyConsistency(0, EMPTY_ROOT, 0, root, [])).toBe(false);
  });

  test("sizes that are not counts are refused", () => {
    const root = rootOf(5);
    for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(inclusionRanges(0, bad)).toBeNull();
      expect(consistencyRanges(bad, 5)).toBeNull();
      expect(verifyInclusion(bad, 5, leaves[0]!, root, [])).toBe(false);
      expect(verifyInclusion(0, bad, leaves[0]!, root, [])).toBe(false);
      expect(verifyConsistency(1, root, bad, root, [])).toBe(false);
    }
    expect(inclusionRanges(5, 5)).toBeNull();
    expect(consistencyRanges(6, 5)).toBeNull();
  });
});

describe("a log of 962 million certificates (argon2020, the Go checksum database's test data)", () => {
  const root = hashFromBase64(argon2020.root)!;

  test("an entry is in the tree", () => {
    const leaf = hashLeaf(fromBase64(argon2020.entry)!);
    const proof = argon2020.inclusion.map((text) => hashFromBase64(text)!);
    expect(verifyInclusion(argon2020.index, argon2020.size, leaf, root, proof)).toBe(true);
    expect(verifyInclusion(argon2020.index + 1, argon2020.size, leaf, root, proof)).toBe(false);
  });

  test("the tree extends an older one", () => {
    const oldRoot = hashFromBase64(argon2020.oldRoot)!;
    const proof = argon2020.consistency.map((text) => hashFromBase64(text)!);
    expect(verifyConsistency(argon2020.oldSize, oldRoot, argon2020.size, root, proof)).toBe(true);
    expect(verifyConsistency(argon2020.oldSize, flipped(oldRoot, 7), argon2020.size, root, proof)).toBe(
      false,
    );
  });

  test("what is asked for grows with the logarithm of the size", () => {
    expect(nodesOf(inclusionRanges(argon2020.index, argon2020.size)!).length).toBeLessThan(64);
    expect(nodesOf(inclusionRanges(2 ** 52, 2 ** 53 - 1)!).length).toBeLessThanOrEqual(53 * 2);
  });

  test("SHA-256 of parts is that of the whole", () => {
    expect(toHex(sha256(utf8("a"), utf8("bc")))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});
