/**
 * R2 forgers with some of the keys: what each of them tries, and what then fails. What nobody can tell from a forgery is
 * here too, so that docs/recordings.md says no more than holds.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { digestOf, elide, readSegment, SegmentWriter } from "../../wire/recording.ts";
import { INLINE } from "../../wire/recording-roots.ts";
import { logFile, segmentFile } from "./bundle.ts";
import {
  bundleOf,
  changedFrom,
  type Files,
  failed,
  keysOf,
  newParties,
  of,
  type Parties,
  record,
  verifyWith,
} from "./test-bundle.ts";

let parties: Parties;
/** As a real edge has it: the end of the session and the stored recording are two entries. */
let genuine: Files;
const apart = { recording: null, connector: null };
const withoutWitness = () => keysOf(parties.log, parties.connector);
const verify = (files: Files, keys?: ReturnType<typeof keysOf>) => verifyWith(files, parties, keys);
const without = (files: Files, ...indexes: number[]) =>
  changedFrom(files, (changed) => {
    for (const index of indexes)
      for (const kind of ["entry", "tlog-proof"] as const) changed.delete(logFile(index, kind));
  });
/** The roots after a segment. */
const rootsAfter = (sequence: number) => {
  const { frontend, backend } = record("s_1", 6).sealed[sequence]!.header;
  return {
    frontend: { entries: frontend.next, root: frontend.root },
    backend: { entries: backend.next, root: backend.root },
  };
};

beforeAll(async () => {
  parties = await newParties();
  genuine = await bundleOf("s_1", "", parties, apart, null, { complete: true });
});

test("the genuine recording passes", async () => {
  const report = await verify(genuine);
  expect(failed(report), JSON.stringify(report.checks)).toEqual([]);
  expect(report.complete).toBe(true);
});

describe("R2 the owner of the bucket and the database, without a key", () => {
  test("leaves out the log's entry of what was stored", async () => {
    const report = await verify(without(genuine, 6));
    expect(failed(report)).toEqual(["session end", "connector's statement"]);
    expect(of(report, "session end").detail).toContain("the log does not say which recording was stored");
  });

  test("leaves out the edge's words of the running session", async () => {
    const files = await bundleOf("s_1", "", parties, { ...apart, words: 1 }, rootsAfter(2), {
      complete: true,
    });
    expect(failed(await verify(files))).toEqual([]);
    const report = await verify(without(files, 4));
    expect(failed(report)).toEqual(["session progress"]);
    expect(of(report, "session progress").detail).toContain("some were left out");
  });

  test("puts hashes in the place of large results, with the chain made anew: the roots stay, the digests do not", async () => {
    const writer = new SegmentWriter("s_1");
    const large = await bundleOf("s_1", "", parties, apart, null, {
      complete: true,
      record: { large: true },
    });
    expect(failed(await verify(large))).toEqual([]);
    const forged = changedFrom(large, (files) => {
      for (let n = 0; n < 6; n++) {
        const read = readSegment(files.get(segmentFile(n))!);
        if (!read.ok) throw new Error(read.message);
        for (const { kind, at, bytes } of read.entries)
          writer.add(
            kind === "backend" && bytes.length > INLINE
              ? { kind: "elided", at, bytes: elide("backend", bytes) }
              : { kind, at, bytes },
          );
        files.set(segmentFile(n), writer.seal(read.header.to, read.header.final).bytes);
      }
    });
    const report = await verify(forged);
    expect(of(report, "edge's root").verdict).toBe("PASS");
    expect(failed(report)).toEqual(["session end", "recording level", "connector's statement"]);
  });
});

describe("R2 the owner of the edge's key, without the connector's", () => {
  test("shows a genuine recording as one of another task, or on another resource", async () => {
    const [task, resource] = [{ name: "harmless", digest: "ab".repeat(32) }, "other-db"];
    for (const facts of [{ task }, { resource }, { task: { ...task, name: "refund-investigation" } }]) {
      const files = await bundleOf("s_1", "", parties, apart, null, { complete: true, facts });
      files.delete("task.json");
      const report = await verify(files);
      expect(failed(report)).toEqual(["connector's statement"]);
      expect(of(report, "connector's statement").detail).toMatch(
        /the connector opened task .*, the log says/,
      );
    }
  });

  test("shows it as another person's: only the witness's cosignature tells", async () => {
    const facts = { actor: { issuer: "https://idp.example", subject: "lee" } };
    const files = await bundleOf("s_1", "", parties, apart, null, {
      ...{ complete: true, facts, uncosigned: [2, 5, 6] },
    });
    expect(failed(await verify(files, withoutWitness()))).toEqual([]);
    expect(failed(await verify(files))).toEqual(["witness cosignature"]);
  });

  test("puts one entry into a log that the witness has not seen", async () => {
    for (const index of [2, 5, 6]) {
      const files = await bundleOf("s_1", "", parties, apart, null, { complete: true, uncosigned: [index] });
      const report = await verify(files);
      expect(failed(report)).toEqual(["witness cosignature"]);
      expect(of(report, "witness cosignature").detail).toContain(`entry ${index}`);
    }
  });

  test("names two recordings, or claims that it was reset: the first fails, the second is not called complete", async () => {
    const { sealed } = record("s_1", 3);
    const other = { segments: 3, last: digestOf(sealed.at(-1)!.bytes) };
    const two = await verify(await bundleOf("s_1", "", parties, {}, null, { complete: other }));
    expect(of(two, "session end").detail).toContain("two recordings");
    const reset = { ...apart, roots: null, code: "EDGE_RESTARTED" };
    const report = await verify(await bundleOf("s_1", "", parties, reset, null, { complete: true }));
    expect(report).toMatchObject({ ok: true, complete: false });
    expect(of(report, "edge's root").verdict).toBe("NOT CHECKED");
  });
});

describe("R2 the connector's host, without the edge's key", () => {
  test("makes up the log too, signed with the connector's key", async () => {
    const forged = await bundleOf(
      ...([
        "s_1",
        ',"x":1',
        { ...parties, log: parties.connector },
        apart,
        null,
        { complete: true },
      ] as const),
    );
    for (const keys of [withoutWitness(), keysOf(parties.connector)]) {
      const report = await verify(forged, keys);
      expect(report.session).toBeNull();
      expect(failed(report)).toContain("checkpoint signature");
    }
  });

  /** The recording of a session that ended well, closed earlier with the connector's signature under it. */
  const closedEarlier = async (segments: number, complete: boolean) => {
    const { roots } = record("s_1", 6);
    const answered = rootsAfter(2);
    const forged = await bundleOf("s_1", "", parties, { ...apart, roots, answered }, null, {
      ...{ count: segments, reason: "CONNECTOR_RESTARTED", complete: true },
    });
    if (!complete) return without(forged, 6);
    const honest = await bundleOf("s_1", "", parties, { ...apart, roots, answered }, null, {
      complete: true,
    });
    return changedFrom(forged, (files) => {
      for (const [name, bytes] of honest) if (name.startsWith("log/")) files.set(name, bytes);
    });
  };

  test("closes a stored recording earlier, and signs that: the log has the one that was stored", async () => {
    for (const complete of [true, false])
      expect(failed(await verify(await closedEarlier(4, complete))), `${complete}`).toContain("session end");
  });

  test("what it leaves out while the session runs, nothing but a crash accounts for: a stated gap, never an answered statement", async () => {
    const { roots } = record("s_1", 6);
    const made = (segments: number) =>
      bundleOf("s_1", "", parties, { ...apart, roots, answered: rootsAfter(2) }, null, {
        ...{ count: segments, reason: "CONNECTOR_RESTARTED", complete: true },
      });
    const gap = await verify(await made(3));
    expect(gap).toMatchObject({ ok: true, complete: false });
    expect(of(gap, "completeness").verdict).toBe("GAP STATED");
    expect(failed(await verify(await made(2)))).toEqual(["edge's root"]);
  });

  test("leaves out large results that the task records: their hashes have the right roots, and are named", async () => {
    const leaveOut = { complete: true, record: { leaveOut: true } } as const;
    const report = await verify(await bundleOf("s_1", "", parties, apart, null, leaveOut));
    expect(failed(report)).toEqual(["recording level"]);
    expect(of(report, "recording level").detail).toContain("6 messages from the database are left out");
    const bySpec = await bundleOf("s_1", "", parties, apart, null, {
      ...leaveOut,
      start: { level: "statements" },
    });
    expect(failed(await verify(bySpec))).toEqual([]);
  });

  test("changes a statement or a row, and signs it anew", async () => {
    const honest = record("s_1", 6);
    const forged = await bundleOf("s_1", ',"x":1', parties, { ...apart, roots: honest.roots }, null, {
      complete: true,
    });
    expect(failed(await verify(forged))).toEqual(["edge's root"]);
  });
});
