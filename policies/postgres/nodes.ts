/**
 * Which nodes of the parse tree a query may contain. Everything else is refused, also what the grammar of a
 * later parser may add: an unknown node or an unknown field is not looked through.
 */
import { GRAMMAR } from "./grammar.generated.ts";

/** `-` scalar, `*` wrapped node, `[` list of wrapped nodes, otherwise the name of an unwrapped node type. */
export type FieldKind = string;

/** Nodes of queries and expressions. Statement kinds have their own table (statements.ts). */
const QUERY_NODES = `
A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias BitString BoolExpr Boolean BooleanTest
CTECycleClause CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef CommonTableExpr
Float FuncCall GroupingFunc GroupingSet Integer JoinExpr List MinMaxExpr MultiAssignRef NamedArgExpr NullTest
ParamRef RangeFunction RangeSubselect RangeTableFunc RangeTableFuncCol RangeTableSample RangeVar ResTarget RowExpr
SQLValueFunction SelectStmt SetToDefault SortBy String SubLink TypeCast TypeName WindowDef WithClause XmlExpr
XmlSerialize
`;

/**
 * SQL/JSON (and MERGE_ACTION) nodes with the server version that has them. An older server takes the same text for a call of an
 * ordinary function of that name, which a user may have made.
 */
const VERSIONED_NODES: Readonly<Record<string, number>> = {
  JsonAggConstructor: 160000,
  JsonArgument: 170000,
  JsonArrayAgg: 160000,
  JsonArrayConstructor: 160000,
  JsonArrayQueryConstructor: 160000,
  JsonBehavior: 170000,
  JsonFormat: 160000,
  JsonFuncExpr: 170000,
  JsonIsPredicate: 160000,
  JsonKeyValue: 160000,
  JsonObjectAgg: 160000,
  JsonObjectConstructor: 160000,
  JsonOutput: 160000,
  JsonParseExpr: 170000,
  JsonReturning: 160000,
  JsonScalarExpr: 170000,
  JsonSerializeExpr: 170000,
  JsonTable: 170000,
  JsonTableColumn: 170000,
  JsonTablePathSpec: 170000,
  JsonValueExpr: 160000,
  MergeSupportFunc: 170000,
};

/** Fields that only the server's later stages fill. */
const LATER_FIELDS = new Set([
  "xpr",
  "ctecoltypes",
  "ctecoltypmods",
  "ctecolcollations",
  "cooked_default",
  "viewQuery",
]);

/** Node type → lowest `server_version_num` that has it. */
const MIN_VERSION = new Map<string, number>([
  ...QUERY_NODES.trim()
    .split(/\s+/)
    .map((name) => [name, 0] as const),
  ...Object.entries(VERSIONED_NODES),
]);

const SCHEMA = new Map<string, ReadonlyMap<string, FieldKind>>();

/** The fields of a node type with their kinds; null for a type that the grammar does not have. */
export function fieldsOf(type: string): ReadonlyMap<string, FieldKind> | null {
  const known = SCHEMA.get(type);
  if (known) return known;
  const declared = Object.hasOwn(GRAMMAR, type) ? GRAMMAR[type] : undefined;
  if (declared === undefined) return null;
  const fields = new Map<string, FieldKind>();
  for (const pair of declared.split(" ")) {
    const colon = pair.indexOf(":");
    if (colon > 0 && !LATER_FIELDS.has(pair.slice(0, colon)))
      fields.set(pair.slice(0, colon), pair.slice(colon + 1));
  }
  SCHEMA.set(type, fields);
  return fields;
}

/** True when a query may contain the node on a server of that version. */
export function isQueryNode(type: string, serverVersion: number): boolean {
  const least = MIN_VERSION.get(type);
  return least !== undefined && serverVersion >= least;
}

/** For tests: every node type that some query may contain. */
export const queryNodes: readonly string[] = [...MIN_VERSION.keys()];
