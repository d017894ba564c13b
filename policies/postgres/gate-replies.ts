/** The replies that the server still owes, in order: what the next message of the server must belong to. */
import type { StatementDecision } from "./decision.ts";
import type { Kept } from "./gate-kept.ts";
import type { NameEntry } from "./gate-names.ts";
import type { Refusal } from "./gate-refusal.ts";

/** One statement of the user's on its way, from the decision to its outcome. */
export interface Run {
  /** Number in the session, from 1. */
  readonly n: number;
  readonly decision: StatementDecision | null;
  /** Statements of a Query that are complete. */
  index: number;
  rows: number;
  bytes: number;
  readonly startedAt: number;
  tag: string | null;
  /** Fields C and M of the error that it ended with. */
  error: { readonly sqlstate: string; readonly message: string } | null;
}

/** A statement that the gate let the server parse. */
export interface Prepared {
  readonly text: string;
  readonly decision: StatementDecision;
  /** Where its columns come from was checked (or it has none). */
  verified: boolean;
  /** It was described, and has rows. */
  rows: boolean;
  /** The cycle in which it is being described. */
  describedIn: number;
  /** The server's own statement of this text, in the place of the unnamed one. */
  kept: Kept | null;
  /** The server dropped it, though the client did nothing that does. */
  lost: boolean;
  /** Types of its parameters, as the client gave them. */
  readonly types: readonly number[];
}

/** A portal that the gate let the server bind. */
export interface Portal {
  readonly prepared: Prepared;
  readonly run: Run;
}

export type ReplyKind =
  | "setup"
  | "query"
  | "parse"
  | "bind"
  | "describe_statement"
  | "describe_portal"
  | "execute"
  | "close"
  | "sync";

export interface Reply {
  readonly kind: ReplyKind;
  /** Ends with the Sync or Query of the same cycle. */
  readonly cycle: number;
  /** Not asked for by the client: its replies are kept back. */
  readonly hidden: boolean;
  /** A must-fail text went in place of the message: its error is given this text. */
  readonly refusal: Refusal | null;
  readonly run: Run | null;
  readonly prepared: Prepared | null;
  /** The text that was sent is the user's own (query). */
  readonly sameText: boolean;
  /** The server has the statement already: a Close of nothing went in place of the Parse. */
  readonly known: boolean;
  /** What holds of names when it succeeds. */
  readonly statements: readonly NameEntry<Prepared>[];
  readonly portals: readonly NameEntry<Portal>[];
  readonly cursors: readonly NameEntry<Prepared>[];
  /** The server described rows, so rows may come. */
  rows: boolean;
  copyOut: boolean;
  /** They count against the task's limit. */
  counts: boolean;
  /** ParameterDescription came (describe_statement). */
  parametersSeen: boolean;
  /** Anything of substance came (query): ReadyForQuery may follow. */
  answered: boolean;
}

const none: readonly never[] = [];

/** A reply that is owed; unnamed fields are empty. */
export function owe(
  kind: ReplyKind,
  cycle: number,
  more: Partial<
    Pick<
      Reply,
      "hidden" | "refusal" | "run" | "prepared" | "sameText" | "known" | "statements" | "portals" | "cursors"
    >
  > = {},
): Reply {
  return {
    kind,
    cycle,
    hidden: more.hidden ?? false,
    refusal: more.refusal ?? null,
    run: more.run ?? null,
    prepared: more.prepared ?? null,
    sameText: more.sameText ?? false,
    known: more.known ?? false,
    statements: more.statements ?? none,
    portals: more.portals ?? none,
    cursors: more.cursors ?? none,
    rows: false,
    copyOut: false,
    counts: false,
    parametersSeen: false,
    answered: false,
  };
}

/** First in, first out. */
export class ReplyQueue {
  #queue: Reply[] = [];
  #head = 0;

  get length(): number {
    return this.#queue.length - this.#head;
  }

  get head(): Reply | null {
    return this.#queue[this.#head] ?? null;
  }

  push(reply: Reply): void {
    this.#queue.push(reply);
  }

  shift(): void {
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head >= 256 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * The server discards up to the next Sync: removes what it will not answer. `synced` is false when that
   * Sync was not sent yet.
   */
  discardUntilSync(): { readonly discarded: readonly Reply[]; readonly synced: boolean } {
    let end = this.#head;
    while (end < this.#queue.length && this.#queue[end]!.kind !== "sync") end += 1;
    const discarded = this.#queue.slice(this.#head, end);
    const synced = end < this.#queue.length;
    this.#head = end;
    if (!synced) {
      this.#queue = [];
      this.#head = 0;
    }
    return { discarded, synced };
  }
}

/** Rows of an Execute may come when its statement was described to have some, before it in order. */
export function mayHaveRows(reply: Reply): boolean {
  if (reply.kind !== "execute" || !reply.prepared?.rows) return false;
  reply.rows = true;
  reply.counts = countsRows(reply);
  return true;
}

/** Whether rows of the statement under way count against the task's limit. */
export function countsRows(reply: Reply): boolean {
  const { run } = reply;
  return run?.decision?.statements[run.index]?.returnsRows !== false;
}
