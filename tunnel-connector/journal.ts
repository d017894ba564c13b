/**
 * The journal of a recording: the entries of the segment that is being gathered, on disk. One line of JSON (session,
 * number of the segment, time of its first entry, where the running roots stood before it), then entries as they stand
 * in a segment (wire/recording.ts).
 */
import { readFileSync, statSync } from "node:fs";
import {
  MAX_SEGMENT,
  type RecordingEntry,
  type RootState,
  type RootStates,
  readEntries,
} from "../wire/recording.ts";

/** What the first line says. */
export interface JournalHead {
  readonly session: string;
  /** Of the segment. */
  readonly sequence: number;
  /** Time of its first entry, milliseconds since the epoch. */
  readonly from: number;
  /** Before its first entry. */
  readonly roots: RootStates;
}

/** What a journal holds: its whole entries, when it is of the segment that was asked for. */
export interface Journal {
  readonly entries: readonly RecordingEntry[];
  /** Null when there are no entries. */
  readonly roots: RootStates | null;
  /** Bytes of an entry that was cut off. */
  readonly torn: number;
  /** Bytes of the file. */
  readonly size: number;
}

interface SpelledState {
  readonly count: number;
  /** Base64. */
  readonly folded: string;
  readonly gathered: string;
}

/** The first line, with its end. */
export function journalHead({ session, sequence, from, roots }: JournalHead): Uint8Array {
  const spelled = ({ count, folded, gathered }: RootState): SpelledState => {
    if (gathered === null) throw new RangeError("these roots cannot be gone on from");
    return { count, folded: base64(folded), gathered: base64(gathered) };
  };
  const { frontend, backend } = roots;
  const states = { frontend: spelled(frontend), backend: spelled(backend) };
  return Buffer.from(`${JSON.stringify({ v: 2, session, sequence, from, roots: states })}\n`);
}

/** Reads the journal of a segment. Throws when the file is no journal; one that is cut off or not there is none. */
export function readJournal(path: string, sequence: number): Journal {
  let bytes: Uint8Array;
  try {
    if (statSync(path).size > 2 * MAX_SEGMENT) throw new Error("the journal is too large");
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { entries: [], roots: null, torn: 0, size: 0 };
    throw error;
  }
  const size = bytes.length;
  const nothing = { entries: [], roots: null, size };
  const end = bytes.indexOf(0x0a);
  if (end < 0) return { ...nothing, torn: size };
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as {
    readonly v: number;
    readonly sequence: number;
    readonly from: number;
    readonly roots: { readonly frontend: SpelledState; readonly backend: SpelledState };
  };
  // Of a segment that was sealed just before the crash.
  if (head.sequence !== sequence) return { ...nothing, torn: 0 };
  if (head.v !== 2) throw new Error("the journal is of another version of the connector");
  const read = readEntries(bytes.subarray(end + 1), head.from);
  if (!read) throw new Error("the journal is damaged");
  const state = ({ count, folded, gathered }: SpelledState): RootState => ({
    ...{ count, folded: Buffer.from(folded, "base64"), gathered: Buffer.from(gathered, "base64") },
  });
  const roots = { frontend: state(head.roots.frontend), backend: state(head.roots.backend) };
  return { entries: read.entries, roots, torn: size - end - 1 - read.used, size };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
