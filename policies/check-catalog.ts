/** What a task says against what a database has: names that do not exist, masks that do not fit. */
import { nearest } from "./nearest.ts";
import type { Catalog, CatalogRelation } from "./postgres/catalog-types.ts";
import { detectExpression } from "./postgres/detectors.ts";
import { maskExpression } from "./postgres/masks.ts";
import { quoteName } from "./postgres/names.ts";
import type { Parser } from "./postgres/parser.ts";
import { readRowFilter } from "./postgres/row-filter.ts";
import type { Problem } from "./problem.ts";
import type { SqlRule, Task } from "./task.ts";

/** The problems of a task with a catalog of the whole database, at the lines of its rules. */
export function checkAgainstCatalog(task: Task, catalog: Catalog, parser: Parser): Problem[] {
  const problems: Problem[] = [];
  for (const rule of task.rules) {
    const complain = (code: string, message: string, fix: string | null) => {
      const [, file, line] = /^(.*):(\d+)$/.exec(rule.at)!;
      problems.push({ severity: "error", code, file: file!, line: Number(line), column: 1, message, fix });
    };
    const relation = catalog.relations.find(
      ({ schema, name }) => schema === rule.schema && name === rule.relation,
    );
    if (relation) {
      checkRule(rule, relation, complain);
      if (rule.rows === null) continue;
      const columns = new Set(relation.columns.map(({ name }) => name));
      const filter = readRowFilter(rule.rows, task.params, relation, columns, parser);
      if (!filter.ok) complain("BAD_ROWS", `this is no condition for \`rows\`: ${filter.message}`, null);
    } else {
      const full = `${rule.schema}.${rule.relation}`;
      const near = nearest(
        full,
        catalog.relations.map(({ schema, name }) => `${schema}.${name}`),
      );
      const fix = near ? `did you mean \`${near}\`?` : "remove it, or make the catalog again";
      complain("UNKNOWN_RELATION", `the database has no relation ${full}`, fix);
    }
  }
  return problems;
}

function checkRule(
  rule: SqlRule,
  relation: CatalogRelation,
  complain: (code: string, message: string, fix: string | null) => void,
): void {
  const known = new Map(relation.columns.map((column) => [column.name, column]));
  const named = [
    ...(rule.columns === "*" ? [] : rule.columns),
    ...Object.keys(rule.mask),
    ...Object.keys(rule.detect),
  ];
  for (const name of new Set(named)) {
    if (known.has(name)) continue;
    const near = nearest(name, known.keys());
    const fix = near ? `did you mean \`${near}\`?` : `it has ${[...known.keys()].join(", ")}`;
    complain("UNKNOWN_COLUMN", `${rule.schema}.${rule.relation} has no column ${name}`, fix);
  }
  for (const [name, mask] of Object.entries(rule.mask)) {
    const column = known.get(name);
    if (column === undefined) continue;
    const result = maskExpression(mask, column, quoteName(name));
    if (!result.ok) complain(result.code, result.message, "choose a mask that fits, or null");
  }
  for (const [name, kinds] of Object.entries(rule.detect)) {
    const column = known.get(name);
    if (column === undefined) continue;
    const result = detectExpression(kinds, column, quoteName(name));
    if (!result.ok) complain(result.code, result.message, "mask the column instead");
  }
}
