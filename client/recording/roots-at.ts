/** The running roots of a recording at the numbers of messages that somebody else has named. */
import { type EntryKind, RecordingRoots, type SegmentHeader } from "../../wire/recording.ts";

const WAYS = ["frontend", "backend"] as const;

/** Numbers of messages, by direction. */
export interface Wanted {
  readonly frontend: readonly number[];
  readonly backend: readonly number[];
}

export class RootsAt {
  readonly found = { frontend: new Map<number, string>(), backend: new Map<number, string>() };
  readonly #roots: RecordingRoots;
  readonly #wanted: { readonly frontend: ReadonlySet<number>; readonly backend: ReadonlySet<number> };

  constructor(session: string, wanted: Wanted) {
    this.#roots = new RecordingRoots(session);
    this.#wanted = { frontend: new Set(wanted.frontend), backend: new Set(wanted.backend) };
    this.#note();
  }

  /** An entry that was read. */
  add(kind: EntryKind, bytes: Uint8Array): void {
    this.#roots.add(kind, bytes);
    this.#note();
  }

  /** What the header of a sealed segment states of the messages up to its end. */
  stated(header: SegmentHeader): void {
    for (const name of WAYS) {
      const { next, root } = header[name];
      if (this.#wanted[name].has(next)) this.found[name].set(next, root);
    }
  }

  #note(): void {
    for (const name of WAYS) {
      const running = this.#roots[name];
      if (this.#wanted[name].has(running.count) && !this.found[name].has(running.count))
        this.found[name].set(running.count, running.root);
    }
  }
}
