/**
 * Reading a recording: who may, and the ticket of one reading. A reading is an event and a log entry when it
 * begins; the segments that it then fetches carry its ticket and are not told of one by one.
 */
import { createLocalJWKSet, jwtVerify, SignJWT } from "jose";
import type { Identity } from "../../policies/task.ts";
import { type Actor, actorFrom } from "../audit/events.ts";
import { type AuditEnv, recordEvents } from "../audit/record.ts";
import { edgeKeys } from "../identity/edge-token.ts";
import { logRead } from "../log/session.ts";

/** How long a ticket is good, seconds. */
const READING_SECONDS = 300;
const TYPE = "wicket-reading+jwt";

/** What is needed of the environment. */
export interface ReadingEnv extends AuditEnv {
  readonly EDGE_ORIGIN: string;
  readonly SIGNING_KEY: unknown;
}

type LogBinding = Parameters<typeof logRead>[0];

interface Recorded {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly task: string;
  readonly resource: string;
}

/** A recording is read by the person who was recorded, and by administrators. */
export function mayRead(
  row: Pick<Recorded, "issuer" | "subject">,
  { identity, admin }: { readonly identity: Identity; readonly admin: boolean },
): boolean {
  return admin || (row.issuer === identity.issuer && row.subject === identity.subject);
}

/** Writes down that someone reads. Throws when it cannot be: then nothing is read. */
export async function tellReading(
  env: AuditEnv & LogBinding,
  row: Recorded,
  identity: Identity,
  sequence: number | null,
  actor: Actor = actorFrom(identity),
): Promise<void> {
  const facts = { session: row.id, task: row.task, resource: row.resource, actor };
  await recordEvents(env, [{ ...facts, type: "recording.read", severity: "info", data: { sequence } }]);
  await logRead(env, row.id, identity, Date.now());
}

/** The ticket of a reading that was told; `holder` is a secret-derived value of the browser's session. */
export async function readingTicket(
  env: ReadingEnv,
  session: string,
  holder: string,
  now: number,
): Promise<string> {
  const { sign, kid } = await edgeKeys(env.SIGNING_KEY);
  const seconds = Math.floor(now / 1000);
  return new SignJWT({ holder })
    .setProtectedHeader({ alg: "EdDSA", typ: TYPE, kid })
    .setIssuer(env.EDGE_ORIGIN)
    .setSubject(session)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + READING_SECONDS)
    .sign(sign);
}

/** True when the ticket is of this reading: of the session, the holder, and not over. */
export async function ticketHolds(
  env: ReadingEnv,
  ticket: string | undefined,
  session: string,
  holder: string,
): Promise<boolean> {
  if (!ticket || ticket.length > 2048) return false;
  const { published } = await edgeKeys(env.SIGNING_KEY);
  try {
    const { payload } = await jwtVerify(ticket, createLocalJWKSet(published), {
      ...{ issuer: env.EDGE_ORIGIN, subject: session, typ: TYPE, algorithms: ["EdDSA"] },
      requiredClaims: ["exp"],
    });
    return payload["holder"] === holder;
  } catch {
    return false;
  }
}
