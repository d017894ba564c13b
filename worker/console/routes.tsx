/** The console: sign-in, pages, and the forms on them. Works without script; a script only refreshes lists. */
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Bundle } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { findSession, listEvents, listSessions } from "../audit/store.ts";
import { askForGrant, decideOn, revokeGrant, viewGrant } from "../grants/ask.ts";
import type { GrantRefusal } from "../grants/grant.ts";
import { listGrants } from "../grants/ledger.ts";
import { durationMs } from "../grants/routes.ts";
import { CONSOLE_COOKIE } from "../identity/authenticate.ts";
import { unavailable } from "../identity/http.ts";
import { findIssuer } from "../identity/issuers.ts";
import { CONSOLE_LOGIN_MS, createLogin, endLogin } from "../identity/logins.ts";
import { CLIENT_ID, isLoopbackRedirect } from "../identity/oauth/answers.ts";
import { answerDevice, createCode, deviceWaits } from "../identity/oauth/login-grants.ts";
import { userCodeFrom } from "../identity/secrets.ts";
import { beginSignIn, finishSignIn, safeReturn, signInIssuers } from "../identity/sign-in.ts";
import { LIVE, STYLE } from "./assets.ts";
import {
  AccessPage,
  AuditPage,
  ConfirmPage,
  DevicePage,
  MessagePage,
  PoliciesPage,
  SessionsPage,
  SignInPage,
} from "./pages.tsx";
import { RequestPage, RequestsPage } from "./request-pages.tsx";
import {
  COOKIE,
  type ConsoleRoutes,
  contentPolicy,
  FLOW_COOKIE,
  pageHeaders,
  requireVisitor,
} from "./session.ts";

const PAGES = [
  "/",
  "/requests",
  "/requests/*",
  "/sessions",
  "/sessions/*",
  "/audit",
  "/policies",
  "/logout",
  "/oauth2/authorize",
  "/device",
];

/** The routes, over one policy bundle. */
export function consoleRoutes(bundle: Bundle): Hono<ConsoleRoutes> {
  const app = new Hono<ConsoleRoutes>();
  app.onError(unavailable);
  for (const path of [...PAGES, "/login", "/login/*", "/console/*"]) app.use(path, pageHeaders());
  for (const path of PAGES) app.use(path, requireVisitor());
  const kept = { "cache-control": "public, max-age=300" };
  app.get("/console/style.css", (context) =>
    context.body(STYLE, 200, { ...kept, "content-type": "text/css; charset=utf-8" }),
  );
  app.get("/console/live.js", (context) =>
    context.body(LIVE, 200, { ...kept, "content-type": "text/javascript; charset=utf-8" }),
  );
  signIn(app);
  programs(app);
  requests(app, bundle);
  lists(app, bundle);
  return app;
}

/** A whole page, with the declaration that keeps browsers in standards mode. */
function page(
  context: Context<ConsoleRoutes>,
  node: unknown,
  status: ContentfulStatusCode = 200,
): Response | Promise<Response> {
  return context.html(`<!DOCTYPE html>${String(node)}`, status);
}

function signIn(app: Hono<ConsoleRoutes>): void {
  app.get("/login", async (context) => {
    const { env } = context;
    const issuers = signInIssuers(env);
    const returnTo = safeReturn(context.req.query("return_to"), env.EDGE_ORIGIN);
    const wanted = context.req.query("issuer");
    const issuer = wanted === undefined && issuers.length === 1 ? issuers[0]! : findIssuer(issuers, wanted);
    if (!issuer) {
      const links = issuers.map((one) => ({
        label: one.label ?? new URL(one.issuer).host,
        href: `/login?${new URLSearchParams({ issuer: one.issuer, return_to: returnTo })}`,
      }));
      return page(context, <SignInPage issuers={links} />);
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
      const again = [{ label: "another try", href: "/login" }];
      return page(context, <SignInPage issuers={again} message={done.message} />, 400);
    }
    const { identity, returnTo } = done.value;
    // A new secret for each sign-in: a cookie that someone planted before is worth nothing after it.
    const { secret } = await createLogin(env.DB, "console", identity, "console", now);
    const data = { method: "browser", client: "console" } as const;
    await recordEvents(env, [{ type: "auth.login", severity: "info", actor: actorFrom(identity), data }]);
    setCookie(context, CONSOLE_COOKIE, secret, { ...COOKIE, maxAge: CONSOLE_LOGIN_MS / 1000 });
    return context.redirect(returnTo, 303);
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

/** `wicket login`: the person confirms in the browser, on this machine (loopback) or another (device). */
function programs(app: Hono<ConsoleRoutes>): void {
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

function requests(app: Hono<ConsoleRoutes>, bundle: Bundle): void {
  const refused = (
    context: Context<ConsoleRoutes>,
    refusal: Pick<GrantRefusal, "status" | "code" | "message" | "hint">,
  ) =>
    page(
      context,
      <MessagePage
        visitor={context.get("visitor")}
        title="Not done"
        message={`${refusal.message} (${refusal.code}). ${refusal.hint}`}
      />,
      refusal.status,
    );

  app.get("/requests", async (context) => {
    const visitor = context.get("visitor");
    const { identity } = visitor;
    const now = Date.now();
    const rows = await listGrants(context.env.DB, { asked: true, visibleTo: identity, limit: 200 }, now);
    const isMine = (row: { issuer: string; subject: string }): boolean =>
      row.issuer === identity.issuer && row.subject === identity.subject;
    const open = rows.filter((row) => row.status === "pending" || row.status === "active");
    const inbox = open.filter((row) => row.status === "pending" && !isMine(row));
    const mine = open.filter(isMine);
    const past = rows.filter((row) => !inbox.includes(row) && !mine.includes(row));
    return page(context, <RequestsPage visitor={visitor} inbox={inbox} mine={mine} past={past} />);
  });

  app.post("/requests", async (context) => {
    const { identity } = context.get("visitor");
    const form = (await context.req.parseBody()) as Record<string, string>;
    const params = Object.entries(form).filter(([name]) => name.startsWith("param."));
    const duration = form["duration"]?.trim() ?? "";
    const ms = duration === "" ? null : durationMs(duration);
    if (duration !== "" && ms === null) {
      return refused(context, {
        status: 400,
        code: "DURATION_INVALID",
        message: "The duration is not a time",
        hint: "Write 15m or 1h.",
      });
    }
    const asked = {
      ...{
        identity,
        actor: null,
        task: form["task"] ?? "",
        description: null,
        durationMs: ms,
        sessions: null,
      },
      params: Object.fromEntries(params.map(([name, value]) => [name.slice("param.".length), String(value)])),
      reason: form["reason"] || null,
    };
    const result = await askForGrant(context.env, bundle, asked, Date.now());
    return result.ok ? context.redirect(`/requests/${result.grant.id}`, 303) : refused(context, result);
  });

  app.get("/requests/:id", async (context) => {
    const visitor = context.get("visitor");
    const view = await viewGrant(context.env, context.req.param("id"), visitor.identity, visitor.admin);
    if (!view) {
      return page(
        context,
        <MessagePage
          visitor={visitor}
          title="Not found"
          message="There is no such request, or it is not yours to see."
        />,
        404,
      );
    }
    const task = Object.hasOwn(bundle.tasks, view.grant.task) ? bundle.tasks[view.grant.task]! : null;
    // What is shown must be what was asked for: another version of the task is no basis for a decision.
    return page(
      context,
      <RequestPage
        visitor={visitor}
        view={view}
        task={task?.digest === view.grant.taskDigest ? task : null}
      />,
    );
  });

  app.post("/requests/:id/:verb{approve|deny|revoke}", async (context) => {
    const { identity, admin } = context.get("visitor");
    const { id, verb } = context.req.param();
    const form = (await context.req.parseBody()) as Record<string, string>;
    const comment = form["comment"] || null;
    if (verb === "approve") {
      const view = await viewGrant(context.env, id, identity, admin);
      const shown = view?.grant.statement?.digest ?? view?.grant.taskDigest;
      if (shown === undefined || form["seen"] !== shown) {
        return refused(context, {
          status: 409,
          code: "APPROVAL_MISMATCH",
          message: "The request is not what you were shown",
          hint: "Open it again.",
        });
      }
    }
    const result =
      verb === "revoke"
        ? await revokeGrant(context.env, id, { identity, admin }, comment ?? "revoked")
        : await decideOn(
            context.env,
            id,
            { identity, via: null },
            verb as "approve" | "deny",
            comment,
            Date.now(),
          );
    return result.ok ? context.redirect(`/requests/${id}`, 303) : refused(context, result);
  });
}

function lists(app: Hono<ConsoleRoutes>, bundle: Bundle): void {
  app.get("/", (context) =>
    page(context, <AccessPage visitor={context.get("visitor")} bundle={bundle} now={Date.now()} />),
  );
  app.get("/policies", (context) =>
    page(context, <PoliciesPage visitor={context.get("visitor")} bundle={bundle} />),
  );

  app.get("/sessions", async (context) => {
    const visitor = context.get("visitor");
    const { issuer, subject } = visitor.identity;
    const rows = await listSessions(context.env.DB, visitor.admin ? {} : { issuer, subject });
    return page(context, <SessionsPage visitor={visitor} rows={rows} all={visitor.admin} />);
  });

  app.post("/sessions/:id/kill", async (context) => {
    const { identity, admin } = context.get("visitor");
    const { env } = context;
    const session = await findSession(env.DB, context.req.param("id"));
    const own = session?.issuer === identity.issuer && session.subject === identity.subject;
    if (!session || (!own && !admin)) return context.text("There is no such session.", 404);
    const message = own ? "ended in the console" : "ended by an administrator";
    const stub = env.SESSIONS.get(env.SESSIONS.idFromName(session.id)) as unknown as {
      kill(code: string, message: string): Promise<unknown>;
    };
    await stub.kill("SESSION_KILLED", message);
    const facts = {
      session: session.id,
      grant: session.grant,
      task: session.task,
      resource: session.resource,
    };
    await recordEvents(env, [
      {
        type: "session.killed",
        severity: "warn",
        actor: actorFrom(identity),
        ...facts,
        reason: "SESSION_KILLED",
        data: { message },
      },
    ]);
    return context.redirect("/sessions", 303);
  });

  app.get("/audit", async (context) => {
    const visitor = context.get("visitor");
    const query = Object.fromEntries(
      ["text", "type", "task", "resource", "session", "grant", "before"]
        .map((name) => [name, context.req.query(name)?.slice(0, 256) ?? ""])
        .filter(([, value]) => value !== ""),
    ) as Record<string, string>;
    const { issuer, subject } = visitor.identity;
    const events = await listEvents(context.env.DB, {
      ...query,
      ...(visitor.admin ? {} : { issuer, subject }),
    });
    return page(context, <AuditPage visitor={visitor} events={events} query={query} />);
  });
}
