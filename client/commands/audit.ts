/** `wicket audit search|tail`: the audit log, as far as the caller may see it. */
import { Command, Option } from "commander";
import {
  call,
  type Edge,
  type EdgeOptions,
  edgeOption,
  fetchBytes,
  jsonOption,
  openEdge,
  tokenOption,
} from "../edge.ts";
import { CommandError, exit, fail } from "../exit.ts";
import { inert, inertJson } from "../recording/inert.ts";
import { out, outJson, perform, say, styled } from "../terminal.ts";
import { when } from "./sessions.ts";

/** An event as the API answers it; docs/audit.md says what there is. */
interface AuditEvent {
  readonly id: string;
  readonly time: number;
  readonly type: string;
  readonly severity: "info" | "warn" | "alarm";
  readonly actor?: { readonly subject: string; readonly name: string | null };
  readonly session?: string;
  readonly grant?: string;
  readonly task?: string;
  readonly resource?: string;
  readonly reason?: string;
  readonly connector?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface AuditOptions extends EdgeOptions {
  readonly person?: string;
  readonly task?: string;
  readonly resource?: string;
  readonly session?: string;
  readonly grant?: string;
  readonly type?: string;
  readonly severity?: string;
  readonly reason?: string;
}

interface SearchOptions extends AuditOptions {
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly format?: string;
}

/** How often the log is asked for more, milliseconds. */
const LOOK_MS = 1_000;
/** Events that one request brings at most. */
const PAGE = 1_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function auditCommand(): Command {
  const audit = new Command("audit").description("The audit log: search, follow, export");
  const shared = (command: Command): Command =>
    command
      .option("--person <text>", "part of the name or subject of who did it")
      .option("--task <name>", "of this task")
      .option("--resource <name>", "of this resource")
      .option("--session <id>", "of this session")
      .option("--grant <id>", "of this grant or request")
      .option("--type <type>", "of this type, or kind: grant.*")
      .addOption(new Option("--severity <severity>", "only these").choices(["info", "warn", "alarm"]))
      .option("--reason <code>", "with this reason code")
      .addOption(edgeOption())
      .addOption(tokenOption())
      .addOption(jsonOption());
  shared(audit.command("search").description("Find events, the newest first"))
    .option("--since <time>", "from then on: 24h, 30m, 7d ago, or a time like 2026-11-24T10:00Z")
    .option("--until <time>", "until then")
    .option("--limit <n>", "at most so many", "100")
    .addOption(
      new Option("--format <format>", "one event a line, in this form").choices([
        "ndjson",
        "cloudevents",
        "ocsf",
      ]),
    )
    .action((options: SearchOptions) => perform(options.json ?? false, () => search(options)));
  shared(audit.command("tail").description("Tell of events as they happen, until Ctrl-C")).action(
    (options: AuditOptions) => perform(options.json ?? false, () => tail(options)),
  );
  return audit;
}

/** Milliseconds since the epoch of `24h` (ago) or an RFC 3339 time. */
export function momentFrom(text: string, now: number): number {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  const ms = ago ? now - Number(ago[1]) * UNITS[ago[2]!]! : Date.parse(text);
  if (Number.isNaN(ms))
    throw fail(exit.usage, "TIME_INVALID", `${text} is no time; write 24h, or 2026-11-24T10:00Z`);
  return ms;
}

function filterOf({ person, task, resource, session, grant, type, severity, reason }: AuditOptions) {
  const given = { text: person, task, resource, session, grant, type, severity, reason };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

async function fetchEvents(edge: Edge, query: Record<string, string>): Promise<readonly AuditEvent[]> {
  const { events } = await call<{ events: readonly AuditEvent[] }>(
    edge,
    `/api/audit?${new URLSearchParams(query)}`,
  );
  return events;
}

async function search(options: SearchOptions): Promise<number> {
  const limit = Number(options.limit);
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw fail(exit.usage, "LIMIT_INVALID", "--limit is a number");
  const now = Date.now();
  const query = filterOf(options);
  if (options.since) query["since"] = String(momentFrom(options.since, now));
  if (options.until) query["until"] = String(momentFrom(options.until, now));
  const edge = openEdge(options);
  let left = limit;
  let before = "";
  while (left > 0) {
    const page = { ...query, limit: String(Math.min(left, PAGE)), ...(before === "" ? {} : { before }) };
    const ids = options.format
      ? await printLines(edge, { ...page, format: options.format })
      : (await fetchEvents(edge, page)).map((event) => show(event, options.json ?? false));
    left -= ids.length;
    before = ids.at(-1) ?? "";
    if (ids.length < Number(page.limit)) break;
  }
  const found = limit - left;
  if (found === 0) say("There are no such events.");
  return exit.ok;
}

/** Prints events in another system's form as they come; their ids. */
async function printLines(edge: Edge, query: Record<string, string>): Promise<string[]> {
  const bytes = await fetchBytes(edge, `/api/audit?${new URLSearchParams(query)}`, 64 * 1024 * 1024);
  const lines = new TextDecoder()
    .decode(bytes)
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => {
    out(inertJson(line));
    const event = JSON.parse(line) as { id?: string; metadata?: { uid: string } };
    return event.id ?? event.metadata?.uid ?? "";
  });
}

async function tail(options: AuditOptions): Promise<number> {
  const edge = openEdge(options);
  const query = filterOf(options);
  let after = (await fetchEvents(edge, { ...query, limit: "1" }))[0]?.id ?? "0";
  say("Waiting for events; Ctrl-C ends it.");
  // Events of an object may arrive a second late, with an id that is older than others' that were shown.
  const shown = new Set<string>();
  let away = false;
  for (;;) {
    const events = await fetchEvents(edge, { ...query, after, limit: String(PAGE) }).catch(
      (error: unknown) => {
        // An edge that is away for a while loses no event: what was missed is asked for again.
        if (!(error instanceof CommandError) || error.fault.exit !== exit.unreachable) throw error;
        if (!away) say(`${error.fault.message}; trying again`);
        return null;
      },
    );
    away = events === null;
    for (const event of events ?? []) {
      if (shown.has(event.id)) continue;
      shown.add(event.id);
      show(event, options.json ?? false);
    }
    const settled = events?.filter((event) => event.time < Date.now() - 10 * LOOK_MS).at(-1);
    if (events?.length === PAGE) after = events.at(-1)!.id;
    else if (settled) after = settled.id;
    for (const id of shown) if (id <= after) shown.delete(id);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Prints one event; its id. */
function show(event: AuditEvent, json: boolean): string {
  if (json) {
    outJson(event);
    return event.id;
  }
  const { actor, task, resource, reason, session, grant, connector } = event;
  const who = actor ? (actor.name ?? actor.subject) : (connector ?? "-");
  const about = [task && resource ? `${task} on ${resource}` : (task ?? resource), reason, session ?? grant];
  const detail = event.type === "statement.decided" ? event.data["text"] : event.data["message"];
  const parts = [when(event.time), event.type.padEnd(20), who.padEnd(10), ...about.filter(Boolean)];
  if (typeof detail === "string" && detail !== "") parts.push(detail.slice(0, 200));
  const style = event.severity === "alarm" ? "red" : event.severity === "warn" ? "yellow" : "reset";
  out(styled(style, inert(parts.join("  "))));
  return event.id;
}
