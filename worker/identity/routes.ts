/**
 * The OAuth face of the edge: metadata, keys, tokens. The pages where a person confirms (`/oauth2/authorize`,
 * `/device`) belong to the console.
 */
import { Hono } from "hono";
import { cors } from "hono/cors";
import type { Bundle } from "../../policies/task.ts";
import { edgeKeys } from "./edge-token.ts";
import { readBounded } from "./fetch-json.ts";
import { type CallerRoutes, problem, requireCaller, unavailable } from "./http.ts";
import { CLIENT_ID, formParameters, oauthError } from "./oauth/answers.ts";
import { exchange, redeemDeferral } from "./oauth/exchange.ts";
import { beginDevice, redeemCode, redeemDevice, refresh } from "./oauth/login-grants.ts";
import {
  DEFERRED,
  DEVICE_CODE,
  detailTypes,
  resourceMetadata,
  serverMetadata,
  TOKEN_EXCHANGE,
} from "./oauth/metadata.ts";
import { introspect, revokeToken } from "./oauth/tokens.ts";

const HOUR = { "cache-control": "public, max-age=3600" };

/** The routes, over one policy bundle. */
export function identityRoutes(bundle: Bundle): Hono<CallerRoutes> {
  const app = new Hono<CallerRoutes>();
  app.onError(unavailable);
  app.use("/.well-known/oauth-*", cors());

  app.get("/.well-known/oauth-authorization-server", (context) =>
    context.json(serverMetadata(context.env.EDGE_ORIGIN), 200, HOUR),
  );
  app.get("/.well-known/oauth-protected-resource", (context) =>
    context.json(resourceMetadata(context.env.EDGE_ORIGIN, null), 200, HOUR),
  );
  app.get("/.well-known/oauth-protected-resource/db/:resource", (context) => {
    const resource = context.req.param("resource");
    if (!Object.hasOwn(bundle.resources, resource)) {
      return problem({
        status: 404,
        code: "RESOURCE_UNKNOWN",
        message: "there is no such resource",
        hint: "",
      });
    }
    return context.json(resourceMetadata(context.env.EDGE_ORIGIN, resource), 200, HOUR);
  });
  app.get("/oauth2/jwks", async (context) => {
    const { published } = await edgeKeys(context.env.SIGNING_KEY);
    return context.json(published, 200, { "cache-control": "public, max-age=300" });
  });
  app.get("/oauth2/authorization-details-types", (context) => context.json(detailTypes(bundle), 200, HOUR));

  app.post("/oauth2/token", async (context) => {
    const form = await formParameters(context.req.raw, readBounded);
    if (!form) return oauthError("invalid_request", "a form post with each parameter once is needed");
    const now = Date.now();
    const { env } = context;
    const client = form.get("client_id") ?? CLIENT_ID;
    if (client !== CLIENT_ID || context.req.header("authorization") !== undefined) {
      return oauthError("invalid_client", "the client is the public client wicket");
    }
    try {
      switch (form.get("grant_type")) {
        case TOKEN_EXCHANGE:
          return await exchange(env, bundle, form, client, now);
        case DEFERRED:
          return await redeemDeferral(env, bundle, form, client, now);
        case "authorization_code":
          return await redeemCode(env, form, client, now);
        case DEVICE_CODE:
          return await redeemDevice(env, form, client, now);
        case "refresh_token":
          return await refresh(env, form, client, now);
        case null:
          return oauthError("invalid_request", "grant_type is needed");
        default:
          return oauthError("unsupported_grant_type", "this grant type is not supported");
      }
    } catch (cause) {
      console.error("token endpoint", cause);
      return oauthError(
        "temporarily_unavailable",
        "logins and grants cannot be read or written at the moment",
      );
    }
  });

  app.post("/oauth2/device_authorization", async (context) => {
    const form = await formParameters(context.req.raw, readBounded);
    if (!form) return oauthError("invalid_request", "a form post with each parameter once is needed");
    const client = form.get("client_id");
    if (client !== CLIENT_ID) return oauthError("invalid_client", "the client is the public client wicket");
    return beginDevice(context.env, client, Date.now());
  });

  app.post("/oauth2/revoke", async (context) => {
    const form = await formParameters(context.req.raw, readBounded);
    if (!form) return oauthError("invalid_request", "a form post with each parameter once is needed");
    return revokeToken(context.env, form, Date.now());
  });

  app.post("/oauth2/introspect", requireCaller(), async (context) => {
    const form = await formParameters(context.req.raw, readBounded);
    if (!form) return oauthError("invalid_request", "a form post with each parameter once is needed");
    return introspect(context.env, form, context.get("caller"), Date.now());
  });

  return app;
}
