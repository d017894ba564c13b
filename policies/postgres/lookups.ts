/**
 * Finding a row by a masked value (`lookup:` of a rule): `column = constant` at the top of a WHERE is tested on the
 * stored value, inside of the view and by its index. Outside it becomes `column IS NOT NULL`, which the masks keep
 * true for the row that was found. Nothing else sees the stored value.
 */
import { tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { meansItem } from "./relations.ts";
import type { Item } from "./scope.ts";
import { as, type Fields, list, location, names, typeOf, type Wrapped } from "./tree.ts";

/** Moves the lookups of a select's condition into the views of its items, in the tree and in the text. */
export function pushLookups(walker: QueryWalker, select: Fields, items: readonly Item[]): undefined {
  if (select["whereClause"] === undefined) return;
  for (const item of items) {
    const columns = item.view?.rule?.lookup ?? [];
    if (!item.view || !item.node || columns.length === 0) continue;
    const where = select["whereClause"] as Wrapped;
    const and = as(where, "BoolExpr");
    if (and?.["boolop"] === "AND_EXPR")
      and["args"] = list(and["args"]).map((part) => moved(walker, part, item, items, columns) ?? part);
    else select["whereClause"] = moved(walker, where, item, items, columns) ?? where;
  }
}

/** What stands for a lookup outside of the view; null when the condition is none. */
function moved(
  walker: QueryWalker,
  node: unknown,
  item: Item,
  items: readonly Item[],
  columns: readonly string[],
): Wrapped | null {
  const expression = as(node, "A_Expr");
  const left = expression?.["lexpr"] as Wrapped | undefined;
  const reference = as(left, "ColumnRef");
  const parts = names(reference?.["fields"]);
  if (!expression || !reference || !parts || expression["kind"] !== "AEXPR_OP") return null;
  if ((names(expression["name"]) ?? []).join() !== "=") return null;
  const column = item.view!.columns.find((entry) => entry.name === parts.at(-1) && entry.masked);
  if (!column || !columns.includes(column.name) || !meansItem(item, items, parts)) return null;
  // Masked as NULL, the found row would not pass.
  if (item.view!.rule!.mask[column.name]?.kind === "null") return null;
  const { source } = walker;
  const written = source.name(location(reference), parts.length);
  const value = constantToken(walker, expression["rexpr"]);
  if (!written || !value) return null;
  walker.lookups++;
  const before = walker.pushed.get(item.node!) ?? [];
  walker.pushed.set(item.node!, [
    ...before,
    `${quoteName(column.name)} OPERATOR(pg_catalog.=) ${value.value}`,
  ]);
  source.replace(written.at(-1)!.end, value.end, " IS NOT NULL");
  return { NullTest: { arg: left!, nulltesttype: "IS_NOT_NULL" } };
}

/** A plain string constant, number or parameter as it stands in the text. */
function constantToken(walker: QueryWalker, node: unknown): { value: string; end: number } | null {
  const type = typeOf(node);
  if (type !== "A_Const" && type !== "ParamRef") return null;
  const fields = (node as Wrapped)[type]!;
  const token = tokenAt(walker.source.text, walker.source.index(location(fields)));
  return token && /^(?:\$\d+|'.*'|\d+)$/s.test(token.value) ? token : null;
}
