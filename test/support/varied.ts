/** Texts of one shape: the same statement with other values, to hold a decision by shape against one in full. */
import { createDecider, type DeciderOptions } from "../../policies/postgres/decide.ts";
import type { StatementDecision } from "../../policies/postgres/decision.ts";
import { type Literal, shapeOf, signBefore } from "../../policies/postgres/shape.ts";

const STRINGS = [
  "",
  "it''s",
  "now",
  "müller 😀",
  "-- no comment /*",
  "SELECT",
  "public.secrets",
  "2024-01-01",
  "%_%",
];

const COMMENTS = ["", " it's", " = ; $1", "é 'x", " SELECT 1 FROM secrets", "-", "--", "* $$ \\"];

/** The text with other values for those of its literals that `may` vary, of the same kinds; null when it has no shape. */
export function varied(text: string, n: number, may: readonly boolean[] | null = null): string | null {
  const shape = shapeOf(text);
  if (!shape) return null;
  let out = "";
  let at = 0;
  for (const [index, { kind, start, end }] of shape.literals.entries()) {
    const other = may?.[index] === false ? text.slice(start, end) : otherValue(kind, n * 7 + index);
    // `-0` has no shape.
    out += text.slice(at, start) + (other === "0" && signBefore(text, start) !== null ? "7" : other);
    at = end;
  }
  return out + text.slice(at);
}

function otherValue(kind: Literal["kind"], n: number): string {
  if (kind === "string") return `'${STRINGS[n % STRINGS.length]!}'`;
  if (kind === "block") return `/*${COMMENTS[n % COMMENTS.length]!}*/`;
  if (kind === "line") return `--${COMMENTS[n % COMMENTS.length]!}`;
  if (kind === "numeric") return `${n % 3}.${n}5`;
  return kind === "int8"
    ? String(10_000_000_000 + n ** 5)
    : String(n % 4 === 0 ? n % 8 : (n * 7919) % 1_000_000_000);
}

/**
 * Decides a text by its shape, after two others of that shape, and throws when that is not what it is decided in full.
 * Deciding the others must leave nothing behind, so only texts without cursors and tables of the session's own go so.
 */
export function decideBothWays(options: DeciderOptions): (text: string) => StatementDecision {
  const decider = createDecider(options);
  const inFull = createDecider({ ...options, byShape: false });
  return (text) => {
    if (/^\s*(?:select|table|values|with|insert|update|delete)\b/i.test(text)) {
      for (const n of [1, 2]) {
        const other = varied(text, n);
        if (other !== null) decider.decide(other);
      }
    }
    const [decided, meant] = [decider.decide(text), inFull.decide(text)];
    if (spelled(decided) !== spelled(meant)) {
      throw new Error(`by shape: ${spelled(decided)}\nin full: ${spelled(meant)}`);
    }
    return decided;
  };
}

function spelled(decision: StatementDecision): string {
  const { effect, reason, message, hint, sqlstate, position, rule, rewritten, recorded } = decision;
  const { statements, relations, masked, fingerprint } = decision;
  const parts = [effect, reason, message, hint, sqlstate, position, rule, rewritten, recorded ?? null];
  return JSON.stringify([...parts, statements, relations, masked, fingerprint]);
}
