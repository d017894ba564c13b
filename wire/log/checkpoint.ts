/** Checkpoints (C2SP tlog-checkpoint): a log's name, its size and its root, in a signed note. */
import { equalBytes, hashFromBase64, isCount, parseCount, toBase64 } from "./bytes.ts";
import { EMPTY_ROOT, type Hash } from "./merkle.ts";
import {
  formatNote,
  NOTE_ED25519,
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  openNote,
  signNote,
  type VerifiedSignature,
} from "./note.ts";

/** What a checkpoint says. */
export interface Checkpoint {
  /** Which log: a URL without scheme, for ours `<host>/log`. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Further lines; ours has none. */
  readonly extensions: readonly string[];
}

export type OpenedCheckpoint =
  | {
      readonly ok: true;
      readonly checkpoint: Checkpoint;
      readonly text: string;
      /** The log's own signature first, then those of witnesses. */
      readonly verified: readonly VerifiedSignature[];
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The note's text, or null when a part cannot be in one. */
export function formatCheckpoint(checkpoint: Checkpoint): string | null {
  const lines = [
    checkpoint.origin,
    String(checkpoint.size),
    toBase64(checkpoint.root),
    ...checkpoint.extensions,
  ];
  const text = `${lines.join("\n")}\n`;
  const back = parseCheckpoint(text);
  return back && back.origin === checkpoint.origin && isCount(checkpoint.size) ? text : null;
}

/** What a checkpoint's text says, or null. Verify its note first: `openCheckpoint`. */
export function parseCheckpoint(text: string): Checkpoint | null {
  if (!text.endsWith("\n")) return null;
  const [origin, sizeText, rootText, ...extensions] = text.slice(0, -1).split("\n");
  if (!origin || sizeText === undefined || rootText === undefined || extensions.includes("")) return null;
  const size = parseCount(sizeText);
  const root = hashFromBase64(rootText);
  if (size === null || root === null) return null;
  if (size === 0 && !equalBytes(root, EMPTY_ROOT)) return null;
  return { origin, size, root, extensions };
}

/** A signed checkpoint: the note's bytes. Null when its parts cannot be in one. */
export async function signCheckpoint(
  checkpoint: Checkpoint,
  signer: NoteSigner,
  cosignatures: readonly NoteSignature[] = [],
): Promise<Uint8Array | null> {
  const text = formatCheckpoint(checkpoint);
  if (text === null) return null;
  return formatNote(text, [await signNote(text, signer), ...cosignatures]);
}

/**
 * Reads a checkpoint and verifies it by the log's key, whose name has to be the origin, and by whichever
 * witness keys are given. A bad signature by any of these keys refuses it.
 */
export async function openCheckpoint(
  bytes: Uint8Array,
  log: NoteVerifier,
  witnesses: readonly NoteVerifier[] = [],
): Promise<OpenedCheckpoint> {
  if (log.type !== NOTE_ED25519) return refused("CHECKPOINT_KEY", "the log's key is not an Ed25519 note key");
  const note = await openNote(bytes, [log, ...witnesses]);
  if (!note.ok) return note;
  const own = note.verified.find((one) => one.verifier === log);
  if (!own) return refused("CHECKPOINT_UNSIGNED", "the log's own key has not signed the checkpoint");
  const checkpoint = parseCheckpoint(note.text);
  if (!checkpoint) return refused("CHECKPOINT_MALFORMED", "the note is not a checkpoint");
  if (checkpoint.origin !== log.name) {
    return refused("CHECKPOINT_ORIGIN", `the checkpoint is of ${checkpoint.origin}, not of ${log.name}`);
  }
  const others = note.verified.filter((one) => one !== own);
  return { ok: true, checkpoint, text: note.text, verified: [own, ...others] };
}

function refused(code: string, message: string): OpenedCheckpoint {
  return { ok: false, code, message };
}
