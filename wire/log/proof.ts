/** A proof that an entry is in a log, as one text that is verified without a network (C2SP tlog-proof). */
import { fromBase64, fromUtf8, hashFromBase64, parseCount, toBase64, utf8 } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { type Hash, hashLeaf, MAX_PROOF_LENGTH, verifyInclusion } from "./merkle.ts";
import { MAX_NOTE, type NoteVerifier, parseNote, type VerifiedSignature } from "./note.ts";

/** The parts of a proof; nothing is verified. */
export interface LogProof {
  /** Which entry, from 0. */
  readonly index: number;
  /** From the leaf's sibling up. */
  readonly hashes: readonly Hash[];
  /** The signed checkpoint, as the log issued it. */
  readonly checkpoint: Uint8Array;
  /** Free bytes that nothing authenticates; null = none. */
  readonly extra: Uint8Array | null;
}

export type CheckedProof =
  | {
      readonly ok: true;
      readonly checkpoint: Checkpoint;
      readonly verified: readonly VerifiedSignature[];
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

const HEADER = "c2sp.org/tlog-proof@v1";
const MAX_PROOF = MAX_NOTE + 128 * 1024;

/** The proof's text. */
export function formatProof(proof: LogProof): Uint8Array {
  const extra = proof.extra ? `extra ${toBase64(proof.extra)}\n` : "";
  const hashes = proof.hashes.map((hash) => `${toBase64(hash)}\n`).join("");
  const head = utf8(`${HEADER}\n${extra}index ${proof.index}\n${hashes}\n`);
  const whole = new Uint8Array(head.length + proof.checkpoint.length);
  whole.set(head);
  whole.set(proof.checkpoint, head.length);
  return whole;
}

/** Reads a proof, or null. The checkpoint in it is a note, but not verified. */
export function parseProof(bytes: Uint8Array): LogProof | null {
  if (bytes.length > MAX_PROOF) return null;
  const text = fromUtf8(bytes);
  const blank = text?.indexOf("\n\n") ?? -1;
  if (text === null || blank < 0) return null;
  const lines = text.slice(0, blank).split("\n");
  if (lines.shift() !== HEADER) return null;
  let extra: Uint8Array | null = null;
  if (lines[0]?.startsWith("extra ")) {
    extra = fromBase64(lines.shift()!.slice("extra ".length));
    if (!extra) return null;
  }
  const indexLine = lines.shift();
  const index = indexLine?.startsWith("index ") ? parseCount(indexLine.slice("index ".length)) : null;
  if (index === null || lines.length > MAX_PROOF_LENGTH) return null;
  const hashes: Hash[] = [];
  for (const line of lines) {
    const hash = hashFromBase64(line);
    if (!hash) return null;
    hashes.push(hash);
  }
  const checkpoint = utf8(text.slice(blank + 2));
  return parseNote(checkpoint) ? { index, hashes, checkpoint, extra } : null;
}

/** Whether the proof shows `entry` in the log whose key is given. Verifies witnesses' keys on the way. */
export async function checkProof(
  proof: LogProof,
  entry: Uint8Array,
  log: NoteVerifier,
  witnesses: readonly NoteVerifier[] = [],
): Promise<CheckedProof> {
  const opened = await openCheckpoint(proof.checkpoint, log, witnesses);
  if (!opened.ok) return opened;
  const { size, root } = opened.checkpoint;
  if (!verifyInclusion(proof.index, size, hashLeaf(entry), root, proof.hashes)) {
    const message = `the entry is not number ${proof.index} of the tree of ${size} entries`;
    return { ok: false, code: "PROOF_INVALID", message };
  }
  return { ok: true, checkpoint: opened.checkpoint, verified: opened.verified };
}
