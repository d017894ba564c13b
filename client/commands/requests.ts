/** `wicket request`, `requests`, `approve`, `deny`, `revoke` and `review`: asking for a grant, and deciding on it. */
import { Command, InvalidArgumentError, Option } from "commander";
import { type EdgeOptions, edgeOption, jsonOption, openEdge, tokenOption } from "../edge.ts";
import { exit } from "../exit.ts";
import { PROGRAM } from "../program.ts";
import { inert, inertLines } from "../recording/inert.ts";
import {
  askFor,
  decideOn,
  findRequest,
  type GrantRequest,
  listRequests,
  notUsable,
  waitFor,
} from "../requests.ts";
import { out, outJson, perform, say, table } from "../terminal.ts";
import { approvedBy, approverWords, durationText, nameOf } from "./request-text.ts";
import { durationOption, emergencyOption, paramOption, reasonOption } from "./session-options.ts";
import { when } from "./sessions.ts";

interface AskOptions extends EdgeOptions {
  readonly param?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly description?: string;
  readonly for?: string;
  readonly sessions?: number;
  readonly emergency: boolean;
  readonly wait: boolean;
}

interface ListOptions extends EdgeOptions {
  readonly mine: boolean;
  readonly all: boolean;
  readonly status?: string;
  readonly limit: string;
}

const STATUSES = ["pending", "active", "denied", "expired", "revoked", "used"];

export function requestCommands(): Command[] {
  const shared = (command: Command): Command =>
    command.addOption(edgeOption()).addOption(tokenOption()).addOption(jsonOption());
  const run = (options: EdgeOptions, work: () => Promise<number>): Promise<void> =>
    perform(options.json ?? false, work);

  const request = shared(new Command("request").description("Ask for a grant; others approve it"))
    .argument("<task>", "the task")
    .addOption(paramOption())
    .addOption(reasonOption())
    .option("--description <text>", "more for who decides; it widens nothing")
    .addOption(durationOption())
    .option("--sessions <n>", "for so many sessions; 1 is single use", wholeNumber)
    .addOption(emergencyOption())
    .option("--wait", "until it is decided: code 0 approved, 3 denied, 5 expired", false)
    .action((task: string, options: AskOptions) => run(options, () => ask(task, options)));

  const requests = shared(new Command("requests").description("Requests of yours, and for you to decide"))
    .argument("[id]", "one of them, in full")
    .option("--mine", "only your own", false)
    .option("--all", "everybody's (administrators)", false)
    .addOption(new Option("--status <status>", "only those that are").choices(STATUSES))
    .option("--limit <n>", "at most so many", "20")
    .action((id: string | undefined, options: ListOptions) =>
      run(options, () => (id === undefined ? list(options) : show(id, options))),
    );

  const decisions = (["approve", "deny", "revoke", "review"] as const).map((verb) => {
    const command = shared(new Command(verb).description(VERBS[verb])).argument("<id>", "the request");
    const said = { deny: "why not", review: "what was found" } as const;
    const must = verb === "deny" || verb === "review";
    const reason = new Option("--reason <text>", must ? said[verb] : "why; it is kept with it");
    return command
      .addOption(must ? reason.makeOptionMandatory() : reason)
      .action((id: string, options: EdgeOptions & { reason?: string }) =>
        run(options, () => decide(verb, id, options)),
      );
  });
  return [request, requests, ...decisions];
}

const VERBS = {
  approve: "Approve a request of somebody else",
  deny: "Deny a request",
  revoke: "End a grant and its sessions now, or withdraw a request",
  review: "Say that you looked at an emergency of somebody else, and what you found",
} as const;

const DONE = { approve: "Approved", deny: "Denied", revoke: "Revoked", review: "Reviewed" } as const;

async function ask(task: string, options: AskOptions): Promise<number> {
  const edge = openEdge(options);
  const { param = {}, reason = null, description = null, for: duration = null, sessions = null } = options;
  const what = { task, params: param, reason, description, duration, sessions, emergency: options.emergency };
  const request = await askFor(edge, what);
  tell(request, options);
  if (!options.wait || request.status !== "pending") return exit.ok;
  const decided = await waitFor(edge, request.id);
  const refusal = notUsable(decided);
  if (options.json) outJson(decided);
  else if (!refusal) say(`${approvedBy(decided)}; it ends ${when(decided.expires)}.`);
  if (!refusal) return exit.ok;
  if (!options.json) throw refusal;
  return refusal.fault.exit;
}

function tell(request: GrantRequest, options: EdgeOptions): void {
  if (options.json) {
    outJson(request);
    return;
  }
  out(request.id);
  if (request.status === "pending") {
    say(`It waits for ${approverWords(request)}, until ${when(request.expires)}:`);
    say(`  ${request.url}`);
    say(`  ${PROGRAM} approve ${request.id}`);
  } else say(`It is ${request.status}, until ${when(request.expires)}.`);
}

async function list(options: ListOptions): Promise<number> {
  const { limit, status, mine, all } = options;
  const requests = await listRequests(openEdge(options), {
    ...{ limit, ...(status === undefined ? {} : { status }) },
    ...{ ...(mine ? { mine: "" } : {}), ...(all ? { all: "" } : {}) },
  });
  if (options.json) {
    outJson({ requests });
    return exit.ok;
  }
  if (requests.length === 0) {
    say("There are no requests.");
    return exit.ok;
  }
  const titles = ["REQUEST", "ASKED", "WHO", "TASK", "PARAMETERS", "REASON", "STATUS"];
  const rows = requests.map((one) => [
    ...[one.id, when(one.asked), nameOf(one.requester)],
    ...[one.kind === "statement" ? `statement in ${one.task}` : one.task, paramsText(one.params)],
    ...[one.reason ?? "", one.status],
  ]);
  const columns = titles.map((title) => ({ title }));
  out(table(columns, rows));
  return exit.ok;
}

async function show(id: string, options: EdgeOptions): Promise<number> {
  const request = await findRequest(openEdge(options), id);
  if (options.json) outJson(request);
  else showRequest(request);
  return exit.ok;
}

async function decide(
  verb: keyof typeof VERBS,
  id: string,
  options: EdgeOptions & { reason?: string },
): Promise<number> {
  const edge = openEdge(options);
  // What is approved is what was read here, and shown: a statement has a digest that is sent back.
  const seen = verb === "approve" ? await findRequest(edge, id) : null;
  if (seen && !options.json) showRequest(seen);
  const request = await decideOn(edge, id, verb, options.reason ?? null, seen?.statement?.digest);
  if (options.json) outJson(request);
  else {
    const left = request.needed - request.approvals.length;
    const waits = request.status === "pending" ? `, and waits for ${left} more` : "";
    say(`${DONE[verb]}: ${request.status}${waits}.`);
  }
  return exit.ok;
}

/** A request in full: what would be granted or run, for whom, and why. */
function showRequest(request: GrantRequest): void {
  const line = (name: string, text: string): void => out(`${name.padEnd(13)}${text}`);
  const { statement } = request;
  line("request", `${request.id} (${request.status})`);
  line("asked by", `${inert(nameOf(request.requester))} (${inert(request.requester.subject)})`);
  line("task", `${inert(request.task)} on ${inert(request.resource)}`);
  if (Object.keys(request.params).length > 0) line("parameters", inert(paramsText(request.params)));
  line("reason", request.reason === null ? "none given" : inert(request.reason));
  if (request.description) line("in words", inert(request.description));
  line("for", durationText(request.duration));
  line("needs", request.needed === 0 ? "no approval" : approverWords(request));
  if (request.emergency) {
    const { review } = request;
    const seen = review
      ? `reviewed by ${inert(nameOf(review))}: ${inert(review.comment ?? "")}`
      : "not reviewed";
    line("emergency", `without approval; ${seen}`);
  }
  for (const one of request.approvals) line("approved by", `${inert(nameOf(one))}, ${when(one.at)}`);
  if (request.ended) line("ended", inert(`${request.ended.message} (${request.ended.code})`));
  line("until", when(request.expires));
  if (!statement) return;
  out("");
  for (const text of inertLines(statement.text).split("\n")) out(`  ${text}`);
  statement.params?.forEach((value, i) => {
    out(`  $${i + 1} = ${value === null ? "NULL" : inert(value)}`);
  });
  out("");
  for (const warning of statement.warnings) line("careful", inert(warning));
  line("touches", statement.relations.map(inert).join(", ") || "no table");
  for (const { verb, relation, columns, rows } of statement.touches) {
    const which = columns === "*" ? ", all columns" : columns.length > 0 ? ` (${columns.join(", ")})` : "";
    out(`  ${inert(`${verb} ${relation}${which}${rows === null ? ", all rows" : `, rows where ${rows}`}`)}`);
  }
  line("masked", statement.masked.map(inert).join(", ") || "nothing");
  line("rows", statement.estimatedRows === null ? "not known" : `about ${statement.estimatedRows}`);
  if (statement.plan === null) line("plan", inert(statement.noPlan ?? "none"));
  else {
    out("plan");
    for (const text of inertLines(statement.plan).split("\n")) out(`  ${text}`);
  }
}

function paramsText(params: Readonly<Record<string, string>>): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("A whole number from 1.");
  return Number(text);
}
