/** References to relations in FROM: the task's view takes the place of each. */
import { BUILTIN_TYPES } from "./functions.generated.ts";
import { safeConditions } from "./leakproof.ts";
import { closing, skipSpace, tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, isCte, type Scope } from "./scope.ts";
import type { Source } from "./source.ts";
import { isOwnTable, useOwnTable } from "./temporary.ts";
import { as, type Fields, list, location, names, typeOf, type Wrapped } from "./tree.ts";
import type { TaskView } from "./views.ts";

/** One reference to a relation in FROM. */
export function relation(
  walker: QueryWalker,
  fields: Fields,
  scope: Scope,
  holder: Wrapped | null,
  options: { sample?: string } = {},
): undefined {
  const name = String(fields["relname"]);
  const at = location(fields);
  if (fields["schemaname"] === undefined && isCte(scope, name)) {
    if (options.sample !== undefined)
      walker.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE needs a table", { at });
    return;
  }
  if (isOwnTable(walker.world, fields, scope)) return useOwnTable(walker, fields);
  const place = walker.world.resolve(fields);
  const found = place ? walker.world.relations.find(place.schema, place.name) : null;
  if (!place || !found || found.kind === "none")
    return walker.refuse(...walker.world.notGranted(place ?? { schema: "", name }, "select", at));
  if (found.kind === "problem") {
    const { code, message, rule } = found.problem;
    return walker.refuse(code, message, { at, rule });
  }
  if (found.kind === "whole") return systemRelation(walker, fields, place.schema, at);
  const { view } = found;
  // Renamed columns are read under names that the masks do not know.
  if ((fields["alias"] as Fields | undefined)?.["colnames"]) walker.spread = true;
  if (view.rule) walker.relations.add(`${view.schema}.${view.name}`);
  walker.views.add(view);
  replaceByView(walker, fields, view, holder, at, options);
}

/** A system catalog that is read as it is: only its schema is made explicit. */
function systemRelation(walker: QueryWalker, fields: Fields, schema: string, at: number): undefined {
  if (fields["schemaname"] !== undefined) return;
  fields["schemaname"] = schema;
  const start = walker.source.index(at);
  walker.source.replaceName(start, start, `${schema}.`);
}

function replaceByView(
  walker: QueryWalker,
  fields: Fields,
  view: TaskView,
  holder: Wrapped | null,
  at: number,
  options: { sample?: string },
): undefined {
  const parts = ["catalogname", "schemaname", "relname"].filter((key) => fields[key] !== undefined).length;
  const found = walker.source.name(at, parts);
  if (!holder || !found || found.at(-1)!.value !== fields["relname"]) {
    return walker.refuse("SYNTAX_NOT_ALLOWED", `the name ${view.name} is not written plainly here`, { at });
  }
  let start = found[0]!.start;
  let end = found.at(-1)!.end;
  const star = skipSpace(walker.source.text, end);
  if (fields["inh"] && walker.source.text[star] === "*" && walker.source.text[star + 1] !== "/")
    end = star + 1;
  const only = !fields["inh"];
  if (only) {
    const span = onlySpan(walker.source, start, end);
    if (!span) return walker.refuse("SYNTAX_NOT_ALLOWED", "ONLY is not understood here", { at });
    ({ start, end } = span);
  }
  const where = walker.pushed.get(fields) ?? [];
  const unchecked = walker.planOnly;
  const query = view.query({ only, ...options, where, system: walker.systemColumns, unchecked });
  const alias = fields["alias"] as Fields | undefined;
  const before = walker.tableForm ? (walker.source.before(start)[0]?.start ?? 0) : null;
  const named = alias ? "" : ` AS ${quoteName(view.name)}`;
  if (before !== null) start = before;
  walker.source.replaceName(start, end, `${before === null ? "" : "SELECT * FROM "}(${query.sql})${named}`);
  delete holder["RangeVar"];
  holder["RangeSubselect"] = { subquery: query.tree, alias: alias ?? { aliasname: view.name } };
}

/** TABLESAMPLE goes into the view: a sample of the rows of the table, not of the view's. */
export function sample(walker: QueryWalker, fields: Fields, scope: Scope, holder: Wrapped | null): undefined {
  const table = as(fields["relation"], "RangeVar");
  const at = location(fields);
  const method = names(fields["method"])?.at(-1) ?? "";
  if (!table || !holder || !["system", "bernoulli"].includes(method)) {
    return walker.refuse(
      "SYNTAX_NOT_ALLOWED",
      "only TABLESAMPLE SYSTEM and BERNOULLI of a table are allowed",
      { at },
    );
  }
  const start = walker.source.index(at);
  const [before] = walker.source.before(start);
  const name = walker.source.name(at, list(fields["method"]).length);
  const open = name ? skipSpace(walker.source.text, name.at(-1)!.end) : -1;
  let end = open < 0 ? null : closing(walker.source.text, open);
  if (before?.value !== "tablesample" || end === null) {
    return walker.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE is not understood here", { at });
  }
  const argument = walker.source.text.slice(open, end);
  let repeatable = "";
  if (fields["repeatable"]) {
    const word = tokenAt(walker.source.text, end);
    const close =
      word?.value === "repeatable"
        ? closing(walker.source.text, skipSpace(walker.source.text, word.end))
        : null;
    if (!word || close === null)
      return walker.refuse("SYNTAX_NOT_ALLOWED", "REPEATABLE is not understood here", { at });
    repeatable = ` REPEATABLE ${walker.source.text.slice(skipSpace(walker.source.text, word.end), close)}`;
    end = close;
  }
  if (![...list(fields["args"]), fields["repeatable"] ?? {}].every(isPlainValue)) {
    return walker.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE takes a constant or a parameter", { at });
  }
  const place = walker.world.resolve(table);
  const found = place ? walker.world.relations.find(place.schema, place.name) : null;
  if (found?.kind === "view") {
    walker.source.replace(before.start, end, "");
    const inner: Wrapped = { RangeVar: table };
    const sample = `TABLESAMPLE pg_catalog.${method} ${argument}${repeatable}`;
    relation(walker, table, scope, inner, { sample });
    delete holder["RangeTableSample"];
    Object.assign(holder, inner);
  } else relation(walker, table, scope, { RangeVar: table }, { sample: "" });
}

/** `FROM pg_show_all_settings()`: the task's view of the settings, which has the same columns. */
export function settingsFunction(walker: QueryWalker, fields: Fields, holder: Wrapped | null): boolean {
  const items = list(as(list(fields["functions"])[0], "List")?.["items"]);
  const call = as(items[0], "FuncCall");
  const name = names(call?.["funcname"]) ?? [];
  if (!call || name.at(-1) !== "pg_show_all_settings" || (name.length > 1 && name[0] !== "pg_catalog"))
    return false;
  const found = walker.world.relations.find("pg_catalog", "pg_settings");
  const at = location(call);
  const parts = walker.source.name(at, name.length);
  const end = parts ? closing(walker.source.text, skipSpace(walker.source.text, parts.at(-1)!.end)) : null;
  const plain = Object.keys(fields).every((key) => key === "functions" || key === "alias");
  if (
    !holder ||
    !parts ||
    end === null ||
    !plain ||
    list(fields["functions"]).length !== 1 ||
    found.kind !== "view"
  ) {
    walker.refuse("FUNCTION_NOT_ALLOWED", "pg_show_all_settings() may only stand alone in FROM", { at });
    return true;
  }
  const query = found.view.query({});
  const alias = (fields["alias"] as Fields | undefined) ?? null;
  walker.source.replace(parts[0]!.start, end, `(${query.sql})${alias ? "" : " AS pg_show_all_settings"}`);
  delete holder["RangeFunction"];
  holder["RangeSubselect"] = {
    subquery: query.tree,
    alias: alias ?? { aliasname: "pg_show_all_settings" },
  };
  return true;
}

/**
 * `FROM unnest(a, b)` is syntax, not a call of a function of that name, and only when it is bare; the server
 * itself makes it `ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b))` (transformRangeFunction).
 */
export function keepManyUnnest(walker: QueryWalker, fields: Fields): undefined {
  for (const entry of list(fields["functions"])) {
    const [node, columns] = list(as(entry, "List")?.["items"]);
    const call = as(node, "FuncCall");
    const name = names(call?.["funcname"]);
    if (!call || name?.length !== 1 || name[0] !== "unnest" || list(call["args"]).length < 2) continue;
    const plain = Object.keys(call).every((key) =>
      ["funcname", "args", "funcformat", "location"].includes(key),
    );
    if (plain && typeOf(columns) === null) walker.bareCalls.add(call);
  }
}

/** Constants and parameters, also cast or negated by the parser: nothing that needs rewriting. */
function isPlainValue(node: unknown): boolean {
  const type = typeOf(node);
  if (type === null) return true;
  const fields = (node as Wrapped)[type]!;
  if (type === "A_Const" || type === "ParamRef") return true;
  if (type !== "TypeCast") return false;
  const cast = names((fields["typeName"] as Fields | undefined)?.["names"]) ?? [];
  return (
    isPlainValue(fields["arg"]) &&
    (cast.length === 1 || cast[0] === "pg_catalog") &&
    BUILTIN_TYPES.has(cast.at(-1)!)
  );
}

/** `ONLY name` or `ONLY (name)` around a name. */
function onlySpan(source: Source, start: number, end: number): { start: number; end: number } | null {
  const [last, first] = source.before(start);
  if (last?.value === "only" && last.kind === "name") return { start: last.start, end };
  if (last?.value !== "(" || first?.value !== "only") return null;
  const close = skipSpace(source.text, end);
  return source.text[close] === ")" ? { start: first.start, end: close + 1 } : null;
}

/** `TABLE name`: the parser makes a star without a place of it. */
export function isTableForm(select: Fields): boolean {
  const targets = list(select["targetList"]);
  const star = targets.length === 1 ? as(as(targets[0], "ResTarget")?.["val"], "ColumnRef") : null;
  return star !== null && typeOf(list(star["fields"])[0]) === "A_Star" && star["location"] === -1;
}

/** True when a column's name surely means this item: by its qualifier, or because no other item has the column. */
export function meansItem(item: Item, items: readonly Item[], parts: readonly string[]): boolean {
  if (parts.length === 1) {
    return (
      items.every((other) => other.columns !== null) &&
      items.filter((other) => other.columns!.has(parts[0]!)).length === 1
    );
  }
  return (
    parts.length === 2 &&
    parts[0] === item.name &&
    items.filter((other) => other.name === item.name).length === 1
  );
}

/** Repeats safe conditions of a WHERE inside of the filtered views that they are about. */
export function pushConditions(walker: QueryWalker, where: unknown, items: readonly Item[]): undefined {
  if (where === undefined) return;
  for (const item of items) {
    if (!item.view?.filter || !item.node) continue;
    const { view } = item;
    const safe = safeConditions(where, (parts) => {
      const name = parts.at(-1)!;
      const column = view.columns.find((entry) => entry.name === name && !entry.masked);
      return column && meansItem(item, items, parts) ? { name, type: column.column.type } : null;
    });
    if (safe.length > 0) {
      const conditions = safe.map((condition) => condition.render(quoteName(condition.column)));
      walker.pushed.set(item.node, conditions);
    }
  }
}
