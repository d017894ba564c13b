/**
 * Checks on what is written: the new row must be one of the rule's rows, and a masked value may not be written
 * back over the real one. A breach makes the server raise an error whose text scrub.ts turns into ours.
 */
import type { CatalogColumn } from "./catalog-types.ts";
import { DETECTED } from "./detectors.ts";
import { maskExpression } from "./masks.ts";
import { quoteName, quoteText } from "./names.ts";
import type { RowFilter } from "./row-filter.ts";
import { CHECK_MARKER, MASKED_MARKER } from "./scrub.ts";
import { HOLE } from "./template.ts";
import type { TaskView } from "./views.ts";

/** One condition on a new row, over some of its columns. */
export interface WriteCheck {
  /** Columns of the new row that it reads. */
  readonly columns: readonly string[];
  /** The condition as SQL. */
  render(column: (name: string) => string): string;
  /** What the error says when it does not hold. */
  readonly marker: string;
}

/** The row filters as checks, one for each part that AND joins. */
export function filterChecks(filters: readonly { filter: RowFilter; rule: string }[]): WriteCheck[] {
  return filters.flatMap(({ filter, rule }) =>
    filter.conjuncts.map((part) => ({
      columns: part.columns,
      render: (column: (name: string) => string) => part.render(column),
      marker: `${CHECK_MARKER}${rule}]`,
    })),
  );
}

/**
 * A value that is its own mask is the mask written back. Not for masks whose values are ordinary ones too (the
 * first day of a year, a round number).
 */
export function maskChecks(view: TaskView | null): WriteCheck[] {
  if (!view?.rule) return [];
  const { rule } = view;
  const out: WriteCheck[] = [];
  for (const { name, masked, column } of view.columns) {
    const mask = rule.mask[name];
    if (!masked) continue;
    const marker = `${MASKED_MARKER}${name}]`;
    const text = (value: string) => `(${value})::pg_catalog.text`;
    if (!mask) {
      const render = (ref: (name: string) => string) =>
        `${text(ref(name))} IS NULL OR ${text(ref(name))} OPERATOR(pg_catalog.!~) ${quoteText(DETECTED.source)}`;
      out.push({ columns: [name], marker, render });
      continue;
    }
    if (mask.kind === "constant" || mask.kind === "email" || mask.kind === "keep") {
      out.push({
        columns: [name],
        marker,
        render: (ref) => {
          const value = ref(name);
          const made = maskExpression(mask, column, value);
          return made.ok
            ? `${text(value)} IS NULL OR ${text(value)} OPERATOR(pg_catalog.<>) ${text(made.sql)}`
            : "false";
        },
      });
    } else if (mask.kind === "token" && column.category === "S") {
      out.push({
        columns: [name],
        marker,
        render: (ref) =>
          `${text(ref(name))} IS NULL OR ${text(ref(name))} OPERATOR(pg_catalog.!~) '^tok_[0-9a-f]{12,32}$'`,
      });
    }
  }
  return out;
}

/** The column's type without a length, so that the assignment itself still checks the length. */
export function looseType(column: CatalogColumn): string {
  const type = column.baseType ?? column.type;
  const array = /(\[\])*$/.exec(type)![0];
  const bare = type.slice(0, type.length - array.length);
  const plain = /^character varying\(\d+\)$/.test(bare)
    ? "character varying"
    : /^character\(\d+\)$/.test(bare)
      ? "pg_catalog.bpchar"
      : /^numeric\(/.test(bare)
        ? "numeric"
        : /^bit( varying)?\(/.test(bare)
          ? "pg_catalog.varbit"
          : bare.replace(/^(timestamp|time)\(\d\)/, "$1");
  return plain + array;
}

/** An expression that always fails when it is evaluated, of the column's type. It must not be a constant. */
function failure(marker: string, type: string): string {
  return `((pg_catalog.concat(${quoteText(marker)})::pg_catalog.int4)::pg_catalog.text)::${type}`;
}

const VALUE = "wicket_value";

/**
 * The user's new value of one column, checked; evaluated once. The hole stands for the user's expression.
 * @param others how to write the row's other columns; null when there are none to refer to
 */
export function checkedValue(
  column: CatalogColumn,
  checks: readonly WriteCheck[],
  others: ((name: string) => string) | null,
): string {
  const type = looseType(column);
  const value = `${VALUE}.${quoteName(column.name)}`;
  const ref = (name: string) => (name === column.name ? value : (others?.(name) ?? value));
  const branches = checks.map(
    (check) => `WHEN (${check.render(ref)}) IS NOT TRUE THEN ${failure(check.marker, type)}`,
  );
  return (
    `(SELECT CASE ${branches.join(" ")} ELSE ${value} END ` +
    `FROM (SELECT (${HOLE})::${type} AS ${quoteName(column.name)}) AS ${VALUE})`
  );
}

/** The select list over a source of new rows `wicket_value`, each column checked by what reads it last. */
export function checkedColumns(columns: readonly CatalogColumn[], checks: readonly WriteCheck[]): string[] {
  const ref = (name: string) => `${VALUE}.${quoteName(name)}`;
  return columns.map((column, index) => {
    const value = `(${ref(column.name)})::${looseType(column)}`;
    // Every check stands at one column, so that each is made once for a row.
    if (index > 0 || checks.length === 0) return value;
    const branches = checks.map((check) => {
      const typed = (name: string) =>
        `(${ref(name)})::${looseType(columns.find((other) => other.name === name)!)}`;
      return `WHEN (${check.render(typed)}) IS NOT TRUE THEN ${failure(check.marker, looseType(column))}`;
    });
    return `CASE ${branches.join(" ")} ELSE ${value} END`;
  });
}

/** The name of the source of new rows in `checkedColumns`. */
export const VALUE_SOURCE = VALUE;

/** A condition of COPY … WHERE that fails instead of leaving a row out. */
export function failingCondition(checks: readonly WriteCheck[]): string {
  const branches = checks.map(
    (check) =>
      `WHEN (${check.render(quoteName)}) IS NOT TRUE THEN ${failure(check.marker, "pg_catalog.bool")}`,
  );
  return `CASE ${branches.join(" ")} ELSE true END`;
}

/** True for a check that keeps masks from being written back, which needs no value where none is given. */
export function isMaskCheck(check: WriteCheck): boolean {
  return check.marker.startsWith(MASKED_MARKER);
}
