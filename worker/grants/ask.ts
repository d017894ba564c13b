/** Asking for a grant and deciding on it: what the API, the OAuth endpoints and the console have in common. */
import { mayStart } from "../../policies/decide.ts";
import type { Bundle, Identity, Task } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import { personOf, rememberPerson, standingOf } from "../identity/people.ts";
import { askFor } from "./frozen-ask.ts";
import { type Grant, type GrantRefusal, type GrantResult, refuse } from "./grant.ts";
import type { GrantView } from "./object.ts";
import { type GrantsEnv, grantOwner } from "./open.ts";
import { slotOf } from "./slot.ts";

export interface Asked {
  readonly identity: Identity;
  readonly actor: Identity | null;
  readonly task: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly description: string | null;
  /** Milliseconds; null = as long as the task allows. */
  readonly durationMs: number | null;
  readonly sessions: number | null;
  /** Without waiting for approval, where the task allows that. */
  readonly emergency?: boolean;
}

/** A refusal of the policy or of the grant's owner. */
export type AskRefusal = GrantRefusal;

/**
 * Asks for a grant. Whoever acts for the identity must be allowed the task as well: the rights of both are
 * intersected, never added.
 */
export async function askForGrant(
  env: GrantsEnv,
  bundle: Bundle,
  asked: Asked,
  now: number,
  reuse = false,
): Promise<GrantResult> {
  const task = Object.hasOwn(bundle.tasks, asked.task) ? bundle.tasks[asked.task] : undefined;
  if (!task) {
    return {
      ...refuse(404, "TASK_UNKNOWN", "there is no such task"),
      hint: "`wicket tasks` lists them.",
    };
  }
  const wanted = { params: asked.params, reason: asked.reason, now };
  const may = mayStart(task, asked.identity, wanted);
  if (!may.ok) return { ...may, status: may.code.startsWith("PARAM_") ? 400 : 403 };
  if (asked.actor) {
    const actorMay = mayStart(task, asked.actor, wanted);
    if (!actorMay.ok) return { ...actorMay, status: 403, message: `who acts for you: ${actorMay.message}` };
  }
  const frozen = askFor(task, {
    kind: "request",
    requester: personOf(asked.identity),
    actor: asked.actor && { issuer: asked.actor.issuer, subject: asked.actor.subject },
    params: may.params,
    reason: asked.reason,
    description: asked.description,
    durationMs: asked.durationMs,
    sessions: asked.sessions,
    emergency: asked.emergency ?? false,
  });
  if (!frozen.ok) return frozen;
  await rememberPerson(env.DB, asked.identity, now);
  const people = [asked.identity, ...(asked.actor ? [asked.actor] : [])];
  if ((await standingOf(env.DB, people)).some((one) => one.disabled)) {
    return refuse(403, "IDENTITY_DISABLED", "this identity is disabled");
  }
  if (frozen.ask.emergency) {
    const over = await takeEmergency(env, task, asked.identity);
    if (over) return over;
  }
  const slot = await slotOf(frozen.ask);
  return (await env.GRANTS.get(env.GRANTS.idFromName(slot)).request(slot, frozen.ask, reuse)) as GrantResult;
}

const DAY_MS = 24 * 3_600_000;

/** Counts an emergency of this person under this task; the refusal when there were too many. */
async function takeEmergency(env: GrantsEnv, task: Task, identity: Identity): Promise<GrantRefusal | null> {
  const { issuer, subject } = identity;
  const name = `emergency:${JSON.stringify([issuer, subject, task.name])}`;
  const quota = task.approval!.emergency!.quota;
  const taken = await env.GRANTS.get(env.GRANTS.idFromName(name)).takeEmergency(quota, DAY_MS);
  if (taken.ok) return null;
  const message = `the task allows ${quota} ${quota === 1 ? "emergency" : "emergencies"} of a person in 24 hours`;
  await recordEvents(env, [
    {
      ...{ type: "grant.refused", severity: "alarm", actor: actorFrom(identity), task: task.name },
      ...{ taskDigest: task.digest, resource: task.resource, reason: "EMERGENCY_QUOTA", data: { message } },
    },
  ]);
  const hint = "Ask for it without --emergency.";
  return { ...refuse(403, "EMERGENCY_QUOTA", message), hint, rule: task.refs.approval };
}

/** Approves or denies a request in the name of `identity`. `via` = who acts for them: refused. */
export async function decideOn(
  env: GrantsEnv,
  id: string,
  by: { readonly identity: Identity; readonly via: { issuer: string; subject: string } | null },
  verdict: "approve" | "deny" | "review",
  comment: string | null,
  now: number,
): Promise<GrantResult> {
  const owner = grantOwner(env, id);
  if (!owner) return refuse(404, "GRANT_UNKNOWN", "there is no such grant or request");
  if (comment !== null && comment.length > 1000)
    return refuse(400, "COMMENT_TOO_LONG", "a comment has at most 1000 characters");
  await rememberPerson(env.DB, by.identity, now);
  const person = personOf(by.identity);
  const via = by.via && { issuer: by.via.issuer, subject: by.via.subject };
  return (await owner.decide(id, { person, via }, verdict, comment)) as GrantResult;
}

/** Revokes a grant or withdraws a request in the name of `identity`. */
export async function revokeGrant(
  env: GrantsEnv,
  id: string,
  by: { readonly identity: Identity; readonly admin: boolean },
  message: string,
): Promise<GrantResult> {
  const owner = grantOwner(env, id);
  if (!owner) return refuse(404, "GRANT_UNKNOWN", "there is no such grant or request");
  const who = { person: personOf(by.identity), admin: by.admin };
  return (await owner.revoke(id, who, "GRANT_REVOKED", message.slice(0, 1000))) as GrantResult;
}

/** The grant, when `identity` may see it: its requester, who may decide it, and administrators. */
export async function viewGrant(
  env: GrantsEnv,
  id: string,
  identity: Identity,
  admin: boolean,
): Promise<GrantView | null> {
  const person = personOf(identity);
  const view = (await grantOwner(env, id)?.view(id, person, admin)) as GrantView | null | undefined;
  if (!view) return null;
  const { requester, approval } = view.grant;
  const own = requester.issuer === person.issuer && requester.subject === person.subject;
  const deciding = [...(approval?.groups ?? []), ...(view.grant.emergency?.review ?? [])];
  const approver = deciding.some((group) => person.groups.includes(group));
  if (!own && !approver && !admin) return null;
  return own && view.grant.statement ? { ...view, grant: withoutPlan(view.grant) } : view;
}

/** Estimates come from all rows, also those that the task hides: who asks does not get to see them. */
function withoutPlan(grant: Grant): Grant {
  const noPlan = "the plan is shown to who decides";
  return { ...grant, statement: { ...grant.statement!, plan: null, estimatedRows: null, noPlan } };
}

/** The grant that a token carries; null when there is none. */
export async function grantOf(env: GrantsEnv, id: string): Promise<Grant | null> {
  return ((await grantOwner(env, id)?.get(id)) as Grant | null | undefined) ?? null;
}
