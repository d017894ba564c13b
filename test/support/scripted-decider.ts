/** Decisions by hand, for tests of the gate: everything is allowed as it is, but for what the script says. */
import type {
  StatementDecider,
  StatementDecision,
  StatementSummary,
} from "../../policies/postgres/decision.ts";

const kinds: readonly [RegExp, string, StatementSummary["effect"]][] = [
  [/^(select|with|values|table|rows)\b/i, "Select", "read"],
  [/^insert\b/i, "Insert", "write"],
  [/^update\b/i, "Update", "write"],
  [/^delete\b/i, "Delete", "write"],
  [/^copy\b/i, "Copy", "read"],
  [/^prepare\b/i, "Prepare", "session"],
  [/^deallocate\b/i, "Deallocate", "session"],
  [/^execute\b/i, "Execute", "read"],
  [/^declare\b/i, "DeclareCursor", "session"],
  [/^close\b/i, "ClosePortal", "session"],
  [/^fetch\b/i, "Fetch", "read"],
  [/^(begin|start|commit|rollback|end|savepoint|release|abort)\b/i, "Transaction", "session"],
  [/^listen\b/i, "Listen", "session"],
  [/^show\b/i, "VariableShow", "read"],
];

function summaryOf(statement: string): StatementSummary {
  const [, kind, effect] = kinds.find(([pattern]) => pattern.test(statement)) ?? [null, "Other", "session"];
  const named = /^(?:deallocate(?:\s+prepare)?|prepare|declare|close)\s+(\w+)/i.exec(statement)?.[1];
  const name = named === undefined ? {} : { name: /^all$/i.test(named) ? null : named };
  return {
    kind,
    effect,
    returnsRows: effect === "read",
    copyIn: /^copy\b.*\bfrom\s+stdin/i.test(statement),
    lookup: false,
    ...name,
    ...(kind === "Listen" ? { channel: statement.slice(7) } : {}),
  };
}

/** The decision that allows a text, split at semicolons (no quotes with semicolons in these tests). */
export function allowing(text: string, rewritten: string = text): StatementDecision {
  const statements = text
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return {
    effect: "allow",
    reason: "ALLOWED",
    message: "",
    hint: null,
    sqlstate: "00000",
    position: null,
    rule: null,
    rewritten,
    statements: statements.map(summaryOf),
    relations: [],
    masked: [],
    fingerprint: null,
  };
}

/** The decision that denies a text. */
export function denying(text: string, reason = "RELATION_NOT_GRANTED"): StatementDecision {
  return {
    ...allowing(text),
    effect: "deny",
    reason,
    message: `denied by the script: ${reason}`,
    hint: "Ask for something else.",
    sqlstate: "42501",
    position: 8,
    rule: "tasks/test.yaml:7",
    rewritten: null,
  };
}

/** Scripted texts get their decision, any text that contains `secret` is denied, the rest is allowed. */
export function scriptedDecider(
  script: Readonly<Record<string, StatementDecision>> = {},
): StatementDecider & { readonly asked: string[] } {
  const asked: string[] = [];
  const cache = new Map<string, StatementDecision>(Object.entries(script));
  return {
    asked,
    decide(text) {
      asked.push(text);
      let decision = cache.get(text);
      if (!decision) {
        decision = /secret/i.test(text) ? denying(text) : allowing(text);
        cache.set(text, decision);
      }
      return decision;
    },
  };
}
