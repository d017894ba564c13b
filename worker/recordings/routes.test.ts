/** R1: what becomes of segments when the store fails. The rest of recordings is tested from outside, in test/. */
import { runInDurableObject } from "cloudflare:test";
import { env as unchecked } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, expect, test } from "vitest";
import { type SealedSegment, SegmentWriter } from "../../wire/recording.ts";
import { migrate } from "../audit/test-database.ts";
import { bindingsFrom } from "../env.ts";
import { newSessionId } from "../sessions/ticket.ts";
import { recordingRoutes } from "./routes.ts";
import { listSegments, putSegment } from "./store.ts";

const env = bindingsFrom(unchecked);
let privateKey: CryptoKey;

beforeAll(async () => {
  await migrate(env.DB);
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  privateKey = pair.privateKey;
  const connector = env.CONNECTORS.getByName("demo");
  const opened = await connector.openEnrolment({ issuer: "i", subject: "a", name: null, groups: [] }, false);
  if (opened.ok) await connector.enrol(opened.code, await exportJWK(pair.publicKey));
});

/** A session that has ended, as its object keeps it, and the one segment of its recording. */
async function ended(): Promise<{ sid: string; segment: SealedSegment }> {
  const sid = newSessionId();
  await runInDurableObject(env.SESSIONS.getByName(sid), (_object, state) => {
    const actor = { issuer: "i", subject: "s", name: null, groups: [] };
    state.storage.kv.put("session", {
      ...{ sid, grant: "g", actor, task: "orders-analyst", taskDigest: "0", resource: "orders-db" },
      ...{ connector: "demo", started: 1, deadline: 2, settled: true, recorded: null },
      ended: { at: 2, code: "X", message: "", roots: null, statements: 0, denied: 0, rows: 0, bytes: 0 },
    });
  });
  const writer = new SegmentWriter(sid);
  writer.add({ kind: "event", at: 1, bytes: new TextEncoder().encode("{}") });
  return { sid, segment: writer.seal(1, { reason: "X" }) };
}

async function put(sid: string, segment: SealedSegment, bucket: R2Bucket): Promise<number> {
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "EdDSA", typ: "wicket-connector+jwt" })
    .setIssuer("demo")
    .setAudience(env.EDGE_ORIGIN)
    .setIssuedAt()
    .setExpirationTime("60s")
    .setJti(crypto.randomUUID())
    .sign(privateKey);
  const digest = createHash("sha256").update(segment.bytes).digest("base64");
  const request = new Request(`${env.EDGE_ORIGIN}/connector/recordings/${sid}/${segment.sequence}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-digest": `sha-256=:${digest}:` },
    body: segment.bytes as Uint8Array<ArrayBuffer>,
  });
  return (await recordingRoutes().fetch(request, { ...env, RECORDINGS: bucket })).status;
}

test("R1 a store that fails is a 503, nothing is taken as stored, and the same segment may come again", async () => {
  const { sid, segment } = await ended();
  const failing = { put: () => Promise.reject(new Error("R2 is down")) } as unknown as R2Bucket;
  expect(await put(sid, segment, failing)).toBe(503);
  expect(await listSegments(env.RECORDINGS, sid)).toEqual([]);
  expect(await put(sid, segment, env.RECORDINGS)).toBe(201);
  expect(await put(sid, segment, env.RECORDINGS)).toBe(200);
});

test("R1 an answer that got lost after the store took it: the next try closes the gap", async () => {
  const { sid, segment } = await ended();
  const lossy = {
    async put(...args: Parameters<R2Bucket["put"]>) {
      await env.RECORDINGS.put(...args);
      throw new Error("the connection was lost");
    },
  } as unknown as R2Bucket;
  expect(await put(sid, segment, lossy)).toBe(503);
  expect(await put(sid, segment, env.RECORDINGS)).toBe(200);
  await runInDurableObject(env.SESSIONS.getByName(sid), (_object, state) => {
    expect(state.storage.kv.get("session")).toMatchObject({ recorded: { sequence: 0, final: true } });
  });
});

test("R2 what is stored is never replaced, and R2 itself checks the digest", async () => {
  const sid = newSessionId();
  const bytes = new Uint8Array([1, 2, 3]);
  const digest = createHash("sha256").update(bytes).digest("hex");
  expect(await putSegment(env.RECORDINGS, sid, 0, bytes, digest)).toBe("created");
  expect(await putSegment(env.RECORDINGS, sid, 0, bytes, digest)).toBe("same");
  const other = new Uint8Array([4]);
  const otherDigest = createHash("sha256").update(other).digest("hex");
  expect(await putSegment(env.RECORDINGS, sid, 0, other, otherDigest)).toBe("different");
  await expect(putSegment(env.RECORDINGS, sid, 1, other, digest)).rejects.toThrow();
  expect(await listSegments(env.RECORDINGS, sid)).toEqual([{ sequence: 0, size: 3, digest }]);
});
