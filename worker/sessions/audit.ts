/** Facts of the gate as audit events. No row values, no parameters: those are in the recording. */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import type { Task } from "../../policies/task.ts";
import type { EventFacts, NewEvent } from "../audit/events.ts";

/** Longest statement text in an event, characters; the recording has all of it. */
const MAX_TEXT = 4096;

/** The event for a fact; null for facts that only the recording keeps. */
export function eventFor(fact: GateEvent, task: Task, facts: EventFacts): NewEvent | null {
  if (fact.t === "statement") {
    const { effect, reason, rule, relations, masked } = fact.decision;
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
        text: task.recording.level === "full" ? fact.text.slice(0, MAX_TEXT) : null,
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
