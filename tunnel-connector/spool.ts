/**
 * Recordings on this machine's disk until the edge has them: a folder a session, with the segments that are
 * sealed (`00000000.wgr`) and the journal of the one that is being gathered. What is in the spool survives a
 * crash of the connector; what is not uploaded is uploaded after the next start.
 *
 * Journals are in journal.ts. A session that is sealed has `auditors.json` and the segment that was sealed
 * last, `00000000.wgs` (sealing.ts).
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  digestOf,
  type RecordingEntry,
  readSegment,
  type SealedSegment,
  SegmentWriter,
} from "../wire/recording.ts";
import type { AuditorKey } from "../wire/recording-seal.ts";
import { compress } from "./compress.ts";
import { privateFolder, writePrivate } from "./identity.ts";
import { readJournal } from "./journal.ts";
import type { Log } from "./log.ts";
import { isMarked, markSealed, sealedForm } from "./sealing.ts";
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
const SEALED_AT_ONCE = 2;
const SEGMENT = /^(\d{8})\.wgr$/;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #folder: string;
  readonly #now: () => number;
  /** Bytes by session. */
  readonly #sizes = new Map<string, number>();
  readonly #open = new Set<string>();
  /** Sessions that are over, but the disk did not take the end of their recordings. */
  readonly #unfinished = new Set<string>();
  #used = 0;
  /** Bytes of recordings that the edge refused. They count until a person has looked at them. */
  #aside = 0;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#now = options.now ?? Date.now;
    privateFolder(this.#folder);
  }

  /** Bytes in the spool, with those that the edge refused. */
  get used(): number {
    return this.#used + this.#aside;
  }

  get max(): number {
    return this.#options.max;
  }

  /** True when no further session may begin: what is left is for those that run. */
  get full(): boolean {
    return this.used > this.#options.max * 0.9;
  }

  /** Sessions with something in the spool. */
  get sessions(): readonly string[] {
    return [...this.#sizes.keys()];
  }

  get #refused(): string {
    return join(this.#folder, "refused");
  }

  folderOf(session: string): string {
    return join(this.#folder, session);
  }

  /** Begins a session's recording, sealed to these auditors if there are any. Throws when the disk does not take it. */
  begin(
    session: string,
    level: "full" | "statements",
    strict: boolean,
    auditors: readonly AuditorKey[] = [],
  ): SessionRecording {
    const folder = this.folderOf(session);
    mkdirSync(folder, { mode: 0o700 });
    if (auditors.length > 0) markSealed(folder, auditors);
    this.#sizes.set(session, 0);
    this.#open.add(session);
    return new SessionRecording({
      ...{ session, folder, level, strict, now: this.#now },
      writer: new SegmentWriter(session, undefined, compress),
      sealAfter: () => SEAL_AFTER_MS * Math.min(Math.max(1, this.#open.size / SEALED_AT_ONCE), 10),
      room: () => this.used < this.#options.max,
      grew: (bytes) => this.#grow(session, bytes),
      sealed: () => this.#options.onSegment(session),
      closed: (whole) => {
        this.#open.delete(session);
        if (!whole) this.#unfinished.add(session);
      },
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

  /** The bytes of a segment as they leave this host. Called for one segment of a session at a time, in order. */
  async stored(session: string, { sequence, path }: SpooledSegment): Promise<Uint8Array> {
    const folder = this.folderOf(session);
    if (!isMarked(folder)) return readFile(path);
    const { bytes, grew } = await sealedForm(folder, sequence, path);
    this.#grow(session, grew);
    return bytes;
  }

  /**
   * Takes up what an earlier run left, and what a session left when the disk did not take its end: each recording
   * is closed, with the gap stated in it. One that cannot be now stays as it is for the next time.
   */
  recover(): void {
    this.#aside = list(this.#refused).reduce((sum, name) => sum + sizeOf(join(this.#refused, name)), 0);
    for (const session of list(this.#folder)) {
      const folder = this.folderOf(session);
      if (session === "refused" || this.#open.has(session) || !statSync(folder).isDirectory()) continue;
      try {
        this.#recoverSession(session, folder);
      } catch (error) {
        this.#options.log("error", "recording not recovered", { session, error });
        // The disk may take it later; what is damaged stays so.
        if (!isSystemError(error)) this.setAside(session);
      }
    }
  }

  /** Tries again to finish what the disk did not take. */
  finish(): void {
    for (const session of this.#unfinished) {
      try {
        this.#recoverSession(session, this.folderOf(session));
        this.#unfinished.delete(session);
      } catch (error) {
        this.#options.log("warn", "recording still not finished", { session, error });
      }
    }
  }

  #recoverSession(session: string, folder: string): void {
    let size = 0;
    for (const name of list(folder)) {
      if (name.endsWith(".tmp")) rmSync(join(folder, name));
      else size += statSync(join(folder, name)).size;
    }
    this.#forget(session);
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
    const journal = readJournal(join(folder, "journal"), after ? after.header.sequence + 1 : 0);
    const { roots } = journal;
    const writer = new SegmentWriter(session, after && { ...after, roots }, compress);
    const sealed: SealedSegment[] = [];
    const add = (entry: RecordingEntry): void => {
      const full = writer.add(entry);
      if (full) sealed.push(full);
    };
    for (const entry of journal.entries) add(entry);
    const gap = {
      t: "gap",
      message: "the connector ended without closing the recording",
      lost: journal.torn,
    };
    add({ kind: "note", at: this.#now(), bytes: new TextEncoder().encode(JSON.stringify(gap)) });
    sealed.push(writer.seal(this.#now(), { reason: "CONNECTOR_RESTARTED" }));
    for (const { sequence, bytes } of sealed) {
      writePrivate(join(folder, segmentName(sequence)), bytes, true);
      this.#grow(session, bytes.length);
    }
    this.#grow(session, -journal.size);
    rmSync(join(folder, "journal"), { force: true });
    this.#options.log("warn", "recording recovered", {
      ...{ session, entries: journal.entries.length, torn: journal.torn },
    });
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
    const aside = join(this.#refused, session);
    mkdirSync(this.#refused, { recursive: true, mode: 0o700 });
    this.#aside -= sizeOf(aside);
    rmSync(aside, { recursive: true, force: true });
    renameSync(this.folderOf(session), aside);
    this.#forget(session);
    this.#unfinished.delete(session);
    this.#aside += sizeOf(aside);
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

/** Bytes of the files in a folder; 0 when there is none. */
function sizeOf(folder: string): number {
  return list(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === "string";
}
