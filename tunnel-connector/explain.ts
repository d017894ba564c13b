/**
 * The plan of a statement that waits for approval, for the people who decide on it. It is asked for on a connection
 * of its own, in a read-only transaction, and never run. What leaves the private network is what is done to which
 * relation and how many rows are expected: no filter, no expression, no value.
 */
import type { PlanNode } from "../wire/tunnel.ts";
import type { PostgresResource } from "./config.ts";
import { openPostgres, TargetError } from "./postgres-target.ts";

/** A plan that takes longer is not waited for, milliseconds. */
const PLAN_MS = 4_000;
const MAX_NODES = 200;
const MAX_DEPTH = 24;

export interface ExplainAsk {
  /** One statement, as it would run. */
  readonly text: string;
  readonly params: readonly (string | null)[];
}

export type Explained =
  | { readonly plan: PlanNode }
  /** Why there is none, in words that say nothing of the data. */
  | { readonly plan: null; readonly message: string };

/** @param options the session's own start-up options, so that it is planned as it would run */
export async function explainStatement(
  resource: PostgresResource,
  options: string,
  applicationName: string,
  ask: ExplainAsk,
): Promise<Explained> {
  let target: Awaited<ReturnType<typeof openPostgres>>;
  try {
    target = await openPostgres(resource, options, applicationName);
  } catch (error) {
    return none(error instanceof TargetError ? error.message : "the database could not be opened for it");
  }
  const timer = setTimeout(() => target.close(), 2 * PLAN_MS);
  try {
    const { client } = target;
    await client.query(
      `BEGIN READ ONLY; SET LOCAL statement_timeout = ${PLAN_MS}; SET LOCAL lock_timeout = ${PLAN_MS / 4}`,
    );
    // The extended protocol takes one statement only, whatever the text says.
    const query = {
      ...{ text: `EXPLAIN (FORMAT JSON, VERBOSE) ${ask.text}`, values: [...ask.params] },
      queryMode: "extended",
    };
    const { rows } = await client.query<{ "QUERY PLAN": unknown }>(query);
    const node = planOf(rows[0]?.["QUERY PLAN"]);
    return node ? { plan: node } : none("its plan is too large, or not one");
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const state = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? ` (${code})` : "";
    return none(`the database does not plan it${state}`);
  } finally {
    clearTimeout(timer);
    target.close();
  }
}

/** The plan from `EXPLAIN (FORMAT JSON)`, with nothing in it but names of nodes and relations, and estimates. */
export function planOf(answer: unknown): PlanNode | null {
  const first: unknown = Array.isArray(answer) ? answer[0] : null;
  const root = (first as { Plan?: unknown } | null)?.Plan;
  const count = { nodes: 0 };
  return root === undefined ? null : nodeOf(root, count, 0);
}

function nodeOf(value: unknown, count: { nodes: number }, depth: number): PlanNode | null {
  count.nodes += 1;
  if (typeof value !== "object" || value === null || count.nodes > MAX_NODES || depth > MAX_DEPTH)
    return null;
  const fields = value as Record<string, unknown>;
  const text = (name: string): string | null =>
    typeof fields[name] === "string" ? (fields[name] as string).slice(0, 100) : null;
  const number = (name: string): number =>
    typeof fields[name] === "number" && Number.isFinite(fields[name])
      ? Math.max(0, fields[name] as number)
      : 0;
  const plans: PlanNode[] = [];
  for (const below of Array.isArray(fields["Plans"]) ? fields["Plans"] : []) {
    const node = nodeOf(below, count, depth + 1);
    if (!node) return null;
    plans.push(node);
  }
  const relation = text("Relation Name");
  const schema = text("Schema");
  const node = text("Node Type");
  if (node === null) return null;
  return {
    node: node === "ModifyTable" ? (text("Operation") ?? node) : node,
    on: relation === null ? null : `${schema ?? "?"}.${relation}`,
    ...{ index: text("Index Name"), rows: number("Plan Rows"), cost: number("Total Cost"), plans },
  };
}

function none(message: string): Explained {
  return { plan: null, message };
}
