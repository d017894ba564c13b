/**
 * Writes what is made from the policy model and committed: the JSON Schemas in policies/library/schema and the
 * tables of docs/policies.md. With --check nothing is written and a stale file gives exit code 1.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fillTables } from "../policies/reference.ts";
import { jsonSchemas } from "../policies/schema.ts";

const root = join(import.meta.dirname, "..");

/** Path below the repository to the text that it should have. */
export function generatedPolicyFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries(jsonSchemas())) {
    files.set(`policies/library/schema/${name}`, `${JSON.stringify(schema, null, 2)}\n`);
  }
  const page = "docs/policies.md";
  files.set(page, fillTables(readFileSync(join(root, page), "utf8")));
  return files;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  for (const [path, text] of generatedPolicyFiles()) {
    const file = join(root, path);
    let before = "";
    try {
      before = readFileSync(file, "utf8");
    } catch {
      // Not there yet.
    }
    if (before === text) continue;
    if (check) process.exitCode = 1;
    else writeFileSync(file, text);
    console.error(`${check ? "stale" : "written"}: ${path}`);
  }
}
