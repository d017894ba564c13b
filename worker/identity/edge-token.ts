/**
 * The edge's own tokens: `at+jwt` (RFC 9068), EdDSA, at most 15 minutes. A login token stands for an
 * identity at the edge itself; a grant token carries one grant for one resource.
 */
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  errors,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Identity, Json } from "../../policies/task.ts";

/** Upper bound of every lifetime, seconds. */
export const MAX_TOKEN_SECONDS = 900;
const ALGORITHM = "EdDSA";

interface EdgeKeys {
  readonly sign: CryptoKey;
  readonly kid: string;
  /** Public halves, the signing one first. */
  readonly published: JSONWebKeySet;
}

const loaded = new Map<string, Promise<EdgeKeys>>();

/**
 * The edge's keys. `secret` is a private Ed25519 JWK, or a JWK set: its first key signs, all verify (so a
 * new key is put first, and the old one is taken out 15 minutes later).
 */
export function edgeKeys(secret: unknown): Promise<EdgeKeys> {
  const text = typeof secret === "string" ? secret : JSON.stringify(secret ?? null);
  let keys = loaded.get(text);
  if (!keys) {
    keys = loadKeys(text);
    loaded.set(text, keys);
    keys.catch(() => loaded.delete(text));
  }
  return keys;
}

async function loadKeys(text: string): Promise<EdgeKeys> {
  const given = JSON.parse(text) as JWK & { keys?: JWK[] };
  const list = given?.keys ?? [given];
  const published: JWK[] = [];
  let sign: CryptoKey | null = null;
  let kid = "";
  for (const jwk of list) {
    if (jwk?.kty !== "OKP" || jwk.crv !== "Ed25519" || !jwk.x)
      throw new Error("SIGNING_KEY is not an Ed25519 JWK");
    const id = jwk.kid ?? (await calculateJwkThumbprint({ kty: "OKP", crv: "Ed25519", x: jwk.x }));
    published.push({ kty: "OKP", crv: "Ed25519", x: jwk.x, kid: id, use: "sig", alg: ALGORITHM });
    if (!sign) {
      sign = (await importJWK(jwk, ALGORITHM)) as CryptoKey;
      kid = id;
    }
  }
  if (!sign) throw new Error("SIGNING_KEY holds no key");
  return { sign, kid, published: { keys: published } };
}

export interface TokenContents {
  readonly identity: Identity;
  /** `aud`: the edge's origin for a login, the resource's URL for a grant. */
  readonly audience: string;
  readonly clientId: string;
  /** Id of the grant; absent in a login token. */
  readonly grant?: string;
  /** RFC 9396, as granted. */
  readonly authorizationDetails?: readonly Json[];
  /** Who acts for the identity (RFC 8693, section 4.1). */
  readonly actor?: { readonly issuer: string; readonly subject: string; readonly name: string | null };
  /** Id of the login, so that it can be ended. */
  readonly login?: string;
}

/** Signs a token that ends at `expires` (ms), at most 15 minutes from `now` (ms). */
export async function issueToken(
  env: { SIGNING_KEY: unknown; EDGE_ORIGIN: string },
  contents: TokenContents,
  now: number,
  expires: number,
): Promise<{ token: string; jti: string; expires: number }> {
  const keys = await edgeKeys(env.SIGNING_KEY);
  const iat = Math.floor(now / 1000);
  const exp = Math.min(Math.floor(expires / 1000), iat + MAX_TOKEN_SECONDS);
  const jti = crypto.randomUUID();
  const { identity } = contents;
  const claims: JWTPayload = {
    client_id: contents.clientId,
    idp: { iss: identity.issuer, sub: identity.subject },
    groups: [...identity.groups],
    ...(identity.name === null ? {} : { name: identity.name }),
    ...pick(identity.claims, ["acr", "amr", "auth_time"]),
    ...(contents.grant === undefined ? {} : { grant: contents.grant }),
    ...(contents.login === undefined ? {} : { login: contents.login }),
    ...(contents.authorizationDetails ? { authorization_details: contents.authorizationDetails } : {}),
    ...(contents.actor ? { act: { iss: contents.actor.issuer, sub: contents.actor.subject } } : {}),
  };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, typ: "at+jwt", kid: keys.kid })
    .setIssuer(env.EDGE_ORIGIN)
    .setSubject(identity.subject)
    .setAudience(contents.audience)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .setJti(jti)
    .sign(keys.sign);
  return { token, jti, expires: exp * 1000 };
}

function pick(claims: Readonly<Record<string, Json>>, names: readonly string[]): Record<string, Json> {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(claims, name)).map((name) => [name, claims[name]!]),
  );
}

export interface EdgeToken {
  readonly identity: Identity;
  readonly grant: string | null;
  readonly login: string | null;
  readonly actor: { readonly issuer: string; readonly subject: string } | null;
  readonly clientId: string;
  readonly audience: string;
  readonly jti: string;
  readonly issued: number;
  readonly authorizationDetails: readonly Json[];
}

export type EdgeTokenResult =
  | { readonly ok: true; readonly token: EdgeToken }
  | {
      readonly ok: false;
      readonly code:
        | "TOKEN_EXPIRED"
        | "TOKEN_AUDIENCE"
        | "TOKEN_SIGNATURE"
        | "TOKEN_TYPE"
        | "TOKEN_MALFORMED";
    };

/** Verifies one of the edge's own tokens for one of `audiences`; `null` = any (introspection, revocation). */
export async function verifyEdgeToken(
  env: { SIGNING_KEY: unknown; EDGE_ORIGIN: string },
  text: string,
  audiences: readonly string[] | null,
  now: number,
): Promise<EdgeTokenResult> {
  const keys = await edgeKeys(env.SIGNING_KEY);
  try {
    const { payload } = await jwtVerify(text, createLocalJWKSet(keys.published), {
      issuer: env.EDGE_ORIGIN,
      algorithms: [ALGORITHM],
      typ: "at+jwt",
      requiredClaims: ["exp", "iat", "sub", "aud", "jti"],
      clockTolerance: 0,
      currentDate: new Date(now),
    });
    const aud = payload.aud;
    if (typeof aud !== "string" || (audiences && !audiences.includes(aud)))
      return { ok: false, code: "TOKEN_AUDIENCE" };
    const idp = payload["idp"] as { iss?: unknown; sub?: unknown } | undefined;
    if (typeof idp?.iss !== "string" || typeof idp.sub !== "string")
      return { ok: false, code: "TOKEN_MALFORMED" };
    const act = payload["act"] as { iss?: unknown; sub?: unknown } | undefined;
    const details = payload["authorization_details"];
    return {
      ok: true,
      token: {
        identity: {
          issuer: idp.iss,
          subject: idp.sub,
          name: typeof payload["name"] === "string" ? payload["name"] : null,
          groups: Array.isArray(payload["groups"]) ? payload["groups"].map(String) : [],
          claims: payload as Record<string, Json>,
          expires: payload.exp! * 1000,
        },
        grant: typeof payload["grant"] === "string" ? payload["grant"] : null,
        login: typeof payload["login"] === "string" ? payload["login"] : null,
        actor: act ? { issuer: String(act.iss), subject: String(act.sub) } : null,
        clientId: String(payload["client_id"] ?? ""),
        audience: aud,
        jti: payload.jti!,
        issued: payload.iat! * 1000,
        authorizationDetails: Array.isArray(details) ? (details as Json[]) : [],
      },
    };
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) return { ok: false, code: "TOKEN_EXPIRED" };
    if (cause instanceof errors.JWTClaimValidationFailed) {
      return { ok: false, code: cause.claim === "typ" ? "TOKEN_TYPE" : "TOKEN_MALFORMED" };
    }
    return { ok: false, code: "TOKEN_SIGNATURE" };
  }
}
