/** Segments whose entries are compressed: what the connector writes, and what may arrive instead. */
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  digestOf,
  MAX_ENTRY,
  type RecordingEntry,
  readSegment,
  readSegmentHeader,
  SegmentWriter,
  verifyChain,
} from "./recording.ts";

const compress = (bytes: Uint8Array): Uint8Array => zstdCompressSync(bytes);
const utf8 = (text: string) => new TextEncoder().encode(text);

function sealed(entries: readonly RecordingEntry[], pack = compress) {
  const writer = new SegmentWriter("s1", undefined, pack);
  for (const one of entries) writer.add(one);
  return writer.seal(9, { reason: "X" });
}

const rows: RecordingEntry[] = Array.from({ length: 200 }, (_, i) => ({
  ...{ kind: "backend", at: 5 + i },
  bytes: utf8(`row ${i} of the same kind`),
}));

test("what was added is read back, in a fraction of the bytes, and the chain holds", () => {
  const { bytes, header } = sealed(rows);
  expect(header).toMatchObject({ encoding: "zstd", count: 200 });
  expect(bytes.length).toBeLessThan(header.size / 3);
  const read = readSegment(bytes);
  expect(read.ok && read.entries.map((one) => ({ ...one, bytes: Uint8Array.from(one.bytes) }))).toEqual(rows);
  expect(verifyChain("s1", [bytes])).toMatchObject({ ok: true, reason: "X" });
});

test("entries of any bytes, also ones that do not compress, and none", () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), (all) => {
      const entries = all.map((one) => ({ kind: "frontend" as const, at: 1, bytes: one }));
      const read = readSegment(sealed(entries).bytes);
      expect(read.ok && read.entries.map((one) => [...one.bytes])).toEqual(all.map((one) => [...one]));
    }),
  );
  const large = new Uint8Array(MAX_ENTRY).map((_, i) => (i * i) >> 7);
  const read = readSegment(sealed([{ kind: "backend", at: 1, bytes: large }]).bytes);
  expect(read.ok && digestOf(read.entries[0]!.bytes)).toBe(digestOf(large));
});

test("R2 cut at every byte it is no segment", () => {
  const { bytes } = sealed(rows);
  for (let length = 0; length < bytes.length; length++) {
    expect(readSegment(bytes.slice(0, length)).ok, String(length)).toBe(false);
  }
  expect(readSegment(Uint8Array.of(...bytes, 0)).ok).toBe(false);
});

test("R2 a changed byte is never read as what was recorded", () => {
  const { bytes, digest } = sealed(rows);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= flip;
      expect(digestOf(changed)).not.toBe(digest);
      if (!verifyChain("s1", [changed]).ok) return;
      // Times are in no root: what was said is as it was. The digest, which the log has, covers all of it.
      const read = readSegment(changed);
      expect(read.ok && read.entries.map((one) => [...one.bytes])).toEqual(rows.map((one) => [...one.bytes]));
    }),
    { numRuns: 400 },
  );
});

test("R2 a size that is not that of the entries is refused, and never more is unpacked", () => {
  const { bytes, header } = sealed(rows);
  const lying = (size: number): Uint8Array => {
    const head = utf8(JSON.stringify({ ...header, size }));
    const from = 8 + new DataView(bytes.buffer).getUint32(4);
    const other = new Uint8Array(8 + head.length + bytes.length - from);
    other.set(bytes.subarray(0, 4));
    new DataView(other.buffer).setUint32(4, head.length);
    other.set(head, 8);
    other.set(bytes.subarray(from), 8 + head.length);
    return other;
  };
  expect(readSegment(lying(header.size)).ok).toBe(true);
  for (const size of [0, 1, header.size - 1, header.size + 1, header.size * 2]) {
    expect(readSegment(lying(size)), String(size)).toMatchObject({ ok: false, code: "SEGMENT_MALFORMED" });
  }
  expect(readSegment(lying(2 ** 40))).toMatchObject({ ok: false, code: "SEGMENT_MALFORMED" });
  expect(readSegmentHeader(lying(2 ** 40)).ok).toBe(false);
});

test("R2 a small frame that unpacks to very much is cut off at the size that the header states", () => {
  const bomb = zstdCompressSync(new Uint8Array(64 * 1024 * 1024), {
    params: { [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  const before = process.memoryUsage().arrayBuffers;
  const { bytes } = sealed(rows, () => bomb);
  expect(readSegment(bytes).ok).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
});

test("R7 a segment whose entries decompress to more than its header says is none", () => {
  const { bytes, header } = sealed(rows);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
  for (const size of [header.size - 1, header.size + 1, header.size - header.size / 2]) {
    const head = utf8(JSON.stringify({ ...header, size: Math.floor(size) }));
    const forged = new Uint8Array(8 + head.length + bytes.length - 8 - length);
    forged.set(bytes.subarray(0, 4));
    new DataView(forged.buffer).setUint32(4, head.length);
    forged.set(head, 8);
    forged.set(bytes.subarray(8 + length), 8 + head.length);
    expect(readSegment(forged)).toMatchObject({ ok: false, code: "SEGMENT_MALFORMED" });
  }
});
