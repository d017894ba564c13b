/**
 * Entries of the log: what happened to sessions, recordings and policies, each a small JSON object in its one
 * canonical spelling (RFC 8785). Times are milliseconds since 1970 by the edge's clock and only tell a reader
 * roughly when; the order is the index in the log.
 */
import * as v from "valibot";
import { fromUtf8, utf8 } from "./bytes.ts";
import { canonicalJson, type Json } from "./canonical.ts";
import { MAX_ENTRY } from "./tile.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = count;
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const text = v.pipe(v.string(), v.maxLength(4096));
const session = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/));
const actor = v.strictObject({ issuer: text, subject: text, name: v.optional(text) });

/** One direction of a recording: how many entries, and the running root after them. */
const direction = v.strictObject({ entries: count, root: digest });
const roots = v.strictObject({ frontend: direction, backend: direction });

const sessionStart = v.strictObject({
  v: v.literal(1),
  type: v.literal("session.start"),
  time,
  session,
  actor,
  task: v.strictObject({ name: text, digest }),
  /** Digest of the whole policy bundle that was in force. */
  policies: digest,
  resource: text,
  /** Who records: its name and the vkey that its statement at the end has to verify with (`statement.ts`). */
  connector: v.strictObject({ name: text, key: text }),
  grant: text,
  params: v.record(text, v.pipe(v.string(), v.maxLength(10_000))),
  reason: v.nullable(text),
  approvals: v.array(v.strictObject({ actor, time })),
  recording: v.strictObject({
    ...{ level: text, durability: text, onFailure: text },
    /** Its segments have to be sealed to the connector's auditors. */
    sealed: v.optional(v.literal(true)),
  }),
});

const sessionProgress = v.strictObject({
  v: v.literal(1),
  type: v.literal("session.progress"),
  time,
  session,
  roots,
});

const sessionEnd = v.strictObject({
  v: v.literal(1),
  type: v.literal("session.end"),
  time,
  session,
  /** Why it ended: a reason code. */
  code: text,
  /** The edge's own roots over the same stream that the connector recorded; null when the edge restarted. */
  roots: v.nullable(roots),
  /**
   * What the connector has on its disk for sure: the messages to it up to a statement that the database answered, and
   * those from it that the edge had received when it sent that statement.
   */
  answered: v.optional(roots),
  /** How many `session.progress` entries of the session are in the log, so that none can be left out. */
  words: v.optional(count),
  /** The stored recording as the edge verified it; null when it was not complete when the session was closed. */
  recording: v.nullable(v.strictObject({ segments: count, last: digest })),
  /** The connector's signed statement about its recording (a note); null when it never came. */
  connector: v.nullable(text),
});

/** A recording that arrived, or became final, after its session's end was in the log. */
const recordingComplete = v.strictObject({
  v: v.literal(1),
  type: v.literal("recording.complete"),
  time,
  session,
  recording: v.strictObject({ segments: count, last: digest }),
  connector: v.nullable(text),
});

const recordingRead = v.strictObject({
  v: v.literal(1),
  type: v.literal("recording.read"),
  time,
  session,
  actor,
});

const policyChange = v.strictObject({
  v: v.literal(1),
  type: v.literal("policy.change"),
  time,
  /** Digest of the bundle before; null for the first. */
  before: v.nullable(digest),
  after: digest,
  actor: v.nullable(actor),
  note: text,
});

const schema = v.variant("type", [
  sessionStart,
  sessionProgress,
  sessionEnd,
  recordingComplete,
  recordingRead,
  policyChange,
]);

/** An entry of the log, by `type`. */
export type LogEntry = v.InferOutput<typeof schema>;
export type SessionStart = v.InferOutput<typeof sessionStart>;
export type SessionProgress = v.InferOutput<typeof sessionProgress>;
export type SessionEnd = v.InferOutput<typeof sessionEnd>;
export type RecordingComplete = v.InferOutput<typeof recordingComplete>;
/** Running roots of both directions, in lower-case hexadecimal. */
export type RecordingRoots = v.InferOutput<typeof roots>;

export type DecodedEntry =
  | { readonly ok: true; readonly entry: LogEntry }
  | { readonly ok: false; readonly code: "ENTRY_MALFORMED"; readonly message: string };

/** The entry's bytes. Null when a field is not of its form, or the whole is longer than 65,535 bytes. */
export function encodeEntry(entry: LogEntry): Uint8Array | null {
  if (!v.safeParse(schema, entry).success) return null;
  const text = canonicalJson(entry as Json);
  if (text === null) return null;
  const bytes = utf8(text);
  return bytes.length <= MAX_ENTRY ? bytes : null;
}

/** Reads an entry. Another spelling of the same value than the canonical one is refused. */
export function decodeEntry(bytes: Uint8Array): DecodedEntry {
  const text = bytes.length <= MAX_ENTRY ? fromUtf8(bytes) : null;
  if (text === null) return malformed("not UTF-8, or too long");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed("not JSON");
  }
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    const path = issue.path?.map((part) => String(part.key)).join(".") ?? "";
    return malformed(`${path || "entry"} is not of its form`);
  }
  if (canonicalJson(value as Json) !== text) return malformed("not in canonical spelling");
  return { ok: true, entry: parsed.output };
}

function malformed(message: string): DecodedEntry {
  return { ok: false, code: "ENTRY_MALFORMED", message };
}
