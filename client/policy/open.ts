/** What every policy command needs: the library, the people, and a decider of statements. */
import { readFileSync, statSync } from "node:fs";
import type { Library, Person } from "../../policies/compile.ts";
import { nearest } from "../../policies/nearest.ts";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import type { Parser } from "../../policies/postgres/parser.ts";
import { hasError, problemText } from "../../policies/problem.ts";
import type { Task } from "../../policies/task.ts";
import { exit, fail } from "../exit.ts";
import { reasonOf } from "../folders.ts";
import { PROGRAM } from "../program.ts";
import { guessCatalog, readCatalog, restrictCatalog } from "./catalog.ts";
import type { PolicyIo } from "./io.ts";
import { catalogPath, openLibrary } from "./library.ts";
import { checkRowsWith, loadParser } from "./parser.ts";

/** Where the library and the catalog come from. */
export interface PolicySource {
  /** Folder of the library. */
  readonly policies: string;
  /** A catalog file (JSON) for every database of the library. */
  readonly catalog?: string | undefined;
  /** A database to read the catalog from. */
  readonly postgres?: string | undefined;
}

/** An opened library. */
export interface OpenPolicy {
  readonly library: Library;
  readonly parser: Parser;
  /** The decider of a task's statements, each as the first of a session. Finds the catalog at first use. */
  decider(task: Task): Promise<StatementDecider>;
}

/** Opens a library; null after it said what is wrong with it. */
export async function openPolicy(source: PolicySource, io: PolicyIo): Promise<OpenPolicy | null> {
  const parser = await loadParser();
  const compiled = openLibrary(source.policies, { checkRows: checkRowsWith(parser) });
  if (!compiled.ok || hasError(compiled.problems)) {
    for (const problem of compiled.problems) io.err(problemText(problem));
    return null;
  }
  const { library } = compiled;
  const deciders = new Map<string, StatementDecider>();
  const catalogs = new Map<string, Promise<Catalog | null>>();
  return {
    library,
    parser,
    async decider(task) {
      const known = deciders.get(task.name);
      if (known) return known;
      let whole = catalogs.get(task.resource);
      if (whole === undefined) {
        whole = findCatalog(source, library, task.resource);
        catalogs.set(task.resource, whole);
      }
      const catalog = await whole;
      if (catalog === null) {
        io.err(
          `warning: no catalog of ${task.resource}: the task's own columns are taken as text. ` +
            `Make one with: ${PROGRAM} policy catalog ${task.resource} --postgres URL`,
        );
      }
      const own = catalog === null ? guessCatalog(task) : restrictCatalog(catalog, task);
      // A decider remembers what its session declared, and each text here is a session of its own.
      const decider = {
        decide: (text: string) => createDecider({ task, catalog: own, parser, forShow: true }).decide(text),
      };
      deciders.set(task.name, decider);
      return decider;
    },
  };
}

/** `--catalog`, else `--postgres`, else the file that is stored with the library, else null. */
async function findCatalog(
  source: PolicySource,
  library: Library,
  resource: string,
): Promise<Catalog | null> {
  if (source.catalog !== undefined) return readStored(source.catalog);
  if (source.postgres !== undefined) return readCatalog(source.postgres, library, resource);
  const stored = catalogPath(source.policies, resource);
  if (statSync(stored, { throwIfNoEntry: false }) === undefined) return null;
  return readStored(stored);
}

function readStored(path: string): Catalog {
  let why = "it is no catalog";
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Catalog;
    if (Array.isArray(found?.relations) && Array.isArray(found.systemRelations)) return found;
  } catch (error) {
    why = reasonOf(error);
  }
  const next = `Make one: ${PROGRAM} policy catalog RESOURCE --postgres URL`;
  throw fail(exit.usage, "CATALOG_UNREADABLE", `the catalog ${path} cannot be read (${why})`, next);
}

/** The task of that name; null after it said that there is none. */
export function taskNamed(library: Library, name: string, io: PolicyIo): Task | null {
  const { tasks } = library.bundle;
  if (Object.hasOwn(tasks, name)) return tasks[name]!;
  const near = nearest(name, Object.keys(tasks));
  io.err(`there is no task \`${name}\`${near ? `: did you mean \`${near}\`?` : ""}`);
  return null;
}

/** The person of people.yaml; null after it said that there is none. */
export function personNamed(library: Library, name: string, io: PolicyIo): Person | null {
  if (Object.hasOwn(library.people, name)) return library.people[name]!;
  const near = nearest(name, Object.keys(library.people));
  io.err(`there is no person \`${name}\` in people.yaml${near ? `: did you mean \`${near}\`?` : ""}`);
  return null;
}
