/**
 * Runs the tests of a library (tasks/<task>.test.yaml): the same start check and the same statement decider as
 * the edge, on the same bundle.
 *
 * What a test leaves out it does not speak of: without `reason` or `params` those checks count as met, unless
 * the test expects their refusal; without `at` the hours are not looked at.
 */
import type { Library, Person, PolicyTest } from "./compile.ts";
import { mayStart, type StartCode } from "./decide.ts";
import type { StatementDecision } from "./postgres/decision.ts";
import { decideRequest } from "./request.ts";
import type { Identity, SqlRule, Task } from "./task.ts";

/** Decides one text under a task; null when this kind of operation cannot be decided here. */
export type DecideSql = (task: Task, sql: string) => StatementDecision | null;

/** What was decided, in the words of `expect`. */
export interface TestResult {
  readonly test: PolicyTest;
  readonly ok: boolean;
  /** `allow`, `deny CODE`, `hold`, and why it is not what was expected. */
  readonly got: string;
  readonly message: string;
}

/** An `allow` line that no passing test uses: nobody has said what it should do. */
export interface Uncovered {
  readonly task: string;
  readonly at: string;
  readonly verb: string;
  readonly relation: string;
}

export interface TestRun {
  readonly results: readonly TestResult[];
  readonly passed: number;
  readonly failed: number;
  readonly uncovered: readonly Uncovered[];
}

/** Runs every test, or those of one task. */
export function runTests(library: Library, decideSql: DecideSql, only: string | null = null): TestRun {
  const covered = new Set<string>();
  const results = library.tests
    .filter(({ task }) => only === null || task === only)
    .map((test) => runTest(library, decideSql, test, covered));
  const uncovered = Object.values(library.bundle.tasks)
    .filter(({ name }) => only === null || name === only)
    .flatMap((task) =>
      task.rules
        .filter((rule) => !covered.has(ruleKey(task.name, rule)))
        .map((rule) => ({
          task: task.name,
          at: rule.at,
          verb: rule.verb,
          relation: `${rule.schema}.${rule.relation}`,
        })),
    );
  const passed = results.filter(({ ok }) => ok).length;
  return { results, passed, failed: results.length - passed, uncovered };
}

/** The identity that a person of a file stands for: valid for ever, of the given issuer or the demo's. */
export function identityOf(person: Person): Identity {
  return {
    issuer: person.issuer ?? "people.yaml",
    subject: person.name,
    name: person.name,
    groups: person.groups,
    claims: person.claims,
    expires: Number.MAX_SAFE_INTEGER,
  };
}

/** The start refusals that mean "you did not say", which a test may leave unsaid. */
const unsaid: Readonly<Partial<Record<StartCode, "reason" | "params">>> = {
  REASON_REQUIRED: "reason",
  PARAM_MISSING: "params",
};

/**
 * Whether the person may start the task as far as the test speaks of it: null, or the refusal.
 * `expected` is the code that the test wants to see, if any.
 */
export function startRefusal(
  task: Task,
  identity: Identity,
  said: Pick<PolicyTest, "reason" | "params" | "now">,
  expected: string | null = null,
): { code: string; message: string; hint: string; rule: string } | null {
  const timeless = said.now === null ? { ...task, require: { ...task.require, hours: null } } : task;
  const start = mayStart(timeless, identity, {
    params: said.params ?? {},
    reason: said.reason,
    now: said.now ?? 0,
  });
  if (start.ok) return null;
  const part = unsaid[start.code];
  if (part === undefined || said[part] !== null || start.code === expected) return start;
  if (part === "reason") {
    const anyReason = { ...timeless, require: { ...timeless.require, reason: null } };
    return startRefusal(anyReason, identity, said, expected);
  }
  return null;
}

function runTest(library: Library, decideSql: DecideSql, test: PolicyTest, covered: Set<string>): TestResult {
  const task = library.bundle.tasks[test.task]!;
  const { expect } = test;
  const wanted = expect.effect === "deny" ? expect.code : null;
  const refusal = startRefusal(task, identityOf(test.as), test, wanted);
  if (refusal) {
    return outcome(test, wanted === refusal.code, `deny ${refusal.code}`, refusal.message);
  }
  const decision = test.sql === null ? decideRequest(task, test.request) : decideSql(task, test.sql);
  if (decision === null)
    return outcome(test, false, "nothing", "this kind of operation cannot be decided here");
  const got = decision.effect === "deny" ? `deny ${decision.reason}` : decision.effect;
  if (expect.effect !== decision.effect) return outcome(test, false, got, decision.message);
  if (expect.effect === "deny") return outcome(test, expect.code === decision.reason, got, decision.message);
  if (expect.effect === "allow") {
    const missing = expect.masked.filter((name) => !decision.masked.some((column) => names(column, name)));
    if (missing.length > 0) {
      return outcome(
        test,
        false,
        got,
        `not masked: ${missing.join(", ")}; masked: ${decision.masked.join(", ")}`,
      );
    }
  }
  if (test.sql !== null) {
    const statement = decision as StatementDecision;
    for (const rule of task.rules) if (uses(statement, rule)) covered.add(ruleKey(task.name, rule));
  }
  return outcome(test, true, got, "");
}

function outcome(test: PolicyTest, ok: boolean, got: string, message: string): TestResult {
  return { test, ok, got, message };
}

/** `public.customers.email` is named by itself, `customers.email` and `email`. */
function names(column: string, name: string): boolean {
  return column === name || column.endsWith(`.${name}`);
}

function uses(decision: StatementDecision, rule: SqlRule): boolean {
  if (!decision.relations.includes(`${rule.schema}.${rule.relation}`)) return false;
  return (
    rule.verb === "select" || decision.statements.some(({ kind }) => kind.toLowerCase().startsWith(rule.verb))
  );
}

function ruleKey(task: string, rule: SqlRule): string {
  return `${task} ${rule.verb} ${rule.schema}.${rule.relation}`;
}
