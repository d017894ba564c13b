import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FOLD, INLINE, type RootMark, RunningRoot } from "./recording-roots.ts";

type Message = readonly [kind: "event" | "frontend" | "backend", bytes: Uint8Array];

const KINDS = { event: 1, frontend: 2, backend: 3 };
const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
const hex = (bytes: Uint8Array): string =>
  [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");

/** The root after each number of messages, from 0, as the format's description says it. */
function described(session: string, direction: string, messages: readonly Message[]): string[] {
  let folded = sha256(new TextEncoder().encode(`wicket.recording.v2${session}${direction}`));
  let gathered: number[] = [];
  const now = () => hex(gathered.length === 0 ? folded : sha256(folded, new Uint8Array(gathered)));
  const roots = [now()];
  for (const [kind, bytes] of messages) {
    const { length } = bytes;
    const head = [KINDS[kind], length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255];
    gathered.push(...head, ...(kind !== "frontend" && length <= INLINE ? bytes : sha256(bytes)));
    if (gathered.length >= FOLD) {
      folded = sha256(folded, new Uint8Array(gathered));
      gathered = [];
    }
    roots.push(now());
  }
  return roots;
}

const size = fc.oneof(
  fc.nat(200),
  fc.constantFrom(0, 447, 448, 449, INLINE - 1, INLINE, INLINE + 1),
  fc.nat(9000),
);
const message: fc.Arbitrary<Message> = fc
  .tuple(fc.constantFrom("event", "frontend", "backend"), size, fc.nat(255))
  .map(([kind, length, fill]) => [kind as Message[0], new Uint8Array(length).fill(fill)]);
/** Enough of them to be folded several times. */
const messages = fc.array(message, { maxLength: 300, size: "max" });

test("the root is what the format says, after any messages", () => {
  fc.assert(
    fc.property(messages, (all) => {
      const running = new RunningRoot("s1", "frontend");
      const roots = [running.root];
      for (const [kind, bytes] of all) {
        running.add(kind, bytes);
        roots.push(running.root);
      }
      expect(running.count).toBe(all.length);
      expect(roots).toEqual(described("s1", "frontend", all));
    }),
    { numRuns: 40 },
  );
});

test("a mark tells the root as it stood then, whatever came after it", () => {
  fc.assert(
    fc.property(messages, fc.nat(7), (all, every) => {
      const running = new RunningRoot("s1", "backend");
      const marks: RootMark[] = [];
      for (const [i, [kind, bytes]] of all.entries()) {
        running.add(kind, bytes);
        if (i % (every + 1) === 0) marks.push(running.mark());
      }
      const roots = described("s1", "backend", all);
      expect(marks.map((one) => one.root)).toEqual(marks.map((one) => roots[one.count]));
    }),
    { numRuns: 40 },
  );
});

test("it goes on from any state", () => {
  fc.assert(
    fc.property(messages, fc.nat(), (all, cut) => {
      const running = new RunningRoot("s1", "frontend");
      const at = all.length === 0 ? 0 : cut % all.length;
      for (const [kind, bytes] of all.slice(0, at)) running.add(kind, bytes);
      const { state } = running;
      const later = new RunningRoot("other", "backend", state);
      for (const [kind, bytes] of all.slice(at)) {
        running.add(kind, bytes);
        later.add(kind, bytes);
      }
      expect([later.count, later.root]).toEqual([running.count, running.root]);
    }),
    { numRuns: 40 },
  );
});

test("a frame counts the same by its hash and length, and not with another length", () => {
  const bytes = new Uint8Array(300).fill(7);
  const [whole, hashed, wrong] = [1, 2, 3].map(() => new RunningRoot("s1", "frontend"));
  whole!.add("frontend", bytes);
  hashed!.addHashed("frontend", sha256(bytes), 300);
  wrong!.addHashed("frontend", sha256(bytes), 301);
  expect(hashed!.root).toBe(whole!.root);
  expect(wrong!.root).not.toBe(whole!.root);
});

test("a message cannot be taken for two, nor for one of another kind", () => {
  const all: Message[] = [
    ["event", new Uint8Array([2, 0, 0, 0, 1, 9])],
    ["frontend", new Uint8Array([9])],
  ];
  const roots = new Set([described("s", "frontend", all).at(-1)]);
  for (const other of [all.slice(0, 1), [all[1]!, all[0]!], [["frontend", all[0]![1]] as const]])
    roots.add(described("s", "frontend", other).at(-1));
  expect(roots.size).toBe(4);
});

test("where only the root is known it can be compared, and not gone on from", () => {
  const { root, count } = new RunningRoot("s1", "frontend");
  const folded = Uint8Array.from(root.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  const known = new RunningRoot("s1", "frontend", { count, folded, gathered: null });
  expect(known.root).toBe(root);
  expect(() => known.add("event", new Uint8Array(1))).toThrow(RangeError);
  for (const state of [
    { count, folded: folded.subarray(1), gathered: null },
    { count, folded, gathered: new Uint8Array(FOLD) },
  ])
    expect(() => new RunningRoot("s1", "frontend", state)).toThrow(RangeError);
});
