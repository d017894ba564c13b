/** The `wicket` command line. */
import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { auditCommand } from "./commands/audit.ts";
import { connectCommand } from "./commands/connect.ts";
import { connectorCommand } from "./commands/connector.ts";
import { devCommand } from "./commands/dev.ts";
import { loginCommands } from "./commands/login.ts";
import { playCommand } from "./commands/play.ts";
import { proxyCommand } from "./commands/proxy.ts";
import { requestCommands } from "./commands/requests.ts";
import { sessionsCommand } from "./commands/sessions.ts";
import { tasksCommand } from "./commands/tasks.ts";
import { call, fetchBytes, openEdge } from "./edge.ts";
import { CommandError, exit } from "./exit.ts";
import { kubernetesCommands } from "./kubernetes/commands.ts";
import { recordingCommand } from "./recording/commands.ts";
import { EdgeRefusal } from "./recording/edge.ts";
import { faultText, out, say } from "./terminal.ts";

/** What the recording commands are told of a fault: the status that an edge would have given. */
const STATUS: Readonly<Record<number, number>> = {
  [exit.login]: 401,
  [exit.denied]: 403,
  [exit.usage]: 404,
  [exit.unreachable]: 503,
};

/** Loading the policies' compiler and parser takes longer than most commands: only for `wicket policy`. */
async function policyCommand(): Promise<Command> {
  const wanted = process.argv.slice(2).find((word) => !word.startsWith("-"));
  if (wanted === "policy") return (await import("./policy/commands.ts")).policyCommand();
  return new Command("policy").description("Check, explain and test the task library");
}

async function program(): Promise<Command> {
  const wicket = new Command("wicket")
    .description("Do one task on a database that only this edge can reach.")
    .version(manifest.version)
    .showHelpAfterError("(wicket help COMMAND says more)")
    .enablePositionalOptions()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exit.ok : exit.usage));
  const commands = [
    ...loginCommands(),
    tasksCommand(),
    connectCommand(),
    proxyCommand(),
    ...kubernetesCommands(),
    ...requestCommands(),
    sessionsCommand(),
    playCommand(),
    auditCommand(),
    recordingCommand({
      out,
      err: say,
      async connect(edge) {
        const told = async <Answer>(work: Promise<Answer>): Promise<Answer> => {
          try {
            return await work;
          } catch (error) {
            if (!(error instanceof CommandError)) throw error;
            const { code, message } = error.fault;
            throw new EdgeRefusal(STATUS[error.fault.exit] ?? 500, code, message);
          }
        };
        const opened = await told((async () => openEdge(edge === undefined ? {} : { edge }))());
        return {
          json: (path) => told(call(opened, path)),
          bytes: (path, limit) => told(fetchBytes(opened, path, limit)),
        };
      },
    }),
    await policyCommand(),
    connectorCommand(),
    devCommand(),
  ];
  for (const command of commands) wicket.addCommand(inherit(command));
  return wicket;
}

/** Usage errors of every subcommand end with the code for usage. */
function inherit(command: Command): Command {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? exit.ok : exit.usage));
  command.showHelpAfterError(false);
  for (const sub of command.commands) inherit(sub as Command);
  return command;
}

/** `wicket … | head` closes stdout early, which is no fault. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exit.ok);
  throw error;
});

// Left to itself, Node waits once more, turning at full speed, for requests of closed handles to come back, and one that
// never does keeps `wicket dev` alive after its last word. When nothing is left to do, that is the end.
process.once("beforeExit", () => process.exit());

try {
  await (await program()).parseAsync();
} catch (error) {
  if (error instanceof CommandError) say(faultText(error.fault));
  else say(`wicket: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = error instanceof CommandError ? error.fault.exit : exit.failure;
}
