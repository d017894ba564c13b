/**
 * Makes what is generated and not committed: the SQL parser (build/parser) and the policy bundle
 * (build/policies.json). Safe to run at any time; fast when everything is fresh.
 */
import { buildPolicies } from "./build-policies.ts";
import { prepareParser } from "./prepare-parser.ts";

prepareParser();
if ((await buildPolicies()) === null) process.exitCode = 1;
