/**
 * Name scopes of a statement, as PostgreSQL's analyser has them (parse_cte.c, parse_relation.c): which common
 * table expressions a relation name may mean, and which FROM items a qualifier may mean.
 */
import type { Fields } from "./tree.ts";
import type { TaskView } from "./views.ts";

/** What a statement may read of the table that it changes. */
export interface TargetColumns {
  readonly relation: string;
  readonly readable: ReadonlySet<string>;
  /** True when that is every column. */
  readonly whole: boolean;
  /** What its whole row is to the task, in the table's order; null when the row may not be read. */
  readonly row: readonly string[] | null;
}

/** What a FROM item shows, as far as it is known without types. */
export interface Item {
  /** Alias, or the relation's own name. */
  readonly name: string;
  /** Columns that it surely has; null when that is not known. */
  readonly columns: ReadonlySet<string> | null;
  /** The view that stands in its place, when it is a relation whose columns are not renamed. */
  readonly view: TaskView | null;
  /** The reference in the tree, for a relation. */
  readonly node: Fields | null;
  /** For the target of a write, which is the stored table itself: the columns that may be read of it. */
  readonly target: TargetColumns | null;
  /** True for a query, a common table expression or a function: every column of it was named where it was made. */
  readonly derived?: boolean;
}

/** One query level. */
export interface Scope {
  readonly parent: Scope | null;
  /** Common table expressions that this level adds, with the columns that each surely has. */
  readonly ctes: ReadonlyMap<string, ReadonlySet<string> | null>;
  readonly items: readonly Item[];
  /**
   * True where each item is visible. Inside FROM only some are (a join condition sees the join's own sides, a
   * sub-select its elders and only when LATERAL), so a name may also mean something further out.
   */
  readonly certain: boolean;
}

export const NO_NAMES: Scope["ctes"] = new Map();

export const OUTERMOST: Scope = { parent: null, ctes: NO_NAMES, items: [], certain: true };

/** The nearest common table expression of a name; undefined when there is none. */
export function cteNamed(scope: Scope | null, name: string): ReadonlySet<string> | null | undefined {
  for (let level = scope; level; level = level.parent) if (level.ctes.has(name)) return level.ctes.get(name)!;
  return undefined;
}

export function isCte(scope: Scope | null, name: string): boolean {
  return cteNamed(scope, name) !== undefined;
}

/** Every item that a qualifier may mean: the nearest certain one and all uncertain ones before it. */
export function itemsNamed(scope: Scope | null, name: string): Item[] {
  const found: Item[] = [];
  for (let level = scope; level; level = level.parent) {
    const here = level.items.filter((item) => item.name === name);
    found.push(...here);
    if (level.certain && here.length > 0) break;
  }
  return found;
}

/** The targets of writes that a name at this place could mean, nearest first. */
export function targetsOf(scope: Scope | null): Item[] {
  const found: Item[] = [];
  for (let level = scope; level; level = level.parent)
    found.push(...level.items.filter((item) => item.target));
  return found;
}

/** True when an unqualified column name surely means an item nearer than the target of a write, or none. */
export function isProvided(scope: Scope | null, column: string): boolean {
  for (let level = scope; level; level = level.parent) {
    if (level.certain && level.items.some((item) => !item.target && item.columns?.has(column))) return true;
    if (level.items.some((item) => item.target)) return false;
  }
  return false;
}
