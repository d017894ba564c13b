/** The console: sign-in, pages, and the forms on them. Works without script; scripts refresh lists and play recordings. */
import { Hono } from "hono";
import type { Bundle } from "../../policies/task.ts";
import { unavailable } from "../identity/http.ts";
import { AccessPage, PoliciesPage } from "./access-pages.tsx";
import { LIVE, STYLE } from "./assets.ts";
import { auditPages } from "./audit-routes.tsx";
import { requestRoutes } from "./request-routes.tsx";
import { page } from "./respond.tsx";
import { type ConsoleRoutes, pageHeaders, requireVisitor } from "./session.ts";
import { sessionPages } from "./session-routes.tsx";
import { programs, signIn } from "./sign-in-routes.tsx";

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
  requestRoutes(app, bundle);
  sessionPages(app);
  auditPages(app);
  app.get("/", (context) =>
    page(context, <AccessPage visitor={context.get("visitor")} bundle={bundle} now={Date.now()} />),
  );
  app.get("/policies", (context) =>
    page(context, <PoliciesPage visitor={context.get("visitor")} bundle={bundle} />),
  );
  return app;
}
