/** `wicket sessions [ls|show|watch|kill]`. */
import { Command } from "commander";
import { RECORDING_WORDS, type RecordingState } from "../../wire/recording-end.ts";
import { call, type Edge, type EdgeOptions, edgeOption, jsonOption, openEdge, tokenOption } from "../edge.ts";
import { exit } from "../exit.ts";
import { PROGRAM } from "../program.ts";
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
  /** How its recording stands, and what there is to say of it. */
  readonly recording?: RecordingState | null;
  readonly recording_detail?: string | null;
}

interface ListOptions extends EdgeOptions {
  readonly open: boolean;
  readonly all: boolean;
  readonly limit: string;
}

interface WatchOptions extends EdgeOptions {
  readonly all: boolean;
}

/** How often sessions that are watched are looked at, milliseconds. */
const LOOK_MS = 1_000;
/** Ends that somebody or the policy brought about. */
const REVOKED = ["SESSION_KILLED", "GRANT_REVOKED", "IDENTITY_DISABLED", "POLICY_CHANGED"];

/** A session in the words of a grant: `active` while it runs, `used` when it ended by itself. */
export function statusOf({ ended, end_code: code }: Pick<SessionRow, "ended" | "end_code">): string {
  if (ended === null && code === null) return "active";
  if (code !== null && REVOKED.includes(code)) return "revoked";
  return code === "GRANT_EXPIRED" || code === "SESSION_EXPIRED" ? "expired" : "used";
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
  shared(sessions.command("watch").description("Tell of them as they start, work and end, until Ctrl-C"))
    .argument("[session]", "only this one, until it ends")
    .option("--all", "everybody's (administrators)", false)
    .action((id: string | undefined, options: WatchOptions) =>
      perform(options.json ?? false, () => watch(id ?? null, options)),
    );
  shared(sessions.command("kill").description("End one now"))
    .argument("<session>")
    .option("--reason <text>", "why; the person is told")
    .action((id: string, options: EdgeOptions & { reason?: string }) =>
      perform(options.json ?? false, () => kill(id, options)),
    );
  return sessions;
}

async function fetchSessions(edge: Edge, flags: Readonly<Record<string, string>>): Promise<SessionRow[]> {
  const query = new URLSearchParams(flags);
  const { sessions } = await call<{ sessions: readonly SessionRow[] }>(edge, `/api/sessions?${query}`);
  return sessions.map((row) => ({ ...row, status: statusOf(row) }));
}

async function list(options: ListOptions): Promise<number> {
  const sessions = await fetchSessions(openEdge(options), {
    ...{ limit: options.limit, ...(options.open ? { open: "" } : {}), ...(options.all ? { all: "" } : {}) },
  });
  const answer = { sessions };
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
      [...columns, ...counted, { title: "RECORDING" }, { title: "REASON" }],
      rows.map((row, i) => {
        const { recording, reason } = answer.sessions[i]!;
        return [...row, recordingWord(recording), reason ?? ""];
      }),
    ),
  );
  return exit.ok;
}

async function fetchSession(edge: Edge, id: string): Promise<SessionRow & { readonly status: string }> {
  const row = await call<SessionRow>(edge, `/api/sessions/${encodeURIComponent(id)}`);
  return { ...row, status: statusOf(row) };
}

async function show(id: string, options: EdgeOptions): Promise<number> {
  const row = await fetchSession(openEdge(options), id);
  if (options.json) {
    outJson(row);
    return exit.ok;
  }
  for (const [key, value] of Object.entries(row)) {
    if (value === null || typeof value === "object") continue;
    const text = /^(started|ended|deadline)$/.test(key)
      ? when(Number(value))
      : key === "recording"
        ? recordingWords(row)
        : String(value);
    if (key === "recording_detail") continue;
    out(`${key.padEnd(12)}${inert(text)}`);
  }
  say(`${PROGRAM} play ${id} shows it back.`);
  return exit.ok;
}

/** Prints a line whenever a session has changed. */
async function watch(id: string | null, options: WatchOptions): Promise<number> {
  const edge = openEdge(options);
  const shown = new Map<string, string>();
  const tell = (row: SessionRow): void => {
    const status = statusOf(row);
    const counted = [row.statements ?? 0, row.denied ?? 0, row.rows ?? 0];
    const now = JSON.stringify([status, counted]);
    if (shown.get(row.id) === now) return;
    shown.set(row.id, now);
    if (options.json) {
      outJson({ ...row, status });
      return;
    }
    const [statements, denied, rows] = counted;
    const words = `${statements} statements, ${denied} denied, ${rows} rows`;
    const end = status === "active" ? status : `${status} (${row.end_code})`;
    out(inert(`${when(Date.now())}  ${row.id}  ${row.name ?? row.subject}  ${row.task}  ${end}  ${words}`));
  };
  for (;;) {
    if (id !== null) {
      const row = await fetchSession(edge, id);
      tell(row);
      if (row.status !== "active") return exit.ok;
    } else {
      const flags: Record<string, string> = options.all ? { all: "" } : {};
      const open = await fetchSessions(edge, { ...flags, open: "" });
      // What was open before and is not any more has ended meanwhile.
      const gone = [...shown.keys()].filter((one) => !open.some((row) => row.id === one));
      for (const row of open) tell(await fetchSession(edge, row.id).catch(() => row));
      for (const one of gone) {
        const row = await fetchSession(edge, one).catch(() => null);
        if (row) tell(row);
        if (row?.status !== "active") shown.delete(one);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function kill(id: string, options: EdgeOptions & { reason?: string }): Promise<number> {
  const body = options.reason === undefined ? {} : { reason: options.reason };
  const path = `/api/sessions/${encodeURIComponent(id)}/kill`;
  const answer = await call<object>(openEdge(options), path, { method: "POST", body });
  if (options.json) outJson({ ...answer, status: "revoked" });
  else say(`The session ${id} was ended.`);
  return exit.ok;
}

/** Local time to the second. */
export function when(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** The state of a recording as the console and `wicket recording verify` say it. */
function recordingWord(state: RecordingState | null | undefined): string {
  return state ? (RECORDING_WORDS[state]?.word ?? state) : "";
}

function recordingWords({ recording, recording_detail: detail }: SessionRow): string {
  const meaning = recording ? RECORDING_WORDS[recording]?.meaning : undefined;
  return [recordingWord(recording), meaning, detail].filter(Boolean).join("; ");
}
