/**
 * The parse tree as libpg_query prints it: JSON in which a node is `{ Type: { …fields } }`, and a field whose
 * type is fixed by the grammar holds the fields alone, without the wrapper. Zero values are left out.
 */

/** Fields of one node. */
export type Fields = { [name: string]: unknown };

/** A wrapped node: exactly one key, its type. */
export type Wrapped = { [type: string]: Fields };

export interface Tree {
  version: number;
  stmts?: RawStatement[];
}

/** One statement of the text; offsets are in bytes, `stmt_len` 0 or absent means to the end of the text. */
export interface RawStatement {
  stmt: Wrapped;
  stmt_location?: number;
  stmt_len?: number;
}

/** The type of a wrapped node; null when the value is none. */
export function typeOf(node: unknown): string | null {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return null;
  const keys = Object.keys(node);
  return keys.length === 1 ? keys[0]! : null;
}

/** The fields of a wrapped node of the given type; null when it is another one. */
export function as(node: unknown, type: string): Fields | null {
  if (typeof node !== "object" || node === null) return null;
  const fields = (node as Wrapped)[type];
  return typeof fields === "object" && fields !== null ? fields : null;
}

/** A field that is a list; the empty list when absent. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text of a `String` node; null when it is another node. */
export function text(node: unknown): string | null {
  const fields = as(node, "String");
  return fields ? (typeof fields["sval"] === "string" ? fields["sval"] : "") : null;
}

/** The texts of a list of `String` nodes; null when one is another node. */
export function names(value: unknown): string[] | null {
  const out: string[] = [];
  for (const item of list(value)) {
    const name = text(item);
    if (name === null) return null;
    out.push(name);
  }
  return out;
}

/** A location field: 0 is left out by the printer, -1 means unknown. */
export function location(fields: Fields): number {
  const value = fields["location"];
  return typeof value === "number" ? value : 0;
}

/** Equality of two trees in everything but source positions. */
export function sameTree(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    for (let index = 0; index < left.length; index++) {
      if (!sameTree(left[index], right[index])) return false;
    }
    return true;
  }
  if (Array.isArray(right)) return false;
  const mine = Object.keys(left);
  const theirs = Object.keys(right);
  let rest = theirs.length;
  for (let index = 0; index < mine.length; index++) {
    const key = mine[index]!;
    if (isPosition(key)) continue;
    // The parser prints fields in one order, so the same place is tried first.
    if (theirs[index] !== key && !Object.hasOwn(right, key)) return false;
    if (!sameTree((left as Fields)[key], (right as Fields)[key])) return false;
    rest--;
  }
  if (rest > 0) for (const key of theirs) if (isPosition(key)) rest--;
  return rest === 0;
}

function isPosition(key: string): boolean {
  switch (key) {
    case "location":
    case "name_location":
    case "stmt_location":
    case "stmt_len":
    case "list_start":
    case "list_end":
    case "rexpr_list_start":
    case "rexpr_list_end":
      return true;
    default:
      return false;
  }
}
