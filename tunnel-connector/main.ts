/**
 * The connector's command line: `run`, `enroll` and `check`. Logs go to stderr, one JSON object a line; secrets
 * come from files, from standard input or from the environment, never from arguments.
 *
 * Exit codes: 0 as planned, 1 a failure, 2 the configuration or the usage is wrong, 4 not enrolled, 6 the edge
 * cannot be reached.
 */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Command, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import { type ConnectorConfig, readConfig } from "./config.ts";
import { Connector } from "./connector.ts";
import { enrol, readEnrolment } from "./enrol.ts";
import { openIdentity } from "./identity.ts";
import { createLog, type Log } from "./log.ts";
import { readSealing, type Sealing } from "./sealing.ts";
import { startStatusServer } from "./status-server.ts";

// Every buffer that passes through counts: V8 would mark the whole heap for each 64 MB of them, at a third of the
// processor time of a large result. With this it looks at the young ones first. Other versions may not know it.
if (process.versions.node.startsWith("24."))
  setFlagsFromString("--external-memory-accounted-in-global-limit");

const { version } = manifest;
const exit = { ok: 0, failure: 1, usage: 2, login: 4, unreachable: 6 } as const;

interface Options {
  config: string;
  codeFile?: string;
}

const stderr = (line: string): void => void process.stderr.write(`${line}\n`);

function load(options: Options): ConnectorConfig | null {
  const read = readConfig(options.config);
  if (read.ok) return read.config;
  for (const problem of read.problems) stderr(`wicket-connector: ${problem}`);
  return null;
}

/** The enrolment code from a file, standard input (`-`) or WICKET_ENROLMENT_CODE; null when there is none. */
function readCode(options: Options): string | null {
  const { codeFile } = options;
  const code =
    codeFile === undefined
      ? process.env["WICKET_ENROLMENT_CODE"]
      : readFileSync(codeFile === "-" ? 0 : codeFile, "utf8");
  delete process.env["WICKET_ENROLMENT_CODE"];
  return code?.trim() || null;
}

async function enrolCommand(options: Options): Promise<number> {
  const config = load(options);
  if (!config) return exit.usage;
  const code = readCode(options);
  if (code === null) {
    stderr(
      "wicket-connector: give the enrolment code with --code-file FILE (or -), or in WICKET_ENROLMENT_CODE",
    );
    return exit.usage;
  }
  const identity = await openIdentity(config.state, config.name, config.edge);
  const result = await enrol(config, identity, code);
  if (!result.ok) {
    stderr(`wicket-connector: not enrolled: ${result.message} (${result.code})`);
    return result.code === "EDGE_UNREACHABLE" ? exit.unreachable : exit.login;
  }
  stderr(`wicket-connector: enrolled as ${config.name}; key ${result.enrolled.thumbprint}`);
  return exit.ok;
}

async function runCommand(options: Options): Promise<number> {
  const config = load(options);
  if (!config) return exit.usage;
  const log = createLog(stderr, config.log);
  const identity = await openIdentity(config.state, config.name, config.edge);
  const code = readCode(options);
  if (!readEnrolment(config)) {
    if (code === null) {
      log("error", "not enrolled", {
        next: `wicket-connector enroll --config ${options.config} --code-file FILE`,
      });
      return exit.login;
    }
    const result = await enrol(config, identity, code);
    if (!result.ok) {
      log("error", "not enrolled", { code: result.code, reason: result.message });
      return result.code === "EDGE_UNREACHABLE" ? exit.unreachable : exit.login;
    }
    log("info", "enrolled", { thumbprint: result.enrolled.thumbprint });
  }
  const sealing = await sealingOf(config);
  if (sealing === undefined) return exit.usage;
  return serve(new Connector(config, identity, version, log, sealing), config, log);
}

/** The auditors' keys; undefined, after a word about it, when one does not read. */
async function sealingOf({ sealing }: ConnectorConfig): Promise<Sealing | null | undefined> {
  const read = await readSealing(sealing.auditors, sealing.always);
  if (read.ok) return read.sealing;
  stderr(`wicket-connector: ${read.message}`);
  return undefined;
}

async function checkCommand(options: Options): Promise<number> {
  const config = load(options);
  return config && (await sealingOf(config)) !== undefined ? exit.ok : exit.usage;
}

async function serve(connector: Connector, config: ConnectorConfig, log: Log): Promise<number> {
  let status: Awaited<ReturnType<typeof startStatusServer>> | null = null;
  if (config.status) {
    try {
      status = await startStatusServer(connector, version, config.status);
      log("info", "status", { host: config.status.host, port: status.port });
    } catch (error) {
      const { host, port } = config.status;
      log("error", "status address is taken", { host, port, error });
      return exit.failure;
    }
  }
  const ended = new Promise<number>((resolve) => {
    connector.onExpelled = (code) => {
      log("error", "the edge does not know this connector", { code });
      resolve(exit.login);
    };
    let asked: number | null = null;
    const stop = (): void => {
      // Asked again a while later: at once. The same signal may come twice, to the group and from a launcher.
      const again = asked !== null && Date.now() - asked > 1000;
      if (asked !== null && !again) return;
      asked ??= Date.now();
      connector.stop(again ? 0 : config.drainMs).then(
        () => resolve(exit.ok),
        () => resolve(exit.failure),
      );
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
  connector.start();
  const code = await ended;
  if (code !== exit.ok) await connector.stop(0);
  await status?.stop();
  log("info", "stopped", {});
  return code;
}

/** The command; also `wicket connector …`. */
export function connectorCommand(name = "wicket-connector"): Command {
  const program = new Command(name).description("Opens private targets for the edge; it only ever dials out");
  const config = () =>
    new Option("--config <file>", "the configuration")
      .env("WICKET_CONNECTOR_CONFIG")
      .default("connector.yaml");
  const codeFile = () => new Option("--code-file <file>", "the one-time enrolment code; - is standard input");
  const run = async (work: Promise<number> | number): Promise<void> => {
    try {
      process.exit(await work);
    } catch (error) {
      stderr(`wicket-connector: ${error instanceof Error ? error.message : String(error)}`);
      process.exit(exit.failure);
    }
  };
  program
    .command("run")
    .description("Serve the edge until SIGTERM")
    .addOption(config())
    .addOption(codeFile())
    .action((options: Options) => run(runCommand(options)));
  program
    .command("enroll")
    .description("Spend a one-time code on this connector's key")
    .addOption(config())
    .addOption(codeFile())
    .action((options: Options) => run(enrolCommand(options)));
  program
    .command("check")
    .description("Check the configuration")
    .addOption(config())
    .action((options: Options) => run(checkCommand(options)));
  return program.version(version);
}

if (import.meta.main) {
  process.umask(0o077);
  connectorCommand()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exit.ok : exit.usage))
    .parseAsync()
    .catch((error: unknown) => {
      stderr(String(error));
      process.exit(exit.failure);
    });
}
