/** What the items of a FROM list are called and show, as far as it is known without types. */
import { cteNamed, type Item, type Scope } from "./scope.ts";
import { as, type Fields, list, names, text, typeOf, type Wrapped } from "./tree.ts";
import type { TaskView } from "./views.ts";
import type { World } from "./world.ts";

/** The items of a FROM list, before it is rewritten. */
export function fromItems(world: World, from: readonly unknown[], scope: Scope): Item[] {
  const out: Item[] = [];
  const add = (node: unknown): undefined => {
    const type = typeOf(node);
    if (type === null) return;
    const fields = (node as Wrapped)[type]!;
    if (type === "RangeTableSample") add(fields["relation"]);
    else if (type === "JoinExpr") out.push(...joined(world, fields, scope));
    else out.push(item(world, type, fields, scope));
  };
  for (const node of from) add(node);
  return out;
}

/** The items of a join; an alias of the whole join hides its sides. */
function joined(world: World, fields: Fields, scope: Scope): Item[] {
  const sides = fromItems(world, [fields["larg"], fields["rarg"]], scope);
  const using = fields["join_using_alias"] as Fields | undefined;
  if (using)
    sides.push({ name: String(using["aliasname"]), columns: null, view: null, node: null, target: null });
  const alias = fields["alias"] as Fields | undefined;
  if (!alias) return sides;
  const renamed = names(alias["colnames"]) ?? [];
  const columns = renamed.length > 0 ? renamed : sides.flatMap((item) => [...(item.columns ?? [])]);
  return [
    { name: String(alias["aliasname"]), columns: new Set(columns), view: null, node: null, target: null },
  ];
}

function item(world: World, type: string, fields: Fields, scope: Scope): Item {
  const alias = fields["alias"] as Fields | undefined;
  const renamed = names(alias?.["colnames"]) ?? [];
  const name = String(alias?.["aliasname"] ?? fields["relname"] ?? functionName(fields) ?? "");
  const cte =
    type === "RangeVar" && fields["schemaname"] === undefined
      ? cteNamed(scope, String(fields["relname"]))
      : undefined;
  const view =
    type === "RangeVar" && renamed.length === 0 && cte === undefined ? viewOf(world, fields) : null;
  let columns: ReadonlySet<string> | null = null;
  if (renamed.length > 0) columns = new Set(renamed);
  else if (view) columns = new Set(view.columns.map((column) => column.name));
  else if (cte) columns = cte;
  else if (type === "RangeSubselect") columns = outputNames(fields["subquery"]);
  else if (type === "RangeFunction" && fields["coldeflist"]) {
    columns = new Set(list(fields["coldeflist"]).map((entry) => String(as(entry, "ColumnDef")?.["colname"])));
  }
  const derived =
    type !== "RangeVar" ||
    cte !== undefined ||
    (world.temporary.has(String(fields["relname"])) && [undefined, "pg_temp"].includes(schemaOf(fields)));
  return { name, columns, view, node: view ? fields : null, target: null, derived };
}

function schemaOf(fields: Fields): string | undefined {
  return fields["schemaname"] as string | undefined;
}

/** The view of a relation that a name means, CTEs aside; null when there is none. */
export function viewOf(world: World, fields: Fields): TaskView | null {
  const place = world.resolve(fields);
  const found = place ? world.relations.find(place.schema, place.name) : null;
  return found?.kind === "view" ? found.view : null;
}

/** The name of a function in FROM, which names the item when it has no alias. */
function functionName(fields: Fields): string | null {
  const items = list(as(list(fields["functions"])[0], "List")?.["items"]);
  return names(as(items[0], "FuncCall")?.["funcname"])?.at(-1) ?? null;
}

/** The columns that a common table expression surely has. */
export function cteColumns(fields: Fields): ReadonlySet<string> | null {
  const renamed = names(fields["aliascolnames"]) ?? [];
  return renamed.length > 0 ? new Set(renamed) : outputNames(fields["ctequery"]);
}

/** Column names that a sub-select surely has: explicit aliases and plain columns. */
export function outputNames(query: unknown): ReadonlySet<string> | null {
  let select = as(query, "SelectStmt");
  while (select?.["larg"]) select = select["larg"] as Fields;
  if (!select) return null;
  const out = new Set<string>();
  for (const node of list(select["targetList"])) {
    const target = as(node, "ResTarget");
    const column = as(target?.["val"], "ColumnRef");
    if (typeof target?.["name"] === "string") out.add(target["name"]);
    else if (column) {
      const last = text(list(column["fields"]).at(-1));
      if (last !== null) out.add(last);
    }
  }
  return out;
}
