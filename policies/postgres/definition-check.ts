/**
 * Conditions that hold while a relation and its columns are the ones of the session's catalog, and else raise an error
 * (scrub.ts gives it its words): a column that was renamed, or a table that took another's name, would be shown or written
 * under the wrong rule. The statement has locked the relation when it runs, so nothing changes behind them.
 */
import type { CatalogColumn, CatalogRelation } from "./catalog-types.ts";
import { qualified, quoteText } from "./names.ts";
import { CHANGED_MARKER } from "./scrub.ts";

/** Made once in a statement: that the relation, the given columns and a view's definition are the same. */
export function definitionCheck(relation: CatalogRelation, columns: readonly CatalogColumn[]): string {
  const { oid, definition } = relation;
  const parts = sameColumns(relation, columns);
  if (definition !== undefined) {
    parts.push(
      `(SELECT xmin::pg_catalog.text FROM pg_catalog.pg_rewrite WHERE ev_class = ${oid} AND rulename = '_RETURN') = ${quoteText(definition)}`,
    );
  }
  return orFail(relation, parts);
}

/**
 * For a condition that is evaluated for every row. That the name is still this relation's is a constant to the planner; of
 * its columns, that none is gone (`has_column_privilege` is NULL for one that is) and all have their names in their order.
 */
export function rowCheck(relation: CatalogRelation, columns: readonly CatalogColumn[]): string {
  const parts = [sameRelation(relation)];
  const last = Math.max(0, ...columns.map(({ number }) => number));
  const known = relation.columns.filter(({ number }) => number <= last);
  if (hasDomain(relation)) parts.push(...columns.map((column) => sameName(relation, column)));
  else if (known.length > 0) {
    parts.push(
      sameOrder(relation, known),
      ...known.map(
        ({ number }) =>
          `pg_catalog.has_column_privilege(${relation.oid}, ${number}::pg_catalog.int2, 'INSERT') IS NOT NULL`,
      ),
    );
  }
  return orFail(relation, parts);
}

/** That the name is still this relation's; a constant to the planner, made when the statement is analysed. */
export function sameRelation({ oid, schema, name }: CatalogRelation): string {
  return `${quoteText(qualified(schema, name))}::pg_catalog.regclass = ${oid}::pg_catalog.oid`;
}

/** What an error says that tells of a changed relation. */
export function changedMarker({ schema, name }: CatalogRelation): string {
  return `${CHANGED_MARKER}${schema}.${name}]`;
}

function orFail(relation: CatalogRelation, parts: readonly string[]): string {
  const changed = quoteText(changedMarker(relation));
  // concat is not immutable, so that the cast fails when it runs and not when it is planned.
  return `CASE WHEN ${parts.join(" AND ")} THEN true ELSE pg_catalog.concat(${changed})::pg_catalog.bool END`;
}

/**
 * That the name is still this relation's, and the granted columns are still under their numbers. Functions that look
 * into the server's caches: a query of pg_attribute costs more than the statement itself.
 *
 * When the last column that the catalog knows has its old number, none before it is gone, so each has its own. An empty
 * row of a domain may call its checks: there each granted column is asked for by number.
 */
function sameColumns(relation: CatalogRelation, columns: readonly CatalogColumn[]): string[] {
  const last = relation.columns.at(-1);
  if (last === undefined || columns.length === 0) return [sameRelation(relation)];
  if (columns.length <= 2 || hasDomain(relation)) return columns.map((column) => sameName(relation, column));
  return [sameOrder(relation, relation.columns), sameName(relation, last)];
}

function hasDomain(relation: CatalogRelation): boolean {
  return relation.columns.some((column) => column.baseType !== null);
}

/** That a number is still this column's, in the relation of this name. */
function sameName({ oid, schema, name }: CatalogRelation, column: CatalogColumn): string {
  return `(pg_catalog.pg_identify_object_as_address(1259, ${oid}, ${column.number})).object_names = ${textArray([schema, name, column.name])}`;
}

/** That the first columns have these names: those of an empty row as JSON, in the order of their numbers. */
function sameOrder({ schema, name }: CatalogRelation, columns: readonly CatalogColumn[]): string {
  const names = `{${columns.map((column) => `${JSON.stringify(column.name)}:null`).join(",")}`;
  const row = `pg_catalog.jsonb_populate_record(NULL::${qualified(schema, name)}, '{}')`;
  return `pg_catalog.starts_with(pg_catalog.row_to_json(${row})::pg_catalog.text, ${quoteText(names)})`;
}

/** A text[] literal. */
function textArray(values: readonly string[]): string {
  return quoteText(`{${values.map((value) => `"${value.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`);
}
