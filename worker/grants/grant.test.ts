import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { askFor } from "./frozen-ask.ts";
import {
  approve,
  deny,
  endSession,
  type Grant,
  type GrantResult,
  openNew,
  type Person,
  remaining,
  revoke,
  settle,
  startSession,
  useStatement,
} from "./grant.ts";
import { person, testTask } from "./test-task.ts";

const now = Date.UTC(2026, 10, 24, 9);
const tina = person("tina", ["support"], "tina@example.com");
const lee = person("lee", ["support", "support-leads"]);
const kim = person("kim", ["support-leads"]);

function asked(changes: Parameters<typeof testTask>[0] = {}, sessions: number | null = null): Grant {
  const ask = askFor(
    testTask({ approval: { from: { groups: ["support-leads"] }, count: 1, expiresMs: 900_000 }, ...changes }),
    {
      kind: "request",
      requester: tina,
      actor: null,
      params: { customer: "7" },
      reason: "INC-7",
      description: null,
      durationMs: null,
      sessions,
    },
  );
  if (!ask.ok) throw new Error(ask.code);
  return openNew("0-1", ask.ask, now);
}

function done(result: GrantResult): Grant {
  if (!result.ok) throw new Error(result.code);
  return result.grant;
}

function code(result: GrantResult): string {
  return result.ok ? "ok" : result.code;
}

describe("asking", () => {
  test("what nobody has to approve is active at once", () => {
    const grant = asked({ approval: null });
    expect(grant).toMatchObject({ status: "active", expires: now + 1_800_000, decided: now });
  });
  test("a longer time than the task allows is refused with the line", () => {
    const result = askFor(testTask(), {
      ...{
        kind: "request",
        requester: tina,
        actor: null,
        params: {},
        reason: null,
        description: null,
        sessions: null,
      },
      durationMs: 1_800_001,
    });
    expect(result).toMatchObject({ ok: false, code: "DURATION_TOO_LONG", rule: "tasks/t.yaml:9" });
  });
  test("A10 a long reason is refused", () => {
    const result = askFor(testTask(), {
      ...{
        kind: "request",
        requester: tina,
        actor: null,
        params: {},
        description: null,
        durationMs: null,
        sessions: null,
      },
      reason: "x".repeat(1001),
    });
    expect(result).toMatchObject({ ok: false, code: "REASON_TOO_LONG" });
  });
});

describe("approving", () => {
  test("the clock starts at the approval", () => {
    const grant = done(approve(asked(), lee, null, now + 60_000));
    expect(grant).toMatchObject({ status: "active", expires: now + 60_000 + 1_800_000 });
  });
  test("A1 the requester cannot approve: not as themselves, not with a second account, not as the agent", () => {
    const promoted: Person = { ...tina, groups: ["support-leads"] };
    expect(code(approve(asked(), promoted, null, now))).toBe("SELF_APPROVAL");
    const second = {
      ...person("tina2", ["support-leads"], "tina@example.com"),
      issuer: "https://other.example.com",
    };
    expect(code(approve(asked(), second, null, now))).toBe("SELF_APPROVAL");
    const agent = person("agent", ["support-leads"]);
    expect(code(approve({ ...asked(), actor: agent }, agent, null, now))).toBe("SELF_APPROVAL");
    expect(code(deny(asked(), promoted, "no", now))).toBe("SELF_APPROVAL");
  });
  test("only members of the named groups decide", () => {
    expect(code(approve(asked(), person("omar", ["warehouse"]), null, now))).toBe("NOT_AN_APPROVER");
    expect(code(deny(asked(), person("omar", ["warehouse"]), "no", now))).toBe("NOT_AN_APPROVER");
  });
  test("N of M are distinct people", () => {
    const two = asked({ approval: { from: { groups: ["support-leads"] }, count: 2, expiresMs: 900_000 } });
    const one = done(approve(two, lee, null, now));
    expect(one.status).toBe("pending");
    expect(code(approve(one, { ...lee, name: "Another Lee" }, null, now))).toBe("ALREADY_APPROVED");
    expect(done(approve(one, kim, null, now)).status).toBe("active");
  });
  test("a denial needs words and ends it", () => {
    expect(code(deny(asked(), lee, "  ", now))).toBe("COMMENT_REQUIRED");
    const denied = done(deny(asked(), lee, "use the report", now));
    expect(denied).toMatchObject({ status: "denied", ended: { message: "use the report" } });
    expect(code(approve(denied, kim, null, now))).toBe("APPROVAL_DENIED");
  });
  test("A4 an approval counts once, and not after the request expired", () => {
    const active = done(approve(asked(), lee, null, now));
    expect(code(approve(active, kim, null, now))).toBe("NOT_PENDING");
    expect(code(approve(settle(asked(), now + 900_000), lee, null, now + 900_000))).toBe("GRANT_EXPIRED");
  });
});

describe("running", () => {
  const active = done(approve(asked(), lee, null, now));
  const current = { taskDigest: active.taskDigest, open: 0 };

  test("A2 a changed task needs a new grant", () => {
    expect(code(startSession(active, { taskDigest: "f".repeat(64), open: 0 }))).toBe("GRANT_TASK_CHANGED");
  });
  test("sessions at the same time are limited", () => {
    expect(code(startSession(active, { ...current, open: 1 }))).toBe("ok");
    expect(code(startSession(active, { ...current, open: 2 }))).toBe("LIMIT_CONCURRENT");
  });
  test("A6 a single-use grant starts one session, and is used when it ends", () => {
    const single = done(startSession(done(approve(asked({}, 1), lee, null, now)), current));
    expect(code(startSession(single, { ...current, open: 1 }))).toBe("GRANT_USED");
    const ended = endSession(single, { statements: 1, rows: 1, bytes: 1 }, 0);
    expect(ended.status).toBe("used");
  });
  test("what was approved is a budget over all sessions", () => {
    const first = endSession(done(startSession(active, current)), { statements: 3, rows: 400, bytes: 10 }, 0);
    expect(remaining(first)).toEqual({ statements: 197, rows: 100, bytes: null });
    const second = endSession(done(startSession(first, current)), { statements: 1, rows: 100, bytes: 0 }, 0);
    expect(second.status).toBe("used");
    expect(code(startSession(second, current))).toBe("GRANT_USED");
  });
  test("time ends it", () => {
    const expired = settle(active, active.expires);
    expect(expired.status).toBe("expired");
    expect(code(startSession(expired, current))).toBe("GRANT_EXPIRED");
  });
  test("the requester, an approver and an administrator may revoke; nobody else", () => {
    for (const [who, admin] of [
      [tina, false],
      [kim, false],
      [person("root", []), true],
    ] as const) {
      expect(done(revoke(active, { person: who, admin }, "GRANT_REVOKED", "enough", now)).status).toBe(
        "revoked",
      );
    }
    const omar = { person: person("omar", ["warehouse"]), admin: false };
    expect(code(revoke(active, omar, "GRANT_REVOKED", "enough", now))).toBe("NOT_ENTITLED");
  });
  test("A4 a statement's approval is for exactly that statement, once", () => {
    const statement = {
      ...{ session: "s", digest: "d1", text: "UPDATE x", rewritten: null, params: null, relations: [] },
      ...{ masked: [], rule: null, plan: null },
      ...{ touches: [], estimatedRows: null, noPlan: null },
    };
    const held = openNew("0-2", { ...active, kind: "statement", parent: "0-1", statement }, now);
    expect(code(useStatement(held, "d1"))).toBe("APPROVAL_PENDING");
    const approved = done(approve(held, lee, null, now));
    expect(code(useStatement(approved, "d2"))).toBe("APPROVAL_MISMATCH");
    const used = done(useStatement(approved, "d1"));
    expect(code(useStatement(used, "d1"))).toBe("GRANT_USED");
    expect(code(startSession(approved, current))).toBe("GRANT_KIND");
  });
});

test("no order of steps makes an unapproved, ended or self-approved grant run", () => {
  const people = [tina, lee, kim, person("omar", ["warehouse"])];
  const step = fc.record({
    kind: fc.constantFrom("approve", "deny", "revoke", "start", "end", "wait"),
    who: fc.integer({ min: 0, max: people.length - 1 }),
    ms: fc.integer({ min: 0, max: 600_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), (steps, count) => {
      let grant = asked({ approval: { from: { groups: ["support-leads"] }, count, expiresMs: 900_000 } }, 1);
      let time = now;
      let ended = false;
      let started = 0;
      for (const { kind, who, ms } of steps) {
        time += ms;
        grant = settle(grant, time);
        const by = people[who]!;
        let result: GrantResult | null = null;
        if (kind === "approve") result = approve(grant, by, null, time);
        else if (kind === "deny") result = deny(grant, by, "no", time);
        else if (kind === "revoke") result = revoke(grant, { person: by, admin: false }, "X", "x", time);
        else if (kind === "end") grant = endSession(grant, { statements: 1, rows: 1, bytes: 1 }, 0);
        else if (kind === "start") {
          result = startSession(grant, { taskDigest: grant.taskDigest, open: 0 });
          if (result.ok) {
            started += 1;
            expect(ended).toBe(false);
            expect(time).toBeLessThan(grant.expires);
            expect(new Set(grant.approvals.map((one) => one.subject)).size).toBeGreaterThanOrEqual(count);
            expect(grant.approvals.some((one) => one.subject === "tina" || one.subject === "omar")).toBe(
              false,
            );
          }
        }
        if (result?.ok) grant = result.grant;
        if (["denied", "expired", "revoked", "used"].includes(grant.status)) ended = true;
        else expect(ended).toBe(false);
      }
      expect(started).toBeLessThanOrEqual(1);
    }),
  );
});
