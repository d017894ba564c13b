/**
 * Conditions that may be evaluated on rows that a task hides: comparisons that cannot fail and show nothing but
 * their result (pg_proc.proleakproof). They are repeated inside of the barrier, where they can use an index;
 * the user's own condition stays where it is.
 */
import { quoteText } from "./names.ts";
import { as, type Fields, list, names, text, typeOf } from "./tree.ts";

export interface SafeCondition {
  readonly column: string;
  /** @param ref the column as SQL */
  render(ref: string): string;
}

const ORDERED = new Set([
  "smallint",
  "integer",
  "bigint",
  "date",
  "uuid",
  "timestamp with time zone",
  "timestamp without time zone",
]);
const EQUAL = /^(text|boolean|character varying(\(\d+\))?)$/;
const COMPARISONS = new Set(["=", "<", "<=", ">", ">="]);
const CASTS = new Set(["int2", "int4", "int8", "uuid", "date", "text", "timestamptz", "timestamp", "bool"]);

/**
 * The safe ones among the parts that AND joins at the top of a condition.
 * @param columnOf the column that a reference means, with its type; null when it is none of the relation's
 */
export function safeConditions(
  where: unknown,
  columnOf: (parts: readonly string[]) => { name: string; type: string } | null,
): SafeCondition[] {
  const and = as(where, "BoolExpr");
  const parts = and?.["boolop"] === "AND_EXPR" ? list(and["args"]) : [where];
  return parts.flatMap((part) => safeCondition(part, columnOf) ?? []);
}

function safeCondition(
  node: unknown,
  columnOf: (parts: readonly string[]) => { name: string; type: string } | null,
): SafeCondition | null {
  const expression = as(node, "A_Expr");
  const operator = names(expression?.["name"]) ?? [];
  const parts = names(list(as(expression?.["lexpr"], "ColumnRef")?.["fields"]));
  if (!expression || operator.length !== 1 || !parts || parts.length === 0) return null;
  const column = columnOf(parts);
  const name = operator[0]!;
  if (
    !column ||
    !(ORDERED.has(column.type) ? COMPARISONS.has(name) : name === "=" && EQUAL.test(column.type))
  )
    return null;
  const right = expression["rexpr"];
  if (expression["kind"] === "AEXPR_OP") {
    const value = constant(right);
    return value === null
      ? null
      : { column: column.name, render: (ref) => `${ref} OPERATOR(pg_catalog.${name}) ${value}` };
  }
  if (expression["kind"] === "AEXPR_OP_ANY" && name === "=") {
    const value = as(right, "ParamRef") ? constant(right) : null;
    return value === null
      ? null
      : { column: column.name, render: (ref) => `${ref} OPERATOR(pg_catalog.=) ANY (${value})` };
  }
  if (expression["kind"] === "AEXPR_IN" && name === "=") {
    const values = list(as(right, "List")?.["items"]).map(constant);
    if (values.length === 0 || values.includes(null)) return null;
    return { column: column.name, render: (ref) => `${ref} IN (${values.join(", ")})` };
  }
  return null;
}

/** A constant or parameter, perhaps cast, as SQL; null for anything else. */
function constant(node: unknown): string | null {
  const parameter = as(node, "ParamRef");
  if (parameter) return `$${Number(parameter["number"] ?? 0)}`;
  const cast = as(node, "TypeCast");
  if (cast) {
    const type = (cast["typeName"] ?? {}) as Fields;
    const parts = names(type["names"]) ?? [];
    const name = parts.at(-1)!;
    const plain =
      !type["typmods"] &&
      !type["arrayBounds"] &&
      (parts.length === 1 || (parts.length === 2 && parts[0] === "pg_catalog"));
    const inner = typeOf(cast["arg"]) === "TypeCast" ? null : constant(cast["arg"]);
    return plain && CASTS.has(name) && inner !== null ? `(${inner})::pg_catalog.${name}` : null;
  }
  const value = as(node, "A_Const");
  if (!value) return null;
  if (value["ival"]) return String((value["ival"] as Fields)["ival"] ?? 0);
  if (value["boolval"]) return String((value["boolval"] as Fields)["boolval"] ?? false);
  const literal = value["sval"] ? text({ String: value["sval"] as Fields }) : null;
  return literal === null ? null : quoteText(literal);
}
