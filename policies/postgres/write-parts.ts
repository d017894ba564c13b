/** The clauses that statements which change data have in common: SET, WHERE, RETURNING. */
import type { SqlRule } from "../task.ts";
import { type Clauses, type Range, wherePlace } from "./clauses.ts";
import { safeConditions } from "./leakproof.ts";
import { skipSpace, tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, NO_NAMES, type Scope } from "./scope.ts";
import { expressionTree, HOLE } from "./template.ts";
import { as, type Fields, list, location, text, typeOf, type Wrapped } from "./tree.ts";
import { checkedValue, isMaskCheck, type WriteCheck } from "./write-check.ts";
import { checkColumns, filterCondition, type targetFilters, type WriteTarget } from "./write-target.ts";

/** One query level of a write. */
export const level = (parent: Scope, items: readonly Item[], certain: boolean): Scope => ({
  parent,
  ctes: NO_NAMES,
  items,
  certain,
});

/** The index behind the last assignment of SET. */
export function assignmentsEnd(clauses: Clauses, from: number): number {
  for (let index = from; index < clauses.tokens.length; index++) {
    const token = clauses.tokens[index]!;
    if (token.kind !== "name") continue;
    if (token.value === "where" || token.value === "returning") return index;
    const distinct = clauses.tokens[index - 1]?.value === "distinct";
    if (token.value === "from" && !distinct) return index;
  }
  return clauses.tokens.length;
}

/** The assignments of SET: columns that the rule grants, new values that pass the checks. */
export function assign(
  walker: QueryWalker,
  target: WriteTarget,
  rule: SqlRule,
  assignments: { targets: readonly unknown[]; ranges: readonly Range[] },
  checks: readonly WriteCheck[],
  scope: Scope,
): undefined {
  const targets = assignments.targets.map((node) => as(node, "ResTarget") ?? {});
  const names = targets.map((entry) => String(entry["name"]));
  if (!checkColumns(walker, rule, target.relation, names)) return;
  const several = targets.some((entry) => as(entry["val"], "MultiAssignRef"));
  const written = checks.filter((check) => check.columns.some((name) => names.includes(name)));
  for (const check of written) {
    const inSet = check.columns.filter((name) => names.includes(name));
    if (inSet.length === 1 && !several) continue;
    return walker.refuse(
      "WRITE_CHECK_UNSUPPORTED",
      `columns ${inSet.join(", ")} cannot be assigned in one statement, because a rule checks them together`,
      { rule: rule.at },
    );
  }
  const shared = new Map<string, Wrapped>();
  for (const [index, entry] of targets.entries()) {
    for (const part of list(entry["indirection"])) if (typeOf(part) === "A_Indices") walker.node(part, scope);
    const mine = written.filter((check) => check.columns.includes(names[index]!));
    const multiple = as(entry["val"], "MultiAssignRef");
    if (multiple) {
      // The tree repeats the source at each column; the text has it once.
      const key = JSON.stringify(multiple["source"]);
      const first = multiple["colno"] === 1 ? undefined : shared.get(key);
      if (first) multiple["source"] = first;
      else {
        walker.node(multiple["source"], scope);
        shared.set(key, multiple["source"] as Wrapped);
      }
      continue;
    }
    if (mine.length > 0) {
      if (entry["indirection"] || typeOf(entry["val"]) === "SetToDefault") {
        return walker.refuse(
          "WRITE_CHECK_UNSUPPORTED",
          `column ${names[index]} is checked by a rule and needs a whole, given value`,
          { rule: rule.at },
        );
      }
      const range = several ? undefined : valueRange(walker, assignments.ranges[index]);
      const column = target.relation.columns.find((c) => c.name === names[index])!;
      const others = (name: string) => `${quoteName(target.ref)}.${quoteName(name)}`;
      const sql = checkedValue(column, mine, others);
      if (!range) return walker.refuse("SYNTAX_NOT_ALLOWED", "SET is not understood here");
      wrap(walker, range, sql);
      const value = entry["val"] as Wrapped;
      walker.node(value, scope);
      entry["val"] = expressionTree(walker.world.parser, sql, value);
    } else walker.node(entry["val"], scope);
  }
}

/** The check of the table, in one value of a row. */
export interface RowGuard {
  readonly position: number;
  /** Template for a value that nothing else checks. */
  readonly sql: string;
  /** Template for one that has its type already. */
  readonly whole: string;
}

/**
 * The values of one new row, each checked in place; null-like results keep the walk going after a refusal.
 * @param ranges where each value stands in the text
 */
export function checkRow(
  walker: QueryWalker,
  target: WriteTarget,
  columns: readonly string[],
  values: readonly Wrapped[],
  checks: readonly WriteCheck[],
  ranges: readonly Range[],
  scope: Scope,
  guard: RowGuard | null = null,
): Wrapped[] {
  return values.map((value, position) => {
    const name = columns[position];
    const mine = checks.filter((check) => name !== undefined && check.columns.includes(name));
    const holds = guard?.position === position ? guard : null;
    if (mine.length === 0 && holds) {
      if (!ranges[position] || ranges.length !== values.length) {
        walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
        return value;
      }
      wrap(walker, ranges[position], holds.sql);
      walker.node(value, scope);
      return expressionTree(walker.world.parser, holds.sql, value);
    }
    if (mine.length === 0 || (typeOf(value) === "SetToDefault" && mine.every(isMaskCheck))) {
      walker.node(value, scope);
      return value;
    }
    const range = ranges[position];
    if (typeOf(value) === "SetToDefault" || mine.some((check) => check.columns.length > 1)) {
      walker.refuse(
        "ROW_RULE_VIOLATED",
        `column ${name} needs a given value, because the row rule checks it`,
      );
      return value;
    }
    if (!range || ranges.length !== values.length) {
      walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
      return value;
    }
    const checked = checkedValue(target.relation.columns.find((column) => column.name === name)!, mine, null);
    const sql = holds ? holds.whole.replace(HOLE, () => checked) : checked;
    wrap(walker, range, sql);
    walker.node(value, scope);
    return expressionTree(walker.world.parser, sql, value);
  });
}

/** Behind the `=` of one assignment. */
function valueRange(walker: QueryWalker, range: Range | undefined): Range | null {
  if (!range) return null;
  const { text: sql } = walker.source;
  for (
    let token = tokenAt(sql, range.start);
    token && token.end < range.end;
    token = tokenAt(sql, token.end)
  ) {
    if (token.kind === "other" && token.value === "=")
      return { start: skipSpace(sql, token.end), end: range.end };
  }
  return null;
}

/** Puts a template around a range of the text; must come before the range's own edits. */
export function wrap(walker: QueryWalker, range: Range, sql: string): undefined {
  const [before, after] = sql.split(HOLE);
  walker.source.insert(range.start, before!);
  walker.source.insert(range.end, after!);
}

/** WHERE: the filter, and the user's condition only on rows that pass it. */
export function condition(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  filters: ReturnType<typeof targetFilters>,
  scope: Scope,
  from: number,
): undefined {
  const filter = filterCondition(filters, target.ref);
  const where = fields["whereClause"] as Wrapped | undefined;
  let safe: readonly string[] = [];
  const current = as(where, "CurrentOfExpr");
  if (current) {
    // Nothing can stand beside WHERE CURRENT OF, so no filter either.
    if (filter !== null || !walker.known("CurrentOfExpr", current)) {
      const hint = "Name the row by its key.";
      return walker.refuse("WRITE_NOT_ALLOWED", "WHERE CURRENT OF does not go with a row rule", { hint });
    }
    walker.cursors.push(String(current["cursor_name"]));
    return;
  }
  const check = targetCheck(walker, target);
  if (filter === null && check === null) {
    if (where) walker.node(where, scope);
    return;
  }
  const place = wherePlace(target.clauses, from);
  if (where && filter !== null) safe = safeOnTarget(target, where);
  if (where && !place.condition) return walker.refuse("SYNTAX_NOT_ALLOWED", "WHERE is not understood here");
  const sql = where
    ? checkedFirst(check, filter === null ? null : guarded(filter, safe))
    : [check, filter].filter((part) => part !== null).join(" AND ");
  if (where) wrap(walker, place.condition!, sql);
  else walker.source.insert(place.end, ` WHERE ${sql}`);
  if (where) walker.node(where, scope);
  fields["whereClause"] = expressionTree(walker.world.parser, sql, where ?? null);
}

/** That the target is still the table of the catalog; null for a statement that reads no row. */
export function targetCheck(walker: QueryWalker, target: WriteTarget): string | null {
  return walker.planOnly ? null : walker.world.relations.targetCheck(target.relation);
}

/** A template: the check, and the user's condition behind the filter, or by itself. */
export function checkedFirst(check: string | null, filtered: string | null): string {
  return [check, filtered ?? `(${HOLE})`].filter((part) => part !== null).join(" AND ");
}

/** Conditions on the target that may be evaluated on any row, so that they can use an index. */
function safeOnTarget(target: WriteTarget, where: Wrapped): string[] {
  const safe = safeConditions(where, (parts) => {
    const name = parts.at(-1)!;
    const qualified = parts.length === 2 && parts[0] === target.ref;
    const column = target.relation.columns.find((entry) => entry.name === name);
    if (!column || !target.readable.includes(name) || !(qualified || parts.length === 1)) return null;
    return { name, type: column.type };
  });
  return safe.map((condition) => condition.render(`${quoteName(target.ref)}.${quoteName(condition.column)}`));
}

/** CASE is evaluated in order (PostgreSQL documentation, 9.18.1), AND is not. */
export function guarded(filter: string, safe: readonly string[] = []): string {
  return `${[filter, ...safe].join(" AND ")} AND CASE WHEN ${filter} THEN (${HOLE}) ELSE false END`;
}

/** RETURNING: a star of the target becomes the columns that may be read. */
export function returning(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  items: readonly Item[],
  scope: Scope,
): undefined {
  const clause = fields["returningClause"] as Fields | undefined;
  if (!clause || !walker.known("ReturningClause", clause)) return;
  const rows: Item[] = [...items];
  // There may be no such row, which is something else than a row of nulls.
  const old = (name: string) =>
    rows.push({ ...target.item, name, target: { ...target.item.target!, row: null } });
  for (const name of ["old", "new"]) if (!items.some((item) => item.name === name)) old(name);
  for (const option of list(clause["options"])) {
    const fieldsOfOption = as(option, "ReturningOption");
    if (!fieldsOfOption) return walker.refuse("SYNTAX_NOT_ALLOWED", "RETURNING is not understood here");
    old(String(fieldsOfOption["value"]));
  }
  const inside = level(scope, rows, true);
  const out: unknown[] = [];
  for (const node of list(clause["exprs"])) {
    const column = as(as(node, "ResTarget")?.["val"], "ColumnRef");
    const parts = column ? list(column["fields"]).map(text) : [];
    const star = column !== null && parts.at(-1) === null;
    const qualifier = parts.at(-2) ?? null;
    if (
      star &&
      (qualifier === null || (rows.find((item) => item.name === qualifier)?.target && parts.length === 2))
    ) {
      out.push(...expandStar(walker, target, column!, qualifier, items));
    } else {
      walker.node(node, inside);
      out.push(node);
    }
  }
  clause["exprs"] = out;
}

function expandStar(
  walker: QueryWalker,
  target: WriteTarget,
  column: Fields,
  qualifier: string | null,
  items: readonly Item[],
): Wrapped[] {
  const at = walker.source.index(location(column));
  const name = qualifier ?? target.ref;
  const parts: [string, string | null][] = target.readable.map((readable) => [name, readable]);
  if (qualifier === null) for (const item of items) if (item !== target.item) parts.push([item.name, null]);
  if (target.readable.length === 0) {
    walker.refuse(
      "COLUMN_NOT_GRANTED",
      `the task may not read ${target.relation.schema}.${target.relation.name}`,
      { hint: "RETURNING needs a select rule." },
    );
  }
  // A star of the other relations shows masked columns too.
  if (parts.some(([, part]) => part === null)) walker.spread = true;
  const written = qualifier === null ? null : walker.source.name(location(column), 1)?.[0];
  const dot = written ? tokenAt(walker.source.text, written.end) : null;
  const star = tokenAt(walker.source.text, dot?.value === "." ? dot.end : at);
  walker.source.replace(
    at,
    star?.end ?? at,
    parts.map(([owner, part]) => `${quoteName(owner)}.${part === null ? "*" : quoteName(part)}`).join(", "),
  );
  return parts.map(([owner, part]) => ({
    ResTarget: {
      val: {
        ColumnRef: {
          fields: [{ String: { sval: owner } }, part === null ? { A_Star: {} } : { String: { sval: part } }],
        },
      },
    },
  }));
}
