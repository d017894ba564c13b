/** Logs made by hand, for tests of the witness. */
import { utf8 } from "../wire/log/bytes.ts";
import { signCheckpoint } from "../wire/log/checkpoint.ts";
import {
  consistencyRanges,
  foldSubtrees,
  type Hash,
  hashChildren,
  hashLeaf,
  type Node,
  proofFrom,
  subtreesOf,
} from "../wire/log/merkle.ts";
import { NOTE_ED25519, type NoteSigner, noteSignerFromJwk } from "../wire/log/note.ts";
import { formatAddCheckpoint } from "../wire/log/witness.ts";

export const ORIGIN = "edge.example/log";

/** A new key of a log of that name. */
export async function logSigner(): Promise<NoteSigner> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as { kty: string };
  return (await noteSignerFromJwk(ORIGIN, NOTE_ED25519, jwk))!;
}

/** A tree whose entry `i` is `entries[i]`. */
export class Tree {
  readonly entries: readonly string[];

  constructor(entries: readonly string[]) {
    this.entries = entries;
  }

  hash({ level, index }: Node): Hash {
    if (level === 0) return hashLeaf(utf8(this.entries[index]!));
    return hashChildren(
      this.hash({ level: level - 1, index: 2 * index }),
      this.hash({ level: level - 1, index: 2 * index + 1 }),
    );
  }

  root(size: number): Hash {
    return foldSubtrees(subtreesOf({ start: 0, end: size }).map((node) => this.hash(node)));
  }

  async request(oldSize: number, size: number, by: NoteSigner): Promise<Uint8Array> {
    const ranges = consistencyRanges(oldSize, size) ?? [];
    const proof = proofFrom(ranges, (node) => this.hash(node));
    const checkpoint = await signCheckpoint(
      { origin: ORIGIN, size, root: this.root(size), extensions: [] },
      by,
    );
    return formatAddCheckpoint({ oldSize, proof, checkpoint: checkpoint! });
  }
}
