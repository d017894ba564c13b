/** Statements about the session itself: transactions, settings, prepared statements, cursors, COPY, EXPLAIN. */

import type { StatementSummary } from "./decision.ts";
import { closing, skipSpace, tokens } from "./lexer.ts";
import { quoteName, RESERVED_NAME } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { OUTERMOST } from "./scope.ts";
import { mayReset, maySet, mayShow, SEARCH_PATH } from "./settings.ts";
import { statementTree } from "./template.ts";
import { isOwnTable, useOwnTable } from "./temporary.ts";
import { as, type Fields, list, location, names, text, typeOf, type Wrapped } from "./tree.ts";

/** Where a statement stands in the text, UTF-16 offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export function transaction(walker: QueryWalker, fields: Fields): undefined {
  const kind = String(fields["kind"]);
  if (/PREPARE/.test(kind)) {
    return walker.refuse("STATEMENT_NOT_ALLOWED", "two-phase commit outlives the session and is not allowed");
  }
  transactionModes(walker, list(fields["options"]));
}

function transactionModes(walker: QueryWalker, options: readonly unknown[]): undefined {
  for (const option of options) {
    const mode = as(option, "DefElem");
    const name = String(mode?.["defname"]);
    const constant = as(mode?.["arg"], "A_Const");
    if (name === "transaction_isolation" || name === "transaction_deferrable") continue;
    const readOnly = ((constant?.["ival"] as Fields | undefined)?.["ival"] ?? 0) === 1;
    if (name === "transaction_read_only" && (readOnly || walker.world.writes)) continue;
    walker.refuse("SETTING_NOT_ALLOWED", "the task is read-only", {
      hint: "Begin the transaction without READ WRITE.",
    });
  }
}

/** SET and RESET. */
export function setting(walker: QueryWalker, fields: Fields, span: Span): Partial<StatementSummary> {
  const kind = String(fields["kind"]);
  const name = String(fields["name"] ?? "");
  const { pooled } = walker.world.task.session;
  const refuse = (hint: string | null = null) => {
    walker.refuse("SETTING_NOT_ALLOWED", `the task may not change the setting ${name || "ALL"}`, { hint });
    return {};
  };
  switch (kind) {
    case "VAR_SET_MULTI":
      if (name !== "TRANSACTION" && name !== "SESSION CHARACTERISTICS") return refuse();
      transactionModes(walker, list(fields["args"]));
      return {};
    case "VAR_RESET_ALL":
      return pooled ? { resets: null } : refuse(POOLED);
    case "VAR_RESET":
    case "VAR_SET_DEFAULT":
      if (pooled && walker.world.catalog.ownRole && OWN_ROLE.has(name)) return {};
      if (!mayReset(name, pooled === true)) return refuse();
      return fields["is_local"] ? {} : { resets: name.toLowerCase() };
    case "VAR_SET_VALUE": {
      const values = list(fields["args"]).map((arg) => settingValue(arg, name));
      if (values.some((value) => value === null)) return refuse();
      const verdict = maySet(name, values as string[], walker.world.writes);
      if (verdict === "refused") return refuse();
      if (verdict === "pinned-path") pinPath(walker, fields, span);
      return {};
    }
    default:
      return refuse();
  }
}

/** A constant in text form; `SET TIME ZONE INTERVAL '…'` is the one cast that the grammar makes. */
function settingValue(node: unknown, name: string): string | null {
  const cast = as(node, "TypeCast");
  if (cast) return name.toLowerCase() === "timezone" ? settingValue(cast["arg"], name) : null;
  const constant = as(node, "A_Const");
  if (!constant) return null;
  for (const [key, field] of [
    ["sval", "sval"],
    ["ival", "ival"],
    ["fval", "fval"],
    ["boolval", "boolval"],
  ] as const) {
    const value = constant[key] as Fields | undefined;
    if (value)
      return String(value[field] ?? (key === "sval" || key === "fval" ? "" : key === "ival" ? 0 : false));
  }
  return null;
}

/** `SET search_path = public` becomes the pinned path itself, with temporary objects last. */
function pinPath(walker: QueryWalker, fields: Fields, span: Span): undefined {
  const local = fields["is_local"] ? "LOCAL " : "";
  walker.source.replace(span.start, span.end, `SET ${local}search_path = ${SEARCH_PATH.join(", ")}`);
  fields["name"] = "search_path";
  fields["args"] = SEARCH_PATH.map((sval) => ({ A_Const: { sval: { sval } } }));
}

/** Where the session's role is that of its login, to put it back changes nothing. */
const OWN_ROLE = new Set(["role", "session_authorization"]);

/** The hint for what needs `session.pooled`. */
export const POOLED = "A task lets a pool of connections put its sessions back by `session.pooled`.";

/** DISCARD, for tasks whose sessions are pooled: what a session keeps is its own. Settings go back to pins. */
export function putBack(walker: QueryWalker, fields: Fields): Partial<StatementSummary> {
  const { task, catalog } = walker.world;
  const all = fields["target"] === "DISCARD_ALL";
  if (!task.session.pooled) {
    const message = "DISCARD is not allowed: it would undo the pinned session";
    walker.refuse("STATEMENT_NOT_ALLOWED", message, { hint: POOLED });
  } else if (all && !catalog.ownRole) {
    const hint = "Use DISCARD PLANS, SEQUENCES or TEMP, RESET ALL, CLOSE ALL and DEALLOCATE ALL.";
    const message = "DISCARD ALL would also undo the role of the database session";
    walker.refuse("STATEMENT_NOT_ALLOWED", message, { hint });
  }
  return all ? { name: null, resets: null } : { name: "" };
}

export function show(
  walker: QueryWalker,
  statement: Wrapped,
  fields: Fields,
  span: Span,
): Partial<StatementSummary> {
  const name = String(fields["name"]);
  if (name === "all") return showAll(walker, statement, span);
  if (!mayShow(name)) walker.refuse("SETTING_NOT_ALLOWED", `the task may not read the setting ${name}`);
  return {};
}

/** SHOW ALL becomes a query of the settings that a task may read, with the columns and the order that SHOW has. */
function showAll(walker: QueryWalker, statement: Wrapped, span: Span): Partial<StatementSummary> {
  const settings = walker.world.relations.find("pg_catalog", "pg_settings");
  if (settings.kind !== "view") {
    walker.refuse("SETTING_NOT_ALLOWED", "the task may not read all settings");
    return {};
  }
  const sql = `SELECT name, pg_catalog.current_setting(name) AS setting, short_desc AS description
    FROM (${settings.view.query({}).sql}) AS settings ORDER BY pg_catalog.lower(name) COLLATE pg_catalog."C"`;
  walker.source.replace(span.start, span.end, sql.replaceAll(/\s+/g, " "));
  delete statement["VariableShowStmt"];
  Object.assign(statement, statementTree(walker.world.parser, sql));
  return { tag: "SHOW" };
}

const EXPLAIN_OPTIONS = new Set(
  "analyze verbose costs settings generic_plan buffers serialize wal timing summary memory format".split(" "),
);

/**
 * EXPLAIN, after its statement was walked. Estimated costs and widths come from statistics of the stored values,
 * so they are switched off where the task hides something; row counts of the rows behind a filter are refused.
 */
export function explain(walker: QueryWalker, fields: Fields, span: Span): undefined {
  const options = list(fields["options"]);
  for (const option of options) {
    const name = String(as(option, "DefElem")?.["defname"]);
    if (!EXPLAIN_OPTIONS.has(name))
      return walker.refuse("STATEMENT_NOT_ALLOWED", `EXPLAIN (${name}) is not allowed`);
  }
  const analyze = runsInside(fields);
  const views = [...walker.views].filter((view) => view.rule);
  if (analyze && (walker.hidesRows || views.some((view) => view.filter))) {
    const hint = "EXPLAIN without ANALYZE shows the plan.";
    return walker.refuse("EXPLAIN_SHOWS_ROWS", "EXPLAIN ANALYZE would count rows that the task hides", {
      hint,
    });
  }
  const partial = views.some(
    (view) =>
      view.filter || view.columns.length < view.relation.columns.length || view.columns.some((c) => c.masked),
  );
  if (partial || walker.hidesRows || walker.hidesColumns) withoutCosts(walker, fields, options, span);
}

/** EXPLAIN with ANALYZE runs its statement. */
export function runsInside(explain: Fields): boolean {
  let analyze = false;
  for (const option of list(explain["options"])) {
    const element = as(option, "DefElem");
    if (element?.["defname"] === "analyze") analyze = !/^(off|false|0)$/i.test(optionValue(element) ?? "on");
  }
  return analyze;
}

function optionValue(element: Fields): string | null {
  const arg = element["arg"];
  const type = typeOf(arg);
  if (type === null) return null;
  const value = (arg as Wrapped)[type]!;
  return String(value["sval"] ?? value["ival"] ?? value["fval"] ?? value["boolval"] ?? "");
}

function withoutCosts(
  walker: QueryWalker,
  fields: Fields,
  options: readonly unknown[],
  span: Span,
): undefined {
  const { source } = walker;
  const words = tokens(source.text, span.start, span.end);
  const costs: Wrapped = {
    DefElem: { defname: "costs", arg: { String: { sval: "off" } }, defaction: "DEFELEM_UNSPEC" },
  };
  const second = words[1];
  if (words[0]?.value !== "explain" || !second)
    return walker.refuse("SYNTAX_NOT_ALLOWED", "EXPLAIN is not understood");
  if (second.value === "(" && options.length > 0) {
    const close = closing(source.text, second.start);
    if (close === null) return walker.refuse("SYNTAX_NOT_ALLOWED", "EXPLAIN is not understood");
    source.insert(close - 1, ", COSTS off");
  } else {
    // EXPLAIN [ANALYZE] [VERBOSE]: both forms may not be mixed, so all become the one with parentheses.
    const old = options.map((option) => String(as(option, "DefElem")?.["defname"]));
    const last = words[old.length];
    source.replace(
      second.start,
      old.length > 0 ? last!.end : second.start,
      `(${[...old, "COSTS off"].join(", ")})${old.length > 0 ? "" : " "}`,
    );
  }
  fields["options"] = [...options, costs];
}

const COPY_OPTIONS = new Set([
  "format",
  "delimiter",
  "null",
  "header",
  "quote",
  "escape",
  "force_quote",
  "encoding",
]);

/** COPY … TO STDOUT. */
export function copyOut(walker: QueryWalker, fields: Fields, span: Span): undefined {
  if (fields["is_program"] || fields["filename"] !== undefined) {
    return walker.refuse(
      "COPY_NOT_ALLOWED",
      "COPY may only write to STDOUT, not to a file or program of the server",
    );
  }
  if (!checkCopyOptions(walker, fields, COPY_OPTIONS)) return;
  if (fields["query"]) {
    if (typeOf(fields["query"]) !== "SelectStmt")
      return walker.refuse("COPY_NOT_ALLOWED", "COPY may only read a query");
    return walker.node(fields["query"], OUTERMOST);
  }
  moveBinary(walker, fields, span);
  copyRelation(walker, fields, fields["relation"] as Fields);
}

/** `COPY BINARY t TO STDOUT`, a form that a query cannot have, becomes `COPY … TO STDOUT BINARY`. */
function moveBinary(walker: QueryWalker, fields: Fields, span: Span): undefined {
  const words = tokens(walker.source.text, span.start, span.end);
  const word = words[1];
  if (word?.kind !== "name" || word.value !== "binary" || list(fields["options"]).length !== 1) return;
  walker.source.replace(word.start, word.end, "");
  walker.source.insert(words.at(-1)!.end, " BINARY");
}

export function checkCopyOptions(walker: QueryWalker, fields: Fields, allowed: ReadonlySet<string>): boolean {
  for (const option of list(fields["options"])) {
    const element = as(option, "DefElem");
    const name = String(element?.["defname"]);
    const utf8 = name !== "encoding" || /^(utf-?8|unicode)$/i.test(optionValue(element!) ?? "");
    if (allowed.has(name) && utf8) continue;
    walker.refuse("COPY_NOT_ALLOWED", `the COPY option ${name} is not allowed`);
    return false;
  }
  return true;
}

/** `COPY t (a, b) TO STDOUT` becomes `COPY (SELECT a, b FROM (view) AS t) TO STDOUT`. */
function copyRelation(walker: QueryWalker, fields: Fields, relation: Fields): undefined {
  const { world, source } = walker;
  const at = location(relation);
  if (isOwnTable(world, relation, null)) return useOwnTable(walker, relation);
  const place = walker.world.resolve(relation);
  const found = place ? world.relations.find(place.schema, place.name) : null;
  if (!place || !found || found.kind === "none") {
    return walker.refuse(
      ...world.notGranted(place ?? { schema: "", name: String(relation["relname"]) }, "select", at),
    );
  }
  if (found.kind === "problem")
    return walker.refuse(found.problem.code, found.problem.message, { at, rule: found.problem.rule });
  if (found.kind === "whole") {
    if (relation["schemaname"] === undefined) {
      relation["schemaname"] = place.schema;
      source.insert(source.index(at), `${place.schema}.`);
    }
    return;
  }
  const { view } = found;
  const parts = ["catalogname", "schemaname", "relname"].filter((key) => relation[key] !== undefined).length;
  const name = source.name(at, parts);
  if (!name)
    return walker.refuse("SYNTAX_NOT_ALLOWED", "the relation's name is not written plainly here", { at });
  const given = names(fields["attlist"]) ?? [];
  // The server's own words for a list of columns, which a query would get others for.
  const repeated = given.find((column, index) => given.indexOf(column) !== index);
  const unknown = given.find((column) => !view.columns.some((one) => one.name === column));
  if (unknown !== undefined) {
    return walker.refuse("COLUMN_UNKNOWN", `column "${unknown}" of relation "${view.name}" does not exist`, {
      sqlstate: "42703",
    });
  }
  if (repeated !== undefined) {
    return walker.refuse("COLUMN_REPEATED", `column "${repeated}" specified more than once`, {
      sqlstate: "42701",
    });
  }
  let end = name.at(-1)!.end;
  if (given.length > 0) {
    const close = closing(source.text, skipSpace(source.text, end));
    if (close === null) return walker.refuse("SYNTAX_NOT_ALLOWED", "COPY is not understood here", { at });
    end = close;
  }
  // COPY reads a plain table without its children, and leaves generated columns out.
  const columns =
    given.length > 0 ? given : view.columns.filter((c) => !c.column.generated).map((c) => c.name);
  const query = view.query({ only: view.relation.kind === "r" });
  const sql = `SELECT ${columns.map(quoteName).join(", ")} FROM (${query.sql}) AS ${quoteName(view.name)}`;
  const parsed = world.parser.parse(sql);
  if (!parsed.ok) return walker.refuse("SYNTAX_NOT_ALLOWED", "COPY is not understood here", { at });
  if (view.rule) walker.relations.add(`${view.schema}.${view.name}`);
  walker.views.add(view);
  source.replace(name[0]!.start, end, `(${sql})`);
  delete fields["relation"];
  delete fields["attlist"];
  fields["query"] = parsed.tree.stmts![0]!.stmt;
}

/** The name of a statement in PREPARE, EXECUTE and DEALLOCATE; those of the gate's own are not the client's to use. */
export function statementNamed(walker: QueryWalker, fields: Fields): string {
  const name = nameOf(fields, "name");
  if (name.startsWith(RESERVED_NAME)) {
    const hint = `Names that begin with ${RESERVED_NAME} are the gate's own: take another one.`;
    walker.refuse("NAME_TAKEN", `a prepared statement may not be called ${quoteName(name)} here`, { hint });
  }
  return name;
}

/** The name of a prepared statement or cursor. */
export function nameOf(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === "string" ? value : (text(value) ?? "");
}
