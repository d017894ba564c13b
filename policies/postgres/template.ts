/** SQL made here around an expression of the user: the same thing as text to splice and as a tree to compare. */
import type { Parser } from "./parser.ts";
import { as, type Fields, list, text, type Wrapped } from "./tree.ts";

/** Stands for the user's expression in a template. */
export const HOLE = "wicket_hole";

/** The tree of an SQL expression, in which each hole is the given node. Throws when it does not parse. */
export function expressionTree(parser: Parser, sql: string, hole: Wrapped | null = null): Wrapped {
  const known = TEMPLATES.get(parser) ?? new Map<string, unknown>();
  TEMPLATES.set(parser, known);
  let tree = known.get(sql);
  if (tree === undefined) {
    const parsed = parser.parse(`SELECT ${sql}`);
    const target = parsed.ok
      ? as(list(as(parsed.tree.stmts?.[0]?.stmt, "SelectStmt")?.["targetList"])[0], "ResTarget")
      : null;
    if (!target) throw new Error(`a template does not parse: ${sql}`);
    tree = target["val"];
    // A long one holds much of a user's text, and comes once.
    if (sql.length <= MAX_TEMPLATE) {
      if (known.size >= MAX_TEMPLATES) known.delete(known.keys().next().value!);
      known.set(sql, tree);
    }
  }
  return fill(tree, hole) as Wrapped;
}

/** Trees of templates that were parsed: an INSERT of many rows has the same ones for each. */
const TEMPLATES = new WeakMap<Parser, Map<string, unknown>>();
const MAX_TEMPLATES = 64;
/** Characters of one. */
const MAX_TEMPLATE = 8 * 1024;

/** The tree of a whole statement made here, with the hole filled. */
export function statementTree(parser: Parser, sql: string, hole: Wrapped | null = null): Wrapped {
  const parsed = parser.parse(sql);
  if (!parsed.ok || parsed.tree.stmts?.length !== 1) throw new Error(`a template does not parse: ${sql}`);
  return fill(parsed.tree.stmts[0]!.stmt, hole) as Wrapped;
}

/** A copy, with the hole filled. */
function fill(value: unknown, hole: Wrapped | null): unknown {
  if (Array.isArray(value)) return value.map((item) => fill(item, hole));
  if (typeof value !== "object" || value === null) return value;
  const column = as(value, "ColumnRef");
  if (hole && column && text(list(column["fields"])[0]) === HOLE) return hole;
  const out: Fields = {};
  for (const key in value) out[key] = fill((value as Fields)[key], hole);
  return out;
}
