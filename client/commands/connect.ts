/** `wicket connect RESOURCE --task T -- COMMAND`: runs a program that finds the database in its environment. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Command } from "commander";
import { type Bridge, startBridge } from "../bridge/bridge.ts";
import { programFault, startFault } from "../program-file.ts";
import { outJson, perform, say } from "../terminal.ts";
import { admissionOf, askOf, type SessionOptions, withSessionOptions } from "./session-options.ts";

interface ConnectOptions extends SessionOptions {
  readonly tcp: boolean;
  readonly json: boolean;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Settings of libpq that would send the program elsewhere, or make it ask for what is not here. */
const MISLEADING = [
  "PGHOSTADDR",
  "PGSERVICE",
  "PGSERVICEFILE",
  "PGOPTIONS",
  "PGREQUIREAUTH",
  "PGCHANNELBINDING",
  "PGSSLNEGOTIATION",
  "PGTARGETSESSIONATTRS",
  "PGSSLCERT",
  "PGSSLKEY",
  "PGSSLROOTCERT",
];

export function connectCommand(): Command {
  const command = new Command("connect")
    .description(
      "Run a program with the database in its environment: wicket connect orders-db --task T -- psql",
    )
    .argument("<resource>", "the database")
    .argument("[command...]", "the program and its arguments, behind --; default: psql")
    .option("--tcp", "a loopback port instead of a Unix socket", false)
    .option("--json", "JSON lines on stdout before the program's own output", false);
  return withSessionOptions(command).action((resource: string, program: string[], options: ConnectOptions) =>
    perform(options.json, () => connect(resource, program.length > 0 ? program : ["psql"], options)),
  );
}

async function connect(
  resource: string,
  program: readonly string[],
  options: ConnectOptions,
): Promise<number> {
  const ask = askOf(resource, options);
  const listen = options.tcp || process.platform === "win32" ? 0 : "socket";
  const admission = admissionOf(options);
  // Nobody is asked for approval, and no session begins, for what cannot be run.
  const fault = programFault(program[0]!);
  if (fault) throw fault;
  // Until the program runs, a signal ends this one by `exit`, which also removes the socket.
  const quit = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal]);
  for (const signal of SIGNALS) process.on(signal, quit);
  const bridge = await startBridge({ ask, admission, listen, say: (text) => say(`wicket: ${text}`) }, "must");
  const { host, port, sessions } = bridge;
  if (options.json) outJson({ status: "ready", host, port, database: resource, session: sessions[0] });
  try {
    const running = runProgram(program, environmentOf(bridge, resource));
    for (const signal of SIGNALS) process.off(signal, quit);
    return await running;
  } finally {
    await bridge.stop();
  }
}

function environmentOf(bridge: Bridge, resource: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of MISLEADING) delete env[name];
  return {
    ...env,
    PGHOST: bridge.host,
    PGPORT: String(bridge.port),
    PGUSER: "wicket",
    PGPASSWORD: bridge.password,
    PGDATABASE: resource,
    // The way to the edge is encrypted by the WebSocket; up to here it does not leave the machine.
    PGSSLMODE: "disable",
    PGGSSENCMODE: "disable",
  };
}

/** Runs it in the foreground; its exit code, or 128 + the signal that ended it. */
function runProgram([file, ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file!, args, { stdio: "inherit", env });
    // Ctrl-C goes to the whole foreground group: psql decides what it means. Others are passed on.
    const ignore = (): void => {};
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    // They stay to the end: the program may be gone before the signal comes here, and the socket is still to be removed.
    process.on("SIGINT", ignore);
    process.on("SIGTERM", pass);
    process.on("SIGHUP", pass);
    child.once("error", (error: NodeJS.ErrnoException) => reject(startFault(file!, error)));
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + (signal ? (constants.signals[signal] ?? 0) : 0));
    });
  });
}
