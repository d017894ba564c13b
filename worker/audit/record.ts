/** Audit events of the stateless Worker: straight to D1, and to a Durable Object's outbox when D1 fails. */
import { type AuditEvent, type NewEvent, ulid } from "./events.ts";
import { insertEvents } from "./store.ts";

/** What `recordEvents` needs of the environment. */
export interface AuditEnv {
  readonly DB: D1Database;
  readonly GRANTS: DurableObjectNamespace<EventKeeper & Rpc.DurableObjectBranded>;
}

/** The object that keeps events until D1 takes them. */
interface EventKeeper {
  keepEvents(events: readonly AuditEvent[]): Promise<void>;
}

/**
 * Records events now. Resolves when they are in D1 or in an object's outbox; throws when neither took them,
 * and then what they tell of must not happen.
 */
export async function recordEvents(
  env: AuditEnv,
  events: readonly NewEvent[],
  now = Date.now(),
): Promise<void> {
  const kept = events.map((event) => ({ ...event, id: ulid(now), time: now }) as AuditEvent);
  try {
    await insertEvents(env.DB, kept);
  } catch {
    const id = env.GRANTS.idFromName(`outbox-${now % 16}`);
    await (env.GRANTS.get(id) as unknown as EventKeeper).keepEvents(kept);
  }
}
