/** Claims of a validated token to an identity: the one place where groups come from. */
import type { Identity, Json } from "../../policies/task.ts";
import type { Issuer } from "./issuers.ts";

const MAX_GROUPS = 500;
const MAX_NAME = 256;

/** The identity that `claims` (already validated) stand for at `issuer`. */
export function identityFrom(issuer: Issuer, claims: Readonly<Record<string, unknown>>): Identity {
  const name = [claims["name"], claims["preferred_username"], claims["email"]].find(
    (value): value is string => typeof value === "string" && value !== "",
  );
  return {
    issuer: issuer.issuer,
    subject: String(claims["sub"]),
    name: name ? printable(name).slice(0, MAX_NAME) : null,
    groups: groupsFrom(issuer, claims[issuer.groupsClaim]),
    claims: claims as Record<string, Json>,
    expires: Number(claims["exp"]) * 1000,
  };
}

/** Groups as policies name them, sorted, once each. Anything that is not a list of names counts as none. */
export function groupsFrom(issuer: Pick<Issuer, "groupMap">, claim: unknown): string[] {
  const given = Array.isArray(claim) ? claim : typeof claim === "string" ? [claim] : [];
  const groups = new Set<string>();
  for (const group of given.slice(0, MAX_GROUPS)) {
    if (typeof group !== "string" || group === "") continue;
    if (!issuer.groupMap) groups.add(group);
    else if (Object.hasOwn(issuer.groupMap, group)) groups.add(issuer.groupMap[group]!);
  }
  return [...groups].sort();
}

/** `text` without control and direction characters, which could disguise it where it is shown. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}

/** One string per identity: issuer and subject, unambiguous. Never an email address or a name. */
export function identityKey(identity: Pick<Identity, "issuer" | "subject">): string {
  return JSON.stringify([identity.issuer, identity.subject]);
}
