/** `wicket recording …` for the command line (commander). */
import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import type { AuditorKey } from "../../wire/recording-seal.ts";
import { makeAuditorKey, readAuditorKey } from "./auditor.ts";
import { openBundleFile } from "./bundle.ts";
import { type EdgeApi, EdgeRefusal, edgeApi, tokenFile } from "./edge.ts";
import { exportRecording } from "./export.ts";
import { inert, inertJson } from "./inert.ts";
import { LockApiError } from "./locks.ts";
import { checkLocksCommand, type LockOptions, lockOptions, UsageError } from "./locks-command.ts";
import { trustedKeys } from "./proven-entries.ts";
import { type Report, verifyRecording } from "./verify.ts";
import { ZipError } from "./zip.ts";

/** Exit codes of the command line that these commands use. */
const exit = { ok: 0, failure: 1, usage: 2, denied: 3, login: 4, unreachable: 6, integrity: 7 } as const;

/** How the commands reach the outside. */
export interface RecordingIo {
  out(text: string): void;
  err(text: string): void;
  /** The edge with whatever login there is; used when no `--token` is given. */
  connect?(edge: string | undefined): Promise<EdgeApi>;
}

const terminal: RecordingIo = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
};

interface EdgeOptions {
  edge?: string;
  token?: string;
  json: boolean;
}

/** Adds the `recording` command to a program. Each subcommand sets `process.exitCode`. */
export function register(program: Command, io: RecordingIo = terminal): void {
  program.addCommand(recordingCommand(io));
}

/** The `recording` command with its subcommands. */
export function recordingCommand(io: RecordingIo = terminal): Command {
  const recording = new Command("recording").description("List, export and verify recordings of sessions");
  const run = async (action: () => Promise<number>) => {
    try {
      process.exitCode = await action();
    } catch (error) {
      io.err(`wicket: ${inert(error instanceof Error ? error.message : String(error))}`);
      process.exitCode = exitCodeOf(error);
    }
  };
  const withEdge = (command: Command) =>
    command
      .addOption(new Option("--edge <url>", "the edge").env("WICKET_EDGE"))
      .addOption(
        new Option("--token <file>", "a file with a token, instead of the login").env("WICKET_TOKEN_FILE"),
      );

  withEdge(recording.command("ls").description("List the recordings that you may read"))
    .option("--json", "one JSON document on stdout", false)
    .action((options: EdgeOptions) => run(() => list(options, io)));
  withEdge(recording.command("export").description("Fetch a recording with its proofs into one file"))
    .argument("<session>", "the session's id")
    .requiredOption("-o, --output <file>", "a new zip file")
    .option("--key-file <file>", "an auditor's private key: adds an opened copy of a sealed recording")
    .option("--json", "one JSON document on stdout", false)
    .action((session: string, options: EdgeOptions & { output: string; keyFile?: string }) =>
      run(async () => {
        const key = options.keyFile === undefined ? null : await openingKey(options.keyFile);
        const api = await apiOf(options, io);
        const done = await exportRecording(api, session, options.output, Date.now(), key);
        if (options.json) io.out(inertJson(JSON.stringify({ ...done, session, file: options.output })));
        else {
          io.err(`${options.output}: ${done.segments} segments, ${done.entries} entries of the log`);
          if (done.sealed && !key)
            io.err("The recording is sealed: an auditor reads it with --key-file FILE.");
          if (done.opened > 0)
            io.err("It holds an opened copy: whoever has the file can read the recording.");
        }
        return exit.ok;
      }),
    );
  recording
    .command("verify")
    .description("Check an exported recording, offline, by the keys that you trust")
    .argument("<file>", "the zip file that `wicket recording export` wrote")
    .option("--key <key>", "a public key: NAME+ID+BASE64; give it as often as there are keys", collect, [])
    .option(
      "--key-file <file>",
      "public keys, one a line; or an auditor's private key (JWK), which opens what is sealed",
      collect,
      [],
    )
    .option(
      "--complete",
      "fail too when messages are missing with a stated gap, or when that could not be checked",
      false,
    )
    .option("--json", "one JSON document on stdout", false)
    .action((file: string, options: VerifyOptions) => run(() => verify(file, options, io)));
  lockOptions(recording.command("check-locks")).action((options: LockOptions) =>
    run(async () => ((await checkLocksCommand(options, io.out)) ? exit.ok : exit.integrity)),
  );
  recording
    .command("keygen")
    .description("Make an auditor's key pair, for recordings that only auditors can read")
    .requiredOption("-o, --output <file>", "a new file for the private key, such as auditor.jwk")
    .option("--json", "one JSON document on stdout", false)
    .action((options: { output: string; json: boolean }) => run(() => keygen(options, io)));
  return recording;
}

interface VerifyOptions {
  readonly key: string[];
  readonly keyFile: string[];
  readonly complete: boolean;
  readonly json: boolean;
}

async function keygen(options: { output: string; json: boolean }, io: RecordingIo): Promise<number> {
  const made = await makeAuditorKey(options.output);
  if (options.json) io.out(JSON.stringify(made));
  else {
    io.err(`${made.privateFile}: the private key ${made.id}. It stays with the auditor: without it`);
    io.err("nobody can read what is sealed to it, and with it everybody can.");
    io.err(`${made.publicFile}: the public key, for \`sealing.auditors\` of connectors.`);
  }
  return exit.ok;
}

async function openingKey(path: string): Promise<AuditorKey> {
  const key = await readAuditorKey(path);
  if (!key) throw new Error(`${path} is not an auditor's key (JWK, X25519 or P-256)`);
  return key;
}

async function list(options: EdgeOptions, io: RecordingIo): Promise<number> {
  const api = await apiOf(options, io);
  const answer = (await api.json("/api/sessions")) as { sessions?: Record<string, unknown>[] };
  const sessions = answer.sessions ?? [];
  if (options.json) {
    io.out(inertJson(JSON.stringify({ sessions })));
    return exit.ok;
  }
  for (const session of sessions) {
    const { id, task, resource, name, subject, started, reason } = session;
    const when = typeof started === "number" ? new Date(started).toISOString() : "";
    io.out(
      [id, when, name ?? subject, task, resource, reason].map((cell) => inert(String(cell ?? ""))).join("  "),
    );
  }
  return exit.ok;
}

async function verify(file: string, options: VerifyOptions, io: RecordingIo): Promise<number> {
  const lines: string[] = [];
  const auditors: AuditorKey[] = [];
  for (const path of options.keyFile) {
    const key = await readAuditorKey(path);
    if (key) auditors.push(key);
    else lines.push(...readFileSync(path, "utf8").split("\n"));
  }
  const trusted = trustedKeys([
    ...options.key,
    ...lines.filter((line) => line.trim() !== "" && !line.startsWith("#")),
  ]);
  if (!trusted.ok) {
    io.err(`wicket: ${inert(trusted.bad)} is not a public key (NAME+ID+BASE64)`);
    return exit.usage;
  }
  if (trusted.keys.signers.length === 0) {
    io.err("wicket: no key to verify with: give the log's and the connector's with --key");
    return exit.usage;
  }
  const { bundle, close } = openBundleFile(file);
  try {
    const report = await verifyRecording(bundle, trusted.keys, auditors);
    io.out(options.json ? inertJson(JSON.stringify(report)) : describe(file, report));
    return report.ok && (report.complete || !options.complete) ? exit.ok : exit.integrity;
  } finally {
    close();
  }
}

/** A report for eyes: one line a property. */
function describe(file: string, report: Report): string {
  const lines = report.checks.map((check) => {
    return `${check.verdict.padEnd(11)}  ${check.property.padEnd(22)} ${inert(check.detail)}`;
  });
  const session = report.session === null ? "" : ` of session ${report.session}`;
  const verdict = !report.ok
    ? "is NOT whole and unaltered"
    : report.complete
      ? "is whole and unaltered"
      : report.checks.some((one) => one.verdict === "GAP STATED")
        ? "is unaltered but for a gap that it states"
        : "is unaltered as far as it could be checked";
  return [...lines, `${inert(file)}: the recording${session} ${verdict}`].join("\n");
}

async function apiOf(options: EdgeOptions, io: RecordingIo): Promise<EdgeApi> {
  if (options.token !== undefined) {
    if (!options.edge) throw new EdgeRefusal(0, "EDGE_MISSING", "say which edge with --edge or WICKET_EDGE");
    return edgeApi(options.edge, tokenFile(options.token));
  }
  if (!io.connect) throw new EdgeRefusal(401, "LOGIN_REQUIRED", "log in, or give a token with --token FILE");
  return io.connect(options.edge);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ZipError) return exit.integrity;
  if (error instanceof UsageError) return exit.usage;
  if (error instanceof LockApiError) {
    if (error.status === 0) return exit.unreachable;
    return error.status === 401 || error.status === 403 ? exit.denied : exit.failure;
  }
  if (error instanceof EdgeRefusal) {
    if (error.status === 0 || error.status === 404) return exit.usage;
    if (error.status >= 502) return exit.unreachable;
    return error.status === 401 ? exit.login : error.status === 403 ? exit.denied : exit.failure;
  }
  return error instanceof TypeError ? exit.unreachable : exit.failure;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
