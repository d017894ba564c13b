/** Reading recordings back: one segment, and the chain that they make. The format is in recording.ts. */
import {
  countEntries,
  type DirectionState,
  digestOf,
  MAX_HEADER,
  MAX_SEGMENT,
  type RecordingEntry,
  RecordingRoots,
  readEntries,
  SEGMENT_MAGIC,
  type SegmentHeader,
} from "./recording.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type SegmentErrorCode =
  | "SEGMENT_TOO_LARGE"
  | "SEGMENT_MALFORMED"
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
  const read = readEntries(bytes.subarray(from), header.from);
  if (!read || from + read.used !== bytes.length) return fail("SEGMENT_MALFORMED", "an entry is cut off");
  if (read.entries.length !== header.count) return fail("COUNT_MISMATCH", "entries and header disagree");
  return { ok: true, header, entries: read.entries };
}

/** The same checks, for who passes the segment on and needs its header only. */
export function readSegmentHeader(
  bytes: Uint8Array,
): { readonly ok: true; readonly header: SegmentHeader } | SegmentError {
  const head = readHead(bytes);
  if (!head.ok) return head;
  const { header, from } = head;
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
  if (bytes.length > MAX_SEGMENT) return fail("SEGMENT_TOO_LARGE", `more than ${MAX_SEGMENT} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8 || view.getUint32(0) !== SEGMENT_MAGIC)
    return fail("SEGMENT_MALFORMED", "not a segment");
  const length = view.getUint32(4);
  if (length > MAX_HEADER || 8 + length > bytes.length) return fail("SEGMENT_MALFORMED", "header is cut off");
  const header = parseHeader(bytes.subarray(8, 8 + length));
  if (!header) return fail("SEGMENT_MALFORMED", "header is not valid");
  return { ok: true, header, from: 8 + length };
}

function parseHeader(bytes: Uint8Array): SegmentHeader | null {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(decoder.decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object") return null;
  const { v, session, sequence, prev, frontend, backend, count, from, to, final } = value;
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
    (final === undefined || typeof (final as { reason?: unknown } | null)?.reason === "string");
  return ok ? (value as unknown as SegmentHeader) : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
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
