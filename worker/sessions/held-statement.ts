/** What an approver is shown of a held statement: the text, its parameters, what it can touch, and its plan. */
import type { GateHold } from "../../policies/postgres/gate.ts";
import type { RecordedParam } from "../../policies/postgres/gate-types.ts";
import type { Task } from "../../policies/task.ts";
import type { PlanNode } from "../../wire/tunnel.ts";
import type { HeldStatement, Touch } from "../grants/grant.ts";

/** Longer texts are not approved: nobody reads them to the end. Characters. */
export const MAX_APPROVED_TEXT = 16 * 1024;

/** The answer of a connector, or why there is none. */
export interface PlanAnswer {
  readonly plan: PlanNode | null;
  readonly message: string | null;
}

/** Why a statement cannot be shown whole, and so cannot be approved; null when it can. */
export function unshowable(hold: GateHold): { readonly code: string; readonly message: string } | null {
  if (hold.text.length > MAX_APPROVED_TEXT) {
    const message = `a statement that needs approval has at most ${MAX_APPROVED_TEXT} characters`;
    return { code: "STATEMENT_TOO_LARGE", message };
  }
  const cut = hold.params.findIndex((param) => isObject(param) && param.length !== undefined);
  if (cut < 0) return null;
  const message = `the parameter $${cut + 1} is too long to be shown to who approves it`;
  return { code: "PARAMETER_TOO_LARGE", message };
}

/** Parameters as text, for the connector to plan with; null when some are binary. */
export function planParams(hold: GateHold): (string | null)[] | null {
  return hold.params.some(isObject) ? null : (hold.params as (string | null)[]);
}

/** True when EXPLAIN takes the text: one statement that reads or changes rows. */
export function hasPlan(hold: GateHold): boolean {
  const { statements, rewritten } = hold.decision;
  return (
    rewritten !== null &&
    statements.length === 1 &&
    ["Select", "Insert", "Update", "Delete", "Merge"].includes(statements[0]!.kind)
  );
}

/** Everything that the approval is bound to, besides the grant. */
export function heldStatement(
  hold: GateHold,
  session: string,
  task: Task,
  answer: PlanAnswer,
): Omit<HeldStatement, "digest"> {
  const { rewritten, relations, masked, rule } = hold.decision;
  const { plan, message } = answer;
  return {
    ...{ session, text: hold.text, rewritten, params: hold.params.map(textOf), relations, masked, rule },
    touches: touchesOf(hold, task),
    plan: plan && planLines(plan).join("\n"),
    estimatedRows: plan && estimatedRows(plan),
    noPlan: plan ? null : (message ?? "the connector made none"),
  };
}

/** The task's rules for the relations and verbs of the statement, as far as its parser knows them. */
function touchesOf(hold: GateHold, task: Task): Touch[] {
  const writes = hold.decision.statements.some((statement) => statement.effect === "write");
  return task.rules
    .filter((rule) => hold.decision.relations.includes(`${rule.schema}.${rule.relation}`))
    .filter((rule) => writes || rule.verb === "select")
    .map(({ schema, relation, verb, columns, rows, at }) => ({
      ...{ relation: `${schema}.${relation}`, verb, columns, rows, at },
    }));
}

function planLines(node: PlanNode, depth = 0): string[] {
  const { on, index, rows, cost } = node;
  const where = `${on ? ` on ${on}` : ""}${index ? ` by ${index}` : ""}`;
  const line = `${"  ".repeat(depth)}${node.node}${where}: about ${rows} rows, cost ${cost}`;
  return [line, ...node.plans.flatMap((below) => planLines(below, depth + 1))];
}

/** Rows that are read, or for a change: that are changed (its own node returns none without RETURNING). */
function estimatedRows(plan: PlanNode): number {
  if (!["Insert", "Update", "Delete", "Merge"].includes(plan.node)) return plan.rows;
  return Math.max(plan.rows, ...plan.plans.map((below) => below.rows));
}

function isObject(param: RecordedParam): param is Exclude<RecordedParam, string | null> {
  return typeof param === "object" && param !== null;
}

/** A parameter as the approver sees it. */
function textOf(param: RecordedParam): string | null {
  if (!isObject(param)) return param;
  return param.text ?? (param.base64 === undefined ? null : `base64:${param.base64}`);
}
