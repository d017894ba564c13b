/**
 * What the connector reads of a database when a session opens, and how it becomes a `Catalog`. Plain SQL that
 * runs on PostgreSQL 14 and later; every name is qualified, so the session's own search path does not matter.
 */
import { digestOf } from "../canonical.ts";
import type { Catalog, CatalogColumn, CatalogConstraint, CatalogRelation } from "./catalog-types.ts";
import { partialCatalogs } from "./system-catalogs.ts";

export interface CatalogQuery {
  /** Key of its rows in `buildCatalog`. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly (readonly string[])[];
}

export type CatalogRow = Readonly<Record<string, unknown>>;

/**
 * Extensions whose operators, casts and functions compute from their arguments alone. Their types may be named
 * and their operators used; their functions still only when a task lists them.
 */
const PURE_EXTENSIONS = `btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray ip4r isn
ltree pg_trgm pgcrypto postgis prefix seg semver unaccent uuid-ossp vector`
  .split(/\s+/)
  .map((name) => `'${name}'`)
  .join(", ");

/** True for an object of class `catalog` that belongs to one of them. */
const pure = (catalog: string, oid: string) =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
     WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = ${oid} AND d.deptype = 'e'
       AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname IN (${PURE_EXTENSIONS}))`;

const BUILTIN = "'pg_catalog'::pg_catalog.regnamespace";

/**
 * A cast that runs a function which is neither built in nor of a pure extension, nor the one that CREATE TYPE … AS RANGE
 * makes from a range to its multirange (makeMultirangeConstructors in typecmds.c).
 */
const USER_CAST = `k.castfunc <> 0 AND NOT ${pure("pg_cast", "k.oid")}
   AND EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = k.castfunc AND p.pronamespace <> ${BUILTIN}
       AND NOT (p.prosrc = 'multirange_constructor1'
         AND p.prolang = (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname = 'internal')))`;

/** A type as SQL, qualified when it is not built in, with its modifier and array brackets. */
const typeText = (oid: string, modifier: string) =>
  `(SELECT CASE WHEN e.typnamespace = ${BUILTIN} THEN pg_catalog.format_type(${oid}, ${modifier})
      ELSE pg_catalog.quote_ident(en.nspname) || '.' || pg_catalog.quote_ident(e.typname)
           || COALESCE(pg_catalog.substring(pg_catalog.format_type(${oid}, ${modifier}), '[(\\[].*$'), '') END
      FROM pg_catalog.pg_type o
      JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN o.typelem <> 0 AND o.typlen = -1 AND o.typcategory = 'A' THEN o.typelem ELSE o.oid END
      JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace WHERE o.oid = ${oid})`;

const COLUMNS = `
SELECT c.oid::pg_catalog.int8 AS relation, n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       c.relkind::pg_catalog.text AS kind, a.attname::pg_catalog.text AS "column", a.attnum::pg_catalog.int4 AS number,
       ${typeText("a.atttypid", "a.atttypmod")} AS type, a.atttypid::pg_catalog.int8 AS type_oid,
       b.typcategory::pg_catalog.text AS category, a.attnotnull AS not_null, a.attgenerated <> '' AS generated,
       CASE WHEN a.attgenerated <> '' THEN (SELECT pg_catalog.array_agg(DISTINCT s.attname::pg_catalog.text)
          FROM pg_catalog.pg_attrdef f
          -- Before 15 the column depends on the others, since then its expression.
          JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
           AND (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
             OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = a.attnum)
          JOIN pg_catalog.pg_attribute s ON s.attrelid = c.oid AND s.attnum = d.refobjsubid
         WHERE f.adrelid = c.oid AND f.adnum = a.attnum AND s.attnum <> a.attnum) END AS "from",
       CASE WHEN t.typtype = 'd' THEN ${typeText("base.oid", "base.modifier")} END AS base_type,
       (SELECT pg_catalog.array_agg(l.enumlabel::pg_catalog.text ORDER BY l.enumsortorder)
          FROM pg_catalog.pg_enum l WHERE l.enumtypid = base.oid) AS labels,
       el.typtype IN ('e', 'r', 'm', 'c') OR EXISTS (
         SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
          WHERE m.amname = 'btree' AND o.opcdefault AND (o.opcintype = el.oid
             OR EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castsource = el.oid AND k.casttarget = o.opcintype
                           AND k.castmethod = 'b' AND k.castcontext = 'i'))) AS groupable,
       EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castsource IN (t.oid, base.oid, el.oid)
                  AND el.typnamespace <> ${BUILTIN} AND ${USER_CAST}) AS user_casts,
       (SELECT pg_catalog.array_position(i.indkey::pg_catalog.int2[], a.attnum) FROM pg_catalog.pg_index i
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key_position,
       (SELECT w.xmin::pg_catalog.text FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename = '_RETURN') AS definition
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS wanted(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN LATERAL (
    WITH RECURSIVE down(oid, modifier, depth) AS (
      SELECT a.atttypid, a.atttypmod, 0
      UNION ALL
      SELECT y.typbasetype, CASE WHEN y.typtypmod >= 0 THEN y.typtypmod ELSE down.modifier END, down.depth + 1
        FROM down JOIN pg_catalog.pg_type y ON y.oid = down.oid WHERE y.typtype = 'd')
    SELECT down.oid, down.modifier FROM down ORDER BY down.depth DESC LIMIT 1) AS base ON true
  LEFT JOIN pg_catalog.pg_type b ON b.oid = base.oid
  LEFT JOIN pg_catalog.pg_type el ON el.oid = CASE WHEN b.typcategory = 'A' AND b.typelem <> 0 THEN b.typelem ELSE b.oid END
 ORDER BY 2, 3, 6`;

/** Operators of the path that may be picked for operands which a task can have. */
const OPERATORS = `
SELECT DISTINCT o.oprname::pg_catalog.text AS name FROM pg_catalog.pg_operator o
 WHERE o.oprnamespace = 'public'::pg_catalog.regnamespace AND NOT ${pure("pg_operator", "o.oid")}
   AND (NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid IN (o.oprleft, o.oprright) AND t.typnamespace <> ${BUILTIN})
     OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid IN (o.oprleft, o.oprright) AND (t.typtype IN ('e', 'd', 'r', 'm')
         OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) AND t.typnamespace <> ${BUILTIN})
     OR EXISTS (
       SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS wanted(schema, name)
         JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE o.oprleft IN (t.oid, t.typelem) OR o.oprright IN (t.oid, t.typelem)))
 ORDER BY 1`;

const FIELD_FUNCTIONS = `
SELECT DISTINCT p.proname::pg_catalog.text AS name FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = 'public'::pg_catalog.regnamespace AND p.pronargs >= 1
   AND p.pronargs - p.pronargdefaults - (p.provariadic <> 0)::pg_catalog.int4 <= 1 AND NOT ${pure("pg_proc", "p.oid")}
 ORDER BY 1`;

const CASTS = `
SELECT t.typname::pg_catalog.text AS target, k.castcontext = 'i' AS implicit
  FROM pg_catalog.pg_cast k
  JOIN pg_catalog.pg_type s ON s.oid = k.castsource AND s.typnamespace = ${BUILTIN}
  JOIN pg_catalog.pg_type t ON t.oid = k.casttarget AND t.typnamespace = ${BUILTIN}
 WHERE ${USER_CAST} ORDER BY 1`;

/** A composite type of its own, not the row of a table, whose attributes are all of built-in types. */
const PLAIN_COMPOSITE = `(t.typtype = 'c'
   AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type f ON f.oid = a.atttypid
      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND f.typnamespace <> ${BUILTIN}))`;

/** A range or multirange over a built-in type, ordered as that type is, whose values are not changed by a function. */
const PLAIN_RANGE = `EXISTS (
   SELECT FROM pg_catalog.pg_range g
     JOIN pg_catalog.pg_type f ON f.oid = g.rngsubtype AND f.typnamespace = ${BUILTIN}
     JOIN pg_catalog.pg_opclass o ON o.oid = g.rngsubopc AND o.opcnamespace = ${BUILTIN}
    WHERE t.oid IN (g.rngtypid, g.rngmultitypid) AND g.rngcanonical = 0)`;

/**
 * Enums, domains without checks that call functions, plain composite and range types, and types of pure extensions; none
 * with a user's cast.
 */
const TYPES = `
SELECT n.nspname || '.' || t.typname AS name, t.oid::pg_catalog.int8 AS oid, t.typarray::pg_catalog.int8 AS array
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND (t.typtype IN ('e', 'd') OR ${PLAIN_COMPOSITE} OR ${PLAIN_RANGE} OR ${pure("pg_type", "t.oid")}) AND t.typcategory <> 'A'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE t.oid IN (k.castsource, k.casttarget) AND ${USER_CAST})
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_constraint r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
       AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      WHERE r.contypid = t.oid)
 ORDER BY 1 LIMIT 5000`;

const FUNCTIONS = `
SELECT pg_catalog.min(p.oid::pg_catalog.int8) AS oid, n.nspname::pg_catalog.text AS schema, p.proname::pg_catalog.text AS name
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname || '.' || p.proname = ANY ($1::pg_catalog.text[]) AND p.prokind IN ('f', 'a', 'w')
 GROUP BY 2, 3 HAVING pg_catalog.count(*) = 1 ORDER BY 2, 3`;

const SEQUENCES = `
SELECT sn.nspname::pg_catalog.text AS schema, s.relname::pg_catalog.text AS name,
       n.nspname::pg_catalog.text AS of_schema, c.relname::pg_catalog.text AS of_name
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS wanted(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
 ORDER BY 1, 2`;

const OWN_CODE = (catalog: string, oid: string) =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = ${oid}
     AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass))`;

const CONSTRAINTS = `
SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS relation, k.name::pg_catalog.text AS name, k.kind,
       k.keys::pg_catalog.int4 AS keys, k.opaque,
       ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.numbers) WITH ORDINALITY AS u(number, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
              GROUP BY a.attname ORDER BY pg_catalog.min(u.place)) AS columns
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS wanted(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
  JOIN LATERAL (
    SELECT r.conname AS name, r.contype::pg_catalog.text AS kind, r.conkey AS numbers, 0 AS keys,
           COALESCE(0 >= ANY (r.conkey), false) OR ${OWN_CODE("pg_constraint", "r.oid")} AS opaque
      FROM pg_catalog.pg_constraint r WHERE r.conrelid = c.oid AND r.contype IN ('c', 'f')
    UNION ALL
    SELECT i.relname, CASE WHEN x.indisexclusion THEN 'x' ELSE 'u' END,
           ARRAY(SELECT y FROM pg_catalog.unnest(x.indkey) AS y WHERE y > 0) || ARRAY(
             SELECT d.refobjsubid::pg_catalog.int2 FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.oid AND d.refobjid = c.oid
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0),
           CASE WHEN x.indexprs IS NULL THEN x.indnkeyatts ELSE 0 END,
           ${OWN_CODE("pg_class", "i.oid")} OR COALESCE(x.indexprs::pg_catalog.text ~ ':varattno 0 ', false)
             OR COALESCE(x.indpred::pg_catalog.text ~ ':varattno 0 ', false)
      FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
     WHERE x.indrelid = c.oid AND (x.indisunique OR x.indisexclusion)) AS k ON true
 ORDER BY 1, 2, 3`;

const SERVER = `
SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version,
       pg_catalog.current_database()::pg_catalog.text AS database,
       CURRENT_USER = SESSION_USER AS own_role,
       COALESCE((SELECT pg_catalog.has_language_privilege(l.oid, 'USAGE') FROM pg_catalog.pg_language l
                  WHERE l.lanname = 'plpgsql'), false) AS plpgsql,
       (SELECT pg_catalog.max(c.oid)::pg_catalog.int8 FROM pg_catalog.pg_class c) AS newest`;

/**
 * The queries for the relations that a task names and the functions that it lists (`schema.name`). To be run on
 * the connector's own connection before anyone else can use it.
 */
export function catalogQueries(
  relations: readonly { readonly schema: string; readonly name: string }[],
  functions: readonly string[],
): CatalogQuery[] {
  // A task names a relation once for each of its rules.
  const pairs = (items: readonly { readonly schema: string; readonly name: string }[]) => {
    const once = [...new Map(items.map((item) => [JSON.stringify([item.schema, item.name]), item])).values()];
    return [once.map((item) => item.schema), once.map((item) => item.name)];
  };
  return [
    { name: "server", text: SERVER, values: [] },
    { name: "columns", text: COLUMNS, values: pairs(relations) },
    { name: "system", text: COLUMNS, values: pairs(partialCatalogs) },
    { name: "operators", text: OPERATORS, values: pairs(relations) },
    { name: "fieldFunctions", text: FIELD_FUNCTIONS, values: [] },
    { name: "casts", text: CASTS, values: [] },
    { name: "types", text: TYPES, values: [] },
    { name: "functions", text: FUNCTIONS, values: [functions] },
    { name: "sequences", text: SEQUENCES, values: pairs(relations) },
    { name: "constraints", text: CONSTRAINTS, values: pairs(relations) },
  ];
}

/** The catalog from the rows of every query, by its name. Throws when the server's own row is missing. */
export function buildCatalog(rows: Readonly<Record<string, readonly CatalogRow[]>>): Catalog {
  const server = rows["server"]?.[0];
  if (!server) throw new Error("the catalog has no row about the server");
  const texts = (name: string) => (rows[name] ?? []).map((row) => String(row["name"]));
  const casts = rows["casts"] ?? [];
  const catalog = {
    serverVersion: Number(server["version"]),
    database: String(server["database"]),
    plpgsql: server["plpgsql"] === true,
    ownRole: server["own_role"] === true,
    relations: relationsOf(rows["columns"] ?? []),
    foreignOperators: texts("operators"),
    fieldFunctions: texts("fieldFunctions"),
    unsafeCasts: casts.some((row) => row["implicit"] === true),
    castTargets: [...new Set(casts.map((row) => String(row["target"])))],
    types: texts("types"),
    typeOids: (rows["types"] ?? []).flatMap((row) => [Number(row["oid"]), Number(row["array"])]),
    systemRelations: relationsOf(rows["system"] ?? []),
    sequences: (rows["sequences"] ?? []).map((row) => ({
      schema: String(row["schema"]),
      name: String(row["name"]),
      of: { schema: String(row["of_schema"]), name: String(row["of_name"]) },
    })),
    constraints: (rows["constraints"] ?? []).map((row) => ({
      schema: String(row["schema"]),
      relation: String(row["relation"]),
      name: String(row["name"]),
      kind: String(row["kind"]) as CatalogConstraint["kind"],
      columns: (row["columns"] as unknown[]).map(String),
      keys: Number(row["keys"]),
      opaque: row["opaque"] !== false,
    })),
    functions: (rows["functions"] ?? []).map((row) => ({
      oid: Number(row["oid"]),
      schema: String(row["schema"]),
      name: String(row["name"]),
    })),
  };
  const newest = Number(server["newest"] ?? Number.NaN);
  return { digest: digestOf(catalog), ...catalog, ...(newest > 0 ? { newestOid: newest } : {}) };
}

function relationsOf(rows: readonly CatalogRow[]): CatalogRelation[] {
  const relations: CatalogRelation[] = [];
  const keys = new Map<CatalogRelation, [number, string][]>();
  for (const row of rows) {
    let relation = relations.at(-1);
    if (!relation || relation.schema !== row["schema"] || relation.name !== row["name"]) {
      relation = {
        oid: Number(row["relation"]),
        schema: String(row["schema"]),
        name: String(row["name"]),
        kind: row["kind"] as CatalogRelation["kind"],
        columns: [],
        primaryKey: [],
        ...(typeof row["definition"] === "string" ? { definition: row["definition"] } : {}),
      };
      relations.push(relation);
      keys.set(relation, []);
    }
    if (row["column"] === null) continue;
    (relation.columns as CatalogColumn[]).push(columnOf(row));
    if (row["key_position"] !== null)
      keys.get(relation)!.push([Number(row["key_position"]), String(row["column"])]);
  }
  for (const [relation, key] of keys) {
    (relation.primaryKey as string[]).push(...key.sort((a, b) => a[0] - b[0]).map(([, name]) => name));
  }
  return relations;
}

function columnOf(row: CatalogRow): CatalogColumn {
  return {
    name: String(row["column"]),
    number: Number(row["number"]),
    type: String(row["type"]),
    typeOid: Number(row["type_oid"]),
    category: String(row["category"]),
    notNull: row["not_null"] === true,
    generated: row["generated"] === true,
    ...(Array.isArray(row["from"]) ? { from: row["from"].map(String) } : {}),
    baseType: row["base_type"] === null ? null : String(row["base_type"]),
    labels: Array.isArray(row["labels"]) ? row["labels"].map(String) : null,
    groupable: row["groupable"] === true,
    userCasts: row["user_casts"] === true,
  };
}
