/**
 * Temporary tables that the session makes itself, where the task allows them (`session.temporary_tables`). Such a table
 * holds only what the session could see or say. Every name of one is written `pg_temp.name`, so it means that table or
 * none: never another one on the path, whatever was rolled back or dropped meanwhile.
 */
import type { StatementSummary } from "./decision.ts";
import { fromItems } from "./from-items.ts";
import { quoteName } from "./names.ts";
import { fieldsOf } from "./nodes.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, isCte, OUTERMOST, type Scope } from "./scope.ts";
import type { Span } from "./session-statements.ts";
import { SEARCH_PATH } from "./settings.ts";
import { as, type Fields, list, location, names, typeOf, type Wrapped } from "./tree.ts";
import type { World } from "./world.ts";
import { level } from "./write-parts.ts";

const SCHEMA = "pg_temp";
/** Names of them that one session may make; those of dropped ones count. */
const MAX_NAMES = 20_000;

/** True when a relation's name means a temporary table that this session made. */
export function isOwnTable(world: World, fields: Fields, scope: Scope | null): boolean {
  const { catalogname, schemaname, relname } = fields;
  if (catalogname !== undefined || !world.temporary.has(String(relname))) return false;
  return schemaname === SCHEMA || (schemaname === undefined && !isCte(scope, String(relname)));
}

/** A reference to one: its schema is made explicit. */
export function useOwnTable(walker: QueryWalker, fields: Fields): undefined {
  walker.relations.add(`${SCHEMA}.${String(fields["relname"])}`);
  if (fields["schemaname"] !== undefined) return;
  fields["schemaname"] = SCHEMA;
  const start = walker.source.index(location(fields));
  walker.source.replaceName(start, start, `${SCHEMA}.`);
}

/** The target of a write, as an item of its FROM list. */
export function ownItem(fields: Fields): Item {
  const alias = fields["alias"] as Fields | undefined;
  const name = String(alias?.["aliasname"] ?? fields["relname"]);
  return { name, columns: null, view: null, node: null, target: null, derived: true };
}

// -------------------------------------------------------------------- CREATE and DROP

/** CREATE TEMP TABLE, with columns (`CreateStmt`) or from a query (`CreateTableAsStmt`). */
export function createTemporary(
  walker: QueryWalker,
  type: string,
  fields: Fields,
): Partial<StatementSummary> {
  const into = fields["into"] as Fields | undefined;
  if (into && !walker.known("IntoClause", into)) return {};
  const relation = (into?.["rel"] ?? fields["relation"]) as Fields | undefined;
  if (!relation || !walker.known("RangeVar", relation)) return {};
  const made = into ? { ...fields, ...into } : fields;
  const plain = ["inhRelations", "partbound", "partspec", "ofTypename", "options", "tablespacename"];
  const odd = [...plain, "tableSpaceName", "accessMethod", "viewQuery"].find(
    (key) => made[key] !== undefined,
  );
  const temporary = relation["relpersistence"] === "t" && (into === undefined || isTable(fields));
  if (!walker.world.task.session.temporaryTables || !temporary) {
    refuse(walker, into ? "CREATE TABLE AS" : "CREATE TABLE");
  } else if (odd !== undefined) refuse(walker, `a temporary table with ${odd}`);
  else if (walker.world.temporary.size >= MAX_NAMES) refuse(walker, `a name more than ${MAX_NAMES}`);
  else if (mayName(walker, relation)) {
    if (into && typeOf(fields["query"]) !== "SelectStmt") refuse(walker, "CREATE TABLE AS EXECUTE");
    if (into) walker.node(fields["query"], OUTERMOST);
    else for (const element of list(fields["tableElts"])) tableElement(walker, element);
    if (type === "CreateStmt" && list(fields["constraints"]).length > 0) refuse(walker, "this constraint");
    walker.relations.add(`${SCHEMA}.${String(relation["relname"])}`);
    walker.keepsOwn = true;
    if (!walker.refused) walker.world.temporary.add(String(relation["relname"]));
  }
  return { effect: "write" };
}

function isTable(fields: Fields): boolean {
  return fields["objtype"] === "OBJECT_TABLE" && !fields["is_select_into"];
}

function refuse(walker: QueryWalker, what: string): undefined {
  const allowed = walker.world.task.session.temporaryTables;
  const hint = allowed
    ? "CREATE TEMP TABLE name (columns) or AS query."
    : "A task allows temporary tables by `session.temporary_tables`.";
  walker.refuse(
    "STATEMENT_NOT_ALLOWED",
    `${what} is not allowed: it makes a copy of data or a new relation`,
    { hint },
  );
}

/** A temporary table may not have the name of anything that a statement could mean instead. */
function mayName(walker: QueryWalker, relation: Fields): boolean {
  const { world } = walker;
  const name = String(relation["relname"]);
  const at = location(relation);
  const elsewhere = relation["schemaname"] !== undefined && relation["schemaname"] !== SCHEMA;
  const taken =
    world.relations.find("pg_catalog", name).kind !== "none" ||
    world.task.rules.some((rule) => rule.schema === SEARCH_PATH[0] && rule.relation === name);
  if (!elsewhere && !taken && !name.startsWith("pg_") && relation["catalogname"] === undefined) return true;
  walker.refuse("NAME_TAKEN", `a temporary table may not be called ${quoteName(name)} here`, {
    at,
    hint: "Take a name that no relation of the task or of PostgreSQL has, without a schema.",
  });
  return false;
}

const COLUMN_CONSTRAINTS = new Set([
  "CONSTR_NULL",
  "CONSTR_NOTNULL",
  "CONSTR_DEFAULT",
  "CONSTR_PRIMARY",
  "CONSTR_UNIQUE",
]);

function tableElement(walker: QueryWalker, element: unknown): undefined {
  const column = as(element, "ColumnDef");
  const constraint = as(element, "Constraint");
  if (constraint) return tableConstraint(walker, constraint);
  if (!column || !walker.known("ColumnDef", column)) return refuse(walker, "this part of a temporary table");
  for (const node of list(column["constraints"])) tableConstraint(walker, as(node, "Constraint") ?? {});
  const { constraints: _, ...rest } = column;
  walker.typed("ColumnDef", rest, OUTERMOST, null);
}

function tableConstraint(walker: QueryWalker, constraint: Fields): undefined {
  if (!walker.known("Constraint", constraint)) return;
  if (!COLUMN_CONSTRAINTS.has(String(constraint["contype"])) || constraint["options"])
    return refuse(walker, "a constraint other than NOT NULL, DEFAULT, PRIMARY KEY and UNIQUE");
  if (constraint["raw_expr"]) walker.node(constraint["raw_expr"], OUTERMOST);
}

/** DROP TABLE of the session's own tables; written anew, because the tree does not say where its names stand. */
export function dropTemporary(walker: QueryWalker, fields: Fields, span: Span): undefined {
  const tables = list(fields["objects"]).map((object) => names(as(object, "List")?.["items"]) ?? []);
  const own = (parts: readonly string[]) =>
    walker.world.temporary.has(parts.at(-1)!) &&
    (parts.length === 1 || (parts.length === 2 && parts[0] === SCHEMA));
  if (fields["removeType"] !== "OBJECT_TABLE" || fields["concurrent"] || !tables.every(own)) {
    const hint = "A session may drop the temporary tables that it made.";
    return walker.refuse(
      "STATEMENT_NOT_ALLOWED",
      "DROP is not allowed: it changes the schema of the database",
      { hint },
    );
  }
  const behavior = fields["behavior"] === "DROP_CASCADE" ? " CASCADE" : "";
  const qualified = tables.map((parts) => `${SCHEMA}.${quoteName(parts.at(-1)!)}`);
  const exists = fields["missing_ok"] ? "IF EXISTS " : "";
  walker.source.replace(span.start, span.end, `DROP TABLE ${exists}${qualified.join(", ")}${behavior}`);
  fields["objects"] = tables.map((parts) => ({
    List: { items: [SCHEMA, parts.at(-1)!].map((sval) => ({ String: { sval } })) },
  }));
}

// -------------------------------------------------------------------- writes

/** Parts of writes that no query has. */
const PARTS = new Set(
  "OnConflictClause InferClause IndexElem ReturningClause ReturningOption MergeWhenClause".split(" "),
);
const FROM_LISTS = new Set(["fromClause", "usingClause", "sourceRelation"]);

/** INSERT, UPDATE, DELETE and MERGE of a table of the session's own: all of it may be read and changed. */
export function writeOwn(
  walker: QueryWalker,
  type: string,
  fields: Fields,
  scope: Scope,
): Partial<StatementSummary> {
  walker.keepsOwn = true;
  const relation = fields["relation"] as Fields;
  useOwnTable(walker, relation);
  const from = ["fromClause", "usingClause"].flatMap((key) => list(fields[key]));
  const items = [ownItem(relation), ...fromItems(walker.world, [...from, fields["sourceRelation"]], scope)];
  oneSource(list(fields["targetList"]));
  parts(walker, type, fields, {
    expressions: level(scope, items, true),
    from: level(scope, items, false),
    source: scope,
  });
  return { effect: "write", returnsRows: fields["returningClause"] !== undefined };
}

/** The tree repeats the source of `SET (a, b) = …` at each column; the text has it once. */
function oneSource(targets: readonly unknown[]): undefined {
  let first: Wrapped | null = null;
  for (const node of targets) {
    const multiple = as(as(node, "ResTarget")?.["val"], "MultiAssignRef");
    if (!multiple) continue;
    if (multiple["colno"] === 1 || first === null) first = multiple["source"] as Wrapped;
    else multiple["source"] = first;
  }
}

interface Scopes {
  readonly expressions: Scope;
  readonly from: Scope;
  readonly source: Scope;
}

function parts(walker: QueryWalker, type: string, fields: Fields, scopes: Scopes): undefined {
  if (!walker.known(type, fields)) return;
  if (fields["opclass"])
    return walker.refuse("CONFLICT_NOT_ALLOWED", "ON CONFLICT may not name an operator class");
  const seen = new Set<unknown>();
  const visit = (node: unknown, scope: Scope): undefined => {
    const inner = typeOf(node);
    if (inner !== null && PARTS.has(inner)) return parts(walker, inner, (node as Wrapped)[inner]!, scopes);
    const source = as(as(node, "ResTarget")?.["val"], "MultiAssignRef")?.["source"];
    if (source !== undefined && seen.has(source)) return;
    if (source !== undefined) seen.add(source);
    walker.node(node, scope);
  };
  const kinds = fieldsOf(type)!;
  for (const key in fields) {
    if (key === "relation" || key === "withClause") continue;
    const value = fields[key];
    const kind = kinds.get(key);
    const scope = FROM_LISTS.has(key)
      ? scopes.from
      : key === "selectStmt"
        ? scopes.source
        : scopes.expressions;
    if (kind === "[") for (const item of list(value)) visit(item, scope);
    else if (kind === "*") visit(value, scope);
    else if (kind !== undefined && PARTS.has(kind)) parts(walker, kind, value as Fields, scopes);
    else if (kind !== "-") walker.refuse("SYNTAX_NOT_ALLOWED", `${type}.${key} is not understood`);
  }
}
