/**
 * The recording of one session while it runs. Entries are gathered in memory and in the journal on disk; `flush`
 * puts what is gathered on disk and is called before anything that must not happen unrecorded, `flushSoon` is for what
 * may wait a moment to be written with what comes next. After a write that failed every further call throws: the
 * session decides what that means for it.
 */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, writeSync, writevSync } from "node:fs";
import { join } from "node:path";
import { mayHoldSecretBytes } from "../policies/postgres/secrets.ts";
import { type EntryKind, elide, type SegmentWriter } from "../wire/recording.ts";
import { MAX_DATA_FRAME } from "../wire/tunnel.ts";
import { syncFolder, writePrivate } from "./identity.ts";
import { journalHead } from "./journal.ts";

/** What may wait is written after this at the latest, milliseconds. */
const SOON_MS = 100;

export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

export interface SessionRecordingOptions {
  readonly session: string;
  readonly folder: string;
  readonly level: "full" | "statements";
  /** Each flush waits for the disk. */
  readonly strict: boolean;
  readonly writer: SegmentWriter;
  /** A segment is sealed this long after its first entry at the latest, milliseconds. */
  sealAfter(): number;
  now(): number;
  /** False when the spool has reached its bound. */
  room(): boolean;
  grew(bytes: number): void;
  sealed(): void;
  /** `whole`: the last segment is on disk. */
  closed(whole: boolean): void;
}

export class SessionRecording {
  readonly #options: SessionRecordingOptions;
  readonly #writer: SegmentWriter;
  readonly #file: number;
  /** First line of the journal, until it is written. */
  #head: Uint8Array | null = null;
  /** Bytes of the segment's entries that are in the journal. */
  #flushed = 0;
  /** Bytes of the journal. */
  #journal = 0;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  #over = false;
  #goesOn = false;
  #failure: RecordingError | null = null;
  /** Told when a write failed outside of a call: the timer's. */
  onFailure: (error: RecordingError) => void = () => {};

  constructor(options: SessionRecordingOptions) {
    this.#options = options;
    this.#writer = options.writer;
    this.#file = openSync(join(options.folder, "journal"), "a", 0o600);
    if (options.strict) syncFolder(options.folder);
  }

  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Adds a message of the session's socket. */
  add(kind: "event" | "frontend" | "backend", bytes: Uint8Array): void {
    if (kind === "backend" && this.#options.level === "statements") {
      this.#add("elided", elide("backend", bytes));
    } else if (kind === "frontend" && this.#secret(bytes)) {
      this.#add("elided", elide("frontend", bytes));
    } else this.#add(kind, bytes);
  }

  /** Adds a piece of what passed in a request (wire/pieces.ts), masked by the edge. */
  piece(bytes: Uint8Array): void {
    if (this.#options.level === "statements") this.#add("elided", elide("frontend", bytes));
    else this.#add("frontend", bytes);
  }

  /**
   * Whether a frame to the database may hold a secret of a statement: then only its hash is kept. The event of
   * the statement has the text without the secret. What follows a full frame may be the rest of the same message.
   */
  #secret(bytes: Uint8Array): boolean {
    const secret = this.#goesOn || mayHoldSecretBytes(bytes);
    this.#goesOn = secret && bytes.length >= MAX_DATA_FRAME;
    return secret;
  }

  /** Adds a fact of the connector's own. */
  note(fact: Readonly<Record<string, unknown>>): void {
    this.#add("note", new TextEncoder().encode(JSON.stringify(fact)));
  }

  #add(kind: EntryKind, bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure;
    if (this.#over) return;
    const at = this.#options.now();
    const first = this.#writer.size === 0;
    const full = this.#writer.add({ kind, at, bytes });
    if (full) this.#store(full.sequence, full.bytes);
    if (!first && !full) return;
    const { sequence, start } = this.#writer;
    this.#head = journalHead({ session: this.#options.session, sequence, from: at, roots: start! });
    this.#timer ??= setTimeout(() => this.#tick(), this.#options.sealAfter());
  }

  /**
   * Puts what was added on disk, with what is added before the next `flush`, or a moment later. A segment that is full
   * before that is written at once, and only once. With `strict` there is no later.
   */
  flushSoon(): void {
    if (this.#options.strict) this.flush();
    else if (this.#failure) throw this.#failure;
    else this.#soon ??= setTimeout(() => this.#overdue(), SOON_MS);
  }

  #overdue(): void {
    this.#soon = null;
    this.#guarded(() => this.flush());
  }

  /** For a timer: a failed write is told, not thrown. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.#failure) throw error;
      this.onFailure(this.#failure);
    }
  }

  /** Puts everything that was added on disk. */
  flush(): void {
    if (this.#failure) throw this.#failure;
    if (this.#writer.size === this.#flushed || this.#over) return;
    if (!this.#options.room()) throw this.#fail("the connector's spool is full");
    const body = this.#writer.body.subarray(this.#flushed);
    const head = this.#head;
    const size = body.length + (head?.length ?? 0);
    try {
      const written = head ? writevSync(this.#file, [head, body]) : writeSync(this.#file, body);
      if (written !== size) throw new Error(`${written} of ${size} bytes were written`);
      if (this.#options.strict) fdatasyncSync(this.#file);
    } catch (error) {
      throw this.#fail(String(error));
    }
    this.#head = null;
    this.#flushed += body.length;
    this.#journal += size;
    this.#options.grew(size);
  }

  #tick(): void {
    this.#timer = null;
    if (this.#over || this.#failure || this.#writer.size === 0) return;
    this.#guarded(() => {
      const sealed = this.#writer.seal(this.#options.now());
      this.#store(sealed.sequence, sealed.bytes);
    });
  }

  /** A sealed segment replaces its journal. */
  #store(sequence: number, bytes: Uint8Array): void {
    const growth = bytes.length - this.#journal;
    if (growth > 0 && !this.#options.room()) throw this.#fail("the connector's spool is full");
    try {
      // What was on the disk for sure stays so: the journal goes when its segment is there.
      writePrivate(join(this.#options.folder, segmentName(sequence)), bytes, this.#options.strict);
      if (this.#journal > 0) ftruncateSync(this.#file, 0);
    } catch (error) {
      throw this.#fail(String(error));
    }
    this.#options.grew(growth);
    this.#journal = 0;
    this.#flushed = 0;
    this.#head = null;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#soon) clearTimeout(this.#soon);
    this.#soon = null;
    this.#options.sealed();
  }

  /** Seals the last segment. Nothing is added afterwards. */
  close(reason: string): void {
    if (this.#over) return;
    try {
      if (!this.#failure) {
        this.note({ t: "closed", reason });
        const sealed = this.#writer.seal(this.#options.now(), { reason });
        this.#store(sealed.sequence, sealed.bytes);
      }
    } catch {
      // What is on disk is taken up later, as after a crash.
    }
    this.#over = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#soon) clearTimeout(this.#soon);
    closeSync(this.#file);
    this.#options.closed(this.#failure === null);
  }

  #fail(message: string): RecordingError {
    this.#failure = new RecordingError(message);
    return this.#failure;
  }
}

/** A sealed segment's file. */
export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(8, "0")}.wgr`;
}
