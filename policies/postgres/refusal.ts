/** Why a statement is refused. */
export interface Refusal {
  /** Stable code, UPPER_SNAKE. */
  readonly code: string;
  /** One sentence for the person. */
  readonly message: string;
  readonly hint: string | null;
  readonly sqlstate: string;
  /** Byte offset in the text; null when unknown. */
  readonly at: number | null;
  /** `file:line` of the rule that decided; null when none did. */
  readonly rule: string | null;
}

/** SQLSTATE insufficient_privilege, that of every refusal by policy. */
export const DENIED = "42501";
export const SYNTAX_ERROR = "42601";
/** program_limit_exceeded */
export const TOO_LARGE = "54000";

export function refusal(
  code: string,
  message: string,
  more: { hint?: string | null; at?: number | null; rule?: string | null; sqlstate?: string } = {},
): Refusal {
  return {
    code,
    message,
    hint: more.hint ?? null,
    sqlstate: more.sqlstate ?? DENIED,
    at: more.at ?? null,
    rule: more.rule ?? null,
  };
}
