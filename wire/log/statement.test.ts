import { expect, test } from "vitest";
import { utf8 } from "./bytes.ts";
import { NOTE_ED25519, noteSigner } from "./note.ts";
import {
  connectorKeyName,
  connectorVerifier,
  formatStatement,
  openStatement,
  parseStatement,
  signStatement,
} from "./statement.ts";

const statement = {
  session: "s_1",
  roots: {
    frontend: { entries: 3, root: "ab".repeat(32) },
    backend: { entries: 0, root: "cd".repeat(32) },
  },
  segments: 2,
  last: "ef".repeat(32),
};

async function connector(name: string) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  const signer = noteSigner(connectorKeyName(name), NOTE_ED25519, publicKey, pair.privateKey)!;
  return { signer, verifier: connectorVerifier(name, publicKey)! };
}

test("a connector's statement verifies with its key and with no other", async () => {
  const demo = await connector("demo");
  const note = utf8((await signStatement(statement, demo.signer))!);
  expect(await openStatement(note, demo.verifier)).toEqual({ ok: true, statement });
  expect((await openStatement(note, (await connector("demo")).verifier)).ok).toBe(false);
  for (let i = 0; i < note.length; i++) {
    const bad = note.slice();
    bad[i]! ^= 1;
    expect((await openStatement(bad, demo.verifier)).ok, `byte ${i}`).toBe(false);
    expect((await openStatement(note.subarray(0, i), demo.verifier)).ok).toBe(false);
  }
});

test("a note by the same key that is no statement is none", async () => {
  const { signer, verifier } = await connector("demo");
  const { formatNote, signNote } = await import("./note.ts");
  const other = formatNote("edge.example/log\n0\n", [await signNote("edge.example/log\n0\n", signer)])!;
  expect(await openStatement(other, verifier)).toMatchObject({ code: "STATEMENT_MALFORMED" });
});

test("statements have one spelling", () => {
  const text = formatStatement(statement)!;
  expect(parseStatement(text)).toEqual(statement);
  for (const bad of [
    text.slice(0, -1),
    `${text}\n`,
    text.replace("v1", "v2"),
    text.replace("s_1", "s/1"),
    text.replace("frontend 3", "frontend 03"),
    text.replace("frontend 3", "frontend  3"),
    text.replace("abab", "ABAB"),
    text.replace("segments 2", "segments"),
    text.replace("backend", "frontend"),
  ]) {
    expect(parseStatement(bad), bad).toBeNull();
  }
  expect(formatStatement({ ...statement, session: "a\nb" })).toBeNull();
  expect(connectorKeyName("a b+c")).toBe("wicketgate/connector/a%20b%2Bc");
});
