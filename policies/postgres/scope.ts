/**
 * Name scopes of a statement, as PostgreSQL's analyser has them (parse_cte.c, parse_relation.c): which common
 * table expressions a relation name may mean, and which FROM items a qualifier may mean.
 */
import type { TaskView } from "./views.ts";

/** What a FROM item shows, as far as it is known without types. */
export interface Item {
  /** Alias, or the relation's own name. */
  readonly name: string;
  /** Columns that it surely has; null when that is not known. */
  readonly columns: ReadonlySet<string> | null;
  /** The view that stands in its place, when it is a relation whose columns are not renamed. */
  readonly view: TaskView | null;
  /** True for the target of a write. */
  readonly target: boolean;
}

/** One query level. */
export interface Scope {
  readonly parent: Scope | null;
  /** Names of common table expressions that this level adds. */
  readonly ctes: ReadonlySet<string>;
  readonly items: readonly Item[];
  /**
   * True where each item is visible. Inside FROM only some are (a join condition sees the join's own sides, a
   * sub-select its elders and only when LATERAL), so a name may also mean something further out.
   */
  readonly certain: boolean;
}

export const NO_NAMES: ReadonlySet<string> = new Set();

export const OUTERMOST: Scope = { parent: null, ctes: NO_NAMES, items: [], certain: true };

export function isCte(scope: Scope | null, name: string): boolean {
  for (let level = scope; level; level = level.parent) if (level.ctes.has(name)) return true;
  return false;
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

/** True when an unqualified column name surely means an item nearer than the target of a write, or none. */
export function isProvided(scope: Scope | null, column: string): boolean {
  for (let level = scope; level; level = level.parent) {
    if (level.certain && level.items.some((item) => !item.target && item.columns?.has(column))) return true;
    if (level.items.some((item) => item.target)) return false;
  }
  return false;
}
