/**
 * Which literals of a text may have any value without a decision being another one: operands, values of VALUES and SET,
 * limits, and what comments say. All others may say what is done and not to what: arguments of functions (`set_config`, `nextval`), positions
 * in ORDER BY and GROUP BY, lengths of types, constants of a select list.
 */
import type { Parser } from "./parser.ts";
import { type Shape, signBefore } from "./shape.ts";
import { withStandIns } from "./stand-ins.ts";
import { as, type Fields, list, location, names, typeOf, type Wrapped } from "./tree.ts";

/** Deciding on others changes what the session knows, as a cursor or a temporary table does. */
const DATA = new Set(["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"]);

/** Kinds of A_Expr whose operands are values to a decision. */
const OPERATIONS = new Set([
  ...["AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_IN"],
  ...["AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"],
]);

/** Types to which a literal that varies may be cast. None of them names an object of the database. */
const CASTS = new Set([
  ...["int2", "int4", "int8", "numeric", "float4", "float8", "bool", "text", "varchar", "bpchar", "uuid"],
  ...["date", "time", "timetz", "timestamp", "timestamptz", "interval", "json", "jsonb", "bytea"],
]);

/** By literal of the text's shape: true when its value may vary. All are false when the text does not parse. */
export function varyingLiterals(parser: Parser, text: string, shape: Shape): readonly boolean[] {
  const none = shape.literals.map(() => false);
  const all = none.map(() => true);
  const { text: canonical, starts } = withStandIns(text, shape, all);
  const parsed = canonical === null ? null : parser.parse(canonical);
  if (canonical === null || !parsed?.ok) return none;
  const statements = parsed.tree.stmts ?? [];
  if (!statements.every(({ stmt }) => DATA.has(typeOf(stmt) ?? ""))) return none;
  const places = new Places();
  try {
    places.look(statements);
  } catch {
    // A deep tree can exhaust the stack.
    return none;
  }
  return starts.map((start, index) => {
    const { kind } = shape.literals[index]!;
    if (kind === "block" || kind === "line") return true;
    // A negative number's place is its sign's.
    const sign = signBefore(canonical, start);
    return places.varies(start) || (sign !== null && places.varies(sign));
  });
}

/** Where in a tree constants stand whose value no decision looks at. */
class Places {
  readonly #vary = new Set<number>();
  readonly #fixed = new Set<number>();

  varies(at: number): boolean {
    return this.#vary.has(at) && !this.#fixed.has(at);
  }

  look(value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) this.look(item);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) this.#field(key, child);
  }

  #field(key: string, child: unknown): void {
    const fields = child as Fields;
    if (key === "A_Const") {
      this.#fixed.add(location(fields));
    } else if (key === "A_Expr" && OPERATIONS.has(String(fields["kind"]))) {
      this.#operand(fields["lexpr"]);
      this.#operand(fields["rexpr"]);
    } else if (key === "UpdateStmt") {
      for (const [name, value] of Object.entries(fields)) {
        if (name !== "targetList") this.look(value);
        else for (const target of list(value)) this.#assigned(target);
      }
    } else if (key === "valuesLists") {
      for (const row of list(child)) this.#operand(row);
    } else if (key === "limitCount" || key === "limitOffset") this.#operand(child);
    else this.look(child);
  }

  #assigned(node: unknown): void {
    const target = as(node, "ResTarget");
    if (target) {
      this.#operand(target["val"]);
      this.look(target["indirection"]);
    } else this.look(node);
  }

  #operand(node: unknown): void {
    const type = typeOf(node);
    const fields = type === null ? {} : (node as Wrapped)[type]!;
    if (type === "A_Const") this.#vary.add(location(fields));
    else if (type === "List") for (const item of list(fields["items"])) this.#operand(item);
    else if (type === "RowExpr") for (const item of list(fields["args"])) this.#operand(item);
    else if (type === "TypeCast" && isPlainCast(fields)) this.#operand(fields["arg"]);
    else this.look(node);
  }
}

/** A cast of a constant to a built-in type of plain values, without a length. */
function isPlainCast(fields: Fields): boolean {
  const type = (fields["typeName"] ?? {}) as Fields;
  const parts = names(type["names"]) ?? [];
  return (
    typeOf(fields["arg"]) === "A_Const" &&
    !type["typmods"] &&
    !type["arrayBounds"] &&
    (parts.length === 1 || (parts.length === 2 && parts[0] === "pg_catalog")) &&
    CASTS.has(parts.at(-1)!)
  );
}
