/**
 * The second wall: RowDescription says which table and column each output column comes from. A column that
 * the task masks or does not grant must never appear there by itself, whatever the decider thought.
 */
import type { Task } from "../task.ts";
import type { Catalog } from "./catalog-types.ts";
import { isMasked } from "./views.ts";

/** Object ids below this belong to PostgreSQL itself (FirstNormalObjectId): its catalogs and information_schema. */
export const FIRST_NORMAL_OID = 16384;

/** Catalogs that hold credentials or data of others: never shown, under any task. */
const closedCatalogs = new Map([
  [1260, "pg_authid"],
  [1418, "pg_user_mapping"],
  [2613, "pg_largeobject"],
  [2619, "pg_statistic"],
  [3429, "pg_statistic_ext_data"],
]);

/** Numbers of ctid, xmin, cmin, xmax, cmax and tableoid (`access/sysattr.h`): facts of a row, not of its values. */
const systemColumns = [-1, -2, -3, -4, -5, -6];

/** By table oid: the column numbers that may appear. */
export type Origins = ReadonlyMap<number, ReadonlySet<number>>;

/** What the task shows of the database in the clear. A column masked by any rule is not in it. */
export function visibleOrigins(task: Task, catalog: Catalog | null): Origins {
  const origins = new Map<number, Set<number>>();
  for (const relation of catalog?.relations ?? []) {
    const rules = task.rules.filter(
      (rule) => rule.schema === relation.schema && rule.relation === relation.name,
    );
    if (rules.length === 0) continue;
    const numbers = new Set<number>(systemColumns);
    for (const column of relation.columns) {
      const granted = rules.some((rule) => rule.columns === "*" || rule.columns.includes(column.name));
      const shown = [column.name, ...(column.from ?? [])];
      const masked = rules.some((rule) => shown.some((name) => isMasked(rule, name)));
      if (granted && !masked) numbers.add(column.number);
    }
    origins.set(relation.oid, numbers);
  }
  return origins;
}

/**
 * Checks the body `bytes[start … end)` of a RowDescription. Null when every column may be shown, else one
 * sentence that says what is wrong. Names are skipped, not decoded.
 * @param newest tables with a higher oid are the session's own; Infinity when it has none
 */
export function checkOrigins(
  origins: Origins,
  bytes: Uint8Array,
  start: number,
  end: number,
  newest = Number.POSITIVE_INFINITY,
): string | null {
  if (end - start < 2) return "a malformed RowDescription";
  const count = (bytes[start]! << 8) | bytes[start + 1]!;
  let at = start + 2;
  for (let i = 0; i < count; i++) {
    const nul = bytes.indexOf(0, at);
    if (nul < 0 || nul + 19 > end) return "a malformed RowDescription";
    at = nul + 1;
    const oid = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
    if (oid !== 0) {
      const number = (((bytes[at + 4]! << 8) | bytes[at + 5]!) << 16) >> 16;
      if (oid < FIRST_NORMAL_OID) {
        const closed = closedCatalogs.get(oid);
        if (closed) return `a column of ${closed}`;
      } else if (oid <= newest && !origins.get(oid)?.has(number)) {
        return `column ${number} of the table with oid ${oid}`;
      }
    }
    at += 18;
  }
  return at === end ? null : "a malformed RowDescription";
}
