import { expect, test } from "vitest";
import { type SegmentHeader, SegmentWriter } from "../../wire/recording.ts";
import { judgeSegment, recordingVerdict } from "./chain.ts";
import type { FinalRoots, StoredSession } from "./stored.ts";

const stored = { sid: "s", connector: "demo", recorded: null } as unknown as StoredSession;

function segments(): SegmentHeader[] {
  const writer = new SegmentWriter("s");
  const headers: SegmentHeader[] = [];
  for (const kind of ["event", "frontend", "backend"] as const) {
    writer.add({ kind, at: 1, bytes: new Uint8Array([1]) });
    headers.push(writer.seal(1).header);
  }
  headers.push(writer.seal(1, { reason: "X" }).header);
  return headers;
}

test("R2 the next segment follows the stored one, and nothing follows the last", () => {
  const [first, second, , last] = segments() as [SegmentHeader, SegmentHeader, SegmentHeader, SegmentHeader];
  const after = (sequence: number, digest: string, final = false): StoredSession => ({
    ...stored,
    recorded: { sequence, bytes: 1, digest, final },
  });
  expect(judgeSegment(stored, "demo", first)).toEqual({ ok: true, again: false });
  expect(judgeSegment(stored, "demo", second)).toMatchObject({ code: "SEQUENCE_GAP" });
  expect(judgeSegment(after(0, second.prev!), "demo", second)).toEqual({ ok: true, again: false });
  expect(judgeSegment(after(0, second.prev!), "demo", first)).toEqual({ ok: true, again: true });
  expect(judgeSegment(after(0, "0".repeat(64)), "demo", second)).toMatchObject({ code: "PREV_MISMATCH" });
  expect(judgeSegment(after(2, last.prev!, true), "demo", last)).toMatchObject({ code: "AFTER_FINAL" });
  expect(judgeSegment(stored, "other", first)).toMatchObject({ status: 403 });
  expect(judgeSegment(null, "demo", first)).toMatchObject({ status: 404 });
});

test("what a task wants sealed is not taken unsealed, and a recording is sealed as a whole or not at all", () => {
  const [first, second] = segments() as [SegmentHeader, SegmentHeader];
  const seal = (header: SegmentHeader): SegmentHeader => ({ ...header, sealed: ["k"] });
  const wanted: StoredSession = { ...stored, sealed: true };
  expect(judgeSegment(wanted, "demo", first)).toMatchObject({ status: 403, code: "SEGMENT_NOT_SEALED" });
  expect(judgeSegment(wanted, "demo", seal(first))).toEqual({ ok: true, again: false });
  const recorded = { sequence: 0, bytes: 1, digest: second.prev!, final: false };
  const mixed = { ok: false, code: "SEALING_MIXED" };
  expect(judgeSegment({ ...stored, recorded }, "demo", seal(second))).toMatchObject(mixed);
  const after = { ...stored, recorded: { ...recorded, sealed: true } };
  expect(judgeSegment(after, "demo", second)).toMatchObject(mixed);
  expect(judgeSegment(after, "demo", seal(second))).toEqual({ ok: true, again: false });
});

test("R2 the end of a recording is held against what crossed the edge, and the list is told in the verifier's words", () => {
  const final = segments()[3]!;
  const roots: FinalRoots = {
    frontend: { entries: 2, root: final.frontend.root },
    backend: { entries: 1, root: final.backend.root },
  };
  const other = "0".repeat(64);
  const task = { onFailure: "terminate", durability: "batched" } as const;
  const verdict = (change: Partial<FinalRoots>, header = final, answered?: FinalRoots) =>
    recordingVerdict({ roots: { ...roots, ...change }, ...(answered ? { answered } : {}) }, header, task);
  expect(verdict({})).toEqual({ state: "final", detail: null });
  expect(recordingVerdict({ roots: null }, final, task)).toBeNull();
  expect(verdict({ backend: { entries: 0, root: other } })).toEqual({
    state: "beyond",
    detail: "the last 1 messages from the database did not reach the edge",
  });
  expect(verdict({ backend: { entries: 1, root: other } })).toMatchObject({ state: "differs" });
  const killed = { ...final, final: { reason: "CONNECTOR_RESTARTED" } };
  const more = { backend: { entries: 2, root: other } };
  expect(verdict(more)).toMatchObject({ state: "differs" });
  expect(verdict(more, killed, roots)).toMatchObject({ state: "gap" });
  expect(verdict(more, killed, { ...roots, ...more })).toMatchObject({ state: "differs" });
});
