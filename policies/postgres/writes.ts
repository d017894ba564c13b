/**
 * Statements that change data. A target cannot be replaced by a view, so here names are resolved: expressions
 * may read granted, unmasked columns of it only; the row filter is added to the condition, and the user's own
 * condition is evaluated only on rows that pass it; new rows are checked.
 */
import type { CatalogRelation } from "./catalog-types.ts";
import type { StatementSummary } from "./decision.ts";
import { changedMarker, sameRelation } from "./definition-check.ts";
import { fromItems } from "./from-items.ts";
import { insert } from "./inserts.ts";
import { merge } from "./merges.ts";
import { qualified, quoteText } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import type { Scope } from "./scope.ts";
import type { Span } from "./session-statements.ts";
import { statementTree } from "./template.ts";
import { isOwnTable, useOwnTable, writeOwn } from "./temporary.ts";
import { as, type Fields, list, location, type Wrapped } from "./tree.ts";
import { assign, assignmentsEnd, condition, level, returning } from "./write-parts.ts";
import { targetChecks, targetFilters, writeRule, writeTarget } from "./write-target.ts";

/** INSERT, UPDATE, DELETE and MERGE, also in WITH, EXPLAIN and PREPARE. */
export function write(
  walker: QueryWalker,
  type: string,
  fields: Fields,
  outer: Scope,
): Partial<StatementSummary> {
  if (!walker.known(type, fields) || !walker.known("RangeVar", fields["relation"] as Fields)) return {};
  const scope = walker.with(fields, outer);
  if (isOwnTable(walker.world, fields["relation"] as Fields, null))
    return writeOwn(walker, type, fields, scope);
  walker.changes = true;
  if (type === "InsertStmt") insert(walker, fields, scope);
  else if (type === "UpdateStmt") update(walker, fields, scope);
  else if (type === "DeleteStmt") remove(walker, fields, scope);
  else merge(walker, fields, scope);
  return { effect: "write", returnsRows: fields["returningClause"] !== undefined };
}

/**
 * After the whole statement was walked: no masked column may be read by a statement that changes data, because
 * a mask would be stored, or a condition on it would be counted.
 */
export function checkMaskedReads(walker: QueryWalker): undefined {
  if (!walker.changes) return;
  for (const view of walker.views) {
    const column = view.rule
      ? view.columns.find((c) => c.masked && (walker.spread || walker.named.has(c.name)))
      : undefined;
    if (!column) continue;
    const hint = walker.spread ? "Name the columns instead of * or the whole row." : null;
    walker.refuse(
      "MASKED_COLUMN_IN_WRITE",
      `a statement that changes data may not read ${column.name} of ${view.schema}.${view.name}, which is masked`,
      {
        hint,
        rule: view.rule!.at,
      },
    );
  }
}

function update(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const target = writeTarget(walker, "update", fields["relation"] as Fields);
  const rule = target && writeRule(walker, "update", target.relation, location(fields["relation"] as Fields));
  if (!target || !rule) return;
  const from = list(fields["fromClause"]);
  const items = [target.item, ...fromItems(walker.world, from, scope)];
  const inside = level(scope, items, true);
  const filters = targetFilters(walker, target, rule);
  const checks = targetChecks(target, filters);
  const { clauses } = target;
  const set = clauses.find("set");
  const assignments = {
    targets: list(fields["targetList"]),
    ranges: clauses.split(set + 1, assignmentsEnd(clauses, set + 1)),
  };
  assign(walker, target, rule, assignments, checks, inside);
  walker.nodes(from, level(scope, items, false));
  condition(walker, target, fields, filters, inside, set);
  returning(walker, target, fields, items, inside);
}

function remove(walker: QueryWalker, fields: Fields, scope: Scope): undefined {
  const target = writeTarget(walker, "delete", fields["relation"] as Fields);
  const rule = target && writeRule(walker, "delete", target.relation, location(fields["relation"] as Fields));
  if (!target || !rule) return;
  const using = list(fields["usingClause"]);
  const items = [target.item, ...fromItems(walker.world, using, scope)];
  const inside = level(scope, items, true);
  const filters = targetFilters(walker, target, rule);
  walker.nodes(using, level(scope, items, false));
  condition(walker, target, fields, filters, inside, 0);
  returning(walker, target, fields, items, inside);
}

/**
 * TRUNCATE has no condition, so it becomes a block that looks at what it has emptied, and locked, afterwards; an error takes
 * all of it back.
 * @param stmt the statement's node, whose kind changes
 */
export function truncate(
  walker: QueryWalker,
  stmt: Wrapped,
  fields: Fields,
  span: Span,
): Partial<StatementSummary> {
  if (fields["behavior"] === "DROP_CASCADE")
    walker.refuse("WRITE_NOT_ALLOWED", "TRUNCATE … CASCADE would empty other tables");
  const emptied: string[] = [];
  const targets: CatalogRelation[] = [];
  for (const node of list(fields["relations"])) {
    const relation = as(node, "RangeVar") ?? {};
    if (isOwnTable(walker.world, relation, null)) {
      useOwnTable(walker, relation);
      walker.keepsOwn = true;
    } else {
      walker.changes = true;
      const target = writeTarget(walker, "truncate", relation);
      const rule = target && writeRule(walker, "truncate", target.relation, location(relation));
      if (!target || !rule) return {};
      if (rule.rows !== null || target.view?.filter) {
        const more = { hint: "Use DELETE.", rule: rule.at };
        walker.refuse("WRITE_NOT_ALLOWED", "TRUNCATE would remove rows that the task hides", more);
      }
      targets.push(target.relation);
    }
    const name = qualified(String(relation["schemaname"]), String(relation["relname"]));
    emptied.push(relation["inh"] ? name : `ONLY ${name}`);
  }
  if (walker.refused || targets.length === 0 || !walker.world.relations.checked) return {};
  if (walker.world.catalog.plpgsql === false) {
    const hint = "Use DELETE.";
    walker.refuse("WRITE_CHECK_UNSUPPORTED", "TRUNCATE needs plpgsql in the database", { hint });
  }
  const checks = targets.map(
    (relation) =>
      `PERFORM pg_catalog.concat(${quoteText(changedMarker(relation))})::pg_catalog.bool WHERE NOT (${sameRelation(relation)});`,
  );
  const identity = fields["restart_seqs"] ? " RESTART IDENTITY" : "";
  const sql = `DO ${quoteText(`BEGIN TRUNCATE TABLE ${emptied.join(", ")}${identity}; ${checks.join(" ")} END`)}`;
  walker.source.forget(span.start, span.end);
  walker.source.replace(span.start, span.end, sql);
  delete stmt["TruncateStmt"];
  Object.assign(stmt, statementTree(walker.world.parser, sql));
  return { tag: "TRUNCATE TABLE" };
}
