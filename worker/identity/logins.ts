/** Sign-ins that the edge keeps: of a browser (by cookie) and of a program (by refresh token). */
import type { Identity } from "../../policies/task.ts";
import { hashOf, newSecret } from "./secrets.ts";

/** A console sign-in ends after an hour; the provider's own session makes the next one a redirect. */
export const CONSOLE_LOGIN_MS = 60 * 60_000;
/** A program's sign-in: groups are as old as that at most. */
export const CLI_LOGIN_MS = 8 * 60 * 60_000;

export interface Login {
  readonly id: string;
  readonly identity: Identity;
  readonly client: string;
  readonly expires: number;
}

interface LoginRow {
  id: string;
  identity: string;
  client: string;
  expires: number;
}

/** Keeps a sign-in, until `until` (ms) at the latest; `secret` is returned once and stored only as its hash. */
export async function createLogin(
  db: D1Database,
  kind: "console" | "cli",
  identity: Identity,
  client: string,
  now: number,
  until = Number.POSITIVE_INFINITY,
): Promise<{ login: Login; secret: string }> {
  const secret = newSecret();
  const expires = Math.min(until, now + (kind === "console" ? CONSOLE_LOGIN_MS : CLI_LOGIN_MS));
  const login: Login = { id: crypto.randomUUID(), identity: slim(identity, expires), client, expires };
  await db
    .prepare(
      `INSERT INTO logins (id, kind, secret_hash, client, issuer, subject, identity, created, expires)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      login.id,
      kind,
      await hashOf(secret),
      client,
      identity.issuer,
      identity.subject,
      JSON.stringify(login.identity),
      now,
      expires,
    )
    .run();
  return { login, secret };
}

/** The browser's sign-in behind a cookie value; null when there is none that is valid. */
export async function findConsoleLogin(db: D1Database, secret: string, now: number): Promise<Login | null> {
  if (secret === "") return null;
  const row = await db
    .prepare(
      "SELECT id, identity, client, expires FROM logins WHERE secret_hash = ? AND kind = 'console' AND ended IS NULL AND expires > ?",
    )
    .bind(await hashOf(secret), now)
    .first<LoginRow>();
  return row ? loginFrom(row) : null;
}

/**
 * Trades a refresh token for the next one (rotation, OAuth 2.1 section 4.3.1). A token that was traded before
 * is a stolen one, or its thief took the new one: the login ends.
 */
export async function rotateLogin(
  db: D1Database,
  refreshToken: string,
  client: string,
  now: number,
): Promise<{ login: Login; secret: string } | null> {
  const old = await hashOf(refreshToken);
  const secret = newSecret();
  const row = await db
    .prepare(
      `UPDATE logins SET secret_hash = ?, previous_hash = ? WHERE secret_hash = ? AND kind = 'cli' AND client = ?
         AND ended IS NULL AND expires > ? RETURNING id, identity, client, expires`,
    )
    .bind(await hashOf(secret), old, old, client, now)
    .first<LoginRow>();
  if (row) return { login: loginFrom(row), secret };
  await db
    .prepare("UPDATE logins SET ended = ? WHERE previous_hash = ? AND ended IS NULL")
    .bind(now, old)
    .run();
  return null;
}

/** True while the login with this id has neither ended nor expired. */
export async function isLoginOpen(db: D1Database, id: string, now: number): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM logins WHERE id = ? AND ended IS NULL AND expires > ?")
    .bind(id, now)
    .first();
  return row !== null;
}

/** Ends a login by its id, or by its cookie or refresh token. */
export async function endLogin(
  db: D1Database,
  by: { id: string } | { secret: string },
  now: number,
): Promise<void> {
  const [column, value] = "id" in by ? ["id", by.id] : ["secret_hash", await hashOf(by.secret)];
  await db
    .prepare(`UPDATE logins SET ended = ? WHERE ${column} = ? AND ended IS NULL`)
    .bind(now, value)
    .run();
}

/** Ends all sign-ins of an identity. */
export async function endLoginsOf(
  db: D1Database,
  who: { issuer: string; subject: string },
  now: number,
): Promise<void> {
  await db
    .prepare("UPDATE logins SET ended = ? WHERE issuer = ? AND subject = ? AND ended IS NULL")
    .bind(now, who.issuer, who.subject)
    .run();
}

/** The identity with the claims that later decisions read; the rest of the ID token is not kept. */
export function slim(identity: Identity, expires: number): Identity {
  const kept = ["acr", "amr", "auth_time", "email", "email_verified"];
  const claims = Object.fromEntries(Object.entries(identity.claims).filter(([name]) => kept.includes(name)));
  return { ...identity, claims, expires };
}

function loginFrom(row: LoginRow): Login {
  return {
    id: row.id,
    identity: JSON.parse(row.identity) as Identity,
    client: row.client,
    expires: row.expires,
  };
}
