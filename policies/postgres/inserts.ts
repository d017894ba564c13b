/** INSERT, its source of rows and ON CONFLICT. */
import type { SqlRule } from "../task.ts";
import { Clauses } from "./clauses.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Item, Scope } from "./scope.ts";
import { statementTree } from "./template.ts";
import { as, type Fields, list, location, typeOf, type Wrapped } from "./tree.ts";
import { checkedColumns, isMaskCheck, VALUE_SOURCE, type WriteCheck } from "./write-check.ts";
import { assign, assignmentsEnd, checkRow, condition, level, returning } from "./write-parts.ts";
import {
  checkColumns,
  targetChecks,
  targetFilters,
  type WriteTarget,
  writableColumns,
  writeRule,
  writeTarget,
} from "./write-target.ts";

export function insert(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const relation = fields["relation"] as Fields;
  const target = writeTarget(walker, "insert", relation);
  const rule = target && writeRule(walker, "insert", target.relation, location(relation));
  if (!target || !rule) return;
  const columns = insertColumns(walker, target, rule, fields);
  if (!columns) return;
  const filters = targetFilters(walker, target, rule);
  const checks = targetChecks(target, filters);
  if (!columnParts(walker, fields, checks, scope)) return;
  source(walker, target, rule, fields, columns, checks, scope);
  conflict(walker, target, rule, fields, scope);
  returning(walker, target, fields, [target.item], level(scope, [target.item], true));
}

/** The columns that are written, by name; added to the text when the statement does not list them. */
function insertColumns(
  walker: QueryWalker,
  target: WriteTarget,
  rule: SqlRule,
  fields: Fields,
): string[] | null {
  const given = list(fields["cols"]).map((node) => as(node, "ResTarget") ?? {});
  if (given.length > 0) {
    const names = given.map((entry) => String(entry["name"]));
    return checkColumns(walker, rule, target.relation, names) ? names : null;
  }
  const select = as(fields["selectStmt"], "SelectStmt");
  if (!select) return [];
  const width = sourceWidth(select);
  const writable = writableColumns(rule, target.relation).map((column) => column.name);
  if (width === null || width > writable.length) {
    walker.refuse("COLUMN_NOT_GRANTED", "name the columns that are inserted", {
      hint: `The rule grants ${writable.join(", ")}.`,
      rule: rule.at,
    });
    return null;
  }
  const names = writable.slice(0, width);
  const alias = (fields["relation"] as Fields)["alias"]
    ? target.clauses.tokens[target.clauses.tokens[0]?.value === "as" ? 1 : 0]
    : undefined;
  const at = alias ? alias.end : target.nameEnd;
  walker.source.insert(at, ` (${names.map(quoteName).join(", ")})`);
  fields["cols"] = names.map((name) => ({ ResTarget: { name } }));
  return names;
}

/** `INSERT INTO t (tags[1])`: elements of an array, where no rule checks what is written. */
function columnParts(
  walker: QueryWalker,
  fields: Fields,
  checks: readonly WriteCheck[],
  scope: Scope,
): boolean {
  for (const node of list(fields["cols"])) {
    const parts = list(as(node, "ResTarget")?.["indirection"]);
    if (parts.length === 0) continue;
    if (checks.length > 0 || parts.some((part) => typeOf(part) !== "A_Indices")) {
      walker.refuse("SYNTAX_NOT_ALLOWED", "a part of a column cannot be inserted here");
      return false;
    }
    walker.nodes(parts, scope);
  }
  return true;
}

/** How many columns a source has; null when a star hides it. */
function sourceWidth(select: Fields): number | null {
  let first = select;
  while (first["larg"]) first = first["larg"] as Fields;
  const rows = list(first["valuesLists"]);
  if (rows.length > 0) return list(as(rows[0], "List")?.["items"]).length;
  const targets = list(first["targetList"]);
  const star = targets.some(
    (node) => typeOf(list(as(as(node, "ResTarget")?.["val"], "ColumnRef")?.["fields"]).at(-1)) === "A_Star",
  );
  return star ? null : targets.length;
}

/** VALUES or a query, with each new row checked. */
function source(
  walker: QueryWalker,
  target: WriteTarget,
  rule: SqlRule,
  fields: Fields,
  columns: readonly string[],
  checks: readonly WriteCheck[],
  scope: Scope,
): undefined {
  const missing = checks.flatMap((check) => check.columns).find((name) => !columns.includes(name));
  const applied = checks.filter((check) => check.columns.every((name) => columns.includes(name)));
  const required = checks.some(
    (check) => !applied.includes(check) && check.columns.length > 0 && !isMaskCheck(check),
  );
  if (required)
    return walker.refuse(
      "ROW_RULE_VIOLATED",
      `column ${missing} must be given, because the row rule checks it`,
      { rule: rule.at },
    );
  const select = as(fields["selectStmt"], "SelectStmt");
  if (!select) return;
  const rows = list(select["valuesLists"]);
  if (applied.length === 0) return walker.node(fields["selectStmt"], scope);
  const simple =
    rows.length > 0 && Object.keys(select).every((key) => ["valuesLists", "op", "limitOption"].includes(key));
  if (simple && applied.every((check) => check.columns.length === 1))
    return checkValues(walker, target, rows, columns, applied, scope);
  checkQuery(walker, target, fields, columns, applied, scope);
}

/** Each row of VALUES, in place. */
export function checkValues(
  walker: QueryWalker,
  target: WriteTarget,
  rows: readonly unknown[],
  columns: readonly string[],
  checks: readonly WriteCheck[],
  scope: Scope,
): undefined {
  const { clauses } = target;
  const first = clauses.find("values");
  const opens = clauses.tokens.filter(
    (token, index) => index > first && token.value === "(" && token.kind === "other",
  );
  for (const [index, node] of rows.entries()) {
    const row = as(node, "List");
    const open = opens[index];
    if (!row || !open) return walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
    const inner = new Clauses(walker.source.text, open.end, walker.source.text.length);
    const ranges = inner.split(0, inner.tokens.length);
    row["items"] = checkRow(walker, target, columns, list(row["items"]) as Wrapped[], checks, ranges, scope);
  }
}

/** A query as the source of a checked select. */
function checkQuery(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  columns: readonly string[],
  checks: readonly WriteCheck[],
  scope: Scope,
): undefined {
  const { clauses } = target;
  const names = columns.map((name) => target.relation.columns.find((column) => column.name === name)!);
  const start = sourceStart(clauses);
  const end = sourceEnd(clauses, start);
  if (start < 0) return walker.refuse("SYNTAX_NOT_ALLOWED", "the source of the rows is not understood here");
  const before = `SELECT ${checkedColumns(names, checks).join(", ")} FROM (`;
  const after = `) AS ${VALUE_SOURCE}(${columns.map(quoteName).join(", ")})`;
  const range = clauses.range(start, end);
  walker.source.insert(range.start, before);
  walker.source.insert(range.end, after);
  const query = fields["selectStmt"] as Wrapped;
  walker.node(query, scope);
  const outer = statementTree(walker.world.parser, `${before}SELECT${after}`);
  const from = as(list(as(outer, "SelectStmt")!["fromClause"])[0], "RangeSubselect")!;
  from["subquery"] = query;
  fields["selectStmt"] = outer;
}

/** The index of the first token of an INSERT's source. */
function sourceStart(clauses: Clauses): number {
  return clauses.tokens.findIndex((token, index) => {
    if (token.kind === "name") return ["select", "values", "with", "table"].includes(token.value);
    // A parenthesis that is no column list.
    return token.value === "(" && index > 0 && clauses.tokens[index - 1]?.value === ")";
  });
}

/** The index of the first token behind it; -1 for the end. */
function sourceEnd(clauses: Clauses, from: number): number {
  const on = clauses.findLast("on", "conflict");
  const returningAt = clauses.find("returning", Math.max(from, 0));
  return on >= 0 ? on : returningAt;
}

/** ON CONFLICT. Whether a value exists may only be asked for columns that may be read. */
function conflict(
  walker: QueryWalker,
  target: WriteTarget,
  insertRule: SqlRule,
  fields: Fields,
  scope: Scope,
): undefined {
  const clause = fields["onConflictClause"] as Fields | undefined;
  if (!clause) return;
  const infer = clause["infer"] as Fields | undefined;
  if (!walker.known("OnConflictClause", clause) || (infer && !walker.known("InferClause", infer))) return;
  const { whole } = target.item.target!;
  if (!whole && (infer?.["conname"] !== undefined || infer?.["whereClause"])) {
    return walker.refuse("CONFLICT_NOT_ALLOWED", "ON CONFLICT needs the columns of its unique index", {
      hint: "Write ON CONFLICT (column, …).",
    });
  }
  const index = level(scope, [target.item], true);
  if (infer?.["whereClause"]) walker.node(infer["whereClause"], index);
  const readable = new Set(target.readable);
  const elements = list(infer?.["indexElems"]).map((node) => as(node, "IndexElem") ?? {});
  for (const element of elements) {
    const name = element["name"];
    if (whole && element["expr"] && walker.known("IndexElem", element)) {
      walker.node(element["expr"], index);
      if (!element["opclass"] && !element["collation"]) continue;
    }
    if (
      typeof name === "string" &&
      readable.has(name) &&
      !element["expr"] &&
      !element["collation"] &&
      !element["opclass"]
    )
      continue;
    return walker.refuse(
      "CONFLICT_NOT_ALLOWED",
      `ON CONFLICT may only name columns that the task reads unmasked, not ${String(name ?? "an expression")}`,
    );
  }
  if (
    elements.length === 0 &&
    writableColumns(insertRule, target.relation).some((column) => !readable.has(column.name))
  ) {
    return walker.refuse(
      "CONFLICT_NOT_ALLOWED",
      "ON CONFLICT DO NOTHING would tell whether a hidden value exists",
      { hint: "Name the columns: ON CONFLICT (column, …)." },
    );
  }
  if (clause["action"] !== "ONCONFLICT_UPDATE") return;
  const rule = writeRule(walker, "update", target.relation, location(fields["relation"] as Fields));
  if (!rule) return;
  const filters = targetFilters(walker, target, rule);
  const excluded: Item = {
    name: "excluded",
    columns: new Set([...writableColumns(insertRule, target.relation).map((column) => column.name)]),
    view: null,
    node: null,
    target: null,
  };
  // What `excluded` shows is the row that was given, with defaults for the rest.
  const hidden: Item = {
    ...excluded,
    columns: null,
    target: { relation: target.item.target!.relation, readable: excluded.columns!, whole: false },
  };
  const inside = level(scope, [target.item, hidden], true);
  const { clauses } = target;
  const set = clauses.findLast("do", "update", "set") + 2;
  const ranges = clauses.split(set + 1, assignmentsEnd(clauses, set + 1));
  assign(
    walker,
    target,
    rule,
    { targets: list(clause["targetList"]), ranges },
    targetChecks(target, filters),
    inside,
  );
  condition(walker, target, clause, filters, inside, set);
}
