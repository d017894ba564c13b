/** References to columns: what they may mean, and what a write may read of its target. */
import { viewOf } from "./from-items.ts";
import { tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { type Item, isProvided, itemsNamed, type Scope, targetsOf } from "./scope.ts";
import { targetRow } from "./target-rows.ts";
import { as, type Fields, list, location, text, typeOf, type Wrapped } from "./tree.ts";

/** Columns that every table has (PostgreSQL documentation, 5.6 System Columns). */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
  "tableoid",
  "ctid",
  "xmin",
  "xmax",
  "cmin",
  "cmax",
]);

/** One reference to a column, a star or a whole row. */
export function column(walker: QueryWalker, fields: Fields, scope: Scope, holder: Wrapped | null): undefined {
  const parts: string[] = [];
  let star = false;
  for (const part of list(fields["fields"])) {
    const name = text(part);
    if (name === null) star = true;
    else parts.push(name);
  }
  const at = location(fields);
  if (walker.ignoredStars.has(fields) || targetRow(walker, fields, scope, holder)) return;
  guardTargets(walker, parts, star, scope, at);
  const qualifiers = star ? parts.length : parts.length - 1;
  if (!star && parts.length >= 2) field(walker, parts.at(-1)!, itemsNamed(scope, parts.at(-2)!), at);
  if (qualifiers >= 2) dropSchema(walker, fields, parts, qualifiers, star, at);
}

/** True when a star or a whole row may show columns that the statement names nowhere. */
function spreads(parts: readonly string[], star: boolean, scope: Scope): boolean {
  if (!star) return parts.length === 1 && itemsNamed(scope, parts[0]!).some((item) => !item.derived);
  const items = parts.length > 0 ? itemsNamed(scope, parts.at(-1)!) : scope.items;
  return items.length === 0 || items.some((item) => !item.derived);
}

/** True when the item is the target of a write and its column, or its whole row, may not be read. */
function hides({ target }: Item, column: string | null): boolean {
  return target !== null && (column === null || !target.readable.has(column));
}

/** The target of a write is the table itself, so a name that may mean a column of it must be one it grants. */
function guardTargets(
  walker: QueryWalker,
  parts: readonly string[],
  star: boolean,
  scope: Scope,
  at: number,
): undefined {
  const name = parts.at(-1);
  if (spreads(parts, star, scope)) walker.spread = true;
  if (!star) walker.named.add(name!);
  const targets = targetsOf(scope);
  if (targets.length === 0) return;
  const refuse = (relation: string, column: string) =>
    walker.refuse("COLUMN_NOT_GRANTED", `the task may not read ${column} of ${relation} in a write`, {
      at,
      hint: "A write may read columns that the task grants unmasked; qualify a column of another relation.",
    });
  const refuseRow = (relation: string) =>
    walker.refuse("COLUMN_NOT_GRANTED", `a write may not read a whole row of ${relation}, its target`, {
      at,
      hint: "Name the columns; RETURNING * shows those that the task may read.",
    });
  if (star) {
    const owner =
      parts.length > 0 ? itemsNamed(scope, parts.at(-1)!).find((item) => hides(item, null)) : undefined;
    if (owner) refuseRow(owner.target!.relation);
  } else if (parts.length === 1) {
    if (isProvided(scope, name!)) return;
    const owner = targets.find((item) => hides(item, name!));
    if (owner && owner.name === name) refuseRow(owner.target!.relation);
    else if (owner) refuse(owner.target!.relation, name!);
  } else {
    const owner = itemsNamed(scope, parts.at(-2)!).find((item) => hides(item, name!));
    if (owner) refuse(owner.target!.relation, name!);
  }
}

/** `schema.relation.column`: the view has only the relation's name. */
function dropSchema(
  walker: QueryWalker,
  fields: Fields,
  parts: readonly string[],
  qualifiers: number,
  star: boolean,
  at: number,
): undefined {
  const place = {
    schemaname: parts[qualifiers - 2],
    relname: parts[qualifiers - 1],
    ...(qualifiers === 3 ? { catalogname: parts[0] } : {}),
  };
  const view = qualifiers <= 3 ? viewOf(walker.world, place) : null;
  // Left alone otherwise: a system catalog keeps its schema, and anything else is the server's error.
  if (!view) return;
  const found = walker.source.name(at, star ? qualifiers : qualifiers + 1);
  if (!found)
    return walker.refuse("SYNTAX_NOT_ALLOWED", "the column's name is not written plainly here", { at });
  walker.source.replace(found[0]!.start, found[qualifiers - 1]!.start, "");
  fields["fields"] = list(fields["fields"]).slice(qualifiers - 1);
}

/**
 * `x.name` and `(x).name` call the function `name(x)` when x has no such column, for x of any type, and by
 * the search path; it cannot be qualified. So a field may not have the name of a function that a task may not
 * call, unless x is known to have that column.
 */
export function field(
  walker: QueryWalker,
  name: string,
  owners: readonly Item[] | null,
  at: number,
): undefined {
  if (!walker.world.isFieldFunction(name)) return;
  if (owners && owners.length > 0 && owners.every((item) => item.columns?.has(name))) return;
  walker.refuse(
    "FUNCTION_NOT_ALLOWED",
    `.${name} would call a function of that name where there is no such column`,
    { at },
  );
}

/** `EXISTS (SELECT * …)` reads no column by its star. */
export function ignoreStars(walker: QueryWalker, query: unknown): undefined {
  for (const target of list(as(query, "SelectStmt")?.["targetList"])) {
    const column = as(as(target, "ResTarget")?.["val"], "ColumnRef");
    const parts = list(column?.["fields"]);
    if (column && parts.length === 1 && typeOf(parts[0]) === "A_Star") walker.ignoredStars.add(column);
  }
}

/**
 * System columns that a statement names anywhere. None when it also has a natural join, a whole row or a star that
 * cannot be written out, where a view that shows them would show them too.
 */
export function systemColumns(statement: unknown): string[] {
  const found = new Set<string>();
  let spread = false;
  const relations = new Set<string>();
  const bare: string[] = [];
  const look = (value: unknown): undefined => {
    if (Array.isArray(value)) for (const item of value) look(item);
    else if (typeof value === "object" && value !== null) {
      const fields = value as Fields;
      const column = as(value, "ColumnRef");
      if (column) {
        const parts = list(column["fields"]).map(text);
        const last = parts.at(-1) ?? null;
        if (last === null) spread ||= parts.length > 2 || column["location"] === -1;
        else if (SYSTEM_COLUMNS.has(last)) found.add(last);
        else if (parts.length === 1) bare.push(last);
        return;
      }
      const alias = fields["alias"] as Fields | undefined;
      if (
        fields["isNatural"] ||
        fields["usingClause"] ||
        hasStar((fields["returningClause"] as Fields | undefined)?.["exprs"]) ||
        fields["returningList"]
      )
        spread = true;
      if (alias && (alias["colnames"] || fields["jointype"])) spread = true;
      if (as(value, "RangeSubselect") && !as(value, "RangeSubselect")!["alias"]) spread = true;
      if (typeof fields["relname"] === "string") relations.add(fields["relname"]);
      if (typeof fields["aliasname"] === "string") relations.add(fields["aliasname"]);
      for (const key in fields) look(fields[key]);
    }
  };
  look(statement);
  if (found.size === 0 || spread || bare.some((name) => relations.has(name))) return [];
  return [...found].sort();
}

function hasStar(targets: unknown): boolean {
  return list(targets).some((target) => {
    const column = as(as(target, "ResTarget")?.["val"], "ColumnRef");
    return column !== null && typeOf(list(column["fields"]).at(-1)) === "A_Star";
  });
}

/**
 * Writes out the stars of a select list where the views show system columns as well: `ctid, *` is `ctid` and the
 * table's own columns.
 */
export function writeOutStars(walker: QueryWalker, select: Fields, items: readonly Item[]): undefined {
  if (walker.systemColumns.length === 0 || !items.some((item) => item.view)) return;
  select["targetList"] = list(select["targetList"]).flatMap((target) => {
    const column = as(as(target, "ResTarget")?.["val"], "ColumnRef");
    const parts = list(column?.["fields"]);
    if (!column || typeOf(parts.at(-1)) !== "A_Star" || walker.ignoredStars.has(column)) return [target];
    const name = parts.length > 1 ? text(parts[0]) : null;
    const meant = name === null ? items : items.filter((item) => item.name === name);
    const start = walker.source.index(location(column));
    let star = tokenAt(walker.source.text, start);
    while (star && star.value !== "*") star = tokenAt(walker.source.text, star.end);
    if (!star || meant.length === 0 || (parts.length > 1 && !meant[0]!.view)) return [target];
    const written = meant.flatMap((item) =>
      item.view
        ? item.view.columns.map((one) => ({
            sql: `${quoteName(item.name)}.${quoteName(one.name)}`,
            fields: [item.name, one.name],
          }))
        : [{ sql: `${quoteName(item.name)}.*`, fields: [item.name, null] }],
    );
    walker.source.replaceName(start, star.end, written.map((one) => one.sql).join(", "));
    return written.map(({ fields }) => ({
      ResTarget: {
        val: {
          ColumnRef: {
            fields: fields.map((part) => (part === null ? { A_Star: {} } : { String: { sval: part } })),
          },
        },
      },
    }));
  });
}
