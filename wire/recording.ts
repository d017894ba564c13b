/**
 * The format of a recording: what crossed the socket between connector and edge, in order per direction.
 *
 * An entry is one tunnel message: `event` (a `record` control message, its JSON text as sent), `frontend`
 * (a data frame to the target), `backend` (a data frame from it), `elided` (a frame of which only hash and
 * length are kept), or `note` (a fact of the connector's own, JSON; on no socket, so in no root).
 *
 * Both parties keep two running roots, one a direction, over the same messages (recording-roots.ts). An elided entry
 * counts there by its hash.
 *
 * A segment is "WGR1", the header's length (uint32), the header (JSON), then entries: kind (uint8),
 * milliseconds since the header's `from` (uint32), length (uint32), bytes. Integers are big-endian. The entries may
 * be compressed, all together: the header says how.
 * Segments are chained by `prev`, the SHA-256 of the previous segment's bytes. A segment may leave the connector
 * sealed to auditors' keys (recording-seal.ts): its header stays readable, its entries do not.
 */
import { createHash } from "node:crypto";
import { type RootState, type RootStates, RunningRoot } from "./recording-roots.ts";
import { sha256 } from "./sha256.ts";

export {
  ChainVerifier,
  isSealed,
  readSegment,
  readSegmentHeader,
  SealedChain,
  type Segment,
  type SegmentError,
  type SegmentErrorCode,
  verifyChain,
} from "./recording-chain.ts";
export {
  type Direction,
  type RootMark,
  type RootState,
  type RootStates,
  RunningRoot,
} from "./recording-roots.ts";

/** Kinds of entries by their byte. */
export const ENTRY_KINDS = { event: 1, frontend: 2, backend: 3, elided: 4, note: 5 } as const;
export type EntryKind = keyof typeof ENTRY_KINDS;

/**
 * Bytes of entries, not compressed, after which a segment is closed. A segment holds at least one entry, whatever its
 * size. Each costs a request and several look-ups at the edge, so a large result should not make hundreds of them.
 */
export const SEGMENT_TARGET = 4 * 1024 * 1024;
/** Largest entry, bytes: the largest control message. */
export const MAX_ENTRY = 1024 * 1024;
/** Largest header, bytes of JSON. */
export const MAX_HEADER = 16 * 1024;
/** Largest sum of a segment's entries, bytes. */
export const MAX_BODY = SEGMENT_TARGET + MAX_ENTRY + 64;
/** Largest segment, bytes. */
export const MAX_SEGMENT = MAX_BODY + MAX_HEADER;
/** Largest sealed segment: around the segment stand its header once more and the keys for the auditors. */
export const MAX_STORED = MAX_SEGMENT + 2 * MAX_HEADER + 64;
/** The first four bytes of a segment: "WGR1". */
export const SEGMENT_MAGIC = 0x57475231;
/** The first four bytes of a sealed segment: "WGS1". */
export const SEALED_MAGIC = 0x57475331;
/** Bytes before an entry's own. */
export const ENTRY_OVERHEAD = 9;

const kindNames: readonly (EntryKind | undefined)[] = [
  undefined,
  "event",
  "frontend",
  "backend",
  "elided",
  "note",
];
const encoder = new TextEncoder();

export interface RecordingEntry {
  readonly kind: EntryKind;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** One direction up to the end of a segment. Entries are numbered from 0. */
export interface DirectionState {
  /** Number of this segment's first entry of the direction. */
  readonly first: number;
  /** Number of the next one after this segment: `next - first` entries are here. */
  readonly next: number;
  /** Running root after the segment, SHA-256 in hexadecimal. */
  readonly root: string;
}

export interface SegmentHeader {
  readonly v: 1;
  readonly session: string;
  /** From 0. */
  readonly sequence: number;
  /** SHA-256 of the previous segment's bytes in hexadecimal; null for the first. */
  readonly prev: string | null;
  readonly frontend: DirectionState;
  readonly backend: DirectionState;
  /** Entries of all kinds in this segment. */
  readonly count: number;
  /** Times of the first and last entry (or of closing, when there is none), milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** Bytes of the entries as they stand in a segment that is not compressed. */
  readonly size: number;
  /** How the entries are compressed: Zstandard (RFC 8878), one frame. Absent: they are not. */
  readonly encoding?: "zstd";
  /** On the last segment of a session: why it ended. */
  readonly final?: { readonly reason: string };
  /** On a sealed segment: RFC 7638 thumbprints of the auditors' keys that open it. */
  readonly sealed?: readonly string[];
}

/** A closed segment, ready to be stored under `recordings/<session>/<sequence, 8 digits>`. */
export interface SealedSegment {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes` in hexadecimal. */
  readonly digest: string;
  readonly header: SegmentHeader;
}

/** The key of a segment in the object store. */
export function segmentKey(session: string, sequence: number): string {
  return `recordings/${session}/${String(sequence).padStart(8, "0")}`;
}

/** SHA-256 in lower-case hexadecimal. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The payload of an `elided` entry: the kind byte of what it stands for, its SHA-256, its length (uint32). */
export function elide(kind: "frontend" | "backend", bytes: Uint8Array): Uint8Array {
  const payload = new Uint8Array(37);
  payload[0] = ENTRY_KINDS[kind];
  payload.set(sha256(bytes), 1);
  new DataView(payload.buffer).setUint32(33, bytes.length);
  return payload;
}

/** What an `elided` entry stands for, or null when the payload is none. */
export function readElided(
  payload: Uint8Array,
): { kind: "frontend" | "backend"; sha256: Uint8Array; length: number } | null {
  if (payload.length !== 37) return null;
  const kind = kindNames[payload[0]!];
  if (kind !== "frontend" && kind !== "backend") return null;
  const view = new DataView(payload.buffer, payload.byteOffset, 37);
  return { kind, sha256: payload.subarray(1, 33), length: view.getUint32(33) };
}

/** Both roots of a session: what the edge keeps beside the relay. */
export class RecordingRoots {
  readonly frontend: RunningRoot;
  readonly backend: RunningRoot;

  constructor(session: string, from?: RootStates) {
    this.frontend = new RunningRoot(session, "frontend", from?.frontend);
    this.backend = new RunningRoot(session, "backend", from?.backend);
  }

  /** To go on from. */
  get states(): RootStates {
    return { frontend: this.frontend.state, backend: this.backend.state };
  }

  /** Adds an entry to the direction that it belongs to. False when an elided payload is malformed. */
  add(kind: EntryKind, bytes: Uint8Array): boolean {
    if (kind === "event" || kind === "frontend") this.frontend.add(kind, bytes);
    else if (kind === "backend") this.backend.add(kind, bytes);
    else if (kind === "elided") {
      const elided = readElided(bytes);
      if (!elided) return false;
      this[elided.kind].addHashed(elided.kind, elided.sha256, elided.length);
    }
    return true;
  }
}

/** The roots as a header states them: they can be compared, and not be gone on from. */
function statedRoots({ frontend, backend }: SegmentHeader): RootStates {
  const stated = ({ next, root }: DirectionState): RootState => ({
    ...{ count: next, gathered: null },
    folded: Uint8Array.from(root.match(/../g)!, (pair) => Number.parseInt(pair, 16)),
  });
  return { frontend: stated(frontend), backend: stated(backend) };
}

/** Compresses with Zstandard into one frame that states its size. */
export type Compress = (bytes: Uint8Array) => Uint8Array;

/** Room for entries at first, bytes; it doubles as it fills. */
const FIRST_ROOM = 8 * 1024;

/**
 * Gathers entries into segments. The caller decides about time: it calls `seal` when `size` is not 0 and
 * a second has passed since `since`, and at the end.
 */
export class SegmentWriter {
  readonly session: string;
  readonly #roots: RecordingRoots;
  readonly #compress: Compress | null;
  #sequence = 0;
  #prev: string | null = null;
  /** The entries of this segment as they stand in it; the first `#size` bytes count. */
  #body = new Uint8Array(FIRST_ROOM);
  #view = new DataView(this.#body.buffer);
  #size = 0;
  #count = 0;
  #from: number | null = null;
  #to = 0;
  #first = { frontend: 0, backend: 0 };
  #final = false;
  /** The roots before the first entry of this segment; null while it has none. */
  #start: RootStates | null = null;

  /**
   * @param after the last sealed segment of the session, when a crashed writer's work is taken up, and the roots'
   * states after it; null when they are not known: then only notes can be added
   * @param compress for the entries of sealed segments; null leaves them as they are
   */
  constructor(
    session: string,
    after?: Pick<SealedSegment, "header" | "digest"> & { readonly roots: RootStates | null },
    compress: Compress | null = null,
  ) {
    this.session = session;
    this.#compress = compress;
    this.#roots = new RecordingRoots(session, after && (after.roots ?? statedRoots(after.header)));
    if (!after) return;
    const { header, digest } = after;
    this.#sequence = header.sequence + 1;
    this.#prev = digest;
    this.#first = { frontend: header.frontend.next, backend: header.backend.next };
    this.#final = header.final !== undefined;
  }

  /** Bytes of entries that are not in a sealed segment yet. */
  get size(): number {
    return this.#size;
  }

  /** Those bytes, as they will stand in the segment. A view, good until the next call. */
  get body(): Uint8Array {
    return this.#body.subarray(0, this.#size);
  }

  /** Time of the first of them; null when there is none. */
  get since(): number | null {
    return this.#from;
  }

  /** The states of the roots before the first of them; null when there is none. */
  get start(): RootStates | null {
    return this.#start;
  }

  /** The running roots after everything added. */
  get roots(): RecordingRoots {
    return this.#roots;
  }

  /** Number of the segment that is being gathered. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Adds an entry and returns the segment that it did not fit into, sealed, or null. The bytes are copied.
   * Throws RangeError for an entry over `MAX_ENTRY` or after the final segment: both are faults of the caller.
   */
  add({ kind, at, bytes }: RecordingEntry): SealedSegment | null {
    if (this.#final) throw new RangeError("the recording is closed");
    if (bytes.length > MAX_ENTRY) throw new RangeError("entry is too large");
    const size = ENTRY_OVERHEAD + bytes.length;
    const full = this.#size > 0 && this.#size + size > SEGMENT_TARGET ? this.#seal(at) : null;
    this.#start ??= this.#roots.states;
    if (!this.#roots.add(kind, bytes)) throw new RangeError("malformed elided entry");
    this.#from ??= at;
    this.#to = at;
    this.#reserve(size);
    const start = this.#size;
    this.#body[start] = ENTRY_KINDS[kind];
    // A clock that went back counts as no time; one that jumped far forward is held at the field's limit.
    this.#view.setUint32(start + 1, Math.min(Math.max(0, Math.round(at - this.#from)), 0xffffffff));
    this.#view.setUint32(start + 5, bytes.length);
    this.#body.set(bytes, start + ENTRY_OVERHEAD);
    this.#size += size;
    this.#count += 1;
    return full;
  }

  #reserve(size: number): void {
    const needed = this.#size + size;
    if (needed <= this.#body.length) return;
    const body = new Uint8Array(Math.max(needed, 2 * this.#body.length));
    body.set(this.#body.subarray(0, this.#size));
    this.#body = body;
    this.#view = new DataView(body.buffer);
  }

  /** Closes the segment, at the given time if it is empty, and starts the next. */
  seal(at: number, final?: { readonly reason: string }): SealedSegment {
    if (this.#final) throw new RangeError("the recording is closed");
    const sealed = this.#seal(at, final);
    // A session that writes little keeps little room.
    this.#body = new Uint8Array(FIRST_ROOM);
    this.#view = new DataView(this.#body.buffer);
    return sealed;
  }

  #seal(at: number, final?: { readonly reason: string }): SealedSegment {
    const { frontend, backend } = this.#roots;
    const from = this.#from ?? at;
    const plain = this.body;
    const packed = this.#compress && plain.length > 0 ? this.#compress(plain) : plain;
    const header: SegmentHeader = {
      v: 1,
      session: this.session,
      sequence: this.#sequence,
      prev: this.#prev,
      frontend: { first: this.#first.frontend, next: frontend.count, root: frontend.root },
      backend: { first: this.#first.backend, next: backend.count, root: backend.root },
      count: this.#count,
      from,
      to: this.#from === null ? from : this.#to,
      size: plain.length,
      ...(packed === plain ? {} : { encoding: "zstd" as const }),
      ...(final ? { final: { reason: final.reason } } : {}),
    };
    const head = encoder.encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + head.length + packed.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, SEGMENT_MAGIC);
    view.setUint32(4, head.length);
    bytes.set(head, 8);
    bytes.set(packed, 8 + head.length);
    const sealed = { sequence: this.#sequence, bytes, digest: digestOf(bytes), header };
    this.#sequence += 1;
    this.#prev = sealed.digest;
    this.#size = 0;
    this.#count = 0;
    this.#from = null;
    this.#start = null;
    this.#first = { frontend: frontend.count, backend: backend.count };
    this.#final = final !== undefined;
    return sealed;
  }
}

/**
 * Reads whole entries from the start of `bytes`. `used` is where the first incomplete one begins (a journal
 * may be torn there). Null when something is no entry at all. The entries' bytes are views, not copies.
 */
export function readEntries(
  bytes: Uint8Array,
  from: number,
): { entries: RecordingEntry[]; used: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: RecordingEntry[] = [];
  let at = 0;
  while (at + ENTRY_OVERHEAD <= bytes.length) {
    const kind = kindNames[bytes[at]!];
    const length = view.getUint32(at + 5);
    if (!kind || length > MAX_ENTRY) return null;
    const end = at + ENTRY_OVERHEAD + length;
    if (end > bytes.length) break;
    entries.push({
      kind,
      at: from + view.getUint32(at + 1),
      bytes: bytes.subarray(at + ENTRY_OVERHEAD, end),
    });
    at = end;
  }
  return { entries, used: at };
}

/** As `readEntries`, without the entries. */
export function countEntries(bytes: Uint8Array): { entries: number; used: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let entries = 0;
  let at = 0;
  while (at + ENTRY_OVERHEAD <= bytes.length) {
    const length = view.getUint32(at + 5);
    if (!kindNames[bytes[at]!] || length > MAX_ENTRY) return null;
    const end = at + ENTRY_OVERHEAD + length;
    if (end > bytes.length) break;
    entries += 1;
    at = end;
  }
  return { entries, used: at };
}
