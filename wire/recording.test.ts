import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ChainVerifier,
  digestOf,
  ENTRY_OVERHEAD,
  elide,
  MAX_ENTRY,
  type RecordingEntry,
  RecordingRoots,
  readEntries,
  readSegment,
  SEGMENT_TARGET,
  type SealedSegment,
  SegmentWriter,
  segmentKey,
  verifyChain,
} from "./recording.ts";
import { sha256 } from "./sha256.ts";

const bytes = fc.uint8Array({ maxLength: 60 });
const entry: fc.Arbitrary<RecordingEntry> = fc
  .record({ kind: fc.constantFrom("event", "frontend", "backend", "note"), at: fc.nat(10_000), bytes })
  .map((one) => ({ ...one, at: 1_700_000_000_000 + one.at }) as RecordingEntry);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Segments of a session, sealed after each of the given groups. */
function record(groups: readonly (readonly RecordingEntry[])[], session = "s1"): SealedSegment[] {
  const writer = new SegmentWriter(session);
  const sealed: SealedSegment[] = [];
  for (const [i, group] of groups.entries()) {
    for (const one of group) {
      const full = writer.add(one);
      if (full) sealed.push(full);
    }
    sealed.push(
      writer.seal(1_700_000_020_000, i === groups.length - 1 ? { reason: "CLIENT_TERMINATED" } : undefined),
    );
  }
  return sealed;
}

const sample = () =>
  record([
    [
      { kind: "note", at: 1000, bytes: utf8('{"opened":true}') },
      { kind: "event", at: 1001, bytes: utf8('{"t":"record"}') },
      { kind: "frontend", at: 1002, bytes: utf8("Q") },
    ],
    [
      { kind: "backend", at: 1003, bytes: utf8("T D D") },
      { kind: "elided", at: 1004, bytes: elide("backend", utf8("rows")) },
    ],
    [],
  ]);

describe("segments", () => {
  test("a writer that takes up a crashed one's work makes the same bytes", () => {
    const whole = sample();
    for (let cut = 1; cut < whole.length; cut++) {
      const roots = new RecordingRoots("s1");
      for (const segment of whole.slice(0, cut)) {
        const read = readSegment(segment.bytes);
        if (read.ok) for (const one of read.entries) roots.add(one.kind, one.bytes);
      }
      const writer = new SegmentWriter("s1", { ...whole[cut - 1]!, roots: roots.states });
      expect(writer.sequence).toBe(cut);
      for (const segment of whole.slice(cut)) {
        const read = readSegment(segment.bytes);
        if (!read.ok) throw new Error(read.message);
        for (const one of read.entries) writer.add(one);
        expect(writer.seal(1_700_000_020_000, segment.header.final).digest).toBe(segment.digest);
      }
    }
    expect(() => new SegmentWriter("s1", { ...whole.at(-1)!, roots: null }).seal(0)).toThrow(RangeError);
  });

  test("where the roots cannot be gone on from, notes can be added and the end stated, and nothing else", () => {
    const whole = sample();
    const writer = new SegmentWriter("s1", { ...whole[1]!, roots: null });
    expect(() => writer.add({ kind: "frontend", at: 1, bytes: utf8("Q") })).toThrow(RangeError);
    const after = new SegmentWriter("s1", { ...whole[1]!, roots: null });
    after.add({ kind: "note", at: 2000, bytes: utf8("{}") });
    const last = after.seal(2000, { reason: "CONNECTOR_RESTARTED" });
    const segments = [whole[0]!.bytes, whole[1]!.bytes, last.bytes];
    expect(verifyChain("s1", segments)).toMatchObject({ ok: true, reason: "CONNECTOR_RESTARTED" });
  });

  test("keep every entry, and verify", () => {
    fc.assert(
      fc.property(fc.array(fc.array(entry, { maxLength: 5 }), { minLength: 1, maxLength: 4 }), (groups) => {
        const segments = record(groups);
        const verified = verifyChain(
          "s1",
          segments.map((one) => one.bytes),
        );
        expect(verified).toMatchObject({ ok: true, reason: "CLIENT_TERMINATED", segments: groups.length });
        const entries = segments.flatMap((one) => {
          const segment = readSegment(one.bytes);
          return segment.ok ? segment.entries : [];
        });
        expect(entries.map(({ kind, bytes: b }) => [kind, ...b])).toEqual(
          groups.flat().map(({ kind, bytes: b }) => [kind, ...b]),
        );
        // The other party computes the same roots from the messages alone.
        const roots = new RecordingRoots("s1");
        for (const { kind, bytes: b } of groups.flat()) if (kind !== "note") roots.add(kind, b);
        expect(verified.ok && [verified.roots.frontend.root, verified.roots.backend.root]).toEqual([
          roots.frontend.root,
          roots.backend.root,
        ]);
      }),
    );
  });

  test("an elided frame to the database counts in the root as the frame itself, one from it by its hash", () => {
    const full = new RecordingRoots("s");
    const short = new RecordingRoots("s");
    full.add("frontend", utf8("text"));
    short.add("elided", elide("frontend", utf8("text")));
    expect(short.frontend.root).toBe(full.frontend.root);
    full.backend.addHashed("backend", sha256(utf8("rows")), 4);
    short.add("elided", elide("backend", utf8("rows")));
    expect(short.backend.root).toBe(full.backend.root);
    expect(short.add("elided", utf8("rows"))).toBe(false);
    expect(new RecordingRoots("s").backend.root).not.toBe(new RecordingRoots("s").frontend.root);
    expect(new RecordingRoots("s").backend.root).not.toBe(new RecordingRoots("t").backend.root);
  });

  test("are cut where they are full", () => {
    const writer = new SegmentWriter("s1");
    const quarter: RecordingEntry = { kind: "backend", at: 5, bytes: new Uint8Array(SEGMENT_TARGET / 4) };
    for (let n = 0; n < 3; n++) expect(writer.add(quarter)).toBeNull();
    expect(writer.add(quarter)?.header.count).toBe(3);
    expect(writer.add({ kind: "event", at: 6, bytes: new Uint8Array(MAX_ENTRY) })).toBeNull();
    expect(writer.size).toBeGreaterThan(MAX_ENTRY);
    const last = writer.seal(7, { reason: "X" });
    expect(readSegment(last.bytes).ok).toBe(true);
    expect(() => writer.add(quarter)).toThrow(RangeError);
    expect(() =>
      new SegmentWriter("s").add({ kind: "event", at: 0, bytes: new Uint8Array(MAX_ENTRY + 1) }),
    ).toThrow(RangeError);
    expect(segmentKey("s1", 12)).toBe("recordings/s1/00000012");
  });

  test("a clock that goes back loses no entry", () => {
    const [segment] = record([
      [
        { kind: "note", at: 5000, bytes: utf8("a") },
        { kind: "note", at: 1000, bytes: utf8("b") },
      ],
    ]);
    expect(readSegment(segment!.bytes).ok).toBe(true);
    expect(verifyChain("s1", [segment!.bytes]).ok).toBe(true);
  });

  test("cut at every byte, or longer: refused, never thrown", () => {
    for (const { bytes: whole } of sample()) {
      for (let length = 0; length < whole.length; length++)
        expect(readSegment(whole.slice(0, length)).ok).toBe(false);
      expect(readSegment(Uint8Array.of(...whole, 0)).ok).toBe(false);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        expect(readSegment(garbage).ok).toBe(false);
      }),
    );
  });

  test("R2 any changed byte of any segment is found", () => {
    const segments = sample().map((one) => one.bytes);
    for (const [i, original] of segments.entries()) {
      for (let at = 0; at < original.length; at++) {
        const changed = original.slice();
        changed[at]! ^= 1;
        const chain = segments.map((one, j) => (j === i ? changed : one));
        const roots = verifyChain("s1", chain);
        // The last segment's own digest stands in no later one: it is compared with the signed head.
        if (i < segments.length - 1) expect(roots.ok).toBe(false);
        else expect(digestOf(changed)).not.toBe(digestOf(original));
      }
    }
  });

  test("R2 deleted, swapped, doubled, foreign and missing segments are named", () => {
    const [a, b, c] = sample().map((one) => one.bytes) as [Uint8Array, Uint8Array, Uint8Array];
    const code = (chain: Uint8Array[], session = "s1") => {
      const result = verifyChain(session, chain);
      return result.ok ? "ok" : result.code;
    };
    expect(code([a, b, c])).toBe("ok");
    expect(code([a, c])).toBe("SEQUENCE_GAP");
    expect(code([b, c])).toBe("SEQUENCE_GAP");
    expect(code([a, a, b, c])).toBe("SEQUENCE_GAP");
    expect(code([b, a, c])).toBe("SEQUENCE_GAP");
    expect(code([a, b])).toBe("NOT_FINAL");
    expect(code([])).toBe("NOT_FINAL");
    expect(code([a, b, c, c])).toBe("AFTER_FINAL");
    expect(code([a, b, c], "s2")).toBe("SESSION_MISMATCH");
    const other = record([[{ kind: "frontend", at: 1, bytes: utf8("x") }], [], []]).map((one) => one.bytes);
    expect(code([a, other[1]!, c])).toBe("PREV_MISMATCH");
  });

  test("a verifier works one segment at a time", () => {
    const verifier = new ChainVerifier("s1");
    for (const { bytes: one } of sample()) expect(verifier.next(one).ok).toBe(true);
    expect([verifier.segments, verifier.final]).toEqual([3, { reason: "CLIENT_TERMINATED" }]);
  });

  test("R3 a torn journal gives its whole entries", () => {
    const entries: RecordingEntry[] = [
      { kind: "event", at: 1000, bytes: utf8("one") },
      { kind: "backend", at: 1500, bytes: utf8("two") },
    ];
    const writer = new SegmentWriter("s1");
    for (const one of entries) writer.add(one);
    const journal = writer.body;
    const first = ENTRY_OVERHEAD + entries[0]!.bytes.length;
    for (let length = 0; length <= journal.length; length++) {
      const read = readEntries(journal.slice(0, length), 1000);
      const whole = length === journal.length ? 2 : length >= first ? 1 : 0;
      expect(read?.entries).toHaveLength(whole);
      expect(read?.entries.map(({ at }) => at)).toEqual([1000, 1500].slice(0, whole));
    }
    expect(readEntries(Uint8Array.of(77, 0, 0, 0, 0, 0, 0, 0, 0), 0)).toBeNull();
  });
});
