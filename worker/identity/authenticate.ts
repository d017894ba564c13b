/**
 * Who is asking: the bearer token of a request to an identity. Everything about the token is decided from
 * the configuration and the token itself; no other header has a say, and nothing is fetched for an issuer
 * that is not configured.
 */
import { waitUntil } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from "jose";
import type { Identity } from "../../policies/task.ts";
import { identityFrom } from "./claims.ts";
import { verifyEdgeToken } from "./edge-token.ts";
import { findIssuer, type Issuer, issuersFrom } from "./issuers.ts";
import { KeyStore } from "./keys.ts";
import { isLoginOpen } from "./logins.ts";
import { isTrustedIssuer } from "./saml/providers.ts";

/** Tolerated difference between the clocks of provider and edge. */
export const CLOCK_SKEW_SECONDS = 5;
/** Longest token that is looked at. */
export const MAX_TOKEN_CHARACTERS = 16 * 1024;
/** Name of the console's session cookie; a request may carry it or a bearer token, not both. */
export const CONSOLE_COOKIE = "__Host-wicket";

/** What `authenticate` needs of the Worker's environment. */
export interface IdentityEnv {
  readonly ISSUERS: unknown;
  readonly SAML_PROVIDERS?: unknown;
  readonly EDGE_ORIGIN: string;
  readonly SIGNING_KEY: unknown;
  readonly DB: D1Database;
}

export type TokenRefusal =
  | "TOKEN_MISSING"
  | "TOKEN_AMBIGUOUS"
  | "TOKEN_MALFORMED"
  | "TOKEN_TYPE"
  | "TOKEN_ISSUER_UNKNOWN"
  | "TOKEN_ALGORITHM"
  | "TOKEN_AUDIENCE"
  | "TOKEN_SUBJECT"
  | "TOKEN_EXPIRED"
  | "TOKEN_NOT_YET_VALID"
  | "TOKEN_KEYS_UNAVAILABLE"
  | "TOKEN_SIGNATURE"
  | "TOKEN_REVOKED";

export interface Credential {
  readonly kind: "id_token" | "edge_token";
  /** Grant that the token carries: the session runs under it and no other. */
  readonly grant?: string;
  /** Who acts for the identity; both are named in the audit log. */
  readonly actor?: { readonly issuer: string; readonly subject: string };
}

export interface Refused {
  readonly ok: false;
  readonly status: 401;
  readonly code: TokenRefusal;
  readonly message: string;
  readonly hint: string;
}

export type Authenticated =
  | { readonly ok: true; readonly identity: Identity; readonly credential: Credential }
  | Refused;

const LOGIN = "Run `wicket login`, or pass --token FILE with a current token.";

const SENTENCES: Record<TokenRefusal, { message: string; hint: string }> = {
  TOKEN_MISSING: { message: "no bearer token was sent", hint: LOGIN },
  TOKEN_AMBIGUOUS: {
    message: "more than one credential was sent",
    hint: "Send one Authorization header and no console cookie.",
  },
  TOKEN_MALFORMED: { message: "the bearer token is not a well-formed JWT", hint: LOGIN },
  TOKEN_TYPE: {
    message: "the token is of a kind that is not accepted here",
    hint: "Send an ID token of a configured issuer, or a token that this edge issued.",
  },
  TOKEN_ISSUER_UNKNOWN: {
    message: "the token's issuer is not one of this edge's issuers",
    hint: "GET /.well-known/wicketgate lists them.",
  },
  TOKEN_ALGORITHM: {
    message: "the token's signature algorithm is not accepted from its issuer",
    hint: "The deployment lists algorithms per issuer in ISSUERS.",
  },
  TOKEN_AUDIENCE: {
    message: "the token was issued for another application",
    hint: "Ask the issuer for a token whose audience is this edge.",
  },
  TOKEN_SUBJECT: { message: "the token names no subject", hint: LOGIN },
  TOKEN_EXPIRED: { message: "the token has expired", hint: LOGIN },
  TOKEN_NOT_YET_VALID: {
    message: "the token is not valid yet",
    hint: "Check the clocks: more than 5 seconds of difference are not tolerated.",
  },
  TOKEN_KEYS_UNAVAILABLE: {
    message: "the issuer's keys could not be fetched",
    hint: "Try again in some seconds; if it stays so, check that the edge can reach the issuer.",
  },
  TOKEN_REVOKED: { message: "this login has ended", hint: LOGIN },
  TOKEN_SIGNATURE: { message: "the token's signature is not valid", hint: LOGIN },
};

/** The refusal for `code`, as answered to the client. */
export function refuseToken(code: TokenRefusal): Refused {
  return { ok: false, status: 401, code, ...SENTENCES[code] };
}

const store = new KeyStore(
  () => caches.open("wicketgate-keys"),
  (work) => waitUntil(work),
);

/**
 * Authenticates `request` at `now` (ms since the epoch). Never throws for anything the client sent. A token of this
 * edge must be for the edge or for `resource`, by default the address that was asked for.
 */
export async function authenticate(
  request: Request,
  env: IdentityEnv,
  now: number,
  resource = env.EDGE_ORIGIN + new URL(request.url).pathname,
): Promise<Authenticated> {
  const authorization = request.headers.get("authorization");
  if (authorization === null || authorization === "") return refuseToken("TOKEN_MISSING");
  if (hasConsoleCookie(request)) return refuseToken("TOKEN_AMBIGUOUS");
  const match = /^bearer +([^\s,]+)$/i.exec(authorization);
  if (!match) return refuseToken(/^bearer *$/i.test(authorization) ? "TOKEN_MISSING" : "TOKEN_MALFORMED");
  return authenticateToken(match[1]!, env, now, [env.EDGE_ORIGIN, resource]);
}

/**
 * Authenticates a token by itself (a subject token of RFC 8693, a bearer token). `audiences` are what a token
 * of this edge must be for; tokens of other issuers must be for their issuer's configured audiences.
 */
export async function authenticateToken(
  token: string,
  env: IdentityEnv,
  now: number,
  audiences: readonly string[],
  keys: KeyStore = store,
): Promise<Authenticated> {
  if (token.length > MAX_TOKEN_CHARACTERS) return refuseToken("TOKEN_MALFORMED");
  const parts = decode(token);
  if (!parts) return refuseToken("TOKEN_MALFORMED");
  const { claims } = parts;
  if (claims.iss === env.EDGE_ORIGIN) {
    const own = await verifyEdgeToken(env, token, audiences, now);
    if (!own.ok) return refuseToken(own.code);
    const { identity, grant, actor, login } = own.token;
    // An issuer that was taken out of the configuration takes its people with it.
    if (!isTrustedIssuer(env, identity.issuer)) return refuseToken("TOKEN_ISSUER_UNKNOWN");
    if (login !== null && !(await isLoginOpen(env.DB, login, now))) return refuseToken("TOKEN_REVOKED");
    const credential = {
      kind: "edge_token" as const,
      ...(grant ? { grant } : {}),
      ...(actor ? { actor } : {}),
    };
    return { ok: true, identity, credential };
  }
  const issuer = findIssuer(issuersFrom(env.ISSUERS), claims.iss);
  return issuer ? verifyIdToken(token, issuer, now, keys) : refuseToken("TOKEN_ISSUER_UNKNOWN");
}

/** Validates an ID token of `issuer` for the issuer's audiences (OpenID Connect Core, section 3.1.3.7). */
export async function verifyIdToken(
  token: string,
  issuer: Issuer,
  now: number,
  keys: KeyStore = store,
): Promise<Authenticated> {
  if (token.length > MAX_TOKEN_CHARACTERS) return refuseToken("TOKEN_MALFORMED");
  const parts = decode(token);
  if (!parts) return refuseToken("TOKEN_MALFORMED");
  const { header, claims } = parts;
  if (claims.iss !== issuer.issuer) return refuseToken("TOKEN_ISSUER_UNKNOWN");
  const early = refusalBeforeKeys(issuer, header, claims, now);
  if (early) return refuseToken(early);

  let found = await keys.keysOf(issuer, now);
  if (!found.ok) return refuseToken("TOKEN_KEYS_UNAVAILABLE");
  let verified = await verify(token, found.find, issuer, now);
  if (verified === "no key") {
    // The provider may have rotated its keys since: look once more, if the cool-down allows it.
    found = await keys.keysOf(issuer, now, found.fetched);
    if (found.ok) verified = await verify(token, found.find, issuer, now);
  }
  if (verified !== "ok") return refuseToken("TOKEN_SIGNATURE");
  return { ok: true, identity: identityFrom(issuer, claims), credential: { kind: "id_token" } };
}

/** Header and claims, unverified; null when it is no JWT or has a critical extension (RFC 7515, 4.1.11). */
function decode(token: string): { header: ProtectedHeaderParameters; claims: JWTPayload } | null {
  try {
    const header = decodeProtectedHeader(token);
    return header.crit === undefined ? { header, claims: decodeJwt(token) } : null;
  } catch {
    return null;
  }
}

/** Everything that can be refused without a key, so that a bad token costs no fetch. */
function refusalBeforeKeys(
  issuer: Issuer,
  header: { alg?: unknown; typ?: unknown },
  claims: JWTPayload,
  now: number,
): TokenRefusal | null {
  if (!(issuer.algorithms as readonly unknown[]).includes(header.alg)) return "TOKEN_ALGORITHM";
  // An access token of the same issuer (at+jwt, RFC 9068) or a logout token is no proof of who is asking.
  if (header.typ !== undefined && String(header.typ).toLowerCase() !== "jwt") return "TOKEN_TYPE";
  const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  if (!Array.isArray(audience) || audience.length === 0) return "TOKEN_AUDIENCE";
  // Every member: a token that is also for another application can be replayed by that application.
  if (!audience.every((one) => issuer.audiences.includes(one))) return "TOKEN_AUDIENCE";
  const azp = claims["azp"];
  if (azp !== undefined && !(issuer.authorizedParties ?? issuer.audiences).includes(azp as string)) {
    return "TOKEN_AUDIENCE";
  }
  if (typeof claims.sub !== "string" || claims.sub === "" || claims.sub.length > 255) return "TOKEN_SUBJECT";
  const seconds = now / 1000;
  if (typeof claims.exp !== "number") return "TOKEN_MALFORMED";
  if (claims.exp + CLOCK_SKEW_SECONDS <= seconds) return "TOKEN_EXPIRED";
  for (const start of [claims.nbf, claims.iat]) {
    if (start === undefined) continue;
    if (typeof start !== "number") return "TOKEN_MALFORMED";
    if (start - CLOCK_SKEW_SECONDS > seconds) return "TOKEN_NOT_YET_VALID";
  }
  return null;
}

async function verify(
  token: string,
  find: Parameters<typeof jwtVerify>[1],
  issuer: Issuer,
  now: number,
): Promise<"ok" | "no key" | "bad"> {
  try {
    await jwtVerify(token, find as never, {
      issuer: issuer.issuer,
      algorithms: [...issuer.algorithms],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(now),
    });
    return "ok";
  } catch (cause) {
    return cause instanceof errors.JWKSNoMatchingKey ? "no key" : "bad";
  }
}

function hasConsoleCookie(request: Request): boolean {
  const cookie = request.headers.get("cookie");
  return cookie?.split(";").some((part) => part.trim().startsWith(`${CONSOLE_COOKIE}=`)) ?? false;
}
