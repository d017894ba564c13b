/** The start of a client's session: its StartupMessage checked, and the greeting that answers it. */

import { concat } from "../../wire/bytes.ts";
import {
  authenticationOk,
  backendKeyData,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from "../../wire/postgres/backend.ts";
import { TransactionStatus } from "../../wire/postgres/messages.ts";
import type { StartupPacket } from "../../wire/postgres/startup.ts";
import type { TaskLimits } from "../task.ts";
import type { ClientStartup, GateReason } from "./gate-types.ts";
import { SEARCH_PATH } from "./settings.ts";

/** Newest protocol 3 minor version spoken here. */
export const NEWEST_MINOR = 2;

export interface AcceptedStartup extends ClientStartup {
  /** Minor protocol version that both speak. */
  readonly minor: number;
  /** `_pq_.` options that were asked for; none is supported. */
  readonly unsupported: readonly string[];
  /** True when NegotiateProtocolVersion must be sent. */
  readonly negotiate: boolean;
  /** Settings to make on the server for the client, checked. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

export type StartupResult =
  | { readonly ok: true; readonly startup: AcceptedStartup }
  | { readonly ok: false; readonly reason: GateReason };

/** Settings a client may make at start-up, by lower-case name: the server's name and what a value must match. */
const harmless: Readonly<Record<string, { readonly name: string; readonly value: RegExp }>> = {
  datestyle: { name: "DateStyle", value: /^[A-Za-z, ]{1,32}$/ },
  intervalstyle: { name: "IntervalStyle", value: /^[A-Za-z_]{1,32}$/ },
  timezone: { name: "TimeZone", value: /^[A-Za-z0-9_+\-/:<>., ]{1,64}$/ },
  extra_float_digits: { name: "extra_float_digits", value: /^-?\d{1,2}$/ },
  client_min_messages: { name: "client_min_messages", value: /^[A-Za-z0-9]{1,16}$/ },
  jit: { name: "jit", value: /^(on|off|true|false)$/i },
  default_transaction_read_only: { name: "default_transaction_read_only", value: /^(on|true)$/i },
};
/** Timeouts in milliseconds: a client may shorten, never switch off. */
const timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

/** Checks a StartupMessage (PostgreSQL documentation, "Start-up"; attack P3). */
export function readStartup(
  packet: Extract<StartupPacket, { kind: "startup" }>,
  limits: TaskLimits,
): StartupResult {
  if (packet.major !== 3) {
    return refuse(
      "PROTOCOL_VERSION",
      "0A000",
      `unsupported frontend protocol ${packet.major}.${packet.minor}`,
    );
  }
  const seen = new Map<string, string>();
  for (const [name, value] of packet.parameters) {
    const key = name.toLowerCase();
    if (seen.has(key))
      return refuse("STARTUP_PARAMETER_TWICE", "08P01", `startup parameter "${name}" is given twice`);
    seen.set(key, value);
  }
  const user = seen.get("user") ?? "";
  if (user === "") {
    return refuse("STARTUP_NO_USER", "28000", "no PostgreSQL user name specified in startup packet");
  }
  const settings: [string, string][] = [];
  const unsupported: string[] = [];
  const parameters: Record<string, string> = {};
  const options = optionSettings(seen.get("options") ?? "");
  const asked = packet.parameters.flatMap(([name, value]) =>
    name.toLowerCase() === "options" ? (options ?? [[name, value] as const]) : [[name, value] as const],
  );
  for (const [name, value] of asked) {
    const verdict = checkParameter(name, value, limits);
    if (verdict === "unsupported") unsupported.push(name);
    else if (verdict === "refused") {
      return refuse(
        "STARTUP_PARAMETER_REFUSED",
        "42501",
        `startup parameter "${name}" cannot be set to this value through this gate`,
      );
    } else {
      if (verdict !== "known") settings.push([verdict.name, value]);
      parameters[name] = value;
    }
  }
  const database = seen.get("database") || user;
  const minor = Math.min(packet.minor, NEWEST_MINOR);
  const negotiate = packet.minor > NEWEST_MINOR || unsupported.length > 0;
  return { ok: true, startup: { user, database, parameters, minor, unsupported, negotiate, settings } };
}

function checkParameter(
  name: string,
  value: string,
  limits: TaskLimits,
): "known" | "unsupported" | "refused" | { readonly name: string } {
  const key = name.toLowerCase();
  if (key.startsWith("_pq_.")) return "unsupported";
  switch (key) {
    case "user":
    case "database":
      return value.length <= 256 ? "known" : "refused";
    case "application_name":
      return value.length <= 256 ? "known" : "refused";
    case "client_encoding":
      return isUtf8Name(value) ? "known" : "refused";
    case "standard_conforming_strings":
      return value.toLowerCase() === "on" ? "known" : "refused";
    case "replication":
      return ["false", "off", "no", "0"].includes(value.toLowerCase()) ? "known" : "refused";
    case "search_path":
      return isPinnedPath(value) ? "known" : "refused";
    case "options":
      return "refused";
  }
  if (timeouts.includes(key)) {
    const milliseconds = /^\d{1,9}$/.test(value) ? Number(value) : 0;
    const most = key === "statement_timeout" ? (limits.statementTimeoutMs ?? Infinity) : Infinity;
    return milliseconds > 0 && milliseconds <= most ? { name: key } : "refused";
  }
  const setting = Object.hasOwn(harmless, key) ? harmless[key] : undefined;
  return setting?.value.test(value) ? { name: setting.name } : "refused";
}

/** Startup parameters that are no settings: the server takes them in the packet only. */
const PACKET_ONLY = /^(user|database|replication|options|_pq_\..*)$/i;

/**
 * The settings in the parameter `options`, where words are divided by blanks and a backslash keeps the next character
 * (pg_split_opts in PostgreSQL's postinit.c); null when it has anything but `-c name=value` and `--name=value`.
 */
function optionSettings(options: string): (readonly [name: string, value: string])[] | null {
  const words = (options.match(/(?:\\.|[^\s\\])+/gs) ?? []).map((word) => word.replace(/\\(.)/gs, "$1"));
  const settings: (readonly [string, string])[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const text = word === "-c" ? words[++at] : /^(?:-c|--)(?=.)/.test(word) ? word.slice(2) : undefined;
    const equals = text?.indexOf("=") ?? -1;
    if (text === undefined || equals < 1) return null;
    const name = text.slice(0, equals).replaceAll("-", "_");
    if (PACKET_ONLY.test(name)) return null;
    settings.push([name, text.slice(equals + 1)]);
  }
  return settings;
}

/** True for the path that every session has anyway (pins.ts), with or without its last part. */
function isPinnedPath(value: string): boolean {
  const schemas = value.split(",").map((part) => part.trim().replace(/^"(.*)"$/, "$1"));
  return (
    schemas.length > 0 &&
    schemas.length <= SEARCH_PATH.length &&
    schemas.every((one, i) => one === SEARCH_PATH[i])
  );
}

/** The spellings of UTF-8 that PostgreSQL takes (it compares letters and digits only), and clients' quotes. */
export function isUtf8Name(value: string): boolean {
  const letters = value.toLowerCase().replace(/[^a-z0-9]/g, "");
  return letters === "utf8" || letters === "unicode";
}

/** One Query text that makes the settings; values were checked to hold no quote and no backslash. */
export function settingsText(settings: AcceptedStartup["settings"]): string {
  return settings.map(([name, value]) => `SET ${name} TO '${value}'`).join("; ");
}

function refuse(code: string, sqlstate: string, message: string): StartupResult {
  return { ok: false, reason: { code, message, sqlstate } };
}

/** Parameters whose value the database session must keep; a change ends the session. */
const pinned = [
  "client_encoding",
  "standard_conforming_strings",
  "search_path",
  "session_authorization",
  "is_superuser",
  "server_version",
  "server_encoding",
  "integer_datetimes",
];
/** Parameters that may change and are passed on. */
const reported = [
  "application_name",
  "DateStyle",
  "IntervalStyle",
  "TimeZone",
  "in_hot_standby",
  "scram_iterations",
  "default_transaction_read_only",
];

/** What the settings of the database session are, and whether they stay what they must be. */
export class SessionParameters {
  readonly #values = new Map<string, string>();
  /** True when the session began read-only: the task writes nothing. */
  readonly #readOnly: boolean;

  constructor(parameters: Readonly<Record<string, string>>) {
    this.#readOnly = parameters["default_transaction_read_only"] === "on";
    for (const [name, value] of Object.entries(parameters)) this.#values.set(name, value);
  }

  /** Null when the session may start, else what is wrong: text must mean to the server what it means here. */
  check(): string | null {
    if (!isUtf8Name(this.#values.get("client_encoding") ?? "")) return "client_encoding is not UTF8";
    if (this.#values.get("standard_conforming_strings") !== "on")
      return "standard_conforming_strings is not on";
    return null;
  }

  /** A ParameterStatus arrived: pass it on, keep it back, or (a sentence) end the session. */
  change(name: string, value: string): "pass" | "drop" | { readonly wrong: string } {
    const before = this.#values.get(name);
    if (pinned.includes(name)) {
      if (before === value) return "drop";
      // PostgreSQL 18 reports the path as it was written; the pinned one may be set again.
      if (name === "search_path" && samePath(before ?? "", value)) return "drop";
      return { wrong: `the server reports that ${name} has changed` };
    }
    if (!reported.includes(name)) return "drop";
    if (name === "default_transaction_read_only" && this.#readOnly && value !== "on")
      return { wrong: "the server reports that the session is no longer read-only" };
    this.#values.set(name, value);
    return "pass";
  }

  /** The greeting: everything from AuthenticationOk to ReadyForQuery. */
  greeting(
    startup: AcceptedStartup,
    cancelKey: { readonly processId: number; readonly secretKey: Uint8Array },
    session: string | undefined,
  ): Uint8Array {
    const parts: Uint8Array[] = [];
    if (startup.negotiate) parts.push(negotiateProtocolVersion(startup.minor, startup.unsupported));
    parts.push(authenticationOk());
    for (const [name, value] of this.#values) {
      if (!pinned.includes(name) && !reported.includes(name)) continue;
      parts.push(parameterStatus(name, this.#shown(name, value, startup)));
    }
    if (session !== undefined) parts.push(parameterStatus("wicketgate.session", session));
    // Before protocol 3.2 a key has exactly four bytes.
    const key = startup.minor >= 2 ? cancelKey.secretKey : cancelKey.secretKey.subarray(0, 4);
    parts.push(backendKeyData(cancelKey.processId, key), readyForQuery(TransactionStatus.Idle));
    return concat(parts);
  }

  /** The client's own name in place of the credential's, which is the connector's secret. */
  #shown(name: string, value: string, startup: AcceptedStartup): string {
    if (name === "session_authorization") return startup.user;
    if (name === "application_name") return startup.parameters["application_name"] ?? value;
    return value;
  }
}

/** True when two values of search_path are the same list. */
function samePath(left: string, right: string): boolean {
  const parts = (path: string) => path.split(",").map((part) => part.trim());
  return parts(left).join(",") === parts(right).join(",");
}
