/**
 * Makes what is generated and not committed: the SQL parser (build/parser), the policy bundle (build/policies.json),
 * and what the console sends to browsers (build/console). Safe to run at any time; fast when everything is fresh.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { prepareConsole } from "./prepare-console.ts";
import { prepareParser } from "./prepare-parser.ts";
import { digestOf, readText, writeWhole } from "./sources.ts";

const build = join(import.meta.dirname, "..", "build");

/** Compiles the library's policies, unless they are there as these sources make them. False after errors. */
async function preparePolicies(): Promise<boolean> {
  const sources = digestOf(["policies", "client/policy", "scripts/build-policies.ts"]);
  // Of the result, too: others write that file.
  const madeOf = () =>
    `${createHash("sha256")
      .update(`${sources} ${readText(join(build, "policies.json"))}`)
      .digest("hex")}\n`;
  const kept = join(build, "policies.digest");
  if (readText(kept) === madeOf()) return true;
  // Loaded here: the compiler takes longer than everything else when all is fresh.
  const { buildPolicies } = await import("./build-policies.ts");
  if ((await buildPolicies()) === null) return false;
  writeWhole(kept, madeOf());
  return true;
}

prepareParser();
await prepareConsole();
if (!(await preparePolicies())) process.exitCode = 1;
