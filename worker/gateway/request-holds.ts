/** Requests of a session that wait for people. The same request asked again waits for the same approval. */
import type { GrantResult } from "../grants/grant.ts";
import type { HoldVerdict } from "../grants/object.ts";
import type { grantOwner } from "../grants/open.ts";
import type { HeldRequest, HoldAnswer } from "./requests.ts";

interface Hold {
  /** The request for approval. */
  readonly id: string;
  verdict: HoldVerdict | null;
  wake: (() => void)[];
}

export class RequestHolds {
  /** By the request's digest. */
  readonly #holds = new Map<string, Hold>();

  /** Asks at the grant's owner, waits as long as `what` has patience, and spends the approval. */
  async ask(
    owner: ReturnType<typeof grantOwner>,
    grant: string,
    session: string,
    approvals: string,
    what: HeldRequest,
  ): Promise<HoldAnswer> {
    if (owner === null) return { effect: "deny", code: "GRANT_UNKNOWN", message: "there is no such grant" };
    let hold = this.#holds.get(what.digest);
    if (hold === undefined) {
      const statement = {
        ...{ session, digest: what.digest, text: what.text, rewritten: null, params: null },
        ...{ relations: [], masked: [], rule: what.rule, touches: [], plan: null, estimatedRows: null },
        noPlan: "a request has none",
      };
      const asked = (await owner.hold(grant, statement)) as GrantResult;
      if (!asked.ok) return { effect: "deny", code: asked.code, message: asked.message };
      hold = { id: asked.grant.id, verdict: null, wake: [] };
      this.#holds.set(what.digest, hold);
    }
    const message = `waiting for approval: ${approvals}${hold.id}`;
    what.waiting?.(message);
    if (hold.verdict === null) {
      const { wake } = hold;
      await new Promise<void>((resolve) => {
        wake.push(resolve);
        if (what.patience !== null) setTimeout(resolve, what.patience);
      });
    }
    if (hold.verdict === null) return { effect: "wait", message };
    this.#holds.delete(what.digest);
    if (hold.verdict.effect === "deny") {
      return { effect: "deny", code: hold.verdict.code, message: hold.verdict.message };
    }
    // A4: an approval is spent before what it allows, and once.
    const used = (await owner.useHold(hold.id, what.digest)) as GrantResult;
    return used.ok ? { effect: "allow" } : { effect: "deny", code: used.code, message: used.message };
  }

  /** People answered. */
  resolve(id: string, verdict: HoldVerdict): void {
    for (const hold of this.#holds.values()) if (hold.id === id) settle(hold, verdict);
  }

  /** Nothing waits any more. */
  end(verdict: HoldVerdict): void {
    for (const hold of this.#holds.values()) settle(hold, verdict);
    this.#holds.clear();
  }
}

function settle(hold: Hold, verdict: HoldVerdict): void {
  hold.verdict = verdict;
  for (const wake of hold.wake.splice(0)) wake();
}
