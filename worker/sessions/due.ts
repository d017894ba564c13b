/** When a session that goes on as it is will be ended, and as what. */
import type { PostgresRelay } from "./relay.ts";
import type { StoredSession } from "./stored.ts";

/** The end of the granted time. */
export const EXPIRED = { code: "SESSION_EXPIRED", message: "the time of the session is over" };

export interface Due {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

/**
 * The next limit of a running session. What is owed to the client does not count as idleness.
 * @param openMs within this time the target must be open and the client must have come
 */
export function dueOf(
  relay: Pick<PostgresRelay, "hasClient" | "isOpen" | "lastActive"> & {
    readonly gate: { readonly idle: boolean };
  },
  session: Pick<StoredSession, "started" | "deadline">,
  idleMs: number,
  openMs: number,
): Due {
  const opening = session.started + openMs;
  if (!relay.hasClient) return { at: opening, code: "CLIENT_MISSING", message: "the client never came" };
  if (!relay.isOpen) {
    const message = "the connector did not open the database in time";
    return { at: opening, code: "CONNECTOR_TIMEOUT", message };
  }
  const idle = relay.gate.idle ? relay.lastActive + idleMs : Number.POSITIVE_INFINITY;
  if (idle >= session.deadline) return { at: session.deadline, ...EXPIRED };
  return { at: idle, code: "SESSION_IDLE", message: "the session was idle for too long" };
}
