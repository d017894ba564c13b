/**
 * Reads what the edge must know of a database (policies/postgres/catalog.ts), on the session's own connection.
 * The whole reading is kept for each resource and set of relations, and used again while a short question says
 * that nothing of it changed: catalog rows are replaced by every change, so their `xmin` tells.
 */
import { createHash } from "node:crypto";
import type pg from "pg";
import { buildCatalog, type CatalogRow, catalogQueries } from "../policies/postgres/catalog.ts";
import type { Catalog } from "../policies/postgres/catalog-types.ts";
import type { Dial } from "../wire/control.ts";

/** A reading older than this is made again, milliseconds. */
const MAX_AGE_MS = 10 * 60_000;
const MAX_KEPT = 64;

/** User-made objects of one catalog, as a number that changes when they do (FirstNormalObjectId is 16384). */
const made = (catalog: string) =>
  `(SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(
      o.oid::pg_catalog.text || ':' || o.xmin::pg_catalog.text, 0)), 0) FROM pg_catalog.${catalog} o WHERE o.oid >= 16384)`;

const VERSION = `
WITH wanted AS MATERIALIZED (
  SELECT c.oid, c.xmin FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name)
SELECT pg_catalog.concat_ws('|', pg_catalog.current_setting('server_version_num'), pg_catalog.current_database(),
  (SELECT pg_catalog.string_agg(oid::pg_catalog.text || ':' || xmin::pg_catalog.text, ',' ORDER BY oid) FROM wanted),
  (SELECT pg_catalog.string_agg(a.attnum::pg_catalog.text || ':' || a.xmin::pg_catalog.text, ',' ORDER BY a.attrelid, a.attnum)
     FROM wanted JOIN pg_catalog.pg_attribute a ON a.attrelid = wanted.oid),
  (SELECT pg_catalog.string_agg(i.indexrelid::pg_catalog.text || ':' || i.xmin::pg_catalog.text, ',' ORDER BY i.indexrelid)
     FROM wanted JOIN pg_catalog.pg_index i ON i.indrelid = wanted.oid),
  (SELECT pg_catalog.string_agg(k.oid::pg_catalog.text || ':' || k.xmin::pg_catalog.text, ',' ORDER BY k.oid)
     FROM wanted JOIN pg_catalog.pg_constraint k ON k.conrelid = wanted.oid),
  (SELECT pg_catalog.string_agg(d.objid::pg_catalog.text || ':' || d.refobjid::pg_catalog.text, ',' ORDER BY d.objid)
     FROM wanted JOIN pg_catalog.pg_depend d ON d.refobjid = wanted.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass),
  (SELECT pg_catalog.string_agg(r.oid::pg_catalog.text || ':' || r.xmin::pg_catalog.text, ',' ORDER BY r.oid)
     FROM wanted JOIN pg_catalog.pg_rewrite r ON r.ev_class = wanted.oid),
  ${["pg_operator", "pg_proc", "pg_cast", "pg_type", "pg_enum", "pg_opclass", "pg_extension"].map(made).join(",\n  ")}) AS version`;

interface Kept {
  readonly version: string;
  readonly at: number;
  readonly catalog: Catalog;
}

export class CatalogReader {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The catalog for a task's relations. Throws what the server says. */
  async read(client: pg.Client, resource: string, task: Dial["task"]): Promise<Catalog> {
    const { relations, functions } = task;
    const key = createHash("sha256")
      .update(JSON.stringify([resource, relations, functions]))
      .digest("hex");
    const names = [relations.map((one) => one.schema), relations.map((one) => one.name)];
    const { rows } = await client.query<{ version: string }>(VERSION, names);
    const version = rows[0]!.version;
    const known = this.#kept.get(key);
    if (known?.version === version && this.#now() - known.at < MAX_AGE_MS) return known.catalog;
    const found: Record<string, readonly CatalogRow[]> = {};
    for (const { name, text, values } of catalogQueries(relations, functions)) {
      found[name] = (await client.query<Record<string, unknown>>(text, [...values])).rows;
    }
    const catalog = buildCatalog(found);
    this.#kept.delete(key);
    this.#kept.set(key, { version, at: this.#now(), catalog });
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return catalog;
  }
}
