/**
 * Row filters: `rows:` of a rule, a boolean expression over the relation's columns with `:param` placeholders.
 * Parameters become typed reads of session settings that the connector sets at the start (pins.ts); their
 * values are never part of a text.
 */
import type { ParamType } from "../task.ts";
import { ALLOWED_FUNCTIONS } from "./functions.generated.ts";
import { tokens } from "./lexer.ts";
import { quoteName, quoteText } from "./names.ts";
import { fieldsOf } from "./nodes.ts";
import type { Parser } from "./parser.ts";
import { Source } from "./source.ts";
import { as, type Fields, list, location, names, text, typeOf, type Wrapped } from "./tree.ts";

/** A filter whose column references can be given a qualifier. */
export interface RowFilter {
  /** Columns of the relation that it reads at its top level, sorted. */
  readonly columns: readonly string[];
  /** Operators that it names without a schema. */
  readonly operators: readonly string[];
  /** True when it has a sub-select. */
  readonly hasQuery: boolean;
  /** The filters that are joined by AND, each with its own columns. */
  readonly conjuncts: readonly RowFilter[];
  /**
   * The SQL, without outer parentheses.
   * @param column how to write a column of the relation; null for its bare name
   */
  render(column: ((name: string) => string) | null): string;
}

export type RowFilterResult =
  | { readonly ok: true; readonly filter: RowFilter }
  /** `offset` is the 0-based UTF-16 offset in the filter's own text, where known. */
  | {
      readonly ok: false;
      readonly code: "ROW_FILTER_INVALID";
      readonly message: string;
      readonly offset: number | null;
    };

/** The setting that carries a task parameter. */
export function paramSetting(name: string): string {
  return `wicket.p_${name}`;
}

/** The SQL type that a parameter's text is cast to. */
export const PARAM_TYPES: Readonly<Record<ParamType, string>> = {
  text: "pg_catalog.text",
  integer: "pg_catalog.int8",
  numeric: "pg_catalog.numeric",
  boolean: "pg_catalog.bool",
  date: "pg_catalog.date",
  timestamp: "pg_catalog.timestamptz",
  uuid: "pg_catalog.uuid",
};

interface Piece {
  readonly start: number;
  readonly end: number;
  /** A column's name, or fixed text. */
  readonly column: string | null;
  readonly sql: string;
}

/**
 * Reads a filter.
 * @param relation the relation that it is for; its columns may be qualified by this name
 * @param columns the columns that exist; null to accept any (policy check without a database)
 */
export function readRowFilter(
  rows: string,
  params: Readonly<Record<string, ParamType>>,
  relation: { readonly schema: string; readonly name: string },
  columns: ReadonlySet<string> | null,
  parser: Parser,
): RowFilterResult {
  const fail = (message: string, offset: number | null = null): RowFilterResult => ({
    ok: false,
    code: "ROW_FILTER_INVALID",
    message,
    offset,
  });
  const bound = bindParams(rows, params);
  if (!bound.ok) return fail(bound.message, bound.offset);
  // Up to the last token: a comment behind it would swallow what follows.
  const condition = bound.text.slice(0, tokens(bound.text).at(-1)?.end ?? 0);
  const prefix = "SELECT WHERE ";
  const parsed = parser.parse(`${prefix}(${condition}\n)`);
  if (!parsed.ok) return fail(parsed.error.message);
  // Parentheses may not be closed and opened across ours.
  if (!parser.parse(`${prefix}${condition}`).ok) return fail("it must be one boolean expression");
  const select = parsed.tree.stmts?.length === 1 ? as(parsed.tree.stmts[0]!.stmt, "SelectStmt") : null;
  const extra =
    select && Object.keys(select).some((key) => !["whereClause", "limitOption", "op"].includes(key));
  if (!select || extra) return fail("it must be one boolean expression");
  return compile(`${prefix}(${condition}\n)`, select["whereClause"] as Wrapped, relation, columns, fail);
}

/** Replaces each `:name` by the typed read of its setting. */
function bindParams(
  rows: string,
  params: Readonly<Record<string, ParamType>>,
): { ok: true; text: string } | { ok: false; message: string; offset: number } {
  const all = tokens(rows);
  let out = "";
  let at = 0;
  for (const [index, token] of all.entries()) {
    const next = all[index + 1];
    if (token.value !== ":" || next?.kind !== "name" || next.start !== token.end) continue;
    const type = Object.hasOwn(params, next.value) ? params[next.value] : undefined;
    if (type === undefined)
      return { ok: false, message: `:${next.value} is not a parameter of the task`, offset: token.start };
    out += `${rows.slice(at, token.start)}(pg_catalog.current_setting(${quoteText(paramSetting(next.value))}))::${PARAM_TYPES[type]}`;
    at = next.end;
  }
  return { ok: true, text: out + rows.slice(at) };
}

function compile(
  sql: string,
  where: Wrapped,
  relation: { readonly schema: string; readonly name: string },
  columns: ReadonlySet<string> | null,
  fail: (message: string) => RowFilterResult,
): RowFilterResult {
  const source = new Source(sql);
  const pieces: Piece[] = [];
  let problem: string | null = null;
  let hasQuery = false;
  const operators = new Set<string>();
  const refuse = (message: string): undefined => {
    problem ??= message;
  };

  function column(fields: Fields, inQuery: boolean): undefined {
    const parts = names(fields["fields"]);
    if (!parts) return refuse("a star is not a condition");
    const own =
      parts.length === 1
        ? !inQuery
        : parts.at(-2) === relation.name &&
          (parts.length === 2 || (parts.length === 3 && parts[0] === relation.schema));
    if (!own)
      return inQuery
        ? undefined
        : refuse(`${parts.join(".")} is not a column of ${relation.schema}.${relation.name}`);
    const name = parts.at(-1)!;
    if (columns && !columns.has(name))
      return refuse(`${relation.schema}.${relation.name} has no column ${name}`);
    const found = source.name(location(fields), parts.length);
    if (!found) return refuse(`the name ${name} cannot be read`);
    pieces.push({ start: found[0]!.start, end: found.at(-1)!.end, column: name, sql: "" });
  }

  function call(fields: Fields): undefined {
    const parts = names(fields["funcname"]) ?? [];
    const name = parts.at(-1) ?? "";
    if (parts.length === 1) {
      if (!ALLOWED_FUNCTIONS.has(name))
        return refuse(`${name}() is no allowed built-in function; give its schema`);
      const at = source.index(location(fields));
      pieces.push({ start: at, end: at, column: null, sql: "pg_catalog." });
    }
  }

  function walk(type: string, fields: Fields, inQuery: boolean): undefined {
    if (type === "ColumnRef") column(fields, inQuery);
    if (type === "FuncCall") call(fields);
    if (type === "SubLink" || type === "RangeSubselect") hasQuery = true;
    if (type === "A_Expr" || type === "SubLink") {
      const operator = names(fields[type === "A_Expr" ? "name" : "operName"]) ?? [];
      if (operator.length === 1) operators.add(operator[0]!);
    }
    if (type === "ParamRef") refuse("use :name for a parameter");
    if (type === "RangeVar" && !fields["schemaname"])
      refuse(`give the schema of ${String(fields["relname"])}`);
    if (/Stmt$/.test(type) && type !== "SelectStmt") refuse("it may only read");
    const kinds = fieldsOf(type);
    for (const [key, value] of Object.entries(fields)) {
      const kind = kinds?.get(key);
      const inside = inQuery || type === "SelectStmt";
      if (kind === undefined) refuse(`unknown syntax: ${type}.${key}`);
      else if (kind === "*") walkNode(value, inside);
      else if (kind === "[") for (const item of list(value)) walkNode(item, inside);
      else if (kind !== "-") walk(kind, value as Fields, inside);
    }
  }

  function walkNode(node: unknown, inQuery: boolean): undefined {
    const type = typeOf(node);
    if (type !== null) walk(type, (node as Wrapped)[type]!, inQuery);
  }

  walkNode(where, false);
  if (problem !== null) return fail(problem);
  pieces.sort((a, b) => a.start - b.start || a.end - b.end);
  const open = sql.indexOf("(") + 1;
  const close = sql.lastIndexOf("\n)");
  const whole = part(sql, open, close, pieces, { hasQuery, operators: [...operators] });
  return { ok: true, filter: { ...whole, conjuncts: split(sql, open, close, where, pieces, whole) } };
}

function part(
  sql: string,
  start: number,
  end: number,
  all: readonly Piece[],
  of: Pick<RowFilter, "hasQuery" | "operators">,
): RowFilter {
  const pieces = all.filter((piece) => piece.start >= start && piece.end <= end);
  const { hasQuery, operators } = of;
  return {
    columns: [...new Set(pieces.flatMap((piece) => (piece.column === null ? [] : [piece.column])))].sort(),
    hasQuery,
    operators,
    conjuncts: [],
    render(column) {
      let out = "";
      let at = start;
      for (const piece of pieces) {
        out += sql.slice(at, piece.start);
        out += piece.column === null ? piece.sql : column ? column(piece.column) : quoteName(piece.column);
        at = piece.end;
      }
      return (out + sql.slice(at, end)).trim();
    },
  };
}

/** Cuts `a AND b AND c` at its ANDs. The parser gives an AND's own offset; the first of several stands for all. */
function split(
  sql: string,
  start: number,
  end: number,
  where: Wrapped,
  pieces: readonly Piece[],
  whole: RowFilter,
): readonly RowFilter[] {
  const and = as(where, "BoolExpr");
  if (and?.["boolop"] !== "AND_EXPR") return [whole];
  const cuts: { start: number; end: number }[] = [];
  let depth = 0;
  let between = 0;
  for (const token of tokens(sql, start, end)) {
    if (token.value === "(" || token.value === "[") depth++;
    else if (token.value === ")" || token.value === "]") depth--;
    else if (depth === 0 && token.kind === "name" && (token.value === "between" || token.value === "case"))
      between++;
    else if (depth === 0 && token.kind === "name" && token.value === "end") between--;
    else if (depth === 0 && token.kind === "name" && token.value === "and") {
      if (between > 0) between--;
      else cuts.push({ start: token.start, end: token.end });
    }
  }
  if (cuts.length + 1 !== list(and["args"]).length) return [whole];
  const edges = [start, ...cuts.flatMap((cut) => [cut.start, cut.end]), end];
  const out: RowFilter[] = [];
  for (let index = 0; index < edges.length; index += 2) {
    out.push(part(sql, edges[index]!, edges[index + 1]!, pieces, whole));
  }
  return out;
}

/** The text of a node that is a plain string; used by callers that need a constant. */
export function constantText(node: unknown): string | null {
  const constant = as(node, "A_Const");
  const value = constant?.["sval"];
  return typeof value === "object" && value !== null ? text({ String: value as Fields }) : null;
}
