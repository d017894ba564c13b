/**
 * Statements that wait for approval: each is asked for at the grant's owner, and what comes back is spent there
 * once before anything runs.
 */
import type { GateHold, PostgresGate } from "../../policies/postgres/gate.ts";
import type { RecordedParam } from "../../policies/postgres/gate-types.ts";
import type { HeldStatement } from "../grants/grant.ts";
import type { HoldVerdict } from "../grants/object.ts";
import { type GrantsEnv, grantOwner } from "../grants/open.ts";
import { statementDigest } from "../grants/statement-digest.ts";

export interface HoldContext {
  readonly env: GrantsEnv & { readonly EDGE_ORIGIN: string };
  readonly session: string;
  readonly grant: string;
  readonly taskDigest: string;
  readonly gate: PostgresGate;
  /** Control message for a client that speaks the tunnel's protocol. */
  tell(message: object): void;
  /** Sends what the gate has made. */
  flush(): void;
}

interface Held {
  readonly id: number;
  readonly digest: string;
}

export class Holds {
  readonly #context: HoldContext;
  readonly #byRequest = new Map<string, Held>();

  constructor(context: HoldContext) {
    this.#context = context;
  }

  /** Asks for the approval of a parked statement. Whatever fails denies it. */
  async ask(hold: GateHold): Promise<void> {
    const { env, session, grant, taskDigest } = this.#context;
    try {
      const facts: Omit<HeldStatement, "digest"> = {
        session,
        text: hold.text,
        rewritten: hold.decision.rewritten,
        params: hold.params.map(textOf),
        relations: hold.decision.relations,
        masked: hold.decision.masked,
        rule: hold.decision.rule,
        plan: null,
      };
      const digest = await statementDigest({ ...facts, grant, taskDigest });
      const owner = grantOwner(env, grant);
      if (!owner) throw new Error("no grant");
      const asked = await owner.hold(grant, { ...facts, digest });
      if (!asked.ok) {
        this.#deny(hold.id, asked.code, asked.message);
        return;
      }
      const request = asked.grant.id;
      const url = `${env.EDGE_ORIGIN}/requests/${request}`;
      this.#byRequest.set(request, { id: hold.id, digest });
      hold.notice(`this statement waits for approval: ${url}`, "Cancel it to give up.");
      this.#context.tell({ t: "hold", url, request });
      this.#context.flush();
    } catch {
      this.#deny(hold.id, "STATE_UNAVAILABLE", "approval cannot be asked for at the moment");
    }
  }

  /** What was decided. Returns false for a request that nothing waits for. */
  async resolve(request: string, verdict: HoldVerdict): Promise<boolean> {
    const held = this.#byRequest.get(request);
    if (!held) return false;
    this.#byRequest.delete(request);
    const refusal = verdict.effect === "allow" ? await this.#spend(request, held, verdict.digest) : verdict;
    this.#context.tell({ t: "held", request, verdict: refusal ? "deny" : "allow" });
    if (refusal) this.#deny(held.id, refusal.code, refusal.message);
    else {
      this.#context.gate.resolveHold(held.id, { effect: "allow" });
      this.#context.flush();
    }
    return true;
  }

  async #spend(
    request: string,
    held: Held,
    digest: string,
  ): Promise<{ code: string; message: string } | null> {
    if (digest !== held.digest)
      return { code: "APPROVAL_MISMATCH", message: "another statement was approved" };
    try {
      const used = await grantOwner(this.#context.env, this.#context.grant)?.useHold(request, held.digest);
      if (used?.ok) return null;
      if (used) return { code: used.code, message: used.message };
    } catch {
      // Not spent, so it does not run.
    }
    return { code: "STATE_UNAVAILABLE", message: "the approval could not be used" };
  }

  #deny(id: number, code: string, message: string): void {
    this.#context.gate.resolveHold(id, { effect: "deny", code, message });
    this.#context.flush();
  }
}

/** A parameter as the approver sees it. */
function textOf(param: RecordedParam): string | null {
  if (param === null || typeof param === "string") return param;
  return param.text ?? (param.base64 === undefined ? null : `base64:${param.base64}`);
}
