import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  ENTRY_OVERHEAD,
  type RecordingEntry,
  readElided,
  readSegment,
  SEGMENT_TARGET,
  verifyChain,
} from "../wire/recording.ts";
import type { Log } from "./log.ts";
import { Spool } from "./spool.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const quiet = Object.assign(() => {}, { with: () => quiet }) as unknown as Log;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wicket-spool-"));
  folders.push(folder);
  return folder;
}

function spoolIn(folder: string, now = () => 1000, max = 1 << 30): Spool {
  return new Spool({ folder, max, log: quiet, onSegment: () => {}, now });
}

/** The recording of a session as it stands in the spool, verified; its entries without the connector's notes. */
function recorded(
  spool: Spool,
  session: string,
): { entries: RecordingEntry[]; notes: string[]; reason: string } {
  const segments = spool.segments(session).map(({ path }) => new Uint8Array(readFileSync(path)));
  const chain = verifyChain(session, segments);
  if (!chain.ok) throw new Error(chain.message);
  const all = segments.flatMap((bytes) => {
    const read = readSegment(bytes);
    return read.ok ? read.entries : [];
  });
  const last = readSegment(segments.at(-1)!);
  return {
    entries: all.filter((one) => one.kind !== "note"),
    notes: all.filter((one) => one.kind === "note").map((one) => new TextDecoder().decode(one.bytes)),
    reason: (last.ok && last.header.final?.reason) || "",
  };
}

const text = (value: string) => new TextEncoder().encode(value);

describe("R3 the journal after a crash at any byte", () => {
  test("gives every whole entry, in order, once, and states how much was cut off", () => {
    const folder = newFolder();
    const recording = spoolIn(folder).begin("s1", "full", false);
    const ends: number[] = [];
    const journal = join(folder, "s1", "journal");
    for (let n = 0; n < 5; n++) {
      recording.add("frontend", text(`statement ${n}`));
      recording.flush();
      ends.push(readFileSync(journal).length);
    }
    const whole = readFileSync(journal);
    const start = whole.indexOf(0x0a) + 1;
    for (let cut = 0; cut <= whole.length; cut++) {
      const copy = newFolder();
      const crashed = join(copy, "s1");
      mkdirSync(crashed);
      writeFileSync(join(crashed, "journal"), whole.subarray(0, cut));
      const spool = spoolIn(copy);
      spool.recover();
      const { entries, notes, reason } = recorded(spool, "s1");
      const expected = ends.filter((end) => end <= cut).length;
      expect(entries.map((one) => new TextDecoder().decode(one.bytes))).toEqual(
        Array.from({ length: expected }, (_, n) => `statement ${n}`),
      );
      expect(reason).toBe("CONNECTOR_RESTARTED");
      const torn = cut < start ? cut : cut - (ends[expected - 1] ?? start);
      expect(JSON.parse(notes[0]!)).toMatchObject({ t: "gap", lost: torn });
      spool.recover();
      expect(spool.used).toBe(
        spool.segments("s1").reduce((sum, one) => sum + readFileSync(one.path).length, 0),
      );
    }
    recording.close("X");
  });

  test("a journal that fills its segment to the brim loses nothing when the gap is noted", () => {
    const folder = newFolder();
    const recording = spoolIn(folder).begin("s1", "full", false);
    const size = SEGMENT_TARGET / 4 - ENTRY_OVERHEAD - 5;
    for (let n = 0; n < 4; n++) recording.add("backend", new Uint8Array(size).fill(7));
    recording.flush();
    const copy = newFolder();
    execFileSync("cp", ["-r", join(folder, "s1"), copy]);
    const spool = spoolIn(copy);
    spool.recover();
    const { entries, reason } = recorded(spool, "s1");
    expect(entries.map((one) => one.bytes.length)).toEqual([size, size, size, size]);
    expect(reason).toBe("CONNECTOR_RESTARTED");
    expect(spool.segments("s1").length).toBe(2);
    recording.close("X");
  });

  test("a crash between a segment and its journal's end does not double what is in both", () => {
    const folder = newFolder();
    const recording = spoolIn(folder).begin("s1", "full", true);
    recording.add("frontend", text("one"));
    recording.flush();
    const journal = readFileSync(join(folder, "s1", "journal"));
    recording.close("X");
    // The final segment is whole; the journal was not emptied.
    writeFileSync(join(folder, "s1", "journal"), journal);
    const spool = spoolIn(folder);
    spool.recover();
    expect(recorded(spool, "s1")).toMatchObject({ reason: "X", entries: [{ bytes: text("one") }] });
  });

  test("a process that is killed while it writes leaves every entry that it had flushed", async () => {
    const folder = newFolder();
    const program = `
      import { writeSync } from "node:fs";
      import { Spool } from ${JSON.stringify(join(import.meta.dirname, "spool.ts"))};
      const log = Object.assign(() => {}, {});
      const spool = new Spool({ folder: ${JSON.stringify(folder)}, max: 1e9, log, onSegment() {} });
      const recording = spool.begin("s1", "full", false);
      for (let n = 0; ; n++) {
        recording.add("frontend", new TextEncoder().encode("statement " + n + " " + "x".repeat(n % 5000)));
        recording.flush();
        writeSync(1, n + "\\n");
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
    let said = "";
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += String(chunk);
    });
    // Killed in the middle of its writing, after some thousand of them.
    child.stdout.on("data", (chunk) => {
      said += String(chunk);
      if (said.length > 30_000) child.kill("SIGKILL");
    });
    await once(child, "close");
    const flushed = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
    expect(flushed, errors).toBeGreaterThan(1000);
    const spool = spoolIn(folder);
    spool.recover();
    const numbers = recorded(spool, "s1").entries.map((one) =>
      Number(new TextDecoder().decode(one.bytes).split(" ")[1]),
    );
    expect(numbers).toEqual(numbers.map((_, n) => n));
    expect(numbers.length).toBeGreaterThan(flushed);
  });

  test("a damaged journal is set aside whole, and the rest goes on", () => {
    const folder = newFolder();
    const recording = spoolIn(folder).begin("s1", "full", false);
    recording.add("frontend", text("one"));
    recording.flush();
    appendFileSync(join(folder, "s1", "journal"), Buffer.alloc(64, 0xff));
    const spool = spoolIn(folder);
    spool.recover();
    expect(existsSync(join(folder, "refused", "s1", "journal"))).toBe(true);
    // It counts until somebody has looked at it, also after the next start.
    const { size } = statSync(join(folder, "refused", "s1", "journal"));
    const next = spoolIn(folder);
    next.recover();
    expect([spool.used, next.used, spool.sessions]).toEqual([size, size, []]);
    recording.close("X");
  });
});

test("R9 a clock that goes back leaves order and roots as they are", () => {
  const folder = newFolder();
  const times = [5000, 5000, 4000, 1, 9000];
  let at = 0;
  const spool = spoolIn(folder, () => times[Math.min(at++, times.length - 1)]!);
  const recording = spool.begin("s1", "full", false);
  for (let n = 0; n < 4; n++) {
    recording.add("frontend", text(`${n}`));
    recording.flush();
  }
  recording.close("X");
  const { entries } = recorded(spool, "s1");
  expect(entries.map((one) => new TextDecoder().decode(one.bytes))).toEqual(["0", "1", "2", "3"]);
});

test("R1 a full spool fails the next flush, what was written stays, and finishing closes it when there is room", () => {
  const folder = newFolder();
  const spool = spoolIn(folder, () => 1000, 400);
  const recording = spool.begin("s1", "full", false);
  recording.add("frontend", text("one"));
  recording.flush();
  recording.add("frontend", new Uint8Array(300));
  recording.flush();
  recording.add("frontend", text("never written"));
  expect(() => recording.flush()).toThrow("the connector's spool is full");
  expect(() => recording.add("frontend", text("x"))).toThrow();
  recording.close("RECORDING_FAILED");
  expect(spool.segments("s1")).toEqual([]);
  spool.finish();
  const { entries, reason } = recorded(spool, "s1");
  expect(entries.map((one) => one.bytes.length)).toEqual([3, 300]);
  expect(reason).toBe("CONNECTOR_RESTARTED");
  expect(spool.full).toBe(true);
  const last = spool.segments("s1").at(-1)!.sequence;
  spool.uploaded("s1", last, true);
  expect(spool.used).toBe(0);
});

test("R6 of a frame to the database with a secret only the hash is kept, also of what goes on from it", () => {
  const folder = newFolder();
  const spool = spoolIn(folder);
  const recording = spool.begin("s1", "full", false);
  const long = new Uint8Array(64 * 1024).fill(65);
  long.set(text("SELECT dblink('password=x"));
  recording.add("frontend", long);
  recording.add("frontend", text("hunter2')"));
  recording.add("frontend", text("SELECT 1"));
  recording.close("X");
  const { entries } = recorded(spool, "s1");
  expect(entries.map((one) => one.kind)).toEqual(["elided", "elided", "frontend"]);
  expect(readElided(entries[1]!.bytes)).toMatchObject({ kind: "frontend", length: 9 });
});
