/** Sealed sessions in the spool: what leaves the host, again and after a crash, and whose keys are taken. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { afterEach, beforeAll, expect, test } from "vitest";
import { isSealed, SEGMENT_TARGET, SealedChain, verifyChain } from "../wire/recording.ts";
import { type AuditorKey, auditorKey, openSegment } from "../wire/recording-seal.ts";
import type { Log } from "./log.ts";
import { readSealing } from "./sealing.ts";
import { Spool } from "./spool.ts";

const CANARY = "canary-77c0";
const folders: string[] = [];
let auditor: AuditorKey;
const quiet = Object.assign(() => {}, { with: () => quiet }) as unknown as Log;

beforeAll(async () => {
  const pair = await generateKeyPair("ECDH-ES+A256KW", { crv: "X25519", extractable: true });
  auditor = (await auditorKey(await exportJWK(pair.privateKey)))!;
});
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wicket-sealing-"));
  folders.push(folder);
  return folder;
}

const spoolIn = (folder: string) =>
  new Spool({ folder, max: 1 << 30, log: quiet, onSegment: () => {}, now: () => 1000 });

/** A session of `count` segments that is over, or that was cut off. */
function write(spool: Spool, session: string, count: number, closed: boolean): void {
  const recording = spool.begin(session, "full", false, [auditor]);
  for (let n = 0; n < count; n++) {
    recording.add("event", new TextEncoder().encode(`${CANARY} ${n}`));
    // Two do not fit into one segment.
    for (let part = 0; part < 4; part++) recording.add("backend", new Uint8Array(SEGMENT_TARGET / 6));
  }
  recording.flush();
  if (closed) recording.close("CLIENT_TERMINATED");
}

async function drain(spool: Spool, session: string): Promise<Uint8Array[]> {
  const sent: Uint8Array[] = [];
  for (;;) {
    const next = spool.segments(session).find((one) => one.sequence >= sent.length);
    if (!next) return sent;
    const bytes = await spool.stored(session, next);
    // Tried again, the same bytes leave.
    expect(Buffer.compare(await spool.stored(session, next), bytes)).toBe(0);
    sent.push(bytes);
    const last = spool.segments(session).at(-1)!.sequence === next.sequence;
    spool.uploaded(session, next.sequence, last);
    if (last) return sent;
  }
}

async function expectWhole(session: string, sent: readonly Uint8Array[]): Promise<string> {
  const chain = new SealedChain(session);
  const opened: Uint8Array[] = [];
  for (const bytes of sent) {
    expect(new TextDecoder("latin1").decode(bytes)).not.toContain(CANARY);
    expect(chain.next(bytes)).toMatchObject({ ok: true });
    const open = await openSegment(bytes, auditor);
    if (!open.ok) throw new Error(open.message);
    opened.push(open.bytes);
  }
  const whole = verifyChain(session, opened);
  if (!whole.ok) throw new Error(whole.message);
  expect(whole.roots.frontend.root).toBe(chain.last!.frontend.root);
  expect(new TextDecoder("latin1").decode(opened[0])).toContain(`${CANARY} 0`);
  return whole.reason;
}

test("what leaves the host is sealed, chained, the same again, and opens to the whole recording", async () => {
  const spool = spoolIn(newFolder());
  write(spool, "s1", 4, true);
  const sent = await drain(spool, "s1");
  expect(sent.length).toBeGreaterThan(2);
  expect(await expectWhole("s1", sent)).toBe("CLIENT_TERMINATED");
  expect([spool.used, spool.sessions]).toEqual([0, []]);
});

test("R3 after a crash a sealed session is closed sealed; what was sealed before leaves as it was", async () => {
  const folder = newFolder();
  const spool = spoolIn(folder);
  write(spool, "s1", 3, false);
  const first = spool.segments("s1")[0]!;
  const before = await spool.stored("s1", first);
  const after = spoolIn(folder);
  after.recover();
  expect(Buffer.compare(await after.stored("s1", first), before)).toBe(0);
  expect(await expectWhole("s1", await drain(after, "s1"))).toBe("CONNECTOR_RESTARTED");
  expect([after.used, after.sessions]).toEqual([0, []]);
});

test("the spool counts what is sealed, and keeps one sealed segment a session", async () => {
  const folder = newFolder();
  const spool = spoolIn(folder);
  write(spool, "s1", 5, true);
  for (const segment of spool.segments("s1").slice(0, 3)) await spool.stored("s1", segment);
  const names = readdirSync(join(folder, "s1"));
  expect(names.filter((name) => name.endsWith(".wgs"))).toEqual(["00000002.wgs"]);
  const sizes = names
    .filter((name) => name !== "auditors.json")
    .map((name) => readFileSync(join(folder, "s1", name)).length);
  expect(spool.used).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test("a session that is not sealed leaves as it is; one whose auditors are damaged does not leave at all", async () => {
  const folder = newFolder();
  const spool = spoolIn(folder);
  spool.begin("open", "full", false).close("X");
  expect(isSealed(await spool.stored("open", spool.segments("open")[0]!))).toBe(false);
  write(spool, "s1", 1, true);
  writeFileSync(join(folder, "s1", "auditors.json"), "[{}]");
  await expect(spool.stored("s1", spool.segments("s1")[0]!)).rejects.toThrow("auditors");
});

test("auditors' keys are public ones, each once; private keys and other files are refused", async () => {
  const folder = newFolder();
  const put = (name: string, value: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
    return path;
  };
  const good = put("good.jwk", auditor.publicJwk);
  const read = await readSealing([good, put("same.jwk", auditor.publicJwk)], true);
  expect(read).toMatchObject({ ok: true, sealing: { always: true, auditors: [{ id: auditor.id }] } });
  expect(await readSealing([], false)).toEqual({ ok: true, sealing: null });
  const secret = await readSealing([put("secret.jwk", auditor.privateJwk)], false);
  expect(secret).toMatchObject({ ok: false, message: expect.stringContaining("private") });
  for (const file of [put("none.jwk", "{}"), put("text", "x"), join(folder, "missing")])
    expect((await readSealing([file], false)).ok).toBe(false);
});
