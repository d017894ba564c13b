/** Functions, operators and types that a query names. */
import { refuseChannel, sendsTo } from "./channels.ts";
import { BUILTIN_TYPES, INFORMATION_SCHEMA_TYPES, REFUSED_FUNCTIONS } from "./functions.generated.ts";
import { dottedName } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { constantText } from "./row-filter.ts";
import { itemsNamed, type Scope } from "./scope.ts";
import { maySet, mayShow, SEARCH_PATH } from "./settings.ts";
import { isSystemSchema } from "./system-catalogs.ts";
import { as, type Fields, list, location, names } from "./tree.ts";

const INFORMATION_SCHEMA_FUNCTIONS = /^_pg_[a-z_]+$/;

/** An operator's name. */
export function operator(walker: QueryWalker, value: unknown, at: number): undefined {
  const parts = names(value);
  if (!parts || parts.length === 0) return;
  const name = parts.at(-1)!;
  if (parts.length > 1 && !(parts.length === 2 && parts[0] === "pg_catalog")) {
    return walker.refuse("OPERATOR_NOT_ALLOWED", `the operator ${parts.join(".")} is not a built-in one`, {
      at,
    });
  }
  if (parts.length === 1 && walker.world.foreignOperators.has(name)) {
    walker.refuse("OPERATOR_NOT_ALLOWED", `the operator ${name} may mean a function of this database`, {
      at,
    });
  }
}

/** A function call: built in and allowed, or listed by the task. */
export function call(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const parts = names(fields["funcname"]) ?? [];
  const name = parts.at(-1) ?? "";
  const at = location(fields);
  if (parts.length === 1) {
    if (SEQUENCE_FUNCTIONS.has(name)) return sequence(walker, fields, name, at);
    const schema = walker.world.functionSchema(name, list(fields["args"]).length);
    if (schema === null) return refuseFunction(walker, name, at);
    fields["funcname"] = [{ String: { sval: schema } }, ...list(fields["funcname"])];
    const start = walker.source.index(at);
    walker.source.replaceName(start, start, `${quoteName(schema)}.`);
  } else if (parts.length === 2 && parts[0] === "pg_catalog" && SEQUENCE_FUNCTIONS.has(name)) {
    return sequence(walker, fields, name, at);
  } else if (parts.length !== 2 || !mayCallQualified(walker, parts[0]!, name)) {
    return refuseFunction(walker, parts.join("."), at);
  }
  if (fields["funcformat"] === "COERCE_EXPLICIT_CALL") qualifySpecial(walker, parts, at);
  if (name === "pg_show_all_settings") return refuseFunction(walker, name, at);
  if (name === "current_setting") readsSetting(walker, fields, scope, at);
  if (name === "pg_notify") sendsTo(walker, fields, at);
  if (name === "set_config") changesSetting(walker, fields, at);
  if (name === "pg_input_is_valid" || name === "pg_input_error_info") namesType(walker, fields, name, at);
}

/** These call the input function of the type that their second argument names. */
function namesType(walker: QueryWalker, fields: Fields, name: string, at: number): undefined {
  const args = list(fields["args"]);
  const given = args.length === 2 ? constantText(args[1]) : null;
  const parsed = given === null ? null : walker.world.parser.parse(`SELECT NULL::${given}`);
  const statements = parsed?.ok ? (parsed.tree.stmts ?? []) : [];
  const select = statements.length === 1 ? as(statements[0]!.stmt, "SelectStmt") : null;
  const targets = list(select?.["targetList"]);
  const cast = targets.length === 1 ? as(as(targets[0], "ResTarget")?.["val"], "TypeCast") : null;
  if (!cast || !as(cast["arg"], "A_Const") || Object.keys(select!).some((key) => !PLAIN_SELECT.has(key))) {
    return walker.refuse("TYPE_NOT_ALLOWED", `${name}() needs the constant name of a type`, { at });
  }
  typeName(walker, cast["typeName"] as Fields);
}

const PLAIN_SELECT = new Set(["targetList", "limitOption", "op"]);

/** Of a sequence that the task may draw from. */
const SEQUENCE_FUNCTIONS = new Set(["nextval", "currval"]);

/**
 * `nextval('items_id_seq')`: the next key of a table that the task may insert into. The name must be a constant, and the
 * sequence must belong to a column of the table: then an insert draws from it all the same.
 */
function sequence(walker: QueryWalker, fields: Fields, name: string, at: number): undefined {
  const args = list(fields["args"]);
  const cast = as(args[0], "TypeCast");
  const given = constantText(cast ? cast["arg"] : args[0]);
  const parts = given === null ? null : dottedParts(given);
  if (args.length !== 1 || parts === null) {
    return walker.refuse("FUNCTION_NOT_ALLOWED", `${name}() needs the constant name of a sequence`, { at });
  }
  const [schema, relation] = parts.length === 2 ? [parts[0]!, parts[1]!] : [SEARCH_PATH[0], parts[0]!];
  const { catalog, relations, task } = walker.world;
  const found = catalog.sequences?.find((one) => one.schema === schema && one.name === relation);
  const rule = found ? relations.rule("insert", found.of.schema, found.of.name) : null;
  if (!found || !rule) {
    const hint = "A task may draw from a sequence of a table that it may insert into.";
    const message = `task ${task.name} does not grant the sequence ${schema}.${relation}`;
    return walker.refuse("RELATION_NOT_GRANTED", message, { at, hint, rule: task.at });
  }
  walker.rules.add(rule);
  walker.relations.add(`${found.of.schema}.${found.of.name}`);
  if (name === "nextval") walker.draws = true;
  if (names(fields["funcname"])?.length === 1) {
    fields["funcname"] = [{ String: { sval: "pg_catalog" } }, ...list(fields["funcname"])];
    const start = walker.source.index(at);
    walker.source.replaceName(start, start, "pg_catalog.");
  }
}

/** `items_id_seq`, `public.items_id_seq`, `"Odd"."Name"`, as regclass reads them; null for anything else. */
function dottedParts(given: string): string[] | null {
  if (
    !/^\s*(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*))?\s*$/i.test(
      given,
    )
  )
    return null;
  const count = given.replaceAll(/"(?:[^"]|"")+"/g, "x").split(".").length;
  return dottedName(given.trim(), 0, count)?.map((token) => token.value) ?? null;
}

/**
 * The grammar reads `json_object(…)` as a call of pg_catalog's function though no schema is written; a server
 * before 16 would look for it on the search path. (`extract(… FROM …)` and its like are syntax everywhere.)
 */
function qualifySpecial(walker: QueryWalker, parts: readonly string[], at: number): undefined {
  if (parts.length !== 2 || parts[0] !== "pg_catalog" || walker.source.name(at, 2)) return;
  const word = walker.source.name(at, 1)?.[0];
  if (word?.value === parts[1]) walker.source.replaceName(word!.start, word!.start, "pg_catalog.");
}

function mayCallQualified(walker: QueryWalker, schema: string, name: string): boolean {
  if (schema === "pg_catalog") return walker.world.mayCallBuiltIn(name) || BUILTIN_TYPES.has(name);
  if (schema === "information_schema") return INFORMATION_SCHEMA_FUNCTIONS.test(name);
  return walker.world.catalog.functions.some((entry) => entry.schema === schema && entry.name === name);
}

function refuseFunction(walker: QueryWalker, name: string, at: number): undefined {
  if (name.replace(/^pg_catalog\./, "") === "pg_notify") return refuseChannel(walker, "notify", null, at);
  const why = REFUSED_FUNCTIONS.find(([, set]) => set.has(name.replace(/^pg_catalog\./, "")))?.[0];
  const hint = why ? `${name}() ${why}.` : "A task may list functions of the database under `functions`.";
  walker.refuse("FUNCTION_NOT_ALLOWED", `the task may not call ${name}()`, { at, hint });
}

function readsSetting(walker: QueryWalker, fields: Fields, scope: Scope, at: number): undefined {
  const args = list(fields["args"]);
  const name = constantText(args[0]);
  if (isShownName(args[0], scope)) return;
  if (name === null)
    return walker.refuse("SETTING_NOT_ALLOWED", "current_setting() needs a constant name", { at });
  if (!mayShow(name))
    walker.refuse("SETTING_NOT_ALLOWED", `the task may not read the setting ${name}`, { at });
}

/** `s.name` of `pg_settings s`, as psql's \dconfig asks for: the view has the settings that may be read, and no others. */
function isShownName(node: unknown, scope: Scope): boolean {
  const parts = names(as(node, "ColumnRef")?.["fields"]);
  if (parts?.length !== 2 || parts[1] !== "name" || !scope.certain) return false;
  const owners = itemsNamed(scope, parts[0]!);
  const view = owners.length === 1 ? owners[0]!.view : null;
  return view?.schema === "pg_catalog" && view.name === "pg_settings";
}

function changesSetting(walker: QueryWalker, fields: Fields, at: number): undefined {
  const args = list(fields["args"]);
  const [name, value] = [constantText(args[0]), constantText(args[1])];
  if (args.length !== 3 || name === null || value === null) {
    return walker.refuse("SETTING_NOT_ALLOWED", "set_config() needs a constant name and value", { at });
  }
  // A path of `public` alone would put temporary objects first, and there is no place to add to it here.
  const verdict = maySet(name, [value], walker.world.writes);
  const path = verdict === "pinned-path" && value.replaceAll(" ", "") === SEARCH_PATH.join(",");
  if (verdict !== "allowed" && !path)
    walker.refuse("SETTING_NOT_ALLOWED", `the task may not change the setting ${name}`, { at });
}

/** A type's name. */
export function typeName(walker: QueryWalker, fields: Fields): undefined {
  const parts = names(fields["names"]) ?? [];
  const at = location(fields);
  const name = parts.at(-1) ?? "";
  const bare = name.startsWith("_") ? name.slice(1) : name;
  if (fields["pct_type"] || fields["setof"])
    return walker.refuse("TYPE_NOT_ALLOWED", "%TYPE and SETOF are not allowed", { at });
  if (walker.world.castTargets.has(name)) {
    return walker.refuse("TYPE_NOT_ALLOWED", `a user-defined cast to ${name} could run a function`, { at });
  }
  if (parts.length === 1) {
    if (BUILTIN_TYPES.has(bare) || walker.world.types.has(`${SEARCH_PATH[0]}.${bare}`)) return;
  } else if (parts.length === 2) {
    const schema = parts[0]!;
    if (schema === "pg_catalog" && BUILTIN_TYPES.has(bare)) return;
    if (schema === "information_schema" && INFORMATION_SCHEMA_TYPES.has(bare)) return;
    if (!isSystemSchema(schema) && walker.world.types.has(`${schema}.${bare}`)) return;
  }
  walker.refuse("TYPE_NOT_ALLOWED", `the type ${parts.join(".")} is not a built-in one`, { at });
}
