/**
 * Statements that wait for approval: each is shown to who decides, asked for at the grant's owner, and what comes
 * back is spent there once before anything runs.
 */
import type { GateHold, PostgresGate } from "../../policies/postgres/gate.ts";
import type { Task } from "../../policies/task.ts";
import type { PlanNode } from "../../wire/tunnel.ts";
import type { HoldVerdict } from "../grants/object.ts";
import { type GrantsEnv, grantOwner } from "../grants/open.ts";
import { statementDigest } from "../grants/statement-digest.ts";
import { hasPlan, heldStatement, type PlanAnswer, planParams, unshowable } from "./held-statement.ts";

/** A plan that has not come by then is not waited for, milliseconds. */
const PLAN_MS = 10_000;

export interface HoldContext {
  readonly env: GrantsEnv & { readonly EDGE_ORIGIN: string };
  readonly session: string;
  readonly grant: string;
  readonly task: Task;
  readonly gate: PostgresGate;
  /** Asks the connector for a plan; false when it makes none. */
  explain(id: number, text: string, params: readonly (string | null)[]): boolean;
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
  /** The statement that waits in the gate; null when none does. */
  #waiting: number | null = null;
  #planned: { readonly id: number; resolve(answer: PlanAnswer): void } | null = null;

  constructor(context: HoldContext) {
    this.#context = context;
  }

  /** Asks for the approval of a parked statement. Whatever fails denies it. */
  async ask(hold: GateHold): Promise<void> {
    const { env, session, grant, task } = this.#context;
    this.#waiting = hold.id;
    const refusal = unshowable(hold);
    if (refusal) {
      // The gate is told when it has parked the statement, not from within.
      await Promise.resolve();
      this.#deny(hold.id, refusal.code, refusal.message);
      return;
    }
    try {
      const facts = heldStatement(hold, session, task, await this.#plan(hold));
      const digest = await statementDigest({ ...facts, grant, taskDigest: task.digest });
      if (this.#waiting !== hold.id) return;
      const owner = grantOwner(env, grant);
      if (!owner) throw new Error("no grant");
      const asked = await owner.hold(grant, { ...facts, digest });
      if (!asked.ok) {
        this.#deny(hold.id, asked.code, asked.message);
        return;
      }
      const request = asked.grant.id;
      if (this.#waiting !== hold.id) {
        await owner.dropHold(request, CANCELLED);
        return;
      }
      const url = `${env.EDGE_ORIGIN}/requests/${request}`;
      this.#byRequest.set(request, { id: hold.id, digest });
      hold.notice(`this statement waits for approval: ${url}`, "Cancel it to give up.");
      this.#context.tell({ t: "hold", url, request });
      this.#context.flush();
    } catch {
      this.#deny(hold.id, "STATE_UNAVAILABLE", "approval cannot be asked for at the moment");
    }
  }

  /** The connector's answer. One for another statement is not taken. */
  planned(id: number, plan: PlanNode | null, message: string | null): void {
    if (this.#planned?.id === id) this.#planned.resolve({ plan, message });
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
      this.#waiting = null;
      this.#context.gate.resolveHold(held.id, { effect: "allow" });
      this.#context.flush();
    }
    return true;
  }

  /** The person gives up what waits (a CancelRequest). Returns what tells the grant's owner, or null. */
  cancel(): Promise<void> | null {
    if (this.#waiting === null) return null;
    const id = this.#waiting;
    const [request] = [...this.#byRequest].find(([, held]) => held.id === id) ?? [];
    this.#deny(id, "STATEMENT_CANCELLED", "canceling statement due to user request", "57014");
    if (request === undefined) return null;
    this.#byRequest.delete(request);
    this.#context.tell({ t: "held", request, verdict: "deny" });
    return grantOwner(this.#context.env, this.#context.grant)?.dropHold(request, CANCELLED) ?? null;
  }

  /** The plan of what waits. What cannot be planned is shown without. */
  async #plan(hold: GateHold): Promise<PlanAnswer> {
    const params = planParams(hold);
    if (!hasPlan(hold)) return { plan: null, message: "it is not one statement that reads or changes rows" };
    if (params === null) return { plan: null, message: "its parameters are binary" };
    const answer = Promise.withResolvers<PlanAnswer>();
    this.#planned = { id: hold.id, resolve: answer.resolve };
    const none = { plan: null, message: "the connector made none" };
    const timer = setTimeout(() => answer.resolve(none), PLAN_MS);
    if (!this.#context.explain(hold.id, hold.decision.rewritten!, params)) answer.resolve(none);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#planned = null;
    }
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

  #deny(id: number, code: string, message: string, sqlstate?: string): void {
    if (this.#waiting === id) this.#waiting = null;
    this.#context.gate.resolveHold(id, { effect: "deny", code, message, ...(sqlstate ? { sqlstate } : {}) });
    this.#context.flush();
  }
}

const CANCELLED = "the requester cancelled the statement";
