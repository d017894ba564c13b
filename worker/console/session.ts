/** The browser's session: `__Host-` cookie, form token, and the headers that every page carries. */
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import type { Identity } from "../../policies/task.ts";
import { CONSOLE_COOKIE } from "../identity/authenticate.ts";
import type { ApiEnv } from "../identity/http.ts";
import { isAdmin } from "../identity/http.ts";
import { findConsoleLogin } from "../identity/logins.ts";
import { rememberPerson, standingOf } from "../identity/people.ts";
import { hashOf } from "../identity/secrets.ts";

export interface ConsoleEnv extends ApiEnv {
  /** Session objects by the session's id as name. */
  readonly SESSIONS: DurableObjectNamespace;
  readonly REQUESTS?: DurableObjectNamespace;
}

export interface Visitor {
  readonly identity: Identity;
  readonly admin: boolean;
  readonly login: string;
  /** Value that each form of this session carries. */
  readonly formToken: string;
}

export interface ConsoleRoutes {
  Bindings: ConsoleEnv;
  Variables: { visitor: Visitor };
}

/** Cookie of a sign-in under way. */
export const FLOW_COOKIE = "__Host-wicket-flow";

/** The same for SAML, whose answer is posted by a page of the provider: a Lax cookie would stay behind. */
export const SAML_FLOW_COOKIE = "__Host-wicket-saml";

/** Attributes of the other cookies. Lax: the provider's redirect back must carry the flow cookie. */
export const COOKIE = { secure: true, httpOnly: true, sameSite: "Lax", path: "/" } as const;

/** Nothing is loaded from elsewhere, nothing runs inline, nothing frames the page, nothing is cached. */
export function pageHeaders(): MiddlewareHandler<ConsoleRoutes> {
  return async (context, next) => {
    await next();
    const { headers } = context.res;
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", contentPolicy());
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    headers.set("x-content-type-options", "nosniff");
    headers.set("referrer-policy", "same-origin");
    headers.set("cross-origin-opener-policy", "same-origin");
  };
}

/**
 * The policy; `formTarget` is another origin that a form's answer may lead to. `wasm`: WebAssembly may be compiled,
 * which the terminal player needs and no other page.
 */
export function contentPolicy(formTarget = "", wasm = false): string {
  return [
    "default-src 'none'",
    wasm ? "script-src 'self' 'wasm-unsafe-eval'" : "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    `form-action 'self' ${formTarget}`.trim(),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join("; ");
}

/** The signed-in person; null when there is none. A bearer token beside the cookie is no valid request. */
export async function visitorOf(context: Context<ConsoleRoutes>, now: number): Promise<Visitor | null> {
  const secret = getCookie(context, CONSOLE_COOKIE);
  if (!secret || context.req.header("authorization") !== undefined) return null;
  const login = await findConsoleLogin(context.env.DB, secret, now);
  if (!login) return null;
  const { identity } = login;
  await rememberPerson(context.env.DB, identity, now);
  const [standing] = await standingOf(context.env.DB, [identity]);
  if (standing?.disabled !== false) return null;
  const formToken = await hashOf(`form:${secret}`);
  return { identity, admin: isAdmin(context.env, identity), login: login.id, formToken };
}

/** Sends people who are not signed in to the sign-in page, and refuses forms that are not this session's. */
export function requireVisitor(): MiddlewareHandler<ConsoleRoutes> {
  return async (context, next) => {
    const visitor = await visitorOf(context, Date.now());
    const { method } = context.req;
    if (!visitor) {
      if (method !== "GET") return context.text("Sign in first.", 401);
      const { pathname, search } = new URL(context.req.url);
      return context.redirect(`/login?return_to=${encodeURIComponent(pathname + search)}`, 303);
    }
    if (method !== "GET" && method !== "HEAD") {
      if (context.req.header("origin") !== context.env.EDGE_ORIGIN) return context.text("Foreign form.", 403);
      const form = await context.req.parseBody();
      if (form["form_token"] !== visitor.formToken) return context.text("This form is out of date.", 403);
    }
    context.set("visitor", visitor);
    return next();
  };
}
