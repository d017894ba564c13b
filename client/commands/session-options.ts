/** What `connect` and `proxy` are told: which resource, under which task, for what. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Admission } from "../admission.ts";
import type { DoorAsk } from "../bridge/door.ts";
import { type EdgeOptions, edgeOption, openEdge, tokenOption } from "../edge.ts";
import { PROGRAM } from "../program.ts";
import type { GrantRequest } from "../requests.ts";
import { outJson, say } from "../terminal.ts";
import { approvedBy, approverWords } from "./request-text.ts";

export interface SessionOptions extends EdgeOptions {
  readonly task: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly for?: string;
  readonly wait: boolean;
  readonly emergency: boolean;
}

/** Adds the options of a session to a command. */
export function withSessionOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--task <task>", "the task that you are here for").env("WICKET_TASK").makeOptionMandatory(),
    )
    .addOption(paramOption())
    .addOption(reasonOption())
    .addOption(durationOption())
    .addOption(emergencyOption())
    .option("--no-wait", "where approval is needed: ask for it, and end with code 5")
    .addOption(edgeOption())
    .addOption(tokenOption());
}

export const paramOption = (): Option =>
  new Option("--param <name=value>", "a parameter of the task; give it as often as needed").argParser(
    collect,
  );
export const reasonOption = (): Option =>
  new Option("--reason <text>", "why, e.g. a ticket").env("WICKET_REASON");
export const durationOption = (): Option =>
  new Option("--for <time>", "how long, like 30m; default: as long as the task allows");
export const emergencyOption = (): Option =>
  new Option(
    "--emergency",
    "without waiting for approval, where the task allows that; it is reviewed",
  ).default(false);

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

/** How `connect` and `proxy` get in: with `--json` each step is an event on stdout, else it is said. */
export function admissionOf(options: SessionOptions & { readonly json?: boolean }): Admission {
  const facts = ({ id, url, task, needed, approvers, expires }: GrantRequest): object => ({
    ...{ request: id, url, task, needed, approvers, expires },
  });
  return {
    ...{ duration: options.for ?? null, emergency: options.emergency, wait: options.wait },
    waiting(request) {
      if (options.json) outJson({ status: "waiting_approval", ...facts(request) });
      else {
        say(`wicket: waiting for approval by ${approverWords(request)}`);
        say(`        ${request.url}`);
        say(`        or: ${PROGRAM} approve ${request.id}`);
      }
    },
    approved(request) {
      if (options.json) outJson({ status: "approved", ...facts(request) });
      else say(`wicket: ${approvedBy(request)}`);
    },
  };
}
