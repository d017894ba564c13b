/** `wicket policy check`: reads a library as the edge's build does, and against the stored catalogs. */
import { readFileSync, statSync } from "node:fs";
import { checkAgainstCatalog } from "../../policies/check-catalog.ts";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { hasError, type Problem, problemText, sortProblems } from "../../policies/problem.ts";
import { readCatalog } from "./catalog.ts";
import { exit, jsonText, type PolicyIo } from "./io.ts";
import { catalogPath, openLibrary } from "./library.ts";
import type { PolicySource } from "./open.ts";
import { checkRowsWith, loadParser } from "./parser.ts";

export interface CheckOptions extends PolicySource {
  readonly json: boolean;
  /** Warnings fail the check, too. */
  readonly strict: boolean;
}

/** Prints every problem; exit code 1 when there is an error (or, strict, a warning). */
export async function policyCheck(options: CheckOptions, io: PolicyIo): Promise<number> {
  const parser = await loadParser();
  const compiled = openLibrary(options.policies, { checkRows: checkRowsWith(parser) });
  const problems: Problem[] = [...compiled.problems];
  if (compiled.ok) {
    const { bundle } = compiled.library;
    for (const [resource, { type }] of Object.entries(bundle.resources)) {
      if (type !== "postgres") continue;
      const catalog = await catalogOf(options, compiled.library, resource);
      if (catalog === null) continue;
      for (const task of Object.values(bundle.tasks)) {
        if (task.resource === resource) problems.push(...checkAgainstCatalog(task, catalog, parser));
      }
    }
  }
  const sorted = sortProblems(problems);
  const failed = hasError(sorted) || (options.strict && sorted.length > 0);
  const bundle = compiled.ok ? compiled.library.bundle : null;
  const tasks = Object.keys(bundle?.tasks ?? {});
  if (options.json) {
    io.out(jsonText({ ok: !failed, digest: bundle?.digest ?? null, tasks, problems: sorted }));
    return failed ? exit.failure : exit.ok;
  }
  for (const problem of sorted) io.out(problemText(problem));
  const errors = sorted.filter(({ severity }) => severity === "error").length;
  const counts = `${errors} errors, ${sorted.length - errors} warnings`;
  io.err(failed ? counts : `${tasks.length} tasks, ${counts}, digest ${bundle!.digest}`);
  return failed ? exit.failure : exit.ok;
}

async function catalogOf(
  options: CheckOptions,
  library: Parameters<typeof readCatalog>[1],
  resource: string,
): Promise<Catalog | null> {
  if (options.postgres !== undefined) return readCatalog(options.postgres, library, resource);
  const path = options.catalog ?? catalogPath(options.policies, resource);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
  return JSON.parse(readFileSync(path, "utf8")) as Catalog;
}
