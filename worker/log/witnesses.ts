/** Asks witnesses to cosign a checkpoint (C2SP tlog-witness, add-checkpoint). */

import { concat } from "../../wire/bytes.ts";
import { fromUtf8, parseCount, utf8 } from "../../wire/log/bytes.ts";
import {
  formatSignatureLine,
  NOTE_COSIGNATURE,
  type NoteVerifier,
  parseNote,
  parseSignatureLines,
  parseVerifierKey,
  verifySignature,
} from "../../wire/log/note.ts";
import { formatAddCheckpoint, TREE_SIZE_TYPE } from "../../wire/log/witness.ts";
import { type LogStore, proveConsistency } from "./store.ts";

/** A witness that is asked. */
export interface Witness {
  /** Its submission prefix. */
  readonly url: string;
  readonly key: NoteVerifier;
}

/** What is remembered of witnesses between rounds. */
export interface WitnessMemory {
  readonly store: LogStore;
  sizeAt(name: string): number;
  cosignedAt(name: string, size: number): void;
}

const TIMEOUT_MS = 5000;
const MAX_ANSWER = 16 * 1024;

/** The witnesses of a deployment: a JSON array of `{ url, key }`, `key` a vkey of type 0x04. Throws when it is none. */
export function witnessesFrom(text: string | undefined): Witness[] {
  if (!text) return [];
  return (JSON.parse(text) as { url: string; key: string }[]).map(({ url, key }) => {
    const verifier = parseVerifierKey(key);
    if (verifier?.type !== NOTE_COSIGNATURE) throw new Error(`WITNESSES: ${key} is not a witness's key`);
    return { url: new URL(url).href.replace(/\/$/, ""), key: verifier };
  });
}

/** The checkpoint with the cosignatures that came; null when none did. A witness that fails is left out. */
export async function cosign(
  witnesses: readonly Witness[],
  checkpoint: Uint8Array,
  size: number,
  memory: WitnessMemory,
): Promise<Uint8Array | null> {
  const answers = await Promise.allSettled(
    witnesses.map((witness) => cosignWith(witness, checkpoint, size, memory)),
  );
  const lines = answers.flatMap((answer) =>
    answer.status === "fulfilled" && answer.value ? [answer.value] : [],
  );
  return lines.length === 0 ? null : concat([checkpoint, ...lines.map(utf8)]);
}

async function cosignWith(
  witness: Witness,
  checkpoint: Uint8Array,
  size: number,
  memory: WitnessMemory,
): Promise<string | null> {
  let oldSize = memory.sizeAt(witness.key.name);
  for (let round = 0; round < 2; round++) {
    if (oldSize > size) return null;
    const proof = await proveConsistency(memory.store, oldSize, size);
    if (!proof) return null;
    const answer = await fetch(`${witness.url}/add-checkpoint`, {
      method: "POST",
      body: formatAddCheckpoint({ oldSize, proof, checkpoint }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "manual",
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const text = bytes.length <= MAX_ANSWER ? fromUtf8(bytes) : null;
    if (text === null) return null;
    if (answer.status === 409 && answer.headers.get("content-type") === TREE_SIZE_TYPE) {
      const has = parseCount(text.trimEnd());
      if (has === null) return null;
      oldSize = has;
      continue;
    }
    if (!answer.ok) return null;
    const line = await ownLine(text, checkpoint, witness.key);
    if (line) memory.cosignedAt(witness.key.name, size);
    return line;
  }
  return null;
}

/** The line of an answer that the witness's key has made, if it verifies. */
async function ownLine(answer: string, checkpoint: Uint8Array, key: NoteVerifier): Promise<string | null> {
  const note = parseNote(checkpoint);
  for (const line of parseSignatureLines(answer) ?? []) {
    if (note && (await verifySignature(note.text, line, key))) return formatSignatureLine(line);
  }
  return null;
}
