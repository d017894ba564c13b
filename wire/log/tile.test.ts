import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat } from "../bytes.ts";
import { equalBytes, toHex, utf8 } from "./bytes.ts";
import {
  consistencyRanges,
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
import {
  bundleMatchesTile,
  decodeBundle,
  encodeBundle,
  hashFromTile,
  MAX_ENTRY,
  parseTilePath,
  TreeEdge,
  tileOf,
  tilePath,
  tileWidth,
} from "./tile.ts";

/** A log that keeps every tile it ever wrote, by path. */
function grow(count: number) {
  const edge = new TreeEdge();
  const tiles = new Map<string, Uint8Array>();
  const leaves: Hash[] = [];
  const roots: Hash[] = [edge.root()];
  for (let i = 0; i < count; i++) {
    leaves.push(hashLeaf(utf8(`entry ${i}`)));
    for (const tile of [...edge.append(leaves[i]!), ...edge.partialTiles()]) {
      const path = tilePath(tile);
      const before = tiles.get(path);
      if (before && !equalBytes(before, tile.bytes))
        throw new Error(`${path} was written twice, differently`);
      tiles.set(path, tile.bytes);
    }
    roots.push(edge.root());
  }
  const hashOf = (size: number) => (node: Node) => {
    const name = tileOf(node, size);
    const bytes = name && tiles.get(tilePath(name));
    const hash = bytes && hashFromTile(node, bytes);
    if (!hash) throw new Error(`no tile for ${JSON.stringify(node)} in ${size}`);
    return hash;
  };
  return { edge, tiles, leaves, roots, hashOf };
}

describe("tile paths", () => {
  test("the paths of the specification", () => {
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe("tile/0/x001/x234/067");
    expect(tilePath({ level: 0, index: 1234067, width: 8 })).toBe("tile/0/x001/x234/067.p/8");
    expect(tilePath({ level: "entries", index: 0, width: 256 })).toBe("tile/entries/000");
    expect(tilePath({ level: 63, index: 999, width: 1 })).toBe("tile/63/999.p/1");
    expect(tilePath({ level: 2, index: 123456078, width: 256 })).toBe("tile/2/x123/x456/078");
  });

  test("every path reads back as what it names", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constant("entries" as const), fc.nat(63)),
        fc.maxSafeNat(),
        fc.integer({ min: 1, max: 256 }),
        (level, index, width) => {
          expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
        },
      ),
    );
  });

  test("other spellings are refused", () => {
    for (const path of [
      "tile/3/123/456/078",
      "tile/-1/078",
      "tile/64/000",
      "tile/01/000",
      "tile/0/x000/001",
      "tile/0/0",
      "tile/0/0000",
      "tile/0/000.p/0",
      "tile/0/000.p/256",
      "tile/0/000.p/01",
      "tile/0/000.p/",
      "tile/0/000.p",
      "tile/0/x999/x999/x999/x999/x999/999",
      "tile/data/000",
      "tile/entries/000/",
      "/tile/0/000",
      "tile/0/000\n",
      "tile/0/../000",
      `tile/0/${"x001/".repeat(30)}000`,
      "",
    ]) {
      expect(parseTilePath(path), path).toBeNull();
    }
  });
});

describe("tiles of a growing log", () => {
  test("the widths of the specification's examples", () => {
    expect(tileWidth(0, 273, 70_000)).toBe(112);
    expect(tileWidth(1, 0, 70_000)).toBe(256);
    expect(tileWidth(1, 1, 70_000)).toBe(17);
    expect(tileWidth(2, 0, 70_000)).toBe(1);
    expect(tileWidth(0, 0, 256)).toBe(256);
    expect(tileWidth(1, 0, 256)).toBe(1);
    expect(tileWidth(0, 274, 70_000)).toBe(0);
  });

  const log = grow(1200);

  test("the edge's root is the tree's root at every size, also after it was stored and restored", () => {
    const edge = new TreeEdge();
    for (let size = 0; size <= 1200; size++) {
      const expected = log.roots[size]!;
      if (size < 300 || size % 37 === 0 || size % 256 < 2) {
        const naive = foldSubtrees(
          subtreesOf({ start: 0, end: size }).map((node) => {
            const width = 2 ** node.level;
            let row = log.leaves.slice(node.index * width, (node.index + 1) * width);
            while (row.length > 1)
              row = row.flatMap((_, i) => (i % 2 ? [] : [hashChildren(row[i]!, row[i + 1]!)]));
            return row[0]!;
          }),
        );
        expect(toHex(expected)).toBe(toHex(naive));
        const restored = TreeEdge.restore(edge.state())!;
        expect(toHex(restored.root())).toBe(toHex(expected));
        expect(restored.size).toBe(size);
      }
      if (size < 1200) edge.append(log.leaves[size]!);
    }
  });

  test("a restored edge has to be one of its size", () => {
    const state = log.edge.state();
    expect(TreeEdge.restore({ ...state, size: state.size + 1 })).toBeNull();
    expect(TreeEdge.restore({ ...state, levels: state.levels.slice(0, -1) })).toBeNull();
    expect(TreeEdge.restore({ size: -1, levels: [] })).toBeNull();
    expect(TreeEdge.restore({ size: 3, levels: [new Uint8Array(95)] })).toBeNull();
  });

  test("proofs made from tiles verify", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1200 }), fc.nat(1199), (size, pick) => {
        const index = pick % size;
        const root = log.roots[size]!;
        const hashOf = log.hashOf(size);
        const proof = proofFrom(inclusionRanges(index, size)!, hashOf);
        expect(verifyInclusion(index, size, log.leaves[index]!, root, proof)).toBe(true);
        const older = proofFrom(consistencyRanges(index, size)!, hashOf);
        expect(verifyConsistency(index, log.roots[index]!, size, root, older)).toBe(true);
      }),
    );
  });

  test("a node that the tree does not have has no tile", () => {
    expect(tileOf({ level: 0, index: 10 }, 10)).toBeNull();
    expect(tileOf({ level: 3, index: 1 }, 15)).toBeNull();
    expect(tileOf({ level: 8, index: 0 }, 255)).toBeNull();
    for (const node of nodesOf([{ start: 0, end: 700 }])) expect(tileOf(node, 700)).not.toBeNull();
    expect(hashFromTile({ level: 1, index: 1 }, new Uint8Array(3 * 32))).toBeNull();
    expect(hashFromTile({ level: 0, index: 0 }, new Uint8Array(31))).toBeNull();
    expect(hashFromTile({ level: 0, index: 0 }, new Uint8Array(257 * 32))).toBeNull();
  });
});

describe("entry bundles", () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });

  test("read back as written; cut anywhere, or of another width, they are refused", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = encodeBundle(list)!;
        expect(decodeBundle(bytes, list.length)).toEqual(list);
        expect(decodeBundle(bytes, list.length + 1)).toBeNull();
        if (list.length > 0) expect(decodeBundle(bytes, list.length - 1)).toBeNull();
        for (let cut = 0; cut < bytes.length; cut++) {
          expect(decodeBundle(bytes.subarray(0, cut), list.length)).toBeNull();
        }
        expect(decodeBundle(concat([bytes, new Uint8Array(1)]), list.length)).toBeNull();
      }),
    );
  });

  test("an entry of 65,535 bytes fits, one more does not", () => {
    const longest = new Uint8Array(MAX_ENTRY).fill(7);
    expect(decodeBundle(encodeBundle([longest])!, 1)).toEqual([longest]);
    expect(encodeBundle([new Uint8Array(MAX_ENTRY + 1)])).toBeNull();
  });

  test("a bundle is checked against its tile", () => {
    const list = [utf8("a"), utf8("b")];
    const tile = concat(list.map(hashLeaf));
    expect(bundleMatchesTile(list, tile, hashLeaf)).toBe(true);
    expect(bundleMatchesTile([utf8("b"), utf8("a")], tile, hashLeaf)).toBe(false);
    expect(bundleMatchesTile(list.slice(1), tile, hashLeaf)).toBe(false);
  });
});
