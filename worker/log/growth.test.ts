/** A log that grows past 65,536 entries: a tile of level 2 begins, tiles of level 1 are full, and restarts come anywhere. */
import { describe, expect, test } from "vitest";
import { equalBytes, utf8 } from "../../wire/log/bytes.ts";
import { openCheckpoint } from "../../wire/log/checkpoint.ts";
import { verifyConsistency } from "../../wire/log/merkle.ts";
import { parseVerifierKey } from "../../wire/log/note.ts";
import { checkProof, parseProof } from "../../wire/log/proof.ts";
import type { LogObject } from "./sequencer.ts";
import { proveConsistency, r2LogStore } from "./store.ts";
import { append, entryBytes, MemoryBucket, withStorage } from "./test-log.ts";

/** The first size of which a tile of level 2 has a hash. */
const LEVEL_2 = 256 * 256;

/** Entries `[from, to)`, numbered in order; the last is published with all before it. */
async function grow(log: LogObject, from: number, to: number): Promise<void> {
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + 4096);
    for (let n = at; n < end - 1; n++) {
      const numbered = await log.append(entryBytes(n), { wait: "sequenced" });
      if (!numbered.ok || numbered.index !== n) throw new Error(`entry ${n}: ${JSON.stringify(numbered)}`);
    }
    expect(await append(log, end - 1)).toBe(end - 1);
    at = end;
  }
}

async function checkpointOf(log: LogObject): Promise<{ size: number; root: Uint8Array }> {
  const opened = await openCheckpoint(
    utf8((await log.checkpoint())!),
    parseVerifierKey(await log.verifierKey())!,
  );
  if (!opened.ok) throw new Error(opened.message);
  return opened.checkpoint;
}

async function expectProven(log: LogObject, indexes: readonly number[]): Promise<void> {
  const key = parseVerifierKey(await log.verifierKey())!;
  for (const index of indexes) {
    const proven = await log.proof(index);
    if (!proven.ok) throw new Error(`${index}: ${proven.message}`);
    expect(equalBytes(proven.entry, entryBytes(index)), `entry ${index}`).toBe(true);
    expect(
      (await checkProof(parseProof(utf8(proven.proof))!, proven.entry, key)).ok,
      `proof of ${index}`,
    ).toBe(true);
  }
}

describe("R3 a log of more than 65,536 entries", () => {
  test(
    "is consistent at every border of tiles, after restarts, and when only its files are left",
    {
      timeout: 240_000,
    },
    () =>
      withStorage(async (start) => {
        const bucket = new MemoryBucket();
        let log = start(bucket);
        const seen: { size: number; root: Uint8Array }[] = [];
        let size = 0;
        // Borders of level 0, 1 and 2, each from one below to one above; with a restart at each of them.
        const sizes = [
          1,
          255,
          256,
          257,
          4096,
          32_767,
          32_768,
          LEVEL_2 - 257,
          LEVEL_2 - 256,
          LEVEL_2 - 1,
          LEVEL_2,
        ];
        for (const next of [...sizes, LEVEL_2 + 1, LEVEL_2 + 255, LEVEL_2 + 256, LEVEL_2 + 257]) {
          await grow(log, size, next);
          size = next;
          log = start(bucket);
          seen.push(await checkpointOf(log));
          expect(seen.at(-1)!.size).toBe(size);
          await expectProven(log, [0, size >> 1, size - 1]);
        }
        const store = r2LogStore(bucket as unknown as R2Bucket);
        for (const [i, before] of seen.entries()) {
          for (const after of seen.slice(i + 1)) {
            const proof = await proveConsistency(store, before.size, after.size);
            expect(
              proof && verifyConsistency(before.size, before.root, after.size, after.root, proof),
              `${before.size} to ${after.size}`,
            ).toBe(true);
          }
        }
        const indexes = [255, 256, 65_279, 65_280, LEVEL_2 - 1, LEVEL_2, LEVEL_2 + 256];
        await expectProven(log, indexes);
        expect(bucket.objects.has("log/tile/2/000.p/1")).toBe(true);
        expect(bucket.objects.has("log/tile/1/000")).toBe(true);
        // A restart with entries that have numbers and no checkpoint yet.
        for (let n = size; n < size + 700; n++) await log.append(entryBytes(n), { wait: "sequenced" });
        bucket.failAfter = 3;
        await log.alarm();
        bucket.failAfter = null;
        log = start(bucket);
        await log.alarm();
        size += 700;
        expect((await checkpointOf(log)).size).toBe(size);
        await expectProven(log, [size - 700, size - 1, 3]);
        // The object's own storage is gone: everything is read back from the files.
        await withStorage(async (second) => {
          const again = second(bucket);
          expect(await append(again, size)).toBe(size);
          await expectProven(again, [0, LEVEL_2, size]);
          const last = await checkpointOf(again);
          const proof = await proveConsistency(store, seen.at(-1)!.size, last.size);
          expect(verifyConsistency(seen.at(-1)!.size, seen.at(-1)!.root, last.size, last.root, proof!)).toBe(
            true,
          );
        });
      }),
  );
});
