/** The start of a session, written down before the target is opened: one that cannot be does not happen. */
import type { EventFacts } from "../audit/events.ts";
import type { AuditOutbox } from "../audit/outbox.ts";
import { recordSessionStart } from "../audit/store.ts";
import { bundle, findTask } from "../bundle.ts";
import type { Bindings } from "../env.ts";
import { logStart, type StartFacts } from "../log/session.ts";
import type { SessionAsk } from "./opening.ts";
import type { SessionStore, StoredSession } from "./stored.ts";

export interface StartingHost {
  readonly env: Bindings;
  readonly outbox: AuditOutbox;
  /** Of every event of the session. */
  readonly facts: EventFacts;
  readonly store: SessionStore;
}

/**
 * Tells D1, the audit log and the log, with the key that the connector's word about the recording is checked with. False
 * when the connector has none. Throws when one of them does not take it.
 */
export async function writeStart(
  { env, outbox, facts, store }: StartingHost,
  stored: StoredSession,
  ask: SessionAsk,
  approvals: StartFacts["approvals"],
): Promise<boolean> {
  const { sid, grant, actor, task, resource, started, connector } = stored;
  const { issuer, subject, name } = actor;
  const { params, reason } = ask;
  outbox.add({
    ...{ ...facts, type: "session.start", severity: "info" },
    data: { params, statedReason: reason },
  });
  const connectorKey = await env.CONNECTORS.getByName(connector).verifierKey();
  if (connectorKey === null) return false;
  store.put({ ...store.get()!, connectorKey });
  await Promise.all([
    recordSessionStart(env.DB, { id: sid, grant, issuer, subject, name, task, resource, reason, started }),
    outbox.flush(),
    logStart(env, {
      ...{ session: sid, started, actor, task: findTask(task)!, policies: bundle.digest },
      ...{ connector, connectorKey, grant, params, reason, approvals },
    }),
  ]);
  return true;
}
