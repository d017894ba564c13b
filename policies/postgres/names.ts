/** Names and literals as SQL text. */

/**
 * Key words that may not stand as a bare column or table name: PostgreSQL's "reserved", "reserved (can be
 * function or type)" and "(cannot be function or type)" (documentation, appendix C), and a few more that read
 * badly bare.
 */
const KEYWORDS = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
cast char character check coalesce collate collation column concurrently constraint create cross current_catalog
current_date current_role current_schema current_time current_timestamp current_user dec decimal default
deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant
greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join
json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural
nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing
position precision primary real references returning right row select session_user setof similar smallint some
substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user
using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`
    .split(/\s+/)
    .concat(["old", "new"]),
);

/** An identifier, quoted when it must be. */
export function quoteName(name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.name`. */
export function qualified(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** A string literal; valid only while standard_conforming_strings is on. */
export function quoteText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** How the names begin that the gate gives prepared statements of its own. */
export const RESERVED_NAME = "wicketgate";

/** Identifiers longer than NAMEDATALEN - 1 = 63 bytes are cut by the server at a character boundary. */
export const MAX_NAME_BYTES = 63;
