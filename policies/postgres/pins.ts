/**
 * The settings that the connector gives in its own StartupMessage. Settings of the startup packet are the
 * session's defaults: RESET ALL and DISCARD ALL go back to them (PostgreSQL documentation, 53.7 StartupMessage).
 */
import type { SqlRule, Task } from "../task.ts";
import { TOKEN_INNER, TOKEN_OUTER } from "./masks.ts";
import { paramSetting } from "./row-filter.ts";
import { SEARCH_PATH } from "./settings.ts";

/** Used where the task sets none. */
const DEFAULT_STATEMENT_TIMEOUT_MS = 60_000;
const LOCK_TIMEOUT_MS = 10_000;

export interface PinOptions {
  /** The key of the token mask; HMAC-SHA256 pads it to 64 bytes, so at most 64 bytes. */
  readonly tokenKey?: Uint8Array;
}

/** True when the task may change data, or make tables of its own, which a read-only transaction does not let it. */
export function mayWrite(task: Task): boolean {
  if (task.session.temporaryTables) return true;
  return task.rules.some((rule: SqlRule) => rule.verb !== "select");
}

/**
 * Setting → value for a session of the task.
 * @param params the task's parameters as `mayStart` made them canonical
 */
export function startupOptions(
  task: Task,
  params: Readonly<Record<string, string>>,
  options: PinOptions = {},
): Record<string, string> {
  const statement = task.limits.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS;
  const pins: Record<string, string> = {
    client_encoding: "UTF8",
    standard_conforming_strings: "on",
    backslash_quote: "safe_encoding",
    search_path: SEARCH_PATH.join(","),
    row_security: "on",
    transform_null_equals: "off",
    statement_timeout: `${statement}ms`,
    lock_timeout: `${Math.min(LOCK_TIMEOUT_MS, statement)}ms`,
    idle_in_transaction_session_timeout: `${task.session.idleMs}ms`,
  };
  if (!mayWrite(task)) pins["default_transaction_read_only"] = "on";
  for (const name of Object.keys(task.params)) {
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    if (value !== undefined) pins[paramSetting(name)] = value;
  }
  return options.tokenKey ? { ...pins, ...tokenPads(options.tokenKey) } : pins;
}

/** The two padded keys of RFC 2104 in hex, for the connector to add beside `startupOptions`. */
export function tokenPads(key: Uint8Array): Record<string, string> {
  if (key.length < 16 || key.length > 64) throw new Error("the token key must have 16 to 64 bytes");
  const padded = new Uint8Array(64);
  padded.set(key);
  const hex = (mask: number) =>
    Array.from(padded, (byte) => (byte ^ mask).toString(16).padStart(2, "0")).join("");
  return { [TOKEN_INNER]: hex(0x36), [TOKEN_OUTER]: hex(0x5c) };
}

/**
 * The `options` field of a StartupMessage. Backslash escapes white space and itself there (process_postgres_switches
 * splits at white space).
 */
export function encodeOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${`${name}=${value}`.replace(/[\\\s]/g, (char) => `\\${char}`)}`)
    .join(" ");
}
