/** What the two halves of a gate share: the owed replies, the names, the counters and the end. */

import type { ErrorFields } from "../../wire/postgres/messages.ts";
import { TransactionStatus } from "../../wire/postgres/messages.ts";
import type { Task } from "../task.ts";
import type { NamedConstraints } from "./constraints.ts";
import type { StatementDecider, StatementDecision } from "./decision.ts";
import { KeptStatements } from "./gate-kept.ts";
import { Names } from "./gate-names.ts";
import type { Origins } from "./gate-origins.ts";
import { bareFields, fatalError, type Refusal, refusal } from "./gate-refusal.ts";
import { type Portal, type Prepared, type Reply, ReplyQueue, type Run } from "./gate-replies.ts";
import type {
  GateEvent,
  GateHost,
  GateOptions,
  GateReason,
  GateStats,
  RecordedDecision,
  RecordedParam,
  Scrubber,
} from "./gate-types.ts";
import { redact } from "./secrets.ts";

/** Longest text in an event, characters as JSON writes them; the whole message is in the recording's frames. */
const maxRecordedText = 512 * 1024;
/** Longest rewritten text in an event, characters. */
const maxRecordedRewrite = 64 * 1024;
/** Lookups by masked values in a session of a task that sets no limit. */
const DEFAULT_LOOKUPS = 100;

/** Severity, SQLSTATE and message of an error; no notice. */
export const bareScrubber: Scrubber = { error: bareFields, notice: () => null };

export class GateSession {
  readonly host: GateHost;
  readonly task: Task;
  readonly scrub: Scrubber;
  readonly replies = new ReplyQueue();
  /** Weighed by their texts, characters. */
  readonly statements = new Names<Prepared>((prepared) => prepared.text.length);
  readonly portals = new Names<Portal>();
  /** Cursors of DECLARE, which the protocol may describe. */
  readonly cursors = new Names<Prepared>();
  readonly kept = new KeptStatements();
  readonly stats: GateStats = { statements: 0, denied: 0, rows: 0, bytes: 0 };
  readonly clock: () => number;
  readonly permit: GateOptions["permit"];
  /** Set by `opened`. */
  decider: StatementDecider | null;
  origins: Origins = new Map();
  /** Constraints that errors may name. */
  constraints: NamedConstraints | null = null;
  /** Types of the database's own that a parameter may have. */
  typeOids: ReadonlySet<number> = new Set();
  /** The highest oid of a relation when the catalog was read. */
  newestOid = Number.POSITIVE_INFINITY;
  /** `newestOid` once the session has named a temporary table of its own, else Infinity. */
  newestOrigin = Number.POSITIVE_INFINITY;
  /** Number of the cycle that the next message of the client belongs to. */
  cycle = 1;
  /** Last cycle whose ReadyForQuery came. */
  settled = 0;
  /** Bytes of rows and COPY data sent to the client: what the task's limit counts. */
  rowBytes = 0;
  /** Transaction status of the last ReadyForQuery. */
  status: number = TransactionStatus.Idle;
  /** The client's messages are discarded until its next Sync, as the server does or will. */
  skipping = false;
  /** A COPY FROM STDIN that was let through and is not over: the client waits for its turn. */
  copyIn: Reply | null = null;
  /** The server asked for COPY data. */
  copyMode = false;
  /** Settings that the client asked for at its start, and made by the gate. */
  settings: readonly (readonly [name: string, value: string])[] = [];
  /** Those that a statement of the cycle puts back to others. */
  #resets = new Set<string>();
  /** Channels that the client asked to listen on; whether it does is the server's to say. */
  readonly channels = new Set<string>();
  /** A statement has a name that may only run by Bind, where approvals and lookups are counted. */
  uncountable = false;
  /** COPY failed: what the client still sends of it is dropped. */
  copyDraining = false;
  /** Why the session is over; the gate tells the host when it has finished what it is doing. */
  ending: GateReason | null = null;
  #numbered = 0;
  #lookups = 0;

  constructor(options: GateOptions, scrub: Scrubber) {
    this.host = options.host;
    this.task = options.task;
    this.clock = () => options.clock();
    this.permit = () => options.permit();
    this.decider = options.decider ?? null;
    this.scrub = scrub;
  }

  /** What of an error may be shown. */
  scrubbed(fields: ErrorFields): ErrorFields {
    return this.scrub.error(fields, this.task, this.constraints);
  }

  toClient(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.stats.bytes += bytes.length;
    this.host.toClient(bytes);
  }

  toServer(bytes: Uint8Array): void {
    if (bytes.length > 0) this.host.toServer(bytes);
  }

  record(event: GateEvent): void {
    this.host.record(event);
  }

  /** Nothing is owed: the transaction status is the server's. */
  get quiet(): boolean {
    return this.replies.length === 0;
  }

  alarm(code: string, message: string): void {
    this.record({ t: "alarm", code, message, at: this.clock() });
  }

  /** Decides a text; a decider that throws denies. */
  decide(text: string): StatementDecision {
    try {
      if (this.decider) return this.decider.decide(text);
    } catch {
      // An exception says nothing about the statement, so nothing is let through.
    }
    return {
      effect: "deny",
      reason: "INTERNAL_ERROR",
      message: "the statement could not be decided",
      hint: null,
      sqlstate: "XX000",
      position: null,
      rule: null,
      rewritten: null,
      statements: [],
      relations: [],
      masked: [],
      fingerprint: null,
    };
  }

  /** The grant, and the limits that a statement of this decision would meet; null when it may run. */
  mayRun(decision: StatementDecision | null): Refusal | null {
    const refused = this.permit();
    if (refused) return refusal(refused.code, "42501", refused.message);
    if (!decision) return null;
    const { limits } = this.task;
    const { counted, lookups } = countsOf(decision);
    if (counted > 0 && limits.statements !== null && this.stats.statements + counted > limits.statements) {
      return this.limit("LIMIT_STATEMENTS", `${limits.statements} statements`);
    }
    const maxLookups = limits.lookups ?? DEFAULT_LOOKUPS;
    if (lookups > 0 && this.#lookups + lookups > maxLookups) {
      return this.limit("LIMIT_LOOKUPS", `${maxLookups} lookups by a masked value`);
    }
    if (limits.bytes !== null && this.rowBytes >= limits.bytes) {
      return this.limit("LIMIT_BYTES", `${limits.bytes} bytes`);
    }
    return null;
  }

  /** The refusal of what is past a limit, with the line that sets it. */
  limit(code: string, what: string): Refusal {
    const message = `the task allows ${what} a session`;
    return { ...refusal(code, "53400", message), rule: this.task.refs.limits };
  }

  /** Numbers and records a statement. Call before its bytes go to the server. */
  begin(
    protocol: "simple" | "extended",
    text: string,
    decision: StatementDecision | null,
    refused: Refusal | null,
    params?: readonly RecordedParam[],
  ): Run {
    this.#numbered += 1;
    const at = this.clock();
    const n = this.#numbered;
    if (refused) this.stats.denied += 1;
    else if (decision) {
      const { counted, lookups } = countsOf(decision);
      this.stats.statements += counted;
      const alone = protocol === "simple" && this.quiet && this.status === TransactionStatus.Idle;
      this.kept.ran(decision, alone);
      if (decision.relations.some((name) => name.startsWith("pg_temp."))) this.newestOrigin = this.newestOid;
      this.#lookups += lookups;
      for (const { channel } of decision.statements) if (channel !== undefined) this.channels.add(channel);
    }
    const recorded = refused || !decision ? recordedOf(text, decision, refused) : allowedOf(text, decision);
    const { text: kept, decision: told } = recorded;
    this.record(
      params && params.length > 0
        ? { t: "statement", n, protocol, text: kept, params, decision: told, at }
        : { t: "statement", n, protocol, text: kept, decision: told, at },
    );
    return { n, decision, index: 0, rows: 0, bytes: 0, startedAt: at, tag: null, error: null };
  }

  /** A statement of the gate's own: recorded, and neither decided nor counted. */
  beginOwn(text: string): Run {
    this.#numbered += 1;
    const n = this.#numbered;
    const at = this.clock();
    const decision: RecordedDecision = {
      effect: "allow",
      reason: "STARTUP_SETTINGS",
      message: "the gate made the client's start-up settings again",
      rule: null,
      relations: [],
      masked: [],
      rewritten: null,
    };
    this.record({ t: "statement", n, protocol: "simple", text, decision, at });
    return { n, decision: null, index: 0, rows: 0, bytes: 0, startedAt: at, tag: null, error: null };
  }

  /** Notes which of the client's start-up settings a statement puts back to those of the database session. */
  resetsSettings({ statements }: StatementDecision): void {
    for (const { resets } of statements) {
      if (resets === undefined) continue;
      for (const [name] of this.settings)
        if (resets === null || name.toLowerCase() === resets) this.#resets.add(name);
    }
  }

  /** The start-up settings to be made again, once. */
  takeSettings(): (readonly [name: string, value: string])[] {
    if (this.#resets.size === 0) return [];
    const again = this.settings.filter(([name]) => this.#resets.has(name));
    this.#resets.clear();
    return again;
  }

  /** Records how a statement ended, or stopped for now. */
  outcome(run: Run): void {
    const at = this.clock();
    this.record({
      t: "outcome",
      n: run.n,
      ok: run.error === null,
      ...(run.error ?? (run.tag === null ? {} : { tag: run.tag })),
      rows: run.rows,
      bytes: run.bytes,
      ms: Math.max(0, at - run.startedAt),
      at,
    });
  }

  /** Ends the session: returns the last bytes for the client. The first reason stands. */
  end(reason: GateReason): Uint8Array {
    if (this.ending) return new Uint8Array(0);
    this.ending = reason;
    return fatalError(reason);
  }

  /** Ends the session because the server broke the protocol or showed what it must not. */
  alarmEnd(code: string, detail: string, message: string): Uint8Array {
    this.alarm(code, detail);
    return this.end({ code, message, sqlstate: "08P01" });
  }

  /** What a message that was sent would have changed does not happen. */
  cancelNames(reply: Reply): void {
    for (let i = reply.statements.length - 1; i >= 0; i--) this.statements.cancel(reply.statements[i]!);
    for (let i = reply.portals.length - 1; i >= 0; i--) this.portals.cancel(reply.portals[i]!);
    for (let i = reply.cursors.length - 1; i >= 0; i--) this.cursors.cancel(reply.cursors[i]!);
  }

  confirmNames(reply: Reply): void {
    for (const entry of reply.statements) this.statements.confirm(entry);
    for (const entry of reply.portals) this.portals.confirm(entry);
    for (const entry of reply.cursors) this.cursors.confirm(entry);
  }

  /**
   * The reply at the head is an error in the extended protocol: what the server now discards will have no
   * replies. False when the Sync up to which it discards was not sent yet.
   */
  failExtended(failed: Reply): boolean {
    this.replies.shift();
    const unnamed = failed.kind === "parse" ? failed.statements[0] : undefined;
    // PostgreSQL drops the unnamed statement before it parses the new one.
    if (unnamed?.name === "") this.statements.fail(unnamed);
    else this.cancelNames(failed);
    if (failed.run) this.outcome(failed.run);
    const { discarded, synced } = this.replies.discardUntilSync();
    for (let i = discarded.length - 1; i >= 0; i--) {
      this.cancelNames(discarded[i]!);
      this.endCopy(discarded[i]!, true);
    }
    // Each statement that was bound but discarded gets its outcome, once.
    const told = new Set([failed.run]);
    for (const { run } of discarded) {
      if (!run || told.has(run)) continue;
      told.add(run);
      run.tag = "SKIPPED";
      this.outcome(run);
    }
    if (!synced) {
      // Nothing is owed any more, so no earlier cycle is open either.
      this.settled = this.cycle - 1;
      this.skipping = true;
    }
    return synced;
  }

  /** A COPY FROM STDIN is over, one way or the other. */
  endCopy(reply: Reply, failed: boolean): void {
    if (this.copyIn !== reply) return;
    this.copyIn = null;
    if (failed && this.copyMode) this.copyDraining = true;
    this.copyMode = false;
  }
}

function boundedText(text: string): string {
  if (text.length * 6 <= maxRecordedText || JSON.stringify(text).length <= maxRecordedText) return text;
  return text.slice(0, 64 * 1024);
}

/** Without secrets, also where nobody decided: a text that was refused before it was parsed. */
function recordedText(text: string, decision: StatementDecision | null): string {
  if (decision) return decision.recorded?.text ?? text;
  return redact(text, null)?.text ?? text;
}

/** What a decision counts for: statements that run something on data, and those that look up by a masked value. */
function countsOf({ statements }: StatementDecision): { counted: number; lookups: number } {
  let counted = 0;
  let lookups = 0;
  for (const { effect, kind, lookup } of statements) {
    // EXECUTE runs again what was prepared once.
    if (effect === "read" || effect === "write" || kind === "Execute") counted += 1;
    if (lookup) lookups += 1;
  }
  return { counted, lookups };
}

/** What is written down of a text and its decision. */
interface Recorded {
  readonly text: string;
  readonly decision: RecordedDecision;
}

const allowed = new WeakMap<StatementDecision, Recorded & { readonly of: string }>();

/** The same objects for a text that comes again: whoever makes something of them can keep that. */
function allowedOf(text: string, decision: StatementDecision): Recorded {
  const known = allowed.get(decision);
  if (known?.of === text) return known;
  const recorded = { of: text, ...recordedOf(text, decision, null) };
  allowed.set(decision, recorded);
  return recorded;
}

function recordedOf(text: string, decision: StatementDecision | null, refused: Refusal | null): Recorded {
  return {
    text: boundedText(recordedText(text, decision)),
    decision: recordedDecision(text, decision, refused),
  };
}

function recordedDecision(
  text: string,
  decision: StatementDecision | null,
  refused: Refusal | null,
): RecordedDecision {
  const sent = refused === null ? (decision?.rewritten ?? null) : null;
  const changed = sent !== null && sent !== text;
  const rewritten = changed ? (decision?.recorded?.rewritten ?? sent) : null;
  return {
    effect: refused ? "deny" : (decision?.effect ?? "deny"),
    reason: refused ? refused.code : (decision?.reason ?? "INTERNAL_ERROR"),
    message: refused ? refused.message : (decision?.message ?? ""),
    rule: refused ? refused.rule : (decision?.rule ?? null),
    relations: decision?.relations ?? [],
    masked: decision?.masked ?? [],
    rewritten: rewritten !== null && rewritten.length <= maxRecordedRewrite ? rewritten : null,
    ...(decision?.statements.some((statement) => statement.lookup) ? { lookup: true } : {}),
  };
}
