/** Requests in words, for a terminal. */

import { inert } from "../recording/inert.ts";
import type { GrantRequest, Who } from "../requests.ts";

/** Who may decide: `2 members of support-leads`. */
export function approverWords({ needed, approvers }: Pick<GrantRequest, "needed" | "approvers">): string {
  const who = approvers.map(inert).join(" or ");
  return needed === 1 ? `a member of ${who}` : `${needed} members of ${who}`;
}

/** Who decided: `approved by lee`. */
export function approvedBy({ approvals }: Pick<GrantRequest, "approvals">): string {
  const names = approvals.map((one) => inert(nameOf(one)));
  return names.length === 0 ? "granted without approval" : `approved by ${names.join(" and ")}`;
}

export function nameOf({ name, subject }: Who): string {
  return name ?? subject;
}

/** `30m`, `1h30m`, `45s`. `seconds` from 1. */
export function durationText(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  return [h && `${h}h`, m && `${m}m`, s && `${s}s`].filter(Boolean).join("") || "0s";
}
