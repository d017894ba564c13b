/** Bundles as an honest edge exports them, for the tests of the verifier. */
import { digestOf } from "../../policies/canonical.ts";
import { utf8 } from "../../wire/log/bytes.ts";
import { signCheckpoint } from "../../wire/log/checkpoint.ts";
import { encodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { hashChildren, hashLeaf, inclusionRanges, type Node, proofFrom } from "../../wire/log/merkle.ts";
import {
  formatSignatureLine,
  formatVerifierKey,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteSigner,
  noteSigner,
  parseNote,
  signNote,
} from "../../wire/log/note.ts";
import { formatProof } from "../../wire/log/proof.ts";
import { connectorKeyName, signStatement } from "../../wire/log/statement.ts";
import { TreeEdge } from "../../wire/log/tile.ts";
import { elide, type SealedSegment, SegmentWriter, digestOf as segmentDigest } from "../../wire/recording.ts";
import { INLINE } from "../../wire/recording-roots.ts";
import { type AuditorKey, sealSegment } from "../../wire/recording-seal.ts";
import { type BundleFiles, logFile, openBundle, openedFile, segmentFile } from "./bundle.ts";
import { trustedKeys } from "./proven-entries.ts";
import { type Check, type Report, verifyRecording } from "./verify.ts";
import { ZipError } from "./zip.ts";

export type Files = Map<string, Uint8Array>;

export async function newSigner(
  name: string,
  type: typeof NOTE_ED25519 | typeof NOTE_COSIGNATURE = NOTE_ED25519,
) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  return noteSigner(name, type, publicKey, pair.privateKey)!;
}

export const taskBody = { name: "refund-investigation", version: 1, rules: [] };
const task = { name: taskBody.name, digest: digestOf(taskBody) };

/**
 * A recording of `count` segments, each with a statement and two result frames; of 0, a note and the end. A frame with
 * a secret is left out; with `leaveOut` the second result frame of each segment is, too. Frames that are `large` count
 * in the roots by their hash.
 */
export function record(
  session: string,
  count: number,
  salt = "",
  reason = "CLIENT_CLOSED",
  {
    leaveOut = false,
    large = false,
    opened = { resource: "orders-db", task: task.name, digest: task.digest },
  } = {},
) {
  const writer = new SegmentWriter(session);
  const sealed: SealedSegment[] = [];
  for (let n = 0; n < count; n++) {
    const at = 1_790_000_000_000 + n * 1000;
    writer.add({ kind: "event", at, bytes: utf8(`{"t":"statement","n":${n}${salt}}`) });
    const [sent, ended] = [
      utf8(`Q select ${n}`),
      utf8(`C ${n}${large || leaveOut ? "x".repeat(INLINE) : ""}`),
    ];
    writer.add(
      n === 2
        ? { kind: "elided", at, bytes: elide("frontend", sent) }
        : { kind: "frontend", at, bytes: sent },
    );
    writer.add({ kind: "backend", at: at + 1, bytes: utf8(`D row ${n}`) });
    writer.add(
      leaveOut
        ? { kind: "elided", at: at + 2, bytes: elide("backend", ended) }
        : { kind: "backend", at: at + 2, bytes: ended },
    );
    const note = n === 0 ? { t: "opened", ...opened } : { note: "x" };
    writer.add({ kind: "note", at: at + 3, bytes: utf8(JSON.stringify(note)) });
    sealed.push(writer.seal(at + 3, n === count - 1 ? { reason } : undefined));
  }
  if (count === 0) {
    writer.add({ kind: "note", at: 1_790_000_000_000, bytes: utf8('{"note":"x"}') });
    sealed.push(writer.seal(1_790_000_000_000, { reason }));
  }
  const { frontend, backend } = writer.roots;
  const roots = {
    frontend: { entries: frontend.count, root: frontend.root },
    backend: { entries: backend.count, root: backend.root },
  };
  return { session, sealed, roots };
}

export interface Parties {
  readonly log: NoteSigner;
  readonly connector: NoteSigner;
  readonly witness: NoteSigner;
}
/** What is other than in the recording of a session that ended well. */
export interface MadeOptions {
  /** Segments with messages, 6 when left out. */
  readonly count?: number;
  /** In the last segment. */
  readonly reason?: string;
  readonly record?: Parameters<typeof record>[4];
  /** What the log says of the stored recording in an entry of its own, number 6; true: what was stored. */
  readonly complete?: true | { readonly segments: number; readonly last: string };
  /** Entries under a checkpoint that no witness has seen. */
  readonly uncosigned?: readonly number[];
  /** Other facts of the start. */
  readonly facts?: Partial<Extract<LogEntry, { type: "session.start" }>>;
  readonly start?: Partial<Extract<LogEntry, { type: "session.start" }>["recording"]>;
  readonly auditors?: readonly AuditorKey[];
  /** With a copy that an auditor opened. */
  readonly opened?: boolean;
  /** Instead of those that were recorded. */
  readonly segments?: readonly SealedSegment[];
}

/** The bundle's files of a session as an honest edge exports them, out of a log with other sessions around. */
export async function bundleOf(
  session: string,
  salt: string,
  by: Parties,
  ending: Partial<Extract<LogEntry, { type: "session.end" }>> = {},
  progress: Extract<LogEntry, { type: "session.progress" }>["roots"] | null = null,
  options: MadeOptions = {},
): Promise<Files> {
  const recording = record(session, options.count ?? 6, salt, options.reason, options.record);
  const stored = await storedForms(options.segments ?? recording.sealed, options.auditors ?? []);
  const last = { digest: segmentDigest(stored.at(-1)!) };
  const statement = await signStatement(
    { session, roots: recording.roots, segments: recording.sealed.length, last: last.digest },
    by.connector,
  );
  const start: LogEntry = {
    v: 1,
    type: "session.start",
    time: 1_790_000_000_000,
    session,
    actor: { issuer: "https://idp.example", subject: "tina" },
    task,
    policies: "ab".repeat(32),
    resource: "orders-db",
    connector: { name: "demo", key: formatVerifierKey(by.connector) },
    grant: "g_1",
    params: {},
    reason: "INC-7",
    approvals: [],
    recording: { level: "full", durability: "batched", onFailure: "terminate", ...options.start },
    ...options.facts,
  };
  const end: LogEntry = {
    v: 1,
    type: "session.end",
    time: 1_790_000_009_000,
    session,
    code: "CLIENT_CLOSED",
    roots: recording.roots,
    recording: { segments: recording.sealed.length, last: last.digest },
    connector: statement,
    ...ending,
  };
  const filler = (n: number): LogEntry => ({
    v: 1,
    type: "recording.read",
    time: n,
    session: "s_other",
    actor: { issuer: "i", subject: "s" },
  });
  const word: LogEntry = progress
    ? { v: 1, type: "session.progress", time: 1_790_000_005_000, session, roots: progress }
    : filler(4);
  const named = { segments: recording.sealed.length, last: last.digest };
  const { complete, uncosigned = [] } = options;
  const whole: LogEntry = {
    ...{ v: 1, type: "recording.complete", time: 1_790_000_009_500, session, connector: statement },
    recording: complete === true || complete === undefined ? named : complete,
  };
  const sixth = complete ? whole : filler(6);
  const entries = [filler(0), filler(1), start, filler(3), word, end, sixth].map((e) => encodeEntry(e)!);
  const which = [2, ...(progress ? [4] : []), 5, ...(complete ? [6] : [])];
  const files: Files = new Map([
    ["manifest.json", utf8("{}")],
    ["README.txt", utf8("read me")],
    ["task.json", utf8(JSON.stringify({ ...taskBody, digest: task.digest }))],
  ]);
  for (const [sequence, bytes] of stored.entries()) files.set(segmentFile(sequence), bytes);
  for (const { sequence, bytes } of options.opened ? recording.sealed : [])
    files.set(openedFile(sequence), bytes);
  for (const [index, proof] of await prove(entries, which, by, uncosigned)) {
    files.set(logFile(index, "entry"), entries[index]!);
    files.set(logFile(index, "tlog-proof"), proof);
  }
  return files;
}

/** The segments as they are stored: sealed, if there is somebody to seal them to. */
async function storedForms(
  segments: readonly SealedSegment[],
  auditors: readonly AuditorKey[],
): Promise<Uint8Array[]> {
  const stored: Uint8Array[] = [];
  for (const { bytes } of segments) {
    const before = stored.at(-1);
    const prev = before ? segmentDigest(before) : null;
    stored.push(auditors.length === 0 ? bytes : await sealSegment(bytes, prev, auditors));
  }
  return stored;
}

async function prove(
  entries: Uint8Array[],
  which: number[],
  by: Parties,
  uncosigned: readonly number[],
): Promise<[number, Uint8Array][]> {
  const edge = new TreeEdge();
  const leaves = entries.map(hashLeaf);
  for (const leaf of leaves) edge.append(leaf);
  const hashOf = ({ level, index }: Node): Uint8Array =>
    level === 0
      ? leaves[index]!
      : hashChildren(
          hashOf({ level: level - 1, index: 2 * index }),
          hashOf({ level: level - 1, index: 2 * index + 1 }),
        );
  const head = { origin: by.log.name, size: entries.length, root: edge.root(), extensions: [] };
  const bare = (await signCheckpoint(head, by.log))!;
  const cosignature = await signNote(parseNote(bare)!.text, by.witness, 1_790_000_010);
  const checkpoint = new Uint8Array([...bare, ...utf8(formatSignatureLine(cosignature))]);
  return which.map((index) => {
    const hashes = proofFrom(inclusionRanges(index, entries.length)!, hashOf);
    const under = uncosigned.includes(index) ? bare : checkpoint;
    return [index, formatProof({ index, hashes, checkpoint: under, extra: null })];
  });
}

export const asFiles = (files: Files): BundleFiles => ({
  names: [...files.keys()],
  read: (name, limit) => {
    const bytes = files.get(name);
    if (bytes && bytes.length > limit) throw new ZipError(`${name} is too large`);
    return bytes ?? null;
  },
});

export const keysOf = (...signers: NoteSigner[]) => {
  const read = trustedKeys(signers.map(formatVerifierKey));
  if (!read.ok) throw new Error(read.bad);
  return read.keys;
};
export const verifyWith = (
  files: Files,
  parties: Parties,
  keys = keysOf(parties.log, parties.connector, parties.witness),
  auditors: readonly AuditorKey[] = [],
) => verifyRecording(openBundle(asFiles(files)), keys, auditors);
export const failed = (report: Report) =>
  report.checks.filter((one) => one.verdict === "FAIL").map((one) => one.property);
export const of = (report: Report, property: Check["property"]) =>
  report.checks.find((one) => one.property === property)!;
/** A copy of the files, changed. */
export const changedFrom = (genuine: Files, change: (files: Files) => void) => {
  const files: Files = new Map([...genuine].map(([name, bytes]) => [name, bytes.slice()]));
  change(files);
  return files;
};
/** Flips one bit of one byte of a file. */
export const flip = (files: Files, name: string, at: number) => {
  const bytes = files.get(name)!;
  bytes[at] = bytes[at]! ^ (1 << (at % 8));
};

export async function newParties(): Promise<Parties> {
  return {
    log: await newSigner("edge.example/log"),
    connector: await newSigner(connectorKeyName("demo")),
    witness: await newSigner("witness.example/w1", NOTE_COSIGNATURE),
  };
}
