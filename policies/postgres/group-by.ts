/**
 * `SELECT c.id, c.name, count(*) … GROUP BY c.id` is valid on a table whose primary key is `id`, because the key
 * determines the rest; on the view that stands in the table's place it is not. The columns that the statement
 * uses are added to its GROUP BY: they are determined by the key, so the groups stay the same.
 */
import { quoteName } from "./names.ts";
import type { Item } from "./scope.ts";
import type { Source } from "./source.ts";
import { as, type Fields, list, location, text, typeOf, type Wrapped } from "./tree.ts";

/** Arguments of these need no grouping. */
const AGGREGATES = new Set(
  `array_agg avg bit_and bit_or bool_and bool_or count every json_agg json_object_agg jsonb_agg jsonb_object_agg max
min string_agg sum stddev stddev_pop stddev_samp var_pop var_samp variance xmlagg`.split(/\s+/),
);

/** A column reference as its parts; a star's last part is null. */
function partsOf(node: unknown): (string | null)[] | null {
  const column = as(node, "ColumnRef");
  return column ? list(column["fields"]).map(text) : null;
}

/** True when the reference, without its last part, means the item. */
function qualifies(item: Item, parts: readonly (string | null)[]): boolean {
  const qualifiers = parts.slice(0, -1);
  if (qualifiers.at(-1) !== item.name) return false;
  return qualifiers.length === 1 || (item.view?.name === item.name && qualifiers.at(-2) === item.view.schema);
}

/** Adds to the GROUP BY of a select whose items are given, in its tree and its text. */
export function keepPrimaryKeyGroups(select: Fields, items: readonly Item[], source: Source): undefined {
  const groups = list(select["groupClause"]);
  if (groups.length === 0) return;
  const keyed = items.filter((item) => item.view && hasVisibleKey(item));
  if (keyed.length === 0) return;
  const targets = list(select["targetList"]);
  const from = list(select["fromClause"]);
  const simple = groups.flatMap((node, index) => {
    const parts = groupedColumn(node, targets, items);
    return parts ? [{ index, parts, at: location((node as Wrapped)[typeOf(node)!]!) }] : [];
  });
  const everywhere = groups.flatMap((node) => inEverySet(node, targets, items));
  const sets = as(groups[0], "GroupingSet");
  const first = simple[0] ?? (sets ? { index: 0, at: location(sets) } : null);
  if (!first) return;
  // A column of a grouping set is NULL in some groups; grouping by it everywhere would change that.
  const inSets = new Set<string>();
  for (const node of groups) if (as(node, "GroupingSet")) collectColumns(node, inSets);
  const added: { texts: string[]; nodes: Wrapped[] } = { texts: [], nodes: [] };
  for (const item of keyed) {
    const columns = [...simple.map(({ parts }) => parts), ...everywhere];
    const grouped = new Set(
      columns.filter((parts) => means(item, parts, items, from)).map((parts) => parts.at(-1)!),
    );
    if (!item.view!.relation.primaryKey.every((column) => grouped.has(column))) continue;
    for (const name of usedColumns(select, item, items)) {
      if (grouped.has(name) || inSets.has(name)) continue;
      const parts = name === "" ? [item.name] : [item.name, name];
      added.texts.push(parts.map(quoteName).join("."));
      added.nodes.push({ ColumnRef: { fields: parts.map((part) => ({ String: { sval: part } })) } });
    }
  }
  if (added.nodes.length === 0) return;
  source.insert(beforeParentheses(source, source.index(first.at)), `${added.texts.join(", ")}, `);
  select["groupClause"] = [...groups.slice(0, first.index), ...added.nodes, ...groups.slice(first.index)];
}

/** The columns that each of the sets of GROUPING SETS has; ROLLUP and CUBE have a set without any. */
function inEverySet(node: unknown, targets: readonly unknown[], items: readonly Item[]): string[][] {
  const set = as(node, "GroupingSet");
  if (set?.["kind"] !== "GROUPING_SET_SETS") return [];
  const sets = list(set["content"]).map((member) => {
    if (as(member, "GroupingSet")) return inEverySet(member, targets, items);
    const row = as(member, "RowExpr");
    return (row ? list(row["args"]) : [member]).flatMap((part) => {
      const parts = groupedColumn(part, targets, items);
      return parts ? [parts] : [];
    });
  });
  const [first = [], ...rest] = sets;
  const key = (parts: readonly string[]) => JSON.stringify(parts);
  return first.filter((parts) => rest.every((other) => other.some((one) => key(one) === key(parts))));
}

/** A table whose whole primary key the task shows as it is. */
function hasVisibleKey(item: Item): boolean {
  const view = item.view!;
  const { primaryKey, kind } = view.relation;
  if (primaryKey.length === 0 || (kind !== "r" && kind !== "p")) return false;
  return primaryKey.every((name) => view.columns.some((column) => column.name === name && !column.masked));
}

/** The column that one element of GROUP BY names: itself, by its position, or by an output name. */
function groupedColumn(node: unknown, targets: readonly unknown[], items: readonly Item[]): string[] | null {
  const plain = (value: unknown): string[] | null => {
    const parts = partsOf(value);
    return parts?.every((part) => part !== null) ? (parts as string[]) : null;
  };
  const constant = as(node, "A_Const");
  if (constant) {
    const position = (constant["ival"] as Fields | undefined)?.["ival"];
    return typeof position === "number" ? plain(as(targets[position - 1], "ResTarget")?.["val"]) : null;
  }
  const parts = plain(node);
  if (parts?.length === 1 && !items.some((item) => item.columns?.has(parts[0]!))) {
    const target = targets
      .map((entry) => as(entry, "ResTarget"))
      .find((entry) => entry?.["name"] === parts[0]);
    return target ? plain(target["val"]) : parts;
  }
  return parts;
}

function means(
  item: Item,
  parts: readonly string[],
  items: readonly Item[],
  from: readonly unknown[],
): boolean {
  const name = parts.at(-1)!;
  if (!item.columns?.has(name)) return false;
  if (parts.length > 1) return qualifies(item, parts);
  if (items.filter((other) => other.columns?.has(name)).length === 1) return true;
  const owners = from.map((node) => mergedOwner(node, name, items)).filter((owner) => owner !== null);
  return owners.length === 1 && owners[0] === item;
}

/** The item whose column the merged one of JOIN … USING or NATURAL JOIN is: that of the side which no NULLs are added to (buildMergedJoinVar). */
function mergedOwner(node: unknown, column: string, items: readonly Item[]): Item | null {
  const join = as(node, "JoinExpr");
  if (!join) {
    const range = as(node, typeOf(node) ?? "");
    const alias = range?.["alias"] as Fields | undefined;
    const found = items.filter((item) => item.name === (alias?.["aliasname"] ?? range?.["relname"]));
    return found.length === 1 && found[0]!.columns?.has(column) ? found[0]! : null;
  }
  const sides = [join["larg"], join["rarg"]].map((side) => mergedOwner(side, column, items));
  if (join["alias"] || join["jointype"] === "JOIN_FULL") return null;
  const both = sides[0] !== null && sides[1] !== null;
  const merged = join["isNatural"] ? both : list(join["usingClause"]).some((name) => text(name) === column);
  if (!merged) return sides[0] && sides[1] ? null : (sides[0] ?? sides[1]!);
  return join["jointype"] === "JOIN_RIGHT" ? sides[1]! : sides[0]!;
}

/** Columns of the item that are used outside of aggregates, in the view's order; "" for the whole row. */
function usedColumns(select: Fields, item: Item, items: readonly Item[]): string[] {
  const used = new Set<string>();
  const columns = item.view!.columns;
  const look = (value: unknown): undefined => {
    if (Array.isArray(value)) for (const entry of value) look(entry);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    const call = as(value, "FuncCall");
    if (call && !call["over"] && AGGREGATES.has(text(list(call["funcname"]).at(-1)) ?? "")) return;
    const parts = partsOf(value);
    if (parts) return see(parts);
    for (const key in value) look((value as Fields)[key]);
  };
  const see = (parts: readonly (string | null)[]): undefined => {
    const last = parts.at(-1);
    if (last === null) {
      if (parts.length === 1 || qualifies(item, parts)) for (const column of columns) used.add(column.name);
    } else if (parts.length === 1 && !item.columns!.has(last!)) {
      if (last === item.name && !items.some((other) => other.columns?.has(last!))) used.add("");
    } else if (parts.length === 1 || qualifies(item, parts)) used.add(last!);
  };
  for (const key of ["targetList", "havingClause", "sortClause", "windowClause", "distinctClause"])
    look(select[key]);
  const names = columns
    .filter((column) => used.has(column.name) && column.column.groupable)
    .map((column) => column.name);
  return used.has("") ? [...names, ""] : names;
}

function collectColumns(value: unknown, out: Set<string>): undefined {
  if (Array.isArray(value)) for (const entry of value) collectColumns(entry, out);
  else if (typeof value === "object" && value !== null) {
    const last = partsOf(value)?.at(-1);
    if (last) out.add(last);
    for (const key in value) collectColumns((value as Fields)[key], out);
  }
}

/** Parentheses around a plain element belong to it. */
function beforeParentheses(source: Source, at: number): number {
  let start = at;
  for (;;) {
    const [before] = source.before(start);
    if (before?.value !== "(" || before.kind !== "other") return start;
    start = before.start;
  }
}
