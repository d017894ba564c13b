/** Facts of the gate as audit events. No row values, no parameters: those are in the recording. */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import type { Task } from "../../policies/task.ts";
import type { EventFacts, NewEvent } from "../audit/events.ts";
import type { AuditOutbox } from "../audit/outbox.ts";

/** Longest statement text in an event, characters; the recording has all of it. */
const MAX_TEXT = 4096;
/** Different texts that are counted between two writes. */
const MAX_COUNTED = 100;

/**
 * Puts a session's facts into the audit log. A program sends the same statement hundreds of times a second: until
 * its event is written, another one that is allowed is counted in it. What is refused or held has its own event.
 */
export class SessionAudit {
  readonly #outbox: () => AuditOutbox;
  readonly #task: Task;
  readonly #facts: EventFacts;
  /** What is counted in, by text and reason. */
  readonly #counted = new Map<string, { count?: number }>();
  #flushes = -1;

  constructor(outbox: () => AuditOutbox, task: Task, facts: EventFacts) {
    this.#outbox = outbox;
    this.#task = task;
    this.#facts = facts;
  }

  add(fact: GateEvent): void {
    const outbox = this.#outbox();
    const key = fact.t === "statement" && fact.decision.effect === "allow" ? keyOf(fact) : null;
    if (key === null) {
      const event = eventFor(fact, this.#task, this.#facts);
      if (event) outbox.add(event);
      return;
    }
    if (outbox.flushes !== this.#flushes) this.#counted.clear();
    this.#flushes = outbox.flushes;
    const known = this.#counted.get(key);
    if (known) {
      known.count = (known.count ?? 1) + 1;
      return;
    }
    const { data } = outbox.add(eventFor(fact, this.#task, this.#facts)!);
    if (this.#counted.size < MAX_COUNTED) this.#counted.set(key, data as { count?: number });
  }
}

const keys = new WeakMap<object, { readonly text: string; readonly key: string }>();

/** Null for a text that is too long to be kept, and for a lookup: each is a guess at a hidden value. */
function keyOf({ text, decision }: Extract<GateEvent, { t: "statement" }>): string | null {
  if (text.length > MAX_TEXT || decision.lookup) return null;
  const last = keys.get(decision);
  if (last?.text === text) return last.key;
  const key = `${decision.reason} ${text}`;
  keys.set(decision, { text, key });
  return key;
}

/** Whether events have the texts of statements: not where the rows are not recorded, nor where only auditors may read. */
export function keepsText({ recording }: Task): boolean {
  return recording.level === "full" && !recording.sealed;
}

/** The event for a fact; null for facts that only the recording keeps. */
export function eventFor(fact: GateEvent, task: Task, facts: EventFacts): NewEvent | null {
  if (fact.t === "statement") {
    const { effect, reason, rule, relations, masked, lookup } = fact.decision;
    return {
      ...facts,
      ...(rule === null ? {} : { rule }),
      type: "statement.decided",
      severity: effect === "allow" ? "info" : "warn",
      reason,
      data: {
        n: fact.n,
        effect,
        fingerprint: null,
        relations,
        masked,
        ...(lookup ? { lookup } : {}),
        text: keepsText(task) ? fact.text.slice(0, MAX_TEXT) : null,
      },
    };
  }
  if (fact.t === "alarm") {
    return {
      ...facts,
      type: "session.alarm",
      severity: "alarm",
      reason: fact.code,
      data: { message: fact.message, detail: null },
    };
  }
  return null;
}
