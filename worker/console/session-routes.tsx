/** Sessions: the live list, and ending one. */
import type { Hono } from "hono";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { findSession, listSessions } from "../audit/store.ts";
import { sessionStub } from "../sessions/names.ts";
import { page } from "./respond.tsx";
import type { ConsoleRoutes } from "./session.ts";
import { SessionsPage } from "./session-pages.tsx";

export function sessionPages(app: Hono<ConsoleRoutes>): void {
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
    const stub = sessionStub(env, session.id) as unknown as {
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
}
