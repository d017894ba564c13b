/** `wicket connector …`: asks the edge for an enrolment code, and runs the connector's own program. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Command } from "commander";
import { call, type EdgeOptions, edgeOption, jsonOption, openEdge, tokenOption } from "../edge.ts";
import { exit } from "../exit.ts";
import { out, outJson, perform, say, table } from "../terminal.ts";

const program = join(import.meta.dirname, "..", "..", "bin", "wicket-connector.js");

interface ConnectorRow {
  readonly name: string;
  readonly online: boolean;
  readonly resources: readonly string[];
}

export function connectorCommand(): Command {
  const connector = new Command("connector").description("Connectors: list, enrol, run");
  const shared = (command: Command): Command =>
    command.addOption(edgeOption()).addOption(tokenOption()).addOption(jsonOption());
  shared(connector.command("ls").description("List them")).action((options: EdgeOptions) =>
    perform(options.json ?? false, async () => {
      const answer = await call<{ connectors: readonly ConnectorRow[] }>(
        openEdge(options),
        "/api/connectors",
      );
      if (options.json) outJson(answer);
      else {
        const rows = answer.connectors.map(({ name, online, resources }) => [
          ...[name, online ? "online" : "offline", resources.join(", ")],
        ]);
        out(table([{ title: "CONNECTOR" }, { title: "STATE" }, { title: "RESOURCES" }], rows));
      }
      return exit.ok;
    }),
  );
  shared(connector.command("code").description("Ask for a one-time enrolment code (administrators)"))
    .argument("<name>", "the connector's name in resources.yaml")
    .option("--replace", "give the name to another key: the connector that has it is out", false)
    .action((name: string, options: EdgeOptions & { replace: boolean }) =>
      perform(options.json ?? false, async () => {
        const path = `/api/connectors/${encodeURIComponent(name)}/enrolment`;
        const { replace } = options;
        const answer = await call<{ code: string; expires: number }>(openEdge(options), path, {
          ...{ method: "POST", body: { replace } },
        });
        if (options.json) outJson(answer);
        else {
          out(answer.code);
          say("On the connector's machine: wicket-connector enroll --config connector.yaml --code-file -");
        }
        return exit.ok;
      }),
    );
  for (const [name, text] of [
    ["run", "Run a connector until SIGTERM"],
    ["enroll", "Spend an enrolment code on a connector's key"],
    ["check", "Check a connector's configuration"],
  ] as const) {
    connector
      .command(name)
      .description(`${text} (the program wicket-connector)`)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .argument("[options...]")
      .action((args: string[]) => perform(false, () => runConnector([name, ...args])));
  }
  return connector;
}

function runConnector(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, program, ...args], { stdio: "inherit" });
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => child.kill(signal));
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? exit.failure));
  });
}
