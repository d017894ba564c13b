/** Session settings that a statement may change or read. Everything else is refused. */
import { READABLE_SETTINGS } from "./functions.generated.ts";

/** `any`: every value; a pattern: the value in text form, matched whole and without regard to case. */
type Allowed = "any" | RegExp;

const ON = /^(on|true|yes|1|t|y)$/i;
const UTF8 = /^(utf-?8|unicode|utf_8)$/i;

/**
 * Settings that change how values are printed, how a plan is searched for, or how long the session itself may
 * wait; none changes what is visible, how a text is read, or how names are resolved. `statement_timeout` and the
 * other timeouts are the task's, so they are not here (pins.ts).
 */
const SETTABLE: Readonly<Record<string, Allowed>> = {
  application_name: /^[\x20-\x7e]{0,64}$/,
  bytea_output: "any",
  client_encoding: UTF8,
  client_min_messages: "any",
  datestyle: "any",
  extra_float_digits: "any",
  intervalstyle: "any",
  lc_monetary: "any",
  lc_numeric: "any",
  lc_time: "any",
  standard_conforming_strings: ON,
  escape_string_warning: "any",
  synchronize_seqscans: "any",
  timezone: "any",
  xmlbinary: "any",
  xmloption: "any",
  default_transaction_isolation: "any",
  default_transaction_deferrable: "any",
  default_text_search_config: /^(pg_catalog\.)?[a-z_]{1,40}$/,
  transaction_isolation: "any",
  transaction_deferrable: "any",
  transaction_read_only: ON,
  default_transaction_read_only: ON,
  row_security: ON,
  cursor_tuple_fraction: "any",
  enable_bitmapscan: "any",
  enable_hashagg: "any",
  enable_hashjoin: "any",
  enable_incremental_sort: "any",
  enable_indexonlyscan: "any",
  enable_indexscan: "any",
  enable_material: "any",
  enable_memoize: "any",
  enable_mergejoin: "any",
  enable_nestloop: "any",
  enable_parallel_append: "any",
  enable_parallel_hash: "any",
  enable_partition_pruning: "any",
  enable_partitionwise_aggregate: "any",
  enable_partitionwise_join: "any",
  enable_seqscan: "any",
  enable_sort: "any",
  enable_tidscan: "any",
  from_collapse_limit: "any",
  geqo: "any",
  join_collapse_limit: "any",
  jit: "any",
  max_parallel_workers_per_gather: /^[0-4]$/,
  random_page_cost: "any",
  seq_page_cost: "any",
};

/** Settings that writing tasks may also turn off. */
const WRITE_MODE = new Set(["transaction_read_only", "default_transaction_read_only"]);

/** The pinned path of every session (pins.ts). A statement may set just this, in either spelling. */
export const SEARCH_PATH = ["public", "pg_temp"] as const;

export type SettingVerdict = "allowed" | "refused" | "pinned-path";

/**
 * Whether a setting may be given these values.
 * @param values constant values in text form
 * @param writes true when the task has a write rule
 */
export function maySet(name: string, values: readonly string[], writes: boolean): SettingVerdict {
  const key = name.toLowerCase();
  if (key === "search_path") return isPinnedPath(values) ? "pinned-path" : "refused";
  if (!Object.hasOwn(SETTABLE, key)) return "refused";
  const allowed = SETTABLE[key]!;
  if (allowed === "any" || (writes && WRITE_MODE.has(key))) return "allowed";
  return values.every((value) => allowed.test(value)) && values.length <= 1 ? "allowed" : "refused";
}

/** `public` alone, `public, pg_temp`, and the same as one string. */
function isPinnedPath(values: readonly string[]): boolean {
  const parts = values
    .flatMap((value) => value.split(","))
    .map((part) => part.trim().replace(/^"([^"]*)"$/, "$1"));
  if (parts[0] !== SEARCH_PATH[0]) return false;
  return parts.length === 1 || (parts.length === 2 && parts[1] === SEARCH_PATH[1]);
}

/** The task's, so they go back to what it says (pins.ts). */
const TIMEOUTS = new Set(["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]);

/** Whether RESET may put a setting back: to the value of the session's start, so to the pin where there is one. */
export function mayReset(name: string, pooled: boolean): boolean {
  const key = name.toLowerCase();
  return key === "search_path" || (pooled && TIMEOUTS.has(key)) || Object.hasOwn(SETTABLE, key);
}

/** Whether SHOW and current_setting may read it. */
export function mayShow(name: string): boolean {
  const key = name.toLowerCase();
  return (
    READABLE_SETTINGS.has(key) ||
    READABLE_SETTINGS.has(CANONICAL[key] ?? "") ||
    key === "is_superuser" ||
    key === "session_authorization"
  );
}

/** pg_settings prints some names in mixed case. */
const CANONICAL: Readonly<Record<string, string>> = {
  datestyle: "DateStyle",
  intervalstyle: "IntervalStyle",
  timezone: "TimeZone",
};
