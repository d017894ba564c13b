/** Ends many grants at once: of an identity that was disabled, or of tasks whose policy changed. */
import type { Bundle } from "../../policies/task.ts";
import type { GrantResult } from "./grant.ts";
import { openGrantIds } from "./ledger.ts";
import { type GrantsEnv, grantOwner } from "./open.ts";

const AT_ONCE = 25;

/** Revokes every open grant and request of an identity, with its sessions. Returns how many. */
export async function revokeGrantsOf(
  env: GrantsEnv,
  who: { readonly issuer: string; readonly subject: string },
  code: string,
  message: string,
): Promise<number> {
  const ids = (await openGrantIds(env.DB, who)).map((row) => row.id);
  return (await revokeAll(env, ids, code, message)).revoked;
}

/**
 * Revokes every open grant whose task is gone or has another digest in `bundle`. Returns how many. Throws when one
 * could not be reached.
 */
export async function revokeOutdated(env: GrantsEnv, bundle: Bundle): Promise<number> {
  const rows = await openGrantIds(env.DB, null);
  const outdated = rows.filter((row) => {
    const task = Object.hasOwn(bundle.tasks, row.task) ? bundle.tasks[row.task] : undefined;
    return task?.digest !== row.task_digest;
  });
  const message = "the task's policy has changed";
  const ids = outdated.map((row) => row.id);
  const { revoked, failed } = await revokeAll(env, ids, "POLICY_CHANGED", message);
  if (failed > 0) throw new Error(`${failed} grants of changed tasks could not be revoked yet`);
  return revoked;
}

async function revokeAll(
  env: GrantsEnv,
  ids: readonly string[],
  code: string,
  message: string,
): Promise<{ readonly revoked: number; readonly failed: number }> {
  let revoked = 0;
  let failed = 0;
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const results = await Promise.allSettled(
      ids
        .slice(from, from + AT_ONCE)
        .map(
          async (id) =>
            (await grantOwner(env, id)?.revoke(id, null, code, message)) as GrantResult | undefined,
        ),
    );
    revoked += results.filter((result) => result.status === "fulfilled" && result.value?.ok).length;
    failed += results.filter((result) => result.status === "rejected").length;
  }
  return { revoked, failed };
}
