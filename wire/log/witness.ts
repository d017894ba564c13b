/** What a log and a witness say to each other (C2SP tlog-witness, add-checkpoint). */

import { concat } from "../bytes.ts";
import { fromUtf8, hashFromBase64, parseCount, toBase64, utf8 } from "./bytes.ts";
import { type Hash, MAX_PROOF_LENGTH } from "./merkle.ts";
import { MAX_NOTE, parseNote } from "./note.ts";

/** Asks a witness to cosign a checkpoint that extends the tree of `oldSize`. */
export interface AddCheckpoint {
  readonly oldSize: number;
  readonly proof: readonly Hash[];
  /** The signed checkpoint. */
  readonly checkpoint: Uint8Array;
}

/** Content type of a witness's 409 answer, whose body is the size that it has, in decimal. */
export const TREE_SIZE_TYPE = "text/x.tlog.size";
/** Longest request, bytes. */
export const MAX_ADD_CHECKPOINT = MAX_NOTE + 4096;

/** The body of a request. */
export function formatAddCheckpoint(request: AddCheckpoint): Uint8Array {
  const proof = request.proof.map((hash) => `${toBase64(hash)}\n`).join("");
  return concat([utf8(`old ${request.oldSize}\n${proof}\n`), request.checkpoint]);
}

/** Reads a request, or null. The checkpoint in it is a note, but not verified. */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint | null {
  if (bytes.length > MAX_ADD_CHECKPOINT) return null;
  const text = fromUtf8(bytes);
  const blank = text?.indexOf("\n\n") ?? -1;
  if (text === null || blank < 0) return null;
  const [first, ...lines] = text.slice(0, blank).split("\n");
  const oldSize = first?.startsWith("old ") ? parseCount(first.slice("old ".length)) : null;
  if (oldSize === null || lines.length > MAX_PROOF_LENGTH) return null;
  const proof: Hash[] = [];
  for (const line of lines) {
    const hash = hashFromBase64(line);
    if (!hash) return null;
    proof.push(hash);
  }
  const checkpoint = utf8(text.slice(blank + 2));
  return parseNote(checkpoint) ? { oldSize, proof, checkpoint } : null;
}
