/** Notices that other policies are in force than before: says so in the audit log, and ends what they no longer say. */
import type { Bundle } from "../../policies/task.ts";
import type { Actor } from "../audit/events.ts";
import { recordEvents } from "../audit/record.ts";
import type { ApiEnv } from "../identity/http.ts";
import { revokeOutdated } from "./sweep.ts";

/**
 * Compares the bundle with the one that was in force, and takes its place. Returns how many grants ended; 0 when
 * nothing changed. Of several isolates that notice it, one does the work.
 */
export async function notePolicies(
  env: ApiEnv,
  bundle: Bundle,
  now: number,
  by: Actor | null = null,
): Promise<number> {
  const last = await env.DB.prepare("SELECT digest FROM policies_in_force WHERE one = 1").first<{
    digest: string;
  }>();
  if (last?.digest === bundle.digest) return 0;
  const taken = await env.DB.prepare(
    `INSERT INTO policies_in_force (one, digest, since) VALUES (1, ?1, ?2)
     ON CONFLICT (one) DO UPDATE SET digest = excluded.digest, since = excluded.since
     WHERE policies_in_force.digest IS ?3 RETURNING digest`,
  )
    .bind(bundle.digest, now, last?.digest ?? null)
    .first();
  if (!taken) return 0;
  const data = { from: last?.digest ?? null, to: bundle.digest };
  await recordEvents(env, [{ type: "policy.changed", severity: "warn", ...(by ? { actor: by } : {}), data }]);
  return last ? revokeOutdated(env, bundle) : 0;
}

let noted: { readonly digest: string; readonly at: number } | null = null;
/** An isolate that failed to look tries again after this, milliseconds. */
const AGAIN_MS = 30_000;

/** As `notePolicies`, once in an isolate; for the first request that it serves. Never rejects. */
export async function notePoliciesOnce(env: ApiEnv, bundle: Bundle, now: number): Promise<void> {
  if (noted?.digest === bundle.digest && now < noted.at) return;
  noted = { digest: bundle.digest, at: Number.POSITIVE_INFINITY };
  try {
    await notePolicies(env, bundle, now);
  } catch (cause) {
    console.error("policies in force", cause);
    noted = { digest: bundle.digest, at: now + AGAIN_MS };
  }
}
