import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { listEvents } from "../audit/store.ts";
import { migrate } from "../audit/test-database.ts";
import { disableIdentity, enableIdentity, rememberPerson } from "../identity/people.ts";
import { askFor } from "./frozen-ask.ts";
import type { Grant, HeldStatement } from "./grant.ts";
import { listGrants } from "./ledger.ts";
import type { GrantObject, HoldVerdict } from "./object.ts";
import { type GrantsEnv, openGrant, sessionEnded, sessionStarted } from "./open.ts";
import { slotOf, slotOfGrant } from "./slot.ts";
import { identity, person, TEST_ISSUER, testTask } from "./test-task.ts";

const env = bindings as unknown as GrantsEnv;
const approval = { from: { groups: ["support-leads"] }, count: 1, expiresMs: 900_000 };
const lee = person("lee", ["support-leads"]);
let number = 0;

beforeAll(async () => {
  await migrate(env.DB);
  for (const name of ["lee", "kim"])
    await rememberPerson(env.DB, identity(name, ["support-leads"]), Date.now());
});

function owner(id: string): DurableObjectStub<GrantObject> {
  return env.GRANTS.get(env.GRANTS.idFromName(slotOfGrant(id)!));
}

/** Stands in for the session objects: notes what they are told. */
async function fakeSessions(
  id: string,
  kill: (sid: string) => Promise<void> = async () => undefined,
): Promise<{ killed: [string, string][]; verdicts: HoldVerdict[] }> {
  const told = { killed: [] as [string, string][], verdicts: [] as HoldVerdict[] };
  await runInDurableObject(owner(id), (object: GrantObject) => {
    const inside = object as unknown as { env: object };
    Object.defineProperty(inside, "env", {
      value: {
        ...inside.env,
        DB: env.DB,
        SESSIONS: {
          idFromName: (name: string) => name,
          get: (sid: string) => ({
            kill: async (code: string) => {
              await kill(sid);
              told.killed.push([sid, code]);
            },
            resolveHold: async (_request: string, verdict: HoldVerdict) => {
              told.verdicts.push(verdict);
            },
            summary: async () => ({ ended: null }),
          }),
        },
      },
    });
  });
  return told;
}

async function request(
  changes: Parameters<typeof testTask>[0] = {},
  sessions: number | null = null,
): Promise<Grant> {
  number += 1;
  const ask = askFor(testTask({ approval, ...changes }), {
    kind: "request",
    requester: person("tina", ["support"]),
    actor: null,
    params: { customer: String(number) },
    reason: "INC-7",
    description: null,
    durationMs: null,
    sessions,
  });
  if (!ask.ok) throw new Error(ask.code);
  const slot = await slotOf(ask.ask);
  const result = await env.GRANTS.get(env.GRANTS.idFromName(slot)).request(slot, ask.ask);
  if (!result.ok) throw new Error(result.code);
  return result.grant as Grant;
}

async function approved(
  changes: Parameters<typeof testTask>[0] = {},
  sessions: number | null = null,
): Promise<Grant> {
  const grant = await request(changes, sessions);
  const result = await owner(grant.id).decide(grant.id, { person: lee, via: null }, "approve", null);
  if (!result.ok) throw new Error(result.code);
  return result.grant as Grant;
}

const taskDigest = testTask().digest;

describe("the direct form", () => {
  const ask = (reason: string, changes: Parameters<typeof testTask>[0] = {}) =>
    openGrant(env, {
      ...{ identity: identity("tina", ["support"]), task: testTask(changes), params: { customer: "7" } },
      ...{ reason, now: Date.now() },
    });

  test("the same ask meets the same grant, another one does not", async () => {
    const [one, two, other] = [await ask("INC-1"), await ask("INC-1"), await ask("INC-2")];
    expect(one).toMatchObject({ ok: true });
    expect(two).toEqual(one);
    expect(other).not.toEqual(one);
    expect(await ask("INC-1", { digest: "b".repeat(64) })).not.toEqual(one);
  });
  test("a task with approval is refused, and runs once it is approved", async () => {
    expect(await ask("INC-3", { approval })).toMatchObject({
      ok: false,
      code: "APPROVAL_REQUIRED",
      status: 403,
    });
  });
  test("I14 a disabled identity starts nothing", async () => {
    await disableIdentity(env.DB, { issuer: TEST_ISSUER, subject: "tina" }, "left", Date.now());
    expect(await ask("INC-1")).toMatchObject({ ok: false, code: "IDENTITY_DISABLED" });
    await enableIdentity(env.DB, { issuer: TEST_ISSUER, subject: "tina" });
    expect(await ask("INC-1")).toMatchObject({ ok: true });
  });
  test("V3 when D1 does not answer, nothing starts", async () => {
    const broken = {
      ...env,
      DB: {
        prepare: () => {
          throw new Error("down");
        },
      } as never,
    };
    const result = await openGrant(broken as never, {
      ...{
        identity: identity("new", ["support"]),
        task: testTask(),
        params: {},
        reason: null,
        now: Date.now(),
      },
    });
    expect(result).toMatchObject({ ok: false, status: 503, code: "STATE_UNAVAILABLE" });
  });
});

describe("a request", () => {
  test("A5 another duration is another request", async () => {
    const grant = await request();
    const again = await owner(grant.id).request(slotOfGrant(grant.id)!, { ...grant });
    expect(again).toMatchObject({ ok: true, grant: { id: grant.id } });
    const longer = await owner(grant.id).request(slotOfGrant(grant.id)!, { ...grant, durationMs: 60_000 });
    expect(longer.ok && longer.grant.id).not.toBe(grant.id);
  });
  test("is in the list at once, with its decision", async () => {
    const grant = await approved();
    const rows = await listGrants(
      env.DB,
      { issuer: TEST_ISSUER, subject: "tina", status: "active" },
      Date.now(),
    );
    expect(rows.find((row) => row.id === grant.id)).toMatchObject({ status: "active", needed: 1 });
    const events = await listEvents(env.DB, { grant: grant.id });
    expect(events.map((event) => event.type).reverse()).toEqual([
      "grant.requested",
      "grant.approved",
      "grant.active",
    ]);
  });
  test("A1 an agent that acts for an approver approves nothing, and the attempt is in the log", async () => {
    const grant = await request();
    const via = { issuer: TEST_ISSUER, subject: "agent" };
    const result = await owner(grant.id).decide(grant.id, { person: lee, via }, "approve", null);
    expect(result).toMatchObject({ ok: false, code: "AGENT_APPROVAL" });
    expect(await listEvents(env.DB, { grant: grant.id, type: "grant.refused" })).toHaveLength(1);
  });
  test("A6 two approvers at the same time: one grant, each counted once", async () => {
    const grant = await request({ approval: { ...approval, count: 2 } });
    const votes = [lee, person("kim", ["support-leads"]), lee, lee].map((who) =>
      owner(grant.id).decide(grant.id, { person: who, via: null }, "approve", null),
    );
    const results = await Promise.all(votes);
    expect(results.filter((result) => result.ok)).toHaveLength(2);
    expect(await owner(grant.id).get(grant.id)).toMatchObject({ status: "active" });
  });
});

describe("sessions of a grant", () => {
  test("A6 a single-use grant from many sides at once starts once", async () => {
    const grant = await approved({}, 1);
    const starts = Array.from({ length: 10 }, (_, n) =>
      sessionStarted(env, grant.id, { sid: `su${n}`, taskDigest }),
    );
    const results = await Promise.all(starts);
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(results.find((result) => !result.ok)).toMatchObject({ code: "GRANT_USED" });
  });
  test("max_concurrent counts sessions that run, and frees them when they end", async () => {
    const grant = await approved();
    await fakeSessions(grant.id);
    const start = (sid: string) => sessionStarted(env, grant.id, { sid, taskDigest });
    expect(await start("m1")).toMatchObject({ ok: true, grant: { budget: { rows: 500, statements: 200 } } });
    expect(await start("m2")).toMatchObject({ ok: true });
    expect(await start("m3")).toMatchObject({ ok: false, code: "LIMIT_CONCURRENT", status: 409 });
    await sessionEnded(env, grant.id, "m1", { statements: 2, rows: 10, bytes: 5 });
    await sessionEnded(env, grant.id, "m1", { statements: 2, rows: 10, bytes: 5 });
    expect(await start("m3")).toMatchObject({ ok: true, grant: { budget: { rows: 490, statements: 198 } } });
  });
  test("sessions that run at the same time share one budget", async () => {
    const grant = await approved();
    await fakeSessions(grant.id);
    const start = (sid: string) => sessionStarted(env, grant.id, { sid, taskDigest });
    const spent = (sid: string, rows: number) =>
      owner(grant.id).sessionSpent(grant.id, sid, { statements: 1, rows, bytes: 0 });
    expect(await start("b1")).toMatchObject({ ok: true, grant: { budget: { rows: 500 } } });
    expect(await spent("b1", 300)).toBe(false);
    expect(await start("b2")).toMatchObject({ ok: true, grant: { budget: { rows: 200, statements: 199 } } });
    expect(await spent("b2", 199)).toBe(false);
    expect(await spent("unknown", 500)).toBe(false);
    expect(await spent("b2", 200)).toBe(true);
    await sessionEnded(env, grant.id, "b2", { statements: 1, rows: 200, bytes: 0 });
    expect(await spent("b1", 300)).toBe(true);
    expect(await start("b3")).toMatchObject({ ok: false, code: "GRANT_USED" });
  });
  test("A6 revoke against start: nothing runs under a revoked grant", async () => {
    for (let round = 0; round < 10; round++) {
      const grant = await approved();
      const told = await fakeSessions(grant.id);
      const by = { person: person("tina", []), admin: false };
      const [start, end] = await Promise.all([
        sessionStarted(env, grant.id, { sid: `race${round}`, taskDigest }),
        owner(grant.id).revoke(grant.id, by, "GRANT_REVOKED", "enough"),
      ]);
      expect(end.ok).toBe(true);
      if (start.ok) expect(told.killed).toEqual([[`race${round}`, "GRANT_REVOKED"]]);
      else expect(start.code).toBe("GRANT_REVOKED");
    }
  });
  test("A8 an approver who is out of the group, or disabled, does not count any more", async () => {
    const grant = await approved();
    await rememberPerson(env.DB, identity("lee", ["support"]), Date.now());
    expect(await sessionStarted(env, grant.id, { sid: "a8", taskDigest })).toMatchObject({
      code: "APPROVER_CHANGED",
    });
    await rememberPerson(env.DB, identity("lee", ["support-leads"]), Date.now());
    await disableIdentity(env.DB, lee, "left", Date.now());
    expect(await sessionStarted(env, grant.id, { sid: "a8", taskDigest })).toMatchObject({
      code: "APPROVER_CHANGED",
    });
    await enableIdentity(env.DB, lee);
    expect(await sessionStarted(env, grant.id, { sid: "a8", taskDigest })).toMatchObject({ ok: true });
  });
  test("A8 a clock that runs backwards gives no time back", async () => {
    const grant = await approved({ session: { ttlMs: 1000, idleMs: 1000, maxConcurrent: 2 } });
    const code = await runInDurableObject(owner(grant.id), async (object: GrantObject) => {
      const real = Date.now;
      try {
        Date.now = () => grant.expires + 1;
        await object.get(grant.id);
        Date.now = () => grant.expires - 900;
        return (await object.get(grant.id))?.status;
      } finally {
        Date.now = real;
      }
    });
    expect(code).toBe("expired");
  });
  test("V1 revoking ends every open session, and one that cannot be reached is tried again", async () => {
    const grant = await approved({ session: { ttlMs: 1_800_000, idleMs: 1000, maxConcurrent: null } });
    let broken = true;
    const told = await fakeSessions(grant.id, async (sid) => {
      if (sid === "v1-3" && broken) throw new Error("unreachable");
    });
    for (let n = 0; n < 5; n++) await sessionStarted(env, grant.id, { sid: `v1-${n}`, taskDigest });
    const by = { person: person("tina", []), admin: false };
    await owner(grant.id).revoke(grant.id, by, "GRANT_REVOKED", "enough");
    expect(told.killed).toHaveLength(4);
    broken = false;
    await runDurableObjectAlarm(owner(grant.id));
    expect(told.killed.map(([sid]) => sid).sort()).toEqual(["v1-0", "v1-1", "v1-2", "v1-3", "v1-4"]);
    const [event] = await listEvents(env.DB, { grant: grant.id, type: "grant.sessions_ended" });
    expect(event).toMatchObject({ severity: "alarm", data: { sessions: 5, failed: 1 } });
  });
  test("V1 the end of the granted time ends sessions", async () => {
    const grant = await approved({ session: { ttlMs: 1000, idleMs: 1000, maxConcurrent: 2 } });
    const told = await fakeSessions(grant.id);
    await sessionStarted(env, grant.id, { sid: "late", taskDigest });
    await runInDurableObject(owner(grant.id), async (object: GrantObject) => {
      const real = Date.now;
      try {
        Date.now = () => grant.expires + 1;
        await object.alarm();
      } finally {
        Date.now = real;
      }
    });
    expect(told.killed).toEqual([["late", "GRANT_EXPIRED"]]);
  });
});

describe("a held statement", () => {
  const held = (session: string): HeldStatement => ({
    ...{
      session,
      digest: "d".repeat(64),
      text: "UPDATE orders SET status = $1",
      rewritten: null,
      params: ["x"],
    },
    ...{ relations: ["public.orders"], masked: [], rule: "tasks/t.yaml:9", plan: null },
    ...{ touches: [], estimatedRows: null, noPlan: null },
  });

  test("waits, is approved by another person, and runs exactly once", async () => {
    const grant = await approved();
    const told = await fakeSessions(grant.id);
    await sessionStarted(env, grant.id, { sid: "h1", taskDigest });
    const request = await owner(grant.id).hold(grant.id, held("h1"));
    if (!request.ok) throw new Error(request.code);
    const id = request.grant.id;
    const tina = { person: person("tina", ["support-leads"]), via: null };
    expect(await owner(id).decide(id, tina, "approve", null)).toMatchObject({ code: "SELF_APPROVAL" });
    expect(await owner(id).useHold(id, "d".repeat(64))).toMatchObject({ code: "APPROVAL_PENDING" });
    await owner(id).decide(id, { person: lee, via: null }, "approve", null);
    expect(told.verdicts).toMatchObject([{ effect: "allow", digest: "d".repeat(64), by: ["lee"] }]);
    expect(await owner(id).useHold(id, "e".repeat(64))).toMatchObject({ code: "APPROVAL_MISMATCH" });
    const uses = await Promise.all(Array.from({ length: 5 }, () => owner(id).useHold(id, "d".repeat(64))));
    expect(uses.filter((use) => use.ok)).toHaveLength(1);
  });
  test("is refused when its grant is revoked while it waits", async () => {
    const grant = await approved();
    const told = await fakeSessions(grant.id);
    await sessionStarted(env, grant.id, { sid: "h2", taskDigest });
    const request = await owner(grant.id).hold(grant.id, held("h2"));
    if (!request.ok) throw new Error(request.code);
    await owner(grant.id).revoke(grant.id, null, "POLICY_CHANGED", "the policy changed");
    expect(told.killed).toEqual([["h2", "POLICY_CHANGED"]]);
    expect(await owner(grant.id).get(request.grant.id)).toMatchObject({ status: "revoked" });
  });
  test("a session of another grant cannot hold under this one", async () => {
    const grant = await approved();
    expect(await owner(grant.id).hold(grant.id, held("foreign"))).toMatchObject({
      ok: false,
      code: "GRANT_KIND",
    });
  });
});

test("the list of grants is behind while D1 is down, and follows when it is back", async () => {
  const grant = await request();
  await runInDurableObject(owner(grant.id), (object: GrantObject) => {
    const inside = object as unknown as { env: object };
    const broken = {
      prepare: () => {
        throw new Error("down");
      },
      batch: async () => {
        throw new Error("down");
      },
    };
    Object.defineProperty(inside, "env", { value: { ...inside.env, DB: broken }, configurable: true });
  });
  const by = { person: person("tina", []), admin: false };
  expect(await owner(grant.id).revoke(grant.id, by, "GRANT_REVOKED", "withdrawn")).toMatchObject({
    ok: true,
  });
  const behind = await listGrants(
    env.DB,
    { issuer: TEST_ISSUER, subject: "tina", status: "pending" },
    Date.now(),
  );
  expect(behind.some((row) => row.id === grant.id)).toBe(true);
  await runInDurableObject(owner(grant.id), (object: GrantObject) => {
    const inside = object as unknown as { env: object };
    Object.defineProperty(inside, "env", { value: { ...inside.env, DB: env.DB }, configurable: true });
  });
  await runDurableObjectAlarm(owner(grant.id));
  const rows = await listGrants(
    env.DB,
    { issuer: TEST_ISSUER, subject: "tina", status: "revoked" },
    Date.now(),
  );
  expect(rows.some((row) => row.id === grant.id)).toBe(true);
});
