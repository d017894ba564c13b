/**
 * Signed notes (C2SP signed-note): a text and lines of signatures below it, each by a named Ed25519 key.
 * Checkpoints, witnesses' cosignatures and the parties' statements about a recording are all notes.
 *
 * A verifier key is one line of text, `<name>+<key id in hex>+<base64 of type and public key>`. Nothing of a
 * note is used before a key that was configured has verified it.
 */

import { concat } from "../bytes.ts";
import { equalBytes, fromBase64, fromHex, fromUtf8, sha256, toBase64, toHex, utf8 } from "./bytes.ts";

/** Signature types of signed-note that are supported. */
export const NOTE_ED25519 = 0x01;
export const NOTE_COSIGNATURE = 0x04;
export type NoteKeyType = typeof NOTE_ED25519 | typeof NOTE_COSIGNATURE;

/** Longest note that is read, bytes. */
export const MAX_NOTE = 64 * 1024;
/** Most signature lines that are read (signed-note asks for at least 16). */
export const MAX_SIGNATURES = 64;
const PUBLIC_KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;
const TIMESTAMP_SIZE = 8;

/** A key that verifies: public, from a vkey. */
export interface NoteVerifier {
  readonly name: string;
  readonly type: NoteKeyType;
  /** 4 bytes. */
  readonly keyId: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** A key that signs. */
export interface NoteSigner extends NoteVerifier {
  /** Ed25519 over the bytes: 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** One signature line, verified or not. */
export interface NoteSignature {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Uint8Array;
  /** What follows the key id. */
  readonly signature: Uint8Array;
}

/** A note that was read; nothing in it is verified. */
export interface Note {
  /** With its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A signature that verified. `timestamp` is a cosignature's time, seconds since 1970. */
export interface VerifiedSignature {
  readonly verifier: NoteVerifier;
  readonly timestamp?: number;
}

export type OpenedNote =
  | { readonly ok: true; readonly text: string; readonly verified: readonly VerifiedSignature[] }
  | {
      readonly ok: false;
      readonly code: "NOTE_MALFORMED" | "NOTE_SIGNATURE_INVALID" | "NOTE_UNSIGNED";
      readonly message: string;
    };

/** Whether a text can be a key's name: not empty, no Unicode space, no plus, no control character. */
export function isKeyName(name: string): boolean {
  return name !== "" && !/[\s+\u0000-\u001f\u007f\u0085\u1680\u180e]/u.test(name) && !/\p{Cs}/u.test(name);
}

/** The key id that signed-note recommends: the first four bytes of a hash over name, type and public key. */
export function keyIdOf(name: string, type: NoteKeyType, publicKey: Uint8Array): Uint8Array {
  return sha256(utf8(name), new Uint8Array([0x0a, type]), publicKey).slice(0, 4);
}

/** A verifier from its parts, or null for a bad name or key. */
export function noteVerifier(name: string, type: NoteKeyType, publicKey: Uint8Array): NoteVerifier | null {
  if (!isKeyName(name) || publicKey.length !== PUBLIC_KEY_SIZE) return null;
  return { name, type, keyId: keyIdOf(name, type, publicKey), publicKey };
}

/** The vkey of a verifier: one line of text without newline. */
export function formatVerifierKey(key: NoteVerifier): string {
  return `${key.name}+${toHex(key.keyId)}+${toBase64(concat([new Uint8Array([key.type]), key.publicKey]))}`;
}

/** The verifier of a vkey, or null. The key id has to be the recommended one. */
export function parseVerifierKey(text: string): NoteVerifier | null {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text);
  if (!match) return null;
  const material = fromBase64(match[3]!);
  if (material?.length !== 1 + PUBLIC_KEY_SIZE) return null;
  const type = material[0];
  if (type !== NOTE_ED25519 && type !== NOTE_COSIGNATURE) return null;
  const key = noteVerifier(match[1]!, type, material.slice(1));
  return key && equalBytes(key.keyId, fromHex(match[2]!)!) ? key : null;
}

/** The note's bytes: text, blank line, signature lines. Null when the text or a name cannot be in a note. */
export function formatNote(text: string, signatures: readonly NoteSignature[]): Uint8Array | null {
  if (!isNoteText(text) || signatures.some((line) => !isKeyName(line.name))) return null;
  return utf8(`${text}\n${signatures.map(formatSignatureLine).join("")}`);
}

/** `— <name> <base64 of key id and signature>` and a newline. */
export function formatSignatureLine(line: NoteSignature): string {
  return `\u2014 ${line.name} ${toBase64(concat([line.keyId, line.signature]))}\n`;
}

function isNoteText(text: string): boolean {
  return text.endsWith("\n") && !/[\u0000-\u0009\u000b-\u001f]/.test(text) && !/\p{Cs}/u.test(text);
}

/** Reads a note without verifying it; null when it is not one. */
export function parseNote(bytes: Uint8Array): Note | null {
  if (bytes.length > MAX_NOTE) return null;
  const whole = fromUtf8(bytes);
  if (whole === null || !isNoteText(whole)) return null;
  const blank = whole.lastIndexOf("\n\n");
  if (blank < 0) return null;
  const signatures = parseSignatureLines(whole.slice(blank + 2));
  return signatures === null || signatures.length === 0
    ? null
    : { text: whole.slice(0, blank + 1), signatures };
}

/** Reads signature lines, each with its newline; null when anything else is among them. */
export function parseSignatureLines(text: string): NoteSignature[] | null {
  const signatures: NoteSignature[] = [];
  if (text === "") return signatures;
  if (!text.endsWith("\n")) return null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (signatures.length === MAX_SIGNATURES) return null;
    const match = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line);
    const blob = match ? fromBase64(match[2]!) : null;
    if (!match || !blob || blob.length < 5 || !isKeyName(match[1]!)) return null;
    signatures.push({ name: match[1]!, keyId: blob.slice(0, 4), signature: blob.slice(4) });
  }
  return signatures;
}

/** What a cosignature of type 0x04 signs (C2SP tlog-cosignature): header, time, and the note's text. */
export function cosignedMessage(text: string, timestamp: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/** Signs a note's text. A key of type `NOTE_COSIGNATURE` needs the time, seconds since 1970. */
export async function signNote(text: string, signer: NoteSigner, timestamp?: number): Promise<NoteSignature> {
  if (signer.type === NOTE_ED25519) {
    return { name: signer.name, keyId: signer.keyId, signature: await signer.sign(utf8(text)) };
  }
  if (timestamp === undefined || !Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new RangeError("a cosignature needs a time");
  }
  const time = new Uint8Array(TIMESTAMP_SIZE);
  new DataView(time.buffer).setBigUint64(0, BigInt(timestamp));
  const signature = await signer.sign(cosignedMessage(text, timestamp));
  return { name: signer.name, keyId: signer.keyId, signature: concat([time, signature]) };
}

/** Verifies one signature line over a text by the key that it names. */
export async function verifySignature(
  text: string,
  line: NoteSignature,
  verifier: NoteVerifier,
): Promise<VerifiedSignature | null> {
  if (line.name !== verifier.name || !equalBytes(line.keyId, verifier.keyId)) return null;
  if (verifier.type === NOTE_ED25519) {
    const valid = await verifyEd25519(verifier.publicKey, line.signature, utf8(text));
    return valid ? { verifier } : null;
  }
  if (line.signature.length !== TIMESTAMP_SIZE + SIGNATURE_SIZE) return null;
  const bytes = line.signature;
  const time = new DataView(bytes.buffer, bytes.byteOffset, TIMESTAMP_SIZE).getBigUint64(0);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  const timestamp = Number(time);
  const message = cosignedMessage(text, timestamp);
  const valid = await verifyEd25519(verifier.publicKey, bytes.subarray(TIMESTAMP_SIZE), message);
  return valid ? { verifier, timestamp } : null;
}

/**
 * Reads a note and verifies every signature by a known key. Signatures by unknown keys are ignored; a bad one
 * by a known key refuses the whole note; so does a note that no known key has signed.
 */
export async function openNote(bytes: Uint8Array, verifiers: readonly NoteVerifier[]): Promise<OpenedNote> {
  const note = parseNote(bytes);
  if (!note) return { ok: false, code: "NOTE_MALFORMED", message: "not a signed note" };
  const verified: VerifiedSignature[] = [];
  for (const line of note.signatures) {
    for (const verifier of verifiers) {
      if (line.name !== verifier.name || !equalBytes(line.keyId, verifier.keyId)) continue;
      if (verified.some((one) => one.verifier === verifier)) continue;
      const signature = await verifySignature(note.text, line, verifier);
      if (!signature) {
        const message = `the signature by ${formatVerifierKey(verifier)} does not verify`;
        return { ok: false, code: "NOTE_SIGNATURE_INVALID", message };
      }
      verified.push(signature);
    }
  }
  if (verified.length === 0) {
    return { ok: false, code: "NOTE_UNSIGNED", message: "no known key has signed the note" };
  }
  return { ok: true, text: note.text, verified };
}

/** Ed25519 (RFC 8032) by Web Crypto: false for anything that is not a valid signature. */
export async function verifyEd25519(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_SIZE || signature.length !== SIGNATURE_SIZE) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch {
    return false;
  }
}

/** A signer from an Ed25519 private key and its 32-byte public key. Null for a bad name or key. */
export function noteSigner(
  name: string,
  type: NoteKeyType,
  publicKey: Uint8Array,
  privateKey: CryptoKey,
): NoteSigner | null {
  const verifier = noteVerifier(name, type, publicKey);
  if (!verifier) return null;
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, message));
  return { ...verifier, sign };
}

/** A signer from a private JWK (`kty: "OKP", crv: "Ed25519"`). Null when it is not one. */
export async function noteSignerFromJwk(
  name: string,
  type: NoteKeyType,
  jwk: { kty?: string; crv?: string; x?: string; d?: string },
): Promise<NoteSigner | null> {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || !jwk.x || !jwk.d) return null;
  const publicKey = publicKeyFromJwk(jwk);
  if (!publicKey) return null;
  try {
    const bare = { kty: "OKP", crv: "Ed25519", x: jwk.x, d: jwk.d };
    const key = await crypto.subtle.importKey("jwk", bare, "Ed25519", false, ["sign"]);
    return noteSigner(name, type, publicKey, key);
  } catch {
    return null;
  }
}

/** The 32 bytes of a public JWK's `x` (base64url), or null. */
export function publicKeyFromJwk(jwk: { kty?: string; crv?: string; x?: string }): Uint8Array | null {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || !jwk.x || !/^[A-Za-z0-9_-]{43}$/.test(jwk.x)) return null;
  return fromBase64(`${jwk.x.replaceAll("-", "+").replaceAll("_", "/")}=`);
}
