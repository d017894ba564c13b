/**
 * Which object a session lives in. A database session is one object, named by its id. The requests to a cluster or
 * an HTTP API under one grant share an object, `rq-<grant>`: it has one session after the other, each with
 * the time of its start at the end of its id. `<session>.<n>` names a connection of a connector to such a session.
 */
import type { RequestObject } from "../gateway/request-object.ts";
import type { SessionObject } from "./object.ts";
import { isSessionId } from "./ticket.ts";

const REQUESTS = /^rq-[0-9a-f]{32}-\d{1,9}-[0-9a-z]{1,12}$/;

/** Where sessions are. */
export interface SessionObjects {
  readonly SESSIONS: DurableObjectNamespace<SessionObject>;
  readonly REQUESTS: DurableObjectNamespace<RequestObject>;
}

/** True for the id of a session of requests. */
export function isRequestSession(sid: string): boolean {
  return REQUESTS.test(sid);
}

/** True for the id of a session of either kind. */
export function isAnySession(sid: string): boolean {
  return isSessionId(sid) || isRequestSession(sid);
}

/** Name of the object that a session of requests lives in. */
export function requestObjectName(sid: string): string {
  return sid.slice(0, sid.lastIndexOf("-"));
}

/** The session and number of a connection; null for what names none. */
export function readChannel(name: string): { readonly session: string; readonly n: number } | null {
  const found = /^(rq-[0-9a-z-]{1,80})\.(\d{1,9})$/.exec(name);
  return found ? { session: found[1]!, n: Number(found[2]) } : null;
}

/** The object of a session of either kind, where only one kind may be bound. */
export function sessionStub(
  objects: { readonly SESSIONS: DurableObjectNamespace; readonly REQUESTS?: DurableObjectNamespace },
  sid: string,
): DurableObjectStub {
  const { SESSIONS, REQUESTS } = objects;
  return REQUESTS && isRequestSession(sid)
    ? REQUESTS.get(REQUESTS.idFromName(requestObjectName(sid)))
    : SESSIONS.get(SESSIONS.idFromName(sid));
}

/** The object of a session of either kind. */
export function sessionObject(objects: SessionObjects, sid: string) {
  return isRequestSession(sid)
    ? objects.REQUESTS.getByName(requestObjectName(sid))
    : objects.SESSIONS.getByName(sid);
}
