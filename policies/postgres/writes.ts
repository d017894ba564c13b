/** Statements that change data. */
import type { StatementSummary } from "./decision.ts";
import type { QueryWalker } from "./query.ts";
import type { Scope } from "./scope.ts";
import type { Span } from "./session-statements.ts";
import type { Fields } from "./tree.ts";

export function write(
  walker: QueryWalker,
  type: string,
  fields: Fields,
  scope: Scope,
): Partial<StatementSummary> {
  void type, fields, scope;
  walker.refuse("WRITE_NOT_ALLOWED", "the task may not change data");
  return {};
}

export function truncate(walker: QueryWalker, fields: Fields): void {
  void fields;
  walker.refuse("WRITE_NOT_ALLOWED", "the task may not change data");
}

export function copyIn(walker: QueryWalker, fields: Fields, span: Span): Partial<StatementSummary> {
  void fields, span;
  walker.refuse("WRITE_NOT_ALLOWED", "the task may not change data");
  return {};
}
