/** The edge: routes to rooms, and nothing else. */
import { Hono } from "hono";
import { tasksFor } from "../policies/decide.ts";
import { bundle } from "./bundle.ts";
import { connectorRoutes } from "./connectors/routes.ts";
import { consoleRoutes } from "./console/routes.tsx";
import { type Bindings, bindingsFrom, MisconfiguredError } from "./env.ts";
import { openPostgres } from "./gateway/postgres.ts";
import { serveDoor } from "./gateway/request-door.ts";
import { notePoliciesOnce } from "./grants/policy-change.ts";
import { grantRoutes } from "./grants/routes.ts";
import { slackRoutes } from "./grants/slack-routes.ts";
import { ambiguousPath, shieldAnswer } from "./headers.ts";
import { type Caller, problem, requireCaller } from "./identity/http.ts";
import { issuersFrom } from "./identity/issuers.ts";
import { identityRoutes } from "./identity/routes.ts";
import { mayReadEntries } from "./log/readers.ts";
import { logRoutes } from "./log/routes.ts";
import { recordingRoutes } from "./recordings/routes.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { VERSION } from "./version.ts";

export { ConnectorObject } from "./connectors/object.ts";
export { RequestObject } from "./gateway/request-object.ts";
export { GrantObject } from "./grants/object.ts";
export { LogObject } from "./log/sequencer.ts";
export { SessionObject } from "./sessions/object.ts";

interface Routes {
  Bindings: Bindings;
  Variables: { caller: Caller };
}

const app = new Hono<Routes>();

app.get("/healthz", (context) => context.json({ status: "ok", version: VERSION }));

app.get("/.well-known/wicketgate", (context) => {
  const { env } = context;
  return context.json({
    name: "wicketgate",
    version: VERSION,
    issuers: issuersFrom(env.ISSUERS).map(({ issuer, audiences }) => ({ issuer, audiences })),
    ...(env.DEMO_LOGIN === null ? {} : { demo_login: env.DEMO_LOGIN }),
    ...(env.HTTPS === null ? {} : { https: env.HTTPS }),
  });
});

app.get("/db/:resource", (context) => {
  const later = (work: Promise<unknown>): void => context.executionCtx.waitUntil(work);
  return openPostgres(context.req.raw, context.req.param("resource"), context.env, later);
});

app.get("/api/whoami", requireCaller() as never, (context) => {
  const { identity, credential, admin } = context.get("caller");
  const { issuer, subject, name, groups, expires } = identity;
  const { kind, actor } = credential;
  return context.json({
    issuer,
    subject,
    name,
    groups,
    expires,
    admin,
    credential: kind,
    ...(actor ? { actor } : {}),
  });
});

app.get("/api/tasks", requireCaller() as never, (context) => {
  const offers = tasksFor(bundle, context.get("caller").identity, Date.now());
  return context.json({
    policies: bundle.digest,
    tasks: offers.map(({ task, may, why, needsApproval }) => ({
      ...{ name: task.name, description: task.description, owner: task.owner, digest: task.digest },
      ...{
        resource: task.resource,
        type: task.resourceType,
        params: task.params,
        reason: task.require.reason,
      },
      ...{ ttl: task.session.ttlMs / 1000, limits: task.limits, at: task.at },
      ...{ may, why, needsApproval },
    })),
  });
});

app.route("/", connectorRoutes() as never);
app.route("/", sessionRoutes() as never);
app.route("/", recordingRoutes() as never);
app.route("/log", logRoutes<Bindings>(mayReadEntries) as never);
app.route("/", identityRoutes(bundle) as never);
app.route("/", grantRoutes(bundle) as never);
app.route("/", slackRoutes(bundle) as never);
app.route("/", consoleRoutes(bundle) as never);

for (const door of ["/k8s/:resource", "/k8s/:resource/*", "/http/:resource", "/http/:resource/*"]) {
  app.all(door, async (context) => {
    const { req, env } = context;
    return (await serveDoor(req.raw, env, bundle, Date.now())) ?? context.notFound();
  });
}

app.notFound(() => problem({ status: 404, code: "NOT_FOUND", message: "there is nothing here", hint: "" }));

app.onError((error) => {
  console.error("request failed", error);
  return problem({
    status: 500,
    code: "INTERNAL_ERROR",
    message: "the request failed at the edge",
    hint: "",
  });
});

export default {
  async fetch(request, env, context): Promise<Response> {
    let bindings: Bindings;
    try {
      bindings = bindingsFrom(env);
    } catch (error) {
      if (!(error instanceof MisconfiguredError)) throw error;
      console.error("misconfigured", error.message);
      return problem({ status: 503, code: "MISCONFIGURED", message: error.message, hint: "" });
    }
    context.waitUntil(notePoliciesOnce(bindings as never, bundle, Date.now()));
    const odd = ambiguousPath(request.url);
    const answer = odd ? problem(odd) : await app.fetch(request, bindings, context);
    return shieldAnswer(answer, bindings.EDGE_ORIGIN);
  },
} satisfies ExportedHandler<object>;
