/**
 * The SQL cases (schema, three databases, cases.json) and their two oracles, for any way of running a statement:
 * straight through the decider, or through the whole path.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface CorpusCase {
  readonly id: string;
  readonly category: string;
  readonly sql: string;
  readonly expect: "deny" | "masked" | "allow-unmasked-free-of-pii";
  readonly params?: readonly string[];
  readonly compare_rows?: boolean;
  readonly order_insensitive?: boolean;
  readonly server_error_also_ok?: boolean;
  readonly deny_also_ok?: boolean;
  readonly expected_server_error_on_masked_value?: boolean;
  readonly must_not_contain?: string;
  readonly may_be_invalid_sql?: boolean;
  readonly do_not_execute?: boolean;
  readonly pg_max?: number;
}

export interface WireCase {
  readonly id: string;
  readonly what: string;
  readonly why: string;
  readonly expect: string;
}

/** What a statement showed: everything that a client could see of it. */
export interface Transcript {
  /** Refused by the gate, with its reason code. */
  readonly denied: string | null;
  readonly columns: readonly (readonly string[])[];
  readonly rows: readonly string[];
  readonly tags: readonly string[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly notices: readonly string[];
}

export type Database = "na" | "nb" | "nm";

/** Runs one statement on a fresh session of a database. */
export type Run = (
  database: Database,
  sql: string,
  params: readonly string[] | undefined,
) => Promise<Transcript>;

/** True for a statement after which its session is as before, so that another one may use it. */
export function leavesNoTrace(sql: string): boolean {
  return /^(select|table|values|copy|explain)\b/i.test(sql) && !/set_config|;/i.test(sql);
}

/** The folder of the cases: `WICKET_CORPUS`, or beside the repository; null when absent. */
export function corpusFolder(): string | null {
  const root = join(import.meta.dirname, "..", "..");
  const folders = [process.env["WICKET_CORPUS"], join(root, "..", "shared", "corpus")];
  return folders.find((folder) => folder !== undefined && existsSync(join(folder, "cases.json"))) ?? null;
}

export function readCorpus(folder: string): { cases: readonly CorpusCase[]; wireCases: readonly WireCase[] } {
  const read = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as {
    cases: CorpusCase[];
    wire_cases: WireCase[];
  };
  return { cases: read.cases, wireCases: read.wire_cases };
}

/** Texts that no transcript of the task may contain. */
export const CANARY = /canary|078-|666-|tok_CANARY|90000[1-5]|80000[1-5]/;

/** OIDs for `{{oid:…}}` by database. */
export type OidLookup = (database: Database, kind: "rel" | "fn" | "ns", name: string) => Promise<number>;

export async function withOids(text: string, database: Database, lookup: OidLookup): Promise<string> {
  // Some recorded statements name the database that they were recorded on.
  let out = text.replaceAll("'na'", `'${database}'`);
  for (const [whole, kind, name] of text.matchAll(/\{\{oid:(?:(fn|ns):)?([^}]+)\}\}/g)) {
    out = out.replaceAll(
      whole,
      String(await lookup(database, (kind as "fn" | "ns" | undefined) ?? "rel", name!)),
    );
  }
  return out;
}

/**
 * Why a case fails; null when it passes.
 * @param gated runs under the task
 * @param raw runs as is, on a session with the reference search path
 */
export async function judge(
  test: CorpusCase,
  gated: Run,
  raw: Run,
  oids: OidLookup,
  serverMajor: number,
): Promise<string | null> {
  const on = async (run: Run, database: Database) =>
    run(database, await withOids(test.sql, database, oids), test.params);
  const a = await on(gated, "na");
  if (test.expect === "deny") {
    if (a.denied || (test.server_error_also_ok && a.error)) return null;
    return `expected a refusal, got ${show(a)}`;
  }
  if (test.pg_max !== undefined && serverMajor > test.pg_max) return null;
  if (a.denied) return test.deny_also_ok ? null : `refused: ${a.denied} ${a.error?.message ?? ""}`;
  if (test.must_not_contain && JSON.stringify(a).includes(test.must_not_contain))
    return `contains ${test.must_not_contain}`;
  // A plan or an error may print what the statement itself says.
  if (!CANARY.test(test.sql) && CANARY.test(JSON.stringify(a))) return `shows a canary: ${show(a)}`;
  const copy = test.expect === "masked" ? "nm" : "na";
  const [b, reference] = await Promise.all([on(gated, "nb"), on(raw, copy)]);
  const interference = difference(a, b, test, true);
  if (interference) return `na and nb differ: ${interference}`;
  if (test.expect === "masked") {
    if (a.error && test.server_error_also_ok) return null;
    const unequal = difference(a, reference, test, false);
    return unequal ? `differs from the masked copy: ${unequal}` : null;
  }
  if (test.category === "shadowing") return null;
  const unequal = difference(a, reference, test, false);
  return unequal ? `differs from the raw statement: ${unequal}` : null;
}

/** The first difference of two transcripts. */
function difference(left: Transcript, right: Transcript, test: CorpusCase, sameWay: boolean): string | null {
  if (right.denied) return `one is refused: ${right.denied}`;
  const columns = (from: Transcript) => JSON.stringify(from.columns.map((list) => list.map(anonymousRecord)));
  if (columns(left) !== columns(right)) return `columns ${columns(left)} | ${columns(right)}`;
  if (left.error?.code !== right.error?.code || left.error?.message !== right.error?.message) {
    return `errors ${JSON.stringify(left.error)} | ${JSON.stringify(right.error)}`;
  }
  if (JSON.stringify(left.tags) !== JSON.stringify(right.tags) && test.compare_rows !== false)
    return `tags ${left.tags} | ${right.tags}`;
  if (JSON.stringify(left.notices) !== JSON.stringify(right.notices))
    return `notices ${left.notices} | ${right.notices}`;
  if (test.compare_rows === false) return null;
  const rows = (from: Transcript) => {
    const list = sameWay ? from.rows.map(withoutOids) : [...from.rows];
    return test.order_insensitive ? list.sort() : list;
  };
  const [mine, theirs] = [rows(left), rows(right)];
  for (let index = 0; index < Math.max(mine.length, theirs.length); index++) {
    if (mine[index] !== theirs[index]) return `row ${index}: ${mine[index]} | ${theirs[index]}`;
  }
  return null;
}

/** A whole row of a view is a record, of a table its named composite type. */
function anonymousRecord(column: string): string {
  return column.replace(/:(?:2249|2287|1[6-9]\d{3}|[2-9]\d{4,})$/, ":record");
}

/** Databases differ in object ids, and in their own name. */
function withoutOids(row: string): string {
  return row
    .replace(/(?<!\d)(1[6-9]\d{3}|[2-9]\d{4})(?!\d)/g, "#")
    .replace(/"n[abm]"/g, '"n?"')
    .replace(/\bn[abm]\b/g, "n?");
}

function show(transcript: Transcript): string {
  return JSON.stringify(transcript).slice(0, 300);
}
