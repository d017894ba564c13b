/**
 * MERGE: each of its actions under the rule of its verb, or under a merge rule. The row filter is part of the
 * join condition, so a hidden row is one that is not there.
 */
import type { SqlRule } from "../task.ts";
import type { Range } from "./clauses.ts";
import { Clauses } from "./clauses.ts";
import { fromItems } from "./from-items.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Scope } from "./scope.ts";
import { expressionTree, HOLE } from "./template.ts";
import { as, type Fields, list, location, type Wrapped } from "./tree.ts";
import { isMaskCheck, type WriteCheck } from "./write-check.ts";
import {
  assign,
  checkedFirst,
  checkRow,
  guarded,
  level,
  returning,
  targetCheck,
  wrap,
} from "./write-parts.ts";
import {
  checkColumns,
  filterCondition,
  targetChecks,
  targetFilters,
  type WriteTarget,
  writableColumns,
  writeTarget,
} from "./write-target.ts";

const VERBS: Readonly<Record<string, SqlRule["verb"]>> = {
  CMD_UPDATE: "update",
  CMD_INSERT: "insert",
  CMD_DELETE: "delete",
};

export function merge(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const relation = fields["relation"] as Fields;
  const target = writeTarget(walker, "merge", relation);
  if (!target) return;
  const actions = list(fields["mergeWhenClauses"]).map((node) => as(node, "MergeWhenClause") ?? {});
  const rules = actions.map((action) => actionRule(walker, target, action, location(relation)));
  const acting = rules.filter((rule) => rule !== null);
  const idle = acting.length === 0 ? idleRule(walker, target, location(relation)) : null;
  const used = idle ? [idle] : acting;
  if (walker.refused) return;
  const filters = used.map((rule) => targetFilters(walker, target, rule));
  const conditions = filters.map((own) => filterCondition(own, target.ref));
  const condition = conditions[0] ?? null;
  if (conditions.some((other) => other !== condition)) {
    const hint = "Use UPDATE, INSERT and DELETE, each under its own rule.";
    return walker.refuse(
      "WRITE_CHECK_UNSUPPORTED",
      "the rules of this MERGE's actions have different row rules",
      { hint },
    );
  }
  const source = [fields["sourceRelation"]];
  const items = [target.item, ...fromItems(walker.world, source, scope)];
  const inside = level(scope, items, true);
  const starts = clauseStarts(target.clauses);
  if (starts.length !== actions.length)
    return walker.refuse("SYNTAX_NOT_ALLOWED", "MERGE is not understood here");
  joinCondition(walker, target, fields, condition, starts[0]!, inside);
  walker.node(fields["sourceRelation"], level(scope, items, false));
  for (const [index, action] of actions.entries()) {
    if (condition !== null && action["matchKind"] === "MERGE_WHEN_NOT_MATCHED_BY_SOURCE") {
      const hint = "Use UPDATE or DELETE with NOT EXISTS.";
      return walker.refuse(
        "WRITE_NOT_ALLOWED",
        "WHEN NOT MATCHED BY SOURCE would reach rows that the task hides",
        { hint },
      );
    }
    if (!walker.known("MergeWhenClause", action)) return;
    const range = { from: starts[index]!, to: starts[index + 1] ?? end(target.clauses, starts[index]!) };
    if (action["commandType"] === "CMD_INSERT") checkedAction(walker, target, action, range.from, inside);
    else if (action["condition"]) walker.node(action["condition"], inside);
    const rule = rules[index];
    if (rule) act(walker, target, rule, action, range, targetChecks(target, filters[0] ?? []), inside);
  }
  returning(walker, target, fields, items, inside);
}

/** The rule of an action; null for DO NOTHING. */
function actionRule(walker: QueryWalker, target: WriteTarget, action: Fields, at: number): SqlRule | null {
  const verb = VERBS[String(action["commandType"])];
  if (!verb) {
    if (action["commandType"] !== "CMD_NOTHING")
      walker.refuse("SYNTAX_NOT_ALLOWED", "MERGE is not understood here");
    return null;
  }
  const { schema, name } = target.relation;
  const rule =
    walker.world.relations.rule(verb, schema, name) ?? walker.world.relations.rule("merge", schema, name);
  if (!rule) walker.refuse(...walker.world.notGranted(target.relation, verb, at));
  else walker.rules.add(rule);
  return rule;
}

/** The rule of a MERGE whose actions all do nothing: it still looks for rows of its target, so it needs one. */
function idleRule(walker: QueryWalker, target: WriteTarget, at: number): SqlRule | null {
  const { schema, name } = target.relation;
  for (const verb of ["merge", "update", "delete", "insert"] as const) {
    const rule = walker.world.relations.rule(verb, schema, name);
    if (!rule) continue;
    walker.rules.add(rule);
    return rule;
  }
  walker.refuse(...walker.world.notGranted(target.relation, "merge", at));
  return null;
}

/** The indexes of the tokens WHEN that begin an action; those of a CASE do not. */
function clauseStarts(clauses: Clauses): number[] {
  const out: number[] = [];
  let cases = 0;
  for (const [index, token] of clauses.tokens.entries()) {
    if (token.kind !== "name") continue;
    if (token.value === "case") cases++;
    else if (token.value === "end") cases--;
    else if (token.value === "when" && cases === 0) out.push(index);
  }
  return out;
}

/** The index behind the last action. */
function end(clauses: Clauses, from: number): number {
  const found = clauses.find("returning", from);
  return found < 0 ? clauses.tokens.length : found;
}

function joinCondition(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  filter: string | null,
  first: number,
  scope: Scope,
): undefined {
  const { clauses } = target;
  const condition = fields["joinCondition"] as Wrapped;
  const check = targetCheck(walker, target);
  const sql = checkedFirst(check, filter === null ? null : guarded(filter));
  if (filter !== null || check !== null) {
    let on = first - 1;
    while (on >= 0 && !(clauses.tokens[on]!.kind === "name" && clauses.tokens[on]!.value === "on")) on--;
    const start = clauses.tokens[on + 1]?.start;
    if (on < 0 || start === undefined)
      return walker.refuse("SYNTAX_NOT_ALLOWED", "MERGE is not understood here");
    wrap(walker, { start, end: clauses.range(on, first).end }, sql);
  }
  walker.node(condition, scope);
  if (filter !== null || check !== null)
    fields["joinCondition"] = expressionTree(walker.world.parser, sql, condition);
}

/**
 * An INSERT checks its table in its own condition: the one of the join is not evaluated where the target has no rows. As a
 * sub-select it is evaluated once.
 */
function checkedAction(
  walker: QueryWalker,
  target: WriteTarget,
  action: Fields,
  from: number,
  scope: Scope,
): undefined {
  const check = targetCheck(walker, target);
  const condition = action["condition"] as Wrapped | undefined;
  if (check !== null) {
    const { clauses } = target;
    const matched = clauses.find("matched", from);
    const and = clauses.tokens[matched + 1]?.value === "by" ? matched + 3 : matched + 1;
    const then = thenOf(clauses, and);
    const sql = `(SELECT ${check})${condition ? ` AND (${HOLE})` : ""}`;
    if (matched < 0 || then < 0 || (clauses.tokens[and]!.value === "and") !== (condition !== undefined))
      return walker.refuse("SYNTAX_NOT_ALLOWED", "MERGE is not understood here");
    if (condition) wrap(walker, clauses.range(and + 1, then), sql);
    else walker.source.insert(clauses.tokens[then]!.start, `AND ${sql} `);
    if (condition) walker.node(condition, scope);
    action["condition"] = expressionTree(walker.world.parser, sql, condition ?? null);
  } else if (condition) walker.node(condition, scope);
}

/** The index of the THEN of an action; -1 when there is none. */
function thenOf(clauses: Clauses, from: number): number {
  let cases = 0;
  for (let index = from; index < clauses.tokens.length; index++) {
    const token = clauses.tokens[index]!;
    if (token.kind !== "name") continue;
    if (token.value === "case") cases++;
    else if (token.value === "end") cases--;
    else if (token.value === "then" && cases === 0) return index;
  }
  return -1;
}

/** UPDATE SET or INSERT of one action. */
function act(
  walker: QueryWalker,
  target: WriteTarget,
  rule: SqlRule,
  action: Fields,
  range: { from: number; to: number },
  checks: readonly WriteCheck[],
  scope: Scope,
): undefined {
  const { clauses } = target;
  if (action["commandType"] === "CMD_UPDATE") {
    const set = clauses.find("set", range.from);
    const ranges = clauses.split(set + 1, range.to);
    assign(walker, target, rule, { targets: list(action["targetList"]), ranges }, checks, scope);
  }
  if (action["commandType"] !== "CMD_INSERT") return;
  const values = list(action["values"]) as Wrapped[];
  const given = list(action["targetList"]).map((node) => as(node, "ResTarget") ?? {});
  let names = given.map((entry) => String(entry["name"]));
  if (given.some((entry) => entry["indirection"]))
    return walker.refuse("SYNTAX_NOT_ALLOWED", "a part of a column cannot be inserted");
  if (!checkColumns(walker, rule, target.relation, names)) return;
  const insert = clauses.find("insert", range.from);
  if (names.length === 0 && values.length > 0) {
    const writable = writableColumns(rule, target.relation).map((column) => column.name);
    names = writable.slice(0, values.length);
    if (names.length < values.length) {
      return walker.refuse("COLUMN_NOT_GRANTED", "name the columns that are inserted", { rule: rule.at });
    }
    walker.source.insert(clauses.tokens[insert]!.end, ` (${names.map(quoteName).join(", ")})`);
    action["targetList"] = names.map((name) => ({ ResTarget: { name } }));
  }
  const missing = checks.find(
    (check) => !isMaskCheck(check) && check.columns.some((name) => !names.includes(name)),
  );
  if (missing)
    return walker.refuse("ROW_RULE_VIOLATED", "every column that the row rule checks must be given", {
      rule: rule.at,
    });
  if (values.length === 0) return;
  action["values"] = checkRow(
    walker,
    target,
    names,
    values,
    checks,
    valueRanges(walker, clauses, insert, range.to),
    scope,
  );
}

/** The values of `VALUES (…)` of one action. */
function valueRanges(walker: QueryWalker, clauses: Clauses, from: number, to: number): Range[] {
  const keyword = clauses.find("values", from);
  const open = keyword >= 0 && keyword < to ? clauses.tokens[keyword + 1] : undefined;
  if (!open) return [];
  const inner = new Clauses(walker.source.text, open.end, walker.source.text.length);
  return inner.split(0, inner.tokens.length);
}
