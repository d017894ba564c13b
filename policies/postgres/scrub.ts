/**
 * What of the server's errors and notices a task may see. Everything that a statement computes is computed over
 * the task's views, so most messages are harmless; what is not comes from constraints, triggers and functions,
 * which see the stored rows. The connector scrubs before it records or forwards, and the gate scrubs again.
 */
import type { ErrorFields } from "../../wire/postgres/messages.ts";
import type { Task } from "../task.ts";
import type { NamedConstraints } from "./constraints.ts";

/**
 * Stands in a text that a rewritten write casts to a number when a row breaks the row rule, so that the server
 * raises an error; followed by the rule's `file:line` and a closing bracket.
 */
export const CHECK_MARKER = "[wicket:row-rule ";

/** The same for a masked value that is written back; followed by the column's name. */
export const MASKED_MARKER = "[wicket:masked-value ";

/** The same when a relation is no more the one that the session's catalog has; followed by its name. */
export const CHANGED_MARKER = "[wicket:changed ";

/** The same for a channel given as a parameter that the task does not list; followed by those that it does. */
export const CHANNEL_MARKER = "[wicket:channel ";

/** SQLSTATE object_not_in_prerequisite_state */
const CHANGED = "55000";

/** SQLSTATE with_check_option_violation. */
const CHECK_VIOLATION = "44000";

/** Severity, its fixed form, code, message, position, and where in the server's source it was raised. */
const KEPT = ["S", "V", "C", "M", "P", "F", "L", "R"] as const;

/** Found while the statement is analysed: about names and types only. Detail and hint are of use then. */
const ANALYSIS = /^42/;

/** Integrity constraints and raised exceptions, whose texts a trigger or a constraint's author chose. */
const AUTHORED = /^(P0|23|2F|38|39|44|HV)/;

/** Warnings of the server about the transaction, a cut identifier, or an escape in a literal. */
const HARMLESS_NOTICES = /^(25...|42622|22P06)$/;

/** The context that the block around a TRUNCATE adds (writes.ts); a task runs no other block. */
const OWN_BLOCK =
  /(^|\n)SQL statement "TRUNCATE TABLE [^\n]*"\nPL\/pgSQL function inline_code_block line 1 at SQL statement$/;

export function scrubError(
  fields: ErrorFields,
  task: Pick<Task, "name">,
  constraints: NamedConstraints | null = null,
): ErrorFields {
  const out: Record<string, string> = pick(fields, KEPT);
  const message = out["M"] ?? "";
  const rule = marked(message, CHECK_MARKER);
  if (rule !== null) {
    return {
      ...out,
      C: CHECK_VIOLATION,
      M: `new row violates the row rule of task ${task.name}`,
      H: `See ${rule}.`,
    };
  }
  const column = marked(message, MASKED_MARKER);
  if (column !== null) {
    const H = "Leave the column out of the statement, or write its real value.";
    return { ...out, C: CHECK_VIOLATION, M: `column ${column} would be overwritten with its mask`, H };
  }
  const channels = marked(message, CHANNEL_MARKER);
  if (channels !== null) {
    const H = `It may send to ${channels}.`;
    return { ...out, C: "42501", M: `task ${task.name} may not send to this channel`, H };
  }
  const relation = marked(message, CHANGED_MARKER);
  if (relation !== null) {
    const M = `the definition of ${relation} has changed since this session began`;
    return { ...out, C: CHANGED, M, H: "Connect again." };
  }
  const code = out["C"] ?? "";
  const named = code.startsWith("23") ? constraints?.describe(fields) : null;
  if (named) return { ...out, M: standIn(code), ...named };
  // The schema was added by the rewriting.
  if (ANALYSIS.test(code)) out["M"] = message.replaceAll(/\bpg_catalog\.(?=\w)/g, "");
  const context = fields["W"]?.replace(OWN_BLOCK, "") || undefined;
  const inFunction = context !== undefined || fields["q"] !== undefined;
  if (ANALYSIS.test(code) && !inFunction) {
    const H =
      "A whole row is a record here: name its column where the table is read, as in (t).column or t.column.";
    const record = / in record data type$/.test(message) ? { H } : {};
    return { ...out, ...pick(fields, ["D", "H"]), ...record };
  }
  if (AUTHORED.test(code) || (inFunction && /function/i.test(context ?? "function")))
    out["M"] = standIn(code);
  return out;
}

/** Null when the notice is kept back. */
export function scrubNotice(fields: ErrorFields, _task: Pick<Task, "name">): ErrorFields | null {
  if (fields["W"] !== undefined || !HARMLESS_NOTICES.test(fields["C"] ?? "")) return null;
  return pick(fields, KEPT);
}

/** Both, in the form that the gate takes. */
export const scrubber = { error: scrubError, notice: scrubNotice } as const;

/** What stands behind a marker in a message; null when the marker is not there. */
function marked(message: string, marker: string): string | null {
  const at = message.indexOf(marker);
  return at < 0 ? null : message.slice(at + marker.length).split("]")[0]!;
}

function pick(fields: ErrorFields, keys: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const key of keys) {
    const value = fields[key];
    if (value !== undefined) out[key] = value;
  }
  return out;
}

/** PostgreSQL documentation, appendix A: the condition in words, without names or values. */
function standIn(code: string): string {
  const words: Readonly<Record<string, string>> = {
    "23502": "a column that may not be null would be null",
    "23503": "a row that is referred to is missing, or a row is still referred to",
    "23505": "a value that must be unique exists already",
    "23514": "a value does not fulfil a check",
    "23P01": "a value conflicts with an existing one",
    P0001: "a function or trigger of the database refused this",
  };
  return words[code] ?? `a function, trigger or constraint of the database refused this (${code})`;
}
