/**
 * The whole row of the table that a statement changes. It is the stored row, of the table's own type, so the row of the task's
 * view takes its place: `to_jsonb(t)` becomes `to_jsonb((SELECT wicket_row AS t FROM (SELECT t.a, t.b) AS wicket_row))`. A mask
 * may not be read in a write, so the view must have none.
 *
 * A bare name is a column first, of any level, and a row only then: so the row has a name that no column of the table has,
 * hidden ones included.
 */
import { tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, itemsNamed, type Scope } from "./scope.ts";
import { expressionTree } from "./template.ts";
import { as, type Fields, list, location, text, typeOf, type Wrapped } from "./tree.ts";

/** What the row is called. */
export const ROW = "wicket_row";

/** Places where `t.*` is one value; in a list it is each column. */
const VALUE_PLACES: Readonly<Record<string, readonly string[]>> = {
  FuncCall: ["args"],
  A_Expr: ["lexpr", "rexpr"],
  TypeCast: ["arg"],
  NullTest: ["arg"],
};

/** Notes the stars among a node's parts that are one value. */
export function noteWholeRows(walker: QueryWalker, type: string, fields: Fields): undefined {
  for (const key of VALUE_PLACES[type] ?? []) {
    const value = fields[key];
    for (const part of Array.isArray(value) ? value : [value]) {
      const column = as(part, "ColumnRef");
      const parts = list(column?.["fields"]);
      if (column && parts.length === 2 && typeOf(parts[1]) === "A_Star") walker.wholeRows.add(column);
    }
  }
}

/** The target whose whole row a name surely means, where the task may read all that it sees of it; else null. */
function rowOf(walker: QueryWalker, column: Fields, scope: Scope): Item | null {
  const parts = list(column["fields"]);
  const name = text(parts[0]);
  const star = parts.length === 2 && walker.wholeRows.has(column);
  if (name === null || !(parts.length === 1 || star)) return null;
  const [item, other] = itemsNamed(scope, name);
  if (!item?.target?.row || other) return null;
  // A column of that name would be meant instead, or one of the row's own name.
  if (item.target.row.includes(name)) return null;
  for (let level: Scope | null = scope; level; level = level.parent) {
    if (!level.certain) return null;
    const unclear = level.items.some(
      ({ target, columns }) => !target && (columns === null || columns.has(name) || columns.has(ROW)),
    );
    if (unclear) return null;
    if (level.items.includes(item)) return item;
  }
  return null;
}

/** True when a whole row of a target was put as the view's row. */
export function targetRow(
  walker: QueryWalker,
  column: Fields,
  scope: Scope,
  holder: Wrapped | null,
): boolean {
  const item = rowOf(walker, column, scope);
  const written = item ? walker.source.name(location(column), 1)?.[0] : undefined;
  if (!holder || !item || !written) return false;
  let { end } = written;
  if (list(column["fields"]).length === 2) {
    const dot = tokenAt(walker.source.text, end);
    const star = dot && tokenAt(walker.source.text, dot.end);
    if (dot?.value !== "." || star?.value !== "*") return false;
    end = star.end;
  }
  const ref = quoteName(item.name);
  const columns = item.target!.row!.map((name) => `${ref}.${quoteName(name)}`);
  const sql = `(SELECT ${ROW} AS ${ref} FROM (SELECT ${columns.join(", ")}) AS ${ROW})`;
  walker.source.replaceName(written.start, end, sql);
  delete holder["ColumnRef"];
  Object.assign(holder, expressionTree(walker.world.parser, sql));
  return true;
}

/** `(t).column` of a target becomes `t.column`; true when it did. It is then walked as any other. */
export function fieldOfTarget(
  walker: QueryWalker,
  indirection: Fields,
  scope: Scope,
  holder: Wrapped | null,
): boolean {
  const column = as(indirection["arg"], "ColumnRef");
  const [first, ...rest] = list(indirection["indirection"]);
  const name = text(first);
  const item = column && list(column["fields"]).length === 1 ? rowOf(walker, column, scope) : null;
  if (!holder || !column || !item?.target?.row?.includes(name ?? "") || rest.length > 0) return false;
  const { source } = walker;
  const written = source.name(location(column), 1)?.[0];
  const before = written ? source.before(written.start)[0] : undefined;
  const after = written ? tokenAt(source.text, written.end) : undefined;
  if (before?.value !== "(" || after?.value !== ")") return false;
  source.replaceName(before.start, written!.start, "");
  source.replace(after.start, after.end, "");
  delete holder["A_Indirection"];
  holder["ColumnRef"] = { fields: [...list(column["fields"]), first], location: column["location"] };
  return true;
}
