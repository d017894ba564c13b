/** Errors that the gate speaks: refusals in place of a statement, and the last words of a session. */
import { errorResponse, noticeResponse } from "../../wire/postgres/backend.ts";
import { parseMessage, queryMessage } from "../../wire/postgres/frontend.ts";
import type { ErrorFields, Malformed } from "../../wire/postgres/messages.ts";
import type { StatementDecision } from "./decision.ts";
import type { GateReason } from "./gate-types.ts";
import { MAX_NAME_BYTES, RESERVED_NAME } from "./names.ts";

/** Why a message is not carried out, in the terms of an ErrorResponse. */
export interface Refusal {
  readonly code: string;
  readonly sqlstate: string;
  readonly message: string;
  readonly hint: string | null;
  readonly position: number | null;
  readonly rule: string | null;
}

/**
 * A text that no version of PostgreSQL parses. Sent in place of what is refused, so that the server itself
 * keeps order, transaction state and the discarding of what follows. The server's log shows it.
 */
const unparsable = "wicketgate refused this statement";
/** A name under which nothing is ever prepared: unlike the unnamed statement, failing to parse it drops nothing. */
export const UNUSED_NAME = RESERVED_NAME;

/** Fails in place of a Query or FunctionCall: an error and ReadyForQuery. */
export const mustFailQuery = queryMessage(unparsable);
/** Fails in place of an extended-protocol message that is no Parse. */
export const mustFailExtended = parseMessage(UNUSED_NAME, unparsable);
/** Fails in place of a Parse; like any Parse of the unnamed statement it drops the one before. */
export const mustFailUnnamedParse = parseMessage("", unparsable);

/** The refusal that a decision is. */
export function refusalOf(decision: StatementDecision): Refusal {
  return {
    code: decision.reason,
    sqlstate: decision.sqlstate,
    message: decision.message,
    hint: decision.hint,
    position: decision.position,
    rule: decision.rule,
  };
}

export function refusal(
  code: string,
  sqlstate: string,
  message: string,
  hint: string | null = null,
): Refusal {
  return { code, sqlstate, message, hint, position: null, rule: null };
}

/**
 * A name of a prepared statement or portal that the server would not keep apart from another one; null for a fit one.
 * The server compares the first 63 bytes (dynahash over NAMEDATALEN), so a longer name can also mean what SQL made.
 */
export function unfitName(name: string): Refusal | null {
  if (name.startsWith(RESERVED_NAME)) {
    return refusal("NAME_TAKEN", "42501", `names that begin with ${RESERVED_NAME} are the gate's own`);
  }
  if (name.length * 3 <= MAX_NAME_BYTES || new TextEncoder().encode(name).length <= MAX_NAME_BYTES)
    return null;
  return refusal("NAME_TOO_LONG", "42622", `a name may have ${MAX_NAME_BYTES} bytes, no more`);
}

/** A refusal of a body that does not decode, worded as PostgreSQL words it. */
export function malformed(what: Malformed): Refusal {
  if (what === "NOT_UTF8") {
    return refusal("ENCODING_INVALID", "22021", 'invalid byte sequence for encoding "UTF8"');
  }
  return refusal("MESSAGE_MALFORMED", "08P01", "invalid message format");
}

/** The ErrorResponse of a refusal. DETAIL is the stable code; the hint names the rule. */
export function refusalFields(of: Refusal): ErrorFields {
  const rule = of.rule === null ? null : `Decided by ${of.rule}.`;
  const hint = [of.hint, rule].filter((part) => part !== null && part !== "").join(" ");
  return {
    S: "ERROR",
    V: "ERROR",
    C: of.sqlstate,
    M: of.message,
    D: `Reason: ${of.code}.`,
    ...(hint === "" ? {} : { H: hint }),
    ...(of.position === null ? {} : { P: String(of.position) }),
  };
}

/** The ErrorResponse that ends a session. */
export function fatalError(reason: GateReason): Uint8Array {
  return errorResponse({
    S: "FATAL",
    V: "FATAL",
    C: reason.sqlstate,
    M: reason.message,
    D: `Reason: ${reason.code}.`,
  });
}

/** A NOTICE of the gate's own. */
export function gateNotice(message: string, hint?: string): Uint8Array {
  return noticeResponse({
    S: "NOTICE",
    V: "NOTICE",
    C: "00000",
    M: message,
    ...(hint === undefined ? {} : { H: hint }),
  });
}

/** What is left of an error when nobody said better: severity, SQLSTATE and message. */
export function bareFields(fields: ErrorFields): ErrorFields {
  const severity = fields["V"] ?? fields["S"] ?? "ERROR";
  return {
    S: fields["S"] ?? severity,
    V: severity,
    C: /^[0-9A-Z]{5}$/.test(fields["C"] ?? "") ? fields["C"]! : "XX000",
    M: fields["M"] ?? "",
    ...(fields["P"] === undefined ? {} : { P: fields["P"] }),
  };
}
