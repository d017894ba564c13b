/** INSERT, its source of rows and ON CONFLICT. */
import type { SqlRule } from "../task.ts";
import { insertSource, sourceWidth } from "./insert-source.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Item, Scope } from "./scope.ts";
import { ROW } from "./target-rows.ts";
import { as, type Fields, list, location, typeOf } from "./tree.ts";
import type { WriteCheck } from "./write-check.ts";
import { assign, assignmentsEnd, condition, level, returning } from "./write-parts.ts";
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
  const listed = list(fields["cols"]).length > 0;
  const columns = insertColumns(walker, target, rule, fields);
  if (!columns) return;
  const filters = targetFilters(walker, target, rule);
  const checks = targetChecks(target, filters);
  if (!columnParts(walker, fields, checks, scope)) return;
  insertSource({ walker, target, rule, fields, listed, columns, checks, scope });
  conflict(walker, target, rule, fields, scope);
  returning(walker, target, fields, [target.item], level(scope, [target.item], true));
}

/** `excluded.*`, where no column of the table has the name that the row is given. */
function excludedRow({ relation }: WriteTarget, { columns }: Item): readonly string[] | null {
  return relation.columns.some(({ name }) => name === ROW) ? null : [...columns!];
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
    target: {
      relation: target.item.target!.relation,
      readable: excluded.columns!,
      whole: false,
      row: excludedRow(target, excluded),
    },
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
