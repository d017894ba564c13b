/**
 * `(SELECT t FROM t …).name`: the row that a view shows is a record, of which the server does not know the columns out here.
 * It becomes `(SELECT t.name FROM t …)`, where it does.
 */
import { fromItems } from "./from-items.ts";
import { closing, skipSpace, tokenAt } from "./lexer.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Scope } from "./scope.ts";
import { as, type Fields, list, location, text, type Wrapped } from "./tree.ts";

/** True when the expression in the holder was changed; it is then walked as any other. */
export function fieldOfRow(
  walker: QueryWalker,
  indirection: Fields,
  scope: Scope,
  holder: Wrapped | null,
): boolean {
  const [first, ...rest] = list(indirection["indirection"]);
  const name = text(first);
  const link = as(indirection["arg"], "SubLink");
  const select = as(link?.["subselect"], "SelectStmt");
  const plain = ["larg", "withClause", "distinctClause", "groupClause"].every((key) => !select?.[key]);
  if (!holder || !link || !select || name === null || !plain || link["subLinkType"] !== "EXPR_SUBLINK")
    return false;
  const targets = list(select["targetList"]);
  const row = as(as(targets[0], "ResTarget")?.["val"], "ColumnRef");
  const parts = list(row?.["fields"]);
  const owner = parts.length === 1 ? text(parts[0]) : null;
  if (!row || owner === null || targets.length !== 1) return false;
  const items = fromItems(walker.world, list(select["fromClause"]), scope);
  const known = items.every((item) => item.columns && !item.columns.has(owner));
  const owners = items.filter((item) => item.name === owner);
  if (!known || owners.length !== 1 || !owners[0]!.view?.columns.some((one) => one.name === name))
    return false;
  const { source } = walker;
  const written = source.name(location(row), 1)?.[0];
  const end = closing(source.text, source.index(location(link)));
  const dot = end === null ? -1 : skipSpace(source.text, end);
  const field = source.text[dot] === "." ? tokenAt(source.text, dot + 1) : null;
  if (!written || end === null || field?.value !== name) return false;
  source.insert(written.end, `.${quoteName(name)}`);
  source.replace(end, field.end, "");
  row["fields"] = [...parts, { String: { sval: name } }];
  if (rest.length > 0) indirection["indirection"] = rest;
  else {
    delete holder["A_Indirection"];
    holder["SubLink"] = link;
  }
  return true;
}
