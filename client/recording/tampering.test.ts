import { beforeAll, describe, expect, test } from "vitest";
import { utf8 } from "../../wire/log/bytes.ts";
import { NOTE_COSIGNATURE } from "../../wire/log/note.ts";
import { connectorKeyName } from "../../wire/log/statement.ts";
import { logFile, segmentFile } from "./bundle.ts";
import {
  bundleOf,
  changedFrom,
  type Files,
  failed,
  flip,
  type keysOf,
  newParties,
  newSigner,
  of,
  type Parties,
  record,
  taskBody,
  verifyWith,
} from "./test-bundle.ts";

let parties: Parties;
let genuine: Files;
let other: Files;
const verify = (files: Files, keys?: ReturnType<typeof keysOf>) => verifyWith(files, parties, keys);
const changed = (change: (files: Files) => void) => changedFrom(genuine, change);
const segments = [0, 1, 2, 3, 4, 5].map(segmentFile);

beforeAll(async () => {
  parties = await newParties();
  genuine = await bundleOf("s_1", "", parties);
  other = await bundleOf("s_2", "2", parties);
});

describe("R2 tampering is named", () => {
  test("flip: any bit of any segment, and the segment is named", async () => {
    for (const [sequence, name] of segments.entries()) {
      const length = genuine.get(name)!.length;
      for (let at = 0; at < length; at += 7) {
        const report = await verify(changed((files) => flip(files, name, at)));
        expect(report.ok, `${name} byte ${at}`).toBe(false);
        const detail = of(report, "segments").detail;
        // The last segment's header times are in no root; its digest is what the log and the connector hold.
        if (of(report, "segments").verdict === "FAIL")
          expect(detail).toMatch(new RegExp(`segment ${sequence}|segment ${sequence + 1}`));
        else expect(failed(report)).toContain("session end");
      }
    }
  });

  test("flip: any byte of an entry, a proof or the task", async () => {
    for (const name of [...genuine.keys()].filter((file) => /^log\/|task/.test(file))) {
      const length = genuine.get(name)!.length;
      for (let at = 0; at < length; at += 5) {
        const report = await verify(changed((files) => flip(files, name, at)));
        expect(report.ok, `${name} byte ${at}`).toBe(false);
      }
    }
  });

  test("delete: each segment, a range of them, the end of the recording", async () => {
    for (const [sequence, name] of segments.entries()) {
      const report = await verify(changed((files) => void files.delete(name)));
      expect(report.ok).toBe(false);
      const where = sequence === 5 ? "stops after segment 4" : `segment ${sequence} missing`;
      expect(of(report, "segments").detail).toContain(where);
    }
    const hole = await verify(
      changed((files) => [1, 2, 4].forEach((n) => void files.delete(segmentFile(n)))),
    );
    expect(of(hole, "segments").detail).toBe(
      [
        "segment 1\u20132 missing [to the database 2\u20135, from it 2\u20135, 2026-09-21T14:13:20.003Z to 2026-09-21T14:13:23.000Z]",
        "segment 4 missing [to the database 8\u20139, from it 8\u20139, 2026-09-21T14:13:23.003Z to 2026-09-21T14:13:25.000Z]",
      ].join("; "),
    );
    const cut = await verify(changed((files) => [3, 4, 5].forEach((n) => void files.delete(segmentFile(n)))));
    expect(of(cut, "segments").detail).toContain("stops after segment 2");
    expect(of(cut, "session end").detail).toBe(
      "the log says 6 segments, the bundle has 3: segment 3\u20135 missing [to the database 6\u201311, from it 6\u201311]",
    );
    expect((await verify(changed((files) => segments.forEach((name) => void files.delete(name))))).ok).toBe(
      false,
    );
  });

  test("truncate: a segment cut anywhere", async () => {
    const name = segmentFile(3);
    const bytes = genuine.get(name)!;
    for (let length = 0; length < bytes.length; length += 11) {
      const report = await verify(changed((files) => void files.set(name, bytes.slice(0, length))));
      expect(of(report, "segments").detail).toMatch(/segment 3/);
    }
  });

  test("truncate honestly: a recording re-closed after fewer segments", async () => {
    const shorter = record("s_1", 3);
    const report = await verify(
      changed((files) => {
        segments.forEach((name) => void files.delete(name));
        for (const segment of shorter.sealed) files.set(segmentFile(segment.sequence), segment.bytes);
      }),
    );
    expect(of(report, "segments").verdict).toBe("PASS");
    expect(failed(report)).toEqual(["session end", "edge's root", "connector's statement"]);
  });

  test("reorder: two segments swapped", async () => {
    const report = await verify(
      changed((files) => {
        files.set(segmentFile(2), genuine.get(segmentFile(3))!);
        files.set(segmentFile(3), genuine.get(segmentFile(2))!);
      }),
    );
    expect(of(report, "segments").detail).toMatch(/segment 2: found 3 instead/);
  });

  test("splice: a segment of another session in its place, or one more at the end", async () => {
    const spliced = await verify(
      changed((files) => void files.set(segmentFile(2), other.get(segmentFile(2))!)),
    );
    expect(of(spliced, "segments").detail).toContain("segment 2: is of another session");
    const more = await verify(changed((files) => void files.set(segmentFile(6), other.get(segmentFile(3))!)));
    expect(of(more, "segments").detail).toContain("segment 6: comes after the final one");
  });

  test("rewrite: a recording made anew with other statements", async () => {
    const forged = record("s_1", 6, ',"x":1');
    const report = await verify(
      changed((files) => {
        for (const segment of forged.sealed) files.set(segmentFile(segment.sequence), segment.bytes);
      }),
    );
    expect(failed(report)).toEqual(["session end", "edge's root", "connector's statement"]);
    expect(of(report, "edge's root").detail).toContain("other messages to the database");
  });

  test("swap whole sessions: segments of one with the log of another", async () => {
    const report = await verify(
      changed((files) => {
        for (const name of segments) files.set(name, other.get(name)!);
      }),
    );
    expect(of(report, "segments").detail).toContain("another session");
    expect(report.ok).toBe(false);
    const mixed = await verify(
      changed((files) => {
        files.delete(logFile(5, "entry"));
        files.delete(logFile(5, "tlog-proof"));
        files.set(logFile(5, "entry"), other.get(logFile(5, "entry"))!);
        files.set(logFile(5, "tlog-proof"), other.get(logFile(5, "tlog-proof"))!);
      }),
    );
    expect(of(mixed, "session end").detail).toContain("another session");
  });

  test("forge the log: another key of the same name, or a checkpoint of another tree", async () => {
    const forger: Parties = { ...parties, log: await newSigner("edge.example/log") };
    const forged = await bundleOf("s_1", "", forger);
    const report = await verify(forged);
    expect(failed(report)).toContain("checkpoint signature");
    const connector = await newSigner(connectorKeyName("demo"));
    const replaced = await bundleOf("s_1", "", { ...parties, connector });
    expect(failed(await verify(replaced))).toEqual(["connector's statement"]);
  });

  test("roll back the log: without the end, or to a tree that the witness has not seen", async () => {
    const report = await verify(
      changed((files) => {
        files.delete(logFile(5, "entry"));
        files.delete(logFile(5, "tlog-proof"));
      }),
    );
    expect(failed(report)).toEqual(["session end", "edge's root", "connector's statement"]);
    const stranger: Parties = {
      ...parties,
      witness: await newSigner("witness.example/w1", NOTE_COSIGNATURE),
    };
    const unseen = await bundleOf("s_1", "", stranger);
    expect(failed(await verify(unseen))).toEqual(["witness cosignature"]);
  });

  test("a file that belongs nowhere, and a task that was not run", async () => {
    const report = await verify(changed((files) => void files.set("segments/../x", utf8("x"))));
    expect(failed(report)).toEqual(["bundle"]);
    const swapped = await verify(
      changed((files) => void files.set("task.json", utf8(JSON.stringify({ ...taskBody, rules: [1] })))),
    );
    expect(failed(swapped)).toEqual(["task digest"]);
  });
});
