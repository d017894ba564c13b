/** Sessions: the live list, and ending one. */
import type { Hono } from "hono";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { findSession, listSessions, type SessionRow } from "../audit/store.ts";
import { sessionStub } from "../sessions/names.ts";
import { page } from "./respond.tsx";
import type { ConsoleEnv, ConsoleRoutes } from "./session.ts";
import { SessionsPage } from "./session-pages.tsx";

/** Of the first so many sessions, those that run are asked for their counts. */
const COUNTED = 20;

/** The session with its counts as they are now; the list in D1 has those of half a minute ago. */
async function countNow(env: ConsoleEnv, row: SessionRow): Promise<SessionRow> {
  if (row.ended !== null) return row;
  const stub = sessionStub(env, row.id) as unknown as { summary(): Promise<Partial<SessionRow> | null> };
  const now = await stub.summary().catch(() => null);
  if (!now) return row;
  const { statements = row.statements, denied = row.denied, rows = row.rows } = now;
  return { ...row, statements, denied, rows };
}

export function sessionPages(app: Hono<ConsoleRoutes>): void {
  app.get("/sessions", async (context) => {
    const visitor = context.get("visitor");
    const { issuer, subject } = visitor.identity;
    const rows = await listSessions(context.env.DB, visitor.admin ? {} : { issuer, subject });
    const counted = await Promise.all(rows.map((row, i) => (i < COUNTED ? countNow(context.env, row) : row)));
    return page(context, <SessionsPage visitor={visitor} rows={counted} all={visitor.admin} />);
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
