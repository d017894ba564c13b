/** Grants as the doors use them: the implicit exchange of the direct form, and grants by id. */
import type { Identity, Task } from "../../policies/task.ts";
import { personOf, rememberPerson, standingOf } from "../identity/people.ts";
import { askFor } from "./frozen-ask.ts";
import { type Grant, type GrantRefusal, type GrantResult, refuse, type Spent } from "./grant.ts";
import type { GrantObject, StartResult } from "./object.ts";
import { slotOf, slotOfGrant } from "./slot.ts";

export interface GrantsEnv {
  readonly DB: D1Database;
  readonly GRANTS: DurableObjectNamespace<GrantObject>;
}

/** The owner of the grant with this id; null when `id` is no grant id. */
export function grantOwner(env: GrantsEnv, id: string): DurableObjectStub<GrantObject> | null {
  const slot = slotOfGrant(id);
  return slot === null ? null : env.GRANTS.get(env.GRANTS.idFromName(slot));
}

export interface OpenAsk {
  readonly identity: Identity;
  readonly task: Task;
  /** Canonical, as `mayStart` returned them. */
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly now: number;
  /** A grant that the credential carries: this one or none. */
  readonly grant?: string;
  readonly actor?: { readonly issuer: string; readonly subject: string };
}

export type Opened =
  | { readonly ok: true; readonly grant: { readonly id: string; readonly expires: number } }
  | GrantRefusal;

/**
 * The grant for a session that is about to start. The same identity, task digest, parameters and reason meet
 * the same active grant. `mayStart` has said yes before.
 */
export async function openGrant(env: GrantsEnv, ask: OpenAsk): Promise<Opened> {
  const { identity, task } = ask;
  try {
    await rememberPerson(env.DB, identity, ask.now);
    const [standing] = await standingOf(env.DB, [identity]);
    if (standing?.disabled !== false) return refuse(403, "IDENTITY_DISABLED", "this identity is disabled");
    if (ask.grant !== undefined) return await openById(env, ask, ask.grant);
    const frozen = askFor(task, {
      kind: "implicit",
      requester: personOf(identity),
      actor: ask.actor ?? null,
      params: ask.params,
      reason: ask.reason,
      description: null,
      durationMs: null,
      sessions: null,
    });
    if (!frozen.ok) return frozen;
    const slot = await slotOf(frozen.ask);
    const result = (await env.GRANTS.get(env.GRANTS.idFromName(slot)).open(slot, frozen.ask)) as GrantResult;
    if (!result.ok) return result;
    return { ok: true, grant: { id: result.grant.id, expires: result.grant.expires } };
  } catch (cause) {
    console.error("openGrant", cause);
    return refuse(503, "STATE_UNAVAILABLE", "grants cannot be read or written at the moment");
  }
}

async function openById(env: GrantsEnv, ask: OpenAsk, id: string): Promise<Opened> {
  const grant = (await grantOwner(env, id)?.get(id)) as Grant | null | undefined;
  if (!grant) return refuse(404, "GRANT_UNKNOWN", "there is no such grant");
  const { requester } = grant;
  if (requester.issuer !== ask.identity.issuer || requester.subject !== ask.identity.subject) {
    return refuse(403, "GRANT_FOREIGN", "the grant is another identity's");
  }
  if (grant.task !== ask.task.name || grant.taskDigest !== ask.task.digest) {
    return refuse(
      403,
      "GRANT_TASK_CHANGED",
      "the grant is for another task, or for this one as it was before",
    );
  }
  if (
    JSON.stringify(sorted(grant.params)) !== JSON.stringify(sorted(ask.params)) ||
    grant.reason !== ask.reason
  ) {
    return refuse(403, "GRANT_MISMATCH", "the grant is for other parameters or another reason");
  }
  return { ok: true, grant: { id, expires: grant.expires } };
}

function sorted(params: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Counts a session in; `ok` is needed before the target is opened. */
export async function sessionStarted(
  env: GrantsEnv,
  grant: string,
  session: { readonly sid: string; readonly taskDigest: string },
): Promise<StartResult> {
  try {
    const owner = grantOwner(env, grant);
    if (!owner) return refuse(404, "GRANT_UNKNOWN", "there is no such grant");
    return (await owner.sessionStarted(grant, { ...session })) as StartResult;
  } catch {
    return refuse(503, "STATE_UNAVAILABLE", "grants cannot be read or written at the moment");
  }
}

/** Counts a session out, with what it used. Safe to call twice. */
export async function sessionEnded(
  env: GrantsEnv,
  grant: string,
  sid: string,
  totals: Omit<Spent, "sessions">,
): Promise<void> {
  await grantOwner(env, grant)?.sessionEnded(grant, sid, { ...totals });
}
