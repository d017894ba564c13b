/**
 * What a decision needs to know of a database, read by the connector with `CATALOG_QUERIES` (catalog.ts)
 * and sent to the edge when a session opens. A stale catalog can only deny or hide.
 */
export interface Catalog {
  /** SHA-256 hex over the canonical JSON of the rest. */
  readonly digest: string;
  /** `server_version_num`, e.g. 180004. */
  readonly serverVersion: number;
  readonly database: string;
  /** The highest oid of a relation when this was read: what has a higher one was made later. Not in the digest. */
  readonly newestOid?: number;
  /** The session's role is that of its login, so that to reset it changes nothing. */
  readonly ownRole?: boolean;
  /** The session may run DO blocks in plpgsql; true when it is not said. */
  readonly plpgsql?: boolean;
  /** Only the relations that the task names (and what they inherit to), not the whole database. */
  readonly relations: readonly CatalogRelation[];
  /** Operator names of the search path that may run a user's function: denied in statements. */
  readonly foreignOperators: readonly string[];
  /**
   * Functions of the search path that are callable with one argument: `x.name` and `(x).name` call them when x
   * has no such column, whatever the type of x. Denied as field names.
   */
  readonly fieldFunctions: readonly string[];
  /** True when a user-defined implicit cast between built-in types exists: no statement is safe then. */
  readonly unsafeCasts: boolean;
  /** Target types of user-defined explicit casts from built-in types, `pg_type.typname`: denied in casts. */
  readonly castTargets: readonly string[];
  /** User types that may be named in a cast: enums and domains without user-defined casts. `schema.name`. */
  readonly types: readonly string[];
  /** The oids of these and of their arrays: no other of the database's own types may be a parameter's. None when absent. */
  readonly typeOids?: readonly number[];
  /** System catalogs that are shown in part (system-catalogs.ts), with their columns in this version. */
  readonly systemRelations: readonly CatalogRelation[];
  /** Sequences that belong to a column of one of the relations (serial, identity, OWNED BY). */
  readonly sequences?: readonly CatalogSequence[];
  /** Constraints and unique indexes of the relations. */
  readonly constraints?: readonly CatalogConstraint[];
  /** Functions named by the task that exist and are unambiguous. */
  readonly functions: readonly { readonly oid: number; readonly schema: string; readonly name: string }[];
}

export interface CatalogRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind. */
  readonly kind: "r" | "v" | "m" | "f" | "p";
  /** Live columns by attnum. */
  readonly columns: readonly CatalogColumn[];
  /** Column names of the primary key; empty when there is none. */
  readonly primaryKey: readonly string[];
  /** Of a view or materialized view: a text that changes when its definition does. */
  readonly definition?: string;
}

export interface CatalogColumn {
  readonly name: string;
  /** pg_attribute.attnum. */
  readonly number: number;
  /** `format_type(atttypid, atttypmod)` under search_path = pg_catalog: fully qualified when not built in. */
  readonly type: string;
  readonly typeOid: number;
  /** pg_type.typcategory of the base type. */
  readonly category: string;
  readonly notNull: boolean;
  readonly generated: boolean;
  /** Of a generated column: the columns of the same relation that its expression reads. */
  readonly from?: readonly string[];
  /** For a column of a domain: the base type with its modifier; null otherwise. */
  readonly baseType: string | null;
  /** The labels of an enum in order; null for other types. */
  readonly labels: readonly string[] | null;
  /** False for a type without a default equality (json, xml, point): it cannot be grouped by. */
  readonly groupable: boolean;
  /** True when a user-defined cast starts at the type: converting a value may call a user's function. */
  readonly userCasts: boolean;
}

export interface CatalogConstraint {
  readonly schema: string;
  readonly relation: string;
  /** Of a unique index without a constraint: the index's. */
  readonly name: string;
  /** Unique, exclusion, check, foreign key. */
  readonly kind: "u" | "x" | "c" | "f";
  /** Every column of the relation that it reads, those of a key first. */
  readonly columns: readonly string[];
  /** How many of them are the key; 0 when the key has expressions. */
  readonly keys: number;
  /** It calls a function of the database, or reads a whole row: what it depends on is not known. */
  readonly opaque: boolean;
}

export interface CatalogSequence {
  readonly schema: string;
  readonly name: string;
  /** The relation that it belongs to. */
  readonly of: { readonly schema: string; readonly name: string };
}
