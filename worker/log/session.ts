/** The log's entries about one session, from what the edge knows of it. */

import type { Task } from "../../policies/task.ts";
import { utf8 } from "../../wire/log/bytes.ts";
import type { LogEntry, RecordingRoots } from "../../wire/log/entry.ts";
import { formatVerifierKey, parseVerifierKey, publicKeyFromJwk } from "../../wire/log/note.ts";
import { connectorVerifier, openStatement } from "../../wire/log/statement.ts";
import type { SegmentHeader } from "../../wire/recording.ts";
import { theLog } from "./routes.ts";
import type { AppendOptions, LogObject } from "./sequencer.ts";

export interface LogBinding {
  readonly LOG: DurableObjectNamespace<LogObject>;
}

interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
}

/** What the start of a session says. */
export interface StartFacts {
  readonly session: string;
  readonly started: number;
  readonly actor: Person;
  readonly task: Task;
  /** Digest of the policy bundle. */
  readonly policies: string;
  readonly connector: string;
  /** The connector's vkey: `connectorKey`. */
  readonly connectorKey: string;
  readonly grant: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  /** Who approved the grant, and when, in ms since the epoch. */
  readonly approvals: readonly (Person & { readonly at: number })[];
}

/** The vkey of a connector's statements, from the JWK that it enrolled; null for any other key. */
export function connectorKey(name: string, jwk: { kty?: string; crv?: string; x?: string }): string | null {
  const publicKey = publicKeyFromJwk(jwk);
  const verifier = publicKey && connectorVerifier(name, publicKey);
  return verifier && formatVerifierKey(verifier);
}

/** Puts the start of a session into the log, under a signed checkpoint. Throws when it cannot be. */
export async function logStart(env: LogBinding, facts: StartFacts): Promise<void> {
  const { session, started, actor, task, policies, connector, grant, params, reason } = facts;
  const { level, durability, onFailure, sealed } = task.recording;
  await append(env, {
    ...{ v: 1, type: "session.start", time: started, session, actor: who(actor), policies, grant, reason },
    task: { name: task.name, digest: task.digest },
    resource: task.resource,
    connector: { name: connector, key: facts.connectorKey },
    params: { ...params },
    approvals: facts.approvals.map((one) => ({ actor: who(one), time: one.at })),
    recording: { level, durability, onFailure, ...(sealed ? { sealed } : {}) },
  });
}

/** Puts the edge's roots of a session that runs into the log. Throws when it cannot be. */
export async function logProgress(
  env: LogBinding,
  session: string,
  roots: RecordingRoots,
  time: number,
): Promise<void> {
  await append(env, { v: 1, type: "session.progress", time, session, roots }, { wait: "sequenced" });
}

/** Puts the end of a session into the log. Throws when it cannot be; the same end again is the same entry. */
export async function logEnd(
  env: LogBinding,
  session: string,
  ended: {
    readonly at: number;
    readonly code: string;
    readonly roots: RecordingRoots | null;
    readonly answered?: RecordingRoots;
  },
): Promise<void> {
  const { at: time, code, roots, answered } = ended;
  const more = answered ? { answered } : {};
  await append(
    env,
    { v: 1, type: "session.end", time, session, code, roots, recording: null, connector: null, ...more },
    { wait: "sequenced" },
  );
}

/**
 * Puts a recording that is whole in the store into the log, with the connector's statement. A statement that is
 * not of this connector and this recording is left out, and told: the answer is what is wrong with it. Throws
 * when the log does not take the entry.
 */
export async function logComplete(
  env: LogBinding,
  final: SegmentHeader,
  digest: string,
  statement: string | null,
  key: string,
): Promise<string | null> {
  const segments = final.sequence + 1;
  const fault = await statementFault(final, digest, statement, key);
  const connector = fault === null ? statement : null;
  const { session, to: time } = final;
  const recording = { segments, last: digest };
  await append(
    env,
    { v: 1, type: "recording.complete", time, session, recording, connector },
    { wait: "sequenced" },
  );
  return fault;
}

/** Puts it into the log that other policies came into force. Throws when it cannot be. */
export async function logPolicies(
  env: LogBinding,
  change: {
    readonly before: string | null;
    readonly after: string;
    readonly time: number;
    readonly actor: Person | null;
  },
): Promise<void> {
  const actor = change.actor && who(change.actor);
  await append(env, { v: 1, type: "policy.change", ...change, actor, note: "" }, { wait: "sequenced" });
}

/** Puts the reading of a recording into the log. Throws when it cannot be. */
export async function logRead(env: LogBinding, session: string, actor: Person, time: number): Promise<void> {
  await append(
    env,
    { v: 1, type: "recording.read", time, session, actor: who(actor) },
    { wait: "sequenced" },
  );
}

async function statementFault(
  final: SegmentHeader,
  digest: string,
  statement: string | null,
  key: string,
): Promise<string | null> {
  if (statement === null) return "the connector sent no statement about its recording";
  const verifier = parseVerifierKey(key);
  if (!verifier) return "the connector's key is not known";
  const opened = await openStatement(utf8(statement), verifier);
  if (!opened.ok) return opened.message;
  const { session, roots, segments, last } = opened.statement;
  const same =
    session === final.session &&
    segments === final.sequence + 1 &&
    last === digest &&
    (["frontend", "backend"] as const).every(
      (way) => roots[way].entries === final[way].next && roots[way].root === final[way].root,
    );
  return same ? null : "the connector's statement is about another recording";
}

function who({ issuer, subject, name }: Person) {
  return { issuer, subject, ...(name === null ? {} : { name }) };
}

async function append(env: LogBinding, entry: LogEntry, options?: AppendOptions): Promise<void> {
  const appended = await theLog(env).appendEntry(entry, options);
  if (!appended.ok) throw new Error(`${appended.code}: ${appended.message}`);
}
