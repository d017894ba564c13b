/** What the decider says of one Query or Parse text. Shared by the gate, the console and `wicket policy explain`. */
export interface StatementDecision {
  readonly effect: "allow" | "deny" | "hold";
  /** Stable UPPER_SNAKE code: `ALLOWED`, `RELATION_NOT_GRANTED`, `SYNTAX_ERROR`, … */
  readonly reason: string;
  /** One sentence for the person: what was refused and why. Empty for allow. */
  readonly message: string;
  /** What to do next; null when there is nothing useful to say. */
  readonly hint: string | null;
  /** SQLSTATE for a refusal: 42501 for policy, 42601 for syntax, 54000 for a cap, … */
  readonly sqlstate: string;
  /** 1-based character position in the original text (ErrorResponse field P); null when unknown. */
  readonly position: number | null;
  /** `tasks/x.yaml:12` of the rule that decided; null when no single rule did. */
  readonly rule: string | null;
  /** The text for the server; null unless allowed or held. */
  readonly rewritten: string | null;
  /** One entry a statement in the text, in order; empty text has none. */
  readonly statements: readonly StatementSummary[];
  /** `schema.name` of each relation of the task that the text touches, sorted, once each. */
  readonly relations: readonly string[];
  /** `schema.relation.column` of each masked column that a touched relation shows, sorted. */
  readonly masked: readonly string[];
  /** Statement fingerprint of libpg_query (16 hex digits), null when not parsed. */
  readonly fingerprint: string | null;
  /** What is written down in place of the texts, when they hold secrets; null or absent when they do not. */
  readonly recorded?: { readonly text: string; readonly rewritten: string | null } | null;
}

export interface StatementSummary {
  /** libpg_query node name without `Stmt`: `Select`, `Update`, `Transaction`, `Copy`, … */
  readonly kind: string;
  /** `read`, `write`, `session` (settings, transactions, cursors), `none`. */
  readonly effect: "read" | "write" | "session" | "none";
  /** True when rows of this statement count against the task's `rows` limit. */
  readonly returnsRows: boolean;
  /** For COPY … FROM STDIN that was allowed. */
  readonly copyIn: boolean;
  /** True when a lookup predicate was used. */
  readonly lookup: boolean;
  /**
   * For Prepare, Deallocate, Discard, DeclareCursor and ClosePortal: the name, null for ALL. The gate forgets a
   * statement or portal of its own that has this name; without it (undefined) it forgets all that have one.
   */
  readonly name?: string | null;
  /** For what puts settings back to those of the session's start: the setting, null for all. */
  readonly resets?: string | null;
  /** Of LISTEN: the channel, whose notifications the client may see from now on. */
  readonly channel?: string;
  /** The command tag that the user's own statement has, where the text that is sent has another one. */
  readonly tag?: string;
}

/** Decides texts under one task on one database. Synchronous; caches by text. */
export interface StatementDecider {
  decide(text: string): StatementDecision;
  /** The client bound a portal of this name through the gate: FETCH and MOVE may name it, as a cursor of DECLARE. */
  bound?(portal: string): void;
}
