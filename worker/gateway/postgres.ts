/**
 * The Postgres door: `GET /db/<resource>` as a WebSocket. Everything is decided before the upgrade (who, which
 * task, which parameters, under which grant, whether the connector is there), so that a refusal is an HTTP answer
 * that says why; then the socket goes to a fresh session object and no code of the Worker runs a frame.
 */
import { mayStart, type StartRefusal } from "../../policies/decide.ts";
import type { Task } from "../../policies/task.ts";
import type { NewEvent } from "../audit/events.ts";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { findResource, findTask } from "../bundle.ts";
import type { Bindings } from "../env.ts";
import { openGrant } from "../grants/open.ts";
import { clientOf, foreignOrigin, handshake, isUpgrade } from "../headers.ts";
import { authenticate } from "../identity/authenticate.ts";
import { type Problem, problem, recordRefusedToken } from "../identity/http.ts";
import { newSessionId } from "../sessions/ticket.ts";
import { paramsFrom } from "./params.ts";

/** What of a refused request is known for the audit log. */
type Known = Omit<Partial<NewEvent>, "type" | "severity" | "data">;

/** Answers `GET /db/<resource>`: an upgrade, or the refusal. */
export async function openPostgres(
  request: Request,
  resourceName: string,
  env: Bindings,
  later: (work: Promise<unknown>) => void,
): Promise<Response> {
  const known: { facts: Known } = { facts: {} };
  const result = await enter(request, resourceName, env, known);
  if (result instanceof Response) return result;
  const { code: reason, message, rule } = result;
  if (!known.facts.actor) {
    // Nobody knows who this is: such events are bounded in number.
    if (result.status !== 426) recordRefusedToken(env, request, reason, message);
    return problem(result, env.EDGE_ORIGIN);
  }
  const facts = { ...known.facts, ...(rule ? { rule } : {}), client: clientOf(request), reason };
  const event = { ...facts, type: "session.refused", severity: "warn", data: { message } } as NewEvent;
  later(recordEvents(env, [event]).catch((error: unknown) => console.error("audit", error)));
  return problem(result);
}

async function enter(
  request: Request,
  resourceName: string,
  env: Bindings,
  known: { facts: Known },
): Promise<Response | Problem> {
  const foreign = foreignOrigin(request, env.EDGE_ORIGIN);
  if (foreign) return foreign;
  if (!isUpgrade(request)) {
    return no(426, "UPGRADE_REQUIRED", "this door speaks Postgres over a WebSocket", "Use `wicket connect`.");
  }
  const now = Date.now();
  const who = await authenticate(request, env, now);
  if (!who.ok) return who;
  const { identity, credential } = who;
  known.facts = { actor: actorFrom(identity, credential.actor), resource: resourceName.slice(0, 128) };
  const found = findAsked(request, resourceName);
  if (!("task" in found)) return found;
  const { task, connector } = found;
  known.facts = { ...known.facts, task: task.name, taskDigest: task.digest };
  const params = paramsFrom(request.headers.get("wicket-params"));
  if (!params.ok) return no(400, "PARAMS_MALFORMED", params.message, "Wicket-Params: name=value&other=value");
  const reason = request.headers.get("wicket-reason");
  const may = mayStart(task, identity, { params: params.params, reason, now });
  if (!may.ok) return { ...may, status: may.code.startsWith("PARAM_") ? 400 : statusOf(may) };
  const opened = await openGrant(env, {
    ...{ identity, task, params: may.params, reason, now },
    ...(credential.grant === undefined ? {} : { grant: credential.grant }),
    ...(credential.actor ? { actor: credential.actor } : {}),
  });
  if (!opened.ok) return opened;
  const sid = newSessionId();
  known.facts = { ...known.facts, grant: opened.grant.id, session: sid };
  const session = env.SESSIONS.getByName(sid);
  const ready = await session.open({
    ...{ sid, grant: opened.grant.id, actor: actorFrom(identity, credential.actor) },
    ...{ task: task.name, taskDigest: task.digest, params: { ...may.params }, reason, connector },
    client: clientOf(request),
  });
  if (!ready.ok) return ready;
  return session.fetch(handshake(request, "/client", {}));
}

/** The task and its resource, as asked for. */
function findAsked(request: Request, resourceName: string): { task: Task; connector: string } | Problem {
  const resource = findResource(resourceName);
  if (!resource)
    return no(404, "RESOURCE_UNKNOWN", "there is no such resource", "`wicket tasks` lists them.");
  const name = request.headers.get("wicket-task");
  if (!name) {
    return no(400, "TASK_MISSING", "name the task that you are here for", "Wicket-Task: <task>, or --task.");
  }
  const task = findTask(name);
  if (!task) return no(404, "TASK_UNKNOWN", "there is no such task", "`wicket tasks` lists them.");
  if (task.resource !== resource.name || task.resourceType !== "postgres" || resource.type !== "postgres") {
    return {
      ...no(
        404,
        "TASK_RESOURCE",
        `the task ${task.name} is not for this database`,
        "`wicket tasks` lists them.",
      ),
      rule: task.at,
    };
  }
  return { task, connector: resource.connector };
}

function statusOf(refusal: StartRefusal): number {
  return refusal.code === "REASON_REQUIRED" ? 400 : 403;
}

function no(status: number, code: string, message: string, hint: string): Problem {
  return { status, code, message, hint };
}
