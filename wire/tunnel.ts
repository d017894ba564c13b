/**
 * Frames between client, edge and connector, on one WebSocket a session.
 *
 * A binary message is data: bytes of the carried protocol, at most `MAX_DATA_FRAME` of them.
 * A text message is control: one JSON object with `t`. Data and control keep their order on a socket. Several
 * `record` messages may travel as one, a line each (JSON.stringify writes no line breaks): see `recordLines`. Towards
 * a connector's session for Postgres a binary message may bring records along with the data: see `joinFrame`.
 * Every data byte is paid for with credit that its receiver granted (window.ts), because workerd has no
 * back-pressure of its own. Control messages cost no credit.
 *
 * A client that does not ask for `CLIENT_SUBPROTOCOL` is a plain bridge: binary messages only, either way.
 */
import * as v from "valibot";

import { Slab } from "./slab.ts";
import { MAX_DATA_FRAME } from "./window.ts";

export {
  FramedSender,
  INITIAL_WINDOW,
  MAX_DATA_FRAME,
  ReceiveWindow,
  RelayWindow,
  SendWindow,
} from "./window.ts";

/** Largest control message, bytes of UTF-8 (the connector's `opened` carries a catalog). */
export const MAX_CONTROL_FRAME = 1024 * 1024;
/** WebSocket subprotocols. */
export const CLIENT_SUBPROTOCOL = "wicket.pg.v1";
export const CONNECTOR_SUBPROTOCOL = "wicket.connector.v1";

/** Why a control message was not understood. */
export type ControlErrorCode =
  | "CONTROL_TOO_LARGE"
  | "CONTROL_MALFORMED"
  | "CONTROL_UNKNOWN"
  | "CONTROL_VERSION";

/** What a parser of control messages returns; `code` is for the `reset` that follows a refusal. */
export type ParsedControl<Message> =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly code: ControlErrorCode; readonly message: string };

const bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const code = v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9_]{0,63}$/, "not an UPPER_SNAKE code"));
const sentence = v.pipe(v.string(), v.maxLength(4096));
const id = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const json = v.record(v.string(), v.unknown());

/** The receiver drained some data: the sender may send `bytes` more. */
const credit = v.object({ t: v.literal("credit"), bytes: v.pipe(bytes, v.minValue(1)) });
/** The sender has no more data. */
const eof = v.object({ t: v.literal("eof") });
/** The session is over, now, and why. */
const reset = v.object({ t: v.literal("reset"), code, message: sentence });
/** To a connector: with `idle`, the target has answered everything, so that there is nothing to cancel. */
const resetTarget = v.object({ ...reset.entries, idle: v.optional(v.boolean()) });

/** The first message of the edge to a client. */
const session = v.object({
  t: v.literal("session"),
  id,
  /** The key the gate gave in BackendKeyData; `secretKey` in hexadecimal, 4 to 32 bytes. */
  cancel: v.object({
    processId: v.pipe(v.number(), v.safeInteger()),
    secretKey: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){4,32}$/)),
  }),
  /** End of the session at the latest, milliseconds since the epoch. */
  expires: milliseconds,
});
/** A statement waits for approval. */
const hold = v.object({ t: v.literal("hold"), url: sentence, request: id });
/** The wait is over. */
const held = v.object({
  t: v.literal("held"),
  request: v.optional(id),
  verdict: v.picklist(["allow", "deny"]),
});

/** The first message of a connector: the target is open and authenticated. */
const opened = v.object({
  t: v.literal("opened"),
  /** ParameterStatus of the target after its start-up. */
  parameters: v.record(v.string(), v.string()),
  /** `server_version_num`. */
  serverVersion: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** A Catalog (policies/postgres/catalog-types.ts), checked by who uses it. */
  catalog: json,
  /** The connector answers `explain`. */
  explains: v.optional(v.boolean()),
});

/** A GateEvent (policies/postgres/gate-events.ts), durable before any later data reaches the target. */
const record = v.object({ t: v.literal("record"), event: json });
/** Cancel what runs, with the target's own key. */
const cancel = v.object({ t: v.literal("cancel") });

/**
 * Ask for the plan of a statement that waits for approval, without running it. `params` as text, for `$1` and so on.
 * A connector that did not say `explains` is not asked.
 */
const explain = v.object({
  t: v.literal("explain"),
  id: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  text: v.string(),
  params: v.array(v.nullable(v.string())),
});

/** A node of a plan: what is done, to what, and how much of it is expected. No value and no expression is in it. */
export interface PlanNode {
  /** `Update`, `Index Scan`, … */
  readonly node: string;
  /** `schema.relation`; null when it reads no relation itself. */
  readonly on: string | null;
  /** Name of the index. */
  readonly index: string | null;
  /** Estimated rows. */
  readonly rows: number;
  /** Estimated total cost, in units of the planner. */
  readonly cost: number;
  readonly plans: readonly PlanNode[];
}

const planName = v.pipe(v.string(), v.maxLength(200));
const planNode: v.GenericSchema<PlanNode> = v.object({
  node: planName,
  on: v.nullable(planName),
  index: v.nullable(planName),
  rows: v.pipe(v.number(), v.minValue(0)),
  cost: v.pipe(v.number(), v.minValue(0)),
  plans: v.pipe(v.array(v.lazy(() => planNode)), v.maxLength(64)),
});
/** The answer to `explain`: the plan, or one sentence why there is none. */
const plan = v.object({
  t: v.literal("plan"),
  id: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  plan: v.nullable(planNode),
  message: v.optional(sentence),
});

const clientToEdge = v.variant("t", [credit, eof, reset]);
const edgeToClient = v.variant("t", [credit, eof, reset, session, hold, held]);
const connectorToEdge = v.variant("t", [credit, eof, reset, opened, plan]);
const edgeToConnector = v.variant("t", [credit, eof, resetTarget, record, cancel, explain]);

export type ClientToEdge = v.InferOutput<typeof clientToEdge>;
export type EdgeToClient = v.InferOutput<typeof edgeToClient>;
export type ConnectorToEdge = v.InferOutput<typeof connectorToEdge>;
export type EdgeToConnector = v.InferOutput<typeof edgeToConnector>;
/** Any message of a session socket. */
export type TunnelMessage = ClientToEdge | EdgeToClient | ConnectorToEdge | EdgeToConnector;

/** Control messages that the edge takes from a client. */
export function parseClientToEdge(text: string): ParsedControl<ClientToEdge> {
  return parseControl(clientToEdge, text);
}

/** Control messages that a client takes from the edge. */
export function parseEdgeToClient(text: string): ParsedControl<EdgeToClient> {
  return parseControl(edgeToClient, text);
}

/** Control messages that the edge takes from a connector. */
export function parseConnectorToEdge(text: string): ParsedControl<ConnectorToEdge> {
  return parseControl(connectorToEdge, text);
}

/** Control messages that a connector takes from the edge. */
export function parseEdgeToConnector(text: string): ParsedControl<EdgeToConnector> {
  return parseControl(edgeToConnector, text);
}

const RECORD_PREFIX = '{"t":"record",';
const recordPrefix = new TextEncoder().encode(RECORD_PREFIX);

/** Whether a text message, as `encodeControl` writes it, is one or several `record` messages. */
export function isRecord(text: string): boolean {
  return text.startsWith(RECORD_PREFIX);
}

/**
 * The `record` messages in a text message, as they came: a connector writes them down and has no use for what they
 * say, so they are not parsed. Null when it is another message, or when a line of it is.
 */
export function recordLines(message: Uint8Array): Uint8Array[] | null {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < message.length; ) {
    const found = message.indexOf(0x0a, at);
    const end = found < 0 ? message.length : found;
    for (let i = 0; i < recordPrefix.length; i++) if (message[at + i] !== recordPrefix[i]) return null;
    // A closing brace: what was cut off is no record.
    if (message[end - 1] !== 0x7d) return null;
    lines.push(message.subarray(at, end));
    at = end + 1;
  }
  return lines.length > 0 ? lines : null;
}

/** Largest records that travel with data, bytes; others are a message of their own. */
export const MAX_JOINED_RECORDS = 64 * 1024;

/**
 * A binary message of the edge to the connector of a Postgres session: the length of records (uint32, big-endian),
 * the records as `recordLines` reads them, then the data, which they come before. One message instead of two: each
 * costs both ends a system call.
 */
export function joinFrame(
  records: readonly Uint8Array[],
  data: Uint8Array,
  slab: Slab = new Slab(),
): Uint8Array {
  const length = recordsSize(records);
  const message = slab.take(4 + length + data.length);
  message[0] = length >>> 24;
  message[1] = length >>> 16;
  message[2] = length >>> 8;
  message[3] = length;
  let at = 4;
  for (const record of records) {
    if (at > 4) message[at++] = 0x0a;
    message.set(record, at);
    at += record.length;
  }
  message.set(data, 4 + length);
  return message;
}

/** Bytes of these records as lines of one message. */
export function recordsSize(records: readonly Uint8Array[]): number {
  let size = Math.max(0, records.length - 1);
  for (const { length } of records) size += length;
  return size;
}

/** The records and the data of such a message, as views; null when it is none. */
export function splitFrame(message: Uint8Array): { records: Uint8Array[]; data: Uint8Array } | null {
  if (message.length < 4) return null;
  const length = new DataView(message.buffer, message.byteOffset, 4).getUint32(0);
  const from = 4 + length;
  if (length > MAX_JOINED_RECORDS || from > message.length || message.length - from > MAX_DATA_FRAME)
    return null;
  const records = length === 0 ? [] : recordLines(message.subarray(4, from));
  return records && { records, data: message.subarray(from) };
}

/** One control message as the text of a WebSocket message. */
export function encodeControl(message: TunnelMessage): string {
  return JSON.stringify(message);
}

/**
 * Parses and checks one control message against a variant of its `t`. Fields that the schema does not
 * name are dropped, so that a later version may add some; an unknown `t` is an error of its own.
 */
export function parseControl<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  limit: number = MAX_CONTROL_FRAME,
): ParsedControl<v.InferOutput<Schema>> {
  if (text.length > limit) {
    return { ok: false, code: "CONTROL_TOO_LARGE", message: `control message of more than ${limit} bytes` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, code: "CONTROL_MALFORMED", message: "control message is not JSON" };
  }
  const result = v.safeParse(schema, value);
  if (result.success) return { ok: true, message: result.output };
  const issue = result.issues[0];
  const where = v.getDotPath(issue) ?? "";
  if (where === "t" && typeof (value as { t?: unknown } | null)?.t === "string") {
    return { ok: false, code: "CONTROL_UNKNOWN", message: "control message of an unknown kind" };
  }
  return { ok: false, code: "CONTROL_MALFORMED", message: `control message: ${where || "it"} is not valid` };
}
