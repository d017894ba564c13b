/**
 * Control messages between the edge and a connector, on the connector's one long-lived socket
 * (`CONNECTOR_SUBPROTOCOL`). JSON text, `v` is the version of this list, `t` the kind. Keep-alive is the
 * bare text `ping`, answered `pong`, and is no message of this list.
 */
import * as v from "valibot";
import { type ParsedControl, parseControl } from "./tunnel.ts";

/** Version of the control protocol. */
export const CONTROL_VERSION = 1;

const version = v.literal(CONTROL_VERSION);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const id = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const sentence = v.pipe(v.string(), v.maxLength(4096));
const code = v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9_]{0,63}$/, "not an UPPER_SNAKE code"));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const milliseconds = count;
const short = v.pipe(v.string(), v.maxLength(8192));

/** The edge accepted the connector. */
const welcome = v.object({
  v: version,
  t: v.literal("welcome"),
  /** The connector's name as the edge knows it. */
  name,
  /** How often the connector should send `ping`. */
  heartbeatMs: v.optional(v.pipe(milliseconds, v.minValue(1000)), 20_000),
});

/** Open a session: first the target, then a socket to `url` with the ticket. */
const dial = v.object({
  v: version,
  t: v.literal("dial"),
  session: id,
  /** Single use; header `Wicket-Ticket`. */
  ticket: v.pipe(v.string(), v.minLength(16), v.maxLength(1024)),
  resource: name,
  /** Path on the edge's origin. */
  url: v.pipe(v.string(), v.regex(/^\/connector\/sessions\/[^/?#\\]+$/)),
  /** What the connector needs of the task to read the catalog and to re-check. */
  task: v.object({
    name,
    digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
    readOnly: v.boolean(),
    relations: v.pipe(
      v.array(
        v.object({
          schema: short,
          name: short,
          /** Of a relation that it also writes: what it reads, and of that what is masked. Errors may name constraints on the rest. */
          shows: v.optional(
            v.object({ columns: v.union([v.literal("*"), v.array(short)]), masked: v.array(short) }),
          ),
        }),
      ),
      v.maxLength(10_000),
    ),
    /** `schema.name`. */
    functions: v.pipe(v.array(short), v.maxLength(10_000)),
    /** Channels whose notifications it may see; none when left out. */
    listen: v.optional(v.pipe(v.array(short), v.maxLength(10_000))),
  }),
  /** Settings for the StartupMessage `options`; the connector adds its own token key. */
  options: v.record(v.pipe(v.string(), v.maxLength(128)), short),
  user: v.object({ application_name: v.pipe(v.string(), v.maxLength(128)) }),
  recording: v.object({
    level: v.picklist(["full", "statements"]),
    onFailure: v.picklist(["terminate", "continue"]),
    durability: v.picklist(["batched", "strict"]),
    /** It may leave the connector's host sealed to its auditors only. */
    sealed: v.optional(v.literal(true)),
  }),
  /** The session ends then at the latest, milliseconds since the epoch. */
  deadline: milliseconds,
});

/** Finish what runs, take no new session, and reconnect: the edge is about to restart. */
const drain = v.object({ v: version, t: v.literal("drain") });
/** End one session now. */
const kill = v.object({ v: version, t: v.literal("kill"), session: id });

/** The connector's first message. */
const hello = v.object({
  v: version,
  t: v.literal("hello"),
  name,
  /** Version of the connector program. */
  version: v.pipe(v.string(), v.maxLength(64)),
  /** Names of the resources it can open. */
  resources: v.pipe(v.array(name), v.maxLength(1000)),
  /** It has auditors' keys to seal recordings to. */
  seals: v.optional(v.boolean()),
});

/** How full the connector's spool is: recordings that the edge does not have yet. */
const status = v.object({
  v: version,
  t: v.literal("status"),
  spool: v.object({
    /** Bytes, and their bound. */
    used: count,
    max: count,
    /** Sessions with something in it, and recordings that the edge refused. */
    sessions: count,
    refused: count,
  }),
});

/** The target could not be opened. */
const dialFailed = v.object({
  v: version,
  t: v.literal("dial_failed"),
  session: id,
  code,
  message: sentence,
});

/** Codes of `dial_failed` that the connector of this version uses. */
export const DIAL_FAILURES = [
  "RESOURCE_UNKNOWN",
  "TARGET_UNREACHABLE",
  "TARGET_REFUSED_LOGIN",
  "TARGET_TLS",
  "TARGET_PREFLIGHT",
  "CATALOG_FAILED",
  "SPOOL_FULL",
  "SEALING_UNAVAILABLE",
  "DRAINING",
] as const;
export type DialFailure = (typeof DIAL_FAILURES)[number];

const edgeControl = v.variant("t", [welcome, dial, drain, kill]);
const connectorControl = v.variant("t", [hello, status, dialFailed]);

export type EdgeControl = v.InferOutput<typeof edgeControl>;
export type ConnectorControl = v.InferOutput<typeof connectorControl>;
export type Dial = v.InferOutput<typeof dial>;
export type Hello = v.InferOutput<typeof hello>;
export type ConnectorStatus = v.InferOutput<typeof status>;
export type DialFailed = v.InferOutput<typeof dialFailed>;

/** Messages that a connector takes from the edge. */
export function parseEdgeControl(text: string): ParsedControl<EdgeControl> {
  return checkVersion(parseControl(edgeControl, text), text);
}

/** Messages that the edge takes from a connector. */
export function parseConnectorControl(text: string): ParsedControl<ConnectorControl> {
  return checkVersion(parseControl(connectorControl, text), text);
}

/** One control message as the text of a WebSocket message. */
export function encodeConnectorControl(message: EdgeControl | ConnectorControl): string {
  return JSON.stringify(message);
}

/** Names a version that this side does not speak, which a schema's complaint would hide. */
function checkVersion<Message>(parsed: ParsedControl<Message>, text: string): ParsedControl<Message> {
  if (parsed.ok || parsed.code === "CONTROL_TOO_LARGE") return parsed;
  let given: unknown;
  try {
    given = (JSON.parse(text) as { v?: unknown } | null)?.v;
  } catch {
    return parsed;
  }
  if (given === CONTROL_VERSION) return parsed;
  return {
    ok: false,
    code: "CONTROL_VERSION",
    message: `control protocol version ${CONTROL_VERSION} is spoken here`,
  };
}
