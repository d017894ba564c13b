/** The log's entries in a bundle: which of them are proven, by keys that the caller trusts. */
import { fromUtf8, toHex } from "../../wire/log/bytes.ts";
import { decodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { NOTE_COSIGNATURE, type NoteVerifier, parseVerifierKey } from "../../wire/log/note.ts";
import { checkProof, parseProof } from "../../wire/log/proof.ts";
import { isConnectorKeyName } from "../../wire/log/statement.ts";
import type { RecordingBundle } from "./bundle.ts";

/** Keys that the caller trusts, by role. */
export interface TrustedKeys {
  /** Ed25519 note keys: the log's and connectors'. */
  readonly signers: readonly NoteVerifier[];
  /** Cosignature keys. */
  readonly witnesses: readonly NoteVerifier[];
}

/** Reads keys as they stand on a command line; the first that is none is named. */
export function trustedKeys(
  vkeys: readonly string[],
): { ok: true; keys: TrustedKeys } | { ok: false; bad: string } {
  const signers: NoteVerifier[] = [];
  const witnesses: NoteVerifier[] = [];
  for (const text of vkeys) {
    const key = parseVerifierKey(text.trim());
    if (!key) return { ok: false, bad: text };
    (key.type === NOTE_COSIGNATURE ? witnesses : signers).push(key);
  }
  return { ok: true, keys: { signers, witnesses } };
}

export interface ProvenEntry {
  readonly index: number;
  readonly entry: LogEntry;
  readonly cosignedBy: readonly string[];
}

/** Verifies the proofs of the log's entries with whichever of the keys is the log's. */
export async function provenEntries(bundle: RecordingBundle, keys: TrustedKeys) {
  const entries: ProvenEntry[] = [];
  const unsigned: string[] = [];
  const unproven: string[] = [];
  let origin = "";
  /** Roots by the size of their tree. */
  const trees = new Map<number, string>();
  for (const part of bundle.log) {
    const proof = parseProof(part.proof);
    if (!proof) {
      unproven.push(`entry ${part.index} has no readable proof`);
      continue;
    }
    const name = fromUtf8(proof.checkpoint)?.split("\n")[0] ?? "";
    // A connector's key signs no log: whoever has one could else make up everything that the edge has to say.
    const log = keys.signers.find((key) => key.name === name && !isConnectorKeyName(key.name));
    if (!log) {
      unsigned.push(`no key of the log ${JSON.stringify(name)} was given`);
      continue;
    }
    const checked = await checkProof(proof, part.entry, log, keys.witnesses);
    if (!checked.ok) {
      if (checked.code === "PROOF_INVALID") unproven.push(`entry ${part.index}: ${checked.message}`);
      else unsigned.push(`checkpoint of entry ${part.index}: ${checked.message}`);
      continue;
    }
    if (origin !== "" && origin !== name) unsigned.push("the entries are of two logs");
    origin = name;
    const { size, root } = checked.checkpoint;
    // An honest log has one tree of a size. Two that its own key signed are proof against it.
    if ((trees.get(size) ?? toHex(root)) !== toHex(root))
      unsigned.push(`the log signed two different trees of ${size} entries: it shows two histories`);
    trees.set(size, toHex(root));
    const decoded = decodeEntry(part.entry);
    if (!decoded.ok) unproven.push(`entry ${part.index}: ${decoded.message}`);
    else if (proof.index !== part.index)
      unproven.push(`entry ${part.index} is number ${proof.index} of the log`);
    else {
      const cosignedBy = checked.verified.slice(1).map((one) => one.verifier.name);
      entries.push({ index: part.index, entry: decoded.entry, cosignedBy });
    }
  }
  if (bundle.log.length === 0) unproven.push("the bundle has no entry of the log");
  const join = (list: readonly string[]) => (list.length === 0 ? null : [...new Set(list)].join("; "));
  const signature = bundle.log.length === 0 ? "the bundle has no checkpoint" : join(unsigned);
  const inclusion = join(unproven) ?? (entries.length === 0 ? "no entry is proven by a given key" : null);
  return { entries, origin, signature, inclusion };
}
