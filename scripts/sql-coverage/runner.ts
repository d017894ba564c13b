/**
 * Runs the suite on one server in order, as pg_regress does, and each SELECT twice more: as it is and through a
 * gate whose task grants everything that the statement names, both in a transaction that is rolled back.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildCatalog, type CatalogRow, catalogQueries } from "../../policies/postgres/catalog.ts";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import { quoteText } from "../../policies/postgres/names.ts";
import type { Parser } from "../../policies/postgres/parser.ts";
import { type Fields, list, names, typeOf } from "../../policies/postgres/tree.ts";
import type { Task } from "../../policies/task.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { CoverageSession, fieldsOf, type Message, rowOf } from "./session.ts";
import { type Piece, pieces, type Suite } from "./suite.ts";

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly sql: string;
}

export type Outcome =
  | { readonly kind: "equal" }
  /** Two direct runs differ from each other. */
  | { readonly kind: "unrepeatable" }
  /** The suite had set another role or search path, which no session through the gate can. */
  | { readonly kind: "elsewhere" }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  | { readonly kind: "different"; readonly why: string };

export interface Findings {
  statements: number;
  /** Statements that the server takes and the parser does not. */
  unparsed: Place[];
  parsed: number;
  /** Statements that the server refuses as a syntax error. */
  invalid: number;
  /** Of those, that the parser takes. */
  lenient: Place[];
  selects: (Place & { readonly outcome: Outcome })[];
}

/** Nothing of this changes what a later statement means. */
const HARMLESS =
  /^(SelectStmt|ExplainStmt|VariableSetStmt|VariableShowStmt|TransactionStmt|CopyStmt|InsertStmt|UpdateStmt|DeleteStmt|FetchStmt)$/;
const OPTIONS = [
  "-c datestyle=Postgres,MDY -c timezone=PST8PDT -c intervalstyle=postgres_verbose",
  "-c search_path=public,pg_temp -c statement_timeout=30s -c client_min_messages=error -c extra_float_digits=1",
].join(" ");

export class SuiteRun {
  readonly #suite: Suite;
  readonly #port: number;
  readonly #parser: Parser;
  readonly #sample: number;
  #seen = 0;
  readonly findings: Findings = {
    statements: 0,
    unparsed: [],
    parsed: 0,
    invalid: 0,
    lenient: [],
    selects: [],
  };
  #session: CoverageSession = null as never;
  #variables = new Map<string, string>();
  #catalogs = new Map<string, Catalog>();

  /** @param sample of how many SELECTs one is compared; the others only run */
  constructor(suite: Suite, port: number, parser: Parser, sample = 1) {
    this.#sample = sample;
    this.#suite = suite;
    this.#port = port;
    this.#parser = parser;
  }

  async file(name: string): Promise<void> {
    const source = readFileSync(join(this.#suite.folder, "sql", name), "utf8");
    await this.#open();
    this.#variables = new Map([
      ["DBNAME", "regression"],
      ["USER", "postgres"],
    ]);
    /** psql's \if, one entry a level: whether its branch runs. */
    const branches: boolean[] = [];
    for (const piece of pieces(source, (key) => this.#variables.get(key) ?? null)) {
      if (this.#session.closed) await this.#open();
      const [, word = ""] = /^\\(\w+)/.exec(piece.command ?? "") ?? [];
      if (word === "if") branches.push(/\\if\s+(true|on|1|yes)\b/i.test(piece.command!));
      else if (word === "else" || word === "elif") branches[branches.length - 1] = !branches.at(-1);
      else if (word === "endif") branches.pop();
      else if (!branches.includes(false)) {
        if (word === "quit" || word === "q") break;
        await this.#piece(name, piece).catch((error: unknown) => {
          if (!this.#session.closed) throw error;
        });
      }
    }
    await this.#session.close();
  }

  async #open(database = "regression"): Promise<void> {
    // The old session lets go of its locks first.
    await this.#session?.close();
    this.#session = await CoverageSession.open(this.#port, database, OPTIONS);
    this.#catalogs.clear();
  }

  async #piece(file: string, piece: Piece): Promise<void> {
    const { command, text, line } = piece;
    const run = () => this.#statement({ file, line, sql: text }, piece.data);
    if (command === null) {
      if (text !== "") await run();
      return;
    }
    const [, word = "", rest = ""] = /^\\(\w+)\s*([\s\S]*)$/.exec(command) ?? [];
    if (word === "set") {
      const [key = "", ...values] = rest.match(/'(?:[^']|'')*'|:'\w+'|:\w+|[^\s]+/g) ?? [];
      this.#variables.set(key, values.map((value) => this.#value(value)).join(""));
    } else if (word === "unset") this.#variables.delete(rest.trim());
    else if (word === "getenv") {
      const [key = "", from = ""] = rest.split(/\s+/);
      const known: Record<string, string> = {
        PG_ABS_SRCDIR: this.#suite.folder,
        PG_LIBDIR: "/nowhere",
        PG_DLSUFFIX: ".so",
        PG_ABS_BUILDDIR: this.#suite.folder,
      };
      if (known[from] !== undefined) this.#variables.set(key, known[from]);
    } else if (word === "c" || word === "connect") await this.#open();
    else if (text !== "" && (word === "gset" || word === "gexec")) {
      const rows = await run();
      const columns = columnsOf(rows);
      const found = rows.filter((one) => one.type === "D").map(rowOf);
      if (word === "gset") {
        for (const [index, key] of columns.entries()) {
          const value = found[0]?.[index] ?? null;
          if (value !== null) this.#variables.set(rest.trim() + key, value);
        }
      } else for (const cell of found.flat()) if (cell !== null) await this.#session.direct(cell);
      if (word === "gexec") this.#catalogs.clear();
    } else if (text !== "" && /^(g|gx|gdesc|crosstabview|watch)$/.test(word)) await run();
  }

  #value(word: string): string {
    const variable = /^:'?(\w+)'?$/.exec(word);
    if (variable) return this.#variables.get(variable[1]!) ?? "";
    return word.startsWith("'") ? word.slice(1, -1).replaceAll("''", "'") : word;
  }

  async #statement(place: Place, data: string | null): Promise<Message[]> {
    const { findings } = this;
    findings.statements += 1;
    const parsed = this.#parser.parse(place.sql);
    const statements = parsed.ok ? (parsed.tree.stmts ?? []) : [];
    const only = statements.length === 1 ? statements[0]!.stmt : null;
    const select = only?.["SelectStmt"];
    if (select && !intoClause(select) && this.#session.status !== "E" && this.#seen++ % this.#sample === 0) {
      findings.selects.push({
        ...place,
        outcome: this.#session.plain ? await this.#compare(place.sql, select) : { kind: "elsewhere" },
      });
    }
    const permanent = statements.some(({ stmt }) => JSON.stringify(stmt).includes('"relpersistence":"t"'))
      ? withoutTemp(place.sql)
      : null;
    let answer = permanent === null ? [] : await this.#session.direct(permanent, data);
    if (permanent === null || answer.some(({ type }) => type === "E"))
      answer = await this.#session.direct(place.sql, data);
    const error = answer.find((message) => message.type === "E");
    const invalid =
      error !== undefined &&
      fieldsOf(error)["C"] === "42601" &&
      /syntax error|unterminated/.test(fieldsOf(error)["M"] ?? "");
    if (invalid) findings.invalid += 1;
    if (parsed.ok) findings.parsed += 1;
    if (!parsed.ok && !error) findings.unparsed.push(place);
    if (parsed.ok && invalid) findings.lenient.push(place);
    if (!parsed.ok || statements.some(({ stmt }) => !HARMLESS.test(typeOf(stmt) ?? "") || intoClause(stmt)))
      this.#catalogs.clear();
    return answer;
  }

  async #compare(sql: string, select: Fields): Promise<Outcome> {
    const session = this.#session;
    const started = session.status === "I";
    const before = started ? "BEGIN; SAVEPOINT wicket" : "SAVEPOINT wicket";
    const again = "ROLLBACK TO SAVEPOINT wicket";
    await session.direct(before);
    const finish = () => session.direct(started ? "ROLLBACK" : `${again}; RELEASE SAVEPOINT wicket`);
    try {
      const named = namesOf(select);
      const all = await this.#everything(named);
      if (!all) return { kind: "unrepeatable" };
      const { task, catalog } = all;
      const decider = createDecider({ task, catalog, parser: this.#parser });
      const decision = decider.decide(sql);
      if (decision.effect !== "allow")
        return { kind: "refused", code: decision.reason, message: decision.message };
      const first = await session.direct(sql);
      await session.direct(again);
      const shown = await session.gated(sql, task, catalog, decider);
      await session.direct(again);
      const why = difference(first, shown);
      if (why === null) return { kind: "equal" };
      const second = await session.direct(sql);
      return difference(first, second) === null ? { kind: "different", why } : { kind: "unrepeatable" };
    } finally {
      if (!session.closed) await finish();
    }
  }

  /** A task that grants all of what a statement names, and the catalog for it; null when it cannot be read here. */
  async #everything(named: Named): Promise<{ task: Task; catalog: Catalog } | null> {
    const tables = [...named.relations].map(([schema, name]) => ({ schema: schema || "public", name }));
    const functions = [...named.functions].map(([schema, name]) => `${schema || "public"}.${name}`);
    const task = sqlTask(
      tables.flatMap(({ schema, name }) => [
        { schema, relation: name },
        // FOR UPDATE asks for a rule that may change the rows.
        { verb: "update" as const, schema, relation: name },
      ]),
      { functions },
    );
    const key = JSON.stringify([tables, functions]);
    let catalog = this.#catalogs.get(key);
    if (!catalog) {
      const rows: Record<string, CatalogRow[]> = {};
      for (const query of catalogQueries(tables, functions)) {
        const found = await this.#rows(query.text, query.values);
        if (!found) return null;
        rows[query.name] = found;
      }
      catalog = buildCatalog(rows);
      this.#catalogs.set(key, catalog);
    }
    return { task, catalog };
  }

  /** Rows as JSON, read on the session itself, which may have changed the schema in its transaction. */
  async #rows(text: string, values: readonly (readonly string[])[]): Promise<CatalogRow[] | null> {
    const array = (index: number) =>
      `ARRAY[${(values[index] ?? []).map(quoteText).join(", ")}]::pg_catalog.text[]`;
    const sql = text.replace(/\$(\d)::pg_catalog\.text\[\]/g, (_whole, index) => array(Number(index) - 1));
    const answer = await this.#session.direct(
      `SELECT COALESCE(pg_catalog.json_agg(q), '[]')::pg_catalog.text FROM (${sql}) AS q`,
    );
    const row = answer.find((message) => message.type === "D");
    // The suite also breaks catalogs on purpose.
    if (!row) return null;
    return JSON.parse(rowOf(row)[0]!) as CatalogRow[];
  }
}

interface Named {
  readonly relations: ReadonlySet<readonly [string, string]>;
  readonly functions: ReadonlySet<readonly [string, string]>;
}

/** Relations and functions that a statement names. */
function namesOf(statement: unknown): Named {
  const relations = new Map<string, readonly [string, string]>();
  const functions = new Map<string, readonly [string, string]>();
  const look = (value: unknown): undefined => {
    if (Array.isArray(value)) for (const entry of value) look(entry);
    else if (typeof value === "object" && value !== null) {
      const fields = value as Fields;
      if (typeof fields["relname"] === "string") {
        const schema = String(fields["schemaname"] ?? "");
        relations.set(`${schema}.${fields["relname"]}`, [schema, fields["relname"]]);
      }
      const call = names(list(fields["funcname"]));
      if (call && call.length > 0)
        functions.set(call.join("."), [call.length > 1 ? call.at(-2)! : "", call.at(-1)!]);
      for (const key in fields) look(fields[key]);
    }
  };
  look(statement);
  return { relations: new Set(relations.values()), functions: new Set(functions.values()) };
}

/** A task names no temporary tables, so that those of the suite are made as plain ones, and dropped with their session's. */
function withoutTemp(sql: string): string | null {
  const made = sql.replace(
    /\b(create\s+(?:or\s+replace\s+)?|\binto\s+)(?:local\s+)?temp(?:orary)?\s+/i,
    "$1",
  );
  return made === sql || /on\s+commit/i.test(sql) ? null : made;
}

function intoClause(value: unknown): boolean {
  return JSON.stringify(value).includes('"intoClause"');
}

function columnsOf(answer: readonly Message[]): string[] {
  const message = answer.find((one) => one.type === "T");
  if (!message) return [];
  const out: string[] = [];
  let at = 2;
  for (let n = message.body.readInt16BE(0); n > 0; n--) {
    const end = message.body.indexOf(0, at);
    out.push(message.body.toString("utf8", at, end));
    at = end + 19;
  }
  return out;
}

/**
 * The first difference of two answers; null when they are the same: rows and their description byte for byte, errors
 * by their SQLSTATE, because the words of some are replaced by design.
 */
function difference(left: readonly Message[], right: readonly Message[]): string | null {
  const kept = (all: readonly Message[]) => all.filter(({ type }) => "TDCEI".includes(type));
  const [mine, theirs] = [kept(left), kept(right)];
  const error = (all: readonly Message[]) => {
    const found = all.find(({ type }) => type === "E");
    const fields = found ? fieldsOf(found) : null;
    return fields ? `${fields["C"]}` : null;
  };
  if (error(mine) !== error(theirs)) return `error ${error(mine)} | ${error(theirs)}`;
  if (error(mine) !== null) return null;
  const [a, b] = [mine.filter(({ type }) => type === "D"), theirs.filter(({ type }) => type === "D")];
  const head = (all: readonly Message[]) =>
    Buffer.concat(all.filter(({ type }) => type === "T").map(({ body }) => body));
  if (!head(mine).equals(head(theirs))) return headDifference(head(mine), head(theirs));
  if (a.length !== b.length) return `${a.length} rows | ${b.length} rows`;
  const index = a.findIndex((message, at) => !message.body.equals(b[at]!.body));
  if (index < 0) return null;
  const sorted = (all: readonly Message[]) => all.map(({ body }) => body.toString("latin1")).sort();
  const [x, y] = [sorted(a), sorted(b)];
  if (x.every((row, at) => row === y[at]))
    return "the same rows in another order, and the statement asks for none";
  return `row ${index}: ${JSON.stringify(rowOf(a[index]!)).slice(0, 100)} | ${JSON.stringify(rowOf(b[index]!)).slice(0, 100)}`;
}

/** What of a RowDescription differs: PostgreSQL's message format 'T'. */
function headDifference(left: Buffer, right: Buffer): string {
  const read = (body: Buffer) => {
    const out: { name: string; origin: string; type: number; rest: string }[] = [];
    let at = 2;
    for (let n = body.length > 0 ? body.readInt16BE(0) : 0; n > 0; n--) {
      const end = body.indexOf(0, at);
      const origin = `${body.readUInt32BE(end + 1)}.${body.readInt16BE(end + 5)}`;
      out.push({
        name: body.toString("utf8", at, end),
        origin,
        type: body.readUInt32BE(end + 7),
        rest: body.toString("hex", end + 11, end + 19),
      });
      at = end + 19;
    }
    return out;
  };
  const [a, b] = [read(left), read(right)];
  if (a.length !== b.length) return `${a.length} columns | ${b.length} columns`;
  for (const [index, column] of a.entries()) {
    const other = b[index]!;
    if (column.name !== other.name) return `column ${column.name} | ${other.name}`;
    if (column.type !== other.type)
      return other.type === 2249 || other.type === 2287
        ? "a whole row is of type record"
        : `type of ${column.name}: ${column.type} | ${other.type}`;
    if (column.origin !== other.origin) return `the description says no table for a column of one`;
    if (column.rest !== other.rest) return `the length in the type of ${column.name}`;
  }
  return "the description";
}
