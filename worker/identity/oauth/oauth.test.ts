import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { listEvents } from "../../audit/store.ts";
import { createTestEdge, TEST_ORIGIN, type TestEdge } from "../../grants/test-edge.ts";
import { authenticate } from "../authenticate.ts";
import { issueToken } from "../edge-token.ts";
import { hashOf, newSecret } from "../secrets.ts";
import { answerDevice, createCode } from "./login-grants.ts";
import { DEFERRED, DEVICE_CODE, TOKEN_EXCHANGE } from "./metadata.ts";

let edge: TestEdge;
let customer = 1000;
const ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";

beforeAll(async () => {
  edge = await createTestEdge();
});

function post(form: Record<string, string>): ReturnType<TestEdge["call"]> {
  return edge.call("POST", "/oauth2/token", null, new URLSearchParams(form));
}

async function exchange(
  task: string,
  more: Record<string, string> = {},
  detail: Record<string, unknown> = {},
) {
  customer += 1;
  return post({
    grant_type: TOKEN_EXCHANGE,
    subject_token: await edge.tokenOf("tina"),
    subject_token_type: ID_TOKEN,
    authorization_details: JSON.stringify([{ type: "task", task, params: { customer }, ...detail }]),
    ...more,
  });
}

function identityOf(subject: string, groups: string[]) {
  const claims = { email: `${subject}@example.com` };
  return { issuer: edge.issuer.url, subject, name: subject, groups, claims, expires: Date.now() + 600_000 };
}

test("I15 a program's token meets the same rules as a person's, on each path", async () => {
  const ask = { task: "careful", params: { customer: 1 } };
  const edgeTokenOf = async (claims: Record<string, never> | { amr: string[] }) => {
    const identity = { ...identityOf("tina", ["support"]), claims };
    const contents = { identity, audience: TEST_ORIGIN, clientId: "wicket" };
    return (await issueToken(edge.env, contents, Date.now(), Date.now() + 600_000)).token;
  };
  const asked = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify(ask);
    const answer = await edge.app.request(
      `${TEST_ORIGIN}/api/requests`,
      { method: "POST", headers, body },
      edge.env,
    );
    return (await answer.json()) as { code?: string; status?: string };
  };
  // The id token of a program, the token of a login without a second factor, and an exchange of either.
  expect((await edge.call("POST", "/api/requests", "bot", ask)).body).toMatchObject({ code: "MFA_REQUIRED" });
  expect(await asked(await edgeTokenOf({}))).toMatchObject({ code: "MFA_REQUIRED" });
  expect((await exchange("careful")).body).toMatchObject({ error: "access_denied", code: "MFA_REQUIRED" });
  const actor = { actor_token: await edge.tokenOf("bot"), actor_token_type: ID_TOKEN };
  expect((await exchange("careful", actor)).body).toMatchObject({ code: "MFA_REQUIRED" });
  expect(await asked(await edgeTokenOf({ amr: ["pwd", "mfa"] }))).toMatchObject({ status: "active" });
});

test("metadata names the endpoints and what they speak", async () => {
  const server = await edge.call("GET", "/.well-known/oauth-authorization-server", null);
  expect(server.body).toMatchObject({ issuer: TEST_ORIGIN, token_endpoint: `${TEST_ORIGIN}/oauth2/token` });
  const resource = await edge.call("GET", "/.well-known/oauth-protected-resource/db/orders-db", null);
  expect(resource.body).toMatchObject({
    resource: `${TEST_ORIGIN}/db/orders-db`,
    authorization_servers: [TEST_ORIGIN],
  });
  expect((await edge.call("GET", "/.well-known/oauth-protected-resource/db/none", null)).status).toBe(404);
  const jwks = await edge.call("GET", "/oauth2/jwks", null);
  expect(jwks.body["keys"]).toEqual([expect.not.objectContaining({ d: expect.anything() })]);
});

describe("token exchange", () => {
  test("gives a token for one task, its parameters and its resource", async () => {
    const answer = await exchange(
      "look-up",
      { resource: `${TEST_ORIGIN}/db/orders-db` },
      { lifetime: 60, reason: "INC-1" },
    );
    expect(answer).toMatchObject({ status: 200, body: { token_type: "Bearer" } });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.body["expires_in"]).toBeLessThanOrEqual(60);
    const token = answer.body["access_token"] as string;
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: "at+jwt", alg: "EdDSA" });
    expect(decodeJwt(token)).toMatchObject({
      iss: TEST_ORIGIN,
      aud: `${TEST_ORIGIN}/db/orders-db`,
      authorization_details: [{ type: "task", task: "look-up", params: { customer: String(customer) } }],
    });
    const door = new Request(`${TEST_ORIGIN}/db/orders-db`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const who = await authenticate(door, edge.env, Date.now());
    expect(who).toMatchObject({ ok: true, identity: { issuer: edge.issuer.url, subject: "tina" } });
    expect(who.ok && who.credential).toEqual({ kind: "edge_token", grant: answer.body["grant"] });
    // It is no login: neither the API nor another exchange takes it.
    expect((await edge.call("GET", "/api/requests", token)).body).toMatchObject({ code: "TOKEN_AUDIENCE" });
    const again = await exchange("look-up", {
      subject_token: token,
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    });
    expect(again.body).toMatchObject({ error: "invalid_grant" });
  });
  test("lives at most 15 minutes, whatever the task allows", async () => {
    const { body } = await exchange("look-up");
    expect(body["expires_in"]).toBeLessThanOrEqual(900);
  });
  test.each([
    ["no details", { authorization_details: "" }, "invalid_authorization_details"],
    ["not JSON", { authorization_details: "[" }, "invalid_authorization_details"],
    [
      "two tasks",
      { authorization_details: '[{"type":"task","task":"look-up"},{"type":"task","task":"refund"}]' },
      "invalid_authorization_details",
    ],
    [
      "another type",
      { authorization_details: '[{"type":"sql","task":"look-up"}]' },
      "invalid_authorization_details",
    ],
    [
      "an unknown field",
      { authorization_details: '[{"type":"task","task":"look-up","admin":true}]' },
      "invalid_authorization_details",
    ],
    [
      "an unknown task",
      { authorization_details: '[{"type":"task","task":"none"}]' },
      "invalid_authorization_details",
    ],
    ["a foreign target", { resource: "https://evil.example.net/" }, "invalid_target"],
    [
      "another token type",
      { requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" },
      "invalid_request",
    ],
    ["an empty subject token", { subject_token: "" }, "invalid_grant"],
    ["a broken subject token", { subject_token: "a.b.c" }, "invalid_grant"],
    ["another client", { client_id: "evil" }, "invalid_client"],
    ["an unknown grant type", { grant_type: "password" }, "unsupported_grant_type"],
  ])("refuses %s", async (_name, more, error) => {
    expect((await exchange("look-up", more)).body).toMatchObject({ error });
  });
  test("refuses a repeated parameter and a body that is no form", async () => {
    const form = new URLSearchParams({ grant_type: TOKEN_EXCHANGE });
    form.append("grant_type", DEFERRED);
    expect((await edge.call("POST", "/oauth2/token", null, form)).body).toMatchObject({
      error: "invalid_request",
    });
    expect((await edge.call("POST", "/oauth2/token", null, { grant_type: "x" })).body).toMatchObject({
      error: "invalid_request",
    });
  });
  test("a policy's no is access_denied, with the code and the line", async () => {
    expect((await exchange("stock")).body).toMatchObject({
      error: "access_denied",
      code: "NOT_A_MEMBER",
      rule: expect.any(String),
    });
  });
  test("the description never widens anything and is kept", async () => {
    const detail = { description: "please give me everything, I am an administrator" };
    const { body } = await exchange("look-up", {}, detail);
    expect(body["authorization_details"]).toMatchObject([{ task: "look-up", ...detail }]);
    expect((await exchange("stock", {}, detail)).body).toMatchObject({ code: "NOT_A_MEMBER" });
  });
});

describe("I20 acting for somebody", () => {
  const withActor = async (task: string, actor: string) =>
    exchange(task, { actor_token: await edge.tokenOf(actor), actor_token_type: ID_TOKEN });

  test("both must be allowed the task, and both are named", async () => {
    const answer = await withActor("look-up", "bot");
    expect(decodeJwt(answer.body["access_token"] as string)).toMatchObject({
      sub: "tina",
      act: { sub: "bot" },
    });
    const [event] = await listEvents(edge.env.DB, {
      grant: answer.body["grant"] as string,
      type: "grant.requested",
    });
    expect(event).toMatchObject({ actor: { subject: "tina", via: { subject: "bot" } } });
  });
  test("an agent without the right gets nothing through a person who has it, nor the other way round", async () => {
    expect((await withActor("look-up", "stray")).body).toMatchObject({
      error: "access_denied",
      code: "NOT_A_MEMBER",
    });
    const reverse = await exchange("look-up", {
      ...{
        subject_token: await edge.tokenOf("stray"),
        actor_token: await edge.tokenOf("tina"),
        actor_token_type: ID_TOKEN,
      },
    });
    expect(reverse.body).toMatchObject({ error: "access_denied", code: "NOT_A_MEMBER" });
  });
  test("A1 the agent cannot approve what it asks in a person's name", async () => {
    const answer = await withActor("refund", "lee");
    const id = answer.body["request"] as string;
    expect((await edge.call("POST", `/api/requests/${id}/approve`, "lee")).body).toMatchObject({
      code: "SELF_APPROVAL",
    });
  });
});

describe("waiting for approval", () => {
  test("without the opt-in it is interaction_required, with the page", async () => {
    const { body } = await exchange("refund");
    expect(body).toMatchObject({
      error: "interaction_required",
      error_uri: expect.stringContaining("/requests/"),
    });
    expect(body).not.toHaveProperty("deferral_code");
  });
  test("with it: pending, too fast is slow_down, approved gives the token once", async () => {
    const first = await exchange("refund", { completion_mode: "deferred" });
    expect(first).toMatchObject({ status: 400, body: { error: "authorization_pending", interval: 5 } });
    const poll = () => post({ grant_type: DEFERRED, deferral_code: first.body["deferral_code"] as string });
    expect((await poll()).body).toMatchObject({ error: "authorization_pending" });
    expect((await poll()).body).toMatchObject({ error: "slow_down", interval: 10 });
    await edge.call("POST", `/api/requests/${first.body["request"]}/approve`, "lee");
    const answers = await Promise.all([poll(), poll(), poll()]);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect((await poll()).body).toMatchObject({ error: "invalid_grant" });
  });
  test("denied is access_denied with the words", async () => {
    const first = await exchange("refund", { completion_mode: "deferred" });
    await edge.call("POST", `/api/requests/${first.body["request"]}/deny`, "lee", {
      reason: "use the report",
    });
    const { body } = await post({
      grant_type: DEFERRED,
      deferral_code: first.body["deferral_code"] as string,
    });
    expect(body).toMatchObject({
      error: "access_denied",
      error_description: "use the report",
      code: "APPROVAL_DENIED",
    });
  });
  test("a foreign or made-up deferral code is invalid_grant", async () => {
    expect((await post({ grant_type: DEFERRED, deferral_code: newSecret() })).body).toMatchObject({
      error: "invalid_grant",
    });
  });
  test("A8 what the person lost since is not issued", async () => {
    const first = await exchange("refund", { completion_mode: "deferred" });
    await edge.call("POST", `/api/requests/${first.body["request"]}/approve`, "lee");
    const who = { issuer: edge.issuer.url, subject: "tina" };
    await edge.call("POST", "/api/identities/disable", "ada", { ...who, why: "left" });
    const { body } = await post({
      grant_type: DEFERRED,
      deferral_code: first.body["deferral_code"] as string,
    });
    await edge.call("POST", "/api/identities/enable", "ada", who);
    expect(body["error"]).toMatch(/access_denied|invalid_grant/);
  });
});

describe("login of a program", () => {
  const redirectUri = "http://127.0.0.1:50123/callback";

  async function code(): Promise<{ code: string; verifier: string }> {
    const verifier = newSecret();
    const facts = {
      client: "wicket",
      redirectUri,
      challenge: await hashOf(verifier),
      identity: identityOf("tina", ["support"]),
    };
    return { code: await createCode(edge.env, facts, Date.now()), verifier };
  }
  const redeem = (form: Record<string, string>) =>
    post({ grant_type: "authorization_code", client_id: "wicket", redirect_uri: redirectUri, ...form });

  test("a code with its verifier gives a login that works at the API", async () => {
    const { code: value, verifier } = await code();
    const { body } = await redeem({ code: value, code_verifier: verifier });
    expect((await edge.call("GET", "/api/requests", body["access_token"] as string)).status).toBe(200);
    // I7: the same code again.
    expect((await redeem({ code: value, code_verifier: verifier })).body).toMatchObject({
      error: "invalid_grant",
    });
  });
  test.each([
    ["without a verifier", { code_verifier: "" }, "invalid_request"],
    ["with another verifier", { code_verifier: "x".repeat(43) }, "invalid_grant"],
    ["with another redirect", { redirect_uri: "http://127.0.0.1:50124/callback" }, "invalid_grant"],
  ])("I7 a code %s is worth nothing, and is gone", async (_name, more, error) => {
    const { code: value, verifier } = await code();
    expect((await redeem({ code: value, code_verifier: verifier, ...more })).body).toMatchObject({ error });
    if (error === "invalid_grant") {
      expect((await redeem({ code: value, code_verifier: verifier })).body).toMatchObject({ error });
    }
  });
  test("refresh tokens rotate, and one used twice ends the login", async () => {
    const { code: value, verifier } = await code();
    const first = (await redeem({ code: value, code_verifier: verifier })).body;
    const refresh = (token: string) =>
      post({ grant_type: "refresh_token", client_id: "wicket", refresh_token: token });
    const second = (await refresh(first["refresh_token"] as string)).body;
    expect(second["access_token"]).toBeTypeOf("string");
    expect((await refresh(first["refresh_token"] as string)).body).toMatchObject({ error: "invalid_grant" });
    expect((await refresh(second["refresh_token"] as string)).body).toMatchObject({ error: "invalid_grant" });
    const api = await edge.call("GET", "/api/requests", second["access_token"] as string);
    expect(api).toMatchObject({ status: 401, body: { code: "TOKEN_REVOKED" } });
  });
  test("device: pending, slow_down, approved once", async () => {
    const begun = await edge.call(
      "POST",
      "/oauth2/device_authorization",
      null,
      new URLSearchParams({ client_id: "wicket" }),
    );
    expect(begun.body).toMatchObject({ verification_uri: `${TEST_ORIGIN}/device`, interval: 5 });
    const poll = () =>
      post({
        grant_type: DEVICE_CODE,
        client_id: "wicket",
        device_code: begun.body["device_code"] as string,
      });
    expect((await poll()).body).toMatchObject({ error: "authorization_pending" });
    expect((await poll()).body).toMatchObject({ error: "slow_down" });
    const userCode = begun.body["user_code"] as string;
    expect(await answerDevice(edge.env, userCode, identityOf("tina", ["support"]), Date.now())).toBe(true);
    expect(await answerDevice(edge.env, userCode, identityOf("omar", []), Date.now())).toBe(false);
    const answers = await Promise.all([poll(), poll()]);
    const tokens = answers.filter((answer) => answer.status === 200);
    expect(tokens).toHaveLength(1);
    expect(decodeJwt(tokens[0]!.body["access_token"] as string)).toMatchObject({ idp: { sub: "tina" } });
  });
  test("device: refused by the person", async () => {
    const begun = await edge.call(
      "POST",
      "/oauth2/device_authorization",
      null,
      new URLSearchParams({ client_id: "wicket" }),
    );
    await answerDevice(edge.env, begun.body["user_code"] as string, null, Date.now());
    const form = {
      grant_type: DEVICE_CODE,
      client_id: "wicket",
      device_code: begun.body["device_code"] as string,
    };
    expect((await post(form)).body).toMatchObject({ error: "access_denied" });
  });
});

describe("revoke and introspect", () => {
  test("a revoked grant token is inactive, and its grant is revoked", async () => {
    const { body } = await exchange("look-up");
    const token = body["access_token"] as string;
    const ask = (by: string) => edge.call("POST", "/oauth2/introspect", by, new URLSearchParams({ token }));
    expect((await ask("tina")).body).toMatchObject({
      active: true,
      grant: body["grant"],
      client_id: "wicket",
    });
    expect((await ask("ada")).body).toMatchObject({ active: true });
    expect((await ask("omar")).body).toEqual({ active: false });
    const revoked = await edge.call("POST", "/oauth2/revoke", null, new URLSearchParams({ token }));
    expect(revoked.status).toBe(200);
    expect((await ask("tina")).body).toEqual({ active: false });
    expect((await edge.call("GET", `/api/requests/${body["grant"]}`, "tina")).body).toMatchObject({
      status: "revoked",
    });
  });
  test("unknown tokens are no error, and introspection needs a login", async () => {
    expect(
      (await edge.call("POST", "/oauth2/revoke", null, new URLSearchParams({ token: "x" }))).status,
    ).toBe(200);
    expect(
      (await edge.call("POST", "/oauth2/introspect", null, new URLSearchParams({ token: "x" }))).status,
    ).toBe(401);
  });
});

test("a new signing key is put first, and tokens of the old one go on", async () => {
  const { body } = await exchange("look-up");
  const next = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const old = JSON.parse(edge.env.SIGNING_KEY as string) as object;
  const env = { ...edge.env, SIGNING_KEY: JSON.stringify({ keys: [await exportJWK(next.privateKey), old] }) };
  const door = new Request(`${TEST_ORIGIN}/db/orders-db`, {
    headers: { authorization: `Bearer ${body["access_token"]}` },
  });
  expect(await authenticate(door, env, Date.now())).toMatchObject({ ok: true });
  const without = { ...edge.env, SIGNING_KEY: JSON.stringify(await exportJWK(next.privateKey)) };
  expect(await authenticate(door, without, Date.now())).toMatchObject({ code: "TOKEN_SIGNATURE" });
});
