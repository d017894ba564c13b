/** `wicket tasks`: what can be done here, by whom, and why not. */
import { Command } from "commander";
import { call, type EdgeOptions, edgeOption, jsonOption, openEdge, tokenOption } from "../edge.ts";
import { exit } from "../exit.ts";
import { PROGRAM } from "../program.ts";
import { inert } from "../recording/inert.ts";
import { out, outJson, perform, say, styled } from "../terminal.ts";

interface Offer {
  readonly name: string;
  readonly description: string;
  readonly resource: string;
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly at: string;
  readonly may: boolean;
  readonly why: string | null;
  readonly needsApproval: boolean;
}

export function tasksCommand(): Command {
  return new Command("tasks")
    .description("List the tasks, which of them you may do, and how")
    .addOption(edgeOption())
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action((options: EdgeOptions) => perform(options.json ?? false, () => listTasks(options)));
}

async function listTasks(options: EdgeOptions): Promise<number> {
  const edge = openEdge(options);
  const answer = await call<{ policies: string; tasks: readonly Offer[] }>(edge, "/api/tasks");
  if (options.json) {
    outJson(answer);
    return exit.ok;
  }
  const may = answer.tasks.filter((task) => task.may);
  const rest = answer.tasks.filter((task) => !task.may);
  for (const task of may) {
    const approval = task.needsApproval ? "  (needs approval)" : "";
    out(`${styled("bold", inert(task.name))}${approval}`);
    out(`  ${inert(task.description)}`);
    if (task.type === "postgres") out(`  ${inert(usage(task))}`);
    out("");
  }
  for (const task of rest) out(`${inert(task.name)}: not for you (${task.why}, ${inert(task.at)})`);
  if (may.length === 0) say("There is no task that you may do.");
  return exit.ok;
}

/** The line to type, with what has to be filled in. */
function usage({ name, resource, params, reason }: Offer): string {
  const values = Object.entries(params).map(([key, type]) => ` --param ${key}=${type.toUpperCase()}`);
  const why = reason === null ? "" : ` --reason '${reason}'`;
  return `${PROGRAM} connect ${resource} --task ${name}${values.join("")}${why} -- psql`;
}
