/** Sign-in through the provider, sign-out, and the confirmation of programs (loopback and device logins). */
import type { Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Identity } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { CONSOLE_COOKIE } from "../identity/authenticate.ts";
import { readBounded } from "../identity/fetch-json.ts";
import { findIssuer } from "../identity/issuers.ts";
import { createLogin, endLogin } from "../identity/logins.ts";
import { CLIENT_ID, formParameters, isLoopbackRedirect } from "../identity/oauth/answers.ts";
import { answerDevice, createCode, deviceWaits } from "../identity/oauth/login-grants.ts";
import { samlProvidersFrom } from "../identity/saml/providers.ts";
import { MAX_RESPONSE } from "../identity/saml/response.ts";
import { beginSaml, finishSaml, samlMetadata } from "../identity/saml/sign-in.ts";
import { userCodeFrom } from "../identity/secrets.ts";
import { beginSignIn, finishSignIn, safeReturn, signInIssuers } from "../identity/sign-in.ts";
import { MessagePage } from "./layout.tsx";
import { page } from "./respond.tsx";
import { COOKIE, type ConsoleRoutes, contentPolicy, FLOW_COOKIE, SAML_FLOW_COOKIE } from "./session.ts";
import { ConfirmPage, DevicePage, SignInPage } from "./sign-in-pages.tsx";

/** `/login`, `/login/callback`, `/logout`. */
export function signIn(app: Hono<ConsoleRoutes>): void {
  app.get("/login", async (context) => {
    const { env } = context;
    const issuers = signInIssuers(env);
    const saml = samlProvidersFrom(env);
    const returnTo = safeReturn(context.req.query("return_to"), env.EDGE_ORIGIN);
    const wanted = context.req.query("issuer");
    const only = wanted === undefined && issuers.length + saml.length === 1;
    const issuer = only ? (issuers[0] ?? null) : findIssuer(issuers, wanted);
    if (!issuer) {
      const link = (path: string, label: string, query: Record<string, string>) => ({
        label,
        href: `${path}?${new URLSearchParams({ ...query, return_to: returnTo })}`,
      });
      const links = [
        ...issuers.map((one) =>
          link("/login", one.label ?? new URL(one.issuer).host, { issuer: one.issuer }),
        ),
        ...saml.map((one) =>
          link("/login/saml", one.label ?? new URL(one.ssoUrl).host, { provider: one.entityId }),
        ),
      ];
      return only ? context.redirect(links[0]!.href, 303) : page(context, <SignInPage issuers={links} />);
    }
    const begun = await beginSignIn(env, issuer, returnTo, Date.now());
    if (!begun.ok) return page(context, <SignInPage issuers={[]} message={begun.message} />, 503);
    setCookie(context, FLOW_COOKIE, begun.value.binding, { ...COOKIE, maxAge: 600 });
    return context.redirect(begun.value.location, 303);
  });

  app.get("/login/callback", async (context) => {
    const { env } = context;
    const now = Date.now();
    const query = new URL(context.req.url).searchParams;
    const done = await finishSignIn(env, query, getCookie(context, FLOW_COOKIE) ?? null, now);
    deleteCookie(context, FLOW_COOKIE, COOKIE);
    if (!done.ok) {
      return page(context, <SignInPage issuers={AGAIN} message={done.message} />, 400);
    }
    return signedIn(context, done.value.identity, done.value.returnTo, now);
  });

  app.post("/logout", async (context) => {
    const { identity, login } = context.get("visitor");
    await endLogin(context.env.DB, { id: login }, Date.now());
    const event = {
      type: "auth.logout",
      severity: "info",
      actor: actorFrom(identity),
      data: { client: "console" },
    } as const;
    await recordEvents(context.env, [event]);
    deleteCookie(context, CONSOLE_COOKIE, COOKIE);
    return page(
      context,
      <SignInPage issuers={[{ label: "your provider", href: "/login" }]} message="You are signed out." />,
    );
  });
}

/** `/login/saml`: begun here, answered at `acs`; `metadata` is for the provider's administrator. */
export function samlSignIn(app: Hono<ConsoleRoutes>): void {
  app.get("/login/saml", async (context) => {
    const { env } = context;
    const wanted = context.req.query("provider");
    const provider = samlProvidersFrom(env).find((one) => one.entityId === wanted);
    const message = "There is no such provider.";
    if (!provider) return page(context, <SignInPage issuers={AGAIN} message={message} />, 404);
    const returnTo = safeReturn(context.req.query("return_to"), env.EDGE_ORIGIN);
    const { location, binding } = await beginSaml(env, provider, returnTo, Date.now());
    setCookie(context, SAML_FLOW_COOKIE, binding, { ...SAML_COOKIE, maxAge: 600 });
    return context.redirect(location, 303);
  });

  app.post("/login/saml/acs", async (context) => {
    const { env } = context;
    const now = Date.now();
    const form = await formParameters(context.req.raw, readBounded, 2 * MAX_RESPONSE);
    const binding = getCookie(context, SAML_FLOW_COOKIE) ?? null;
    deleteCookie(context, SAML_FLOW_COOKIE, SAML_COOKIE);
    const done = await finishSaml(env, form ?? new URLSearchParams(), binding, now);
    if (!done.ok) {
      const event = { type: "auth.refused", severity: "warn", reason: done.code } as const;
      if (done.code !== "LOGIN_STATE")
        await recordEvents(env, [{ ...event, data: { message: done.message } }]);
      return page(context, <SignInPage issuers={AGAIN} message={done.message} />, 400);
    }
    const { identity, returnTo, until } = done.value;
    return signedIn(context, identity, returnTo, now, until ?? undefined);
  });

  app.get("/login/saml/metadata", (context) =>
    samlProvidersFrom(context.env).length === 0
      ? context.text("No SAML provider is configured.", 404)
      : context.body(samlMetadata(context.env.EDGE_ORIGIN), 200, {
          "content-type": "application/samlmetadata+xml",
        }),
  );
}

const AGAIN = [{ label: "another try", href: "/login" }];
const SAML_COOKIE = { ...COOKIE, sameSite: "None" } as const;

/** Gives the browser its session. */
async function signedIn(
  context: Context<ConsoleRoutes>,
  identity: Identity,
  returnTo: string,
  now: number,
  until?: number,
): Promise<Response> {
  const { env } = context;
  // A new secret for each sign-in: a cookie that someone planted before is worth nothing after it.
  const { secret, login } = await createLogin(env.DB, "console", identity, "console", now, until);
  const data = { method: "browser", client: "console" } as const;
  await recordEvents(env, [{ type: "auth.login", severity: "info", actor: actorFrom(identity), data }]);
  const maxAge = Math.floor((login.expires - now) / 1000);
  setCookie(context, CONSOLE_COOKIE, secret, { ...COOKIE, maxAge });
  return context.redirect(returnTo, 303);
}

/** `wicket login`: the person confirms in the browser, on this machine (loopback) or another (device). */
export function programs(app: Hono<ConsoleRoutes>): void {
  const authorize = (
    query: Record<string, string | undefined>,
  ): { redirectUri: string; challenge: string; state: string } | string => {
    const { client_id, redirect_uri, response_type, code_challenge, code_challenge_method, state } = query;
    if (client_id !== CLIENT_ID) return "The program is not known here.";
    if (!redirect_uri || !isLoopbackRedirect(redirect_uri))
      return "The program does not listen on this machine.";
    if (response_type !== "code") return "Only authorization codes are given out.";
    if (code_challenge_method !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(code_challenge ?? "")) {
      return "The program did not send an S256 code challenge.";
    }
    return { redirectUri: redirect_uri, challenge: code_challenge!, state: state ?? "" };
  };

  app.get("/oauth2/authorize", (context) => {
    const visitor = context.get("visitor");
    const asked = authorize(context.req.query());
    if (typeof asked === "string")
      return page(context, <MessagePage visitor={visitor} title="Not possible" message={asked} />, 400);
    // The answer to the form leads to the program: without this the browser would block it.
    context.header("content-security-policy", contentPolicy(new URL(asked.redirectUri).origin));
    const fields = { ...context.req.query() };
    const words = `The program wicket on this computer asks to sign in as ${visitor.identity.name ?? visitor.identity.subject}. Say yes only if you have just run wicket login here.`;
    return page(
      context,
      <ConfirmPage
        visitor={visitor}
        title="Sign in a program"
        words={words}
        action="/oauth2/authorize"
        fields={fields}
      />,
    );
  });

  app.post("/oauth2/authorize", async (context) => {
    const { identity } = context.get("visitor");
    const form = (await context.req.parseBody()) as Record<string, string>;
    const asked = authorize(form);
    if (typeof asked === "string") return context.text(asked, 400);
    const target = new URL(asked.redirectUri);
    // RFC 9207: who answers.
    target.searchParams.set("iss", context.env.EDGE_ORIGIN);
    if (asked.state !== "") target.searchParams.set("state", asked.state);
    if (form["answer"] === "yes") {
      const facts = {
        client: CLIENT_ID,
        redirectUri: asked.redirectUri,
        challenge: asked.challenge,
        identity,
      };
      target.searchParams.set("code", await createCode(context.env, facts, Date.now()));
    } else target.searchParams.set("error", "access_denied");
    context.header("content-security-policy", contentPolicy(target.origin));
    return context.redirect(target.href, 303);
  });

  app.get("/device", async (context) => {
    const visitor = context.get("visitor");
    const typed = context.req.query("user_code");
    if (typed === undefined) return page(context, <DevicePage visitor={visitor} />);
    const code = userCodeFrom(typed);
    if (code === null || !(await deviceWaits(context.env, code, Date.now()))) {
      return page(context, <DevicePage visitor={visitor} message="No program waits under this code." />, 404);
    }
    const words = `A program that shows the code ${code} asks to sign in as ${visitor.identity.name ?? visitor.identity.subject}. Say yes only if you started it yourself and it shows this code.`;
    return page(
      context,
      <ConfirmPage
        visitor={visitor}
        title="Sign in a program"
        words={words}
        action="/device"
        fields={{ user_code: code }}
      />,
    );
  });

  app.post("/device", async (context) => {
    const visitor = context.get("visitor");
    const form = await context.req.parseBody();
    const code = userCodeFrom(String(form["user_code"] ?? ""));
    const yes = form["answer"] === "yes";
    const done =
      code !== null && (await answerDevice(context.env, code, yes ? visitor.identity : null, Date.now()));
    const message = !done
      ? "No program waits under this code any more."
      : yes
        ? "The program is signed in."
        : "The program was refused.";
    return page(
      context,
      <MessagePage visitor={visitor} title="Sign in a program" message={message} />,
      done ? 200 : 404,
    );
  });
}
