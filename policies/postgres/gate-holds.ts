/** Statements that wait for an approval: at most one at a time, since everything behind it waits too. */
import type { StatementDecision } from "./decision.ts";
import type { Run } from "./gate-replies.ts";
import type { GateSession } from "./gate-session.ts";
import type { GateHold, HoldVerdict, RecordedParam } from "./gate-types.ts";

/** The message stays unread in the client's stream; this is what was decided of it. */
export interface Parked {
  readonly id: number;
  readonly run: Run;
  readonly decision: StatementDecision;
  verdict: HoldVerdict | null;
}

export class Holds {
  readonly #session: GateSession;
  readonly #notice: (message: string, hint?: string) => void;
  #parked: Parked | null = null;
  #count = 0;

  constructor(session: GateSession, notice: (message: string, hint?: string) => void) {
    this.#session = session;
    this.#notice = notice;
  }

  /** A statement waits and has no verdict. */
  get waiting(): boolean {
    return this.#parked !== null && this.#parked.verdict === null;
  }

  /** The verdict for a parked statement; false when it no longer waits. */
  resolve(id: number, verdict: HoldVerdict): boolean {
    const parked = this.#parked;
    if (!parked || parked.id !== id || parked.verdict) return false;
    parked.verdict = verdict;
    const at = this.#session.clock();
    this.#session.record({ t: "held", n: parked.run.n, verdict: verdict.effect, at });
    return true;
  }

  /** The server discards what is parked: an earlier message of its cycle failed. */
  skip(): void {
    if (!this.#parked) return;
    const message = "an earlier statement failed";
    this.resolve(this.#parked.id, { effect: "deny", code: "SKIPPED", message });
  }

  /** The parked message is dropped. */
  discard(): void {
    const parked = this.#parked;
    this.#parked = null;
    if (!parked) return;
    parked.run.tag = "SKIPPED";
    this.#session.outcome(parked.run);
  }

  /** The parked statement that is given again, once it has its verdict. */
  take(): Parked | null | "waiting" {
    const parked = this.#parked;
    if (!parked) return null;
    if (!parked.verdict) return "waiting";
    this.#parked = null;
    return parked;
  }

  /** Parks the message in hand. False when the host gave its verdict at once. */
  park(
    protocol: "simple" | "extended",
    text: string,
    decision: StatementDecision,
    run: Run,
    params: readonly RecordedParam[],
  ): boolean {
    this.#count += 1;
    const id = this.#count;
    const parked: Parked = { id, run, decision, verdict: null };
    this.#parked = parked;
    const hold: GateHold = { id, n: run.n, protocol, text, decision, params, notice: this.#notice };
    this.#session.host.hold!(hold);
    return parked.verdict === null;
  }
}
