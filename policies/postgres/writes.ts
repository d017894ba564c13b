/**
 * Statements that change data. A target cannot be replaced by a view, so here names are resolved: expressions
 * may read granted, unmasked columns of it only; the row filter is added to the condition, and the user's own
 * condition is evaluated only on rows that pass it; new rows are checked.
 */
import type { SqlRule } from "../task.ts";
import { Clauses, type Range, wherePlace } from "./clauses.ts";
import type { StatementSummary } from "./decision.ts";
import { skipSpace } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, NO_NAMES, type Scope } from "./scope.ts";
import { checkCopyOptions, type Span } from "./session-statements.ts";
import { expressionTree, HOLE, statementTree } from "./template.ts";
import { as, type Fields, list, location, text, typeOf, type Wrapped } from "./tree.ts";
import {
  checkedColumns,
  checkedValue,
  failingCondition,
  VALUE_SOURCE,
  type WriteCheck,
} from "./write-check.ts";
import {
  checkColumns,
  filterCondition,
  targetChecks,
  targetFilters,
  type WriteTarget,
  writableColumns,
  writeRule,
  writeTarget,
} from "./write-target.ts";

/** INSERT, UPDATE, DELETE and MERGE, also in WITH, EXPLAIN and PREPARE. */
export function write(
  walker: QueryWalker,
  type: string,
  fields: Fields,
  outer: Scope,
): Partial<StatementSummary> {
  walker.changes = true;
  const scope = walker.with(fields, outer);
  if (type === "InsertStmt") insert(walker, fields, scope);
  else if (type === "UpdateStmt") update(walker, fields, scope);
  else if (type === "DeleteStmt") remove(walker, fields, scope);
  else
    walker.refuse("WRITE_NOT_ALLOWED", "MERGE is not allowed yet", {
      hint: "Use INSERT … ON CONFLICT, UPDATE or DELETE.",
    });
  return { effect: "write", returnsRows: fields["returningClause"] !== undefined };
}

/**
 * After the whole statement was walked: no masked column may be read by a statement that changes data, because
 * a mask would be stored, or a condition on it would be counted.
 */
export function checkMaskedReads(walker: QueryWalker): undefined {
  if (!walker.changes) return;
  for (const view of walker.views) {
    const column = view.rule
      ? view.columns.find((c) => c.masked && (walker.spread || walker.named.has(c.name)))
      : undefined;
    if (!column) continue;
    const hint = walker.spread ? "Name the columns instead of * or the whole row." : null;
    walker.refuse(
      "MASKED_COLUMN_IN_WRITE",
      `a statement that changes data may not read ${column.name} of ${view.schema}.${view.name}, which is masked`,
      {
        hint,
        rule: view.rule!.at,
      },
    );
  }
}

const level = (parent: Scope, items: readonly Item[], certain: boolean): Scope => ({
  parent,
  ctes: NO_NAMES,
  items,
  certain,
});

/** The end of the text that a statement may reach to; a nested one ends earlier, at its parenthesis. */
const toEnd = (walker: QueryWalker): Span => ({ start: 0, end: walker.source.text.length });

// ---------------------------------------------------------------------- UPDATE, DELETE

function update(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const target = writeTarget(walker, "update", fields["relation"] as Fields, toEnd(walker));
  const rule = target && writeRule(walker, "update", target.relation, location(fields["relation"] as Fields));
  if (!target || !rule) return;
  const from = list(fields["fromClause"]);
  const items = [target.item, ...walker.items(from, scope)];
  const inside = level(scope, items, true);
  const filters = targetFilters(walker, target, rule);
  const checks = targetChecks(target, filters);
  const { clauses } = target;
  const set = clauses.find("set");
  const assignments = {
    targets: list(fields["targetList"]),
    ranges: clauses.split(set + 1, assignmentsEnd(clauses, set + 1)),
  };
  assign(walker, target, rule, assignments, checks, inside);
  walker.nodes(from, level(scope, items, false));
  condition(walker, target, fields, filters, inside, set);
  returning(walker, target, fields, items, inside);
}

function remove(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const target = writeTarget(walker, "delete", fields["relation"] as Fields, toEnd(walker));
  const rule = target && writeRule(walker, "delete", target.relation, location(fields["relation"] as Fields));
  if (!target || !rule) return;
  const using = list(fields["usingClause"]);
  const items = [target.item, ...walker.items(using, scope)];
  const inside = level(scope, items, true);
  const filters = targetFilters(walker, target, rule);
  walker.nodes(using, level(scope, items, false));
  condition(walker, target, fields, filters, inside, 0);
  returning(walker, target, fields, items, inside);
}

/** The index behind the last assignment of SET. */
function assignmentsEnd(clauses: Clauses, from: number): number {
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
function assign(
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

/** Behind the `=` of one assignment. */
function valueRange(walker: QueryWalker, range: Range | undefined): Range | null {
  if (!range) return null;
  const equals = walker.source.text.indexOf("=", range.start);
  if (equals < 0 || equals >= range.end) return null;
  return { start: skipSpace(walker.source.text, equals + 1), end: range.end };
}

/** Puts a template around a range of the text; must come before the range's own edits. */
function wrap(walker: QueryWalker, range: Range, sql: string): undefined {
  const [before, after] = sql.split(HOLE);
  walker.source.insert(range.start, before!);
  walker.source.insert(range.end, after!);
}

/** WHERE: the filter, and the user's condition only on rows that pass it. */
function condition(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  filters: ReturnType<typeof targetFilters>,
  scope: Scope,
  from: number,
): undefined {
  const filter = filterCondition(filters, target.ref);
  const where = fields["whereClause"] as Wrapped | undefined;
  if (filter !== null) {
    const place = wherePlace(target.clauses, from);
    if (where) {
      if (!place.condition) return walker.refuse("SYNTAX_NOT_ALLOWED", "WHERE is not understood here");
      wrap(walker, place.condition, guarded(filter));
    } else walker.source.insert(place.end, ` WHERE ${filter}`);
  }
  if (where) walker.node(where, scope);
  if (filter !== null)
    fields["whereClause"] = expressionTree(
      walker.world.parser,
      where ? guarded(filter) : filter,
      where ?? null,
    );
}

/** CASE is evaluated in order (PostgreSQL documentation, 9.18.1), AND is not. */
function guarded(filter: string): string {
  return `${filter} AND CASE WHEN ${filter} THEN (${HOLE}) ELSE false END`;
}

/** RETURNING: a star of the target becomes the columns that may be read. */
function returning(
  walker: QueryWalker,
  target: WriteTarget,
  fields: Fields,
  items: readonly Item[],
  scope: Scope,
): undefined {
  const clause = fields["returningClause"] as Fields | undefined;
  if (!clause) return;
  const rows: Item[] = [...items];
  const old = (name: string) => rows.push({ ...target.item, name });
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
  const end =
    qualifier === null
      ? at
      : walker.source.text.indexOf("*", walker.source.name(location(column), 1)?.[0]?.end ?? at);
  walker.source.replace(
    at,
    end + 1,
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

// ---------------------------------------------------------------------- INSERT

function insert(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const relation = fields["relation"] as Fields;
  const target = writeTarget(walker, "insert", relation, toEnd(walker));
  const rule = target && writeRule(walker, "insert", target.relation, location(relation));
  if (!target || !rule) return;
  const columns = insertColumns(walker, target, rule, fields);
  if (!columns) return;
  const filters = targetFilters(walker, target, rule);
  source(walker, target, rule, fields, columns, targetChecks(target, filters), scope);
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
    if (given.some((entry) => entry["indirection"])) {
      walker.refuse("SYNTAX_NOT_ALLOWED", "a part of a column cannot be inserted");
      return null;
    }
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

function isMaskCheck(check: WriteCheck): boolean {
  return check.marker.startsWith("[wicket:masked");
}

/** Each row of VALUES, in place. */
function checkValues(
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
    const items = list(row["items"]) as Wrapped[];
    for (const [position, name] of columns.entries()) {
      const mine = checks.filter((check) => check.columns.includes(name));
      const value = items[position];
      const range = ranges[position];
      if (!value) continue;
      if (mine.length === 0) walker.node(value, scope);
      else if (typeOf(value) === "SetToDefault") {
        if (mine.some((check) => !isMaskCheck(check)))
          return walker.refuse(
            "ROW_RULE_VIOLATED",
            `column ${name} needs a given value, because the row rule checks it`,
          );
      } else {
        if (!range || ranges.length !== items.length)
          return walker.refuse("SYNTAX_NOT_ALLOWED", "VALUES is not understood here");
        const sql = checkedValue(target.relation.columns.find((column) => column.name === name)!, mine, null);
        wrap(walker, range, sql);
        walker.node(value, scope);
        items[position] = expressionTree(walker.world.parser, sql, value);
      }
    }
    row["items"] = items;
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
  if (infer?.["conname"] !== undefined || infer?.["whereClause"]) {
    return walker.refuse("CONFLICT_NOT_ALLOWED", "ON CONFLICT needs the columns of its unique index", {
      hint: "Write ON CONFLICT (column, …).",
    });
  }
  const readable = new Set(target.readable);
  const elements = list(infer?.["indexElems"]).map((node) => as(node, "IndexElem") ?? {});
  for (const element of elements) {
    const name = element["name"];
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
    target: null,
  };
  // What `excluded` shows is the row that was given, with defaults for the rest.
  const hidden: Item = {
    ...excluded,
    columns: null,
    target: { relation: target.item.target!.relation, readable: excluded.columns! },
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

// ---------------------------------------------------------------------- TRUNCATE, COPY FROM

export function truncate(walker: QueryWalker, fields: Fields): undefined {
  walker.changes = true;
  if (fields["behavior"] === "DROP_CASCADE")
    return walker.refuse("WRITE_NOT_ALLOWED", "TRUNCATE … CASCADE would empty other tables");
  for (const node of list(fields["relations"])) {
    const relation = as(node, "RangeVar");
    const target = relation && writeTarget(walker, "truncate", relation, toEnd(walker));
    const rule = target && writeRule(walker, "truncate", target.relation, location(relation!));
    if (!target || !rule) return;
    if (rule.rows !== null || target.view?.filter) {
      return walker.refuse("WRITE_NOT_ALLOWED", "TRUNCATE would remove rows that the task hides", {
        hint: "Use DELETE.",
        rule: rule.at,
      });
    }
  }
}

const COPY_IN_OPTIONS = new Set(
  "format delimiter null default header quote escape force_not_null force_null encoding".split(" "),
);

/** COPY … FROM STDIN. */
export function copyIn(walker: QueryWalker, fields: Fields, span: Span): Partial<StatementSummary> {
  walker.changes = true;
  const done = { effect: "write", copyIn: true } as const;
  if (fields["is_program"] || fields["filename"] !== undefined) {
    walker.refuse(
      "COPY_NOT_ALLOWED",
      "COPY may only read from STDIN, not from a file or program of the server",
    );
    return done;
  }
  if (!checkCopyOptions(walker, fields, COPY_IN_OPTIONS)) return done;
  const relation = fields["relation"] as Fields;
  const target = writeTarget(walker, "copy", relation, span);
  const rule = target && writeRule(walker, "copy", target.relation, location(relation));
  if (!target || !rule) return done;
  if (fields["whereClause"]) {
    walker.refuse("COPY_NOT_ALLOWED", "COPY … WHERE is not allowed");
    return done;
  }
  const given = list(fields["attlist"]).map((node) => text(node) ?? "");
  if (!checkColumns(walker, rule, target.relation, given)) return done;
  const columns =
    given.length > 0
      ? given
      : writableColumns(rule, target.relation)
          .filter((c) => !c.generated)
          .map((c) => c.name);
  if (given.length === 0) {
    walker.source.insert(target.nameEnd, ` (${columns.map(quoteName).join(", ")})`);
    fields["attlist"] = columns.map((sval) => ({ String: { sval } }));
  }
  const checks = targetChecks(target, targetFilters(walker, target, rule));
  const missing = checks
    .filter((check) => !isMaskCheck(check))
    .flatMap((check) => check.columns)
    .find((name) => !columns.includes(name));
  if (missing !== undefined) {
    walker.refuse("ROW_RULE_VIOLATED", `column ${missing} must be given, because the row rule checks it`, {
      rule: rule.at,
    });
    return done;
  }
  const applied = checks.filter((check) => check.columns.every((name) => columns.includes(name)));
  if (applied.length > 0) {
    const sql = failingCondition(applied);
    walker.source.insert(target.clauses.end, ` WHERE ${sql}`);
    fields["whereClause"] = expressionTree(walker.world.parser, sql);
  }
  return done;
}
