/** What connectors and their administrators call. */
import { Hono } from "hono";
import * as v from "valibot";
import { tasksFor } from "../../policies/decide.ts";
import { CONNECTOR_SUBPROTOCOL } from "../../wire/tunnel.ts";
import { bundle, connectorNames, resourcesOf } from "../bundle.ts";
import type { Bindings } from "../env.ts";
import {
  CONNECTOR_HEADER,
  foreignOrigin,
  handshake,
  isUpgrade,
  offeredProtocols,
  TICKET_HEADER,
} from "../headers.ts";
import { type Caller, callerActor, problem, readJson, requireCaller } from "../identity/http.ts";
import { isRequestSession, readChannel, requestObjectName } from "../sessions/names.ts";
import { isSessionId } from "../sessions/ticket.ts";
import { authenticateConnector, connectorByName } from "./authenticate.ts";
import { connectorToken } from "./token.ts";

interface Routes {
  Bindings: Bindings;
  Variables: { caller: Caller };
}

const enrolSchema = v.strictObject({
  code: v.pipe(v.string(), v.minLength(16), v.maxLength(128)),
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  publicKey: v.record(v.string(), v.unknown()),
});
const enrolmentSchema = v.strictObject({ replace: v.optional(v.boolean(), false) });

const unknownConnector = {
  ...{ status: 404, code: "CONNECTOR_UNKNOWN", message: "no resource of the policies names this connector" },
  hint: "Name it in resources.yaml first.",
};
const notAdmin = { status: 403, code: "NOT_ENTITLED", message: "only administrators may do this", hint: "" };
const noUpgrade = {
  ...{
    status: 426,
    code: "UPGRADE_REQUIRED",
    message: `a WebSocket with the subprotocol ${CONNECTOR_SUBPROTOCOL}`,
  },
  hint: "",
};

export function connectorRoutes(): Hono<Routes> {
  const app = new Hono<Routes>();

  app.get("/connector/control", async (context) => {
    const request = context.req.raw;
    const foreign = foreignOrigin(request, context.env.EDGE_ORIGIN);
    if (foreign) return problem(foreign);
    if (!isConnectorUpgrade(request)) return problem(noUpgrade);
    const given = connectorToken(request);
    const connector = given && connectorByName(context.env, given.name);
    if (!given || !connector) {
      return problem({ ...unknownConnector, status: 401, message: "this connector is not enrolled" });
    }
    return connector.fetch(handshake(request, "/control", { authorization: `Bearer ${given.token}` }));
  });

  app.get("/connector/sessions/:sid", async (context) => {
    const request = context.req.raw;
    const foreign = foreignOrigin(request, context.env.EDGE_ORIGIN);
    if (foreign) return problem(foreign);
    if (!isConnectorUpgrade(request)) return problem(noUpgrade);
    const sid = context.req.param("sid");
    const verified = await authenticateConnector(request, context.env);
    if (!verified.ok) return problem(verified);
    const channel = readChannel(sid);
    if (channel === null ? !isSessionId(sid) : !isRequestSession(channel.session))
      return problem({ ...unknownConnector, code: "SESSION_UNKNOWN", message: "no such session" });
    const facts = {
      [CONNECTOR_HEADER]: verified.name,
      [TICKET_HEADER]: request.headers.get(TICKET_HEADER)?.slice(0, 1024) ?? "",
    };
    if (channel === null)
      return context.env.SESSIONS.getByName(sid).fetch(handshake(request, "/connector", facts));
    const requests = context.env.REQUESTS.getByName(requestObjectName(channel.session));
    return requests.fetch(handshake(request, `/connector/sessions/${sid}`, facts));
  });

  app.post("/connector/enroll", async (context) => {
    const body = await readJson(context.req.raw, enrolSchema, 8 * 1024);
    if (!body.ok) return problem(body);
    const { code, name, publicKey } = body.value;
    const connector = connectorByName(context.env, name);
    if (!connector) return problem(unknownConnector);
    const enrolled = await connector.enrol(code, publicKey);
    if (!enrolled.ok) return problem(enrolled);
    return context.json({ name, edge: context.env.EDGE_ORIGIN, thumbprint: enrolled.thumbprint }, 201);
  });

  app.get("/api/connectors", requireCaller() as never, async (context) => {
    const { identity, admin } = context.get("caller");
    const open = tasksFor(bundle, identity, Date.now()).filter((offer) => offer.may);
    const mine = new Set(open.map((offer) => offer.task.resource));
    const names = connectorNames().filter((name) => admin || resourcesOf(name).some((one) => mine.has(one)));
    const summaries = await Promise.all(
      names.map((name) => context.env.CONNECTORS.getByName(name).summary()),
    );
    return context.json({
      connectors: summaries.map(({ name, enrolled, online, connections, sessions }) => ({
        ...{ name, online, resources: resourcesOf(name).filter((one) => admin || mine.has(one)) },
        ...(admin ? { enrolled, connections, sessions } : {}),
      })),
    });
  });

  app.post("/api/connectors/:name/enrolment", requireCaller() as never, async (context) => {
    const caller = context.get("caller");
    if (!caller.admin) return problem(notAdmin);
    const body = await readJson(context.req.raw, enrolmentSchema, 1024);
    if (!body.ok) return problem(body);
    const connector = connectorByName(context.env, context.req.param("name"));
    if (!connector) return problem(unknownConnector);
    const opened = await connector.openEnrolment(callerActor(caller), body.value.replace);
    return opened.ok ? context.json({ code: opened.code, expires: opened.expires }, 201) : problem(opened);
  });

  /** Before a deployment: the connector finishes what runs, takes nothing new, and reconnects. */
  app.post("/api/connectors/:name/drain", requireCaller() as never, async (context) => {
    if (!context.get("caller").admin) return problem(notAdmin);
    const connector = connectorByName(context.env, context.req.param("name"));
    if (!connector) return problem(unknownConnector);
    await connector.drain();
    return context.body(null, 202);
  });

  app.delete("/api/connectors/:name", requireCaller() as never, async (context) => {
    const caller = context.get("caller");
    if (!caller.admin) return problem(notAdmin);
    const connector = connectorByName(context.env, context.req.param("name"));
    if (!connector || !(await connector.remove(callerActor(caller)))) return problem(unknownConnector);
    return context.body(null, 204);
  });

  return app;
}

function isConnectorUpgrade(request: Request): boolean {
  return isUpgrade(request) && offeredProtocols(request).includes(CONNECTOR_SUBPROTOCOL);
}
