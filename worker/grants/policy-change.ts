/** Notices that other policies are in force than before: says so in both logs, and ends what they no longer say. */
import type { Bundle } from "../../policies/task.ts";
import type { Actor } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import type { ApiEnv } from "../identity/http.ts";
import { type LogBinding, logPolicies } from "../log/session.ts";
import { revokeOutdated } from "./sweep.ts";

/** What was begun and not finished is taken up by others, and looked at again, after this time, milliseconds. */
const AGAIN_MS = 30_000;

interface InForce {
  readonly digest: string;
  readonly since: number;
  readonly before: string | null;
  readonly settled: number;
}

export type PolicyEnv = ApiEnv & LogBinding;

/**
 * Compares the bundle with the one that was in force, and takes its place. Returns how many grants ended; 0 when
 * nothing changed. Of several isolates that notice it, one does the work. Throws when a part of it is still to be
 * done: open sessions of a changed task run on until then, new ones do not start.
 */
export async function notePolicies(
  env: PolicyEnv,
  bundle: Bundle,
  now: number,
  by: Actor | null = null,
): Promise<number> {
  const last = await env.DB.prepare("SELECT * FROM policies_in_force WHERE one = 1").first<InForce>();
  if (last?.digest === bundle.digest) {
    if (last.settled === 1 || now - last.since < AGAIN_MS) return 0;
    return settle(env, bundle, last, by);
  }
  const taken = await env.DB.prepare(
    `INSERT INTO policies_in_force (one, digest, since, before, settled) VALUES (1, ?1, ?2, ?3, 0)
     ON CONFLICT (one) DO UPDATE SET digest = excluded.digest, since = excluded.since, before = excluded.before,
       settled = 0
     WHERE policies_in_force.digest IS ?3 RETURNING *`,
  )
    .bind(bundle.digest, now, last?.digest ?? null)
    .first<InForce>();
  if (!taken) return 0;
  const data = { from: taken.before, to: taken.digest };
  await recordEvents(env, [{ type: "policy.changed", severity: "warn", ...(by ? { actor: by } : {}), data }]);
  return settle(env, bundle, taken, by);
}

async function settle(env: PolicyEnv, bundle: Bundle, now: InForce, by: Actor | null): Promise<number> {
  const ended = now.before === null ? 0 : await revokeOutdated(env, bundle);
  await logPolicies(env, { before: now.before, after: now.digest, time: now.since, actor: by });
  await env.DB.prepare("UPDATE policies_in_force SET settled = 1 WHERE digest = ? AND since = ?")
    .bind(now.digest, now.since)
    .run();
  return ended;
}

let noted: { readonly digest: string; readonly at: number } | null = null;

/** As `notePolicies`, once in an isolate; for the first request that it serves. Never rejects. */
export async function notePoliciesOnce(env: PolicyEnv, bundle: Bundle, now: number): Promise<void> {
  if (noted?.digest === bundle.digest && now < noted.at) return;
  noted = { digest: bundle.digest, at: Number.POSITIVE_INFINITY };
  try {
    await notePolicies(env, bundle, now);
  } catch (cause) {
    console.error("policies in force", cause);
    noted = { digest: bundle.digest, at: now + AGAIN_MS };
  }
}
