/**
 * Puts the table of attacks and the tests that try them into docs/threat-model.md, from the names of the tests.
 * `--check` writes nothing and fails when the page names a test for an attack that no test names any more.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threatTable } from "./table.ts";

const root = join(import.meta.dirname, "..", "..");
const page = join(root, "docs", "threat-model.md");
const [start, end] = ["<!-- table: attacks -->", "<!-- end -->"];

const before = readFileSync(page, "utf8");
const from = before.indexOf(start) + start.length;
const to = before.indexOf(end, from);
if (from < start.length || to < 0) throw new Error(`${page} has no place for the table`);
const { text, tried, all, missing } = threatTable(root);
const after = `${before.slice(0, from)}\n${text}\n${before.slice(to)}`;
console.log(`${tried} of ${all} attacks are named by a test`);
if (process.argv.includes("--check")) {
  const table = before.slice(from, to);
  const lost = missing.filter((id) => !new RegExp(`^\\| ${id} \\|.*\\| none \\|$`, "m").test(table));
  if (lost.length > 0) {
    console.error(
      `docs/threat-model.md says that ${lost.join(", ")} are tried, and no test names them: npm run threat-table`,
    );
    process.exitCode = 1;
  }
} else writeFileSync(page, after);
