import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../policies/canonical.ts";
import { utf8 } from "../../wire/log/bytes.ts";
import { signCheckpoint } from "../../wire/log/checkpoint.ts";
import { encodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { hashChildren, hashLeaf, inclusionRanges, type Node, proofFrom } from "../../wire/log/merkle.ts";
import {
  formatSignatureLine,
  formatVerifierKey,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteSigner,
  noteSigner,
  parseNote,
  signNote,
} from "../../wire/log/note.ts";
import { formatProof } from "../../wire/log/proof.ts";
import { connectorKeyName, signStatement } from "../../wire/log/statement.ts";
import { TreeEdge } from "../../wire/log/tile.ts";
import { elide, type SealedSegment, SegmentWriter } from "../../wire/recording.ts";
import { type BundleFiles, logFile, openBundle, openBundleFile, segmentFile } from "./bundle.ts";
import { trustedKeys } from "./proven-entries.ts";
import { type Check, type Report, verifyRecording } from "./verify.ts";
import { ZipError, ZipReader, ZipWriter } from "./zip.ts";

type Files = Map<string, Uint8Array>;

async function newSigner(name: string, type: typeof NOTE_ED25519 | typeof NOTE_COSIGNATURE = NOTE_ED25519) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  return noteSigner(name, type, publicKey, pair.privateKey)!;
}

const taskBody = { name: "refund-investigation", version: 1, rules: [] };
const task = { name: taskBody.name, digest: digestOf(taskBody) };

/** A recording of `count` segments, each with a statement and two result frames. */
function record(session: string, count: number, salt = "") {
  const writer = new SegmentWriter(session);
  const sealed: SealedSegment[] = [];
  for (let n = 0; n < count; n++) {
    const at = 1_790_000_000_000 + n * 1000;
    writer.add({ kind: "event", at, bytes: utf8(`{"t":"statement","n":${n}${salt}}`) });
    writer.add({ kind: "frontend", at, bytes: utf8(`Q select ${n}`) });
    writer.add({ kind: "backend", at: at + 1, bytes: utf8(`D row ${n}`) });
    writer.add({ kind: "elided", at: at + 2, bytes: elide("backend", utf8(`C ${n}`)) });
    writer.add({ kind: "note", at: at + 3, bytes: utf8('{"note":"x"}') });
    sealed.push(writer.seal(at + 3, n === count - 1 ? { reason: "CLIENT_CLOSED" } : undefined));
  }
  const { frontend, backend } = writer.roots;
  const roots = {
    frontend: { entries: frontend.count, root: frontend.root },
    backend: { entries: backend.count, root: backend.root },
  };
  return { session, sealed, roots };
}

interface Parties {
  readonly log: NoteSigner;
  readonly connector: NoteSigner;
  readonly witness: NoteSigner;
}
let parties: Parties;
let genuine: Files;
let other: Files;

/** The bundle's files of a session as an honest edge exports them, out of a log with other sessions around. */
async function bundleOf(
  session: string,
  salt: string,
  by: Parties,
  ending: Partial<Extract<LogEntry, { type: "session.end" }>> = {},
  progress: Extract<LogEntry, { type: "session.progress" }>["roots"] | null = null,
): Promise<Files> {
  const recording = record(session, 6, salt);
  const last = recording.sealed.at(-1)!;
  const statement = await signStatement(
    { session, roots: recording.roots, segments: recording.sealed.length, last: last.digest },
    by.connector,
  );
  const start: LogEntry = {
    v: 1,
    type: "session.start",
    time: 1_790_000_000_000,
    session,
    actor: { issuer: "https://idp.example", subject: "tina" },
    task,
    policies: "ab".repeat(32),
    resource: "orders-db",
    connector: { name: "demo", key: formatVerifierKey(by.connector) },
    grant: "g_1",
    params: {},
    reason: "INC-7",
    approvals: [],
    recording: { level: "full", durability: "batched", onFailure: "terminate" },
  };
  const end: LogEntry = {
    v: 1,
    type: "session.end",
    time: 1_790_000_009_000,
    session,
    code: "CLIENT_CLOSED",
    roots: recording.roots,
    recording: { segments: recording.sealed.length, last: last.digest },
    connector: statement,
    ...ending,
  };
  const filler = (n: number): LogEntry => ({
    v: 1,
    type: "recording.read",
    time: n,
    session: "s_other",
    actor: { issuer: "i", subject: "s" },
  });
  const word: LogEntry = progress
    ? { v: 1, type: "session.progress", time: 1_790_000_005_000, session, roots: progress }
    : filler(4);
  const entries = [filler(0), filler(1), start, filler(3), word, end, filler(6)].map((e) => encodeEntry(e)!);
  const files: Files = new Map([
    ["manifest.json", utf8("{}")],
    ["README.txt", utf8("read me")],
    ["task.json", utf8(JSON.stringify({ ...taskBody, digest: task.digest }))],
  ]);
  for (const segment of recording.sealed) files.set(segmentFile(segment.sequence), segment.bytes);
  for (const [index, proof] of await prove(entries, progress ? [2, 4, 5] : [2, 5], by)) {
    files.set(logFile(index, "entry"), entries[index]!);
    files.set(logFile(index, "tlog-proof"), proof);
  }
  return files;
}

async function prove(entries: Uint8Array[], which: number[], by: Parties): Promise<[number, Uint8Array][]> {
  const edge = new TreeEdge();
  const leaves = entries.map(hashLeaf);
  for (const leaf of leaves) edge.append(leaf);
  const hashOf = ({ level, index }: Node): Uint8Array =>
    level === 0
      ? leaves[index]!
      : hashChildren(
          hashOf({ level: level - 1, index: 2 * index }),
          hashOf({ level: level - 1, index: 2 * index + 1 }),
        );
  const head = { origin: by.log.name, size: entries.length, root: edge.root(), extensions: [] };
  const bare = (await signCheckpoint(head, by.log))!;
  const cosignature = await signNote(parseNote(bare)!.text, by.witness, 1_790_000_010);
  const checkpoint = new Uint8Array([...bare, ...utf8(formatSignatureLine(cosignature))]);
  return which.map((index) => {
    const hashes = proofFrom(inclusionRanges(index, entries.length)!, hashOf);
    return [index, formatProof({ index, hashes, checkpoint, extra: null })];
  });
}

const asFiles = (files: Files): BundleFiles => ({
  names: [...files.keys()],
  read: (name, limit) => {
    const bytes = files.get(name);
    if (bytes && bytes.length > limit) throw new ZipError(`${name} is too large`);
    return bytes ?? null;
  },
});

const keysOf = (...signers: NoteSigner[]) => {
  const read = trustedKeys(signers.map(formatVerifierKey));
  if (!read.ok) throw new Error(read.bad);
  return read.keys;
};
const verify = (files: Files, keys = keysOf(parties.log, parties.connector, parties.witness)) =>
  verifyRecording(openBundle(asFiles(files)), keys);
const failed = (report: Report) =>
  report.checks.filter((one) => one.verdict === "FAIL").map((one) => one.property);
const of = (report: Report, property: Check["property"]) =>
  report.checks.find((one) => one.property === property)!;
const changed = (change: (files: Files) => void) => {
  const files: Files = new Map([...genuine].map(([name, bytes]) => [name, bytes.slice()]));
  change(files);
  return files;
};
/** Flips one bit of one byte of a file. */
const flip = (files: Files, name: string, at: number) => {
  const bytes = files.get(name)!;
  bytes[at] = bytes[at]! ^ (1 << (at % 8));
};
const segments = [0, 1, 2, 3, 4, 5].map(segmentFile);

beforeAll(async () => {
  parties = {
    log: await newSigner("edge.example/log"),
    connector: await newSigner(connectorKeyName("demo")),
    witness: await newSigner("witness.example/w1", NOTE_COSIGNATURE),
  };
  genuine = await bundleOf("s_1", "", parties);
  other = await bundleOf("s_2", "2", parties);
});

describe("a genuine recording", () => {
  test("passes in every property", async () => {
    const report = await verify(genuine);
    expect(report.checks.map((one) => [one.property, one.verdict])).toEqual([
      ["bundle", "PASS"],
      ["segments", "PASS"],
      ["checkpoint signature", "PASS"],
      ["inclusion in the log", "PASS"],
      ["session start", "PASS"],
      ["session end", "PASS"],
      ["edge's root", "PASS"],
      ["connector's statement", "PASS"],
      ["witness cosignature", "PASS"],
      ["task digest", "PASS"],
    ]);
    expect(report).toMatchObject({ ok: true, session: "s_1" });
  });

  test("without a witness's key says so and passes", async () => {
    const report = await verify(genuine, keysOf(parties.log, parties.connector));
    expect(report.ok).toBe(true);
    expect(of(report, "witness cosignature").verdict).toBe("NOT CHECKED");
  });

  test("without the log's or the connector's key does not pass", async () => {
    expect(failed(await verify(genuine, keysOf(parties.connector)))).toContain("checkpoint signature");
    expect(failed(await verify(genuine, keysOf(parties.log)))).toEqual(["connector's statement"]);
    expect((await verify(genuine, keysOf())).ok).toBe(false);
    const stranger = await newSigner("witness.example/w2", NOTE_COSIGNATURE);
    const report = await verify(genuine, keysOf(parties.log, parties.connector, stranger));
    expect(failed(report)).toEqual(["witness cosignature"]);
  });
});

describe("R3 an honest recording that broke off", () => {
  const withEnd = (change: Partial<Extract<LogEntry, { type: "session.end" }>>) =>
    bundleOf("s_1", "", parties, change);

  test("messages that did not reach the edge any more are no fault; the beginning has to be the same", async () => {
    const { sealed } = record("s_1", 6);
    const header = sealed[4]!.header;
    const roots = {
      frontend: record("s_1", 6).roots.frontend,
      backend: { entries: header.backend.next, root: header.backend.root },
    };
    const report = await verify(await withEnd({ roots }));
    expect(of(report, "edge's root")).toMatchObject({ verdict: "PASS" });
    expect(of(report, "edge's root").detail).toContain("but for the last 2 from the database");
    const forged = { ...roots, backend: { ...roots.backend, root: "00".repeat(32) } };
    expect(failed(await verify(await withEnd({ roots: forged })))).toEqual(["edge's root"]);
  });

  test("messages that the edge sent and nobody recorded are named", async () => {
    const { frontend, backend } = record("s_1", 6).roots;
    const report = await verify(
      await withEnd({ roots: { frontend: { ...frontend, entries: 15 }, backend } }),
    );
    expect(failed(report)).toEqual(["edge's root"]);
    expect(of(report, "edge's root").detail).toContain("the last 3 messages that the edge sent");
  });

  test("what the edge said before it restarted still holds its beginning", async () => {
    const { frontend, backend } = record("s_1", 6).sealed[2]!.header;
    const roots = {
      frontend: { entries: frontend.next, root: frontend.root },
      backend: { entries: backend.next, root: backend.root },
    };
    const restarted = { roots: null, code: "EDGE_RESTARTED" };
    const report = await verify(await bundleOf("s_1", "", parties, restarted, roots));
    expect(report.ok, JSON.stringify(report.checks)).toBe(true);
    expect(of(report, "session progress")).toMatchObject({ verdict: "PASS" });
    const forged = { ...roots, backend: { ...roots.backend, root: "00".repeat(32) } };
    const refused = await verify(await bundleOf("s_1", "", parties, restarted, forged));
    expect(failed(refused)).toEqual(["session progress"]);
    expect(of(refused, "session progress").detail).toMatch(
      /entry 4 of the log: the first \d+ messages from the/,
    );
  });

  test("after a restart of the edge only the connector vouches, and the report says so", async () => {
    const report = await verify(await withEnd({ roots: null, code: "EDGE_RESTARTED" }));
    expect(report.ok).toBe(true);
    expect(of(report, "edge's root").verdict).toBe("NOT CHECKED");
  });
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
    expect(of(hole, "segments").detail).toContain("segment 1\u20132, 4 missing");
    const cut = await verify(changed((files) => [3, 4, 5].forEach((n) => void files.delete(segmentFile(n)))));
    expect(of(cut, "segments").detail).toContain("stops after segment 2");
    expect(of(cut, "session end").detail).toContain("6 segments");
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

describe("R7 the zip file", () => {
  const folder = mkdtempSync(join(tmpdir(), "wicket-zip-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  const write = (files: Files) => {
    const path = join(folder, `${count++}.zip`);
    const zip = new ZipWriter(path);
    for (const [name, bytes] of files) zip.add(name, bytes);
    zip.finish();
    return path;
  };

  test("reads as written, and verifies", async () => {
    const path = write(genuine);
    const { bundle, close } = openBundleFile(path);
    const report = await verifyRecording(bundle, keysOf(parties.log, parties.connector, parties.witness));
    close();
    expect(report.ok).toBe(true);
    expect(() => new ZipWriter(path)).toThrow(/EEXIST/);
  });

  test("cut at every byte it is refused; with any byte changed it is refused or fails", async () => {
    const small: Files = new Map([
      ["a", utf8("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
      ["b/c", utf8("x")],
    ]);
    const bytes = readFileSync(write(small));
    const path = join(folder, "changed.zip");
    const readAll = () => {
      const zip = new ZipReader(path);
      try {
        return new Map(zip.names.map((name) => [name, Uint8Array.from(zip.read(name, 100)!)]));
      } finally {
        zip.close();
      }
    };
    for (let cut = 0; cut < bytes.length; cut++) {
      writeFileSync(path, bytes.subarray(0, cut));
      expect(readAll, `cut at ${cut}`).toThrow(ZipError);
    }
    let same = 0;
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes);
      bad[at]! ^= 1 << (at % 8);
      writeFileSync(path, bad);
      try {
        const files = readAll();
        expect([...files.values()], `byte ${at}`).toEqual([...small.values()]);
        same += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(ZipError);
      }
    }
    // Fields without meaning for the content: who made it, attributes, comment, the disk's numbers.
    expect(same).toBeLessThan(40);
    writeFileSync(path, Buffer.concat([bytes, Buffer.from("x")]));
    expect(readAll).toThrow(ZipError);
    writeFileSync(path, Buffer.concat([Buffer.from("x"), bytes]));
    expect(readAll).toThrow(ZipError);
  });

  test("a file that claims little and inflates to much is refused", () => {
    const path = write(new Map([["bomb", new Uint8Array(50_000_000)]]));
    const zip = new ZipReader(path);
    expect(() => zip.read("bomb", 1000)).toThrow(/larger than 1000/);
    zip.close();
    const bytes = readFileSync(path);
    // The claimed size, in the local header and in the directory.
    bytes.writeUInt32LE(900, 22);
    bytes.writeUInt32LE(900, bytes.indexOf(Buffer.from("504b0102", "hex")) + 24);
    writeFileSync(path, bytes);
    const lying = new ZipReader(path);
    expect(() => lying.read("bomb", 1000)).toThrow(ZipError);
    lying.close();
  });

  test("the same name twice is refused", () => {
    const path = join(folder, "twice.zip");
    const zip = new ZipWriter(path);
    zip.add("a", utf8("1"));
    zip.add("a", utf8("2"));
    zip.finish();
    expect(() => new ZipReader(path)).toThrow(/twice/);
  });
});
