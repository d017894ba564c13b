import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { equalBytes, fromBase64, utf8 } from "../../wire/log/bytes.ts";
import { parseCheckpoint } from "../../wire/log/checkpoint.ts";
import type { LogEntry } from "../../wire/log/entry.ts";
import { hashLeaf } from "../../wire/log/merkle.ts";
import { parseVerifierKey } from "../../wire/log/note.ts";
import { checkProof, parseProof } from "../../wire/log/proof.ts";
import { r2LogStore } from "./store.ts";
import { append, entryBytes, expectWhole, MemoryBucket, SIGNING_KEY, withStorage } from "./test-log.ts";

describe("the sequencer", () => {
  test("numbers entries in order and publishes them under a signed checkpoint", () =>
    withStorage(async (start) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      expect(await log.checkpoint()).toBeNull();
      for (let n = 0; n < 10; n++) expect(await append(log, n)).toBe(n);
      await expectWhole(log, bucket, 10);
      expect(await log.verifierKey()).toMatch(/^edge\.example\/log\+/);
      expect(fromBase64((await log.verifierKey()).split("+").slice(2).join("+"))!.length).toBe(33);
    }));

  test("many at once are one batch: few objects, and the order of arrival", () =>
    withStorage(async (start) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      await append(log, 0);
      const before = bucket.requests;
      const indexes = await Promise.all(Array.from({ length: 300 }, (_, n) => append(log, n + 1)));
      expect(indexes).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
      expect(bucket.requests - before).toBeLessThan(20);
      await expectWhole(log, bucket, 301);
    }));

  test("past several full tiles everything still proves, and full bundles leave the journal", () =>
    withStorage(async (start, state) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      for (let round = 0; round < 6; round++) {
        await Promise.all(Array.from({ length: 230 }, (_, n) => append(log, round * 230 + n)));
      }
      await expectWhole(log, bucket, 1380);
      const rows = state.storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM entries").one().n;
      expect(rows).toBe(1380 % 256);
      await expectWhole(start(bucket), bucket, 1380);
    }));

  test("an entry that nobody waits for is published by the alarm", () =>
    withStorage(async (start, state) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      expect(await log.append(entryBytes(1), { wait: "sequenced" })).toEqual({ ok: true, index: 0 });
      expect(await log.checkpoint()).toBeNull();
      expect(await state.storage.getAlarm()).toBeLessThanOrEqual(Date.now() + 1000);
      await log.alarm();
      await expectWhole(log, bucket, 1);
    }));

  test("R2 the end of a session says how many of the edge's words are in the log, and no word comes after it", () =>
    withStorage(async (start) => {
      const log = start(new MemoryBucket());
      const side = { entries: 0, root: "00".repeat(32) };
      const about = { v: 1, session: "s_3", time: 1, roots: { frontend: side, backend: side } } as const;
      const word = { ...about, type: "session.progress" } as const;
      await log.appendEntry(word);
      await log.appendEntry({ ...word, time: 2 });
      const more = { code: "CLIENT_CLOSED", recording: null, connector: null };
      const end = { ...about, ...more, type: "session.end" } as const;
      expect(await log.appendEntry(end)).toEqual({ ok: true, index: 2 });
      expect(await log.appendEntry({ ...word, time: 3 })).toMatchObject({ code: "ENTRY_EXISTS" });
      // The same end again is the same entry.
      expect(await log.appendEntry(end)).toEqual({ ok: true, index: 2 });
      const proven = await log.proof(2);
      expect(JSON.parse(new TextDecoder().decode(proven.ok ? proven.entry : undefined)).words).toBe(2);
    }));

  test("what is no entry is refused; a session starts and ends once", () =>
    withStorage(async (start) => {
      const log = start(new MemoryBucket());
      expect(await log.append(utf8("{}"))).toMatchObject({ ok: false, code: "ENTRY_MALFORMED" });
      const side = { entries: 0, root: "00".repeat(32) };
      const end: LogEntry = {
        v: 1,
        type: "session.end",
        time: 1,
        session: "s_2",
        code: "CLIENT_CLOSED",
        roots: { frontend: side, backend: side },
        recording: null,
        connector: null,
      };
      expect(await log.appendEntry(end)).toEqual({ ok: true, index: 0 });
      expect(await log.appendEntry(end)).toEqual({ ok: true, index: 0 });
      expect(await log.appendEntry({ ...end, code: "KILLED" })).toMatchObject({ code: "ENTRY_EXISTS" });
      expect((await log.proofsOf("s_2")).map((one) => one.ok && one.index)).toEqual([0]);
      expect(await log.proof(1)).toMatchObject({ ok: false, code: "ENTRY_UNKNOWN" });
      expect(await log.proof(-1)).toMatchObject({ ok: false, code: "ENTRY_UNKNOWN" });
    }));
});

describe("R3 after a reset", () => {
  test("at any request to R2, no number changes, nothing is lost and every checkpoint is consistent", async () => {
    for (let failAt = 0; failAt < 24; failAt++) {
      await withStorage(async (start) => {
        const bucket = new MemoryBucket();
        const acknowledged = new Map<number, number>();
        let log = start(bucket);
        await Promise.all(
          Array.from({ length: 250 }, async (_, n) => acknowledged.set(await append(log, n), n)),
        );
        bucket.failAfter = failAt;
        for (let n = 250; n < 262; n += 3) {
          const results = await Promise.all([n, n + 1, n + 2].map((m) => log.append(entryBytes(m))));
          results.forEach((result, i) => {
            if (result.ok) acknowledged.set(result.index, n + i);
            else expect(result.code).toBe("LOG_UNAVAILABLE");
          });
        }
        bucket.failAfter = null;
        log = start(bucket);
        await log.alarm();
        await expectWhole(log, bucket, 262);
        for (const [index, n] of acknowledged) {
          if (index < 245) continue;
          const proven = await log.proof(index);
          expect(proven.ok && equalBytes(proven.entry, entryBytes(n)), `entry ${index}`).toBe(true);
        }
      });
    }
  });

  test("with its own storage lost, it goes on from the files in R2", () =>
    withStorage(async (first) => {
      const bucket = new MemoryBucket();
      const log = first(bucket);
      for (let n = 0; n < 5; n++) await append(log, n);
      await Promise.all(Array.from({ length: 520 }, (_, n) => append(log, 5 + n)));
      await withStorage(async (second) => {
        const again = second(bucket);
        await expectWhole(again, bucket, 525);
        expect(await append(again, 999)).toBe(525);
        await expectWhole(again, bucket, 526);
      });
    }));

  test("of a full last bundle, too", () =>
    withStorage(async (first) => {
      const bucket = new MemoryBucket();
      const log = first(bucket);
      await Promise.all(Array.from({ length: 512 }, (_, n) => append(log, n)));
      await withStorage(async (second) => {
        const again = second(bucket);
        expect(await append(again, 999)).toBe(512);
        await expectWhole(again, bucket, 513);
      });
    }));
});

describe("R2 it signs nothing that contradicts what it signed", () => {
  test("storage rolled back behind the object store freezes the log", async () => {
    const bucket = new MemoryBucket();
    await withStorage(async (start) => {
      await append(start(bucket), 0);
    }, "rolled-back");
    await withStorage(async (start) => {
      const log = start(bucket);
      await append(log, 1);
      await append(log, 2);
    });
    await withStorage(async (start) => {
      expect(await start(bucket).append(entryBytes(3))).toMatchObject({ ok: false, code: "LOG_FROZEN" });
      const stays = start(bucket);
      expect(await stays.append(entryBytes(3))).toMatchObject({ ok: false, code: "LOG_FROZEN" });
      expect(await stays.frozen()).toContain("beyond");
    }, "rolled-back");
  });

  test("a file with other bytes freezes it", () =>
    withStorage(async (start) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      await append(log, 0);
      bucket.objects.set("log/tile/0/000.p/2", new Uint8Array(64));
      expect(await log.append(entryBytes(1))).toMatchObject({ ok: false, code: "LOG_FROZEN" });
      expect(parseCheckpoint(`${(await log.checkpoint())!.split("\n\n")[0]}\n`)?.size).toBe(1);
    }));

  test("lost storage and changed files freeze it", () =>
    withStorage(async (first) => {
      const bucket = new MemoryBucket();
      const log = first(bucket);
      for (let n = 0; n < 3; n++) await append(log, n);
      for (const [key, bytes] of bucket.objects) {
        if (key.includes("checkpoint/") && !key.endsWith("3")) continue;
        if (key.includes(".p/") && !key.endsWith(".p/3")) continue;
        const changed = bytes.slice();
        changed[changed.length - 40]! ^= 1;
        bucket.objects.set(key, changed);
        await withStorage(async (second) => {
          expect(await second(bucket).append(entryBytes(9)), key).toMatchObject({ code: "LOG_FROZEN" });
        });
        bucket.objects.set(key, bytes);
      }
      await withStorage(async (second) => {
        const other = {
          ...SIGNING_KEY,
          d: "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
          x: "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
        };
        const stranger = second(bucket, { LOG_KEY: other });
        expect(await stranger.append(entryBytes(9))).toMatchObject({ code: "LOG_FROZEN" });
      });
    }));

  test("R1 without R2 an entry is refused, and kept for later", () =>
    withStorage(async (start) => {
      const bucket = new MemoryBucket();
      const log = start(bucket);
      await append(log, 0);
      bucket.failAfter = 0;
      expect(await log.append(entryBytes(1))).toMatchObject({ ok: false, code: "LOG_UNAVAILABLE" });
      await log.alarm();
      bucket.failAfter = null;
      await log.alarm();
      await expectWhole(log, bucket, 2);
      expect(hashLeaf(entryBytes(1)).length).toBe(32);
    }));
});

test("with the runtime's own bucket", () =>
  withStorage(async (start) => {
    const { RECORDINGS } = env as unknown as { RECORDINGS: R2Bucket };
    const log = start(new MemoryBucket(), { RECORDINGS });
    expect(await append(log, 1)).toBe(0);
    expect(await append(log, 2)).toBe(1);
    const proven = await log.proof(1);
    if (!proven.ok) throw new Error(proven.message);
    const key = parseVerifierKey(await log.verifierKey())!;
    const checked = await checkProof(parseProof(utf8(proven.proof))!, proven.entry, key);
    expect(checked.ok).toBe(true);
    expect(await r2LogStore(RECORDINGS).newestCheckpoint(0)).toMatchObject({ size: 2 });
  }));
