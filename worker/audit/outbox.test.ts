import { runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { GrantsEnv } from "../grants/open.ts";
import { type NewEvent, ulid } from "./events.ts";
import { AuditOutbox } from "./outbox.ts";
import { recordEvents } from "./record.ts";
import {
  findSession,
  listEvents,
  listSessions,
  recordSessionEnd,
  recordSessionProgress,
  recordSessionStart,
} from "./store.ts";
import { migrate } from "./test-database.ts";

const env = bindings as unknown as GrantsEnv;
const broken = {
  prepare: () => {
    throw new Error("D1 is down");
  },
} as unknown as D1Database;

beforeAll(() => migrate(env.DB));

function event(session: string, message = "m"): NewEvent {
  return { type: "session.refused", severity: "warn", session, reason: "TOKEN_EXPIRED", data: { message } };
}

function inObject<T>(name: string, run: (sql: SqlStorage) => Promise<T>): Promise<T> {
  const stub = env.GRANTS.get(env.GRANTS.idFromName(name));
  return runInDurableObject(stub, (_object, state) => run(state.storage.sql)) as Promise<T>;
}

test.each(["buffered", "durable"] as const)("%s: events reach D1 in their order", async (mode) => {
  const session = `order-${mode}`;
  await inObject(session, async (sql) => {
    const outbox = new AuditOutbox({ db: env.DB, sql, now: Date.now, mode });
    for (let n = 0; n < 120; n++) outbox.add(event(session, String(n)));
    expect(await outbox.flush()).toBe(true);
    expect(outbox.empty).toBe(true);
  });
  const events = await listEvents(env.DB, { session, after: "", limit: 1000 });
  const messages = events.map((one) => (one.data as { message: string }).message);
  expect(messages.sort((a, b) => Number(a) - Number(b))).toHaveLength(120);
});

test.each(["buffered", "durable"] as const)("%s: nothing is lost while D1 is down", async (mode) => {
  const session = `down-${mode}`;
  await inObject(session, async (sql) => {
    const outbox = new AuditOutbox({ db: broken, sql, now: Date.now, mode });
    outbox.add(event(session));
    outbox.add(event(session));
    expect(await outbox.flush()).toBe(false);
    expect(outbox.empty).toBe(false);
  });
  await inObject(session, async (sql) => {
    const outbox = new AuditOutbox({ db: env.DB, sql, now: Date.now, mode });
    expect(await outbox.flush()).toBe(true);
    expect(await outbox.flush()).toBe(true);
  });
  expect(await listEvents(env.DB, { session })).toHaveLength(2);
});

test("a durable event is in storage before add returns", async () => {
  await inObject("durable-now", async (sql) => {
    const outbox = new AuditOutbox({ db: env.DB, sql, now: Date.now, mode: "durable" });
    outbox.add(event("durable-now"));
    expect(sql.exec("SELECT id FROM audit_outbox").toArray()).toHaveLength(1);
    await outbox.flush();
  });
});

test("the Worker's own events go to an object's outbox when D1 is down", async () => {
  await recordEvents({ ...env, DB: broken } as never, [event("worker-down")]);
  const found = await waitFor(async () => {
    const events = await listEvents(env.DB, { session: "worker-down" });
    return events.length > 0 ? events : null;
  });
  expect(found).toHaveLength(1);
});

async function waitFor<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("events are found by person, task, time and text, and paged", async () => {
  const actor = { issuer: "https://i.example.com", subject: "finder", name: "Finder Keeper", groups: [] };
  await recordEvents(env as never, [
    {
      type: "session.refused",
      severity: "warn",
      actor,
      task: "one",
      reason: "NOT_A_MEMBER",
      data: { message: "" },
    },
    {
      type: "session.refused",
      severity: "warn",
      actor,
      task: "two",
      reason: "NOT_A_MEMBER",
      data: { message: "" },
    },
  ]);
  expect(await listEvents(env.DB, { issuer: actor.issuer, subject: "finder" })).toHaveLength(2);
  expect(await listEvents(env.DB, { subject: "finder", task: "one" })).toHaveLength(1);
  expect(await listEvents(env.DB, { text: "keeper" })).toHaveLength(2);
  expect(await listEvents(env.DB, { subject: "finder", since: Date.now() + 60_000 })).toHaveLength(0);
  const [newest] = await listEvents(env.DB, { subject: "finder", limit: 1 });
  expect(await listEvents(env.DB, { subject: "finder", before: newest!.id })).toHaveLength(1);
  expect(await listEvents(env.DB, { subject: "finder' OR 1=1 --" })).toEqual([]);
});

test("a session is listed while it runs and after its end; the first end counts", async () => {
  const start = {
    ...{ id: "s-1", grant: "g", issuer: "i", subject: "lister", name: null, task: "t", resource: "r" },
    ...{ reason: null, started: 1000 },
  };
  await recordSessionStart(env.DB, start);
  await recordSessionStart(env.DB, start);
  await recordSessionProgress(env.DB, "s-1", { statements: 1, denied: 0, rows: 2, bytes: 3 });
  expect(await listSessions(env.DB, { subject: "lister", open: true })).toMatchObject([
    { id: "s-1", rows: 2 },
  ]);
  const totals = { statements: 5, denied: 1, rows: 7, bytes: 9 };
  await recordSessionEnd(env.DB, "s-1", {
    ...totals,
    ended: 2000,
    end_code: "CLIENT_CLOSED",
    roots: { edge: "ab" },
  });
  await recordSessionEnd(env.DB, "s-1", { ...totals, ended: 3000, end_code: "OTHER", roots: null });
  expect(await findSession(env.DB, "s-1")).toMatchObject({
    ...{ grant: "g", ended: 2000, end_code: "CLIENT_CLOSED", statements: 5, roots: { edge: "ab" } },
  });
  expect(await listSessions(env.DB, { subject: "lister", open: true })).toEqual([]);
});

test("ids sort by time, also within a millisecond", () => {
  const ids = [ulid(1), ulid(1), ulid(1), ulid(2)];
  expect([...ids].sort()).toEqual(ids);
  expect(ids[0]).toMatch(/^0000000001[0-9A-Z]{16}$/);
});
