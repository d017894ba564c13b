/**
 * `/k8s/:resource/*` and `/http/:resource/*`: who asks, under which task and grant, and then into the session's own
 * object. Only bearer tokens count here, never cookies, and never a browser of another origin.
 */
import { findResource, findTask } from "../../policies/bundle.ts";
import { mayStart, tasksFor } from "../../policies/decide.ts";
import type { Bundle, ResourceType, Task } from "../../policies/task.ts";
import type { Grant } from "../grants/grant.ts";
import { type GrantsEnv, grantOwner, openGrant } from "../grants/open.ts";
import { authenticate, type IdentityEnv } from "../identity/authenticate.ts";
import { problem } from "./http.ts";
import { refusal } from "./kubernetes-refusal.ts";
import type { RequestObject } from "./request-object.ts";
import { CONTEXT_HEADER, type RequestContext, requestObjectOf } from "./request-run.ts";

/** What the door needs of the Worker's environment. */
export interface DoorEnv extends IdentityEnv, GrantsEnv {
  /** Objects of the class that extends `RequestSession`. */
  readonly REQUESTS: DurableObjectNamespace<RequestObject>;
}

interface Refusing {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | null;
  readonly rule?: string | null;
}

/** Serves a request to either door; null when the path is of neither. */
export async function serveDoor(
  request: Request,
  env: DoorEnv,
  bundle: Bundle,
  now: number,
): Promise<Response | null> {
  const url = new URL(request.url);
  const found = /^\/(k8s|http)\/([a-z][a-z0-9-]{0,62})(\/.*)?$/.exec(url.pathname);
  if (found === null) return null;
  const type: ResourceType = found[1] === "k8s" ? "kubernetes" : "http";
  const refuse = ({ status, code, message, hint = null, rule = null }: Refusing) =>
    type === "kubernetes"
      ? refusal(status, code, message, rule, hint)
      : problem(status, code, message, hint, rule);

  // H1: a page of another origin cannot add a bearer token by itself, but a stolen one should not help it either.
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== env.EDGE_ORIGIN) {
    return refuse({
      status: 403,
      code: "ORIGIN_FOREIGN",
      message: "this request comes from a page of another origin",
    });
  }
  if (request.headers.get("authorization") === null) {
    return refuse({
      status: 401,
      code: "TOKEN_MISSING",
      message: "a bearer token is required",
      hint: "run `wicket kubeconfig`",
    });
  }
  // As the token exchange names a resource of any type.
  const who = await authenticate(request, env, now, `${env.EDGE_ORIGIN}/db/${found[2]}`);
  if (!who.ok) return refuse(who);
  const { identity, credential } = who;
  const resource = findResource(bundle, found[2]!);
  if (resource === null || resource.type !== type) {
    return refuse({
      status: 404,
      code: "RESOURCE_UNKNOWN",
      message: `there is no ${type} resource ${JSON.stringify(found[2])}`,
    });
  }

  const carried = credential.grant === undefined ? null : await grantOf(env, credential.grant);
  const named =
    carried?.task ?? request.headers.get("wicket-task") ?? onlyTask(bundle, identity, resource.name, now);
  const task = named === null ? null : findTask(bundle, named);
  if (task === null || task.resource !== resource.name) {
    const message =
      named === null
        ? "name the task: several or none fit"
        : `there is no task ${JSON.stringify(named)} for ${resource.name}`;
    return refuse({
      status: named === null ? 400 : 404,
      code: "TASK_UNKNOWN",
      message,
      hint: "send Wicket-Task, or use an edge token",
    });
  }
  const asked =
    carried?.params ?? Object.fromEntries(new URLSearchParams(request.headers.get("wicket-params") ?? ""));
  const reason = carried === null ? request.headers.get("wicket-reason") : carried.reason;
  const start = mayStart(task, identity, { params: asked, reason, now });
  if (!start.ok) return refuse({ status: 403, ...start });
  const opened = await openGrant(env, {
    identity,
    task,
    params: start.params,
    reason,
    now,
    ...(credential.grant === undefined ? {} : { grant: credential.grant }),
    ...(credential.actor === undefined ? {} : { actor: credential.actor }),
  });
  if (!opened.ok) return refuse(opened);
  return await enterSession(request, env, {
    identity,
    task,
    params: start.params,
    reason,
    grant: opened.grant,
    path: found[3] ?? "/",
    now,
  });
}

/** Everything that was decided before. */
export interface Entering {
  readonly identity: RequestContext["identity"];
  readonly task: Task;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly grant: { readonly id: string; readonly expires: number };
  readonly path: string;
  readonly now: number;
}

/** Hands a request that may be served to its session. */
export async function enterSession(
  request: Request,
  env: Pick<DoorEnv, "REQUESTS" | "EDGE_ORIGIN">,
  entering: Entering,
): Promise<Response> {
  const { identity, task, grant } = entering;
  const session = requestObjectOf(grant.id);
  const context: RequestContext = {
    session,
    grant: grant.id,
    identity: { ...identity, claims: {} },
    task: task.name,
    taskDigest: task.digest,
    params: entering.params,
    reason: entering.reason,
    expires: grant.expires,
    path: entering.path,
    approvals: `${env.EDGE_ORIGIN}/requests/`,
  };
  const headers = new Headers(request.headers);
  // Neither the token nor a cookie goes further than this; our own headers are only what we set here.
  for (const name of [...headers.keys()]) {
    if (name === "authorization" || name === "cookie" || name.startsWith("wicket-")) headers.delete(name);
  }
  headers.set(CONTEXT_HEADER, encodeHeader(JSON.stringify(context)));
  const stub = env.REQUESTS.get(env.REQUESTS.idFromName(session));
  return await stub.fetch(new Request(request, { headers }));
}

/** JSON in ASCII: header values are bytes, and names of people are not. */
function encodeHeader(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

async function grantOf(
  env: GrantsEnv,
  id: string,
): Promise<Pick<Grant, "task" | "params" | "reason"> | null> {
  try {
    return ((await grantOwner(env, id)?.get(id)) as Grant | null | undefined) ?? null;
  } catch {
    return null;
  }
}

/** The one task of a resource that an identity may start: kubectl cannot name one. */
function onlyTask(
  bundle: Bundle,
  identity: RequestContext["identity"],
  resource: string,
  now: number,
): string | null {
  const fitting = tasksFor(bundle, identity, now).filter(
    ({ task, may }) => may && task.resource === resource,
  );
  return fitting.length === 1 ? fitting[0]!.task.name : null;
}
