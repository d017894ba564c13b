/**
 * Compiles a task library to the bundle that the edge imports: `build/policies.json`, or another folder and file
 * (`build-policies.ts [folder] [output]`). Warnings go to stderr; an error stops the build with exit code 1.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readLibraryFiles } from "../client/policy/library.ts";
import { compileLibrary } from "../policies/compile.ts";
import { problemText } from "../policies/problem.ts";
import type { Bundle } from "../policies/task.ts";

const root = join(import.meta.dirname, "..");

/** Compiles `folder` and writes the bundle to `output` unless it is the same already. Null after errors. */
export function buildPolicies(
  folder = join(root, "policies", "library"),
  output = join(root, "build", "policies.json"),
): Bundle | null {
  const compiled = compileLibrary(readLibraryFiles(folder));
  for (const problem of compiled.problems) console.error(problemText(problem));
  if (!compiled.ok) return null;
  const text = `${JSON.stringify(compiled.library.bundle)}\n`;
  let before: string | null = null;
  try {
    before = readFileSync(output, "utf8");
  } catch {
    mkdirSync(dirname(output), { recursive: true });
  }
  if (before !== text) writeFileSync(output, text);
  return compiled.library.bundle;
}

if (import.meta.main) {
  const [folder, output] = process.argv.slice(2);
  process.exitCode = buildPolicies(folder, output) === null ? 1 : 0;
}
