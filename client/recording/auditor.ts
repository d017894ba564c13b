/** Auditors' keys: making a pair, and reading the private one from its file. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { exportJWK, generateKeyPair } from "jose";
import { type AuditorKey, auditorKey, KEY_ALGORITHM } from "../../wire/recording-seal.ts";

/** What was made. */
export interface MadeKey {
  readonly id: string;
  readonly privateFile: string;
  readonly publicFile: string;
}

/**
 * Makes an auditor's key pair (X25519): the private key in a new file that only its owner can read, the public one
 * beside it. Throws when one of the files exists.
 */
export async function makeAuditorKey(path: string): Promise<MadeKey> {
  const publicFile = `${path.replace(/\.jwk$/, "")}.pub.jwk`;
  const pair = await generateKeyPair(KEY_ALGORITHM, { crv: "X25519", extractable: true });
  const { id, publicJwk, privateJwk } = (await auditorKey(await exportJWK(pair.privateKey)))!;
  const more = { kid: id, use: "enc", alg: KEY_ALGORITHM };
  writeFileSync(path, `${JSON.stringify({ ...privateJwk, ...more })}\n`, { mode: 0o600, flag: "wx" });
  writeFileSync(publicFile, `${JSON.stringify({ ...publicJwk, ...more })}\n`, { flag: "wx" });
  return { id, privateFile: path, publicFile };
}

/** The key in a file; null when its text is no JWK at all. Throws for a JWK that cannot open anything. */
export async function readAuditorKey(path: string): Promise<AuditorKey | null> {
  const text = readFileSync(path, "utf8");
  if (!text.trimStart().startsWith("{")) return null;
  const key = await auditorKey(parsed(text));
  if (!key) throw new Error(`${path} is not an auditor's key (JWK, X25519 or P-256)`);
  if (!key.privateJwk)
    throw new Error(`${path} has the public key only: what is sealed opens with the private one`);
  if ((statSync(path).mode & 0o077) !== 0) throw new Error(`others may read ${path}: chmod 600 ${path}`);
  return key;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
