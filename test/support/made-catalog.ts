/** Catalogs made by hand, for decisions without a database. */
import type { Catalog, CatalogColumn, CatalogRelation } from "../../policies/postgres/catalog-types.ts";

/** A column of a type as `format_type` prints it. */
export function madeColumn(
  name: string,
  number: number,
  type: string,
  more: Partial<CatalogColumn> = {},
): CatalogColumn {
  const text = /^(text|char|name)/.test(type);
  return {
    name,
    number,
    type,
    typeOid: 25,
    category: text ? "S" : "N",
    notNull: false,
    generated: false,
    baseType: null,
    labels: null,
    groupable: true,
    userCasts: false,
    ...more,
  };
}

/** A table with columns `name: type`; the first is its primary key. */
export function madeTable(
  schema: string,
  name: string,
  columns: Readonly<Record<string, string>>,
  oid = 20_000,
): CatalogRelation {
  const names = Object.keys(columns);
  return {
    oid,
    schema,
    name,
    kind: "r",
    columns: names.map((column, index) => madeColumn(column, index + 1, columns[column]!)),
    primaryKey: names.slice(0, 1),
  };
}

export function madeCatalog(relations: readonly CatalogRelation[], more: Partial<Catalog> = {}): Catalog {
  return {
    digest: "0".repeat(64),
    serverVersion: 180000,
    database: "shop",
    relations,
    foreignOperators: [],
    fieldFunctions: [],
    unsafeCasts: false,
    castTargets: [],
    types: [],
    systemRelations: [],
    functions: [],
    ...more,
  };
}
