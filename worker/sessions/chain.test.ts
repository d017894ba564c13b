import { expect, test } from "vitest";
import { type SegmentHeader, SegmentWriter } from "../../wire/recording.ts";
import { judgeSegment, rootFault } from "./chain.ts";
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

test("R2 the end of a recording is held against what crossed the edge", () => {
  const final = segments()[3]!;
  const edge: FinalRoots = {
    frontend: { entries: 2, root: final.frontend.root },
    backend: { entries: 1, root: final.backend.root },
  };
  expect(rootFault(edge, final, null)).toBeNull();
  expect(rootFault(null, final, null)).toBeNull();
  const other = "0".repeat(64);
  expect(rootFault({ ...edge, backend: { entries: 1, root: other } }, final, null)).toContain("not those");
  expect(rootFault({ ...edge, frontend: { entries: 2, root: other } }, final, null)).toContain("not those");
  // A broken socket: sent and not received is possible, received and not recorded is not.
  expect(rootFault({ ...edge, frontend: { entries: 3, root: other } }, final, null)).toBeNull();
  expect(rootFault({ ...edge, backend: { entries: 0, root: other } }, final, null)).toBeNull();
  expect(rootFault({ ...edge, frontend: { entries: 1, root: other } }, final, null)).toContain("never sent");
  expect(rootFault({ ...edge, backend: { entries: 2, root: other } }, final, null)).toContain("lacks");
  // A connector that was killed had not written down what it sent after the last statement that was answered.
  const killed = { ...final, final: { reason: "CONNECTOR_RESTARTED" } };
  const more = { ...edge, backend: { entries: 2, root: other } };
  expect(rootFault(more, killed, null)).toBeNull();
  expect(rootFault(more, killed, edge)).toBeNull();
  expect(rootFault(more, killed, more)).toContain("lacks");
});
