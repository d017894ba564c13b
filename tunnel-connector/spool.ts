/**
 * Recordings on this machine's disk until the edge has them: a folder a session, with the segments that are
 * sealed (`00000000.wgr`) and the journal of the one that is being gathered. What is in the spool survives a
 * crash of the connector; what is not uploaded is uploaded after the next start.
 *
 * A journal is one line of JSON (session, number of the segment, time of its first entry), then entries as they
 * stand in a segment (wire/recording.ts).
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  digestOf,
  MAX_SEGMENT,
  readEntries,
  readSegment,
  type SealedSegment,
  SegmentWriter,
} from "../wire/recording.ts";
import { privateFolder, writePrivate } from "./identity.ts";
import type { Log } from "./log.ts";
import { SessionRecording, segmentName } from "./session-recording.ts";

export interface SpoolOptions {
  readonly folder: string;
  /** Bytes. */
  readonly max: number;
  readonly log: Log;
  /** A session has a new segment to upload. */
  onSegment(session: string): void;
  now?(): number;
}

/** A segment in the spool. */
export interface SpooledSegment {
  readonly sequence: number;
  readonly path: string;
}

/** A segment is sealed this long after its first entry, milliseconds; later when many sessions run, up to ten times. */
const SEAL_AFTER_MS = 1000;
/** So many segments a second are sealed for their age, of all sessions together, until ten times that many run. */
const SEALED_AT_ONCE = 4;
const SEGMENT = /^(\d{8})\.wgr$/;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #folder: string;
  readonly #now: () => number;
  /** Bytes by session. */
  readonly #sizes = new Map<string, number>();
  readonly #open = new Set<string>();
  #used = 0;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#now = options.now ?? Date.now;
    privateFolder(this.#folder);
  }

  /** Bytes in the spool. */
  get used(): number {
    return this.#used;
  }

  get max(): number {
    return this.#options.max;
  }

  /** True when no further session may begin: what is left is for those that run. */
  get full(): boolean {
    return this.#used > this.#options.max * 0.9;
  }

  /** Sessions with something in the spool. */
  get sessions(): readonly string[] {
    return [...this.#sizes.keys()];
  }

  folderOf(session: string): string {
    return join(this.#folder, session);
  }

  /** Begins a session's recording. Throws when the disk does not take it. */
  begin(session: string, level: "full" | "statements", strict: boolean): SessionRecording {
    const folder = this.folderOf(session);
    mkdirSync(folder, { mode: 0o700 });
    this.#sizes.set(session, 0);
    this.#open.add(session);
    return new SessionRecording({
      ...{ session, folder, level, strict, now: this.#now },
      writer: new SegmentWriter(session),
      sealAfter: () => SEAL_AFTER_MS * Math.min(Math.max(1, this.#open.size / SEALED_AT_ONCE), 10),
      room: () => this.#used < this.#options.max,
      grew: (bytes) => this.#grow(session, bytes),
      sealed: () => this.#options.onSegment(session),
      closed: () => this.#open.delete(session),
    });
  }

  #grow(session: string, bytes: number): void {
    this.#sizes.set(session, (this.#sizes.get(session) ?? 0) + bytes);
    this.#used += bytes;
  }

  /** The sealed segments of a session, in order. */
  segments(session: string): SpooledSegment[] {
    const folder = this.folderOf(session);
    return list(folder)
      .map((name) => SEGMENT.exec(name))
      .filter((match) => match !== null)
      .map((match) => ({ sequence: Number(match[1]), path: join(folder, match[0]) }))
      .sort((a, b) => a.sequence - b.sequence);
  }

  /** Takes up what an earlier run left: each recording is closed, with the gap stated in it. */
  recover(): void {
    for (const session of list(this.#folder)) {
      const folder = this.folderOf(session);
      if (session === "refused" || this.#open.has(session) || !statSync(folder).isDirectory()) continue;
      try {
        this.#recoverSession(session, folder);
      } catch (error) {
        this.#options.log("error", "recording not recovered", { session, error });
        this.setAside(session);
      }
    }
  }

  #recoverSession(session: string, folder: string): void {
    let size = 0;
    for (const name of list(folder)) {
      if (name.endsWith(".tmp")) rmSync(join(folder, name));
      else size += statSync(join(folder, name)).size;
    }
    this.#sizes.set(session, 0);
    this.#grow(session, size);
    const last = this.segments(session).at(-1);
    let after: Pick<SealedSegment, "header" | "digest"> | undefined;
    if (last) {
      const bytes = readFileSync(last.path);
      const read = readSegment(bytes);
      if (!read.ok) throw new Error(read.message);
      after = { header: read.header, digest: digestOf(bytes) };
    }
    if (after?.header.final) {
      this.#options.onSegment(session);
      return;
    }
    const writer = new SegmentWriter(session, after);
    const journal = readJournal(join(folder, "journal"), writer.sequence);
    for (const entry of journal.entries) writer.add(entry);
    const gap = {
      t: "gap",
      message: "the connector ended without closing the recording",
      lost: journal.torn,
    };
    writer.add({ kind: "note", at: this.#now(), bytes: new TextEncoder().encode(JSON.stringify(gap)) });
    const sealed = writer.seal(this.#now(), { reason: "CONNECTOR_RESTARTED" });
    writePrivate(join(folder, segmentName(sealed.sequence)), sealed.bytes);
    rmSync(join(folder, "journal"), { force: true });
    this.#options.log("warn", "recording recovered", { session, entries: sealed.header.count });
    this.#options.onSegment(session);
  }

  /**
   * A segment is in the store. It is kept until the next one is sealed, because a restart goes on from it; after
   * the final one the session leaves the spool.
   */
  uploaded(session: string, sequence: number, final: boolean): void {
    if (final) {
      this.#forget(session);
      rmSync(this.folderOf(session), { recursive: true, force: true });
      return;
    }
    for (const segment of this.segments(session).slice(0, -1)) {
      if (segment.sequence > sequence) break;
      const { size } = statSync(segment.path);
      rmSync(segment.path);
      this.#grow(session, -size);
    }
  }

  /** Takes a recording that the edge will never accept out of the way, for a person to look at. */
  setAside(session: string): void {
    const refused = join(this.#folder, "refused");
    mkdirSync(refused, { recursive: true, mode: 0o700 });
    rmSync(join(refused, session), { recursive: true, force: true });
    renameSync(this.folderOf(session), join(refused, session));
    this.#forget(session);
  }

  #forget(session: string): void {
    this.#used -= this.#sizes.get(session) ?? 0;
    this.#sizes.delete(session);
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The whole entries of a journal, when it is of this segment. `torn` = bytes of an entry that was cut off. */
function readJournal(
  path: string,
  sequence: number,
): { entries: ReturnType<typeof entriesOf>; torn: number } {
  let bytes: Uint8Array;
  try {
    if (statSync(path).size > 2 * MAX_SEGMENT) throw new Error("the journal is too large");
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { entries: [], torn: 0 };
    throw error;
  }
  const end = bytes.indexOf(0x0a);
  if (end < 0) return { entries: [], torn: bytes.length };
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as {
    sequence: number;
    from: number;
  };
  // Of a segment that was sealed just before the crash.
  if (head.sequence !== sequence) return { entries: [], torn: 0 };
  const read = readEntries(bytes.subarray(end + 1), head.from);
  if (!read) throw new Error("the journal is damaged");
  return { entries: read.entries, torn: bytes.length - end - 1 - read.used };
}

function entriesOf(bytes: Uint8Array, from: number) {
  return readEntries(bytes, from)!.entries;
}
