/** R7 bundles that are made to harm who verifies them, or to make the verifier believe. None passes, none runs away. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { utf8 } from "../../wire/log/bytes.ts";
import { formatVerifierKey, NOTE_COSIGNATURE, noteSigner } from "../../wire/log/note.ts";
import { connectorKeyName } from "../../wire/log/statement.ts";
import { readSegmentHeader, SEGMENT_MAGIC } from "../../wire/recording.ts";
import { logFile, segmentFile } from "./bundle.ts";
import { register } from "./commands.ts";
import {
  bundleOf,
  changedFrom,
  type Files,
  failed,
  keysOf,
  newParties,
  newSigner,
  of,
  type Parties,
  verifyWith,
} from "./test-bundle.ts";
import { ZipWriter } from "./zip.ts";

let parties: Parties;
let genuine: Files;
const folder = mkdtempSync(join(tmpdir(), "wicket-hostile-"));
let made = 0;

beforeAll(async () => {
  parties = await newParties();
  genuine = await bundleOf("s_1", "", parties);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const changed = (change: (files: Files) => void) => changedFrom(genuine, change);
const verify = (files: Files, keys?: ReturnType<typeof keysOf>) => verifyWith(files, parties, keys);

/** Writes the files into a zip file, as they are. */
function write(files: Iterable<[string, Uint8Array]>): string {
  const path = join(folder, `${made++}.zip`);
  const zip = new ZipWriter(path);
  for (const [name, bytes] of files) zip.add(name, bytes);
  zip.finish();
  return path;
}

/** `wicket recording verify` as it runs on the command line. */
async function wicket(path: string): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const program = new Command("wicket").exitOverride();
  register(program, { out: (text) => void out.push(text), err: (text) => void out.push(text) });
  const keys = [parties.log, parties.connector, parties.witness].flatMap((key) => [
    "--key",
    formatVerifierKey(key),
  ]);
  process.exitCode = 0;
  await program.parseAsync(["recording", "verify", path, ...keys], { from: "user" });
  const code = Number(process.exitCode);
  process.exitCode = 0;
  return { code, out: out.join("\n") };
}

describe("R7 the archive", () => {
  test("one that is as it should be passes", async () => {
    expect(await wicket(write(genuine))).toMatchObject({ code: 0 });
  });

  test.each([
    "../../../etc/cron.d/evil",
    "/etc/passwd",
    "segments/../../evil",
    "segments\\..\\evil",
    "C:\\evil",
    "segments/00000001.wgr/",
    "segments/1.wgr",
    "segments/99999999999.wgr",
    "log/../statement.note",
    "SEGMENTS/00000001.wgr",
  ])("a name like %s is named, and writes nothing", async (name) => {
    const before = readdirSync(folder).length;
    const path = write([...genuine, [name, utf8("evil")]]);
    const { code, out } = await wicket(path);
    expect(code).toBe(7);
    expect(out).toMatch(/FAIL +bundle +.*does not belong in a bundle/);
    expect(readdirSync(folder).length).toBe(before + 1);
  });

  test.each(["a\nFAIL", "\u001b[2Kx", "a b", "segments/\u202e1.wgr", ""])(
    "a name like %j is no bundle",
    async (name) => {
      const path = write(genuine);
      const bytes = readFileSync(path);
      const real = Buffer.from("README.txt");
      const evil = Buffer.alloc(real.length, "x");
      Buffer.from(name).copy(evil, 0, 0, real.length);
      if (name === "") evil.fill(0);
      for (let at = bytes.indexOf(real); at >= 0; at = bytes.indexOf(real, at + 1)) evil.copy(bytes, at);
      writeFileSync(path, bytes);
      const { code, out } = await wicket(path);
      expect(code).toBe(7);
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    },
  );

  test("the same name twice, a foreign method, and numbers that lead elsewhere are refused", async () => {
    expect(await wicket(write([...genuine, ["README.txt", utf8("again")]]))).toMatchObject({
      ...{ code: 7, out: expect.stringContaining("README.txt is twice") },
    });
    const path = write(genuine);
    const bytes = readFileSync(path);
    const directory = bytes.indexOf(Buffer.from("504b0102", "hex"));
    const broken: [at: number, value: number][] = [
      ...([
        [directory + 10, 12],
        [directory + 8, 1],
      ] as [number, number][]), // bzip2; encrypted
      ...([
        [directory + 42, 0xff],
        [directory + 24, 0xff],
      ] as [number, number][]), // elsewhere; another size
      ...([
        [bytes.length - 14, 0xff],
        [bytes.length - 12, 0xff],
      ] as [number, number][]), // more files, all disks
    ];
    for (const [at, value] of broken) {
      const bad = Buffer.from(bytes);
      bad[at] = value;
      writeFileSync(path, bad);
      expect((await wicket(path)).code, `byte ${at}`).toBe(7);
    }
  });

  test("files without end: 62,000 of them are named in a line and cost little", async () => {
    const many = function* (): Iterable<[string, Uint8Array]> {
      yield* genuine;
      for (let n = 6; n < 30_000; n++) {
        yield [`opened/${String(n).padStart(8, "0")}.wgr`, utf8("x")];
        yield [`log/${String(n).padStart(12, "0")}.tlog-proof`, utf8("x")];
      }
      for (let n = 100; n < 5_000; n += 2) yield [segmentFile(n), utf8("x")];
    };
    const path = write(many());
    const began = performance.now();
    const before = process.memoryUsage().rss;
    const { code, out } = await wicket(path);
    console.log(
      `a bundle of 62,000 files: ${Math.round(performance.now() - began)} ms, ${Math.round((process.memoryUsage().rss - before) / 1e6)} MB`,
    );
    expect(code).toBe(7);
    expect(out).toMatch(/and \d+ more/);
    expect(out.length).toBeLessThan(20_000);
  });

  test("proofs that unpack to gigabytes are stopped at a bound", async () => {
    const noise = new Uint8Array(250_000);
    const bombs = function* (): Iterable<[string, Uint8Array]> {
      for (const [name, bytes] of genuine) if (!name.startsWith("log/")) yield [name, bytes];
      for (let n = 0; n < 2_000; n++) {
        yield [logFile(n, "entry"), noise.subarray(0, 65_000)];
        yield [logFile(n, "tlog-proof"), noise];
      }
    };
    const { code, out } = await wicket(write(bombs()));
    expect(code).toBe(7);
    expect(out).toContain("bytes of entries and proofs");
  });
});

describe("R7 the segments", () => {
  /** A segment with a header of one's own making before these bytes. */
  function segment(header: object | string, body: Uint8Array): Uint8Array {
    const head = utf8(typeof header === "string" ? header : JSON.stringify(header));
    const bytes = new Uint8Array(8 + head.length + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, SEGMENT_MAGIC);
    view.setUint32(4, head.length);
    bytes.set(head, 8);
    bytes.set(body, 8 + head.length);
    return bytes;
  }
  const headerOf = () => {
    const read = readSegmentHeader(genuine.get(segmentFile(0))!);
    if (!read.ok) throw new Error(read.message);
    return read.header;
  };
  const withFirst = (bytes: Uint8Array) => verify(changed((files) => void files.set(segmentFile(0), bytes)));

  test("one that claims little and decompresses to much, or claims much, is malformed", async () => {
    const bomb = zstdCompressSync(Buffer.alloc(200_000_000));
    for (const size of [0, 1, 1000, 3_000_000]) {
      const report = await withFirst(segment({ ...headerOf(), encoding: "zstd", size }, bomb));
      expect(of(report, "segments").detail, `size ${size}`).toMatch(
        /segment 0: (its entries do not decompress|an entry is cut off)/,
      );
    }
    for (const size of [2 ** 31, Number.MAX_SAFE_INTEGER, -1, 1.5, "9", null]) {
      const report = await withFirst(segment({ ...headerOf(), encoding: "zstd", size }, bomb));
      expect(of(report, "segments").detail).toMatch(/segment 0: header is not valid/);
    }
    const deflated = deflateRawSync(Buffer.alloc(1000));
    expect(failed(await withFirst(segment({ ...headerOf(), encoding: "zstd" }, deflated)))).toContain(
      "segments",
    );
  });

  test.each<[string, object | string]>([
    ["invalid JSON", "{"],
    ["another type", "[]"],
    ["null", "null"],
    ["nested deeply", "[".repeat(8000)],
    ["its prototype", '{"__proto__":{"v":1}}'],
    ["invalid UTF-8", "\ud800"],
  ])("a header of %s is not valid", async (_name, header) => {
    const report = await withFirst(segment(header, new Uint8Array(10)));
    expect(of(report, "segments").detail).toMatch(/segment 0: header is (not valid|cut off)/);
    expect(report.ok).toBe(false);
  });

  test("huge counts and times that are no date are named, not believed", async () => {
    const header = headerOf();
    const huge = { ...header, count: Number.MAX_SAFE_INTEGER };
    expect((await withFirst(segment(huge, new Uint8Array(10)))).ok).toBe(false);
    const genuineBody = genuine.get(segmentFile(0))!.slice(-header.size);
    const late = { ...header, from: Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };
    expect((await withFirst(segment(late, genuineBody))).ok).toBe(false);
    const far = { ...header, frontend: { ...header.frontend, first: 2 ** 52, next: 2 ** 53 - 1 } };
    expect((await withFirst(segment(far, genuineBody))).ok).toBe(false);
  });
});

describe("R2 the log's part", () => {
  test("texts that are not UTF-8 or not of their form fail, each where it stands", async () => {
    const bad = [
      new Uint8Array([0xff, 0xfe, 0]),
      utf8("{"),
      utf8("\u0000"),
      new Uint8Array(0),
      utf8("[".repeat(60_000)),
    ];
    for (const bytes of bad) {
      for (const [name, property] of [
        [logFile(2, "entry"), "inclusion in the log"],
        [logFile(5, "tlog-proof"), "inclusion in the log"],
        ["task.json", "task digest"],
        ["statement.note", "connector's statement"],
      ] as const) {
        const report = await verify(changed((files) => void files.set(name, bytes)));
        expect(failed(report), `${name} ${bytes.length}`).toContain(property);
      }
    }
    // Nothing rests on these two.
    const hint = await verify(changed((files) => void files.set("manifest.json", bad[0]!)));
    expect(hint.ok).toBe(true);
  });

  test("proofs of another session, and of another number, prove nothing here", async () => {
    const other = await bundleOf("s_2", "2", parties);
    const foreign = await verify(
      changed((files) => {
        for (const kind of ["entry", "tlog-proof"] as const)
          files.set(logFile(2, kind), other.get(logFile(2, kind))!);
      }),
    );
    expect(failed(foreign)).toContain("segments");
    const proofOnly = await verify(
      changed((files) => void files.set(logFile(2, "tlog-proof"), other.get(logFile(2, "tlog-proof"))!)),
    );
    expect(failed(proofOnly)).toContain("inclusion in the log");
    const moved = await verify(
      changed((files) => {
        for (const kind of ["entry", "tlog-proof"] as const) {
          files.set(logFile(9, kind), files.get(logFile(5, kind))!);
          files.delete(logFile(5, kind));
        }
      }),
    );
    expect(of(moved, "inclusion in the log").detail).toContain("entry 9 is number 5 of the log");
  });

  test("entries out of two logs, though both keys are trusted, do not make one recording", async () => {
    const second = { ...parties, log: await newSigner("other.example/log") };
    const other = await bundleOf("s_1", "", second);
    const files = changed((own) => {
      for (const kind of ["entry", "tlog-proof"] as const)
        own.set(logFile(5, kind), other.get(logFile(5, kind))!);
    });
    const keys = keysOf(parties.log, second.log, parties.connector, parties.witness);
    const report = await verify(files, keys);
    expect(of(report, "checkpoint signature")).toMatchObject({
      verdict: "FAIL",
      detail: "the entries are of two logs",
    });
    expect(failed(await verify(other))).toContain("checkpoint signature");
  });

  test("two trees of one size, both signed by the log: it shows two histories", async () => {
    const forked = await bundleOf("s_1", "", parties, { code: "SESSION_KILLED" });
    const report = await verify(
      changed((files) => {
        for (const kind of ["entry", "tlog-proof"] as const)
          files.set(logFile(5, kind), forked.get(logFile(5, kind))!);
      }),
    );
    expect(failed(report)).toEqual(["checkpoint signature"]);
    expect(of(report, "checkpoint signature").detail).toContain("two different trees of 7 entries");
  });

  test("a witness that nobody named, or a log's key as a witness, counts for nothing", async () => {
    const unknown = { ...parties, witness: await newSigner("witness.example/w1", NOTE_COSIGNATURE) };
    const files = await bundleOf("s_1", "", unknown);
    expect(failed(await verify(files))).toEqual(["witness cosignature"]);
    // Whoever names no witness is told that none was asked.
    expect(
      of(await verify(files, keysOf(parties.log, parties.connector)), "witness cosignature").verdict,
    ).toBe("NOT CHECKED");
  });

  test("a key with the right bytes and another name is another key", async () => {
    const renamed = (name: string, key: Parties["log"]) =>
      noteSigner(name, key.type as 1, key.publicKey, undefined as unknown as CryptoKey)!;
    const log = renamed("edge.example/other", parties.log);
    const report = await verify(genuine, keysOf(log, parties.connector, parties.witness));
    expect(of(report, "checkpoint signature").detail).toContain(
      'no key of the log "edge.example/log" was given',
    );
    const connector = renamed(connectorKeyName("other"), parties.connector);
    expect(failed(await verify(genuine, keysOf(parties.log, connector, parties.witness)))).toEqual([
      "connector's statement",
    ]);
  });

  test("times that are in the future, or no dates at all, are told and break nothing", async () => {
    for (const time of [Date.now() + 10 * 365 * 86_400_000, Number.MAX_SAFE_INTEGER]) {
      const report = await verify(await bundleOf("s_1", "", parties, { time }));
      // Order is by number: a clock is nobody's proof.
      expect(report.ok).toBe(true);
    }
  });
});
