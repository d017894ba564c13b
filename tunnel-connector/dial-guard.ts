/**
 * What a connector takes from the edge, and what not: it must be safe against an edge that is not itself any
 * more (attacks C4 to C6). The edge chooses among settings that bind a session tighter; it cannot name a role,
 * a library to load, another path for names or another database.
 */
import type { Dial } from "../wire/control.ts";

const PINNED: Readonly<Record<string, RegExp>> = {
  client_encoding: /^UTF8$/,
  standard_conforming_strings: /^on$/,
  search_path: /^"?public"?, *"?pg_temp"?$/,
  row_security: /^on$/,
  statement_timeout: /^[1-9]\d{0,9}(ms|s)?$/,
  idle_in_transaction_session_timeout: /^[1-9]\d{0,9}(ms|s)?$/,
};
const OPTIONAL: Readonly<Record<string, RegExp>> = {
  backslash_quote: /^safe_encoding$/,
  transform_null_equals: /^off$/,
  lock_timeout: /^[1-9]\d{0,9}(ms|s)?$/,
  default_transaction_read_only: /^on$/,
};
const PARAMETER = /^wicket\.p_[a-z0-9_]{1,64}$/;
const MAX_PARAMETER = 16 * 1024;

/** What is wrong with a dial; null when it may be followed. */
export function dialFault(dial: Dial, now: number): string | null {
  const { options, task } = dial;
  if (dial.deadline <= now) return "the session's time is over already";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(dial.session)) return "the session's name is malformed";
  for (const [name, pattern] of Object.entries(PINNED)) {
    const value = options[name];
    if (value === undefined || !pattern.test(value)) return `the setting ${name} is not pinned as it must be`;
  }
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(PINNED, name)) continue;
    const pattern = Object.hasOwn(OPTIONAL, name) ? OPTIONAL[name]! : null;
    const good = pattern ? pattern.test(value) : PARAMETER.test(name) && value.length <= MAX_PARAMETER;
    if (!good || value.includes("\0"))
      return `the setting ${JSON.stringify(name).slice(0, 80)} is not one that an edge may give`;
  }
  if (task.readOnly && options["default_transaction_read_only"] !== "on") {
    return "a task that only reads must come with a session that only reads";
  }
  return null;
}
