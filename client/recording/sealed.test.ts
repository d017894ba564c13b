/** Sealed recordings in the verifier: what is said without a key, with one, with a wrong one, and from an opened copy. */
import { exportJWK, generateKeyPair } from "jose";
import { beforeAll, expect, test } from "vitest";
import { type AuditorKey, auditorKey } from "../../wire/recording-seal.ts";
import { openedFile, segmentFile } from "./bundle.ts";
import {
  bundleOf,
  changedFrom,
  type Files,
  failed,
  flip,
  newParties,
  of,
  type Parties,
  record,
  verifyWith,
} from "./test-bundle.ts";

let parties: Parties;
let auditor: AuditorKey;
let stranger: AuditorKey;
let sealed: Files;

async function newKey(): Promise<AuditorKey> {
  const pair = await generateKeyPair("ECDH-ES+A256KW", { crv: "X25519", extractable: true });
  return (await auditorKey(await exportJWK(pair.privateKey)))!;
}
const verify = (files: Files, ...keys: AuditorKey[]) => verifyWith(files, parties, undefined, keys);
const made = (options: Parameters<typeof bundleOf>[5] = {}, ...ending: Parameters<typeof bundleOf>[3][]) =>
  bundleOf("s_1", "", parties, ending[0] ?? {}, null, {
    auditors: [auditor],
    start: { sealed: true },
    ...options,
  });
const changed = (change: (files: Files) => void) => changedFrom(sealed, change);

beforeAll(async () => {
  parties = await newParties();
  [auditor, stranger] = await Promise.all([newKey(), newKey()]);
  sealed = await made();
});

test("without a key chain, digests, log and statement hold over what is stored, and the report says what is left", async () => {
  const report = await verify(sealed);
  expect(report.ok, JSON.stringify(report.checks)).toBe(true);
  const verdicts = Object.fromEntries(report.checks.map((one) => [one.property, one.verdict]));
  expect(verdicts).toMatchObject({
    ...{ segments: "PASS", "session end": "PASS", "edge's root": "PASS", "connector's statement": "PASS" },
    ...{ "inclusion in the log": "PASS", "witness cosignature": "PASS", sealing: "NOT CHECKED" },
  });
  expect(of(report, "sealing").detail).toContain(auditor.id);
  for (const bytes of sealed.values())
    expect(new TextDecoder("latin1").decode(bytes)).not.toContain("Q select");
});

test("with the key the entries are held against the roots; with a wrong key nothing more is said", async () => {
  const report = await verify(sealed, stranger, auditor);
  expect(report.ok).toBe(true);
  expect(of(report, "sealing")).toMatchObject({ verdict: "PASS" });
  expect(of(await verify(sealed, stranger), "sealing")).toMatchObject({ verdict: "NOT CHECKED" });
});

test("R2 without a key: a changed, cut, missing, swapped or foreign segment is named", async () => {
  const other = await bundleOf("s_2", "2", parties, {}, null, {
    auditors: [auditor],
    start: { sealed: true },
  });
  const again = await made();
  const name = segmentFile(2);
  const bytes = sealed.get(name)!;
  const cases: [string, Files][] = [
    ["flip", changed((files) => flip(files, name, bytes.length - 3))],
    ["cut", changed((files) => void files.set(name, bytes.slice(0, -1)))],
    ["delete", changed((files) => void files.delete(name))],
    ["other session", changed((files) => void files.set(name, other.get(name)!))],
    ["sealed anew", changed((files) => void files.set(name, again.get(name)!))],
    [
      "swap",
      changed((files) => {
        files.set(name, sealed.get(segmentFile(3))!);
        files.set(segmentFile(3), bytes);
      }),
    ],
  ];
  for (const [what, files] of cases) {
    const report = await verify(files);
    expect(failed(report), what).toContain("segments");
    expect(of(report, "segments").detail, what).toMatch(/segment [23]/);
  }
  const last = segmentFile(5);
  const end = await verify(changed((files) => flip(files, last, sealed.get(last)!.length - 3)));
  expect(failed(end)).toEqual(["session end", "connector's statement"]);
});

test("R2 sealed entries that are not those of the roots pass without the key, and fail with it", async () => {
  // What a connector that lies could seal: other messages, under the roots that the edge counted.
  const genuine = record("s_1", 6);
  const forged = record("s_1", 6, ',"x":1');
  const lying = genuine.sealed.map((one, n) => ({
    ...one,
    bytes: relabelled(forged.sealed[n]!.bytes, one.header),
  }));
  const files = await bundleOf("s_1", "", parties, {}, null, {
    ...{ auditors: [auditor], start: { sealed: true }, segments: lying },
  });
  expect((await verify(files)).ok).toBe(true);
  const report = await verify(files, auditor);
  expect(failed(report)).toEqual(["sealing"]);
  expect(of(report, "sealing").detail).toMatch(/segment 0/);
});

/** A segment under another header. */
function relabelled(bytes: Uint8Array, header: object): Uint8Array {
  const own = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
  const head = new TextEncoder().encode(JSON.stringify(header));
  const result = new Uint8Array(8 + head.length + bytes.length - 8 - own);
  result.set(bytes.subarray(0, 4));
  new DataView(result.buffer).setUint32(4, head.length);
  result.set(head, 8);
  result.set(bytes.subarray(8 + own), 8 + head.length);
  return result;
}

test("an opened copy is held against the same roots, without a key; a changed one fails", async () => {
  const opened = await made({ opened: true });
  const report = await verify(opened);
  expect(of(report, "sealing")).toMatchObject({ verdict: "PASS" });
  for (const at of [5, 300, opened.get(openedFile(1))!.length - 2]) {
    const bad = changedFrom(opened, (files) => flip(files, openedFile(1), at));
    expect(failed(await verify(bad)), `byte ${at}`).toEqual(["sealing"]);
  }
  const other = await bundleOf("s_2", "2", parties, {}, null, { auditors: [auditor], opened: true });
  const swapped = changedFrom(opened, (files) => void files.set(openedFile(1), other.get(openedFile(1))!));
  expect(failed(await verify(swapped))).toEqual(["sealing"]);
});

test("the edge's word in the middle of a sealed segment needs the key; at its end it does not", async () => {
  const { frontend } = record("s_1", 6).roots;
  const middle = { frontend, backend: { entries: 9, root: "00".repeat(32) } };
  const without = await verify(await made({}, { roots: middle }));
  expect(of(without, "edge's root")).toMatchObject({ verdict: "NOT CHECKED" });
  expect(failed(await verify(await made({}, { roots: middle }), auditor))).toEqual(["edge's root"]);
  const { next, root } = record("s_1", 6).sealed[3]!.header.backend;
  const boundary = { frontend, backend: { entries: next, root } };
  expect(of(await verify(await made({}, { roots: boundary })), "edge's root")).toMatchObject({
    verdict: "PASS",
  });
});

test("a recording that had to be sealed and is not fails; so does one that is sealed in parts", async () => {
  expect(failed(await verify(await made({ auditors: [] })))).toEqual(["sealing"]);
  const plain = record("s_1", 6).sealed[2]!.bytes;
  const mixed = await verify(changed((files) => void files.set(segmentFile(2), plain)));
  expect(of(mixed, "segments").detail).toContain("SEALING_MIXED");
});
