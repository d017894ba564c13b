/** What the HTTP rooms share: authentication of a request, bounded input, refusals as problem documents. */
import { waitUntil } from "cloudflare:workers";
import type { Context, MiddlewareHandler } from "hono";
import * as v from "valibot";
import type { Identity } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import { type AuditEnv, recordEvents } from "../audit/record.ts";
import type { GrantsEnv } from "../grants/open.ts";
import { authenticate, type Credential, type IdentityEnv } from "./authenticate.ts";
import { readBounded } from "./fetch-json.ts";
import { rememberPerson, standingOf } from "./people.ts";

/** Environment of the API, the OAuth endpoints and the console. */
export interface ApiEnv extends IdentityEnv, GrantsEnv {
  /** JSON array of the groups whose members administer the edge. */
  readonly ADMIN_GROUPS: unknown;
}

/** A refusal as the client sees it (RFC 9457 members `status`, plus `code`, `message`, `hint`). */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly rule?: string;
  readonly request?: string;
}

export interface Caller {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly admin: boolean;
}

/** Hono's types for routes behind `requireCaller`. */
export interface CallerRoutes {
  Bindings: ApiEnv;
  Variables: { caller: Caller };
}

/** `application/problem+json`; a 401 says where tokens come from (RFC 6750, RFC 9728). */
export function problem(refusal: Problem, origin?: string): Response {
  const { status, code, message, hint, rule, request } = refusal;
  const headers = new Headers({ "content-type": "application/problem+json", "cache-control": "no-store" });
  if (status === 401) {
    const error = code === "TOKEN_MISSING" ? "" : ` error="invalid_token", error_description="${message}",`;
    headers.set(
      "www-authenticate",
      `Bearer${error} resource_metadata="${origin ?? ""}/.well-known/oauth-protected-resource"`,
    );
  }
  const body = { status, code, message, hint, ...(rule ? { rule } : {}), ...(request ? { request } : {}) };
  return new Response(JSON.stringify(body), { status, headers });
}

/** For a room's `onError`: what cannot be read or written is refused, and says nothing of the cause. */
export function unavailable(cause: Error): Response {
  console.error(cause);
  return problem({
    ...{
      status: 503,
      code: "STATE_UNAVAILABLE",
      message: "logins and grants cannot be read or written at the moment",
    },
    hint: "Try again in some seconds.",
  });
}

/** True when the identity is in one of the administrators' groups. */
export function isAdmin(
  env: { readonly ADMIN_GROUPS: unknown },
  identity: Pick<Identity, "groups">,
): boolean {
  const value = env.ADMIN_GROUPS;
  try {
    const groups: unknown = typeof value === "string" ? JSON.parse(value) : value;
    return Array.isArray(groups) && groups.some((group) => identity.groups.includes(String(group)));
  } catch {
    return false;
  }
}

/**
 * Lets only authenticated, enabled identities through. A token that carries one grant is for its resource and
 * is no key to the API.
 */
export function requireCaller(): MiddlewareHandler<CallerRoutes> {
  return async (context, next) => {
    const now = Date.now();
    const who = await authenticate(context.req.raw, context.env, now);
    if (!who.ok) {
      if (who.code !== "TOKEN_MISSING")
        recordRefusedToken(context.env, context.req.raw, who.code, who.message);
      return problem(who, context.env.EDGE_ORIGIN);
    }
    const { identity, credential } = who;
    if (credential.grant !== undefined) return problem(refusedGrantToken);
    await rememberPerson(context.env.DB, identity, now);
    const [standing] = await standingOf(context.env.DB, [identity]);
    if (standing?.disabled !== false) return problem(refusedDisabled);
    context.set("caller", { identity, credential, admin: isAdmin(context.env, identity) });
    await next();
    context.res.headers.set("cache-control", "no-store");
    return undefined;
  };
}

const refusedGrantToken: Problem = {
  ...{ status: 403, code: "TOKEN_GRANT", message: "a token for one grant cannot be used here" },
  hint: "Use a login token or an ID token.",
};
const refusedDisabled: Problem = {
  ...{ status: 403, code: "IDENTITY_DISABLED", message: "this identity is disabled", hint: "" },
};

let refusals = { second: 0, count: 0 };
const REFUSALS_PER_SECOND = 10;

/** Records a refused token; a flood of them costs at most some events a second. */
export function recordRefusedToken(env: AuditEnv, request: Request, code: string, message: string): void {
  const second = Math.floor(Date.now() / 1000);
  if (second !== refusals.second) refusals = { second, count: 0 };
  refusals.count += 1;
  if (refusals.count > REFUSALS_PER_SECOND) return;
  const ip = request.headers.get("cf-connecting-ip");
  const event = { type: "auth.refused", severity: "warn", reason: code, data: { message } } as const;
  waitUntil(recordEvents(env, [{ ...event, ...(ip ? { client: { ip } } : {}) }]).catch(() => undefined));
}

/** The request's JSON body, checked; or the refusal. */
export async function readJson<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
  maxBytes = 64 * 1024,
): Promise<{ ok: true; value: v.InferOutput<Schema> } | (Problem & { ok: false })> {
  const bad = (message: string): Problem & { ok: false } => ({
    ...{ ok: false, status: 400, code: "BODY_INVALID", message, hint: "" },
  });
  let json: unknown;
  try {
    const text = await readBounded(request, maxBytes);
    if (text === null) return { ...bad(`the body is longer than ${maxBytes} bytes`), status: 413 };
    json = JSON.parse(text === "" ? "{}" : text);
  } catch {
    return bad("the body is not JSON");
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return { ok: true, value: parsed.output };
  const issue = parsed.issues[0];
  return bad(`${v.getDotPath(issue) ?? "the body"}: ${issue.message}`);
}

/** Actor of an event for the caller of an API request. */
export function callerActor(caller: Caller): ReturnType<typeof actorFrom> {
  return actorFrom(caller.identity, caller.credential.actor);
}

/** A whole number from the query, within bounds; undefined when absent or not one. */
export function numberFrom(context: Context, name: string): number | undefined {
  const text = context.req.query(name);
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}
