/**
 * The audit events: one flat shape for every event, one union of what each type says besides. The JSON
 * Schema, the reference page and the exporters are made from this file. No event holds a row value, a token
 * or a key.
 */
import type { Identity, Json } from "../../policies/task.ts";

/** `info`: it went as asked; `warn`: refused or ended early; `alarm`: look at it now. */
export type Severity = "info" | "warn" | "alarm";

/** Who did it. */
export interface Actor {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly groups: readonly string[];
  /** Who acted for this person, when it was not the person. */
  readonly via?: { readonly issuer: string; readonly subject: string };
}

/** Fields that every event may carry. `id` and `time` are given by the outbox. */
export interface EventFacts {
  /** Who did it; absent where nobody is known. */
  readonly actor?: Actor;
  /** Id of the session. */
  readonly session?: string;
  /** Id of the grant or request. */
  readonly grant?: string;
  /** Name of the task. */
  readonly task?: string;
  /** Digest of the task the decision was made under. */
  readonly taskDigest?: string;
  /** Name of the resource. */
  readonly resource?: string;
  /** Reason code of the decision, refusal or ending. */
  readonly reason?: string;
  /** `tasks/x.yaml:12`. */
  readonly rule?: string;
  /** Name of the connector. */
  readonly connector?: string;
  /** Where the request came from, as the platform says. */
  readonly client?: { readonly ip?: string; readonly userAgent?: string };
}

/** What each type says besides the facts. */
export interface EventData {
  /** A credential was not accepted. */
  "auth.refused": { message: string };
  /** Someone signed in through the edge. */
  "auth.login": { method: "browser" | "device" | "exchange"; client: string };
  /** Someone signed out at the edge. */
  "auth.logout": { client: string };
  /** A token of the edge was issued. */
  "token.issued": { jti: string; audience: string; expires: number };
  /** A token of the edge was revoked. */
  "token.revoked": { jti: string };
  /** A session was refused before it began. */
  "session.refused": { message: string };
  /** A session starts. Recorded before the first byte is forwarded. */
  "session.start": { params: Record<string, string>; statedReason: string | null };
  /** A session is over: why, its counts, and the edge's running roots of the recording. */
  "session.end": {
    message: string;
    statements: number;
    denied: number;
    rows: number;
    bytes: number;
    roots: Json;
    durationMs: number;
  };
  /** Somebody, or the end of a grant, ended a running session. */
  "session.killed": { message: string };
  /** A decision on a statement. */
  "statement.decided": {
    /** Its number in the session; of the first when it stands for several. */
    n: number;
    /** How often the same text was allowed, within about a second, when more than once; the recording has each. */
    count?: number;
    effect: "allow" | "deny" | "hold";
    fingerprint: string | null;
    relations: readonly string[];
    masked: readonly string[];
    /** It looks up a row by the real value of a masked column, as the rule allows. Never counted in another event. */
    lookup?: boolean;
    /** The text as sent, where the task records statements in full; null otherwise. */
    text: string | null;
  };
  /** A second wall was touched: something passed the first. */
  "session.alarm": { message: string; detail: Json };
  /** A grant was asked for: by a person, by a session that opened (`implicit`), or for one held statement. */
  "grant.requested": {
    kind: GrantKind;
    params: Record<string, string>;
    statedReason: string | null;
    durationMs: number;
    needed: number;
  };
  /** A person approved a request. */
  "grant.approved": { approvals: number; needed: number; comment: string | null };
  /** A person denied a request. */
  "grant.denied": { comment: string | null };
  /** Somebody began without the approval that the task asks for, as it allows; `review` looks at it afterwards. */
  "grant.emergency": { statedReason: string; review: readonly string[] };
  /** A reviewer has looked at an emergency, and says what was found. */
  "grant.reviewed": { comment: string };
  /** The approvals are complete: the grant can be used until `expires`. */
  "grant.active": { expires: number };
  /** The budget is used up, or the approved statement ran. */
  "grant.used": { message: string };
  /** The time of a grant, or of a request that nobody decided, is over. */
  "grant.expired": { message: string };
  /** A grant was ended before its time, or a request was withdrawn. */
  "grant.revoked": { message: string; sessions: number };
  /** An approval was not counted, or something was asked that nobody may ask. */
  "grant.refused": { message: string };
  /**
   * How long the sessions of a revoked grant took to end. `failed` are tried again; of the `unconfirmed` the connector
   * did not say in time that it has left the target.
   */
  "grant.sessions_ended": { sessions: number; failed: number; unconfirmed: number; ms: number };
  /** An administrator disabled an identity: its logins, grants and sessions end. */
  "identity.disabled": { issuer: string; subject: string; why: string };
  /** An administrator enabled an identity again. */
  "identity.enabled": { issuer: string; subject: string };
  /** An administrator opened an enrolment: a code for one key. */
  "connector.enrolment": { expires: number };
  /** A connector's key was enrolled. */
  "connector.enrolled": { thumbprint: string };
  /** A connector connected. */
  "connector.online": { version: string; resources: readonly string[] };
  /** The last connection of a connector is gone. */
  "connector.offline": { message: string };
  /** A connector, or who says to be one, was not accepted; or an administrator removed it. */
  "connector.refused": { message: string };
  /** Somebody read a recording. `sequence` is the segment when only one was asked for. */
  "recording.read": { sequence: number | null };
  /** Something of a recording is missing. */
  "recording.gap": { message: string };
  /** Other policies came into force. */
  "policy.changed": { from: string | null; to: string };
  /** A notification was taken by its receiver, at this try. */
  "notification.sent": { endpoint: string; event: string; tries: number };
  /** A notification was given up after its last try. */
  "notification.failed": { endpoint: string; message: string };
}

export type GrantKind = "implicit" | "request" | "statement";
export type EventType = keyof EventData;

/** An event as it is given to the outbox. */
export type NewEvent = {
  [Type in EventType]: EventFacts & {
    readonly type: Type;
    readonly severity: Severity;
    readonly data: EventData[Type];
  };
}[EventType];

/** An event as it is kept. */
export type AuditEvent = NewEvent & {
  /** ULID; the same event delivered twice has the same id. */
  readonly id: string;
  /** Milliseconds since the epoch, at the edge. */
  readonly time: number;
};

/** The actor of an event from an identity; claims stay out of the log. */
export function actorFrom(identity: Identity, via?: { issuer: string; subject: string }): Actor {
  const { issuer, subject, name, groups } = identity;
  return {
    issuer,
    subject,
    name,
    groups,
    ...(via ? { via: { issuer: via.issuer, subject: via.subject } } : {}),
  };
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

let lastUlid = { time: -1, tail: 0n };

/**
 * A ULID (github.com/ulid/spec): 48 bits of time in ms, 80 random bits, 26 characters. Those made in the
 * same millisecond count upwards, so the ids of one object sort in the order of its events.
 */
export function ulid(time: number): string {
  const ms = Math.max(0, Math.floor(time));
  const follows = ms === lastUlid.time;
  let tail = lastUlid.tail + 1n;
  if (!follows) {
    tail = 0n;
    // The top bit stays free for counting upwards.
    for (const byte of crypto.getRandomValues(new Uint8Array(10))) tail = (tail << 8n) | BigInt(byte);
    tail &= (1n << 79n) - 1n;
  }
  lastUlid = { time: ms, tail };
  let value = (BigInt(ms) << 80n) | tail;
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = CROCKFORD[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return text;
}
