import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env as unchecked } from "cloudflare:workers";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import type { Identity } from "../../policies/task.ts";
import { CONNECTOR_SUBPROTOCOL } from "../../wire/tunnel.ts";
import { actorFrom } from "../audit/events.ts";
import { findSession, listEvents } from "../audit/store.ts";
import { migrate } from "../audit/test-database.ts";
import { bundle } from "../bundle.ts";
import { bindingsFrom } from "../env.ts";
import { openGrant } from "../grants/open.ts";
import { notePolicies } from "../grants/policy-change.ts";
import type { SessionObject } from "./object.ts";
import type { SessionAsk } from "./opening.ts";
import { newSessionId } from "./ticket.ts";

const env = bindingsFrom(unchecked);
const task = bundle.tasks["orders-analyst"]!;
let privateKey: CryptoKey;
let people = 0;

beforeAll(async () => {
  await migrate(env.DB);
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  privateKey = pair.privateKey;
  const connector = env.CONNECTORS.getByName("demo");
  const by = { issuer: "i", subject: "ada", name: null, groups: [] };
  const opened = await connector.openEnrolment(by, false);
  if (!opened.ok) throw new Error(opened.code);
  expect(await connector.enrol(opened.code, await exportJWK(pair.publicKey))).toMatchObject({ ok: true });
});

function token(): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: "EdDSA", typ: "wicket-connector+jwt" })
    .setIssuer("demo")
    .setAudience(env.EDGE_ORIGIN)
    .setIssuedAt()
    .setExpirationTime("60s")
    .setJti(crypto.randomUUID())
    .sign(privateKey);
}

/** A connected control socket and the dials that it gets. */
async function online(): Promise<{ socket: WebSocket; dials: { session: string; ticket: string }[] }> {
  const answer = await env.CONNECTORS.getByName("demo").fetch("https://object.invalid/control", {
    headers: {
      upgrade: "websocket",
      "sec-websocket-protocol": CONNECTOR_SUBPROTOCOL,
      authorization: `Bearer ${await token()}`,
    },
  });
  expect(answer.status).toBe(101);
  const socket = answer.webSocket!;
  const dials: { session: string; ticket: string }[] = [];
  socket.accept();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data));
    if (message.t === "dial") dials.push(message);
  });
  socket.send(JSON.stringify({ v: 1, t: "hello", name: "demo", version: "t", resources: ["orders-db"] }));
  await waitFor(async () => (await env.CONNECTORS.getByName("demo").summary()).online || null);
  return { socket, dials };
}

async function waitFor<T>(look: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("waited in vain");
}

type Stub = DurableObjectStub<SessionObject>;

/** A session that may be opened, of a person of its own. */
async function asked(
  of = task,
  params: Readonly<Record<string, string>> = {},
  reason: string | null = null,
): Promise<{ ask: SessionAsk; stub: DurableObjectStub<SessionObject> }> {
  people += 1;
  const identity: Identity = {
    ...{ issuer: "https://i.example.com", subject: `person-${people}`, name: null, groups: of.who.groups },
    ...{ claims: {}, expires: Date.now() + 60_000 },
  };
  const grant = await openGrant(env, { identity, task: of, params, reason, now: Date.now() });
  if (!grant.ok) throw new Error(grant.code);
  const sid = newSessionId();
  const ask: SessionAsk = {
    ...{ sid, grant: grant.grant.id, actor: actorFrom(identity), task: of.name, taskDigest: of.digest },
    ...{ params, reason, connector: "demo", client: {} },
  };
  return { ask, stub: env.SESSIONS.getByName(sid) };
}

async function client(stub: DurableObjectStub<SessionObject>): Promise<WebSocket> {
  const answer = await stub.fetch("https://object.invalid/client", {
    headers: { upgrade: "websocket", "sec-websocket-protocol": "wicket.pg.v1" },
  });
  expect(answer.status).toBe(101);
  const socket = answer.webSocket!;
  socket.accept();
  return socket;
}

describe("opening", () => {
  test("without a connector nothing starts, and the grant has its place back", async () => {
    const { ask, stub } = await asked();
    expect(await stub.open(ask)).toMatchObject({ ok: false, status: 503, code: "CONNECTOR_OFFLINE" });
    const row = await waitFor(async () => {
      const found = await findSession(env.DB, ask.sid);
      return found?.ended ? found : null;
    });
    expect(row.end_code).toBe("CONNECTOR_OFFLINE");
    expect(
      (await stub.fetch("https://object.invalid/client", { headers: { upgrade: "websocket" } })).status,
    ).toBe(404);
  });

  test("a task that changed meanwhile is not started", async () => {
    const { ask, stub } = await asked();
    expect(await stub.open({ ...ask, taskDigest: "0".repeat(64) })).toMatchObject({ code: "TASK_CHANGED" });
    expect(await stub.open({ ...ask, task: "constructor" })).toMatchObject({ code: "TASK_CHANGED" });
    expect(await stub.summary()).toBeNull();
  });

  test("a session is opened once and has one client; its start is written down first", async () => {
    const { socket, dials } = await online();
    const { ask, stub } = await asked();
    expect(await stub.open(ask)).toEqual({ ok: true });
    expect(await findSession(env.DB, ask.sid)).toMatchObject({ ended: null, resource: "orders-db" });
    expect(await listEvents(env.DB, { session: ask.sid, type: "session.start" })).toHaveLength(1);
    expect(dials.at(-1)).toMatchObject({ session: ask.sid });
    expect(await stub.open(ask)).toMatchObject({ ok: false, code: "SESSION_EXISTS" });
    const first = await client(stub);
    const second = await stub.fetch("https://object.invalid/client", { headers: { upgrade: "websocket" } });
    expect(second.status).toBe(409);
    first.close();
    socket.close();
  });

  test("V3 while D1 does not answer nothing starts", async () => {
    const { socket, dials } = await online();
    const { ask, stub } = await asked();
    await runInDurableObject(stub, async (object) => {
      const inside = bindingsFrom((object as unknown as { env: object }).env) as { DB: D1Database };
      const good = inside.DB;
      let down = true;
      inside.DB = new Proxy(good, {
        get(db, name) {
          if (down) throw new Error("D1 is down");
          const member = Reflect.get(db, name);
          return typeof member === "function" ? member.bind(db) : member;
        },
      });
      const before = dials.length;
      expect(await object.open(ask)).toMatchObject({ ok: false, status: 503 });
      expect(dials.length).toBe(before);
      down = false;
    });
    // The end is told to D1 later.
    await runDurableObjectAlarm(stub);
    await waitFor(async () => {
      const events = await listEvents(env.DB, { session: ask.sid, type: "session.end" });
      return events.length > 0 ? events : null;
    });
    socket.close();
  });
});

describe("V2 a reset of the object", () => {
  test.each([
    ["the alarm", "EDGE_RESTARTED", (stub: Stub) => runDurableObjectAlarm(stub)],
    ["whoever asks", "EDGE_RESTARTED", (stub: Stub) => stub.summary()],
    ["a kill", "GRANT_REVOKED", (stub: Stub) => stub.kill("GRANT_REVOKED", "revoked")],
  ])("is noticed by %s: the session is closed, once", async (_name, code, notice) => {
    const { socket } = await online();
    const { ask, stub } = await asked();
    expect(await stub.open(ask)).toEqual({ ok: true });
    const open = await client(stub);
    const closed = new Promise<number>((resolve) =>
      open.addEventListener("close", ({ code }) => resolve(code)),
    );
    open.addEventListener("error", () => {});
    await abortAllDurableObjects();
    await closed;
    const again = env.SESSIONS.getByName(ask.sid);
    await notice(again);
    const row = await waitFor(async () => {
      const found = await findSession(env.DB, ask.sid);
      return found?.ended ? found : null;
    });
    expect(row.end_code).toBe(code);
    expect(await again.summary()).toMatchObject({ ended: row.end_code });
    expect(await again.open(ask)).toMatchObject({ code: "SESSION_EXISTS" });
    await waitFor(async () => {
      const events = await listEvents(env.DB, { session: ask.sid, type: "session.end" });
      return events.length === 1 ? events : null;
    });
    socket.close();
  });

  test("of a connector's object keeps its key and its sockets", async () => {
    const { socket } = await online();
    const connector = env.CONNECTORS.getByName("demo");
    await evictDurableObject(connector, { webSockets: "hibernate" });
    expect(await env.CONNECTORS.getByName("demo").summary()).toMatchObject({ online: true });
    const { ask, stub } = await asked();
    expect(await stub.open(ask)).toEqual({ ok: true });
    await stub.kill("X", "x");
    socket.close();
  });

  test("C5 of a connector's object does not make a used token good again", async () => {
    const used = await token();
    const connector = env.CONNECTORS.getByName("demo");
    expect(await connector.verify(used)).toMatchObject({ ok: true, name: "demo" });
    await evictDurableObject(connector, { webSockets: "hibernate" });
    expect(await env.CONNECTORS.getByName("demo").verify(used)).toMatchObject({ code: "TOKEN_REPLAYED" });
  });
});

test("V1 a deployment that waits for sessions ends those of tasks that changed or are gone, and no other", async () => {
  const { socket } = await online();
  const other = bundle.tasks["order-lookup"]!;
  const [changed, same] = [await asked(), await asked(other, { customer: "7" }, "INC-1")];
  for (const { stub, ask } of [changed, same]) expect(await stub.open(ask)).toEqual({ ok: true });
  await notePolicies(env, bundle, Date.now());
  const next = { ...bundle, digest: "f".repeat(64), tasks: { [other.name]: other } };
  expect(await notePolicies(env, next, Date.now())).toBeGreaterThan(0);
  expect(await changed.stub.summary()).toMatchObject({ ended: "POLICY_CHANGED" });
  expect(await same.stub.summary()).toMatchObject({ ended: null });
  // Once: nobody who meets the same policies later does it again.
  expect(await notePolicies(env, next, Date.now() + 60_000)).toBe(0);
  await same.stub.kill("X", "x");
  socket.close();
});

describe("after the end", () => {
  /** An object as it is some minutes after its session. */
  async function ended(recorded: object | null, entries: number): Promise<{ sid: string; stub: Stub }> {
    const sid = newSessionId();
    const stub = env.SESSIONS.getByName(sid);
    const direction = { entries, root: "0".repeat(64) };
    await runInDurableObject(stub, (_object, state) => {
      state.storage.kv.put("session", {
        ...{ sid, grant: "g", task: "orders-analyst", taskDigest: "0", resource: "orders-db" },
        ...{ actor: { issuer: "i", subject: "s", name: null, groups: [] }, connector: "demo" },
        ...{ started: 1, deadline: 2, settled: true, recorded },
        ended: {
          ...{ at: Date.now() - 11 * 60_000, code: "X", message: "" },
          ...{ statements: 0, denied: 0, rows: 0, bytes: 0 },
          roots: { frontend: direction, backend: direction },
        },
      });
      return state.storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(stub);
    return { sid, stub };
  }

  test.each([
    ["its recording is complete", { sequence: 4, digest: "0", final: true }, 3],
    ["nothing was ever recorded", null, 0],
  ])("an object forgets its session when %s", async (_name, recorded, entries) => {
    const { stub } = await ended(recorded, entries);
    expect(await stub.summary()).toBeNull();
  });

  test("R3 a recording that does not come to its end is reported, and still waited for", async () => {
    const { sid, stub } = await ended({ sequence: 4, digest: "0", final: false }, 3);
    const events = await waitFor(async () => {
      const found = await listEvents(env.DB, { session: sid, type: "recording.gap" });
      return found.length > 0 ? found : null;
    });
    const message = expect.stringContaining("5 segments");
    expect(events).toMatchObject([{ severity: "alarm", data: { message } }]);
    expect(await stub.summary()).toMatchObject({ ended: "X" });
  });
});
