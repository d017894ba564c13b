/** COPY … FROM STDIN: granted columns, and a condition that fails where a row breaks a rule. */
import type { StatementSummary } from "./decision.ts";
import { quoteName } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { checkCopyOptions } from "./session-statements.ts";
import { expressionTree } from "./template.ts";
import { isOwnTable, useOwnTable } from "./temporary.ts";
import { type Fields, list, location, text } from "./tree.ts";
import { failingCondition, isMaskCheck } from "./write-check.ts";
import {
  checkColumns,
  targetChecks,
  targetFilters,
  writableColumns,
  writeRule,
  writeTarget,
} from "./write-target.ts";

const COPY_IN_OPTIONS = new Set(
  "format delimiter null default header quote escape force_not_null force_null encoding".split(" "),
);

/** COPY … FROM STDIN. */
export function copyIn(walker: QueryWalker, fields: Fields): Partial<StatementSummary> {
  const done = { effect: "write", copyIn: true } as const;
  if (fields["is_program"] || fields["filename"] !== undefined) {
    walker.refuse(
      "COPY_NOT_ALLOWED",
      "COPY may only read from STDIN, not from a file or program of the server",
    );
    return done;
  }
  if (!checkCopyOptions(walker, fields, COPY_IN_OPTIONS)) return done;
  const relation = fields["relation"] as Fields;
  if (isOwnTable(walker.world, relation, null) && !fields["whereClause"]) {
    useOwnTable(walker, relation);
    walker.keepsOwn = true;
    return done;
  }
  walker.changes = true;
  const target = writeTarget(walker, "copy", relation);
  const rule = target && writeRule(walker, "copy", target.relation, location(relation));
  if (!target || !rule) return done;
  if (fields["whereClause"]) {
    walker.refuse("COPY_NOT_ALLOWED", "COPY … WHERE is not allowed");
    return done;
  }
  const given = list(fields["attlist"]).map((node) => text(node) ?? "");
  if (!checkColumns(walker, rule, target.relation, given)) return done;
  const columns =
    given.length > 0
      ? given
      : writableColumns(rule, target.relation)
          .filter((c) => !c.generated)
          .map((c) => c.name);
  if (given.length === 0) {
    walker.source.insert(target.nameEnd, ` (${columns.map(quoteName).join(", ")})`);
    fields["attlist"] = columns.map((sval) => ({ String: { sval } }));
  }
  const checks = targetChecks(target, targetFilters(walker, target, rule));
  const missing = checks
    .filter((check) => !isMaskCheck(check))
    .flatMap((check) => check.columns)
    .find((name) => !columns.includes(name));
  if (missing !== undefined) {
    walker.refuse("ROW_RULE_VIOLATED", `column ${missing} must be given, because the row rule checks it`, {
      rule: rule.at,
    });
    return done;
  }
  const applied = checks.filter((check) => check.columns.every((name) => columns.includes(name)));
  const same = walker.world.relations.targetRowCheck(target.relation, columns);
  const conditions = [same, applied.length > 0 ? failingCondition(applied) : null];
  const sql = conditions.filter((part) => part !== null).join(" AND ");
  if (sql !== "") {
    walker.source.insert(target.clauses.end, ` WHERE ${sql}`);
    fields["whereClause"] = expressionTree(walker.world.parser, sql);
  }
  return done;
}
