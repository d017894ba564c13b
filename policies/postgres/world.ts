/** What one task on one database gives to every decision: the lists, ready for look-ups. */
import { ADVISORY_LOCKS } from "../names.ts";
import type { SqlRule, Task } from "../task.ts";
import type { Catalog } from "./catalog-types.ts";
import { ALLOWED_FUNCTIONS, BUILTIN_TYPES, REFUSED_FUNCTIONS } from "./functions.generated.ts";
import { qualified, quoteName } from "./names.ts";
import type { Parser } from "./parser.ts";
import type { Refusal } from "./refusal.ts";
import { SEARCH_PATH } from "./settings.ts";
import { whyRefused } from "./system-catalogs.ts";
import type { Fields } from "./tree.ts";
import { TaskRelations, type TaskView } from "./views.ts";

const WRITE_VERBS: ReadonlySet<SqlRule["verb"]> = new Set([
  "insert",
  "update",
  "delete",
  "merge",
  "truncate",
  "copy",
]);

/** Built-in functions that are only safe with their arguments checked, so never in the form `x.name`. */
const GUARDED_FUNCTIONS = new Set([
  "current_setting",
  "set_config",
  "pg_show_all_settings",
  "pg_input_is_valid",
  "pg_input_error_info",
]);

export class World {
  readonly task: Task;
  readonly catalog: Catalog;
  readonly parser: Parser;
  readonly relations: TaskRelations;
  /** True when the task has a write rule of any kind, or may make temporary tables. */
  readonly writes: boolean;
  readonly foreignOperators: ReadonlySet<string>;
  readonly castTargets: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  /** Temporary tables that the session made, by name; one that was dropped or rolled back stays in it. */
  readonly temporary = new Set<string>();
  readonly #fieldFunctions: ReadonlySet<string>;

  constructor(task: Task, catalog: Catalog, parser: Parser, checked: boolean) {
    this.task = task;
    this.catalog = catalog;
    this.parser = parser;
    this.relations = new TaskRelations(task, catalog, parser, checked);
    this.writes =
      task.session.temporaryTables === true || task.rules.some((rule) => WRITE_VERBS.has(rule.verb));
    this.foreignOperators = new Set(catalog.foreignOperators);
    this.castTargets = new Set(catalog.castTargets);
    this.types = new Set(catalog.types);
    this.#fieldFunctions = new Set([
      ...catalog.fieldFunctions,
      ...GUARDED_FUNCTIONS,
      ...REFUSED_FUNCTIONS.flatMap(([why, set]) => (why.startsWith("is not callable") ? [] : [...set])),
    ]);
  }

  /** True when `x.name` could call a function that the task may not call, or not without a check. */
  isFieldFunction(name: string): boolean {
    return this.#fieldFunctions.has(name);
  }

  /** A built-in function: allowed to every task, or an advisory lock's that this one lists. */
  mayCallBuiltIn(name: string): boolean {
    if (ALLOWED_FUNCTIONS.has(name)) return true;
    const { pooled, listen, notify } = this.task.session;
    if (name === "pg_advisory_unlock_all" && pooled) return true;
    if ((name === "pg_listening_channels" && listen) || (name === "pg_notify" && notify)) return true;
    return ADVISORY_LOCKS.test(name) && this.task.functions.includes(`pg_catalog.${name}`);
  }

  /** The schema that an unqualified call must be given; null when the task may not call it. */
  functionSchema(name: string, args: number): string | null {
    if (this.mayCallBuiltIn(name)) return "pg_catalog";
    // A type's name with one argument is a cast.
    if (BUILTIN_TYPES.has(name) && args === 1) return "pg_catalog";
    const own = this.catalog.functions.some(
      (entry) => entry.schema === SEARCH_PATH[0] && entry.name === name,
    );
    return own ? SEARCH_PATH[0] : null;
  }

  /** The schema that an unqualified name means on the pinned path: pg_catalog first, then public. */
  resolve(fields: Fields): { schema: string; name: string } | null {
    const name = String(fields["relname"]);
    if (fields["catalogname"] !== undefined && fields["catalogname"] !== this.catalog.database) return null;
    if (typeof fields["schemaname"] === "string") return { schema: fields["schemaname"], name };
    const system = this.relations.find("pg_catalog", name).kind;
    return { schema: system === "none" ? SEARCH_PATH[0] : "pg_catalog", name };
  }

  /** Whether rows of the relation may be locked: the task may change or delete them. */
  mayLock(view: TaskView): boolean {
    return ["update", "delete"].some(
      (verb) => this.relations.rule(verb as SqlRule["verb"], view.schema, view.name) !== null,
    );
  }

  /** The refusal of a relation, for `QueryWalker.refuse`. */
  notGranted(
    place: { schema: string; name: string },
    verb: SqlRule["verb"],
    at: number | null,
  ): [string, string, Partial<Refusal>] {
    // A system catalog that is not readable was looked for on the path.
    const system = place.schema === SEARCH_PATH[0] && place.name.startsWith("pg_");
    const name = place.schema && !system ? qualified(place.schema, place.name) : quoteName(place.name);
    const granted = [
      ...new Set(
        this.task.rules
          .filter((rule) => rule.verb === verb)
          .map((rule) => qualified(rule.schema, rule.relation)),
      ),
    ];
    const held = system || place.schema === "pg_catalog" || !place.schema ? whyRefused(place.name) : null;
    if (held !== null) {
      const hint = `${place.name} holds ${held}: no task may read it.`;
      const message = `task ${this.task.name} does not grant ${verb} on ${name}`;
      return ["RELATION_NOT_GRANTED", message, { at, hint, rule: this.task.at }];
    }
    const hint =
      granted.length > 0
        ? `The task may ${verb} ${granted.join(", ")}.`
        : `The task may not ${verb} anything.`;
    return [
      "RELATION_NOT_GRANTED",
      `task ${this.task.name} does not grant ${verb} on ${name}`,
      { at, hint, rule: this.task.at },
    ];
  }
}
