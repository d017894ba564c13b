import { exportJWK, generateKeyPair } from "jose";
import { expect, test } from "vitest";
import { SegmentWriter } from "../../wire/recording.ts";
import { auditorKey, sealSegment } from "../../wire/recording-seal.ts";
import { indexSegment } from "./segment-index.ts";

const event = (value: object) => new TextEncoder().encode(JSON.stringify({ t: "record", event: value }));
const decision = { effect: "allow", reason: "ALLOWED", rule: "tasks/a.yaml:3", masked: ["email"] };

test("a segment's index says where each statement and its outcome stand", () => {
  const writer = new SegmentWriter("s1");
  writer.add({ kind: "note", at: 5, bytes: new Uint8Array([1]) });
  writer.add({
    kind: "event",
    at: 10,
    bytes: event({ t: "statement", n: 1, text: "SELECT 1", decision, at: 9 }),
  });
  writer.add({ kind: "backend", at: 11, bytes: new Uint8Array(4) });
  writer.add({
    kind: "event",
    at: 12,
    bytes: event({ t: "outcome", n: 1, ok: true, tag: "SELECT 1", rows: 1, ms: 2, at: 12 }),
  });
  const { bytes, digest } = writer.seal(12, { reason: "CLIENT_TERMINATED" });
  const stored = { sequence: 0, size: bytes.length, digest };
  expect(indexSegment(stored, bytes)).toEqual({
    ...{ ...stored, from: 5, to: 12, damaged: false, final: "CLIENT_TERMINATED" },
    statements: [
      {
        ...{ n: 1, at: 9, entry: 1, text: "SELECT 1", effect: "allow", reason: "ALLOWED" },
        ...{ rule: "tasks/a.yaml:3", masked: ["email"] },
      },
    ],
    outcomes: [{ n: 1, at: 12, entry: 3, ok: true, tag: "SELECT 1", sqlstate: null, rows: 1, ms: 2 }],
  });
});

test("of a sealed segment only its times and its end are known", async () => {
  const writer = new SegmentWriter("s1");
  writer.add({
    kind: "event",
    at: 7,
    bytes: event({ t: "statement", n: 1, text: "SELECT 'canary'", decision }),
  });
  const pair = await generateKeyPair("ECDH-ES+A256KW", { crv: "X25519", extractable: true });
  const auditor = (await auditorKey(await exportJWK(pair.publicKey)))!;
  const bytes = await sealSegment(writer.seal(9, { reason: "X" }).bytes, null, [auditor]);
  const stored = { sequence: 0, size: bytes.length, digest: "" };
  expect(indexSegment(stored, bytes)).toEqual({
    ...{ ...stored, from: 7, to: 7, statements: [], outcomes: [], final: "X", damaged: false, sealed: true },
  });
});

test("R7 what does not read is told as damaged, and events of any shape do not stop the index", () => {
  const stored = { sequence: 0, size: 3, digest: "" };
  expect(indexSegment(stored, null).damaged).toBe(true);
  expect(indexSegment(stored, new Uint8Array([1, 2, 3])).damaged).toBe(true);
  const writer = new SegmentWriter("s1");
  for (const text of [
    "{",
    "null",
    "[]",
    '{"event":7}',
    '{"event":{"t":"statement"}}',
    '{"event":{"t":"outcome"}}',
  ])
    writer.add({ kind: "event", at: 1, bytes: new TextEncoder().encode(text) });
  const indexed = indexSegment(stored, writer.seal(1).bytes);
  expect(indexed).toMatchObject({
    damaged: false,
    statements: [{ text: "", effect: "" }],
    outcomes: [{ ok: false }],
  });
});
