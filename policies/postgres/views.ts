/**
 * A task as a set of views: for each relation that it may read, the query that shows just what the task shows.
 * Every reference to the relation is replaced by this query, so nothing above it can see anything else.
 */
import type { SqlRule, Task } from "../task.ts";
import type { Catalog, CatalogColumn, CatalogRelation } from "./catalog-types.ts";
import { definitionCheck, rowCheck } from "./definition-check.ts";
import { detectExpression } from "./detectors.ts";
import { maskExpression } from "./masks.ts";
import { qualified, quoteName } from "./names.ts";
import type { Parser } from "./parser.ts";
import { type RowFilter, readRowFilter } from "./row-filter.ts";
import { type PartialCatalog, systemCatalog } from "./system-catalogs.ts";
import type { Wrapped } from "./tree.ts";

/** A reason why a relation of the task cannot be used on this database. */
export interface ViewProblem {
  readonly code:
    | "RELATION_NOT_FOUND"
    | "COLUMN_NOT_FOUND"
    | "MASK_UNSUITABLE"
    | "ROW_FILTER_INVALID"
    | "COLUMN_TYPE_UNSAFE"
    | "COLUMN_SHOWS_MASKED"
    | "DUPLICATE_RULE";
  readonly message: string;
  readonly rule: string;
}

export interface ViewColumn {
  readonly name: string;
  /** What stands in the select list: the column, or its mask with `AS`. */
  readonly sql: string;
  readonly masked: boolean;
  readonly column: CatalogColumn;
}

/** How one reference wants the view. */
export interface ViewOptions {
  /** `FROM ONLY`: without what inherits from it. */
  readonly only?: boolean;
  /** `TABLESAMPLE …`, to stand behind the relation. */
  readonly sample?: string;
  /** Conditions on the bare columns that may be evaluated before the filter (leakproof.ts). */
  readonly where?: readonly string[];
  /** Leaves out the check that the relation is still the one of the catalog: the statement reads no row. */
  readonly unchecked?: boolean;
  /** System columns to show as well (`tableoid`, `ctid`, …). */
  readonly system?: readonly string[];
}

/** One relation as the task sees it. */
export interface TaskView {
  readonly schema: string;
  readonly name: string;
  /** Null for a system catalog that is shown in part. */
  readonly rule: SqlRule | null;
  readonly relation: CatalogRelation;
  readonly columns: readonly ViewColumn[];
  readonly filter: RowFilter | null;
  /** The select statement, without parentheses, and its tree. */
  query(options: ViewOptions): { readonly sql: string; readonly tree: Wrapped };
}

export type Lookup =
  | { readonly kind: "view"; readonly view: TaskView }
  | { readonly kind: "problem"; readonly problem: ViewProblem }
  | { readonly kind: "whole" }
  | { readonly kind: "none" };

/** The relations of a task on a database. */
export class TaskRelations {
  readonly #views = new Map<string, Lookup>();
  readonly #task: Task;
  readonly #catalog: Catalog;
  readonly #parser: Parser;
  readonly #checked: boolean;

  /** @param checked whether views check on the server that their table is still the one of the catalog */
  constructor(task: Task, catalog: Catalog, parser: Parser, checked: boolean) {
    this.#checked = checked;
    this.#task = task;
    this.#catalog = catalog;
    this.#parser = parser;
  }

  /** The rule of a verb on a relation; the first when a file has two (which the policy check refuses). */
  rule(verb: SqlRule["verb"], schema: string, name: string): SqlRule | null {
    return (
      this.#task.rules.find(
        (rule) => rule.verb === verb && rule.schema === schema && rule.relation === name,
      ) ?? null
    );
  }

  /** The relation in the catalog; null when the database has none of that name. */
  relation(schema: string, name: string): CatalogRelation | null {
    return (
      this.#catalog.relations.find((relation) => relation.schema === schema && relation.name === name) ?? null
    );
  }

  /** How the task sees a relation for reading. */
  find(schema: string, name: string): Lookup {
    const key = `${schema}.${name}`;
    let found = this.#views.get(key);
    if (!found) {
      found = this.#make(schema, name);
      // What is not there has any number of names.
      if (found.kind !== "none") this.#views.set(key, found);
    }
    return found;
  }

  /**
   * The condition that raises an error when the target of a write is not the table of the catalog any more. It reads no
   * row, so the server evaluates it once, before the statement's own conditions. Null when nothing is checked.
   */
  targetCheck(relation: CatalogRelation): string | null {
    return this.#checked ? definitionCheck(relation, relation.columns) : null;
  }

  /** The same for COPY … FROM, whose condition may hold no sub-select and is evaluated for every row. */
  targetRowCheck(relation: CatalogRelation, columns: readonly string[]): string | null {
    const written = relation.columns.filter(({ name }) => columns.includes(name));
    return this.#checked ? rowCheck(relation, written) : null;
  }

  /** Whether statements check what they were decided on. */
  get checked(): boolean {
    return this.#checked;
  }

  #make(schema: string, name: string): Lookup {
    const system = systemCatalog(schema, name);
    if (system === "whole") return { kind: "whole" };
    if (system) return this.#partial(system);
    const rule = this.rule("select", schema, name);
    if (!rule) return { kind: "none" };
    const relation = this.relation(schema, name);
    if (!relation) {
      return problem("RELATION_NOT_FOUND", `the database has no relation ${qualified(schema, name)}`, rule);
    }
    const made = makeView(rule, relation, this.#task, this.#catalog.foreignOperators, this.#parser);
    if ("kind" in made) return made;
    const check = this.#checked
      ? definitionCheck(
          relation,
          made.columns.map(({ column }) => column),
        )
      : null;
    return { kind: "view", view: view(rule, relation, made, { check, where: null }, this.#parser) };
  }

  #partial(partial: PartialCatalog): Lookup {
    const relation = this.#catalog.systemRelations.find(
      (entry) => entry.schema === partial.schema && entry.name === partial.name,
    );
    if (!relation) return { kind: "none" };
    const columns = relation.columns.map((column): ViewColumn => {
      const blank = Object.hasOwn(partial.blank, column.name) ? partial.blank[column.name] : undefined;
      const name = quoteName(column.name);
      const sql = blank === undefined ? name : `${blank}::${column.type} AS ${name}`;
      return { name: column.name, sql, masked: blank !== undefined, column };
    });
    const always = { check: null, where: partial.where };
    return { kind: "view", view: view(null, relation, { columns, filter: null }, always, this.#parser) };
  }
}

function problem(code: ViewProblem["code"], message: string, rule: SqlRule): Lookup {
  return { kind: "problem", problem: { code, message, rule: rule.at } };
}

function makeView(
  rule: SqlRule,
  relation: CatalogRelation,
  task: Task,
  foreignOperators: readonly string[],
  parser: Parser,
): Lookup | { columns: ViewColumn[]; filter: RowFilter | null } {
  const name = qualified(rule.schema, rule.relation);
  const granted = rule.columns;
  const missing =
    granted === "*" ? undefined : granted.find((column) => !relation.columns.some((c) => c.name === column));
  if (missing !== undefined) return problem("COLUMN_NOT_FOUND", `${name} has no column ${missing}`, rule);
  const columns: ViewColumn[] = [];
  for (const column of relation.columns) {
    if (granted !== "*" && !granted.includes(column.name)) continue;
    const ref = quoteName(column.name);
    const mask = Object.hasOwn(rule.mask, column.name) ? rule.mask[column.name] : undefined;
    const detect = Object.hasOwn(rule.detect, column.name) ? rule.detect[column.name]! : [];
    if (column.userCasts && !(mask && column.baseType)) {
      if (granted === "*") continue;
      const message = `column ${column.name} of ${name} has a type with a user-defined cast, which could run a function; leave it out`;
      return problem("COLUMN_TYPE_UNSAFE", message, rule);
    }
    const source =
      mask || detect.length > 0 ? undefined : column.from?.find((other) => isMasked(rule, other));
    if (source !== undefined) {
      if (granted === "*") continue;
      const message = `column ${column.name} of ${name} is generated from ${source}, which is masked; mask it, too, or leave it out`;
      return problem("COLUMN_SHOWS_MASKED", message, rule);
    }
    if (!mask && detect.length === 0) {
      columns.push({ name: column.name, sql: ref, masked: false, column });
      continue;
    }
    const masked = mask ? maskExpression(mask, column, ref) : detectExpression(detect, column, ref);
    if (!masked.ok) return problem("MASK_UNSUITABLE", masked.message, rule);
    columns.push({ name: column.name, sql: `${masked.sql} AS ${ref}`, masked: true, column });
  }
  const unknownMask = [...Object.keys(rule.mask), ...Object.keys(rule.detect)].find(
    (column) => !relation.columns.some((c) => c.name === column),
  );
  if (unknownMask !== undefined)
    return problem("COLUMN_NOT_FOUND", `${name} has no column ${unknownMask}`, rule);
  if (rule.rows === null) return { columns, filter: null };
  const all = new Set(relation.columns.map((column) => column.name));
  const target = { schema: rule.schema, name: rule.relation };
  const filter = readRowFilter(rule.rows, task.params, target, all, parser);
  if (!filter.ok) return problem("ROW_FILTER_INVALID", filter.message, rule);
  const foreign = filter.filter.operators.find((operator) => foreignOperators.includes(operator));
  if (foreign !== undefined) {
    return problem(
      "ROW_FILTER_INVALID",
      `the operator ${foreign} may mean a function of this database; write OPERATOR(pg_catalog.${foreign})`,
      rule,
    );
  }
  return { columns, filter: filter.filter };
}

/** True when a rule shows a column other than it is. */
export function isMasked(rule: SqlRule, column: string): boolean {
  return Object.hasOwn(rule.mask, column) || Object.hasOwn(rule.detect, column);
}

function view(
  rule: SqlRule | null,
  relation: CatalogRelation,
  { columns, filter }: { readonly columns: readonly ViewColumn[]; readonly filter: RowFilter | null },
  { check, where }: { readonly check: string | null; readonly where: string | null },
  parser: Parser,
): TaskView {
  const cache = new Map<string, { sql: string; tree: Wrapped }>();
  return {
    schema: relation.schema,
    name: relation.name,
    rule,
    relation,
    columns,
    filter,
    query(options) {
      const system = relation.kind === "v" ? [] : (options.system ?? []);
      const key = `${options.only ? "only" : ""}${options.unchecked ? "unchecked" : ""}|${system.join(",")}`;
      const conditions = options.where ?? [];
      const plain = !options.sample && conditions.length === 0;
      const known = plain ? cache.get(key) : undefined;
      if (known) return known;
      // OFFSET 0 keeps the planner from running a predicate of the statement on rows that the filter hides.
      const parts = [
        options.unchecked ? null : check,
        where,
        filter ? `(${filter.render(null)})` : null,
        ...conditions,
      ].filter((part) => part !== null);
      const rows = parts.length > 0 ? ` WHERE ${parts.join(" AND ")}${filter ? " OFFSET 0" : ""}` : "";
      const shown = [...columns.map((column) => column.sql), ...system];
      const sql =
        `SELECT ${shown.join(", ")} FROM ${options.only ? "ONLY " : ""}${qualified(relation.schema, relation.name)}` +
        `${options.sample ? ` ${options.sample}` : ""}${rows}`;
      const parsed = parser.parse(sql);
      if (!parsed.ok || parsed.tree.stmts?.length !== 1) {
        throw new Error(`the view of ${relation.schema}.${relation.name} does not parse: ${sql}`);
      }
      const made = { sql, tree: parsed.tree.stmts[0]!.stmt };
      if (plain) cache.set(key, made);
      return made;
    },
  };
}
