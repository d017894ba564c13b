/**
 * The rows of an INSERT: VALUES, a query or DEFAULT VALUES, each new row checked, and the table itself once, before the
 * first row is made. The check stands where it leaves the types of the values as they are: in a value of VALUES whose
 * type is known, or around a query.
 */
import type { SqlRule } from "../task.ts";
import { Clauses } from "./clauses.ts";
import { tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Scope } from "./scope.ts";
import { expressionTree, HOLE, statementTree } from "./template.ts";
import { as, type Fields, list, location, typeOf, type Wrapped } from "./tree.ts";
import { checkedColumns, isMaskCheck, looseType, VALUE_SOURCE, type WriteCheck } from "./write-check.ts";
import { checkRow, targetCheck } from "./write-parts.ts";
import type { WriteTarget } from "./write-target.ts";

export interface InsertSource {
  readonly walker: QueryWalker;
  readonly target: WriteTarget;
  readonly rule: SqlRule;
  /** Of the InsertStmt. */
  readonly fields: Fields;
  /** The text lists the columns. */
  readonly listed: boolean;
  /** Names of the columns that are written. */
  readonly columns: readonly string[];
  readonly checks: readonly WriteCheck[];
  readonly scope: Scope;
}

/** VALUES or a query, with each new row checked. */
export function insertSource(insert: InsertSource): undefined {
  const { walker, target, rule, fields, columns, checks } = insert;
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
  const check = targetCheck(walker, target);
  const select = as(fields["selectStmt"], "SelectStmt");
  if (!select) return check === null ? undefined : onlyDefaults(insert, 1, check);
  const rows = list(select["valuesLists"]);
  if (applied.length === 0 && check === null) return walker.node(fields["selectStmt"], insert.scope);
  const plain = Object.keys(select).every((key) => ["valuesLists", "op", "limitOption"].includes(key));
  if (rows.length > 0 && plain && target.clauses.find("values") >= 0 && applied.every(ofOneColumn))
    return checkValues(insert, rows, applied, check);
  checkQuery(insert, select, applied, check);
}

const ofOneColumn = (check: WriteCheck) => check.columns.length === 1;

// -------------------------------------------------------------------- VALUES

/** Each row of VALUES, in place; the check of the table in one value of the first row that can hold it. */
function checkValues(
  insert: InsertSource,
  rows: readonly unknown[],
  checks: readonly WriteCheck[],
  check: string | null,
): undefined {
  const { walker, target, columns, scope } = insert;
  const { clauses } = target;
  const first = clauses.find("values");
  const opens = clauses.tokens.filter(
    (token, index) => index > first && token.value === "(" && token.kind === "other",
  );
  const items = rows.map((node) => list(as(node, "List")?.["items"]) as Wrapped[]);
  const at = check === null ? null : placeOfCheck(insert, items);
  if (check !== null && at === null) return onlyDefaults(insert, rows.length, check);
  for (const [index, node] of rows.entries()) {
    const row = as(node, "List");
    const open = opens[index];
    if (!row || !open) return walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
    if (checks.length === 0 && at?.row !== index) {
      walker.nodes(items[index], scope);
      continue;
    }
    const inner = new Clauses(walker.source.text, open.end, walker.source.text.length);
    const ranges = inner.split(0, inner.tokens.length);
    const guard =
      at?.row === index
        ? { position: at.position, sql: guarded(at.cast, check!), whole: guarded(null, check!) }
        : null;
    row["items"] = checkRow(walker, target, columns, items[index]!, checks, ranges, scope, guard);
  }
}

/** A value behind the check; cast, where it would otherwise take its type from the column. */
function guarded(cast: string | null, check: string): string {
  return `(SELECT (${HOLE})${cast === null ? "" : `::${cast}`} WHERE ${check})`;
}

/** Which value of which row shall hold the check, and the type that it must then be cast to. */
function placeOfCheck(
  insert: InsertSource,
  rows: readonly (readonly Wrapped[])[],
): { row: number; position: number; cast: string | null } | null {
  for (const [row, values] of rows.entries()) {
    let best: { row: number; position: number; cast: string | null; rank: number } | null = null;
    for (const [position, value] of values.entries()) {
      const rank = rankOf(value);
      if (rank === null || (best && rank >= best.rank)) continue;
      const untyped = isUntyped(value) || typeOf(value) === "RowExpr";
      const type = untyped ? typeAt(insert, position) : null;
      if (untyped && type === null) continue;
      best = { row, position, rank, cast: type };
    }
    if (best) return best;
  }
  return null;
}

/** The type that the value at a position is assigned as: the column's, or that of its elements. */
function typeAt({ target, fields, columns }: InsertSource, position: number): string | null {
  const column = target.relation.columns.find(({ name }) => name === columns[position]);
  if (!column) return null;
  const parts = list(as(list(fields["cols"])[position], "ResTarget")?.["indirection"]);
  const element = parts.length > 0 && parts.every((part) => !as(part, "A_Indices")?.["is_slice"]);
  return element ? looseType(column).replace(/\[\]$/, "") : looseType(column);
}

/** How well a value can hold the check, best first: with a type of its own, and without surprise in a sub-select. */
function rankOf(value: Wrapped): number | null {
  const type = typeOf(value);
  if (type === "SetToDefault" || type === null) return null;
  if (type === "A_Const") return isUntyped(value) ? 2 : 0;
  const ranks: Readonly<Record<string, number>> = { TypeCast: 1, ParamRef: 3, RowExpr: 5 };
  return ranks[type] ?? 4;
}

/** Literals in quotes, NULL and parameters: without a context they have no type. */
function isUntyped(value: unknown): boolean {
  const constant = as(value, "A_Const");
  if (constant) return constant["sval"] !== undefined || constant["isnull"] === true;
  return typeOf(value) === "ParamRef";
}

/** Rows of nothing but defaults: a query without columns gives them, and can hold the check. */
function onlyDefaults({ walker, target, fields }: InsertSource, rows: number, check: string): undefined {
  const { clauses } = target;
  const overriding = clauses.find("overriding");
  const word = clauses.find(fields["selectStmt"] === undefined ? "default" : "values");
  const start = listStart(clauses, overriding < 0 ? word : overriding);
  const last = behindSource(clauses, fields, word);
  if (word < 0) return walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
  const from = rows === 1 ? "" : `FROM pg_catalog.generate_series(1, ${rows}) `;
  const sql = `SELECT ${from}WHERE ${check}`;
  walker.source.forget(target.nameEnd, clauses.range(word, last).end);
  walker.source.replace(clauses.range(start, last).start, clauses.range(word, last).end, sql);
  delete fields["cols"];
  fields["override"] = "OVERRIDING_NOT_SET";
  fields["selectStmt"] = statementTree(walker.world.parser, sql);
}

/** The token that opens the list of columns, or the word itself when there is none. */
function listStart(clauses: Clauses, word: number): number {
  const open = clauses.tokens.findIndex(({ kind, value }) => kind === "other" && value === "(");
  return open >= 0 && open < word ? open : word;
}

// -------------------------------------------------------------------- a query

/** How many columns a source has; null when a star hides it. */
export function sourceWidth(select: Fields): number | null {
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

/** A query as the source of a checked select. */
function checkQuery(
  insert: InsertSource,
  select: Fields,
  checks: readonly WriteCheck[],
  check: string | null,
): undefined {
  const { walker, target, fields, columns } = insert;
  const { clauses } = target;
  const written = columns.map((name) => target.relation.columns.find((column) => column.name === name)!);
  const start = sourceStart(clauses, insert.listed);
  if (start < 0) return walker.refuse("SYNTAX_NOT_ALLOWED", "the source of the rows is not understood here");
  const checked = checks.length > 0;
  const before = `SELECT ${checked ? checkedColumns(written, checks).join(", ") : `${VALUE_SOURCE}.*`} FROM (`;
  const names = checked ? `(${columns.map(quoteName).join(", ")})` : "";
  const after = `) AS ${VALUE_SOURCE}${names}${check === null ? "" : ` WHERE ${check}`}`;
  const range = clauses.range(start, behindSource(clauses, fields, start));
  walker.source.insert(range.start, before);
  if (!checked) giveTypes(insert, select);
  walker.source.insert(range.end, after);
  const query = fields["selectStmt"] as Wrapped;
  walker.node(query, insert.scope);
  const outer = statementTree(walker.world.parser, `${before}SELECT${after}`);
  const from = as(list(as(outer, "SelectStmt")!["fromClause"])[0], "RangeSubselect")!;
  from["subquery"] = query;
  fields["selectStmt"] = outer;
}

/**
 * Values that take their type from the column that they are written to do not do so inside of a sub-select, so they are
 * given it. Not in a set operation, whose columns have types of their own.
 */
function giveTypes(insert: InsertSource, select: Fields): undefined {
  const { walker } = insert;
  if (select["larg"]) return;
  const cast = (value: unknown, position: number): unknown => {
    const type = isUntyped(value) ? typeAt(insert, position) : null;
    if (type === null) return value;
    const token = tokenAt(
      walker.source.text,
      walker.source.index(location((value as Wrapped)[typeOf(value)!]!)),
    );
    if (!token) return value;
    walker.source.insert(token.end, `::${type}`);
    return expressionTree(walker.world.parser, `${HOLE}::${type}`, value as Wrapped);
  };
  for (const [index, node] of list(select["targetList"]).entries()) {
    const target = as(node, "ResTarget");
    if (target) target["val"] = cast(target["val"], index);
  }
  for (const node of list(select["valuesLists"])) {
    const row = as(node, "List");
    if (row) row["items"] = list(row["items"]).map(cast);
  }
}

/** The index of the first token of an INSERT's source. */
function sourceStart(clauses: Clauses, listed: boolean): number {
  let lists = listed ? 1 : 0;
  return clauses.tokens.findIndex((token) => {
    if (token.kind === "name") return ["select", "values", "with", "table"].includes(token.value);
    return token.kind === "other" && token.value === "(" && lists-- <= 0;
  });
}

/** The index of the first token behind it; -1 for the end. */
function behindSource(clauses: Clauses, fields: Fields, from: number): number {
  if (fields["onConflictClause"]) return clauses.findLast("on", "conflict");
  return fields["returningClause"] ? clauses.find("returning", Math.max(from, 0)) : -1;
}
