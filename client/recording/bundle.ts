/**
 * A recording's bundle: everything that proves it, in one zip file that is verified without a network.
 *
 *     manifest.json               what is in here; a convenience, nothing rests on it
 *     README.txt                  how to verify
 *     segments/00000000.wgr …     the recording (`wire/recording.ts`), in order
 *     opened/00000000.wgr …       of a sealed recording: what an auditor's key opened, for readers without it
 *     log/000000000012.entry      the log's entries about the session, by their numbers there
 *     log/000000000012.tlog-proof … with their proofs (C2SP tlog-proof), each with a signed checkpoint
 *     statement.note              the connector's statement (`wire/log/statement.ts`), if it came after the end
 *     task.json                   the task that the session ran, canonical, without its digest
 */
import { MAX_STORED } from "../../wire/recording.ts";
import { ZipError, ZipReader } from "./zip.ts";

/** Largest file of each kind, bytes. */
const LIMITS = {
  segment: MAX_STORED,
  entry: 65_535,
  proof: 256 * 1024,
  note: 64 * 1024,
  json: 16 * 1024 * 1024,
};
/** Bytes of the log's entries and proofs together: a word every 30 seconds for months has room. */
const MAX_LOG = 128 * 1024 * 1024;
/** Files that are named as broken or foreign; more are counted. */
const NAMED = 20;

/** `manifest.json`. Keys in it are hints for a reader's eyes: the verifier takes keys from its command line. */
export interface Manifest {
  readonly v: 1;
  readonly format: "wicketgate.recording";
  readonly session: string;
  /** When the bundle was made, milliseconds since 1970. */
  readonly exported: number;
  readonly segments: readonly { readonly sequence: number; readonly size: number; readonly digest: string }[];
  readonly entries: readonly { readonly index: number; readonly type: string }[];
  readonly keys: readonly string[];
}

/** What a bundle is read through: files by name. */
export interface BundleFiles {
  readonly names: readonly string[];
  /** At most `limit` bytes; null when there is no such file. Throws `ZipError`. */
  read(name: string, limit: number): Uint8Array | null;
}

/** A file that could not be read, with the reason. */
export interface BrokenFile {
  readonly name: string;
  readonly message: string;
}

export interface LogPart {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly proof: Uint8Array;
}

/** A bundle taken apart; nothing is verified. */
export interface RecordingBundle {
  /** Numbers of the segments that are there, ascending. */
  readonly sequences: readonly number[];
  /** A segment's bytes; null when it is missing or broken. */
  segment(sequence: number): Uint8Array | null;
  /** What an auditor opened of a sealed segment; null when the bundle has no such copy. */
  opened(sequence: number): Uint8Array | null;
  readonly log: readonly LogPart[];
  readonly statement: Uint8Array | null;
  readonly task: Uint8Array | null;
  /** Files that belong to no part of the format. */
  readonly strangers: readonly string[];
  /** Grows as files are read. */
  readonly broken: readonly BrokenFile[];
}

export function segmentFile(sequence: number): string {
  return `segments/${String(sequence).padStart(8, "0")}.wgr`;
}

export function openedFile(sequence: number): string {
  return `opened/${String(sequence).padStart(8, "0")}.wgr`;
}

export function logFile(index: number, kind: "entry" | "tlog-proof"): string {
  return `log/${String(index).padStart(12, "0")}.${kind}`;
}

/** The text of `README.txt`. */
export const BUNDLE_README = `This is the recording of one session of Wicketgate, with the proofs that it is whole and unaltered.

  wicket recording verify THIS.zip --key KEY [--key KEY ...]

checks it without a network. Keys are the log's, the connector's and, if there are any, the witnesses' public
keys, one line each (NAME+ID+BASE64). Take them from where you trust them, not from manifest.json.

A sealed recording can be checked without a key of its auditors. To read it, and to hold what is in it against its
hashes: wicket recording verify THIS.zip --key KEY ... --key-file auditor.jwk, and wicket play THIS.zip --key-file auditor.jwk
`;

/** Takes a bundle apart. Damage of single files is told in `broken`, so that the rest can still be examined. */
export function openBundle(files: BundleFiles): RecordingBundle {
  const broken: BrokenFile[] = [];
  const told = new Set<string>();
  const read = (name: string, limit: number): Uint8Array | null => {
    try {
      return files.read(name, limit);
    } catch (error) {
      if (!(error instanceof ZipError)) throw error;
      if (!told.has(name)) broken.push({ name, message: error.message });
      told.add(name);
      return null;
    }
  };
  const strangers: string[] = [];
  const sequences: number[] = [];
  const indexes: number[] = [];
  const known = new Set(["manifest.json", "README.txt", "statement.note", "task.json"]);
  const { names } = files;
  const there = new Set(names);
  for (const name of names) {
    const segment = /^segments\/([0-9]{8})\.wgr$/.exec(name);
    const entry = /^log\/([0-9]{12})\.entry$/.exec(name);
    const proof = /^log\/([0-9]{12})\.tlog-proof$/.exec(name);
    const copy = /^opened\/([0-9]{8})\.wgr$/.exec(name);
    if (segment) sequences.push(Number(segment[1]));
    else if (copy && there.has(segmentFile(Number(copy[1])))) continue;
    else if (entry) indexes.push(Number(entry[1]));
    else if (proof && there.has(logFile(Number(proof[1]), "entry"))) continue;
    else if (!known.has(name)) strangers.push(name);
  }
  const log: LogPart[] = [];
  let size = 0;
  for (const index of indexes.sort((a, b) => a - b)) {
    const entry = read(logFile(index, "entry"), LIMITS.entry);
    const proof = read(logFile(index, "tlog-proof"), LIMITS.proof);
    size += (entry?.length ?? 0) + (proof?.length ?? 0);
    if (size > MAX_LOG) {
      broken.push({
        name: logFile(index, "entry"),
        message: `more than ${MAX_LOG} bytes of entries and proofs`,
      });
      break;
    }
    if (entry && proof) log.push({ index, entry, proof });
    else if (entry) broken.push({ name: logFile(index, "tlog-proof"), message: "is missing or damaged" });
  }
  return {
    sequences: sequences.sort((a, b) => a - b),
    segment: (sequence) => read(segmentFile(sequence), LIMITS.segment),
    opened: (sequence) => read(openedFile(sequence), LIMITS.segment),
    log,
    statement: read("statement.note", LIMITS.note),
    task: read("task.json", LIMITS.json),
    strangers,
    broken,
  };
}

/** What is wrong with the files of a bundle, in words; null when every file reads and belongs there. */
export function filesProblem({ broken, strangers }: RecordingBundle): string | null {
  const faults = [
    ...broken.map(({ name, message }) => `${name}: ${message}`),
    ...strangers.map((name) => `${name} does not belong in a bundle`),
  ];
  if (faults.length === 0) return null;
  const more = faults.length > NAMED ? [`and ${faults.length - NAMED} more`] : [];
  return [...faults.slice(0, NAMED), ...more].join("; ");
}

/** Opens a bundle's zip file. Throws `ZipError` when it is none. */
export function openBundleFile(path: string): { bundle: RecordingBundle; close(): void } {
  const zip = new ZipReader(path);
  return { bundle: openBundle(zip), close: () => zip.close() };
}
