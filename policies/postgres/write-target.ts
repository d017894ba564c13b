/** The table that a statement changes: what may be written and read of it, and which of its rows. */
import type { SqlRule } from "../task.ts";
import type { CatalogColumn, CatalogRelation } from "./catalog-types.ts";
import { Clauses } from "./clauses.ts";
import { SYSTEM_COLUMNS } from "./columns.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type RowFilter, readRowFilter } from "./row-filter.ts";
import type { Item } from "./scope.ts";
import { isSystemSchema } from "./system-catalogs.ts";
import { ROW } from "./target-rows.ts";
import { type Fields, location } from "./tree.ts";
import type { TaskView } from "./views.ts";
import { filterChecks, maskChecks, type WriteCheck } from "./write-check.ts";

export interface WriteTarget {
  readonly relation: CatalogRelation;
  /** The alias, or the relation's own name. */
  readonly ref: string;
  /** The task's view of it; null when the task may not read it. */
  readonly view: TaskView | null;
  /** Columns that the statement may read: granted to select, unmasked. In the table's order. */
  readonly readable: readonly string[];
  readonly item: Item;
  /** The offset behind the target's name. */
  readonly nameEnd: number;
  /** The statement's tokens behind the target's name. */
  readonly clauses: Clauses;
}

/** The rule of a verb on a relation of the statement; refuses when there is none, or it cannot be used. */
export function writeRule(
  walker: QueryWalker,
  verb: SqlRule["verb"],
  relation: CatalogRelation,
  at: number,
): SqlRule | null {
  const rule = walker.world.relations.rule(verb, relation.schema, relation.name);
  if (!rule) {
    walker.refuse(...walker.world.notGranted(relation, verb, at));
    return null;
  }
  walker.rules.add(rule);
  return rule;
}

/**
 * Resolves a target and makes its name explicit. The schema is that of the pinned path; a common table
 * expression is never a target.
 */
export function writeTarget(walker: QueryWalker, verb: SqlRule["verb"], fields: Fields): WriteTarget | null {
  const { world, source } = walker;
  const at = location(fields);
  const place = walker.world.resolve(fields);
  const relation = place ? world.relations.relation(place.schema, place.name) : null;
  if (!place || !relation || isSystemSchema(place.schema)) {
    walker.refuse(...world.notGranted(place ?? { schema: "", name: String(fields["relname"]) }, verb, at));
    return null;
  }
  if (!["r", "p", "f"].includes(relation.kind)) {
    walker.refuse("WRITE_NOT_ALLOWED", "only a table may be written to, not a view", { at });
    return null;
  }
  const parts = ["catalogname", "schemaname", "relname"].filter((key) => fields[key] !== undefined).length;
  const name = source.name(at, parts);
  if (!name) {
    walker.refuse("SYNTAX_NOT_ALLOWED", "the table's name is not written plainly here", { at });
    return null;
  }
  if (fields["schemaname"] === undefined) {
    fields["schemaname"] = place.schema;
    source.replaceName(name[0]!.start, name[0]!.start, `${quoteName(place.schema)}.`);
  }
  walker.relations.add(`${relation.schema}.${relation.name}`);
  const found = world.relations.find(place.schema, place.name);
  if (found.kind === "problem") {
    walker.refuse(found.problem.code, found.problem.message, { at, rule: found.problem.rule });
    return null;
  }
  const view = found.kind === "view" ? found.view : null;
  const readable = view ? view.columns.filter((column) => !column.masked).map((column) => column.name) : [];
  if (readable.length < relation.columns.length) walker.hidesColumns = true;
  const alias = fields["alias"] as Fields | undefined;
  const ref = String(alias?.["aliasname"] ?? relation.name);
  const full = `${relation.schema}.${relation.name}`;
  const target = {
    relation: full,
    readable: new Set([...readable, ...(view ? SYSTEM_COLUMNS : [])]),
    whole: view !== null && readable.length === relation.columns.length,
    row: mayReadRow(relation, view, readable) ? readable : null,
  };
  return {
    relation,
    ref,
    view,
    readable,
    item: { name: ref, columns: null, view: null, node: null, target },
    nameEnd: name.at(-1)!.end,
    clauses: new Clauses(source.text, name.at(-1)!.end, source.text.length),
  };
}

/** Whether the whole row may be read: the task masks none of it, and nothing in the table has the name that the row is given. */
function mayReadRow(relation: CatalogRelation, view: TaskView | null, readable: readonly string[]): boolean {
  if (view === null || readable.length === 0 || readable.length !== view.columns.length) return false;
  return !relation.columns.some(({ name }) => name === ROW);
}

/** The filters that rows of the target must pass: the write rule's own and, where there is one, the select rule's. */
export function targetFilters(
  walker: QueryWalker,
  target: WriteTarget,
  rule: SqlRule,
): { filter: RowFilter; rule: string }[] {
  const out: { filter: RowFilter; rule: string }[] = [];
  if (rule.rows !== null) {
    const columns = new Set(target.relation.columns.map((column) => column.name));
    const read = readRowFilter(
      rule.rows,
      walker.world.task.params,
      target.relation,
      columns,
      walker.world.parser,
    );
    if (!read.ok) walker.refuse(read.code, read.message, { rule: rule.at });
    else if (read.filter.operators.some((operator) => walker.world.foreignOperators.has(operator))) {
      walker.refuse(
        "ROW_FILTER_INVALID",
        "an operator of the row rule may mean a function of this database",
        { rule: rule.at },
      );
    } else out.push({ filter: read.filter, rule: rule.at });
  }
  const selects = target.view?.filter;
  if (selects && target.view!.rule!.rows !== rule.rows)
    out.push({ filter: selects, rule: target.view!.rule!.at });
  if (out.length > 0) walker.hidesRows = true;
  return out;
}

/** The filters as one condition on the target's rows, each column qualified; null when every row may be changed. */
export function filterCondition(filters: readonly { filter: RowFilter }[], ref: string): string | null {
  if (filters.length === 0) return null;
  const column = (name: string) => `${quoteName(ref)}.${quoteName(name)}`;
  return filters.map(({ filter }) => `(${filter.render(column)})`).join(" AND ");
}

/** Every check on new rows of the target. */
export function targetChecks(
  target: WriteTarget,
  filters: readonly { filter: RowFilter; rule: string }[],
): WriteCheck[] {
  return [...filterChecks(filters), ...maskChecks(target.view)];
}

/** Columns that a rule lets be written, in the table's order. */
export function writableColumns(rule: SqlRule, relation: CatalogRelation): CatalogColumn[] {
  return relation.columns.filter((column) => rule.columns === "*" || rule.columns.includes(column.name));
}

/** Refuses columns that the rule does not grant. */
export function checkColumns(
  walker: QueryWalker,
  rule: SqlRule,
  relation: CatalogRelation,
  names: readonly string[],
): boolean {
  const writable = writableColumns(rule, relation);
  const refused = names.find((name) => !writable.some((column) => column.name === name));
  if (refused === undefined) return true;
  const hint = `The rule grants ${writable.map((column) => column.name).join(", ") || "no column"}.`;
  walker.refuse(
    "COLUMN_NOT_GRANTED",
    `the task may not ${rule.verb} column ${refused} of ${relation.schema}.${relation.name}`,
    {
      hint,
      rule: rule.at,
    },
  );
  return false;
}
