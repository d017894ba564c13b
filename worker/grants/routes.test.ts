import { beforeAll, describe, expect, test } from "vitest";
import { listEvents } from "../audit/store.ts";
import { openGrant, sessionStarted } from "./open.ts";
import { notePolicies, type PolicyEnv } from "./policy-change.ts";
import { durationMs } from "./routes.ts";
import { createTestEdge, type JsonBody, type TestEdge } from "./test-edge.ts";

let edge: TestEdge;
let customer = 0;

beforeAll(async () => {
  edge = await createTestEdge();
});

function ask(task: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  customer += 1;
  return { task, params: { customer }, reason: `INC-${customer}`, ...more };
}

describe("asking over the API", () => {
  test("a task with approval is pending, and the list shows it to who asked and who decides", async () => {
    const made = await edge.call("POST", "/api/requests", "tina", ask("refund", { duration: "10m" }));
    expect(made).toMatchObject({
      status: 201,
      body: { status: "pending", task: "refund", duration: 600, needed: 1, requester: { subject: "tina" } },
    });
    const { id } = made.body;
    for (const [who, sees] of [
      ["tina", true],
      ["lee", true],
      ["kim", true],
      ["omar", false],
      ["bot", false],
    ] as const) {
      const list = await edge.call("GET", "/api/requests", who);
      expect(list.body.requests.some((one: { id: string }) => one.id === id)).toBe(sees);
      expect((await edge.call("GET", `/api/requests/${id}`, who)).status).toBe(sees ? 200 : 404);
    }
    const all = await edge.call("GET", "/api/requests?all", "ada");
    expect(all.body.requests.some((one: { id: string }) => one.id === id)).toBe(true);
  });
  test("a task that needs nobody is active at once", async () => {
    const made = await edge.call("POST", "/api/requests", "tina", ask("look-up"));
    expect(made.body).toMatchObject({ status: "active" });
  });
  test.each([
    ["unknown task", ask("nothing"), 404, "TASK_UNKNOWN"],
    ["prototype as task", ask("__proto__"), 404, "TASK_UNKNOWN"],
    ["not a member", ask("stock"), 403, "NOT_A_MEMBER"],
    ["parameter of another type", { task: "refund", params: { customer: "x" } }, 400, "PARAM_TYPE"],
    ["missing parameter", { task: "refund" }, 400, "PARAM_MISSING"],
    ["unknown parameter", { task: "refund", params: { customer: 1, more: 2 } }, 400, "PARAM_UNKNOWN"],
    ["reason missing", { task: "ticket", params: { customer: 1 } }, 403, "REASON_REQUIRED"],
    [
      "reason of another form",
      { task: "ticket", params: { customer: 1 }, reason: "because" },
      403,
      "REASON_MISMATCH",
    ],
    ["too long", ask("refund", { duration: "31m" }), 400, "DURATION_TOO_LONG"],
    ["no time", ask("refund", { duration: "soon" }), 400, "DURATION_INVALID"],
    ["unknown field", ask("refund", { approved: true }), 400, "BODY_INVALID"],
  ])("%s", async (_name, body, status, code) => {
    expect(await edge.call("POST", "/api/requests", "tina", body)).toMatchObject({ status, body: { code } });
  });
  test.each(["\u001b[2J", "\u202eINC-7", "INC-7\nfake", "x".repeat(1500)])(
    "A10 a reason with %j is refused",
    async (reason) => {
      expect(
        (await edge.call("POST", "/api/requests", "tina", ask("refund", { reason }))).status,
      ).toBeGreaterThanOrEqual(400);
    },
  );
  test("A10 a body of 10 MB is refused without being read to its end", async () => {
    const reason = "x".repeat(10_000_000);
    expect((await edge.call("POST", "/api/requests", "tina", ask("refund", { reason }))).status).toBe(413);
  });
  test("without a token the answer says where tokens come from", async () => {
    const answer = await edge.call("GET", "/api/requests", null);
    expect(answer).toMatchObject({ status: 401, body: { code: "TOKEN_MISSING" } });
    expect(answer.headers.get("www-authenticate")).toContain("/.well-known/oauth-protected-resource");
  });
});

describe("deciding over the API", () => {
  test("approved by a lead, the direct form runs under it", async () => {
    const body = ask("refund");
    const { id } = (await edge.call("POST", "/api/requests", "tina", body)).body;
    const open = () =>
      openGrant(edge.env, {
        identity: {
          ...{ issuer: edge.issuer.url, subject: "tina", name: "tina", groups: ["support"] },
          ...{ claims: {}, expires: Date.now() + 60_000 },
        },
        task: edge.bundle.tasks["refund"]!,
        params: { customer: String(customer) },
        reason: body["reason"] as string,
        now: Date.now(),
      });
    expect(await open()).toMatchObject({ ok: false, code: "APPROVAL_PENDING", request: id });
    expect(
      (await edge.call("POST", `/api/requests/${id}/approve`, "lee", { reason: "fine" })).body,
    ).toMatchObject({
      status: "active",
      approvals: [{ subject: "lee", comment: "fine" }],
    });
    expect(await open()).toMatchObject({ ok: true, grant: { id } });
    const digest = edge.bundle.tasks["refund"]!.digest;
    expect(await sessionStarted(edge.env, id, { sid: "api-1", taskDigest: digest })).toMatchObject({
      ok: true,
    });
    expect((await edge.call("POST", `/api/requests/${id}/revoke`, "tina", {})).body).toMatchObject({
      status: "revoked",
    });
    expect(await open()).toMatchObject({ ok: false, code: "APPROVAL_REQUIRED" });
  });
  test("A1 the requester is refused on each path, and nothing changes", async () => {
    const { id } = (await edge.call("POST", "/api/requests", "lee", ask("refund"))).body;
    for (const verdict of ["approve", "deny"]) {
      const answer = await edge.call("POST", `/api/requests/${id}/${verdict}`, "lee", { reason: "mine" });
      expect(answer).toMatchObject({ status: 403, body: { code: "SELF_APPROVAL" } });
    }
    expect((await edge.call("GET", `/api/requests/${id}`, "lee")).body).toMatchObject({
      status: "pending",
      may_decide: false,
    });
    const events = await listEvents(edge.env.DB, { grant: id, reason: "SELF_APPROVAL" });
    expect(events).toHaveLength(2);
  });
  test("others are refused, and a denial needs words", async () => {
    const { id } = (await edge.call("POST", "/api/requests", "tina", ask("refund"))).body;
    expect(await edge.call("POST", `/api/requests/${id}/approve`, "omar")).toMatchObject({
      body: { code: "NOT_AN_APPROVER" },
    });
    expect(await edge.call("POST", `/api/requests/${id}/deny`, "lee")).toMatchObject({
      body: { code: "COMMENT_REQUIRED" },
    });
    const denied = await edge.call("POST", `/api/requests/${id}/deny`, "lee", { reason: "use the report" });
    expect(denied.body).toMatchObject({ status: "denied", ended: { message: "use the report" } });
  });
  test("two people are two people", async () => {
    const { id } = (await edge.call("POST", "/api/requests", "tina", ask("two-people"))).body;
    expect((await edge.call("POST", `/api/requests/${id}/approve`, "lee")).body).toMatchObject({
      status: "pending",
    });
    expect((await edge.call("POST", `/api/requests/${id}/approve`, "lee")).body).toMatchObject({
      code: "ALREADY_APPROVED",
    });
    expect((await edge.call("POST", `/api/requests/${id}/approve`, "kim")).body).toMatchObject({
      status: "active",
    });
  });
  test.each(["nonsense", "0-1", `${"a".repeat(32)}-1`, `${"a".repeat(32)}-1'--`])(
    "the id %s is unknown",
    async (id) => {
      expect((await edge.call("POST", `/api/requests/${id}/approve`, "lee")).status).toBe(404);
      expect((await edge.call("GET", `/api/requests/${id}`, "ada")).status).toBe(404);
    },
  );
});

test("V3 while D1 does not answer, everything is refused", async () => {
  const down = () => {
    throw new Error("down");
  };
  const env = { ...edge.env, DB: { prepare: down, batch: down } as never };
  const headers = { authorization: `Bearer ${await edge.tokenOf("ada")}` };
  const answer = await edge.app.request("https://edge.example.com/api/requests", { headers }, env);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: "STATE_UNAVAILABLE" });
});

describe("A11 an emergency", () => {
  test("begins without approval, raises an alarm, has a quota, and is reviewed by others", async () => {
    const start = (more: object = {}) =>
      edge.call("POST", "/api/requests", "tina", ask("glass", { emergency: true, ...more }));
    const made = await start();
    expect(made).toMatchObject({
      status: 201,
      body: { status: "active", approvals: [], emergency: { review: ["admins"] }, review: null },
    });
    const { id } = made.body;
    const alarms = await edge.call("GET", `/api/audit?type=grant.emergency&grant=${id}`, "ada");
    expect(alarms.body.events).toMatchObject([{ severity: "alarm", actor: { subject: "tina" } }]);
    expect(await sessionStarted(edge.env, id, { sid: "glass1", taskDigest: "6".repeat(64) })).toMatchObject({
      ok: true,
    });
    const review = (who: string, reason: string | null) =>
      edge.call("POST", `/api/requests/${id}/review`, who, { reason });
    expect((await review("tina", "fine")).body.code).toBe("SELF_APPROVAL");
    expect((await review("lee", "fine")).body.code).toBe("NOT_A_REVIEWER");
    expect((await review("ada", null)).body.code).toBe("COMMENT_REQUIRED");
    expect((await review("ada", "a real one")).body).toMatchObject({ review: { comment: "a real one" } });
    expect((await review("ada", "again")).body.code).toBe("ALREADY_REVIEWED");
    const list = await edge.call("GET", "/api/requests", "ada");
    expect(list.body.requests.find((one: JsonBody) => one.id === id)).toMatchObject({
      emergency: "reviewed",
    });
    expect((await start()).status).toBe(201);
    expect((await start()).body).toMatchObject({ code: "EMERGENCY_QUOTA", rule: expect.any(String) });
    const over = await edge.call("GET", "/api/audit?type=grant.refused&reason=EMERGENCY_QUOTA", "ada");
    expect(over.body.events[0]).toMatchObject({ severity: "alarm", task: "glass" });
  });
  test("is not had where the task does not say so, without a reason, or by asking twice at once", async () => {
    const no = async (who: string, body: object) =>
      (await edge.call("POST", "/api/requests", who, { ...body, emergency: true })).body.code;
    expect(await no("tina", ask("refund"))).toBe("EMERGENCY_NOT_ALLOWED");
    expect(await no("lee", ask("glass", { reason: " " }))).toBe("REASON_REQUIRED");
    const codes = await Promise.all(Array.from({ length: 6 }, () => no("lee", ask("glass"))));
    expect(codes.filter((code) => code === "EMERGENCY_QUOTA")).toHaveLength(4);
  });
});

describe("administering", () => {
  test("V1 I14 disabling an identity revokes what it has and refuses what it asks", async () => {
    const { id } = (await edge.call("POST", "/api/requests", "bot", ask("look-up"))).body;
    const who = { issuer: edge.issuer.url, subject: "bot", why: "left" };
    expect((await edge.call("POST", "/api/identities/disable", "tina", who)).status).toBe(403);
    expect((await edge.call("POST", "/api/identities/disable", "ada", who)).body).toMatchObject({
      revoked: 1,
    });
    expect((await edge.call("GET", `/api/requests/${id}`, "ada")).body).toMatchObject({ status: "revoked" });
    expect(await edge.call("GET", "/api/requests", "bot")).toMatchObject({
      status: 403,
      body: { code: "IDENTITY_DISABLED" },
    });
    await edge.call("POST", "/api/identities/enable", "ada", { issuer: who.issuer, subject: "bot" });
    expect((await edge.call("GET", "/api/requests", "bot")).status).toBe(200);
  });
  test("a changed policy ends what was granted under the old one", async () => {
    const { id } = (await edge.call("POST", "/api/requests", "tina", ask("ticket"))).body;
    const tasks = edge.bundle.tasks as Record<string, (typeof edge.bundle.tasks)[string]>;
    const before = tasks["ticket"]!;
    tasks["ticket"] = { ...before, digest: "9".repeat(64) };
    try {
      expect((await edge.call("POST", "/api/policies/sweep", "ada")).body.revoked).toBeGreaterThanOrEqual(1);
      // Whoever meets the new policies first says so, once.
      const [one, two] = [
        { ...edge.bundle, digest: "7".repeat(64) },
        { ...edge.bundle, digest: "8".repeat(64) },
      ];
      for (const bundle of [one, one, two]) await notePolicies(edge.env as PolicyEnv, bundle, Date.now());
      const events = await edge.call("GET", "/api/audit?type=policy.changed", "ada");
      expect(events.body.events.map((event: JsonBody) => event.data)).toMatchObject([
        { from: one.digest, to: two.digest },
        { from: edge.bundle.digest, to: one.digest },
        { from: null, to: edge.bundle.digest },
      ]);
    } finally {
      tasks["ticket"] = before;
    }
    const seen = await edge.call("GET", `/api/requests/${id}`, "tina");
    expect(seen.body).toMatchObject({ status: "revoked", ended: { code: "POLICY_CHANGED" } });
  });
  test("the audit log is one's own, or everyone's for an administrator", async () => {
    const mine = await edge.call("GET", "/api/audit?limit=1000", "omar");
    expect(
      mine.body.events.every((event: { actor: { subject: string } }) => event.actor.subject === "omar"),
    ).toBe(true);
    const all = await edge.call("GET", "/api/audit?type=grant.requested&limit=1000", "ada");
    expect(new Set(all.body.events.map((event: JsonBody) => event.actor.subject)).size).toBeGreaterThan(1);
    const lines = await edge.call("GET", "/api/audit?format=ocsf&limit=2", "ada");
    const first = JSON.parse(lines.body.text.split("\n")[0]);
    expect(first).toMatchObject({ class_uid: expect.any(Number), metadata: { uid: expect.any(String) } });
    const cloud = await edge.call("GET", "/api/audit?format=cloudevents&limit=2", "ada");
    expect(JSON.parse(cloud.body.text.split("\n")[0])).toMatchObject({ specversion: "1.0" });
  });
});

test.each([
  ["30m", 1_800_000],
  ["1h30m", 5_400_000],
  ["90s", 90_000],
  ["90", 90_000],
  [90, 90_000],
  ["", null],
  ["m", null],
  ["-5m", null],
  ["1d", null],
  ["30 m", null],
])("the duration %j", (text, expected) => {
  expect(durationMs(text)).toBe(expected);
});
