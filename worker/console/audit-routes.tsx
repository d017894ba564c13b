/** The search of the audit log. */
import type { Hono } from "hono";
import { listEvents } from "../audit/store.ts";
import { AuditPage } from "./audit-page.tsx";
import { page } from "./respond.tsx";
import type { ConsoleRoutes } from "./session.ts";
import { timeFrom } from "./time.ts";

export function auditPages(app: Hono<ConsoleRoutes>): void {
  app.get("/audit", async (context) => {
    const visitor = context.get("visitor");
    const query = Object.fromEntries(
      ["text", "type", "task", "resource", "session", "grant", "since", "until", "before"]
        .map((name) => [name, context.req.query(name)?.slice(0, 256) ?? ""])
        .filter(([, value]) => value !== ""),
    ) as Record<string, string>;
    const { issuer, subject } = visitor.identity;
    const { since, until, ...fields } = query;
    const [from, to] = [timeFrom(since), timeFrom(until)];
    const events = await listEvents(context.env.DB, {
      ...fields,
      ...{ ...(from === null ? {} : { since: from }), ...(to === null ? {} : { until: to }) },
      ...(visitor.admin ? {} : { issuer, subject }),
    });
    return page(context, <AuditPage visitor={visitor} events={events} query={query} />);
  });
}
