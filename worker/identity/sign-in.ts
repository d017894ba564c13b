/**
 * The edge as relying party: authorization code flow with PKCE, nonce and a flow cookie against the issuers
 * that have a `clientId`. The only place where a provider's code becomes an identity.
 */
import * as v from "valibot";
import type { Identity } from "../../policies/task.ts";
import { verifyIdToken } from "./authenticate.ts";
import { identityFrom } from "./claims.ts";
import { fetchJson } from "./fetch-json.ts";
import { findIssuer, type Issuer, issuersFrom, mayFetch } from "./issuers.ts";
import { discover } from "./keys.ts";
import { hashOf, newSecret } from "./secrets.ts";

/** How long a person may take at the provider. */
const FLOW_MS = 10 * 60_000;

const endpoints = v.looseObject({
  authorization_endpoint: v.string(),
  token_endpoint: v.string(),
  userinfo_endpoint: v.optional(v.string()),
  authorization_response_iss_parameter_supported: v.optional(v.boolean()),
});
const tokenAnswer = v.looseObject({ id_token: v.string(), access_token: v.optional(v.string()) });

export interface SignInEnv {
  readonly ISSUERS: unknown;
  readonly EDGE_ORIGIN: string;
  readonly SIGNING_KEY: unknown;
  readonly DB: D1Database;
}

export type SignInResult<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Issuers at which a person can sign in through the browser. */
export function signInIssuers(env: { readonly ISSUERS: unknown }): Issuer[] {
  return issuersFrom(env.ISSUERS).filter((issuer) => issuer.clientId !== undefined);
}

/** A path on this edge to go on to, or `/`: never another origin, whatever the text looks like. */
export function safeReturn(text: string | undefined, origin: string): string {
  if (!text?.startsWith("/") || text.length > 2000 || /[\\\p{Cc}]/u.test(text)) return "/";
  const url = URL.parse(text, origin);
  return url?.origin === new URL(origin).origin ? `${url.pathname}${url.search}` : "/";
}

/** Begins a sign-in: where to send the browser, and the value of its flow cookie. */
export async function beginSignIn(
  env: SignInEnv,
  issuer: Issuer,
  returnTo: string,
  now: number,
): Promise<SignInResult<{ location: string; binding: string }>> {
  const provider = await providerOf(issuer);
  if (!provider.ok) return provider;
  const [state, nonce, verifier, binding] = [newSecret(), newSecret(), newSecret(), newSecret()];
  await env.DB.batch([
    env.DB.prepare("DELETE FROM login_flows WHERE expires < ?").bind(now),
    env.DB.prepare(
      `INSERT INTO login_flows (state_hash, issuer, nonce, verifier, binding, return_to, expires)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ).bind(
      await hashOf(state),
      issuer.issuer,
      nonce,
      verifier,
      await hashOf(binding),
      returnTo,
      now + FLOW_MS,
    ),
  ]);
  const location = new URL(provider.value.authorization_endpoint);
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: issuer.clientId!,
    redirect_uri: `${env.EDGE_ORIGIN}/login/callback`,
    scope: issuer.scope,
    state,
    nonce,
    code_challenge: await hashOf(verifier),
    code_challenge_method: "S256",
  })) {
    location.searchParams.set(name, value);
  }
  return { ok: true, value: { location: location.href, binding } };
}

/** Ends a sign-in at the redirect URI. Every refusal is the same to the browser: start again. */
export async function finishSignIn(
  env: SignInEnv,
  query: URLSearchParams,
  binding: string | null,
  now: number,
): Promise<SignInResult<{ identity: Identity; returnTo: string }>> {
  const state = query.get("state");
  if (!state || !binding) return refuse("LOGIN_STATE", "this sign-in was not begun in this browser");
  // Deleted before it is checked: a state works once, for whoever brings it.
  const flow = await env.DB.prepare("DELETE FROM login_flows WHERE state_hash = ? RETURNING *")
    .bind(await hashOf(state))
    .first<{
      issuer: string;
      nonce: string;
      verifier: string;
      binding: string;
      return_to: string;
      expires: number;
    }>();
  if (!flow || flow.expires <= now || flow.binding !== (await hashOf(binding))) {
    return refuse("LOGIN_STATE", "this sign-in was not begun in this browser, or took too long");
  }
  const issuer = findIssuer(signInIssuers(env), flow.issuer);
  if (!issuer) return refuse("LOGIN_ISSUER", "the provider is not configured any more");
  const provider = await providerOf(issuer);
  if (!provider.ok) return provider;
  // RFC 9207: the answer must come from the provider that was asked.
  const iss = query.get("iss");
  const needsIss = provider.value.authorization_response_iss_parameter_supported === true;
  if (iss === null ? needsIss : iss !== issuer.issuer)
    return refuse("LOGIN_MIX_UP", "another provider answered");
  const code = query.get("code");
  if (query.has("error") || !code) return refuse("LOGIN_REFUSED", "the provider did not sign you in");
  const token = await redeem(env, issuer, provider.value.token_endpoint, code, flow.verifier);
  if (!token.ok) return token;
  const own: Issuer = { ...issuer, audiences: [issuer.clientId!], authorizedParties: [issuer.clientId!] };
  const verified = await verifyIdToken(token.value.id_token, own, now);
  if (!verified.ok) return refuse(verified.code, verified.message);
  if (verified.identity.claims["nonce"] !== flow.nonce)
    return refuse("LOGIN_NONCE", "the ID token is of another sign-in");
  const identity = await withUserInfo(
    issuer,
    provider.value.userinfo_endpoint,
    token.value.access_token,
    verified.identity,
  );
  return { ok: true, value: { identity, returnTo: flow.return_to } };
}

async function providerOf(issuer: Issuer): Promise<SignInResult<v.InferOutput<typeof endpoints>>> {
  const found = await discover(issuer);
  if (!found.ok) return refuse("LOGIN_PROVIDER", `the provider cannot be reached (${found.why})`);
  const parsed = v.safeParse(endpoints, found.metadata);
  if (!parsed.success || !mayFetch(parsed.output.authorization_endpoint, issuer.issuer)) {
    return refuse("LOGIN_PROVIDER", "the provider's metadata lacks its endpoints");
  }
  return { ok: true, value: parsed.output };
}

async function redeem(
  env: SignInEnv,
  issuer: Issuer,
  endpoint: string,
  code: string,
  verifier: string,
): Promise<SignInResult<v.InferOutput<typeof tokenAnswer>>> {
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: `${env.EDGE_ORIGIN}/login/callback`,
    code_verifier: verifier,
    client_id: issuer.clientId!,
  });
  const headers = new Headers({ "content-type": "application/x-www-form-urlencoded" });
  if (issuer.clientSecret !== undefined) {
    const pair = `${encodeURIComponent(issuer.clientId!)}:${encodeURIComponent(issuer.clientSecret)}`;
    headers.set("authorization", `Basic ${btoa(pair)}`);
    body.delete("client_id");
  }
  const answer = await fetchJson(endpoint, issuer.issuer, { method: "POST", headers, body });
  if (!answer.ok) return refuse("LOGIN_CODE", `the provider did not accept the code (${answer.why})`);
  const parsed = v.safeParse(tokenAnswer, answer.json);
  return parsed.success
    ? { ok: true, value: parsed.output }
    : refuse("LOGIN_CODE", "the provider sent no ID token");
}

/** Adds claims that the provider gives only at its userinfo endpoint (OpenID Connect Core, section 5.3.2). */
async function withUserInfo(
  issuer: Issuer,
  endpoint: string | undefined,
  accessToken: string | undefined,
  identity: Identity,
): Promise<Identity> {
  const complete = Object.hasOwn(identity.claims, issuer.groupsClaim) && identity.name !== null;
  if (complete || !endpoint || !accessToken) return identity;
  const headers = { authorization: `Bearer ${accessToken}` };
  const answer = await fetchJson(endpoint, issuer.issuer, { headers });
  const claims = answer.ok ? (answer.json as Record<string, unknown> | null) : null;
  if (!claims || claims["sub"] !== identity.subject) return identity;
  // The signed token wins where both say something.
  return identityFrom(issuer, { ...claims, ...identity.claims });
}

function refuse(code: string, message: string): { ok: false; code: string; message: string } {
  return { ok: false, code, message };
}
