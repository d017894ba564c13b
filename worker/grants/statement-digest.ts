/** What an approval of a held statement is bound to: change any part and it is another statement. */
import type { HeldStatement } from "./grant.ts";

/** SHA-256 (hexadecimal) over everything the approver saw, the task's digest and the grant. */
export async function statementDigest(
  facts: Omit<HeldStatement, "digest"> & { readonly grant: string; readonly taskDigest: string },
): Promise<string> {
  const { session, grant, taskDigest, text, rewritten, params, relations, masked, rule } = facts;
  const { touches, plan, estimatedRows, noPlan } = facts;
  const parts = [
    ...["wicket.statement.v2", session, grant, taskDigest, text, rewritten, params, relations, masked, rule],
    touches.map((one) => [one.relation, one.verb, one.columns, one.rows, one.at]),
    ...[plan, estimatedRows, noPlan],
  ];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
