/** The way in when a person must say yes first: asks, tells where it waits, and goes on when it was decided. */
import { type DoorAsk, type OpenDoor, openDoor } from "./bridge/door.ts";
import { CommandError, exit } from "./exit.ts";
import { askFor, findRequest, type GrantRequest, notUsable, waitFor } from "./requests.ts";

/** How to ask where approval is needed, and whom to tell meanwhile. */
export interface Admission {
  /** `30m`; null = as long as the task allows. */
  readonly duration: string | null;
  readonly emergency: boolean;
  /** False: do not wait, fail with the request's URL (exit code 5). */
  readonly wait: boolean;
  waiting(request: GrantRequest): void;
  approved(request: GrantRequest): void;
}

/**
 * Opens a session; where the task waits for approval, asks for a grant (or joins the request that is open already)
 * and waits. Rejects with the refusal as a `CommandError`.
 */
export async function enter(ask: DoorAsk, admission: Admission): Promise<OpenDoor> {
  try {
    return await openDoor(ask);
  } catch (error) {
    if (!(error instanceof CommandError) || error.fault.exit !== exit.pending) throw error;
    const joins = error.fault.request !== undefined && !admission.emergency;
    if (!admission.wait && joins) throw error;
  }
  await admit(ask, admission);
  return openDoor(ask);
}

/** Asks, or joins what was asked, and waits until there is a grant. Throws the refusal. */
export async function admit(ask: DoorAsk, admission: Admission): Promise<void> {
  const { edge, task, params, reason } = ask;
  const { duration, emergency } = admission;
  const request = await askFor(edge, { task, params, reason, duration, emergency });
  if (request.status === "pending") {
    if (!admission.wait) throw notUsable(request);
    admission.waiting(request);
  }
  const decided =
    request.status === "pending" ? await waitFor(edge, request.id) : await findRequest(edge, request.id);
  const refusal = notUsable(decided);
  if (refusal) throw refusal;
  admission.approved(decided);
}
