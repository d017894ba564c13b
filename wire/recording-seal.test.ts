/** Sealed segments: what they hide, what can be checked of them without a key, and what breaks them. */
import { exportJWK, generateKeyPair } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { digestOf, readSegment, readSegmentHeader, SealedChain, SegmentWriter } from "./recording.ts";
import { type AuditorKey, auditorKey, openSegment, sealSegment } from "./recording-seal.ts";

const CANARY = "canary-8f1d";
let ann: AuditorKey;
let ben: AuditorKey;
let eve: AuditorKey;

async function made(crv: string): Promise<AuditorKey> {
  const pair = await generateKeyPair("ECDH-ES+A256KW", { crv, extractable: true });
  return (await auditorKey(await exportJWK(pair.privateKey)))!;
}

const publicOf = async (key: AuditorKey): Promise<AuditorKey> => (await auditorKey(key.publicJwk))!;

/** A recording of three segments, plain and sealed. */
async function recording(session = "s1", auditors: readonly AuditorKey[] = [ann, ben]) {
  const writer = new SegmentWriter(session);
  const plain: Uint8Array[] = [];
  for (let n = 0; n < 3; n++) {
    const text = new TextEncoder().encode(`${CANARY} ${n}`);
    writer.add({ kind: "event", at: 10 + n, bytes: text });
    writer.add({ kind: "backend", at: 10 + n, bytes: text });
    writer.add({ kind: "note", at: 10 + n, bytes: text });
    plain.push(writer.seal(10 + n, n === 2 ? { reason: "CLIENT_TERMINATED" } : undefined).bytes);
  }
  const stored: Uint8Array[] = [];
  for (const bytes of plain) {
    const before = stored.at(-1);
    stored.push(await sealSegment(bytes, before ? digestOf(before) : null, auditors));
  }
  return { plain, stored };
}

beforeAll(async () => {
  [ann, ben, eve] = await Promise.all([made("X25519"), made("P-256"), made("X25519")]);
});

test("each auditor opens it, sealed with public keys only; nobody else reads anything of it", async () => {
  const { plain, stored } = await recording("s1", [await publicOf(ann), await publicOf(ben)]);
  for (const [n, bytes] of stored.entries()) {
    expect(new TextDecoder("latin1").decode(bytes)).not.toContain("canary");
    for (const key of [ann, ben]) {
      const opened = await openSegment(bytes, key);
      expect(opened.ok && opened.bytes).toEqual(plain[n]);
    }
    expect(await openSegment(bytes, eve)).toMatchObject({ ok: false, code: "KEY_UNKNOWN" });
    expect(await openSegment(bytes, await publicOf(ann))).toMatchObject({ ok: false, code: "KEY_UNKNOWN" });
    expect(readSegment(bytes)).toMatchObject({ ok: false, code: "SEGMENT_SEALED" });
    expect(readSegmentHeader(bytes)).toMatchObject({
      ok: true,
      header: { sealed: [ann.id, ben.id], sequence: n },
    });
  }
  expect(await openSegment(plain[0]!, ann)).toMatchObject({ ok: true });
});

test("no two are sealed with the same key", async () => {
  const { plain } = await recording();
  const [one, two] = [await sealSegment(plain[0]!, null, [ann]), await sealSegment(plain[0]!, null, [ann])];
  expect(one.slice(-40)).not.toEqual(two.slice(-40));
});

describe("without a key", () => {
  const follow = (stored: readonly Uint8Array[]): string => {
    const chain = new SealedChain("s1");
    for (const bytes of stored) {
      const step = chain.next(bytes);
      if (!step.ok) return step.code;
    }
    return chain.last?.final?.reason ?? "open";
  };

  test("the chain holds over what is stored", async () => {
    const { stored } = await recording();
    expect(follow(stored)).toBe("CLIENT_TERMINATED");
    expect(follow(stored.slice(0, 2))).toBe("open");
  });

  test("R2 deleted, reordered, swapped, repeated, foreign or unsealed segments are found", async () => {
    const { plain, stored } = await recording();
    const again = (await recording()).stored;
    const other = (await recording("s2")).stored;
    const [a, b, c] = stored as [Uint8Array, Uint8Array, Uint8Array];
    expect(follow([b, c])).toBe("SEQUENCE_GAP");
    expect(follow([a, c])).toBe("SEQUENCE_GAP");
    expect(follow([a, c, b])).toBe("SEQUENCE_GAP");
    expect(follow([a, b, b])).toBe("SEQUENCE_GAP");
    expect(follow([a, b, c, c])).toBe("AFTER_FINAL");
    expect(follow([a, again[1]!, c])).toBe("PREV_MISMATCH");
    expect(follow([a, b, again[2]!])).toBe("PREV_MISMATCH");
    expect(follow([a, other[1]!])).toBe("SESSION_MISMATCH");
    expect(follow([a, plain[1]!])).toBe("SEALING_MIXED");
  });

  test("R2 any changed byte of any segment but the last is found by the one that follows", async () => {
    const { stored } = await recording();
    for (let at = 0; at < stored[1]!.length; at += 7) {
      const changed = stored[1]!.slice();
      changed[at]! ^= 1;
      expect(follow([stored[0]!, changed, stored[2]!])).not.toBe("CLIENT_TERMINATED");
    }
  });

  test("R7 cut anywhere it reads as nothing or as another segment, and throws nowhere", async () => {
    const { stored } = await recording();
    const whole = digestOf(stored[0]!);
    for (let length = 0; length < stored[0]!.length; length++) {
      const cut = stored[0]!.subarray(0, length);
      expect(digestOf(cut)).not.toBe(whole);
      const read = readSegmentHeader(cut);
      if (read.ok) expect(follow([cut, stored[1]!])).toBe("PREV_MISMATCH");
      expect((await openSegment(cut, ann)).ok).toBe(false);
    }
  });
});

describe("with the key", () => {
  test("R2 any changed byte of header or ciphertext does not open; one of the envelope does not, or opens the same", async () => {
    const { plain, stored } = await recording();
    const view = new DataView(stored[0]!.buffer);
    const envelope = 8 + view.getUint32(4) + 4;
    const ciphertext = envelope + view.getUint32(envelope - 4);
    for (let at = 0; at < stored[0]!.length; at += 3) {
      const changed = stored[0]!.slice();
      changed[at]! ^= 1;
      const opened = await openSegment(changed, ann);
      // The envelope has another auditor's part, and spellings that mean the same.
      if (at >= envelope && at < ciphertext && opened.ok) expect(opened.bytes).toEqual(plain[0]);
      else expect(opened.ok, `byte ${at}`).toBe(false);
    }
  });

  test("R2 the sealed part of one segment under the header of another does not open", async () => {
    const { stored } = await recording();
    const body = (bytes: Uint8Array) => bytes.subarray(8 + new DataView(bytes.buffer).getUint32(4));
    const head = stored[1]!.subarray(0, stored[1]!.length - body(stored[1]!).length);
    const spliced = new Uint8Array([...head, ...body(stored[0]!)]);
    expect(readSegmentHeader(spliced).ok).toBe(true);
    expect(await openSegment(spliced, ann)).toMatchObject({ ok: false, code: "SEAL_BROKEN" });
  });

  test("R2 a header that says something else than the segment in it is found, though it was sealed with it", async () => {
    const { plain } = await recording();
    // What a connector that lies could make: the sealed header of segment 1 around segment 0.
    const honest = await sealSegment(plain[1]!, "0".repeat(64), [ann]);
    const lie = await sealSegment(plain[0]!, null, [ann]);
    expect((await openSegment(honest, ann)).ok).toBe(true);
    expect((await openSegment(lie, ann)).ok).toBe(true);
    const { header } = readSegmentHeader(lie) as { header: { backend: { root: string } } };
    const text = new TextDecoder("latin1").decode(lie).replace(header.backend.root, "f".repeat(64));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    expect(await openSegment(bytes, ann)).toMatchObject({ ok: false, code: "SEAL_BROKEN" });
  });
});

test("keys that are none, or for signing, are refused; so are no auditors and too many", async () => {
  const { plain } = await recording();
  const signing = await exportJWK(
    (await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })).publicKey,
  );
  for (const jwk of [null, {}, "x", signing, { ...ann.publicJwk, use: "sig" }, { ...ben.publicJwk, x: "AA" }])
    expect(await auditorKey(jwk)).toBeNull();
  await expect(sealSegment(plain[0]!, null, [])).rejects.toThrow(RangeError);
  await expect(sealSegment(plain[0]!, null, Array(17).fill(ann))).rejects.toThrow(RangeError);
  await expect(sealSegment(new Uint8Array(3), null, [ann])).rejects.toThrow(RangeError);
  const sealed = await sealSegment(plain[0]!, null, [ann]);
  await expect(sealSegment(sealed, null, [ann])).rejects.toThrow(RangeError);
});
