/**
 * Segments sealed to auditors: what is stored then can be checked, ordered and chained by everyone, and read by nobody
 * but an auditor. The connector seals a segment before it leaves its host.
 *
 * A sealed segment is "WGS1", the header's length (uint32), the header (JSON: the segment's own, with `prev` over the
 * sealed segment before, and `sealed`, the auditors' keys), the envelope's length (uint32), the envelope, and the
 * ciphertext up to the end. Envelope and ciphertext are a JWE in its General JSON Serialization (RFC 7516, section 7.2.1)
 * of the whole segment: one content key a segment, A256GCM, wrapped for each auditor with ECDH-ES+A256KW (RFC 7518,
 * section 4.6). Its additional authenticated data are the bytes of the header, so that session, sequence, chain and
 * roots belong to what is sealed. The envelope leaves out `ciphertext` and `aad`, which stand beside it.
 */
import {
  base64url,
  calculateJwkThumbprint,
  GeneralEncrypt,
  type GeneralJWE,
  generalDecrypt,
  importJWK,
  type JWK,
} from "jose";
import { fromUtf8, utf8 } from "./log/bytes.ts";
import { canonicalJson, type Json } from "./log/canonical.ts";
import { MAX_HEADER, MAX_SEGMENT, SEALED_MAGIC, type SegmentHeader } from "./recording.ts";
import { isSealed, MAX_AUDITORS, readSegmentHeader, type SegmentError } from "./recording-chain.ts";

export const KEY_ALGORITHM = "ECDH-ES+A256KW";
const CONTENT_ALGORITHM = "A256GCM";
const CURVES: Readonly<Record<string, string>> = {
  X25519: "OKP",
  "P-256": "EC",
  "P-384": "EC",
  "P-521": "EC",
};

/** An auditor's key. Sealing needs the public part only. */
export interface AuditorKey {
  /** RFC 7638 thumbprint, SHA-256. */
  readonly id: string;
  /** The public part. */
  readonly publicJwk: JWK;
  /** Null when only the public part is known. */
  readonly privateJwk: JWK | null;
}

/** Reads an auditor's key from a JWK: X25519 or a NIST curve. Null for anything else. */
export async function auditorKey(jwk: unknown): Promise<AuditorKey | null> {
  const { kty, crv, x, y, d, use, alg } = (jwk ?? {}) as JWK;
  if (typeof crv !== "string" || typeof x !== "string" || !Object.hasOwn(CURVES, crv) || CURVES[crv] !== kty)
    return null;
  if ((use !== undefined && use !== "enc") || (alg !== undefined && !alg.startsWith("ECDH-ES"))) return null;
  const publicJwk: JWK = { kty: kty!, crv, x, ...(y === undefined ? {} : { y }) };
  try {
    await importJWK(publicJwk, KEY_ALGORITHM);
    const privateJwk = typeof d === "string" ? { ...publicJwk, d } : null;
    if (privateJwk) await importJWK(privateJwk, KEY_ALGORITHM);
    return { id: await calculateJwkThumbprint(publicJwk), publicJwk, privateJwk };
  } catch {
    return null;
  }
}

/**
 * Seals a finished segment. `prev`: the SHA-256 of the sealed segment before it in hexadecimal, null for the first.
 * Throws RangeError for what is no segment, and for none or more than `MAX_AUDITORS` auditors.
 */
export async function sealSegment(
  segment: Uint8Array,
  prev: string | null,
  auditors: readonly AuditorKey[],
): Promise<Uint8Array> {
  const read = readSegmentHeader(segment);
  if (!read.ok || read.header.sealed) throw new RangeError("only a segment can be sealed, once");
  if (auditors.length === 0 || auditors.length > MAX_AUDITORS) throw new RangeError("1 to 16 auditors");
  const head = utf8(JSON.stringify({ ...read.header, prev, sealed: auditors.map((one) => one.id) }));
  const sealing = new GeneralEncrypt(segment)
    .setProtectedHeader({ enc: CONTENT_ALGORITHM })
    .setAdditionalAuthenticatedData(head);
  for (const { id, publicJwk } of auditors) {
    sealing
      .addRecipient(await importJWK(publicJwk, KEY_ALGORITHM))
      .setUnprotectedHeader({ alg: KEY_ALGORITHM, kid: id });
  }
  const { ciphertext, aad: _aad, ...rest } = await sealing.encrypt();
  const envelope = utf8(JSON.stringify(rest));
  const sealed = base64url.decode(ciphertext);
  const bytes = new Uint8Array(12 + head.length + envelope.length + sealed.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEALED_MAGIC);
  view.setUint32(4, head.length);
  bytes.set(head, 8);
  view.setUint32(8 + head.length, envelope.length);
  bytes.set(envelope, 12 + head.length);
  bytes.set(sealed, 12 + head.length + envelope.length);
  return bytes;
}

export type OpenedSegment =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly header: SegmentHeader }
  | SegmentError
  | { readonly ok: false; readonly code: "KEY_UNKNOWN" | "SEAL_BROKEN"; readonly message: string };

/**
 * Opens a sealed segment with an auditor's private key; one that is not sealed is returned as it is. `KEY_UNKNOWN`: it
 * is sealed to others. `SEAL_BROKEN`: something of it was changed, or the sealed segment is not the one of the header.
 */
export async function openSegment(stored: Uint8Array, key: AuditorKey): Promise<OpenedSegment> {
  const read = readSegmentHeader(stored);
  if (!read.ok) return read;
  const { header } = read;
  if (!isSealed(stored)) return { ok: true, bytes: stored, header };
  if (!key.privateJwk) return fail("KEY_UNKNOWN", "this is the public part of a key: the private one opens");
  if (!header.sealed!.includes(key.id)) {
    return fail("KEY_UNKNOWN", `is sealed to ${header.sealed!.join(", ")}, not to this key (${key.id})`);
  }
  const parts = takeApart(stored);
  if (!parts) return fail("SEAL_BROKEN", "the envelope is not valid");
  let bytes: Uint8Array;
  try {
    const opened = await generalDecrypt(parts, await importJWK(key.privateJwk, KEY_ALGORITHM), {
      keyManagementAlgorithms: [KEY_ALGORITHM],
      contentEncryptionAlgorithms: [CONTENT_ALGORITHM],
    });
    bytes = opened.plaintext;
  } catch {
    return fail("SEAL_BROKEN", "does not open: it was changed");
  }
  const inner = readSegmentHeader(bytes);
  if (!inner.ok || inner.header.sealed || !sameSegment(header, inner.header)) {
    return fail("SEAL_BROKEN", "what is sealed is not the segment that the header says");
  }
  return { ok: true, bytes, header: inner.header };
}

/** Whether a segment's own header says what the header in the open says; each has a `prev` of its own chain. */
export function sameSegment(outer: SegmentHeader, inner: SegmentHeader): boolean {
  const facts = ({ prev: _prev, sealed: _sealed, ...header }: SegmentHeader) =>
    canonicalJson(header as unknown as Json);
  return facts(outer) === facts(inner);
}

function takeApart(stored: Uint8Array): GeneralJWE | null {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  const head = view.getUint32(4);
  const from = 8 + head;
  if (from + 4 > stored.length) return null;
  const length = view.getUint32(from);
  if (length > MAX_HEADER || from + 4 + length > stored.length) return null;
  const ciphertext = stored.subarray(from + 4 + length);
  if (ciphertext.length > MAX_SEGMENT) return null;
  try {
    const envelope = JSON.parse(fromUtf8(stored.subarray(from + 4, from + 4 + length)) ?? "") as GeneralJWE;
    if (!Array.isArray(envelope.recipients) || envelope.recipients.length > MAX_AUDITORS) return null;
    return {
      ...envelope,
      ciphertext: base64url.encode(ciphertext),
      aad: base64url.encode(stored.subarray(8, from)),
    };
  } catch {
    return null;
  }
}

function fail(code: "KEY_UNKNOWN" | "SEAL_BROKEN", message: string) {
  return { ok: false, code, message } as const;
}
