/**
 * What the segments of a bundle say for themselves: every hash is computed here, every gap is named. Of a sealed
 * recording this is said over what is stored; with a key, or an opened copy, over its entries too.
 */
import type { RecordingRoots } from "../../wire/log/entry.ts";
import {
  ChainVerifier,
  digestOf,
  isSealed,
  readSegmentHeader,
  SealedChain,
  type Segment,
  type SegmentError,
  type SegmentHeader,
} from "../../wire/recording.ts";
import { type AuditorKey, openSegment, sameSegment } from "../../wire/recording-seal.ts";
import type { RecordingBundle } from "./bundle.ts";
import { RootsAt, type Wanted } from "./roots-at.ts";

/** What the segments themselves say, each hash computed here. */
export interface Examined {
  readonly session: string | null;
  readonly roots: RecordingRoots;
  /** Running roots after those numbers of messages that the edge has named, as far as they are known here. */
  readonly at: {
    readonly frontend: ReadonlyMap<number, string>;
    readonly backend: ReadonlyMap<number, string>;
  };
  readonly segments: number;
  readonly last: string | null;
  /** Why the recording ended, as its last segment says. */
  readonly reason: string | null;
  readonly problem: string | null;
  /** Of a sealed recording. */
  readonly sealed: Sealed | null;
}

/** What is known of what is sealed. */
export interface Sealed {
  /** The auditors' keys, by thumbprint. */
  readonly to: readonly string[];
  /** Whether the entries were read here; what they show that is wrong, or what kept them from being read. */
  readonly contents: "read" | "unread" | "wrong";
  readonly detail: string;
}

/** Walks the segments in order. Every gap and every altered segment is named, not only the first. */
export async function examineSegments(
  bundle: RecordingBundle,
  session: string | null,
  wanted: Wanted,
  auditors: readonly AuditorKey[] = [],
): Promise<Examined> {
  const problems: string[] = [];
  const present = bundle.sequences;
  const count = present.length === 0 ? 0 : present[present.length - 1]! + 1;
  const gaps = ranges(present, count);
  if (gaps) problems.push(`${gaps} missing`);
  let walk: Walk | null = null;
  let broken = count === 0 || gaps !== null;
  let previous: string | null = null;
  let last: string | null = null;
  for (const sequence of present) {
    const bytes = bundle.segment(sequence);
    if (!bytes) {
      problems.push(`segment ${sequence} cannot be read`);
      broken = true;
      previous = null;
      continue;
    }
    const own = readSegmentHeader(bytes);
    walk ??= new Walk(session ?? (own.ok ? own.header.session : ""), isSealed(bytes), wanted);
    if (!broken) {
      const step = await walk.next(bytes, bundle.opened(sequence), auditors);
      if (!step.ok) {
        problems.push(`${step.message} (${step.code})${whereabouts(bytes)}`);
        broken = true;
      }
    } else if (!own.ok) {
      problems.push(`segment ${sequence}: ${own.message} (${own.code})`);
    } else if (previous !== null && own.header.prev !== previous) {
      problems.push(`segment ${sequence}: does not follow the one before it${whereabouts(bytes)}`);
    } else if (own.header.sequence !== sequence) {
      problems.push(`segment ${sequence}: says that it is ${own.header.sequence}`);
    }
    previous = last = digestOf(bytes);
  }
  if (count === 0) problems.push("there is no segment");
  if (!broken && walk?.reason === null) {
    problems.push(`the recording stops after segment ${count - 1} without an end: what followed is missing`);
  }
  const nothing = { entries: 0, root: "" };
  return {
    session: walk?.session ?? null,
    roots: walk?.roots ?? { frontend: nothing, backend: nothing },
    at: walk?.at ?? { frontend: new Map(), backend: new Map() },
    segments: count,
    last,
    reason: walk?.reason ?? null,
    problem: problems.length === 0 ? null : problems.join("; "),
    sealed: walk?.sealed(broken) ?? null,
  };
}

/** The segments of one recording, as they are stored and, where they can be read, by their entries. */
class Walk {
  readonly session: string;
  readonly #stored: SealedChain | null;
  readonly #entries: ChainVerifier;
  readonly #at: RootsAt;
  #header: SegmentHeader | null = null;
  /** Why the entries of a sealed recording were not read, or what is wrong with them. */
  #unread: string | null = null;
  #wrong: string | null = null;

  constructor(session: string, sealed: boolean, wanted: Wanted) {
    this.session = session;
    this.#stored = sealed ? new SealedChain(session) : null;
    this.#entries = new ChainVerifier(session);
    this.#at = new RootsAt(session, wanted);
  }

  async next(
    bytes: Uint8Array,
    copy: Uint8Array | null,
    auditors: readonly AuditorKey[],
  ): Promise<{ readonly ok: true } | SegmentError> {
    if (!this.#stored) return this.#read(bytes);
    const step = this.#stored.next(bytes);
    if (!step.ok) return step;
    this.#header = step.header;
    this.#at.stated(step.header);
    if (this.#unread !== null || this.#wrong !== null) return step;
    const opened = await open(bytes, step.header, copy, auditors);
    const where = `segment ${step.header.sequence}`;
    if (opened.ok) {
      const read = this.#read(opened.bytes);
      if (!read.ok) this.#wrong = `the sealed ${read.message}`;
    } else if (opened.known) this.#wrong = `${where} ${opened.message}`;
    else this.#unread = `${where} ${opened.message}`;
    return step;
  }

  #read(bytes: Uint8Array): Segment | SegmentError {
    const step = this.#entries.next(bytes);
    if (!step.ok) return step;
    if (!this.#stored) this.#header = step.header;
    for (const { kind, bytes: message } of step.entries) this.#at.add(kind, message);
    return step;
  }

  get roots(): RecordingRoots {
    const state = (name: "frontend" | "backend") => {
      // Of a plain recording these are the hashes computed here, which its headers have to equal.
      const { next, root } = this.#header?.[name] ?? {};
      const { count, root: start } = this.#entries.roots[name];
      return { entries: next ?? count, root: root ?? start };
    };
    return { frontend: state("frontend"), backend: state("backend") };
  }

  get at() {
    return this.#at.found;
  }

  get reason(): string | null {
    return this.#header?.final?.reason ?? null;
  }

  sealed(broken: boolean): Sealed | null {
    if (!this.#stored) return null;
    const to = this.#header?.sealed ?? [];
    if (this.#wrong !== null) return { to, contents: "wrong", detail: this.#wrong };
    const unread = this.#unread ?? (broken ? "the segments are not whole" : null);
    return { to, contents: unread === null ? "read" : "unread", detail: unread ?? "" };
  }
}

/** The segment inside a sealed one, by a key or from an opened copy. `known`: what is wrong is not only the key. */
async function open(
  bytes: Uint8Array,
  header: SegmentHeader,
  copy: Uint8Array | null,
  auditors: readonly AuditorKey[],
): Promise<{ ok: true; bytes: Uint8Array } | { ok: false; known: boolean; message: string }> {
  const key = auditors.find((one) => header.sealed?.includes(one.id));
  if (key) {
    const opened = await openSegment(bytes, key);
    return opened.ok ? opened : { ok: false, known: opened.code !== "KEY_UNKNOWN", message: opened.message };
  }
  if (!copy) {
    const message = auditors.length === 0 ? "was not opened: no key was given" : "is sealed to other keys";
    return { ok: false, known: false, message };
  }
  const read = readSegmentHeader(copy);
  if (read.ok && sameSegment(header, read.header)) return { ok: true, bytes: copy };
  return { ok: false, known: true, message: "has an opened copy that is another segment" };
}

/** ` (messages 3–17 of the client, 5–20 of the database, 12:00:01–12:00:02)` of a segment that still reads. */
function whereabouts(bytes: Uint8Array): string {
  const segment = readSegmentHeader(bytes);
  if (!segment.ok) return "";
  const { frontend, backend, from, to } = segment.header;
  const clock = (at: number) => (at < 8.64e15 ? new Date(at).toISOString() : String(at));
  return ` [to the database ${frontend.first}\u2013${frontend.next - 1}, from it ${backend.first}\u2013${backend.next - 1}, ${clock(from)} to ${clock(to)}]`;
}

/** `segments 3–5, 9` of those that are not present below `count`; null when none is missing. */
function ranges(present: readonly number[], count: number): string | null {
  const parts: string[] = [];
  let expected = 0;
  for (const sequence of [...present, count]) {
    if (sequence > expected) {
      parts.push(sequence - 1 === expected ? `${expected}` : `${expected}\u2013${sequence - 1}`);
    }
    expected = sequence + 1;
  }
  return parts.length === 0 ? null : `segment ${parts.join(", ")}`;
}
