/**
 * Which constraints an error may name. Applications and drivers look at the name to say which field was wrong. It tells which
 * of a table's constraints failed first, so it is shown where every constraint of the kind is over columns that the task sees
 * as they are: then none of them, and none before it, says anything of a hidden value.
 */
import type { ErrorFields } from "../../wire/postgres/messages.ts";
import type { SqlRule } from "../task.ts";
import type { Catalog, CatalogConstraint, CatalogRelation } from "./catalog-types.ts";
import { quoteName } from "./names.ts";

/** What a task sees of a table that it writes: the granted columns, and those of them that are masked. */
export interface ShownColumns {
  readonly columns: readonly string[] | "*";
  readonly masked: readonly string[];
}

/** Of the task's rules for one relation; null when it does not both read and write it. */
export function shownColumns(rules: readonly SqlRule[], schema: string, name: string): ShownColumns | null {
  const own = rules.filter((rule) => rule.schema === schema && rule.relation === name);
  const select = own.find((rule) => rule.verb === "select");
  if (!select || !own.some((rule) => rule.verb !== "select")) return null;
  return { columns: select.columns, masked: [...Object.keys(select.mask), ...Object.keys(select.detect)] };
}

/** SQLSTATEs of class 23 by `CatalogConstraint.kind`, and the server's own words (execIndexing.c, execMain.c, ri_triggers.c). */
const KINDS: Readonly<
  Record<CatalogConstraint["kind"], { sqlstate: string; words(table: string, name: string): string }>
> = {
  u: { sqlstate: "23505", words: (_, name) => `duplicate key value violates unique constraint "${name}"` },
  x: {
    sqlstate: "23P01",
    words: (_, name) => `conflicting key value violates exclusion constraint "${name}"`,
  },
  c: {
    sqlstate: "23514",
    words: (table, name) => `new row for relation "${table}" violates check constraint "${name}"`,
  },
  f: {
    sqlstate: "23503",
    words: (table, name) => `insert or update on table "${table}" violates foreign key constraint "${name}"`,
  },
};

/** Kinds of which the server looks at one after the other. */
const GROUPS = [["u", "x"], ["c"], ["f"]] as const;

export class NamedConstraints {
  readonly #constraints = new Map<string, CatalogConstraint>();
  /** Visible columns by relation. */
  readonly #columns = new Map<string, ReadonlySet<string>>();

  constructor(
    catalog: Pick<Catalog, "relations" | "constraints">,
    shown: (relation: CatalogRelation) => ShownColumns | null,
  ) {
    for (const relation of catalog.relations) {
      const shows = shown(relation);
      if (!shows) continue;
      const { schema, name } = relation;
      const columns = visible(relation, shows);
      this.#columns.set(key(schema, name), columns);
      const own = (catalog.constraints ?? []).filter((one) => one.schema === schema && one.relation === name);
      for (const kinds of GROUPS) {
        const group = own.filter(({ kind }) => kinds.some((one) => one === kind));
        if (!group.every((one) => !one.opaque && one.columns.every((column) => columns.has(column))))
          continue;
        for (const one of group) this.#constraints.set(key(schema, name, one.name), one);
      }
    }
  }

  /**
   * The fields that an error of class 23 may have besides severity and code; null when it names nothing that may be told.
   * What a function raised, or ran, is not named.
   */
  describe(fields: ErrorFields): Record<string, string> | null {
    const { C: code = "", M: message = "", W: context, q: query, s = "", t = "", n = "", c = "" } = fields;
    if (query !== undefined || (context !== undefined && !context.startsWith("COPY "))) return null;
    if (code === "23502") {
      if (!this.#columns.get(key(s, t))?.has(c)) return null;
      const words = `null value in column "${c}" of relation "${t}" violates not-null constraint`;
      return { s, t, c, ...(message === words ? { M: words } : {}) };
    }
    const found = this.#constraints.get(key(s, t, n));
    if (!found || KINDS[found.kind].sqlstate !== code) return null;
    const words = KINDS[found.kind].words(t, n);
    const same = message === words;
    // The other direction, a row of another table that still refers to this one, has the same names.
    if (found.kind === "f" && !same) return null;
    const columns = found.columns.slice(0, found.keys).map(quoteName).join(", ");
    const detail = found.kind === "u" && columns ? { D: `Key (${columns})=(hidden) already exists.` } : {};
    return { s, t, n, ...detail, ...(same ? { M: words } : {}) };
  }
}

function visible(relation: CatalogRelation, { columns, masked }: ShownColumns): Set<string> {
  const shown = relation.columns.filter(
    ({ name, from, userCasts }) =>
      (columns === "*" || columns.includes(name)) &&
      !masked.includes(name) &&
      !from?.some((source) => masked.includes(source)) &&
      !userCasts,
  );
  return new Set(shown.map(({ name }) => name));
}

function key(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
