/** What `connect` and `proxy` are told: which resource, under which task, for what. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { DoorAsk } from "../bridge/door.ts";
import { type EdgeOptions, edgeOption, openEdge, tokenOption } from "../edge.ts";

export interface SessionOptions extends EdgeOptions {
  readonly task: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly reason?: string;
}

/** Adds the options of a session to a command. */
export function withSessionOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--task <task>", "the task that you are here for").env("WICKET_TASK").makeOptionMandatory(),
    )
    .addOption(
      new Option("--param <name=value>", "a parameter of the task; give it as often as needed").argParser(
        collect,
      ),
    )
    .addOption(new Option("--reason <text>", "why, e.g. a ticket").env("WICKET_REASON"))
    .addOption(edgeOption())
    .addOption(tokenOption());
}

function collect(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1) throw new InvalidArgumentError("A parameter is written name=value.");
  const name = text.slice(0, split);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`The parameter ${name} is given twice.`);
  return { ...before, [name]: text.slice(split + 1) };
}

/** What to ask the edge for. */
export function askOf(resource: string, options: SessionOptions): DoorAsk {
  const { task, param = {}, reason = null } = options;
  return { edge: openEdge(options), resource, task, params: param, reason };
}
