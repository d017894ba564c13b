/** `wicket sessions [ls|show|kill]`. */
import { Command } from "commander";
import { call, type EdgeOptions, edgeOption, jsonOption, openEdge, tokenOption } from "../edge.ts";
import { exit } from "../exit.ts";
import { inert } from "../recording/inert.ts";
import { out, outJson, perform, say, table } from "../terminal.ts";

export interface SessionRow {
  readonly id: string;
  readonly name: string | null;
  readonly subject: string;
  readonly task: string;
  readonly resource: string;
  readonly reason: string | null;
  readonly started: number;
  readonly ended: number | null;
  readonly end_code: string | null;
  readonly statements: number | null;
  readonly denied: number | null;
  readonly rows: number | null;
  readonly bytes: number | null;
}

interface ListOptions extends EdgeOptions {
  readonly open: boolean;
  readonly all: boolean;
  readonly limit: string;
}

export function sessionsCommand(): Command {
  const sessions = new Command("sessions").description("Your sessions: list, look, end");
  const shared = (command: Command): Command =>
    command.addOption(edgeOption()).addOption(tokenOption()).addOption(jsonOption());
  shared(sessions.command("ls", { isDefault: true }).description("List them, the newest first"))
    .option("--open", "only those that run", false)
    .option("--all", "everybody's (administrators)", false)
    .option("--limit <n>", "at most so many", "20")
    .action((options: ListOptions) => perform(options.json ?? false, () => list(options)));
  shared(sessions.command("show").description("Everything about one"))
    .argument("<session>")
    .action((id: string, options: EdgeOptions) => perform(options.json ?? false, () => show(id, options)));
  shared(sessions.command("kill").description("End one now"))
    .argument("<session>")
    .option("--reason <text>", "why; the person is told")
    .action((id: string, options: EdgeOptions & { reason?: string }) =>
      perform(options.json ?? false, () => kill(id, options)),
    );
  return sessions;
}

async function list(options: ListOptions): Promise<number> {
  const query = new URLSearchParams({ limit: options.limit });
  if (options.open) query.set("open", "");
  if (options.all) query.set("all", "");
  const answer = await call<{ sessions: readonly SessionRow[] }>(openEdge(options), `/api/sessions?${query}`);
  if (options.json) {
    outJson(answer);
    return exit.ok;
  }
  if (answer.sessions.length === 0) {
    say("There are no sessions.");
    return exit.ok;
  }
  const columns = ["SESSION", "STARTED", "WHO", "TASK", "STATE"].map((title) => ({ title }));
  const counted = ["STATEMENTS", "DENIED", "ROWS"].map((title) => ({ title, right: true }));
  const rows = answer.sessions.map((row) => [
    ...[
      row.id,
      when(row.started),
      row.name ?? row.subject,
      row.task,
      row.ended === null ? "open" : (row.end_code ?? "ended"),
    ],
    ...[row.statements, row.denied, row.rows].map((count) => (count === null ? "" : String(count))),
  ]);
  out(
    table(
      [...columns, ...counted, { title: "REASON" }],
      rows.map((row, i) => [...row, answer.sessions[i]!.reason ?? ""]),
    ),
  );
  return exit.ok;
}

async function show(id: string, options: EdgeOptions): Promise<number> {
  const row = await call<Record<string, unknown>>(
    openEdge(options),
    `/api/sessions/${encodeURIComponent(id)}`,
  );
  if (options.json) {
    outJson(row);
    return exit.ok;
  }
  for (const [key, value] of Object.entries(row)) {
    if (value === null || typeof value === "object") continue;
    const text = /^(started|ended|deadline)$/.test(key) ? when(Number(value)) : String(value);
    out(`${key.padEnd(12)}${inert(text)}`);
  }
  say(`wicket play ${id} shows it back.`);
  return exit.ok;
}

async function kill(id: string, options: EdgeOptions & { reason?: string }): Promise<number> {
  const body = options.reason === undefined ? {} : { reason: options.reason };
  const path = `/api/sessions/${encodeURIComponent(id)}/kill`;
  const answer = await call<object>(openEdge(options), path, { method: "POST", body });
  if (options.json) outJson(answer);
  else say(`The session ${id} was ended.`);
  return exit.ok;
}

/** Local time to the second. */
export function when(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}
