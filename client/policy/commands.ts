/** `wicket policy …` for the command line (commander). */

import { join } from "node:path";
import { Command, Option } from "commander";
import { CommandError } from "../exit.ts";
import { faultText } from "../terminal.ts";
import { policyCatalog } from "./catalog.ts";
import { policyCheck } from "./check.ts";
import { policyExplain } from "./explain.ts";
import { exit, type PolicyIo } from "./io.ts";
import { policyShow } from "./show.ts";
import { policyTest } from "./test.ts";
import { policyWhoCan } from "./who-can.ts";

const demo = join(import.meta.dirname, "..", "..", "policies", "library");

const terminal: PolicyIo = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
};

interface Common {
  policies: string;
  catalog?: string;
  postgres?: string;
  json: boolean;
}

/**
 * The `policy` command with its subcommands. Each sets `process.exitCode`; 1 when the library cannot be read.
 */
export function policyCommand(io: PolicyIo = terminal): Command {
  const policy = new Command("policy")
    .description("Check, explain and test the task library")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exit.ok : exit.usage));
  const add = (name: string, description: string) =>
    policy
      .command(name)
      .description(description)
      .addOption(
        new Option("--policies <dir>", "the task library").env("WICKET_POLICIES").default(demo, "the demo's"),
      )
      .option("--json", "one JSON document on stdout", false);
  const withCatalog = (command: Command) =>
    command
      .option("--catalog <file>", "a catalog file instead of the one stored with the library")
      .addOption(
        new Option("--postgres <url>", "read the catalog from this database").env("WICKET_POLICY_POSTGRES"),
      );
  const run = async (action: Promise<number> | number) => {
    try {
      process.exitCode = await action;
    } catch (error) {
      const known = error instanceof CommandError;
      io.err(
        known ? faultText(error.fault) : `wicket: ${error instanceof Error ? error.message : String(error)}`,
      );
      process.exitCode = known ? error.fault.exit : exit.failure;
    }
  };

  withCatalog(add("check", "Find every mistake in the library"))
    .option("--strict", "warnings fail, too", false)
    .action((options: Common & { strict: boolean }) => run(policyCheck(options, io)));
  withCatalog(add("explain", "Say what a statement would become, and why"))
    .requiredOption("--task <task>", "the task")
    .requiredOption("--as <name>", "a person of people.yaml")
    .requiredOption("--sql <text>", "the statement")
    .option("--param <name=value>", "a parameter of the task", collect)
    .option("--reason <text>", "the reason")
    .option("--at <time>", "when, with an offset: 2026-11-24T10:00:00+01:00")
    .option("--exit-code", "end with 3 when it is denied, 5 when it waits for approval", false)
    .action(
      (
        options: Common & {
          task: string;
          as: string;
          sql: string;
          param?: Record<string, string>;
          reason?: string;
          at?: string;
          exitCode: boolean;
        },
      ) => {
        const now = options.at === undefined ? null : Date.parse(options.at);
        if (Number.isNaN(now)) {
          io.err("--at is not a time with an offset");
          process.exitCode = exit.usage;
          return;
        }
        const { param = null, reason = null } = options;
        return run(policyExplain({ ...options, params: param, reason, now }, io));
      },
    );
  withCatalog(add("test", "Run the tests of the library"))
    .argument("[task]", "only the tests of this task")
    .option("--coverage", "an allow line that no test uses fails, too", false)
    .action((task: string | undefined, options: Common & { coverage: boolean }) =>
      run(policyTest({ ...options, task: task ?? null }, io)),
    );
  add("show", "Say a task in plain words")
    .argument("[task]", "the task; all when left out")
    .action((task: string | undefined, options: Common) =>
      run(policyShow({ ...options, task: task ?? null }, io)),
    );
  withCatalog(add("who-can", "Say which tasks let whom: who-can select public.customers.email"))
    .argument("<verb>", "select, insert, update, delete or truncate")
    .argument("<target>", "schema.relation or schema.relation.column")
    .action((verb: string, target: string, options: Common) =>
      run(policyWhoCan({ ...options, verb, target }, io)),
    );
  add("catalog", "Store the catalog of a database with the library, for check, explain and test")
    .argument("<resource>", "a database of resources.yaml")
    .addOption(
      new Option("--postgres <url>", "the database").env("WICKET_POLICY_POSTGRES").makeOptionMandatory(),
    )
    .option("--out <file>", "another file than catalogs/<resource>.json")
    .action((resource: string, options: Common & { postgres: string; out?: string }) =>
      run(policyCatalog({ ...options, resource }, io)),
    );
  return policy;
}

function collect(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const split = text.indexOf("=");
  const name = split < 0 ? text : text.slice(0, split);
  return { ...before, [name]: split < 0 ? "" : text.slice(split + 1) };
}
