/** Grants that give a program its login: authorization code (PKCE), device code (RFC 8628), refresh token. */
import type { Identity } from "../../../policies/task.ts";
import { actorFrom } from "../../audit/events.ts";
import { recordEvents } from "../../audit/record.ts";
import { issueToken, MAX_TOKEN_SECONDS } from "../edge-token.ts";
import type { ApiEnv } from "../http.ts";
import { createLogin, type Login, rotateLogin } from "../logins.ts";
import { standingOf } from "../people.ts";
import { hashOf, newSecret, newUserCode } from "../secrets.ts";
import { oauthAnswer, oauthError } from "./answers.ts";

const CODE_MS = 60_000;
const DEVICE_MS = 10 * 60_000;
const POLL_SECONDS = 5;

/** Keeps an authorization code for a program on this person's machine. */
export async function createCode(
  env: ApiEnv,
  facts: { client: string; redirectUri: string; challenge: string; identity: Identity },
  now: number,
): Promise<string> {
  const code = newSecret();
  await env.DB.batch([
    env.DB.prepare("DELETE FROM auth_codes WHERE expires < ?").bind(now),
    env.DB.prepare(
      "INSERT INTO auth_codes (code_hash, client, redirect_uri, challenge, identity, expires) VALUES (?, ?, ?, ?, ?, ?)",
    ).bind(
      await hashOf(code),
      facts.client,
      facts.redirectUri,
      facts.challenge,
      JSON.stringify(facts.identity),
      now + CODE_MS,
    ),
  ]);
  return code;
}

/** `grant_type=authorization_code`. The code is gone after the first try, right or wrong. */
export async function redeemCode(
  env: ApiEnv,
  form: URLSearchParams,
  client: string,
  now: number,
): Promise<Response> {
  const code = form.get("code");
  const verifier = form.get("code_verifier");
  if (!code || !verifier) return oauthError("invalid_request", "code and code_verifier are needed");
  const row = await env.DB.prepare("DELETE FROM auth_codes WHERE code_hash = ? RETURNING *")
    .bind(await hashOf(code))
    .first<{ client: string; redirect_uri: string; challenge: string; identity: string; expires: number }>();
  const good =
    row !== null &&
    row.expires > now &&
    row.client === client &&
    row.redirect_uri === form.get("redirect_uri") &&
    /^[A-Za-z0-9\-._~]{43,128}$/.test(verifier) &&
    row.challenge === (await hashOf(verifier));
  if (!good) return oauthError("invalid_grant", "the code is not valid");
  return logIn(env, JSON.parse(row.identity) as Identity, client, "browser", now);
}

/** RFC 8628, section 3.1. */
export async function beginDevice(env: ApiEnv, client: string, now: number): Promise<Response> {
  const code = newSecret();
  const userCode = newUserCode();
  await env.DB.batch([
    env.DB.prepare("DELETE FROM device_codes WHERE expires < ?").bind(now - DEVICE_MS),
    env.DB.prepare(
      `INSERT INTO device_codes (code_hash, user_code, client, status, polled, interval_s, expires)
       VALUES (?, ?, ?, 'pending', 0, ?, ?)`,
    ).bind(await hashOf(code), userCode, client, POLL_SECONDS, now + DEVICE_MS),
  ]);
  return oauthAnswer({
    device_code: code,
    user_code: userCode,
    verification_uri: `${env.EDGE_ORIGIN}/device`,
    verification_uri_complete: `${env.EDGE_ORIGIN}/device?user_code=${userCode}`,
    expires_in: DEVICE_MS / 1000,
    interval: POLL_SECONDS,
  });
}

/** True when a device waits under this user code. */
export async function deviceWaits(env: ApiEnv, userCode: string, now: number): Promise<boolean> {
  const row = await env.DB.prepare(
    "SELECT 1 FROM device_codes WHERE user_code = ? AND status = 'pending' AND expires > ?",
  )
    .bind(userCode, now)
    .first();
  return row !== null;
}

/** The person's answer on the page where the code was typed. False when nothing waits under it. */
export async function answerDevice(
  env: ApiEnv,
  userCode: string,
  identity: Identity | null,
  now: number,
): Promise<boolean> {
  const row = await env.DB.prepare(
    `UPDATE device_codes SET status = ?, identity = ? WHERE user_code = ? AND status = 'pending' AND expires > ?
     RETURNING user_code`,
  )
    .bind(identity ? "approved" : "denied", identity && JSON.stringify(identity), userCode, now)
    .first();
  return row !== null;
}

/** `grant_type=…device_code` (RFC 8628, section 3.4 and 3.5). */
export async function redeemDevice(
  env: ApiEnv,
  form: URLSearchParams,
  client: string,
  now: number,
): Promise<Response> {
  const code = form.get("device_code");
  if (!code) return oauthError("invalid_request", "device_code is needed");
  const hash = await hashOf(code);
  const row = await env.DB.prepare("SELECT * FROM device_codes WHERE code_hash = ? AND client = ?")
    .bind(hash, client)
    .first<{
      status: string;
      identity: string | null;
      polled: number;
      interval_s: number;
      expires: number;
    }>();
  if (!row) return oauthError("invalid_grant", "the device code is unknown or used");
  if (row.expires <= now) return oauthError("expired_token", "the code was not confirmed in time");
  if (row.status === "pending") {
    const early = row.polled > 0 && now - row.polled < row.interval_s * 1000 - 500;
    const interval = row.interval_s + (early ? 5 : 0);
    await env.DB.prepare("UPDATE device_codes SET polled = ?, interval_s = ? WHERE code_hash = ?")
      .bind(now, interval, hash)
      .run();
    return oauthError(early ? "slow_down" : "authorization_pending", "the code is not confirmed yet", {
      interval,
    });
  }
  const taken = await env.DB.prepare("DELETE FROM device_codes WHERE code_hash = ? RETURNING identity")
    .bind(hash)
    .first<{ identity: string | null }>();
  if (!taken) return oauthError("invalid_grant", "the device code was used already");
  if (row.status !== "approved" || taken.identity === null)
    return oauthError("access_denied", "the sign-in was refused");
  return logIn(env, JSON.parse(taken.identity) as Identity, client, "device", now);
}

/** `grant_type=refresh_token`. */
export async function refresh(
  env: ApiEnv,
  form: URLSearchParams,
  client: string,
  now: number,
): Promise<Response> {
  const token = form.get("refresh_token");
  if (!token) return oauthError("invalid_request", "refresh_token is needed");
  const rotated = await rotateLogin(env.DB, token, client, now);
  if (!rotated) return oauthError("invalid_grant", "the login has ended");
  const [standing] = await standingOf(env.DB, [rotated.login.identity]);
  if (standing?.disabled !== false) return oauthError("invalid_grant", "this identity is disabled");
  return loginAnswer(env, rotated.login, rotated.secret);
}

async function logIn(
  env: ApiEnv,
  identity: Identity,
  client: string,
  method: "browser" | "device",
  now: number,
): Promise<Response> {
  const [standing] = await standingOf(env.DB, [identity]);
  if (standing?.disabled !== false) return oauthError("access_denied", "this identity is disabled");
  const { login, secret } = await createLogin(env.DB, "cli", identity, client, now);
  await recordEvents(env, [
    { type: "auth.login", severity: "info", actor: actorFrom(identity), data: { method, client } },
  ]);
  return loginAnswer(env, login, secret);
}

async function loginAnswer(env: ApiEnv, login: Login, refreshToken: string): Promise<Response> {
  const now = Date.now();
  const contents = {
    identity: login.identity,
    audience: env.EDGE_ORIGIN,
    clientId: login.client,
    login: login.id,
  };
  const end = Math.min(login.expires, now + MAX_TOKEN_SECONDS * 1000);
  const issued = await issueToken(env, contents, now, end);
  return oauthAnswer({
    access_token: issued.token,
    token_type: "Bearer",
    expires_in: Math.max(0, Math.floor((issued.expires - now) / 1000)),
    refresh_token: refreshToken,
  });
}
