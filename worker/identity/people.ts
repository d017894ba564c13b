/** What the edge knows of identities besides their current token: groups last seen, and disablement. */
import type { Identity } from "../../policies/task.ts";
import type { Person } from "../grants/grant.ts";
import { identityKey, printable } from "./claims.ts";

/** How long an unchanged identity is not written again. */
const REMEMBER_MS = 60_000;
const remembered = new Map<string, { groups: string; email: string | null; at: number }>();

/** The person behind an identity, without claims. The email only ever serves to refuse. */
export function personOf(identity: Identity): Person {
  return {
    issuer: identity.issuer,
    subject: identity.subject,
    name: identity.name === null ? null : printable(identity.name),
    groups: identity.groups,
    email: emailOf(identity),
  };
}

function emailOf({ claims: { email } }: Identity): string | null {
  return typeof email === "string" && email !== "" ? email.normalize("NFKC").toLowerCase() : null;
}

/** Keeps the groups of a freshly validated identity. Throws when D1 does not take it. */
export async function rememberPerson(db: D1Database, identity: Identity, now: number): Promise<void> {
  const key = identityKey(identity);
  const groups = JSON.stringify(identity.groups);
  const email = emailOf(identity);
  const last = remembered.get(key);
  if (last && last.groups === groups && last.email === email && now - last.at < REMEMBER_MS) return;
  await db
    .prepare(
      `INSERT INTO people (issuer, subject, name, groups, email, seen) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, groups = excluded.groups,
         email = coalesce(excluded.email, people.email), seen = excluded.seen`,
    )
    .bind(identity.issuer, identity.subject, identity.name, groups, email, now)
    .run();
  if (remembered.size > 10_000) remembered.clear();
  remembered.set(key, { groups, email, at: now });
}

/** A person as last seen at the edge, and when (ms); null when never, or when there is no such person. */
export async function seenPerson(
  db: D1Database,
  who: { issuer: string; subject: string },
): Promise<(Person & { readonly seen: number }) | null> {
  const row = await db
    .prepare("SELECT name, groups, email, seen FROM people WHERE issuer = ? AND subject = ?")
    .bind(who.issuer, who.subject)
    .first<{ name: string | null; groups: string; email: string | null; seen: number }>();
  if (!row) return null;
  const { issuer, subject } = who;
  return { ...row, issuer, subject, groups: JSON.parse(row.groups) as string[] };
}

export interface Standing {
  readonly disabled: boolean;
  /** Groups last seen; empty when the identity was never seen. */
  readonly groups: readonly string[];
}

/** The standing of several identities, in their order. Throws when D1 does not answer: then nothing starts. */
export async function standingOf(
  db: D1Database,
  people: readonly { issuer: string; subject: string }[],
): Promise<Standing[]> {
  if (people.length === 0) return [];
  const results = await db.batch<{ groups: string | null; disabled: number }>(
    people.map((person) =>
      db
        .prepare(
          `SELECT (SELECT groups FROM people WHERE issuer = ?1 AND subject = ?2) AS groups,
                  EXISTS (SELECT 1 FROM disabled_identities WHERE issuer = ?1 AND subject = ?2) AS disabled`,
        )
        .bind(person.issuer, person.subject),
    ),
  );
  return results.map((result) => {
    const row = result.results[0];
    return { disabled: row?.disabled !== 0, groups: row?.groups ? (JSON.parse(row.groups) as string[]) : [] };
  });
}

/** Disables an identity: nothing starts under it any more. Its grants are revoked by `revokeGrantsOf`. */
export async function disableIdentity(
  db: D1Database,
  who: { issuer: string; subject: string },
  why: string,
  now: number,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO disabled_identities (issuer, subject, since, why) VALUES (?, ?, ?, ?)
       ON CONFLICT (issuer, subject) DO NOTHING`,
    )
    .bind(who.issuer, who.subject, now, why)
    .run();
}

/** Takes a disablement back. */
export async function enableIdentity(
  db: D1Database,
  who: { issuer: string; subject: string },
): Promise<void> {
  await db
    .prepare("DELETE FROM disabled_identities WHERE issuer = ? AND subject = ?")
    .bind(who.issuer, who.subject)
    .run();
}
