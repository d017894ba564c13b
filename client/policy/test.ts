/** `wicket policy test`: runs tasks/*.test.yaml. */
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import { runTests, type TestRun } from "../../policies/tests.ts";
import { exit, jsonText, type PolicyIo } from "./io.ts";
import { openPolicy, type PolicySource, taskNamed } from "./open.ts";

export interface TestOptions extends PolicySource {
  /** Only the tests of this task; null = all. */
  readonly task: string | null;
  /** An `allow` line that no passing test uses fails, too. */
  readonly coverage: boolean;
  readonly json: boolean;
}

/** Runs the tests; exit code 1 when one fails. */
export async function policyTest(options: TestOptions, io: PolicyIo): Promise<number> {
  const policy = await openPolicy(options, io);
  if (policy === null) return exit.failure;
  if (options.task !== null && taskNamed(policy.library, options.task, io) === null) return exit.usage;
  const deciders = new Map<string, StatementDecider>();
  for (const task of Object.values(policy.library.bundle.tasks)) {
    const tested = policy.library.tests.some(({ task: name, sql }) => name === task.name && sql !== null);
    if (task.resourceType === "postgres" && tested) deciders.set(task.name, await policy.decider(task));
  }
  const decide = ({ name }: { name: string }, sql: string) => deciders.get(name)?.decide(sql) ?? null;
  const run = runTests(policy.library, decide, options.task);
  const failed = run.failed > 0 || (options.coverage && run.uncovered.length > 0);
  io.out(options.json ? jsonText(asJson(run, !failed)) : testText(run));
  return failed ? exit.failure : exit.ok;
}

function asJson(run: TestRun, ok: boolean) {
  const results = run.results.map(({ test, ok, got, message }) => ({
    task: test.task,
    at: test.at,
    ok,
    got,
    message,
  }));
  return { ok, passed: run.passed, failed: run.failed, results, uncovered: run.uncovered };
}

function testText(run: TestRun): string {
  const lines = run.results
    .filter(({ ok }) => !ok)
    .map(({ test, got, message }) => {
      const { expect } = test;
      const wanted = expect.effect === "deny" ? `deny ${expect.code}` : expect.effect;
      const said = message ? `: ${message}` : "";
      return `${test.at}: FAILED: expected ${wanted}, got ${got}${said}\n  ${test.as.name}: ${test.sql ?? ""}`;
    });
  for (const { at, verb, relation } of run.uncovered)
    lines.push(`${at}: no test uses ${verb} on ${relation}`);
  return [...lines, `${run.passed} passed, ${run.failed} failed`].join("\n");
}
