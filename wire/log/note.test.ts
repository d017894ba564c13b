import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { equalBytes, fromBase64, fromHex, fromUtf8, parseCount, toBase64, toHex, utf8 } from "./bytes.ts";
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { EMPTY_ROOT, hashLeaf, inclusionRanges, proofFrom } from "./merkle.ts";
import {
  cosignedMessage,
  formatNote,
  formatVerifierKey,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  noteSigner,
  noteSignerFromJwk,
  noteVerifier,
  openNote,
  parseNote,
  parseVerifierKey,
  publicKeyFromJwk,
  signNote,
} from "./note.ts";
import { checkProof, formatProof, parseProof } from "./proof.ts";
import { arche, c2sp, go } from "./vectors.ts";
import { formatAddCheckpoint, parseAddCheckpoint } from "./witness.ts";

const peter = parseVerifierKey(go.peterKey)!;
const enoch = parseVerifierKey(go.enochKey)!;

async function newSigner(name: string, type: typeof NOTE_ED25519 | typeof NOTE_COSIGNATURE = NOTE_ED25519) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  return noteSigner(name, type, publicKey, pair.privateKey)!;
}

/** The Go checksum database's test signer: an Ed25519 seed in PKCS #8 (RFC 8410). */
async function peterSigner() {
  const seed = fromBase64(go.peterPrivate)!.subarray(1);
  const pkcs8 = new Uint8Array([...fromHex("302e020100300506032b657004220420")!, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  return noteSigner("PeterNeumann", NOTE_ED25519, peter.publicKey, key)!;
}

describe("verifier keys", () => {
  test("keys of the specification and of the Go checksum database read and write", () => {
    for (const key of [go.peterKey, go.enochKey, c2sp.exampleKey, arche.logKey, arche.witnessKey]) {
      expect(formatVerifierKey(parseVerifierKey(key)!)).toBe(key);
    }
    expect(parseVerifierKey(arche.witnessKey)?.type).toBe(NOTE_COSIGNATURE);
  });

  test("no part of a key and no mangled key is a key", () => {
    for (let i = 0; i <= go.peterKey.length; i++) {
      for (let j = i + 1; j <= go.peterKey.length; j++) {
        if (i !== 0 || j !== go.peterKey.length) expect(parseVerifierKey(go.peterKey.slice(i, j))).toBeNull();
      }
      const next = String.fromCharCode(go.peterKey.charCodeAt(i) + 1);
      if (i < go.peterKey.length) {
        expect(parseVerifierKey(go.peterKey.slice(0, i) + next + go.peterKey.slice(i + 1))).toBeNull();
      }
    }
    for (const key of go.badKeys) expect(parseVerifierKey(key)).toBeNull();
    expect(parseVerifierKey(` ${go.peterKey}`)).toBeNull();
    expect(parseVerifierKey(`${go.peterKey}\n`)).toBeNull();
  });

  test("names with spaces, plus or nothing in them are refused", () => {
    const key = new Uint8Array(32);
    for (const name of ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\nb", "a\u0085b", "a\u3000b"]) {
      expect(noteVerifier(name, NOTE_ED25519, key), JSON.stringify(name)).toBeNull();
    }
    expect(noteVerifier("a", NOTE_ED25519, key.subarray(1))).toBeNull();
  });
});

describe("notes", () => {
  const both = utf8(`${go.text}\n${go.peterLine}${go.enochLine}`);

  test("the example of the specification verifies, and with any byte changed does not", async () => {
    const key = parseVerifierKey(c2sp.exampleKey)!;
    const note = utf8(c2sp.exampleNote);
    expect(await openNote(note, [key])).toMatchObject({ ok: true, text: "This is an example message.\n" });
    for (let i = 0; i < note.length; i++) {
      const bad = note.slice();
      bad[i]! ^= 1;
      expect((await openNote(bad, [key])).ok, `byte ${i}`).toBe(false);
    }
  });

  test("the Go checksum database's signer makes the same bytes here", async () => {
    const line = await signNote(go.text, await peterSigner());
    expect(fromUtf8(formatNote(go.text, [line])!)).toBe(`${go.text}\n${go.peterLine}`);
  });

  test("signatures by unknown keys are ignored; none by a known key is a refusal", async () => {
    const one = await openNote(both, [peter]);
    expect(one.ok && one.verified.map((v) => v.verifier.name)).toEqual(["PeterNeumann"]);
    const two = await openNote(both, [peter, enoch]);
    expect(two.ok && two.verified.length).toBe(2);
    expect(await openNote(both, [])).toMatchObject({ ok: false, code: "NOTE_UNSIGNED" });
    const same = await openNote(utf8(`${go.text}\n${go.peterLine.repeat(3)}`), [peter]);
    expect(same.ok && same.verified.length).toBe(1);
  });

  test("a bad signature by a known key refuses the note, though another verifies", async () => {
    const bad = `${go.peterLine.slice(0, 60)}ABCD${go.peterLine.slice(60)}`;
    const note = utf8(`${go.text}\n${bad}${go.enochLine}`);
    expect(await openNote(note, [peter, enoch])).toMatchObject({ ok: false, code: "NOTE_SIGNATURE_INVALID" });
    expect((await openNote(note, [enoch])).ok).toBe(true);
  });

  test("what is not a note is refused", () => {
    for (const text of [
      go.text,
      `${go.text}\n`,
      `${go.text}\n${go.peterLine.slice(0, -1)}`,
      `\u0001${go.text}\n${go.peterLine}`,
      `${go.text}\n\u2014 Bad Name ${go.peterLine.split(" ")[2]}`,
      `${go.text}\n${go.peterLine}Unexpected line.\n`,
      `${go.text}${go.peterLine}`,
      `${go.text}\n${go.peterLine.repeat(101)}`,
      `${go.text}\n- PeterNeumann ${go.peterLine.split(" ")[2]}`,
      `${go.text}\r\n\r\n${go.peterLine}`,
      "",
    ]) {
      expect(parseNote(utf8(text)), JSON.stringify(text.slice(-40))).toBeNull();
    }
    expect(parseNote(new Uint8Array([0xff, ...both]))).toBeNull();
    expect(parseNote(new Uint8Array(65 * 1024).fill(0x41))).toBeNull();
    expect(formatNote("no newline", [])).toBeNull();
    expect(formatNote("a\tb\n", [])).toBeNull();
  });

  test("cut at every byte, a note reads as nothing that verifies with both keys", async () => {
    for (let cut = 0; cut < both.length; cut++) {
      const note = await openNote(both.subarray(0, cut), [peter, enoch]);
      if (note.ok) expect(note.verified.length).toBe(1);
    }
  });

  test("16 signatures and more are read", () => {
    expect(parseNote(utf8(`${go.text}\n${go.peterLine.repeat(16)}`))?.signatures.length).toBe(16);
  });

  test("the text may hold empty lines and anything printable", async () => {
    const signer = await newSigner("example.com/x");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 60 }), async (random) => {
        const text = `${random.replaceAll(/[\u0000-\u001f]|\p{Cs}/gu, "\n")}\n\n\n`;
        const bytes = formatNote(text, [await signNote(text, signer)])!;
        expect(await openNote(bytes, [signer])).toMatchObject({ ok: true, text });
      }),
      { numRuns: 30 },
    );
  });
});

describe("checkpoints and cosignatures", () => {
  const log = parseVerifierKey(arche.logKey)!;
  const witness = parseVerifierKey(arche.witnessKey)!;

  test("a staging log's checkpoint verifies with its own key and a real witness's", async () => {
    const opened = await openCheckpoint(utf8(arche.note), log, [witness]);
    expect(opened).toMatchObject({ ok: true, checkpoint: { origin: log.name, size: arche.size } });
    expect(opened.ok && opened.verified.map((v) => v.timestamp)).toEqual([undefined, arche.witnessTime]);
  });

  test("no byte of its text, and no byte of a known signature, can change", async () => {
    const note = utf8(arche.note);
    const text = utf8(arche.note.slice(0, arche.note.indexOf("\n\n"))).length;
    for (let i = 0; i < text; i++) {
      const bad = note.slice();
      bad[i]! ^= 1;
      expect((await openCheckpoint(bad, log, [witness])).ok).toBe(false);
    }
    const other = arche.note.replace("2net5wAAAABqEiEg", "2net5wAAAABqEiEh");
    expect(await openCheckpoint(utf8(other), log, [witness])).toMatchObject({
      code: "NOTE_SIGNATURE_INVALID",
    });
  });

  test("a witness alone, or a key of another name, does not make a checkpoint", async () => {
    const signer = await newSigner("example.com/log");
    const cosigner = await newSigner("example.com/witness", NOTE_COSIGNATURE);
    const checkpoint = { origin: "example.com/log", size: 3, root: hashLeaf(utf8("x")), extensions: [] };
    const text = formatCheckpoint(checkpoint)!;
    const cosignature = await signNote(text, cosigner, 1679315147);
    const alone = formatNote(text, [cosignature])!;
    expect(await openCheckpoint(alone, signer, [cosigner])).toMatchObject({ code: "CHECKPOINT_UNSIGNED" });
    expect(await openCheckpoint(alone, cosigner, [])).toMatchObject({ code: "CHECKPOINT_KEY" });
    const whole = (await signCheckpoint(checkpoint, signer, [cosignature]))!;
    expect(await openCheckpoint(whole, signer, [cosigner])).toMatchObject({ ok: true, checkpoint });
    const stranger = await newSigner("example.com/other");
    const foreign = formatNote(text, [await signNote(text, stranger)])!;
    expect(await openCheckpoint(foreign, stranger, [])).toMatchObject({ code: "CHECKPOINT_ORIGIN" });
    expect(fromUtf8(cosignedMessage(c2sp.checkpoint, 1679315147))).toBe(c2sp.cosignedMessage);
    await expect(signNote(text, cosigner)).rejects.toThrow(RangeError);
  });

  test("checkpoint texts have one spelling", () => {
    expect(formatCheckpoint(parseCheckpoint(c2sp.checkpoint)!)).toBe(c2sp.checkpoint);
    const [origin, size, root] = c2sp.checkpoint.split("\n") as [string, string, string];
    for (const text of [
      `${origin}\n${size}\n${root}`,
      `\n${size}\n${root}\n`,
      `${origin}\n0${size}\n${root}\n`,
      `${origin}\n-1\n${root}\n`,
      `${origin}\n9007199254740993\n${root}\n`,
      `${origin}\n0x1\n${root}\n`,
      `${origin}\n${size}\n${root.slice(0, -1)}\n`,
      `${origin}\n${size}\n${root.replace("2I=", "2J=")}\n`,
      `${origin}\n${size}\n${root}\n\n`,
      `${origin}\n0\n${root}\n`,
      `${origin}\n${size}\n`,
    ]) {
      expect(parseCheckpoint(text), JSON.stringify(text)).toBeNull();
    }
    expect(parseCheckpoint(`${origin}\n0\n${toBase64(EMPTY_ROOT)}\n`)?.size).toBe(0);
    expect(parseCheckpoint(`${c2sp.checkpoint}more\n`)?.extensions).toEqual(["more"]);
    expect(formatCheckpoint({ origin: "a\nb", size: 1, root: EMPTY_ROOT, extensions: [] })).toBeNull();
  });
});

describe("proofs of an entry", () => {
  const entries = Array.from({ length: 11 }, (_, i) => utf8(`entry ${i}`));
  const leaves = entries.map(hashLeaf);

  async function proofOf(index: number) {
    const signer = await newSigner("example.com/log");
    const { hashChildren, foldSubtrees, subtreesOf } = await import("./merkle.ts");
    const hashOf = ({ level, index: at }: { level: number; index: number }): Uint8Array => {
      if (level === 0) return leaves[at]!;
      return hashChildren(
        hashOf({ level: level - 1, index: 2 * at }),
        hashOf({ level: level - 1, index: 2 * at + 1 }),
      );
    };
    const root = foldSubtrees(subtreesOf({ start: 0, end: 11 }).map(hashOf));
    const checkpoint = (await signCheckpoint(
      { origin: signer.name, size: 11, root, extensions: [] },
      signer,
    ))!;
    const hashes = proofFrom(inclusionRanges(index, 11)!, hashOf);
    return { signer, proof: { index, hashes, checkpoint, extra: null } };
  }

  test("verify, read back, and fail for another entry, index or key", async () => {
    const { signer, proof } = await proofOf(6);
    const back = parseProof(formatProof(proof))!;
    expect(back).toEqual(proof);
    expect(await checkProof(back, entries[6]!, signer)).toMatchObject({ ok: true, checkpoint: { size: 11 } });
    expect(await checkProof(back, entries[7]!, signer)).toMatchObject({ ok: false, code: "PROOF_INVALID" });
    expect(await checkProof({ ...back, index: 7 }, entries[6]!, signer)).toMatchObject({
      code: "PROOF_INVALID",
    });
    expect((await checkProof(back, entries[6]!, await newSigner("example.com/log"))).ok).toBe(false);
    expect(parseProof(formatProof({ ...proof, extra: utf8("x") }))?.extra).toEqual(utf8("x"));
  });

  test("cut at every byte or with any bit flipped, a proof never proves anything else", async () => {
    const { signer, proof } = await proofOf(3);
    const bytes = formatProof(proof);
    for (let cut = 0; cut < bytes.length; cut++) {
      const part = parseProof(bytes.subarray(0, cut));
      if (part) expect((await checkProof(part, entries[3]!, signer)).ok).toBe(false);
    }
    for (let i = 0; i < bytes.length; i++) {
      const bad = bytes.slice();
      bad[i]! ^= 1 << (i % 7);
      const changed = parseProof(bad);
      if (changed) expect((await checkProof(changed, entries[3]!, signer)).ok, `byte ${i}`).toBe(false);
    }
  });

  test("what is not a proof is refused", async () => {
    const { proof } = await proofOf(0);
    const text = fromUtf8(formatProof(proof))!;
    for (const bad of [
      text.replace("@v1", "@v2"),
      text.replace("index 0", "index -5"),
      text.replace("index 0", "index 00"),
      text.replace("index 0\n", ""),
      text.replace("index 0\n", "extra !!\nindex 0\n"),
      text.replace("index 0\n", "index 0\n!!\n"),
      text.replace("index 0\n", `index 0\n${toBase64(new Uint8Array(64))}\n`),
      text.replace("index 0\n", `index 0\n${`${toBase64(new Uint8Array(32))}\n`.repeat(64)}`),
      text.slice(0, text.indexOf("\n\n") + 2),
    ]) {
      expect(parseProof(utf8(bad))).toBeNull();
    }
  });
});

describe("what a log asks a witness", () => {
  test("the example of the specification reads and writes", () => {
    const request = parseAddCheckpoint(utf8(c2sp.addCheckpoint))!;
    expect(request.oldSize).toBe(20852014);
    expect(request.proof.length).toBe(4);
    expect(fromUtf8(formatAddCheckpoint(request))).toBe(c2sp.addCheckpoint);
  });

  test("cut at every byte it is another request or none, never the same", () => {
    const bytes = utf8(c2sp.addCheckpoint);
    for (let cut = 0; cut < bytes.length; cut++) {
      const part = parseAddCheckpoint(bytes.subarray(0, cut));
      if (part) expect(equalBytes(formatAddCheckpoint(part), bytes)).toBe(false);
    }
    for (const bad of [
      c2sp.addCheckpoint.replace("old 2", "old 02"),
      c2sp.addCheckpoint.replace("old ", "older "),
      c2sp.addCheckpoint.replace("PlRN", "PlR"),
      `old 0\n${`${toBase64(new Uint8Array(32))}\n`.repeat(64)}${c2sp.addCheckpoint.slice(c2sp.addCheckpoint.indexOf("\n\n") + 1)}`,
    ]) {
      expect(parseAddCheckpoint(utf8(bad))).toBeNull();
    }
  });
});

describe("keys and spellings", () => {
  test("a JWK signs as the verifier of its public half", async () => {
    const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
    const jwk = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey;
    const signer = (await noteSignerFromJwk("example.com/log", NOTE_ED25519, jwk as { kty: string }))!;
    const note = formatNote("text\n", [await signNote("text\n", signer)])!;
    const publicKey = publicKeyFromJwk(jwk as { kty: string })!;
    expect((await openNote(note, [noteVerifier("example.com/log", NOTE_ED25519, publicKey)!])).ok).toBe(true);
    expect(await noteSignerFromJwk("example.com/log", NOTE_ED25519, { kty: "EC" })).toBeNull();
    expect(await noteSignerFromJwk("a b", NOTE_ED25519, jwk as { kty: string })).toBeNull();
    expect(publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x: "short" })).toBeNull();
  });

  test("base 64, hexadecimal and counts have one spelling", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
        expect(fromHex(toHex(bytes))).toEqual(bytes);
      }),
    );
    for (const text of [
      "A",
      "AB",
      "ABC",
      "AB=C",
      "AB==C",
      "AR==",
      "ABB=",
      "A A=",
      "AB==\n",
      "====",
      "-_==",
    ]) {
      expect(fromBase64(text), text).toBeNull();
    }
    expect(fromHex("AB")).toBeNull();
    expect(fromHex("abc")).toBeNull();
    for (const text of ["", "00", "01", "+1", "1.0", "1e3", " 1", "9007199254740992", "99999999999999999"]) {
      expect(parseCount(text), text).toBeNull();
    }
    expect(parseCount("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
  });
});
