import { base64url, CompactSign, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { authenticate, authenticateToken, type IdentityEnv } from "./authenticate.ts";
import { issueToken } from "./edge-token.ts";
import { issuersFrom } from "./issuers.ts";
import { KeyStore } from "./keys.ts";
import { createTestIssuer, seconds, type TestIssuer } from "./test-issuer.ts";

let issuer: TestIssuer;
let other: TestIssuer;
let env: IdentityEnv;
let store: KeyStore;
/** Addresses outside the two providers that something tried to fetch. */
let strays: string[];
let answerInstead: ((url: string) => Response | Promise<Response> | null) | null;
let number = 0;

beforeEach(async () => {
  number += 1;
  issuer = await createTestIssuer(`https://id${number}.example.com`);
  other = await createTestIssuer(`https://other${number}.example.com`);
  const signing = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  env = {
    ISSUERS: JSON.stringify([issuer.config, other.config]),
    EDGE_ORIGIN: "https://edge.example.com",
    DB: null as never,
    SIGNING_KEY: JSON.stringify(await exportJWK(signing.privateKey)),
  };
  strays = [];
  answerInstead = null;
  store = new KeyStore(
    async () => null,
    () => undefined,
  );
  vi.stubGlobal("fetch", async (input: string) => {
    const instead = await answerInstead?.(input);
    if (instead) return instead;
    const url = new URL(input);
    const answer = [issuer, other].find((one) => one.url === url.origin)?.answer(url.pathname);
    if (answer) return answer;
    strays.push(input);
    return new Response("not found", { status: 404 });
  });
});
afterEach(() => vi.unstubAllGlobals());

async function codeOf(token: string, now = Date.now()): Promise<string> {
  const result = await authenticateToken(token, env, now, [env.EDGE_ORIGIN], store);
  return result.ok ? "ok" : result.code;
}

function request(headers: Record<string, string>): Request {
  return new Request("https://edge.example.com/db/orders-db", { headers });
}

test("a good token gives issuer, subject, name and groups", async () => {
  const token = await issuer.sign({ name: "Tina", groups: ["support", "support", "", 7] });
  const result = await authenticate(request({ authorization: `Bearer ${token}` }), env, Date.now());
  expect(result).toMatchObject({
    ok: true,
    identity: { issuer: issuer.url, subject: "tina", name: "Tina", groups: ["support"] },
    credential: { kind: "id_token" },
  });
});

test("groups come through the issuer's map only, when it has one", async () => {
  env = { ...env, ISSUERS: JSON.stringify([{ ...issuer.config, groupMap: { "aad-1": "support" } }]) };
  const token = await issuer.sign({ groups: ["aad-1", "support-leads"] });
  const result = await authenticateToken(token, env, Date.now(), [], store);
  expect(result.ok && result.identity.groups).toEqual(["support"]);
});

describe("I1 algorithm confusion", () => {
  test("alg none is refused", async () => {
    const [, payload] = (await issuer.sign()).split(".");
    const header = base64url.encode(JSON.stringify({ alg: "none" }));
    expect(await codeOf(`${header}.${payload}.`)).toBe("TOKEN_ALGORITHM");
  });
  test("HS256 with the public key as secret is refused", async () => {
    const rsa = await generateKeyPair("RS256", { extractable: true });
    const secret = new TextEncoder().encode(await exportSPKI(rsa.publicKey));
    const token = await new SignJWT({ iss: issuer.url, sub: "tina", aud: "wicketgate", exp: seconds() + 60 })
      .setProtectedHeader({ alg: "HS256" })
      .sign(secret);
    expect(await codeOf(token)).toBe("TOKEN_ALGORITHM");
  });
  test("an algorithm outside the issuer's list is refused", async () => {
    const rsa = await generateKeyPair("RS256");
    const token = await new SignJWT({ iss: issuer.url, sub: "tina", aud: "wicketgate", exp: seconds() + 60 })
      .setProtectedHeader({ alg: "RS256", kid: "k1" })
      .sign(rsa.privateKey);
    expect(await codeOf(token)).toBe("TOKEN_ALGORITHM");
    expect(issuer.fetches).toEqual([]);
  });
  test("a symmetric algorithm cannot be configured", () => {
    expect(() => issuersFrom([{ ...issuer.config, algorithms: ["HS256"] }])).toThrow("ISSUERS");
  });
});

describe("I2 audience", () => {
  test.each([
    ["wrong", "another-app"],
    ["missing", undefined],
    ["empty list", []],
    ["one good member and another application's", ["wicketgate", "another-app"]],
    ["case variant", "Wicketgate"],
  ])("%s is refused", async (_name, aud) => {
    expect(await codeOf(await issuer.sign({ aud: aud as string }))).toBe("TOKEN_AUDIENCE");
  });
  test("a foreign authorized party is refused", async () => {
    expect(await codeOf(await issuer.sign({ azp: "another-app" }))).toBe("TOKEN_AUDIENCE");
  });
});

describe("I3 issuer", () => {
  test("another issuer's key under the same key id is refused", async () => {
    expect(await codeOf(await other.sign({ iss: issuer.url }))).toBe("TOKEN_SIGNATURE");
  });
  test.each([
    ["trailing slash", (url: string) => `${url}/`],
    ["case", (url: string) => url.replace("https", "HTTPS")],
    ["port", (url: string) => `${url}:443`],
    ["unknown", () => "https://evil.example.net"],
  ])("%s is unknown, and nothing is fetched", async (_name, vary) => {
    expect(await codeOf(await issuer.sign({ iss: vary(issuer.url) }))).toBe("TOKEN_ISSUER_UNKNOWN");
    expect([...issuer.fetches, ...strays]).toEqual([]);
  });
});

describe("I4 key references in the header", () => {
  test("jku, x5u, jwk and x5c have no effect and are not fetched", async () => {
    const attacker = await generateKeyPair("ES256", { extractable: true });
    const header = {
      alg: "ES256",
      kid: "k1",
      jku: "https://evil.example.net/keys",
      x5u: "https://evil.example.net/cert",
      jwk: await exportJWK(attacker.publicKey),
    };
    const token = await new SignJWT({ iss: issuer.url, sub: "tina", aud: "wicketgate", exp: seconds() + 60 })
      .setProtectedHeader(header)
      .sign(attacker.privateKey);
    expect(await codeOf(token)).toBe("TOKEN_SIGNATURE");
    expect(strays).toEqual([]);
  });
  test("an unknown critical header is refused", async () => {
    const payload = new TextEncoder().encode(
      JSON.stringify({ iss: issuer.url, sub: "tina", aud: "wicketgate", exp: seconds() + 60 }),
    );
    const token = await new CompactSign(payload)
      .setProtectedHeader({ alg: "ES256", kid: "k1", crit: ["mine"], mine: 1 })
      .sign(issuer.privateKey, { crit: { mine: false } });
    expect(await codeOf(token)).toBe("TOKEN_MALFORMED");
  });
});

test("I5 no other header changes what is checked", async () => {
  const token = await other.sign({ aud: "another-app" });
  const headers = {
    authorization: `Bearer ${token}`,
    "wicket-issuer": other.url,
    "x-issuer": other.url,
    "cf-access-jwt-assertion": await issuer.sign(),
    "x-forwarded-user": "tina",
  };
  expect(await authenticate(request(headers), env, Date.now())).toMatchObject({ code: "TOKEN_AUDIENCE" });
});

describe("I6 key fetching", () => {
  test.each([
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/keys",
    "https://10.0.0.8/keys",
    "https://[::1]/keys",
    "https://2130706433/keys",
    "https://localhost/keys",
    "https://metadata.google.internal/keys",
    "https://intranet/keys",
    "http://id.example.com/keys",
    "https://user:secret@id.example.com/keys",
    "file:///etc/passwd",
  ])("%s may not be configured", (jwksUri) => {
    expect(() => issuersFrom([{ ...issuer.config, jwksUri }])).toThrow();
  });
  test("a discovery document that points inside is not followed", async () => {
    answerInstead = (url) =>
      url.includes("openid-configuration")
        ? Response.json({ issuer: issuer.url, jwks_uri: "https://169.254.169.254/keys" })
        : null;
    expect(await codeOf(await issuer.sign())).toBe("TOKEN_KEYS_UNAVAILABLE");
    expect(strays).toEqual([]);
  });
  test("a discovery document of another issuer is not believed", async () => {
    answerInstead = (url) =>
      url.includes("openid-configuration")
        ? Response.json({ issuer: other.url, jwks_uri: `${issuer.url}/keys` })
        : null;
    expect(await codeOf(await issuer.sign())).toBe("TOKEN_KEYS_UNAVAILABLE");
  });
  test("a redirect is not followed", async () => {
    answerInstead = (url) =>
      url.endsWith("/keys")
        ? new Response(null, { status: 302, headers: { location: "https://10.0.0.1/" } })
        : null;
    expect(await codeOf(await issuer.sign())).toBe("TOKEN_KEYS_UNAVAILABLE");
  });
  test("an endless body is cut off", async () => {
    let pulled = 0;
    answerInstead = (url) =>
      url.endsWith("/keys")
        ? new Response(
            new ReadableStream({
              pull(controller) {
                pulled += 1;
                controller.enqueue(new Uint8Array(64 * 1024));
              },
            }),
          )
        : null;
    expect(await codeOf(await issuer.sign())).toBe("TOKEN_KEYS_UNAVAILABLE");
    expect(pulled).toBeLessThan(10);
  });
  test("a secret or private key in the key set is not used", async () => {
    const secret = new Uint8Array(32).fill(7);
    answerInstead = (url) =>
      url.endsWith("/keys")
        ? Response.json({ keys: [{ kty: "oct", k: base64url.encode(secret), kid: "k1" }] })
        : null;
    expect(await codeOf(await issuer.sign())).toBe("TOKEN_SIGNATURE");
  });
  test("plain http is for an issuer on loopback only", () => {
    expect(() => issuersFrom([{ ...issuer.config, issuer: "http://id.example.com" }])).toThrow();
    expect(issuersFrom([{ ...issuer.config, issuer: "http://127.0.0.1:4000" }])).toHaveLength(1);
  });
});

describe("I7 tokens of another kind", () => {
  test.each(["at+jwt", "logout+jwt", "wicket-connector+jwt"])("typ %s is refused", async (typ) => {
    expect(await codeOf(await issuer.sign({}, { typ }))).toBe("TOKEN_TYPE");
  });
  test("an edge token for another audience is refused", async () => {
    const identity = { issuer: issuer.url, subject: "tina", name: null, groups: [], claims: {}, expires: 0 };
    const now = Date.now();
    const issued = await issueToken(
      env,
      { identity, audience: "https://edge.example.com/db/orders-db", clientId: "wicket", grant: "g" },
      now,
      now + 60_000,
    );
    const headers = { authorization: `Bearer ${issued.token}` };
    expect(await authenticate(request(headers), env, now)).toMatchObject({
      ok: true,
      credential: { grant: "g" },
    });
    const elsewhere = new Request("https://edge.example.com/db/other", { headers });
    expect(await authenticate(elsewhere, env, now)).toMatchObject({ code: "TOKEN_AUDIENCE" });
    const api = new Request("https://edge.example.com/api/tasks", { headers });
    expect(await authenticate(api, env, now)).toMatchObject({ code: "TOKEN_AUDIENCE" });
  });
});

describe("I8 time", () => {
  test.each([
    ["expired within the skew", { exp: -4 }, "ok"],
    ["expired", { exp: -6 }, "TOKEN_EXPIRED"],
    ["not yet valid within the skew", { nbf: 4 }, "ok"],
    ["not yet valid", { nbf: 7 }, "TOKEN_NOT_YET_VALID"],
    ["issued in the future", { iat: 7 }, "TOKEN_NOT_YET_VALID"],
  ])("%s", async (_name, offsets, expected) => {
    const now = seconds();
    const claims = Object.fromEntries(Object.entries(offsets).map(([name, offset]) => [name, now + offset]));
    expect(await codeOf(await issuer.sign(claims), now * 1000)).toBe(expected);
  });
  test("without exp it is refused", async () => {
    expect(await codeOf(await issuer.sign({ exp: undefined as never }))).toBe("TOKEN_MALFORMED");
  });
  test("an edge token ends after 15 minutes at the latest", async () => {
    const identity = { issuer: issuer.url, subject: "tina", name: null, groups: [], claims: {}, expires: 0 };
    const now = Date.now();
    const issued = await issueToken(
      env,
      { identity, audience: env.EDGE_ORIGIN, clientId: "wicket" },
      now,
      now + 9e9,
    );
    expect(issued.expires - now).toBeLessThanOrEqual(900_000);
    expect(await codeOf(issued.token, now + 899_000)).toBe("ok");
    expect(await codeOf(issued.token, now + 901_000)).toBe("TOKEN_EXPIRED");
  });
});

test("I12 a console cookie beside a bearer token is refused", async () => {
  const headers = { authorization: `Bearer ${await issuer.sign()}`, cookie: "a=b; __Host-wicket=abc" };
  expect(await authenticate(request(headers), env, Date.now())).toMatchObject({ code: "TOKEN_AMBIGUOUS" });
});

test("I13 the identity is issuer and subject, whatever the email says", async () => {
  const mine = await authenticateToken(
    await issuer.sign({ email: "tina@example.com", email_verified: true }),
    env,
    Date.now(),
    [],
    store,
  );
  const theirs = await authenticateToken(
    await other.sign({ sub: "eve", email: "tina@example.com" }),
    env,
    Date.now(),
    [],
    store,
  );
  expect(mine).toMatchObject({ ok: true, identity: { issuer: issuer.url, subject: "tina" } });
  expect(theirs).toMatchObject({ ok: true, identity: { issuer: other.url, subject: "eve" } });
  const lookalike = await authenticateToken(await issuer.sign({ sub: "Tina" }), env, Date.now(), [], store);
  expect(lookalike).toMatchObject({ ok: true, identity: { subject: "Tina" } });
});

describe("I16 empty and broken credentials", () => {
  test.each([
    ["", "TOKEN_MISSING"],
    ["Bearer", "TOKEN_MISSING"],
    ["Bearer ", "TOKEN_MISSING"],
    ["Bearer a b", "TOKEN_MALFORMED"],
    ["Bearer x, Bearer y", "TOKEN_MALFORMED"],
    ["Basic dGluYTo=", "TOKEN_MALFORMED"],
    ["Bearer ..", "TOKEN_MALFORMED"],
    ["Bearer null", "TOKEN_MALFORMED"],
    [`Bearer ${"a".repeat(20_000)}`, "TOKEN_MALFORMED"],
  ])("%.20s", async (authorization, code) => {
    const result = await authenticate(request({ authorization }), env, Date.now());
    expect(result).toMatchObject({ ok: false, status: 401, code });
  });
  test.each([
    ["empty", ""],
    ["number", 7],
    ["long", "x".repeat(256)],
  ])("subject %s", async (_name, sub) => {
    expect(await codeOf(await issuer.sign({ sub: sub as string }))).toBe("TOKEN_SUBJECT");
  });
});

describe("keys", () => {
  test("many checks cost one fetch, also when they come at the same time", async () => {
    const token = await issuer.sign();
    const codes = await Promise.all(Array.from({ length: 60 }, () => codeOf(token)));
    expect(new Set(codes)).toEqual(new Set(["ok"]));
    expect(issuer.fetches).toEqual(["/.well-known/openid-configuration", "/keys"]);
  });
  test("unknown key ids cost nothing within the cool-down, and a rotated key is found after it", async () => {
    const now = Date.now();
    expect(await codeOf(await issuer.sign(), now)).toBe("ok");
    for (let i = 0; i < 20; i++)
      expect(await codeOf(await issuer.sign({}, { kid: `x${i}` }), now)).toBe("TOKEN_SIGNATURE");
    expect(issuer.fetches).toHaveLength(2);
    await issuer.rotate();
    expect(await codeOf(await issuer.sign({ iat: undefined as never }), now + 31_000)).toBe("ok");
    expect(issuer.fetches).toHaveLength(4);
  });
  test("a provider that fails is not asked again at once", async () => {
    let asked = 0;
    answerInstead = () => {
      asked += 1;
      return new Response("no", { status: 503 });
    };
    const now = Date.now();
    const token = await issuer.sign();
    for (let i = 0; i < 20; i++) expect(await codeOf(token, now + i)).toBe("TOKEN_KEYS_UNAVAILABLE");
    expect(asked).toBe(1);
    answerInstead = null;
    expect(await codeOf(token, now + 11_000)).toBe("ok");
  });
  test("another isolate takes the keys from the shared cache", async () => {
    const shared = await caches.open(`test-${number}`);
    const make = (): KeyStore =>
      new KeyStore(
        async () => shared,
        () => undefined,
      );
    const token = await issuer.sign();
    const first = await authenticateToken(token, env, Date.now(), [], make());
    const second = await authenticateToken(token, env, Date.now(), [], make());
    expect([first.ok, second.ok]).toEqual([true, true]);
    expect(issuer.fetches).toHaveLength(2);
  });
  test("keys are used on for an hour when the provider is down, and not longer", async () => {
    const now = Date.now();
    const token = await issuer.sign({ exp: seconds() + 9999 });
    expect(await codeOf(token, now)).toBe("ok");
    answerInstead = () => new Response("no", { status: 503 });
    expect(await codeOf(token, now + 50 * 60_000)).toBe("ok");
    expect(await codeOf(token, now + 61 * 60_000)).toBe("TOKEN_KEYS_UNAVAILABLE");
  });
});
