/**
 * `wicket policy who-can select public.customers.email`: which tasks would let whom. Each task is asked by a
 * statement that does just that, through the same decider as the edge: there is no second reading of a policy.
 */
import { isMember, needsApproval } from "../../policies/decide.ts";
import { parseQualified } from "../../policies/names.ts";
import { qualified, quoteName } from "../../policies/postgres/names.ts";
import { identityOf } from "../../policies/tests.ts";
import { exit, jsonText, type PolicyIo } from "./io.ts";
import { openPolicy, type PolicySource } from "./open.ts";

export interface WhoCanOptions extends PolicySource {
  readonly verb: string;
  /** `schema.relation` or `schema.relation.column`. */
  readonly target: string;
  readonly json: boolean;
}

/** One task that would allow it. */
export interface WhoCan {
  readonly task: string;
  readonly resource: string;
  readonly groups: readonly string[];
  readonly workloads: number;
  /** People of people.yaml. */
  readonly people: readonly string[];
  /** True when the column is shown masked. */
  readonly masked: boolean;
  readonly rows: string | null;
  readonly needsApproval: boolean;
  readonly rule: string | null;
}

const verbs = ["select", "insert", "update", "delete", "truncate"];

/** Prints who can; exit code 0 also when nobody can. */
export async function policyWhoCan(options: WhoCanOptions, io: PolicyIo): Promise<number> {
  const target = parseTarget(options.target);
  if (!verbs.includes(options.verb) || target === null) {
    io.err(`write: who-can ${verbs.join("|")} schema.relation[.column]`);
    return exit.usage;
  }
  const policy = await openPolicy(options, io);
  if (policy === null) return exit.failure;
  const { bundle, people } = policy.library;
  const found: WhoCan[] = [];
  for (const task of Object.values(bundle.tasks)) {
    const rules = task.rules.filter(
      ({ verb, schema, relation }) =>
        verb === options.verb && schema === target.schema && relation === target.name,
    );
    if (rules.length === 0) continue;
    const [rule] = rules;
    const granted = rule!.columns === "*" ? null : rule!.columns;
    const column = target.column ?? granted?.[0] ?? null;
    const decision = (await policy.decider(task)).decide(statement(options.verb, target, column));
    if (decision.effect === "deny" || (target.column && granted && !granted.includes(target.column)))
      continue;
    found.push({
      task: task.name,
      resource: task.resource,
      groups: task.who.groups,
      workloads: task.who.workloads.length,
      people: Object.values(people)
        .filter((person) => isMember(task, identityOf(person)))
        .map(({ name }) => name),
      masked: target.column !== null && Object.hasOwn(rule!.mask, target.column),
      rows: rule!.rows,
      needsApproval: needsApproval(task),
      rule: rule!.at,
    });
  }
  io.out(options.json ? jsonText(found) : found.length === 0 ? "nobody" : found.map(line).join("\n"));
  return exit.ok;
}

function line(entry: WhoCan): string {
  const who = [
    ...(entry.groups.length > 0 ? [`groups ${entry.groups.join(", ")}`] : []),
    ...(entry.workloads > 0 ? [`${entry.workloads} kinds of programs`] : []),
    ...(entry.people.length > 0 ? [`here: ${entry.people.join(", ")}`] : []),
  ];
  const notes = [
    ...(entry.masked ? ["masked"] : []),
    ...(entry.rows === null ? [] : [`rows where ${entry.rows}`]),
    ...(entry.needsApproval ? ["with approval"] : []),
  ];
  return `${entry.task}  ${who.join("; ")}${notes.length > 0 ? `  (${notes.join("; ")})` : ""}  ${entry.rule}`;
}

function parseTarget(text: string): { schema: string; name: string; column: string | null } | null {
  const whole = parseQualified(text);
  if ("schema" in whole) return { ...whole, column: null };
  const dot = text.lastIndexOf(".");
  const parts = parseQualified(text.slice(0, dot));
  return dot > 0 && "schema" in parts ? { ...parts, column: text.slice(dot + 1) } : null;
}

/** The smallest statement that does it. */
function statement(verb: string, target: { schema: string; name: string }, column: string | null): string {
  const relation = qualified(target.schema, target.name);
  const name = column === null ? "*" : quoteName(column);
  switch (verb) {
    case "insert":
      return column === null
        ? `INSERT INTO ${relation} DEFAULT VALUES`
        : `INSERT INTO ${relation} (${name}) VALUES (NULL)`;
    case "update":
      return `UPDATE ${relation} SET ${column === null ? "ctid" : name} = NULL`;
    case "delete":
      return `DELETE FROM ${relation}`;
    case "truncate":
      return `TRUNCATE ${relation}`;
    default:
      return `SELECT ${name} FROM ${relation}`;
  }
}
