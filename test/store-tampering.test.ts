/**
 * R2 whoever owns the bucket changes what is stored in it; then the recording is exported as ever, and verified offline.
 * Each change is named, with the segments and messages that are missing or other, and ends with exit code 7.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { segmentKey } from "../wire/recording.ts";
import { type Recorded, type RecordedEdge, startRecordedEdge } from "./support/recorded-edge.ts";

let edge: RecordedEdge;
let bucket: R2Bucket;
let other: Recorded;
let exports = 0;

beforeAll(async () => {
  edge = await startRecordedEdge();
  bucket = (await edge.lab.edge.miniflare.getR2Bucket("RECORDINGS")) as unknown as R2Bucket;
  other = await edge.record(5);
  await edge.upload(other);
});
afterAll(() => edge?.stop());

async function bytesOf(key: string): Promise<Uint8Array> {
  return new Uint8Array(await (await bucket.get(key))!.arrayBuffer());
}

/** Puts an object in the place of another, with its own right checksum, as the owner of a bucket can. */
async function put(key: string, bytes: Uint8Array): Promise<void> {
  const sha256 = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  await bucket.put(key, bytes, { sha256 });
}

/** A new session, stored whole, changed, and what the verifier says of what the edge then exports. */
async function tampered(
  change: (recorded: Recorded) => Promise<void>,
): Promise<{ code: number; out: string; recorded: Recorded }> {
  const recorded = await edge.record(5);
  await edge.upload(recorded);
  await change(recorded);
  const exported = await edge.export(recorded.id, `${exports++}.zip`);
  expect(exported, exported.err).toMatchObject({ code: 0 });
  const { log, connector } = await edge.keys();
  const { code, out } = await edge.wicket("verify", exported.file, "--key", log, "--key", connector);
  return { code, out, recorded };
}

/** The messages of a segment, as the verifier names them. */
function range({ segments }: Recorded, from: number, to = from): string {
  const [first, last] = [segments[from]!.header, segments[to]!.header];
  const of = (way: "frontend" | "backend"): string =>
    last[way].next > first[way].first ? `${first[way].first}–${last[way].next - 1}` : "none";
  return `[to the database ${of("frontend")}, from it ${of("backend")}`;
}

test("what nobody changed passes", async () => {
  const { code, out } = await tampered(async () => {});
  expect(out).not.toContain("FAIL");
  expect(code).toBe(0);
});

test.each<[string, (recorded: Recorded) => Promise<void>, (recorded: Recorded) => string[]]>([
  [
    "flipped bit",
    async ({ id, segments }) => {
      const bytes = segments[2]!.bytes.slice();
      bytes[bytes.length - 1]! ^= 1;
      await put(segmentKey(id, 2), bytes);
    },
    (recorded) => [`FAIL         segments               segment 2: `, range(recorded, 2)],
  ],
  [
    "deleted segment",
    ({ id }) => bucket.delete(segmentKey(id, 1)),
    (recorded) => ["segment 1 missing", range(recorded, 1)],
  ],
  [
    "deleted segments",
    ({ id }) => bucket.delete([1, 2, 3].map((n) => segmentKey(id, n))),
    (recorded) => ["segment 1–3 missing", range(recorded, 1, 3)],
  ],
  [
    "recording without its end",
    ({ id }) => bucket.delete([3, 4].map((n) => segmentKey(id, n))),
    (recorded) => [
      "the recording stops after segment 2 without an end",
      // How many came from the database, the edge says: the last may not have reached it.
      `the log says 5 segments, the bundle has 3: segment 3–4 missing ${range(recorded, 3, 4).split(",")[0]}`,
    ],
  ],
  [
    "deleted recording",
    ({ id }) => bucket.delete([0, 1, 2, 3, 4].map((n) => segmentKey(id, n))),
    () => ["there is no segment", "segment 0–4 missing"],
  ],
  [
    "truncated segment",
    async ({ id, segments }) => put(segmentKey(id, 2), segments[2]!.bytes.slice(0, -7)),
    () => ["segment 2: "],
  ],
  [
    "reordered segments",
    async ({ id, segments }) => {
      await put(segmentKey(id, 1), segments[2]!.bytes);
      await put(segmentKey(id, 2), segments[1]!.bytes);
    },
    () => ["segment 1: found 2 instead"],
  ],
  [
    "spliced segment",
    async ({ id }) => put(segmentKey(id, 2), other.segments[2]!.bytes),
    () => ["segment 2: is of another session"],
  ],
  [
    "whole session swapped",
    async ({ id }) => {
      for (const { sequence, bytes } of other.segments) await put(segmentKey(id, sequence), bytes);
    },
    () => ["segment 0: is of another session"],
  ],
])("R2 a %s is named, exit code 7", async (_name, change, words) => {
  const { code, out, recorded } = await tampered(change);
  for (const text of words(recorded)) expect(out).toContain(text);
  expect(out).toContain("is NOT whole and unaltered");
  expect(code).toBe(7);
});

interface Log {
  appendEntry(entry: object, options: { wait: "sequenced" | "published" }): Promise<{ ok: boolean }>;
}

test("R2 a log whose tiles were changed proves nothing any more, and one whose tiles are gone is not exported", async () => {
  const recorded = await edge.record(2);
  await edge.upload(recorded);
  // The log grows until the tile with this session's entries is full: before that, it is made anew with each entry.
  const objects = await edge.lab.edge.miniflare.getDurableObjectNamespace("LOG");
  const log = objects.get(objects.idFromName("log")) as unknown as Log;
  const actor = { issuer: "https://issuer.example", subject: "tina" };
  for (let n = 0; n < 256; n++) {
    const entry = { v: 1, type: "recording.read", time: 1_700_000_000_000 + n, session: `s${n}`, actor };
    expect(await log.appendEntry(entry, { wait: n === 255 ? "published" : "sequenced" })).toMatchObject({
      ok: true,
    });
  }
  const tile = "log/tile/0/000";
  const whole = await bytesOf(tile);
  const changed = whole.slice();
  for (let at = 0; at < changed.length; at += 32) changed[at]! ^= 1;
  await put(tile, changed);
  const exported = await edge.export(recorded.id, "tiles.zip");
  expect(exported.code, exported.err).toBe(0);
  const keys = await edge.keys();
  const trust = ["--key", keys.log, "--key", keys.connector];
  const { code, out } = await edge.wicket("verify", exported.file, ...trust);
  expect(out).toMatch(/FAIL +inclusion in the log +entry \d+: the entry is not number \d+ of the tree/);
  expect(code).toBe(7);
  await bucket.delete(tile);
  const gone = await edge.export(recorded.id, "gone.zip");
  expect(gone.code).not.toBe(0);
  expect(gone.err).toContain("a file of the log is missing in the object store");
  // Put back, all is as it was.
  await put(tile, whole);
  const back = await edge.export(recorded.id, "back.zip");
  expect((await edge.wicket("verify", back.file, ...trust)).code).toBe(0);
});
