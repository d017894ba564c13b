/**
 * Makes what is generated and not committed: the SQL parser (build/parser), the policy bundle
 * (build/policies.json), and what the console sends to browsers (build/console). Safe to run at any time; fast when everything is fresh.
 */
import { buildPolicies } from "./build-policies.ts";
import { prepareConsole } from "./prepare-console.ts";
import { prepareParser } from "./prepare-parser.ts";

prepareParser();
await prepareConsole();
if ((await buildPolicies()) === null) process.exitCode = 1;
