/**
 * Compiles a task library to the bundle that the edge imports: `build/policies.json`, or another folder and file
 * (`build-policies.ts [folder] [output]`). Warnings go to stderr; an error stops the build with exit code 1.
 */
import { join } from "node:path";
import { openLibrary } from "../client/policy/library.ts";
import { checkRowsWith, loadParser } from "../client/policy/parser.ts";
import { problemText } from "../policies/problem.ts";
import type { Bundle } from "../policies/task.ts";
import { prepareParser } from "./prepare-parser.ts";
import { readText, writeWhole } from "./sources.ts";

const root = join(import.meta.dirname, "..");

/** Compiles `folder` and writes the bundle to `output` unless it is the same already. Null after errors. */
export async function buildPolicies(
  folder = join(root, "policies", "library"),
  output = join(root, "build", "policies.json"),
): Promise<Bundle | null> {
  const parser = await loadParser(prepareParser());
  const compiled = openLibrary(folder, { checkRows: checkRowsWith(parser) });
  for (const problem of compiled.problems) console.error(problemText(problem));
  if (!compiled.ok) return null;
  const text = `${JSON.stringify(compiled.library.bundle)}\n`;
  if (readText(output) !== text) writeWhole(output, text);
  return compiled.library.bundle;
}

if (import.meta.main) {
  const [folder, output] = process.argv.slice(2);
  process.exitCode = (await buildPolicies(folder, output)) === null ? 1 : 0;
}
