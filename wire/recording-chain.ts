/** Reading recordings back: one segment, and the chain that they make. The format is in recording.ts. */
import { decompress } from "fzstd";
import {
  countEntries,
  type DirectionState,
  digestOf,
  MAX_BODY,
  MAX_HEADER,
  MAX_SEGMENT,
  MAX_STORED,
  type RecordingEntry,
  RecordingRoots,
  readEntries,
  SEALED_MAGIC,
  SEGMENT_MAGIC,
  type SegmentHeader,
} from "./recording.ts";

/** Auditors that one segment can be sealed to. */
export const MAX_AUDITORS = 16;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type SegmentErrorCode =
  | "SEGMENT_TOO_LARGE"
  | "SEGMENT_MALFORMED"
  | "SEGMENT_SEALED"
  | "SEALING_MIXED"
  | "COUNT_MISMATCH"
  | "SESSION_MISMATCH"
  | "SEQUENCE_GAP"
  | "PREV_MISMATCH"
  | "NUMBER_GAP"
  | "ROOT_MISMATCH"
  | "AFTER_FINAL"
  | "NOT_FINAL";

export interface SegmentError {
  readonly ok: false;
  readonly code: SegmentErrorCode;
  readonly message: string;
}

export interface Segment {
  readonly ok: true;
  readonly header: SegmentHeader;
  readonly entries: readonly RecordingEntry[];
}

/** Reads one segment and checks its form and its counts, not its chain. Bounded by `MAX_SEGMENT`. */
export function readSegment(bytes: Uint8Array): Segment | SegmentError {
  const head = readHead(bytes);
  if (!head.ok) return head;
  const { header, from } = head;
  if (header.sealed) return fail("SEGMENT_SEALED", "is sealed: an auditor's key opens it");
  const body = bodyOf(header, bytes.subarray(from));
  if (!body) return fail("SEGMENT_MALFORMED", "its entries do not decompress");
  const read = readEntries(body, header.from);
  if (!read || read.used !== body.length) return fail("SEGMENT_MALFORMED", "an entry is cut off");
  if (read.entries.length !== header.count) return fail("COUNT_MISMATCH", "entries and header disagree");
  return { ok: true, header, entries: read.entries };
}

/** The entries' bytes, never more than the header states; null when they are not what it says. */
function bodyOf({ size, encoding }: SegmentHeader, stored: Uint8Array): Uint8Array | null {
  if (encoding === undefined) return stored.length === size ? stored : null;
  // What is longer would be cut off unseen.
  if (statedSize(stored) !== size) return null;
  try {
    const body = decompress(stored, new Uint8Array(size));
    return body.length === size ? body : null;
  } catch {
    return null;
  }
}

/** The size of the content that a Zstandard frame states (RFC 8878, 3.1.1.1.4), bytes; null when it states none. */
function statedSize(frame: Uint8Array): number | null {
  // The longest header, with zeros where the frame is shorter: such a frame does not decompress.
  const header = new Uint8Array(18);
  header.set(frame.subarray(0, 18));
  const view = new DataView(header.buffer);
  const descriptor = header[4]!;
  const single = (descriptor >> 5) & 1;
  const at = 5 + (single === 1 ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  switch (descriptor >> 6) {
    case 0:
      return single === 1 ? header[at]! : null;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/**
 * The same checks, for who passes the segment on and needs its header only. What is sealed or compressed is not looked
 * into.
 */
export function readSegmentHeader(
  bytes: Uint8Array,
): { readonly ok: true; readonly header: SegmentHeader } | SegmentError {
  const head = readHead(bytes);
  if (!head.ok) return head;
  const { header, from } = head;
  if (header.sealed || header.encoding !== undefined) return { ok: true, header };
  const counted = countEntries(bytes.subarray(from));
  if (!counted || from + counted.used !== bytes.length) {
    return fail("SEGMENT_MALFORMED", "an entry is cut off");
  }
  if (counted.entries !== header.count) return fail("COUNT_MISMATCH", "entries and header disagree");
  return { ok: true, header };
}

function readHead(
  bytes: Uint8Array,
): { readonly ok: true; readonly header: SegmentHeader; readonly from: number } | SegmentError {
  const sealed = isSealed(bytes);
  const limit = sealed ? MAX_STORED : MAX_SEGMENT;
  if (bytes.length > limit) return fail("SEGMENT_TOO_LARGE", `more than ${limit} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8 || (!sealed && view.getUint32(0) !== SEGMENT_MAGIC))
    return fail("SEGMENT_MALFORMED", "not a segment");
  const length = view.getUint32(4);
  if (length > MAX_HEADER || 8 + length > bytes.length) return fail("SEGMENT_MALFORMED", "header is cut off");
  const header = parseHeader(bytes.subarray(8, 8 + length));
  if (!header || sealed !== (header.sealed !== undefined))
    return fail("SEGMENT_MALFORMED", "header is not valid");
  return { ok: true, header, from: 8 + length };
}

/** Whether the bytes begin as a sealed segment does. */
export function isSealed(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) === SEALED_MAGIC;
}

function parseHeader(bytes: Uint8Array): SegmentHeader | null {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(decoder.decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object") return null;
  const { v, session, sequence, prev, frontend, backend, count, from, to, size, encoding, final, sealed } =
    value;
  const ok =
    v === 1 &&
    typeof session === "string" &&
    isCount(sequence) &&
    (prev === null ? sequence === 0 : isDigest(prev) && sequence > 0) &&
    isDirection(frontend) &&
    isDirection(backend) &&
    isCount(count) &&
    isCount(from) &&
    isCount(to) &&
    isCount(size) &&
    size <= MAX_BODY &&
    (encoding === undefined || encoding === "zstd") &&
    (final === undefined || typeof (final as { reason?: unknown } | null)?.reason === "string") &&
    (sealed === undefined || isKeyList(sealed));
  return ok ? (value as unknown as SegmentHeader) : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isKeyList(value: unknown): value is string[] {
  const isThumbprint = (one: unknown) => typeof one === "string" && /^[A-Za-z0-9_-]{43}$/.test(one);
  return (
    Array.isArray(value) && value.length > 0 && value.length <= MAX_AUDITORS && value.every(isThumbprint)
  );
}

function isDirection(value: unknown): value is DirectionState {
  const state = value as DirectionState | null;
  return (
    typeof state === "object" &&
    state !== null &&
    isCount(state.first) &&
    isCount(state.next) &&
    state.next >= state.first &&
    isDigest(state.root)
  );
}

/** Checks segments one after the other, in order of `sequence`: chain, numbers and roots. */
export class ChainVerifier {
  readonly session: string;
  readonly #roots: RecordingRoots;
  #sequence = 0;
  #prev: string | null = null;
  #final: { readonly reason: string } | null = null;

  constructor(session: string) {
    this.session = session;
    this.#roots = new RecordingRoots(session);
  }

  get roots(): RecordingRoots {
    return this.#roots;
  }

  /** Segments accepted so far. */
  get segments(): number {
    return this.#sequence;
  }

  /** Why the session ended; null until its final segment was accepted. */
  get final(): { readonly reason: string } | null {
    return this.#final;
  }

  /** Takes the next segment. After an error the verifier is of no more use. */
  next(bytes: Uint8Array): Segment | SegmentError {
    const segment = readSegment(bytes);
    if (!segment.ok) return { ...segment, message: `segment ${this.#sequence}: ${segment.message}` };
    const { header } = segment;
    const bad = (code: SegmentErrorCode, message: string) =>
      fail(code, `segment ${this.#sequence}: ${message}`);
    if (this.#final) return bad("AFTER_FINAL", "comes after the final one");
    if (header.session !== this.session) return bad("SESSION_MISMATCH", "is of another session");
    if (header.sequence !== this.#sequence) return bad("SEQUENCE_GAP", `found ${header.sequence} instead`);
    if (header.prev !== this.#prev) return bad("PREV_MISMATCH", "does not follow the one before it");
    for (const direction of ["frontend", "backend"] as const) {
      if (header[direction].first !== this.#roots[direction].count)
        return bad("NUMBER_GAP", `${direction} entries are missing before it`);
    }
    for (const entry of segment.entries) {
      if (!this.#roots.add(entry.kind, entry.bytes))
        return bad("SEGMENT_MALFORMED", "an elided entry is not valid");
    }
    for (const direction of ["frontend", "backend"] as const) {
      if (header[direction].next !== this.#roots[direction].count)
        return bad("COUNT_MISMATCH", `${direction} entries do not match the header`);
      if (header[direction].root !== this.#roots[direction].root)
        return bad("ROOT_MISMATCH", `${direction} entries were changed`);
    }
    this.#sequence += 1;
    this.#prev = digestOf(bytes);
    this.#final = header.final ?? null;
    return segment;
  }
}

/**
 * Checks sealed segments one after the other without a key, over the bytes that are stored: form, order, chain and
 * numbers. The roots are those that the headers state: that the sealed entries have them, only who opens them can see.
 */
export class SealedChain {
  readonly session: string;
  #last: SegmentHeader | null = null;
  #prev: string | null = null;

  constructor(session: string) {
    this.session = session;
  }

  /** The header of the last segment accepted. */
  get last(): SegmentHeader | null {
    return this.#last;
  }

  /** Takes the next segment. After an error the verifier is of no more use. */
  next(bytes: Uint8Array): { readonly ok: true; readonly header: SegmentHeader } | SegmentError {
    const sequence = this.#last ? this.#last.sequence + 1 : 0;
    const read = readSegmentHeader(bytes);
    const bad = (code: SegmentErrorCode, message: string) => fail(code, `segment ${sequence}: ${message}`);
    if (!read.ok) return bad(read.code, read.message);
    const { header } = read;
    if (!header.sealed) return bad("SEALING_MIXED", "is not sealed, as the others are");
    if (this.#last?.final) return bad("AFTER_FINAL", "comes after the final one");
    if (header.session !== this.session) return bad("SESSION_MISMATCH", "is of another session");
    if (header.sequence !== sequence) return bad("SEQUENCE_GAP", `found ${header.sequence} instead`);
    if (header.prev !== this.#prev) return bad("PREV_MISMATCH", "does not follow the one before it");
    let entries = 0;
    for (const direction of ["frontend", "backend"] as const) {
      const { first, next, root } = header[direction];
      const before = this.#last?.[direction] ?? null;
      if (first !== (before?.next ?? 0))
        return bad("NUMBER_GAP", `${direction} entries are missing before it`);
      if (before && first === next && root !== before.root)
        return bad("ROOT_MISMATCH", `${direction} has another root, but no entries`);
      entries += next - first;
    }
    if (entries > header.count) return bad("COUNT_MISMATCH", "entries and header disagree");
    this.#last = header;
    this.#prev = digestOf(bytes);
    return { ok: true, header };
  }
}

/** Verifies a whole recording. `NOT_FINAL` when everything is right but the end is missing. */
export function verifyChain(
  session: string,
  segments: Iterable<Uint8Array>,
):
  | { readonly ok: true; readonly roots: RecordingRoots; readonly segments: number; readonly reason: string }
  | SegmentError {
  const verifier = new ChainVerifier(session);
  for (const bytes of segments) {
    const result = verifier.next(bytes);
    if (!result.ok) return result;
  }
  const { final, roots } = verifier;
  if (!final)
    return fail("NOT_FINAL", `the recording ends after segment ${verifier.segments - 1} without an end`);
  return { ok: true, roots, segments: verifier.segments, reason: final.reason };
}

function fail(code: SegmentErrorCode, message: string): SegmentError {
  return { ok: false, code, message };
}
