/**
 * What the segments of a bundle say for themselves: every hash is computed here, every gap is named. Of a sealed
 * recording this is said over what is stored; with a key, or an opened copy, over its entries too.
 */
import type { RecordingRoots } from "../../wire/log/entry.ts";
import {
  ChainVerifier,
  digestOf,
  isSealed,
  readElided,
  readSegmentHeader,
  SealedChain,
  type Segment,
  type SegmentError,
  type SegmentHeader,
} from "../../wire/recording.ts";
import { type AuditorKey, openSegment, sameSegment } from "../../wire/recording-seal.ts";
import type { RecordingBundle } from "./bundle.ts";
import { RootsAt, type Wanted } from "./roots-at.ts";

/** Problems that are told one by one. */
const TOLD = 50;

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
  /** The chain was not followed to the last segment: the roots are those of its beginning. */
  readonly broken: boolean;
  /** Of a sealed recording. */
  readonly sealed: Sealed | null;
  /** Messages from the database of which only the hash is recorded, as far as entries were read. */
  readonly leftOut: number;
  /** What the connector noted when it opened the session; null when nothing was read of it. */
  readonly opened: OpenedNote | null;
}

/** What the connector was asked to open. */
export interface OpenedNote {
  readonly resource: unknown;
  readonly task: unknown;
  /** The task's. */
  readonly digest: unknown;
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
  const gaps = holes(present).map(([from, to]) => {
    const which = from === to ? `${from}` : `${from}\u2013${to}`;
    return `segment ${which} missing${between(bundle.segment(from - 1), bundle.segment(to + 1))}`;
  });
  problems.push(...gaps);
  let walk: Walk | null = null;
  let broken = count === 0 || gaps.length > 0;
  let previous: string | null = null;
  let last: string | null = null;
  for (const [at, sequence] of present.entries()) {
    // After a hole there is nothing to compare with.
    if (sequence !== (present[at - 1] ?? -1) + 1) previous = null;
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
    problem: problems.length === 0 ? null : told(problems).join("; "),
    broken,
    sealed: walk?.sealed(broken) ?? null,
    leftOut: walk?.leftOut ?? 0,
    opened: walk?.opened ?? null,
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
  leftOut = 0;
  opened: OpenedNote | null = null;

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
    for (const { kind, bytes: message } of step.entries) {
      this.#at.add(kind, message);
      if (kind === "elided" && readElided(message)?.kind === "backend") this.leftOut += 1;
      else if (kind === "note") this.opened ??= openedNote(message);
    }
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

function openedNote(bytes: Uint8Array): OpenedNote | null {
  try {
    const note = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown> | null;
    if (note?.["t"] !== "opened") return null;
    return { resource: note["resource"], task: note["task"], digest: note["digest"] };
  } catch {
    return null;
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

/** ` [to the database 3–17, from it 5–20, 12:00:01 to 12:00:02]` of a segment that still reads. */
function whereabouts(bytes: Uint8Array): string {
  const segment = readSegmentHeader(bytes);
  if (!segment.ok) return "";
  const { frontend, backend, from, to } = segment.header;
  return ` [to the database ${span(frontend.first, frontend.next)}, from it ${span(backend.first, backend.next)}, ${dateWords(from)} to ${dateWords(to)}]`;
}

/** The same of what stood between two segments, as far as these read. `before` is null at the beginning. */
function between(before: Uint8Array | null, after: Uint8Array | null): string {
  const [left, right] = [before && readSegmentHeader(before), after && readSegmentHeader(after)];
  if (!right?.ok || (left && !left.ok)) return "";
  const from = left ? left.header : null;
  const { frontend, backend } = right.header;
  const messages = `to the database ${span(from?.frontend.next ?? 0, frontend.first)}, from it ${span(from?.backend.next ?? 0, backend.first)}`;
  const since = from ? `${dateWords(from.to)} to ` : "until ";
  return ` [${messages}, ${since}${dateWords(right.header.from)}]`;
}

/** `to the database 9–17, from it 12–23`: the messages after one state up to another. */
export function messageWords(after: RecordingRoots, upTo: RecordingRoots): string {
  const of = (way: "frontend" | "backend") => span(after[way].entries, upTo[way].entries);
  return `to the database ${of("frontend")}, from it ${of("backend")}`;
}

function span(first: number, next: number): string {
  return next > first ? `${first}\u2013${next - 1}` : "none";
}

/** A time of a recording, which may be no date. */
export function dateWords(at: number): string {
  return at <= 8.64e15 ? new Date(at).toISOString() : `${at} ms`;
}

/** The first of many problems, and how many more there are. */
function told(problems: readonly string[]): string[] {
  if (problems.length <= TOLD) return [...problems];
  return [...problems.slice(0, TOLD), `and ${problems.length - TOLD} more`];
}

/** First and last number of each run that is missing below the last one. */
function holes(present: readonly number[]): [from: number, to: number][] {
  const found: [number, number][] = [];
  let expected = 0;
  for (const sequence of present) {
    if (sequence > expected) found.push([expected, sequence - 1]);
    expected = sequence + 1;
  }
  return found;
}
