/** The console: sign-in, pages, and the forms on them. Works without script; scripts refresh lists and play recordings. */
import { Hono } from "hono";
import type { Bundle } from "../../policies/task.ts";
import { listGrants } from "../grants/ledger.ts";
import { unavailable } from "../identity/http.ts";
import { AccessPage, PoliciesPage } from "./access-pages.tsx";
import { assetResponse } from "./assets.ts";
import { auditPages } from "./audit-routes.tsx";
import { connectorPages } from "./connector-routes.tsx";
import { recordingPages } from "./recording-routes.tsx";
import { requestRoutes } from "./request-routes.tsx";
import { page } from "./respond.tsx";
import { type ConsoleRoutes, pageHeaders, requireVisitor } from "./session.ts";
import { sessionPages } from "./session-routes.tsx";
import { programs, samlSignIn, signIn } from "./sign-in-routes.tsx";

const PAGES = [
  "/",
  "/requests",
  "/requests/*",
  "/sessions",
  "/sessions/*",
  "/recordings",
  "/recordings/:id",
  "/recordings/:id/segments",
  "/connectors",
  "/connectors/*",
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
  for (const path of [...PAGES, "/login", "/login/*", "/console/*", "/recordings/*"])
    app.use(path, pageHeaders());
  for (const path of PAGES) app.use(path, requireVisitor());
  app.get("/console/:file", (context) => {
    const found = assetResponse(context.req.param("file"), context.req.query("v"));
    return found ?? context.text("There is no such file.", 404);
  });
  signIn(app);
  samlSignIn(app);
  programs(app);
  requestRoutes(app, bundle);
  sessionPages(app);
  recordingPages(app, bundle);
  connectorPages(app, bundle);
  auditPages(app);
  app.get("/", async (context) => {
    const visitor = context.get("visitor");
    const { issuer, subject } = visitor.identity;
    const now = Date.now();
    const rows = await listGrants(context.env.DB, { issuer, subject, asked: true, limit: 100 }, now);
    const grants = rows.filter((row) => row.status === "active" || row.status === "pending");
    return page(context, <AccessPage {...{ visitor, bundle, grants, now }} edge={context.env.EDGE_ORIGIN} />);
  });
  app.get("/policies", (context) =>
    page(context, <PoliciesPage visitor={context.get("visitor")} bundle={bundle} />),
  );
  return app;
}
