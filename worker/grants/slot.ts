/**
 * Names of grant objects. All grants for the same identity, task (by digest), parameters and reason have one
 * object, so asking twice meets one serial owner. A grant's id is the object's name and a number.
 */
import type { GrantAsk } from "./grant.ts";

/** SHA-256 over the frozen ask without its duration, 32 hexadecimal digits. */
export async function slotOf(
  ask: Pick<GrantAsk, "requester" | "actor" | "taskDigest" | "resource" | "params" | "reason">,
): Promise<string> {
  const parts = [
    "wicket.grant.v1",
    ask.requester.issuer,
    ask.requester.subject,
    ask.actor?.issuer ?? null,
    ask.actor?.subject ?? null,
    ask.taskDigest,
    ask.resource,
    Object.entries(ask.params).sort(([a], [b]) => (a < b ? -1 : 1)),
    ask.reason,
  ];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The object's name in a grant's id; null when `id` is no grant id. */
export function slotOfGrant(id: string): string | null {
  return /^([0-9a-f]{32})-[1-9][0-9]{0,8}$/.exec(id)?.[1] ?? null;
}
