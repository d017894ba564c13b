/** Runs statements under a task straight on a server: decider, rewritten text, real PostgreSQL, scrubbed answer. */
import pg from "pg";
import { buildCatalog, catalogQueries } from "../../policies/postgres/catalog.ts";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { NamedConstraints, shownColumns } from "../../policies/postgres/constraints.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { StatementDecision } from "../../policies/postgres/decision.ts";
import type { Parser } from "../../policies/postgres/parser.ts";
import { encodeOptions, startupOptions } from "../../policies/postgres/pins.ts";
import { scrubError, scrubNotice } from "../../policies/postgres/scrub.ts";
import type { Task } from "../../policies/task.ts";
import { type Database, leavesNoTrace, type OidLookup, type Run, type Transcript } from "./corpus.ts";
import { RawSession } from "./raw-session.ts";
import { decideBothWays } from "./varied.ts";

/** The key of the token mask in tests. */
export const TOKEN_KEY = new TextEncoder().encode("a token key of tests, 32 bytes!!");

export class SqlLab {
  readonly port: number;
  readonly parser: Parser;
  readonly #clients = new Map<string, Promise<pg.Client>>();

  /** Null = the catalog is read anew for each session. */
  readonly #catalogs: Map<string, Promise<Catalog>> | null;

  /** @param keepCatalogs true when nothing changes what the databases have, and all sessions have one task */
  constructor(port: number, parser: Parser, { keepCatalogs = false } = {}) {
    this.port = port;
    this.parser = parser;
    this.#catalogs = keepCatalogs ? new Map() : null;
  }

  client(database: string): Promise<pg.Client> {
    let client = this.#clients.get(database);
    if (!client) {
      client = this.#connect(database);
      this.#clients.set(database, client);
    }
    return client;
  }

  async #connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({ host: "127.0.0.1", port: this.port, user: "postgres", database });
    await client.connect();
    return client;
  }

  catalog(database: string, task: Task): Promise<Catalog> {
    const known = this.#catalogs?.get(database);
    if (known) return known;
    const read = this.#readCatalog(database, task);
    this.#catalogs?.set(database, read);
    return read;
  }

  async #readCatalog(database: string, task: Task): Promise<Catalog> {
    const client = await this.client(database);
    const relations = task.rules.map((rule) => ({ schema: rule.schema, name: rule.relation }));
    const rows: Record<string, Record<string, unknown>[]> = {};
    for (const query of catalogQueries(relations, task.functions)) {
      rows[query.name] = (await client.query(query.text, [...query.values])).rows;
    }
    return buildCatalog(rows);
  }

  /** A session of the task; statements run one after another and share its state. */
  async session(database: string, task: Task, params: Record<string, string> = {}): Promise<TaskSession> {
    const catalog = await this.catalog(database, task);
    const made = { task, catalog, parser: this.parser };
    // The other databases' sessions decide as ever, so that both ways are run and held against each other.
    const decide = database === "nb" ? createDecider(made).decide : decideBothWays(made);
    const options = encodeOptions(startupOptions(task, params, { tokenKey: TOKEN_KEY }));
    const constraints = new NamedConstraints(catalog, ({ schema, name }) =>
      shownColumns(task.rules, schema, name),
    );
    return new TaskSession(task, () => this.raw(database, options), decide, constraints);
  }

  raw(database: string, options = "-c search_path=public,pg_temp"): Promise<RawSession> {
    return RawSession.open({ host: "127.0.0.1", port: this.port, user: "postgres", database, options });
  }

  readonly oids: OidLookup = async (database, kind, name) => {
    const type = kind === "fn" ? "regproc" : kind === "ns" ? "regnamespace" : "regclass";
    const result = await (await this.client(database)).query(`SELECT $1::${type}::oid::int4 AS oid`, [name]);
    return result.rows[0].oid as number;
  };

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await (await client).end();
    this.#clients.clear();
  }
}

/** Opens the database when the first statement is allowed. */
export class TaskSession {
  readonly #task: Task;
  readonly #open: () => Promise<RawSession>;
  readonly decide: (text: string) => StatementDecision;
  readonly #constraints: NamedConstraints;
  #raw: RawSession | null = null;

  constructor(
    task: Task,
    open: () => Promise<RawSession>,
    decide: (text: string) => StatementDecision,
    constraints: NamedConstraints,
  ) {
    this.#task = task;
    this.#constraints = constraints;
    this.#open = open;
    this.decide = decide;
  }

  async run(sql: string, params?: readonly string[]): Promise<Transcript> {
    const decision = this.decide(sql);
    if (decision.effect !== "allow") {
      const error = { code: decision.sqlstate, message: decision.message };
      return { denied: decision.reason, columns: [], rows: [], tags: [], error, notices: [] };
    }
    this.#raw ??= await this.#open();
    const shown = await this.#raw.run(decision.rewritten!, params);
    const fields = shown.fields ? scrubError(shown.fields, this.#task, this.#constraints) : null;
    const notices = shown.noticeFields.flatMap((notice) => scrubNotice(notice, this.#task)?.["M"] ?? []);
    const error = fields ? { code: fields["C"]!, message: fields["M"]! } : null;
    const tags = shown.tags.map((tag, index) => decision.statements[index]?.tag ?? tag);
    return { denied: null, columns: shown.columns, rows: shown.rows, tags, error, notices };
  }

  close(): void {
    this.#raw?.close();
  }
}

interface Session {
  run(sql: string, params?: readonly string[]): Promise<Transcript>;
  close(): void;
}

/** Runs a statement on a session that is kept when the statement leaves no trace on it, else on one of its own. */
export class KeptSessions {
  readonly #open: (database: Database) => Promise<Session>;
  readonly #kept = new Map<Database, Promise<Session>>();

  constructor(open: (database: Database) => Promise<Session>) {
    this.#open = open;
  }

  readonly run: Run = async (database, sql, params) => {
    const traceless = leavesNoTrace(sql);
    const opened = (traceless && this.#kept.get(database)) || this.#open(database);
    if (traceless) this.#kept.set(database, opened);
    const session = await opened;
    const shown = await session.run(sql, params);
    if (!traceless) session.close();
    return shown;
  };

  async close(): Promise<void> {
    for (const session of this.#kept.values()) (await session).close();
  }
}
