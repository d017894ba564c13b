/**
 * The connector's own sign-in: a JWT that it signs with the Ed25519 key it was enrolled with (RFC 7519, RFC 8037).
 * Each is for this edge, lives a minute at most and is used once; no secret of the connector ever crosses.
 */
import { calculateJwkThumbprint, decodeJwt, errors, importJWK, type JWK, jwtVerify } from "jose";

export const CONNECTOR_TOKEN_TYPE = "wicket-connector+jwt";
/** Longest lifetime, seconds. */
export const MAX_LIFETIME = 60;
/** Tolerated difference between the clocks of connector and edge, seconds. */
export const CLOCK_SKEW = 5;
const MAX_CHARACTERS = 4096;

export type ConnectorTokenCode =
  | "TOKEN_MISSING"
  | "TOKEN_MALFORMED"
  | "TOKEN_EXPIRED"
  | "TOKEN_SIGNATURE"
  | "TOKEN_LIFETIME"
  | "TOKEN_REPLAYED"
  | "CONNECTOR_UNKNOWN";

/** The bearer token of a request and the connector that it claims to be of. Nothing is verified here. */
export function connectorToken(request: Request): { token: string; name: string } | null {
  const token = /^bearer +([^\s,]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!token || token.length > MAX_CHARACTERS) return null;
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === "string" && iss !== "" ? { token, name: iss } : null;
  } catch {
    return null;
  }
}

export type VerifiedToken =
  | { readonly ok: true; readonly jti: string /** Milliseconds since the epoch. */; readonly expires: number }
  | { readonly ok: false; readonly code: ConnectorTokenCode };

/** Keys by their public value; a connector shows the same one with each segment. */
const keys = new Map<string, ReturnType<typeof importJWK>>();

async function imported(key: JWK): Promise<Awaited<ReturnType<typeof importJWK>>> {
  const { x } = key;
  const known = x === undefined ? undefined : keys.get(x);
  if (known) return known;
  const importing = importJWK(key, "EdDSA");
  await importing;
  if (keys.size >= 100) keys.clear();
  if (x !== undefined) keys.set(x, importing);
  return importing;
}

/** Verifies a token of `name` against its enrolled key. Whether `jti` is fresh is the caller's to say. */
export async function verifyConnectorToken(
  token: string,
  name: string,
  key: JWK,
  origin: string,
  now: number,
): Promise<VerifiedToken> {
  try {
    const { payload } = await jwtVerify(token, await imported(key), {
      issuer: name,
      audience: origin,
      algorithms: ["EdDSA", "Ed25519"],
      typ: CONNECTOR_TOKEN_TYPE,
      requiredClaims: ["exp", "iat", "jti"],
      clockTolerance: CLOCK_SKEW,
      currentDate: new Date(now),
    });
    const { exp, iat, jti } = payload;
    if (typeof jti !== "string" || jti.length < 8 || jti.length > 128 || Array.isArray(payload.aud)) {
      return { ok: false, code: "TOKEN_MALFORMED" };
    }
    if (exp! - iat! > MAX_LIFETIME || iat! - CLOCK_SKEW > now / 1000)
      return { ok: false, code: "TOKEN_LIFETIME" };
    return { ok: true, jti, expires: (exp! + CLOCK_SKEW) * 1000 };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { ok: false, code: "TOKEN_EXPIRED" };
    if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTInvalid) {
      return { ok: false, code: "TOKEN_MALFORMED" };
    }
    return { ok: false, code: "TOKEN_SIGNATURE" };
  }
}

/** The public key of an enrolment with its thumbprint (RFC 7638); null when it is no Ed25519 public key. */
export async function readPublicKey(value: unknown): Promise<{ key: JWK; thumbprint: string } | null> {
  const given = value as Record<string, unknown> | null;
  if (typeof given !== "object" || given === null || given["d"] !== undefined) return null;
  const { kty, crv, x } = given;
  if (kty !== "OKP" || crv !== "Ed25519" || typeof x !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(x))
    return null;
  const key: JWK = { kty, crv, x };
  try {
    await importJWK(key, "EdDSA");
    return { key, thumbprint: await calculateJwkThumbprint(key) };
  } catch {
    return null;
  }
}
