/** What can be done with a token that exists: revoke it (RFC 7009), ask about it (RFC 7662). */
import { actorFrom } from "../../audit/events.ts";
import { recordEvents } from "../../audit/record.ts";
import { grantOf, revokeGrant } from "../../grants/ask.ts";
import { type EdgeToken, verifyEdgeToken } from "../edge-token.ts";
import type { ApiEnv, Caller } from "../http.ts";
import { endLogin, isLoginOpen } from "../logins.ts";
import { oauthAnswer, oauthError } from "./answers.ts";

/** Ends the login or the grant behind a token. Whoever holds the token may; unknown tokens are no error. */
export async function revokeToken(env: ApiEnv, form: URLSearchParams, now: number): Promise<Response> {
  const token = form.get("token");
  if (!token) return oauthError("invalid_request", "token is needed");
  const verified = token.includes(".") ? await verifyEdgeToken(env, token, null, now) : null;
  if (verified?.ok) {
    const { identity, grant, login, jti } = verified.token;
    if (grant !== null) await revokeGrant(env, grant, { identity, admin: false }, "the token was revoked");
    if (login !== null) await endLogin(env.DB, { id: login }, now);
    await recordEvents(env, [
      {
        ...{ type: "token.revoked", severity: "info", actor: actorFrom(identity), data: { jti } },
        ...(grant === null ? {} : { grant }),
      },
    ]);
  } else await endLogin(env.DB, { secret: token }, now);
  return oauthAnswer({});
}

/** Says whether a token is good now; for its own identity and for administrators. */
export async function introspect(
  env: ApiEnv,
  form: URLSearchParams,
  caller: Caller,
  now: number,
): Promise<Response> {
  const token = form.get("token");
  if (!token) return oauthError("invalid_request", "token is needed");
  const inactive = oauthAnswer({ active: false });
  const verified = await verifyEdgeToken(env, token, null, now);
  if (!verified.ok) return inactive;
  const { token: found } = verified;
  const own =
    found.identity.issuer === caller.identity.issuer && found.identity.subject === caller.identity.subject;
  if (!own && !caller.admin) return inactive;
  if (!(await stands(env, found, now))) return inactive;
  const { identity, audience, clientId, jti, issued, actor, authorizationDetails } = found;
  return oauthAnswer({
    active: true,
    iss: env.EDGE_ORIGIN,
    sub: identity.subject,
    aud: audience,
    client_id: clientId,
    token_type: "Bearer",
    jti,
    iat: Math.floor(issued / 1000),
    exp: Math.floor(identity.expires / 1000),
    idp: { iss: identity.issuer, sub: identity.subject },
    ...(actor ? { act: { iss: actor.issuer, sub: actor.subject } } : {}),
    ...(found.grant ? { grant: found.grant, authorization_details: authorizationDetails } : {}),
  });
}

async function stands(env: ApiEnv, token: EdgeToken, now: number): Promise<boolean> {
  if (token.login !== null && !(await isLoginOpen(env.DB, token.login, now))) return false;
  if (token.grant === null) return true;
  return (await grantOf(env, token.grant))?.status === "active";
}
