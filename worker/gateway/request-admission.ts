/**
 * Whether a request may enter: who asks, under which task and grant. A program asks many times a second with the same
 * token, so what was found is believed for a second. Revoked grants do not wait for that: their sessions end at once,
 * and the session's object asks the grant's owner before it begins another.
 */
import { findResource, findTask } from "../../policies/bundle.ts";
import { mayStart, tasksFor } from "../../policies/decide.ts";
import type { Bundle, ResourceType, Task } from "../../policies/task.ts";
import { digestOf } from "../../wire/recording.ts";
import type { Grant } from "../grants/grant.ts";
import { type GrantsEnv, grantOwner, openGrant } from "../grants/open.ts";
import { authenticate, type IdentityEnv } from "../identity/authenticate.ts";
import type { RequestObject } from "./request-object.ts";
import type { RequestContext } from "./request-run.ts";

/** What the door needs of the Worker's environment. */
export interface DoorEnv extends IdentityEnv, GrantsEnv {
  /** Objects of the class that extends `RequestSession`. */
  readonly REQUESTS: DurableObjectNamespace<RequestObject>;
}

export interface Refusing {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | null;
  readonly rule?: string | null;
}

/** What was decided of a request before its own content is looked at. */
export interface Admitted {
  readonly identity: RequestContext["identity"];
  readonly task: Task;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly grant: { readonly id: string; readonly expires: number };
}

export type Admission =
  | { readonly ok: true; readonly admitted: Admitted }
  | { readonly ok: false; readonly refusal: Refusing };

/** How long an admission is believed, milliseconds. */
const BELIEVED_MS = 1000;
/** Most admissions that are remembered. */
const MAX_REMEMBERED = 1000;
/** By what was asked with, in the order of asking. */
const remembered = new Map<string, { readonly admitted: Admitted; readonly until: number }>();

/** Decides for the resource of that name and type. */
export async function admit(
  request: Request,
  env: DoorEnv,
  bundle: Bundle,
  now: number,
  resource: { readonly name: string; readonly type: ResourceType },
): Promise<Admission> {
  const key = keyOf(request, bundle, resource);
  const known = key === null ? undefined : remembered.get(key);
  if (known !== undefined && now < known.until) return { ok: true, admitted: known.admitted };
  const admission = await decide(request, env, bundle, now, resource);
  if (key === null || !admission.ok) return admission;
  const { identity, grant } = admission.admitted;
  remembered.delete(key);
  if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!);
  const until = Math.min(now + BELIEVED_MS, identity.expires, grant.expires);
  remembered.set(key, { admitted: admission.admitted, until });
  return admission;
}

/** Everything of a request that an admission depends on; null: it is decided each time. */
function keyOf(
  request: Request,
  bundle: Bundle,
  { name, type }: { name: string; type: string },
): string | null {
  const { headers } = request;
  if (headers.get("cookie") !== null) return null;
  const asked = ["authorization", "wicket-task", "wicket-params", "wicket-reason"].map((one) =>
    headers.get(one),
  );
  return digestOf(new TextEncoder().encode(JSON.stringify([bundle.digest, type, name, ...asked])));
}

async function decide(
  request: Request,
  env: DoorEnv,
  bundle: Bundle,
  now: number,
  { name, type }: { readonly name: string; readonly type: ResourceType },
): Promise<Admission> {
  const refuse = (refusal: Refusing): Admission => ({ ok: false, refusal });
  // As the token exchange names a resource of any type.
  const who = await authenticate(request, env, now, `${env.EDGE_ORIGIN}/db/${name}`);
  if (!who.ok) return refuse(who);
  const { identity, credential } = who;
  if (findResource(bundle, name)?.type !== type) {
    return refuse({
      status: 404,
      code: "RESOURCE_UNKNOWN",
      message: `there is no ${type} resource ${JSON.stringify(name)}`,
    });
  }

  const carried = credential.grant === undefined ? null : await grantOf(env, credential.grant);
  const named = carried?.task ?? request.headers.get("wicket-task") ?? onlyTask(bundle, identity, name, now);
  const task = named === null ? null : findTask(bundle, named);
  if (task === null || task.resource !== name) {
    const message =
      named === null
        ? "name the task: several or none fit"
        : `there is no task ${JSON.stringify(named)} for ${name}`;
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
  return { ok: true, admitted: { identity, task, params: start.params, reason, grant: opened.grant } };
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
