/** Decides statement texts under one task on one database: allow with a rewritten text, hold, or deny. */
import type { SqlRule, Task } from "../task.ts";
import { checkText } from "./caps.ts";
import type { Catalog } from "./catalog-types.ts";
import { channel, unlisten } from "./channels.ts";
import { copyIn } from "./copy-in.ts";
import type { StatementDecider, StatementDecision, StatementSummary } from "./decision.ts";
import type { Parser } from "./parser.ts";
import { QueryWalker } from "./query.ts";
import { Recent } from "./recent.ts";
import { type Refusal, refusal, SYNTAX_ERROR, TOO_LARGE } from "./refusal.ts";
import { OUTERMOST, type Scope } from "./scope.ts";
import { mayHoldSecrets, redactedParts } from "./secrets.ts";
import {
  copyOut,
  explain,
  nameOf,
  putBack,
  runsInside,
  type Span,
  setting,
  show,
  statementNamed,
  transaction,
} from "./session-statements.ts";
import { ShapedDecisions } from "./shaped-decisions.ts";
import { Source } from "./source.ts";
import { STATEMENT_KINDS, statementName } from "./statements.ts";
import { createTemporary, dropTemporary } from "./temporary.ts";
import { as, type Fields, list, type RawStatement, sameTree, typeOf, type Wrapped } from "./tree.ts";
import { World } from "./world.ts";
import { checkMaskedReads, truncate, write } from "./writes.ts";

export interface DeciderOptions {
  readonly task: Task;
  readonly catalog: Catalog;
  readonly parser: Parser;
  /** Decisions kept, by text; default 500. */
  readonly cacheSize?: number;
  /** For texts that are only looked at: leaves out the check that a table is still the one of the catalog. */
  readonly forShow?: boolean;
  /** False = each text that is not known is decided in full, also one of a known shape (shaped-decisions.ts). */
  readonly byShape?: boolean;
}

/** Texts longer than this are decided anew each time. */
const MAX_CACHED_TEXT = 16 * 1024;
/** Characters of kept texts and of what was made of them: a short text can name a table a thousand times. */
const KEPT = 4 * 1024 * 1024;
const KEPT_BY_SHAPE = 1024 * 1024;

/** Cursors that a session's decider remembers; past it the oldest is no more known. */
const MAX_CURSORS = 4096;

/** A decider for one session: it remembers which cursors the session declared. */
export function createDecider(options: DeciderOptions): StatementDecider {
  const world = new World(options.task, options.catalog, options.parser, !options.forShow);
  const known = new Recent<StatementDecision>(options.cacheSize ?? 500, KEPT);
  // Texts that come once push out no others here.
  const knownByShape = new Recent<StatementDecision>(200, KEPT_BY_SHAPE);
  const cursors = new Set<string>();
  const inFull = (text: string): StatementDecision => new Deciding(world, text, cursors).decide();
  const shaped = options.byShape === false ? null : new ShapedDecisions(options.parser, inFull);

  return {
    decide(text) {
      const before = known.get(text) ?? knownByShape.get(text);
      if (before) return before;
      const ofShape = shaped?.decide(text);
      if (ofShape) {
        knownByShape.set(text, ofShape, ofShape.rewritten?.length ?? 0);
        return ofShape;
      }
      const tables = world.temporary.size;
      const decision = inFull(text);
      // What was refused may mean the new table now.
      if (world.temporary.size > tables) {
        known.clear();
        knownByShape.clear();
        shaped?.clear();
      }
      // Whether a cursor is known changes during a session.
      if (text.length <= MAX_CACHED_TEXT && decision.reason !== "CURSOR_UNKNOWN")
        known.set(text, decision, decision.rewritten?.length ?? 0);
      return decision;
    },
    bound(portal) {
      remember(cursors, portal);
    },
  };
}

function remember(cursors: Set<string>, name: string): void {
  cursors.delete(name);
  cursors.add(name);
  if (cursors.size > MAX_CURSORS) cursors.delete(cursors.values().next().value!);
}

class Deciding {
  readonly #world: World;
  readonly #text: string;
  readonly #cursors: Set<string>;
  readonly #relations = new Set<string>();
  readonly #masked = new Set<string>();
  readonly #rules = new Set<SqlRule>();
  readonly #statements: StatementSummary[] = [];
  readonly #declared: string[] = [];
  #source: Source;

  constructor(world: World, text: string, cursors: Set<string>) {
    this.#world = world;
    this.#text = text;
    this.#cursors = cursors;
    this.#source = new Source("");
  }

  decide(): StatementDecision {
    const refused = this.#look();
    if (refused) return this.#deny(refused);
    const rewritten = this.#source.edited ? this.#source.splice() : this.#text;
    for (const name of this.#declared) remember(this.#cursors, name);
    return this.#allow(rewritten!);
  }

  #look(): Refusal | null {
    if (this.#world.catalog.unsafeCasts) {
      return refusal(
        "DATABASE_UNSAFE",
        "the database has a user-defined implicit cast between built-in types, which any statement could run",
      );
    }
    const capped = checkText(this.#text);
    if (capped) return capped;
    const parsed = this.#world.parser.parse(this.#text);
    if (!parsed.ok) {
      const { error } = parsed;
      if (error.kind === "fatal") {
        return refusal("TEXT_TOO_LARGE", "the statement is too complex to be parsed", {
          sqlstate: TOO_LARGE,
        });
      }
      return { ...refusal("SYNTAX_ERROR", error.message, { sqlstate: SYNTAX_ERROR }), at: null };
    }
    const statements = parsed.tree.stmts ?? [];
    this.#source = new Source(this.#text);
    try {
      for (const statement of statements) {
        const refused = this.#statement(statement);
        if (refused) return refused;
      }
      return this.#verify(statements);
    } catch (error) {
      // A deep tree can exhaust the stack; anything else is a defect, and no reason to let a statement through.
      const message =
        error instanceof RangeError
          ? "the statement is nested too deeply"
          : `the statement could not be decided: ${String(error)}`;
      return refusal("UNDECIDED", message, { sqlstate: TOO_LARGE });
    }
  }

  /** The edited text must parse to exactly the tree that was meant. */
  #verify(meant: readonly RawStatement[]): Refusal | null {
    if (!this.#source.edited) return null;
    const text = this.#source.splice();
    const again = text === null ? null : this.#world.parser.parse(text);
    const found = again?.ok ? (again.tree.stmts ?? []) : [];
    const same =
      again?.ok &&
      found.length === meant.length &&
      found.every((entry, index) => sameTree(entry.stmt, meant[index]!.stmt));
    if (same) return null;
    return refusal("REWRITE_FAILED", "the statement is written in a way that cannot be rewritten safely", {
      hint: "Write names plainly: without Unicode escapes, and without ONLY or TABLE in unusual places.",
    });
  }

  #statement(raw: RawStatement): Refusal | null {
    const type = typeOf(raw.stmt) ?? "";
    const kind = STATEMENT_KINDS.get(type);
    const start = this.#source.index(raw.stmt_location ?? 0);
    const end = raw.stmt_len
      ? this.#source.index((raw.stmt_location ?? 0) + raw.stmt_len)
      : this.#text.length;
    if (!kind || kind.never !== null) {
      const why = kind?.never ?? "this kind of statement is not known";
      return refusal("STATEMENT_NOT_ALLOWED", `${statementName(type)} is not allowed: ${why}`, {
        at: raw.stmt_location ?? 0,
      });
    }
    const walker = new QueryWalker(this.#world, this.#source, raw.stmt);
    const summary = this.#handle(walker, type, raw.stmt, { start, end });
    for (const name of walker.cursors) this.#knowsCursor(walker, name);
    checkMaskedReads(walker);
    checkLookups(walker, type);
    this.#collect(walker);
    if (walker.refused) return walker.refused;
    this.#statements.push({
      kind: type.replace(/Stmt$/, ""),
      effect: kind.effect,
      returnsRows: false,
      copyIn: false,
      lookup: walker.lookups > 0,
      ...summary,
    });
    return null;
  }

  #handle(walker: QueryWalker, type: string, stmt: Wrapped, span: Span): Partial<StatementSummary> {
    const fields = stmt[type]!;
    if (!walker.known(type, fields)) return {};
    walker.writes = (kind, inner, scope) => {
      write(walker, kind, inner, scope);
    };
    switch (type) {
      case "SelectStmt":
        walker.select(fields, OUTERMOST);
        return { returnsRows: true, ...(hasWrite(fields) || walker.draws ? { effect: "write" } : {}) };
      case "InsertStmt":
      case "UpdateStmt":
      case "DeleteStmt":
      case "MergeStmt":
        return write(walker, type, fields, OUTERMOST);
      case "TruncateStmt":
        return truncate(walker, stmt, fields, span);
      case "CreateStmt":
      case "CreateTableAsStmt":
        return createTemporary(walker, type, fields);
      case "DropStmt":
        dropTemporary(walker, fields, span);
        return {};
      case "CopyStmt":
        if (fields["is_from"]) return copyIn(walker, fields);
        copyOut(walker, fields, span);
        return { returnsRows: true };
      case "TransactionStmt":
        transaction(walker, fields);
        return {};
      case "VariableSetStmt":
        return setting(walker, fields, span);
      case "VariableShowStmt":
        return show(walker, stmt, fields, span);
      case "ListenStmt":
      case "NotifyStmt":
        return channel(walker, type, fields);
      case "UnlistenStmt":
        return unlisten(walker);
      case "DiscardStmt":
        return putBack(walker, fields);
      case "ConstraintsSetStmt":
        if (!this.#world.writes) walker.refuse("STATEMENT_NOT_ALLOWED", "the task is read-only");
        return {};
      case "ExplainStmt": {
        walker.planOnly = !runsInside(fields);
        const inner = this.#inner(walker, fields["query"], OUTERMOST, "EXPLAIN");
        explain(walker, fields, span);
        return { effect: inner.effect ?? "read" };
      }
      case "PrepareStmt":
        walker.nodes(fields["argtypes"], OUTERMOST);
        this.#inner(walker, fields["query"], OUTERMOST, "PREPARE");
        return { name: statementNamed(walker, fields) };
      case "ExecuteStmt":
        walker.nodes(fields["params"], OUTERMOST);
        statementNamed(walker, fields);
        return { returnsRows: true };
      case "DeallocateStmt":
        return { name: fields["name"] === undefined ? null : statementNamed(walker, fields) };
      case "ClosePortalStmt":
        return { name: fields["portalname"] === undefined ? null : nameOf(fields, "portalname") };
      case "DeclareCursorStmt":
        if (typeOf(fields["query"]) !== "SelectStmt")
          walker.refuse("STATEMENT_NOT_ALLOWED", "a cursor may only read");
        else walker.node(fields["query"], OUTERMOST);
        this.#declared.push(nameOf(fields, "portalname"));
        return { name: nameOf(fields, "portalname") };
      case "FetchStmt":
        this.#knowsCursor(walker, nameOf(fields, "portalname"));
        return { returnsRows: !fields["ismove"] };
      default:
        return {};
    }
  }

  /** The statement inside of EXPLAIN or PREPARE. */
  #inner(walker: QueryWalker, node: unknown, scope: Scope, outer: string): Partial<StatementSummary> {
    const type = typeOf(node) ?? "";
    const fields = as(node, type) ?? {};
    if (type === "SelectStmt") walker.select(fields, scope);
    else if (/^(Insert|Update|Delete|Merge)Stmt$/.test(type))
      return { ...write(walker, type, fields, scope), effect: "write" };
    else if (type === "ExecuteStmt" && outer === "EXPLAIN")
      walker.refuse("STATEMENT_NOT_ALLOWED", "EXPLAIN EXECUTE is not allowed", {
        hint: "Explain the statement itself.",
      });
    else walker.refuse("STATEMENT_NOT_ALLOWED", `${outer} of ${statementName(type)} is not allowed`);
    return {};
  }

  #knowsCursor(walker: QueryWalker, name: string): undefined {
    if (this.#cursors.has(name) || this.#declared.includes(name)) return;
    walker.refuse("CURSOR_UNKNOWN", `this session has not declared a cursor ${name}`, {
      hint: "Use DECLARE … CURSOR FOR first.",
    });
  }

  #collect(walker: QueryWalker): undefined {
    for (const name of walker.relations) this.#relations.add(name);
    for (const view of walker.views) {
      if (!view.rule) continue;
      this.#rules.add(view.rule);
      for (const column of view.columns)
        if (column.masked) this.#masked.add(`${view.schema}.${view.name}.${column.name}`);
    }
    for (const rule of walker.rules) this.#rules.add(rule);
  }

  #allow(rewritten: string): StatementDecision {
    const held = [...this.#rules].find((rule) => rule.approval === "statement");
    const unseen = held && this.#unapprovable();
    if (unseen) return this.#deny({ ...unseen, rule: held.at });
    const rules = [...this.#rules];
    return this.#decision({
      effect: held ? "hold" : "allow",
      reason: held ? "APPROVAL_NEEDED" : "ALLOWED",
      message: held
        ? `task ${this.#world.task.name} needs an approval for each statement under this rule`
        : "",
      rule: held?.at ?? (rules.length === 1 ? rules[0]!.at : null),
      rewritten,
    });
  }

  /** What an approval would not cover: who gives it has to see everything that will run, and it is for one run. */
  #unapprovable(): Refusal | null {
    if (this.#statements.some((statement) => statement.kind === "Prepare")) {
      const hint = "Send the statement itself; a driver's bound parameters are fine.";
      return refusal("STATEMENT_NOT_ALLOWED", "what needs an approval cannot be prepared with PREPARE", {
        hint,
      });
    }
    if (this.#statements.some((statement) => statement.copyIn)) {
      const hint = "Use INSERT with the values in it.";
      return refusal("STATEMENT_NOT_ALLOWED", "the rows of COPY FROM cannot be shown to who approves it", {
        hint,
      });
    }
    return null;
  }

  #deny(refused: Refusal): StatementDecision {
    const position = refused.at === null ? null : this.#source.position(refused.at);
    return this.#decision({
      effect: "deny",
      reason: refused.code,
      message: refused.message,
      hint: refused.hint,
      sqlstate: refused.sqlstate,
      position: refused.code === "SYNTAX_ERROR" ? this.#syntaxPosition() : position,
      rule: refused.rule,
    });
  }

  #syntaxPosition(): number | null {
    const parsed = this.#world.parser.parse(this.#text);
    return !parsed.ok && parsed.error.kind === "syntax" && parsed.error.cursor !== null
      ? parsed.error.cursor + 1
      : null;
  }

  #decision(part: Partial<StatementDecision>): StatementDecision {
    const { parser } = this.#world;
    const text = this.#text;
    let fingerprint: string | null | undefined;
    const recorded = mayHoldSecrets(text) ? redactedParts(text, part, parser) : {};
    return {
      effect: "deny",
      reason: "UNDECIDED",
      message: "",
      hint: null,
      sqlstate: "42501",
      position: null,
      rule: null,
      rewritten: null,
      statements: this.#statements,
      relations: [...this.#relations].sort(),
      masked: [...this.#masked].sort(),
      ...part,
      ...recorded,
      /** Made when it is asked for: it costs a parse of its own. */
      get fingerprint() {
        if (fingerprint === undefined)
          fingerprint = part.reason === "TEXT_TOO_LARGE" ? null : parser.fingerprint(text);
        return fingerprint;
      },
    };
  }
}

/** One lookup for each statement that is counted; a prepared one could be run any number of times uncounted. */
function checkLookups(walker: QueryWalker, type: string): undefined {
  const hint = "Look up one value in each statement.";
  if (walker.lookups > 1)
    walker.refuse("LOOKUP_NOT_ALLOWED", "a statement may look up only one masked value", { hint });
  if (walker.lookups > 0 && (type === "PrepareStmt" || walker.changes || walker.keepsOwn)) {
    walker.refuse("LOOKUP_NOT_ALLOWED", "a masked value may only be looked up by a plain query", { hint });
  }
}

/** True when a WITH query of a select changes data. */
function hasWrite(select: Fields): boolean {
  return list((select["withClause"] as Fields | undefined)?.["ctes"]).some((node) => {
    const type = typeOf(as(node, "CommonTableExpr")?.["ctequery"]);
    return type !== null && type !== "SelectStmt";
  });
}
