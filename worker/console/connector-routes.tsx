/** Connectors: who is there, and what administrators do with them. */
import type { Hono } from "hono";
import { tasksFor } from "../../policies/decide.ts";
import type { Bundle } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import type { ConnectorObject } from "../connectors/object.ts";
import { ConnectorsPage, EnrolmentPage } from "./connector-page.tsx";
import { notFound, page, refused } from "./respond.tsx";
import type { ConsoleEnv, ConsoleRoutes, Visitor } from "./session.ts";

type ConnectorEnv = ConsoleEnv & { readonly CONNECTORS: DurableObjectNamespace<ConnectorObject> };

export function connectorPages(app: Hono<ConsoleRoutes>, bundle: Bundle): void {
  app.get("/connectors", async (context) => {
    const visitor = context.get("visitor");
    const { CONNECTORS } = context.env as ConnectorEnv;
    const mine = resourcesOf(bundle, visitor);
    const names = [...new Set(mine.map((resource) => resource.connector))].sort();
    const connectors = await Promise.all(names.map((name) => CONNECTORS.getByName(name).summary()));
    return page(context, <ConnectorsPage visitor={visitor} connectors={connectors} resources={mine} />);
  });

  app.post("/connectors/:name/:verb{drain|remove|enrol}", async (context) => {
    const visitor = context.get("visitor");
    const { name, verb } = context.req.param();
    const known = Object.values(bundle.resources).some((resource) => resource.connector === name);
    if (!known) return notFound(context, "No resource of the policies names this connector.");
    if (!visitor.admin) {
      const message = "Only administrators may do this";
      return refused(context, { status: 403, code: "NOT_ENTITLED", message, hint: "" });
    }
    const connector = (context.env as ConnectorEnv).CONNECTORS.getByName(name);
    if (verb === "enrol") {
      const form = await context.req.parseBody();
      const opened = await connector.openEnrolment(actorFrom(visitor.identity), form["replace"] === "yes");
      if (!opened.ok) return refused(context, opened as Parameters<typeof refused>[1]);
      const { code, expires } = opened;
      return page(
        context,
        <EnrolmentPage {...{ visitor, name, code, expires }} edge={context.env.EDGE_ORIGIN} />,
      );
    }
    if (verb === "drain") await connector.drain();
    else await connector.remove(actorFrom(visitor.identity));
    return context.redirect("/connectors", 303);
  });
}

/** Resources that the visitor may see: of their tasks, or all for administrators. */
function resourcesOf(bundle: Bundle, visitor: Visitor) {
  const open = tasksFor(bundle, visitor.identity, Date.now()).filter((offer) => offer.may);
  const mine = new Set(open.map((offer) => offer.task.resource));
  return Object.values(bundle.resources).filter((resource) => visitor.admin || mine.has(resource.name));
}
