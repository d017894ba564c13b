/**
 * Walks a query's tree against the node allow-list and collects the edits that put the task's views in the
 * place of relations and `pg_catalog.` before built-in functions. The tree is changed in the same way, so that
 * the edited text can be held against it after parsing it again.
 *
 * The first refusal is kept and the walk goes on harmlessly; the caller asks for it at the end.
 */
import type { SqlRule } from "../task.ts";
import { call, operator, typeName } from "./calls.ts";
import { column, field, ignoreStars, systemColumns, writeOutStars } from "./columns.ts";
import { cteColumns, fromItems } from "./from-items.ts";
import { keepPrimaryKeyGroups } from "./group-by.ts";
import { pushLookups } from "./lookups.ts";
import { fieldsOf, isQueryNode } from "./nodes.ts";
import { type Refusal, refusal } from "./refusal.ts";
import {
  isTableForm,
  keepManyUnnest,
  pushConditions,
  relation,
  sample,
  settingsFunction,
} from "./relations.ts";
import { fieldOfRow } from "./row-fields.ts";
import { type Item, NO_NAMES, type Scope } from "./scope.ts";
import type { Source } from "./source.ts";
import { fieldOfTarget, noteWholeRows } from "./target-rows.ts";
import { as, type Fields, list, location, names, text, typeOf, type Wrapped } from "./tree.ts";
import type { TaskView } from "./views.ts";
import type { World } from "./world.ts";

/** Called for a data-modifying statement inside WITH. */
export type WriteHandler = (type: string, fields: Fields, scope: Scope) => undefined;

/** Nodes whose fields are not all walked one by one. */
const DIRECT = new Set(["RangeVar", "RangeSubselect", "RangeTableSample", "ColumnRef"]);

export class QueryWalker {
  readonly world: World;
  readonly source: Source;
  refused: Refusal | null = null;
  /** `schema.name` of relations of the task. */
  readonly relations = new Set<string>();
  readonly views = new Set<TaskView>();
  /** Write rules that the statement uses. */
  readonly rules = new Set<SqlRule>();
  writes: WriteHandler | null = null;
  /** True when some part of the statement changes data. */
  changes = false;
  /** Cursors that WHERE CURRENT OF names. */
  readonly cursors: string[] = [];
  /** True when some part of it writes to a temporary table of the session's own. */
  keepsOwn = false;
  /** True when it draws from a sequence, which is a write of its own. */
  draws = false;
  /** True when a target of a write has rows that the task hides. */
  hidesRows = false;
  /** True when a target of a write has columns that the task hides or masks. */
  hidesColumns = false;
  /** Column names that the statement says anywhere. */
  readonly named = new Set<string>();
  /** True when it has a star or a whole row, so that columns may be read that it does not name. */
  spread = false;
  /** System columns that the statement names; shown by every view of a table in it. */
  readonly systemColumns: readonly string[];
  /** Calls that keep their bare name because the server reads that name specially. */
  readonly bareCalls = new Set<Fields>();
  /** True for a statement that reads no row (EXPLAIN). */
  planOnly = false;
  /** How many rows are looked up by masked values. */
  lookups = 0;
  /** Conditions for the view of a reference that may stand before its filter. */
  readonly pushed = new Map<Fields, readonly string[]>();
  /** What stands for a parameter that names a channel, by the call that sends to it. */
  readonly checkedChannels = new Map<Fields, Wrapped>();
  /** References `t.*` that are one value. */
  readonly wholeRows = new Set<Fields>();
  /** Stars that read no column. */
  readonly ignoredStars = new Set<Fields>();
  /** True while the relation of `TABLE name` is walked. */
  tableForm = false;

  constructor(world: World, source: Source, statement: Wrapped) {
    this.world = world;
    this.source = source;
    this.systemColumns = systemColumns(statement);
  }

  refuse(code: string, message: string, more: Parameters<typeof refusal>[2] = {}): undefined {
    this.refused ??= refusal(code, message, more);
  }

  /** False, and a refusal, when a node has a field that the grammar does not know. */
  known(type: string, fields: Fields): boolean {
    const kinds = fieldsOf(type);
    const unknown = Object.keys(fields).find((key) => !kinds?.has(key));
    if (unknown !== undefined) this.refuse("SYNTAX_NOT_ALLOWED", `${type}.${unknown} is not understood`);
    const alias = type === "Alias" ? undefined : fields["alias"];
    return unknown === undefined && (alias === undefined || this.known("Alias", alias as Fields));
  }

  // ------------------------------------------------------------------ the generic walk

  node(node: unknown, scope: Scope): undefined {
    const type = typeOf(node);
    if (type === null) {
      if (typeof node === "object" && node !== null && Object.keys(node).length === 0) return;
      return this.refuse("SYNTAX_NOT_ALLOWED", "the statement has a part that is not understood");
    }
    this.typed(type, (node as Wrapped)[type]!, scope, node as Wrapped);
  }

  nodes(values: unknown, scope: Scope): undefined {
    for (const value of list(values)) this.node(value, scope);
  }

  /** @param holder the wrapper of the node, when it has one; its content may be replaced */
  typed(type: string, fields: Fields, scope: Scope, holder: Wrapped | null): undefined {
    if (DIRECT.has(type) && !this.known(type, fields)) return;
    noteWholeRows(this, type, fields);
    switch (type) {
      case "SelectStmt":
        return this.select(fields, scope);
      case "InsertStmt":
      case "UpdateStmt":
      case "DeleteStmt":
      case "MergeStmt":
        if (this.writes) return this.writes(type, fields, scope);
        return this.refuse("WRITE_NOT_ALLOWED", "the task may not change data in a WITH query");
      case "RangeVar":
        return relation(this, fields, scope, holder);
      case "RangeTableSample":
        return sample(this, fields, scope, holder);
      case "RangeFunction":
        if (settingsFunction(this, fields, holder)) return;
        keepManyUnnest(this, fields);
        break;
      case "RangeSubselect":
        this.node(fields["subquery"], fields["lateral"] ? scope : (scope.parent ?? scope));
        return;
      case "SubLink":
        operator(this, fields["operName"], location(fields));
        if (fields["subLinkType"] === "EXISTS_SUBLINK") ignoreStars(this, fields["subselect"]);
        break;
      case "JoinExpr":
        for (const name of names(fields["usingClause"]) ?? []) this.named.add(name);
        if (fields["isNatural"]) this.spread = true;
        break;
      case "FuncCall":
        if (!this.bareCalls.has(fields)) call(this, fields, scope);
        break;
      case "ColumnRef":
        return column(this, fields, scope, holder);
      case "A_Indirection":
        if (fieldOfRow(this, fields, scope, holder) || fieldOfTarget(this, fields, scope, holder))
          return this.node(holder, scope);
        for (const item of list(fields["indirection"])) {
          const name = text(item);
          if (name !== null) field(this, name, null, location(as(fields["arg"], "ColumnRef") ?? {}));
        }
        break;
      case "A_Expr":
        operator(this, fields["name"], location(fields));
        break;
      case "SortBy":
        operator(this, fields["useOp"], location(fields));
        break;
      case "TypeName":
        typeName(this, fields);
        break;
      case "ColumnDef":
        if (fields["constraints"] || fields["raw_default"])
          this.refuse("SYNTAX_NOT_ALLOWED", "a column definition may only name a type");
        break;
    }
    this.fields(type, fields, scope);
    const channel = this.checkedChannels.get(fields);
    if (channel) fields["args"] = [channel, ...list(fields["args"]).slice(1)];
  }

  /** Every field of a node by its kind; unknown nodes and fields are refused. */
  fields(type: string, fields: Fields, scope: Scope): undefined {
    if (!isQueryNode(type, this.world.catalog.serverVersion)) {
      const at = typeof fields["location"] === "number" ? fields["location"] : null;
      return this.refuse("SYNTAX_NOT_ALLOWED", `${describeNode(type)} is not allowed in a query`, { at });
    }
    const kinds = fieldsOf(type);
    for (const key in fields) {
      const value = fields[key];
      const kind = kinds?.get(key);
      if (kind === "-") {
        if (typeof value === "object" && value !== null) {
          this.refuse("SYNTAX_NOT_ALLOWED", `${type}.${key} is not understood`);
        }
      } else if (kind === "*") this.node(value, scope);
      else if (kind === "[") this.nodes(value, scope);
      else if (kind === undefined || typeof value !== "object" || value === null || Array.isArray(value)) {
        this.refuse("SYNTAX_NOT_ALLOWED", `${type}.${key} is not understood`);
      } else this.typed(kind, value as Fields, scope, null);
    }
  }

  // ------------------------------------------------------------------ queries

  select(fields: Fields, outer: Scope): undefined {
    const scope = this.with(fields, outer);
    if (fields["intoClause"])
      return this.refuse("STATEMENT_NOT_ALLOWED", "SELECT INTO makes a table; the task may not");
    const kinds = fieldsOf("SelectStmt")!;
    const compound = fields["op"] !== undefined && fields["op"] !== "SETOP_NONE";
    const items = compound ? [] : fromItems(this.world, list(fields["fromClause"]), scope);
    const inside: Scope = { parent: scope, ctes: NO_NAMES, items, certain: true };
    if (!compound) {
      writeOutStars(this, fields, items);
      keepPrimaryKeyGroups(fields, items, this.source);
      pushConditions(this, fields["whereClause"], items);
      pushLookups(this, fields, items);
    }
    this.locking(fields, items);
    for (const key in fields) {
      const value = fields[key];
      const kind = kinds.get(key);
      switch (key) {
        case "withClause":
        case "lockingClause":
          break;
        case "larg":
        case "rarg":
          this.select(value as Fields, scope);
          break;
        case "fromClause":
          this.tableForm = isTableForm(fields);
          this.nodes(value, { parent: scope, ctes: NO_NAMES, items, certain: false });
          this.tableForm = false;
          break;
        default:
          if (kind === "[") this.nodes(value, inside);
          else if (kind === "*") this.node(value, inside);
          else if (kind !== "-") this.refuse("SYNTAX_NOT_ALLOWED", `SelectStmt.${key} is not understood`);
      }
    }
  }

  /** The scope inside of a statement's WITH clause, whose queries are walked here. */
  with(fields: Fields, outer: Scope): Scope {
    const clause = fields["withClause"] as Fields | undefined;
    if (!clause) return { parent: outer, ctes: NO_NAMES, items: [], certain: true };
    const found: { name: string; fields: Fields }[] = [];
    for (const node of list(clause["ctes"])) {
      const cte = as(node, "CommonTableExpr");
      if (!cte) this.refuse("SYNTAX_NOT_ALLOWED", "the WITH clause is not understood");
      else found.push({ name: String(cte["ctename"]), fields: cte });
    }
    const all = new Map(found.map((cte) => [cte.name, cteColumns(cte.fields)]));
    const earlier = new Map<string, ReadonlySet<string> | null>();
    for (const cte of found) {
      const visible = clause["recursive"] ? all : new Map(earlier);
      this.fields("CommonTableExpr", cte.fields, { parent: outer, ctes: visible, items: [], certain: true });
      earlier.set(cte.name, all.get(cte.name)!);
    }
    return { parent: outer, ctes: all, items: [], certain: true };
  }

  locking(fields: Fields, items: readonly Item[]): undefined {
    const clauses = list(fields["lockingClause"]);
    if (clauses.length === 0) return;
    for (const node of clauses) {
      const clause = as(node, "LockingClause");
      const named = list(clause?.["lockedRels"]).map((entry) => String(as(entry, "RangeVar")?.["relname"]));
      const locked = named.length > 0 ? items.filter((item) => named.includes(item.name)) : items;
      if (!clause || locked.some((item) => !item.view || !this.world.mayLock(item.view))) {
        const hint = "A row lock needs an update or delete rule for each locked relation.";
        this.refuse("LOCK_NOT_ALLOWED", "the task may not lock rows", { hint });
      }
    }
  }
}

function describeNode(type: string): string {
  const words: Readonly<Record<string, string>> = {
    CurrentOfExpr: "WHERE CURRENT OF",
    IntoClause: "INTO",
    LockingClause: "a row lock",
  };
  if (/^Json/.test(type)) return "this SQL/JSON form, which the server's version does not have,";
  return words[type] ?? type;
}
