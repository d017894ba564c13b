/** What the segments of a bundle say for themselves: every hash is computed here, every gap is named. */
import type { RecordingRoots } from "../../wire/log/entry.ts";
import {
  ChainVerifier,
  digestOf,
  type EntryKind,
  readSegment,
  RecordingRoots as SessionRoots,
} from "../../wire/recording.ts";
import type { RecordingBundle } from "./bundle.ts";

/** What the segments themselves say, each hash computed here. */
export interface Examined {
  readonly session: string | null;
  readonly roots: RecordingRoots;
  /** Running roots after those numbers of messages that the edge has named, as far as there are so many. */
  readonly at: {
    readonly frontend: ReadonlyMap<number, string>;
    readonly backend: ReadonlyMap<number, string>;
  };
  readonly segments: number;
  readonly last: string | null;
  readonly problem: string | null;
}

/** Walks the segments in order. Every gap and every altered segment is named, not only the first. */
export function examineSegments(
  bundle: RecordingBundle,
  session: string | null,
  known: readonly RecordingRoots[],
): Examined {
  const problems: string[] = [];
  const present = bundle.sequences;
  const count = present.length === 0 ? 0 : present[present.length - 1]! + 1;
  const gaps = ranges(present, count);
  if (gaps) problems.push(`${gaps} missing`);
  let chain: ChainVerifier | null = null;
  let running: RunningRoots | null = null;
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
    const own = readSegment(bytes);
    chain ??= new ChainVerifier(session ?? (own.ok ? own.header.session : ""));
    running ??= new RunningRoots(chain.session, known);
    if (!broken) {
      const step = chain.next(bytes);
      if (!step.ok) {
        problems.push(`${step.message} (${step.code})${whereabouts(bytes)}`);
        broken = true;
      } else {
        for (const { kind, bytes: message } of step.entries) running.add(kind, message);
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
  if (!broken && !chain?.final) {
    problems.push(`the recording stops after segment ${count - 1} without an end: what followed is missing`);
  }
  const state = (name: "frontend" | "backend") => ({
    entries: chain?.roots[name].count ?? 0,
    root: chain?.roots[name].root ?? "",
  });
  return {
    session: chain?.session ?? null,
    roots: { frontend: state("frontend"), backend: state("backend") },
    at: running?.at ?? { frontend: new Map(), backend: new Map() },
    segments: count,
    last,
    problem: problems.length === 0 ? null : problems.join("; "),
  };
}

/** Both roots, remembered at the numbers of messages that were named. */
class RunningRoots {
  readonly at = { frontend: new Map<number, string>(), backend: new Map<number, string>() };
  readonly #roots: SessionRoots;
  readonly #wanted = { frontend: new Set<number>(), backend: new Set<number>() };

  constructor(session: string, known: readonly RecordingRoots[]) {
    this.#roots = new SessionRoots(session);
    for (const { frontend, backend } of known) {
      this.#wanted.frontend.add(frontend.entries);
      this.#wanted.backend.add(backend.entries);
    }
    this.#note("frontend");
    this.#note("backend");
  }

  add(kind: EntryKind, bytes: Uint8Array): void {
    this.#roots.add(kind, bytes);
    this.#note("frontend");
    this.#note("backend");
  }

  #note(name: "frontend" | "backend"): void {
    const running = this.#roots[name];
    const { count } = running;
    if (this.#wanted[name].has(count) && !this.at[name].has(count)) this.at[name].set(count, running.root);
  }
}

/** ` (messages 3–17 of the client, 5–20 of the database, 12:00:01–12:00:02)` of a segment that still reads. */
function whereabouts(bytes: Uint8Array): string {
  const segment = readSegment(bytes);
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
