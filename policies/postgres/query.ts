/**
 * Walks a query's tree against the node allow-list and collects the edits that put the task's views in the
 * place of relations and `pg_catalog.` before built-in functions. The tree is changed in the same way, so that
 * the edited text can be held against it after parsing it again.
 *
 * The first refusal is kept and the walk goes on harmlessly; the caller asks for it at the end.
 */
import type { SqlRule } from "../task.ts";
import {
  ALLOWED_FUNCTIONS,
  BUILTIN_TYPES,
  INFORMATION_SCHEMA_TYPES,
  REFUSED_FUNCTIONS,
} from "./functions.generated.ts";
import { keepPrimaryKeyGroups } from "./group-by.ts";
import { closing, skipSpace, tokens } from "./lexer.ts";
import { qualified, quoteName } from "./names.ts";
import { fieldsOf, isQueryNode } from "./nodes.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { constantText } from "./row-filter.ts";
import {
  cteNamed,
  type Item,
  isCte,
  isProvided,
  itemsNamed,
  NO_NAMES,
  type Scope,
  targetsOf,
} from "./scope.ts";
import { maySet, mayShow, SEARCH_PATH } from "./settings.ts";
import type { Source } from "./source.ts";
import { isSystemSchema } from "./system-catalogs.ts";
import { as, type Fields, list, location, names, text, typeOf, type Wrapped } from "./tree.ts";
import type { TaskView } from "./views.ts";
import type { World } from "./world.ts";

const SYSTEM_COLUMNS = new Set(["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"]);
const INFORMATION_SCHEMA_FUNCTIONS = /^_pg_[a-z_]+$/;

/** Called for a data-modifying statement inside WITH. */
export type WriteHandler = (type: string, fields: Fields, scope: Scope) => undefined;

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
  /** True when a target of a write has rows that the task hides. */
  hidesRows = false;
  /** True when a target of a write has columns that the task hides or masks. */
  hidesColumns = false;
  /** Column names that the statement says anywhere. */
  readonly named = new Set<string>();
  /** True when it has a star or a whole row, so that columns may be read that it does not name. */
  spread = false;
  /** System columns that the statement names; shown by every view of a table in it. */
  readonly #system: readonly string[];
  /** Calls that keep their bare name because the server reads that name specially. */
  readonly #bare = new Set<Fields>();
  readonly #ignored = new Set<Fields>();
  /** True while the relation of `TABLE name` is walked. */
  #tableForm = false;

  constructor(world: World, source: Source, statement: Wrapped) {
    this.world = world;
    this.source = source;
    this.#system = systemColumns(statement);
  }

  refuse(code: string, message: string, more: Parameters<typeof refusal>[2] = {}): undefined {
    this.refused ??= refusal(code, message, more);
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
        return this.relation(fields, scope, holder, {});
      case "RangeTableSample":
        return this.sample(fields, scope, holder);
      case "RangeFunction":
        if (this.#settingsFunction(fields, holder)) return;
        this.#keepManyUnnest(fields);
        break;
      case "RangeSubselect":
        this.node(fields["subquery"], fields["lateral"] ? scope : (scope.parent ?? scope));
        return;
      case "SubLink":
        this.operator(fields["operName"], location(fields));
        if (fields["subLinkType"] === "EXISTS_SUBLINK") this.#ignoreStars(fields["subselect"]);
        break;
      case "JoinExpr":
        for (const name of names(fields["usingClause"]) ?? []) this.named.add(name);
        if (fields["isNatural"]) this.spread = true;
        break;
      case "FuncCall":
        if (!this.#bare.has(fields)) this.call(fields);
        break;
      case "ColumnRef":
        return this.column(fields, scope);
      case "A_Indirection":
        for (const item of list(fields["indirection"])) {
          const field = text(item);
          if (field !== null) this.field(field, null, location(as(fields["arg"], "ColumnRef") ?? {}));
        }
        break;
      case "A_Expr":
        this.operator(fields["name"], location(fields));
        break;
      case "SortBy":
        this.operator(fields["useOp"], location(fields));
        break;
      case "TypeName":
        this.type(fields);
        break;
      case "ColumnDef":
        if (fields["constraints"] || fields["raw_default"])
          this.refuse("SYNTAX_NOT_ALLOWED", "a column definition may only name a type");
        break;
    }
    this.fields(type, fields, scope);
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
    const items = compound ? [] : this.items(list(fields["fromClause"]), scope);
    const inside: Scope = { parent: scope, ctes: NO_NAMES, items, certain: true };
    if (!compound) keepPrimaryKeyGroups(fields, items, this.source);
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
          this.#tableForm = isTableForm(fields);
          this.nodes(value, { parent: scope, ctes: NO_NAMES, items, certain: false });
          this.#tableForm = false;
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

  // ------------------------------------------------------------------ relations

  /** The items of a FROM list, before it is rewritten. */
  items(from: readonly unknown[], scope: Scope): Item[] {
    const out: Item[] = [];
    const add = (node: unknown): undefined => {
      const type = typeOf(node);
      if (type === null) return;
      const fields = (node as Wrapped)[type]!;
      if (type === "RangeTableSample") add(fields["relation"]);
      else if (type === "JoinExpr") out.push(...this.#joined(fields, scope));
      else out.push(this.item(type, fields, scope));
    };
    for (const node of from) add(node);
    return out;
  }

  /** The items of a join; an alias of the whole join hides its sides. */
  #joined(fields: Fields, scope: Scope): Item[] {
    const sides = this.items([fields["larg"], fields["rarg"]], scope);
    const using = fields["join_using_alias"] as Fields | undefined;
    if (using) sides.push({ name: String(using["aliasname"]), columns: null, view: null, target: null });
    const alias = fields["alias"] as Fields | undefined;
    if (!alias) return sides;
    const renamed = names(alias["colnames"]) ?? [];
    const columns = renamed.length > 0 ? renamed : sides.flatMap((item) => [...(item.columns ?? [])]);
    return [{ name: String(alias["aliasname"]), columns: new Set(columns), view: null, target: null }];
  }

  item(type: string, fields: Fields, scope: Scope): Item {
    const alias = fields["alias"] as Fields | undefined;
    const renamed = names(alias?.["colnames"]) ?? [];
    const name = String(alias?.["aliasname"] ?? fields["relname"] ?? functionName(fields) ?? "");
    const cte =
      type === "RangeVar" && fields["schemaname"] === undefined
        ? cteNamed(scope, String(fields["relname"]))
        : undefined;
    const view =
      type === "RangeVar" && renamed.length === 0 && cte === undefined ? this.#viewOf(fields) : null;
    let columns: ReadonlySet<string> | null = null;
    if (renamed.length > 0) columns = new Set(renamed);
    else if (view) columns = new Set(view.columns.map((column) => column.name));
    else if (cte) columns = cte;
    else if (type === "RangeSubselect") columns = outputNames(fields["subquery"]);
    else if (type === "RangeFunction" && fields["coldeflist"]) {
      columns = new Set(
        list(fields["coldeflist"]).map((entry) => String(as(entry, "ColumnDef")?.["colname"])),
      );
    }
    return { name, columns, view, target: null };
  }

  #viewOf(fields: Fields): TaskView | null {
    const place = this.resolve(fields);
    const found = place ? this.world.relations.find(place.schema, place.name) : null;
    return found?.kind === "view" ? found.view : null;
  }

  /** The schema that an unqualified name means on the pinned path: pg_catalog first, then public. */
  resolve(fields: Fields): { schema: string; name: string } | null {
    const name = String(fields["relname"]);
    if (fields["catalogname"] !== undefined && fields["catalogname"] !== this.world.catalog.database)
      return null;
    if (typeof fields["schemaname"] === "string") return { schema: fields["schemaname"], name };
    const system = this.world.relations.find("pg_catalog", name).kind;
    return { schema: system === "none" ? SEARCH_PATH[0] : "pg_catalog", name };
  }

  /** One reference to a relation in FROM. */
  relation(fields: Fields, scope: Scope, holder: Wrapped | null, options: { sample?: string }): undefined {
    const name = String(fields["relname"]);
    const at = location(fields);
    if (fields["schemaname"] === undefined && isCte(scope, name)) {
      if (options.sample !== undefined)
        this.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE needs a table", { at });
      return;
    }
    const place = this.resolve(fields);
    const found = place ? this.world.relations.find(place.schema, place.name) : null;
    if (!place || !found || found.kind === "none")
      return this.refuse(...this.world.notGranted(place ?? { schema: "", name }, "select", at));
    if (found.kind === "problem") {
      const { code, message, rule } = found.problem;
      return this.refuse(code, message, { at, rule });
    }
    if (found.kind === "whole") return this.#system_relation(fields, place.schema, at);
    const { view } = found;
    // Renamed columns are read under names that the masks do not know.
    if ((fields["alias"] as Fields | undefined)?.["colnames"]) this.spread = true;
    if (view.rule) this.relations.add(`${view.schema}.${view.name}`);
    this.views.add(view);
    this.#replace(fields, view, holder, at, options);
  }

  /** A system catalog that is read as it is: only its schema is made explicit. */
  #system_relation(fields: Fields, schema: string, at: number): undefined {
    if (fields["schemaname"] !== undefined) return;
    fields["schemaname"] = schema;
    const start = this.source.index(at);
    this.source.replaceName(start, start, `${schema}.`);
  }

  #replace(
    fields: Fields,
    view: TaskView,
    holder: Wrapped | null,
    at: number,
    options: { sample?: string },
  ): undefined {
    const parts = ["catalogname", "schemaname", "relname"].filter((key) => fields[key] !== undefined).length;
    const found = this.source.name(at, parts);
    if (!holder || !found || found.at(-1)!.value !== fields["relname"]) {
      return this.refuse("SYNTAX_NOT_ALLOWED", `the name ${view.name} is not written plainly here`, { at });
    }
    let start = found[0]!.start;
    let end = found.at(-1)!.end;
    const star = skipSpace(this.source.text, end);
    if (fields["inh"] && this.source.text[star] === "*" && this.source.text[star + 1] !== "/") end = star + 1;
    const only = !fields["inh"];
    if (only) {
      const span = onlySpan(this.source.text, start, end);
      if (!span) return this.refuse("SYNTAX_NOT_ALLOWED", "ONLY is not understood here", { at });
      ({ start, end } = span);
    }
    const query = view.query({ only, ...options, system: this.#system });
    const alias = fields["alias"] as Fields | undefined;
    const before = this.#tableForm ? (tokens(this.source.text, 0, start).at(-1)?.start ?? 0) : null;
    const named = alias ? "" : ` AS ${quoteName(view.name)}`;
    if (before !== null) start = before;
    this.source.replaceName(start, end, `${before === null ? "" : "SELECT * FROM "}(${query.sql})${named}`);
    delete holder["RangeVar"];
    holder["RangeSubselect"] = { subquery: query.tree, alias: alias ?? { aliasname: view.name } };
  }

  /** TABLESAMPLE goes into the view: a sample of the rows of the table, not of the view's. */
  sample(fields: Fields, scope: Scope, holder: Wrapped | null): undefined {
    const relation = as(fields["relation"], "RangeVar");
    const at = location(fields);
    const method = names(fields["method"])?.at(-1) ?? "";
    if (!relation || !holder || !["system", "bernoulli"].includes(method)) {
      return this.refuse(
        "SYNTAX_NOT_ALLOWED",
        "only TABLESAMPLE SYSTEM and BERNOULLI of a table are allowed",
        { at },
      );
    }
    const start = this.source.index(at);
    const before = tokens(this.source.text, 0, start).at(-1);
    const name = this.source.name(at, list(fields["method"]).length);
    const open = name ? skipSpace(this.source.text, name.at(-1)!.end) : -1;
    let end = open < 0 ? null : closing(this.source.text, open);
    if (before?.value !== "tablesample" || end === null) {
      return this.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE is not understood here", { at });
    }
    const argument = this.source.text.slice(open, end);
    let repeatable = "";
    if (fields["repeatable"]) {
      const word = tokens(this.source.text, end, this.source.text.length)[0];
      const close =
        word?.value === "repeatable"
          ? closing(this.source.text, skipSpace(this.source.text, word.end))
          : null;
      if (!word || close === null)
        return this.refuse("SYNTAX_NOT_ALLOWED", "REPEATABLE is not understood here", { at });
      repeatable = ` REPEATABLE ${this.source.text.slice(skipSpace(this.source.text, word.end), close)}`;
      end = close;
    }
    if (![...list(fields["args"]), fields["repeatable"] ?? {}].every(isPlainValue)) {
      return this.refuse("SYNTAX_NOT_ALLOWED", "TABLESAMPLE takes a constant or a parameter", { at });
    }
    const place = this.resolve(relation);
    const found = place ? this.world.relations.find(place.schema, place.name) : null;
    if (found?.kind === "view") {
      this.source.replace(before.start, end, "");
      const inner: Wrapped = { RangeVar: relation };
      const sample = `TABLESAMPLE pg_catalog.${method} ${argument}${repeatable}`;
      this.relation(relation, scope, inner, { sample });
      delete holder["RangeTableSample"];
      Object.assign(holder, inner);
    } else this.relation(relation, scope, { RangeVar: relation }, { sample: "" });
  }

  /** `FROM pg_show_all_settings()`: the task's view of the settings, which has the same columns. */
  #settingsFunction(fields: Fields, holder: Wrapped | null): boolean {
    const items = list(as(list(fields["functions"])[0], "List")?.["items"]);
    const call = as(items[0], "FuncCall");
    const name = names(call?.["funcname"]) ?? [];
    if (!call || name.at(-1) !== "pg_show_all_settings" || (name.length > 1 && name[0] !== "pg_catalog"))
      return false;
    const found = this.world.relations.find("pg_catalog", "pg_settings");
    const at = location(call);
    const parts = this.source.name(at, name.length);
    const end = parts ? closing(this.source.text, skipSpace(this.source.text, parts.at(-1)!.end)) : null;
    const plain = Object.keys(fields).every((key) => key === "functions" || key === "alias");
    if (
      !holder ||
      !parts ||
      end === null ||
      !plain ||
      list(fields["functions"]).length !== 1 ||
      found.kind !== "view"
    ) {
      this.refuse("FUNCTION_NOT_ALLOWED", "pg_show_all_settings() may only stand alone in FROM", { at });
      return true;
    }
    const query = found.view.query({});
    const alias = (fields["alias"] as Fields | undefined) ?? null;
    this.source.replace(parts[0]!.start, end, `(${query.sql})${alias ? "" : " AS pg_show_all_settings"}`);
    delete holder["RangeFunction"];
    holder["RangeSubselect"] = {
      subquery: query.tree,
      alias: alias ?? { aliasname: "pg_show_all_settings" },
    };
    return true;
  }

  /** `EXISTS (SELECT * …)` reads no column by its star. */
  #ignoreStars(query: unknown): undefined {
    for (const target of list(as(query, "SelectStmt")?.["targetList"])) {
      const column = as(as(target, "ResTarget")?.["val"], "ColumnRef");
      const parts = list(column?.["fields"]);
      if (column && parts.length === 1 && typeOf(parts[0]) === "A_Star") this.#ignored.add(column);
    }
  }

  /**
   * `FROM unnest(a, b)` is syntax, not a call of a function of that name, and only when it is bare; the server
   * itself makes it `ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b))` (transformRangeFunction).
   */
  #keepManyUnnest(fields: Fields): undefined {
    for (const entry of list(fields["functions"])) {
      const [node, columns] = list(as(entry, "List")?.["items"]);
      const call = as(node, "FuncCall");
      const name = names(call?.["funcname"]);
      if (!call || name?.length !== 1 || name[0] !== "unnest" || list(call["args"]).length < 2) continue;
      const plain = Object.keys(call).every((key) =>
        ["funcname", "args", "funcformat", "location"].includes(key),
      );
      if (plain && typeOf(columns) === null) this.#bare.add(call);
    }
  }

  // ------------------------------------------------------------------ names in expressions

  column(fields: Fields, scope: Scope): undefined {
    const parts: string[] = [];
    let star = false;
    for (const part of list(fields["fields"])) {
      const name = text(part);
      if (name === null) star = true;
      else parts.push(name);
    }
    const at = location(fields);
    if (this.#ignored.has(fields)) return;
    this.#guardTargets(parts, star, scope, at);
    const qualifiers = star ? parts.length : parts.length - 1;
    if (!star && parts.length >= 2) this.field(parts.at(-1)!, itemsNamed(scope, parts.at(-2)!), at);
    if (qualifiers >= 2) this.#dropSchema(fields, parts, qualifiers, star, at);
  }

  /** The target of a write is the table itself, so a name that may mean a column of it must be one it grants. */
  #guardTargets(parts: readonly string[], star: boolean, scope: Scope, at: number): undefined {
    const name = parts.at(-1);
    if (star || (parts.length === 1 && itemsNamed(scope, name!).length > 0)) this.spread = true;
    if (!star) this.named.add(name!);
    const targets = targetsOf(scope);
    if (targets.length === 0) return;
    const refuse = (relation: string, column: string) =>
      this.refuse("COLUMN_NOT_GRANTED", `the task may not read ${column} of ${relation} in a write`, {
        at,
        hint: "A write may read columns that the task grants unmasked; qualify a column of another relation.",
      });
    if (star) {
      const owner =
        parts.length > 0 ? itemsNamed(scope, parts.at(-1)!).find((item) => item.target) : undefined;
      if (owner) refuse(owner.target!.relation, "every column");
    } else if (parts.length === 1) {
      if (isProvided(scope, name!)) return;
      const owner = targets.find((item) => !item.target!.readable.has(name!));
      if (owner) refuse(owner.target!.relation, name!);
    } else {
      const owner = itemsNamed(scope, parts.at(-2)!).find(
        (item) => item.target && !item.target.readable.has(name!),
      );
      if (owner) refuse(owner.target!.relation, name!);
    }
  }

  /** `schema.relation.column`: the view has only the relation's name. */
  #dropSchema(
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
    const view = qualifiers <= 3 ? this.#viewOf(place) : null;
    // Left alone otherwise: a system catalog keeps its schema, and anything else is the server's error.
    if (!view) return;
    const found = this.source.name(at, star ? qualifiers : qualifiers + 1);
    if (!found)
      return this.refuse("SYNTAX_NOT_ALLOWED", "the column's name is not written plainly here", { at });
    this.source.replace(found[0]!.start, found[qualifiers - 1]!.start, "");
    fields["fields"] = list(fields["fields"]).slice(qualifiers - 1);
  }

  /**
   * `x.name` and `(x).name` call the function `name(x)` when x has no such column, for x of any type, and by
   * the search path; it cannot be qualified. So a field may not have the name of a function that a task may not
   * call, unless x is known to have that column.
   */
  field(name: string, owners: readonly Item[] | null, at: number): undefined {
    if (!this.world.isFieldFunction(name)) return;
    if (owners && owners.length > 0 && owners.every((item) => item.columns?.has(name))) return;
    this.refuse(
      "FUNCTION_NOT_ALLOWED",
      `.${name} would call a function of that name where there is no such column`,
      { at },
    );
  }

  operator(value: unknown, at: number): undefined {
    const parts = names(value);
    if (!parts || parts.length === 0) return;
    const name = parts.at(-1)!;
    if (parts.length > 1 && !(parts.length === 2 && parts[0] === "pg_catalog")) {
      return this.refuse("OPERATOR_NOT_ALLOWED", `the operator ${parts.join(".")} is not a built-in one`, {
        at,
      });
    }
    if (parts.length === 1 && this.world.foreignOperators.has(name)) {
      this.refuse("OPERATOR_NOT_ALLOWED", `the operator ${name} may mean a function of this database`, {
        at,
      });
    }
  }

  call(fields: Fields): undefined {
    const parts = names(fields["funcname"]) ?? [];
    const name = parts.at(-1) ?? "";
    const at = location(fields);
    if (parts.length === 1) {
      const schema = this.world.functionSchema(name, list(fields["args"]).length);
      if (schema === null) return this.#refuseFunction(name, at);
      fields["funcname"] = [{ String: { sval: schema } }, ...list(fields["funcname"])];
      const start = this.source.index(at);
      this.source.replaceName(start, start, `${quoteName(schema)}.`);
    } else if (parts.length !== 2 || !this.#mayCallQualified(parts[0]!, name)) {
      return this.#refuseFunction(parts.join("."), at);
    }
    if (name === "pg_show_all_settings") return this.#refuseFunction(name, at);
    if (name === "current_setting") this.#readsSetting(fields, at);
    if (name === "set_config") this.#changesSetting(fields, at);
  }

  #mayCallQualified(schema: string, name: string): boolean {
    if (schema === "pg_catalog") return ALLOWED_FUNCTIONS.has(name) || BUILTIN_TYPES.has(name);
    if (schema === "information_schema") return INFORMATION_SCHEMA_FUNCTIONS.test(name);
    return this.world.catalog.functions.some((entry) => entry.schema === schema && entry.name === name);
  }

  #refuseFunction(name: string, at: number): undefined {
    const why = REFUSED_FUNCTIONS.find(([, set]) => set.has(name.replace(/^pg_catalog\./, "")))?.[0];
    const hint = why ? `${name}() ${why}.` : "A task may list functions of the database under `functions`.";
    this.refuse("FUNCTION_NOT_ALLOWED", `the task may not call ${name}()`, { at, hint });
  }

  #readsSetting(fields: Fields, at: number): undefined {
    const args = list(fields["args"]);
    const name = constantText(args[0]);
    if (name === null)
      return this.refuse("SETTING_NOT_ALLOWED", "current_setting() needs a constant name", { at });
    if (!mayShow(name))
      this.refuse("SETTING_NOT_ALLOWED", `the task may not read the setting ${name}`, { at });
  }

  #changesSetting(fields: Fields, at: number): undefined {
    const args = list(fields["args"]);
    const [name, value] = [constantText(args[0]), constantText(args[1])];
    if (args.length !== 3 || name === null || value === null) {
      return this.refuse("SETTING_NOT_ALLOWED", "set_config() needs a constant name and value", { at });
    }
    // A path of `public` alone would put temporary objects first, and there is no place to add to it here.
    const verdict = maySet(name, [value], this.world.writes);
    const path = verdict === "pinned-path" && value.replaceAll(" ", "") === SEARCH_PATH.join(",");
    if (verdict !== "allowed" && !path)
      this.refuse("SETTING_NOT_ALLOWED", `the task may not change the setting ${name}`, { at });
  }

  type(fields: Fields): undefined {
    const parts = names(fields["names"]) ?? [];
    const at = location(fields);
    const name = parts.at(-1) ?? "";
    const bare = name.startsWith("_") ? name.slice(1) : name;
    if (fields["pct_type"] || fields["setof"])
      return this.refuse("TYPE_NOT_ALLOWED", "%TYPE and SETOF are not allowed", { at });
    if (this.world.castTargets.has(name)) {
      return this.refuse("TYPE_NOT_ALLOWED", `a user-defined cast to ${name} could run a function`, { at });
    }
    if (parts.length === 1) {
      if (BUILTIN_TYPES.has(bare) || this.world.types.has(`${SEARCH_PATH[0]}.${bare}`)) return;
    } else if (parts.length === 2) {
      const schema = parts[0]!;
      if (schema === "pg_catalog" && BUILTIN_TYPES.has(bare)) return;
      if (schema === "information_schema" && INFORMATION_SCHEMA_TYPES.has(bare)) return;
      if (!isSystemSchema(schema) && this.world.types.has(`${schema}.${bare}`)) return;
    }
    this.refuse("TYPE_NOT_ALLOWED", `the type ${parts.join(".")} is not a built-in one`, { at });
  }
}

// -------------------------------------------------------------------- helpers

/** The name of a function in FROM, which names the item when it has no alias. */
function functionName(fields: Fields): string | null {
  const items = list(as(list(fields["functions"])[0], "List")?.["items"]);
  return names(as(items[0], "FuncCall")?.["funcname"])?.at(-1) ?? null;
}

/** The columns that a common table expression surely has. */
function cteColumns(fields: Fields): ReadonlySet<string> | null {
  const renamed = names(fields["aliascolnames"]) ?? [];
  return renamed.length > 0 ? new Set(renamed) : outputNames(fields["ctequery"]);
}

/** Column names that a sub-select surely has: explicit aliases and plain columns. */
export function outputNames(query: unknown): ReadonlySet<string> | null {
  let select = as(query, "SelectStmt");
  while (select?.["larg"]) select = select["larg"] as Fields;
  if (!select) return null;
  const out = new Set<string>();
  for (const node of list(select["targetList"])) {
    const target = as(node, "ResTarget");
    const column = as(target?.["val"], "ColumnRef");
    if (typeof target?.["name"] === "string") out.add(target["name"]);
    else if (column) {
      const last = text(list(column["fields"]).at(-1));
      if (last !== null) out.add(last);
    }
  }
  return out;
}

/** Constants and parameters, also cast or negated by the parser: nothing that needs rewriting. */
function isPlainValue(node: unknown): boolean {
  const type = typeOf(node);
  if (type === null) return true;
  const fields = (node as Wrapped)[type]!;
  if (type === "A_Const" || type === "ParamRef") return true;
  if (type !== "TypeCast") return false;
  const cast = names((fields["typeName"] as Fields | undefined)?.["names"]) ?? [];
  return (
    isPlainValue(fields["arg"]) &&
    (cast.length === 1 || cast[0] === "pg_catalog") &&
    BUILTIN_TYPES.has(cast.at(-1)!)
  );
}

/** `ONLY name` or `ONLY (name)` around a name. */
function onlySpan(source: string, start: number, end: number): { start: number; end: number } | null {
  const before = tokens(source, 0, start);
  const last = before.at(-1);
  if (last?.value === "only" && last.kind === "name") return { start: last.start, end };
  if (last?.value !== "(" || before.at(-2)?.value !== "only") return null;
  const close = skipSpace(source, end);
  return source[close] === ")" ? { start: before.at(-2)!.start, end: close + 1 } : null;
}

/** `TABLE name`: the parser makes a star without a place of it. */
function isTableForm(select: Fields): boolean {
  const targets = list(select["targetList"]);
  const star = targets.length === 1 ? as(as(targets[0], "ResTarget")?.["val"], "ColumnRef") : null;
  return star !== null && typeOf(list(star["fields"])[0]) === "A_Star" && star["location"] === -1;
}

/**
 * System columns that a statement names anywhere. None when it also has a star, a natural join or a whole row,
 * where a view that shows them would show them too.
 */
function systemColumns(statement: unknown): string[] {
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
        if (last === null) spread = true;
        else if (SYSTEM_COLUMNS.has(last)) found.add(last);
        else if (parts.length === 1) bare.push(last);
        return;
      }
      if (fields["isNatural"]) spread = true;
      if (typeof fields["relname"] === "string") relations.add(fields["relname"]);
      if (typeof fields["aliasname"] === "string") relations.add(fields["aliasname"]);
      for (const key in fields) look(fields[key]);
    }
  };
  look(statement);
  if (found.size === 0 || spread || bare.some((name) => relations.has(name))) return [];
  return [...found].sort();
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

/** `schema.name` for messages. */
export function display(place: { schema: string; name: string }): string {
  return place.schema ? qualified(place.schema, place.name) : quoteName(place.name);
}
