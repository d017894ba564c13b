/** The connector of `wicket dev`: a process of its own, enrolled with a real one-time code. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import type { TargetConfig } from "./targets.ts";

const program = join(import.meta.dirname, "..", "..", "tunnel-connector", "main.ts");
/** After SIGTERM it is killed, milliseconds. */
const STOP_MS = 8_000;

export interface ConnectorSettings {
  readonly folder: string;
  readonly name: string;
  readonly edge: string;
  readonly resources: Readonly<Record<string, TargetConfig>>;
  /** Of the database; null = it has none. */
  readonly password: string | null;
  /** File of an auditor's public key: recordings of tasks that say so are sealed to it. */
  readonly auditor?: string;
}

/** One line of its log. */
export interface ConnectorLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface ConnectorProcess {
  /** Told when it ends by itself. */
  onExit: (lastError: string) => void;
  stop(): Promise<void>;
}

/** Writes its configuration, as somebody would by hand. Returns the file's path. */
export function writeConnectorConfig(settings: ConnectorSettings): string {
  const { folder, name, edge, resources, password, auditor } = settings;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (password !== null) writeFileSync(join(folder, "password"), password, { mode: 0o600 });
  const config = {
    ...{ version: 1, name, edge, state: "state", status: "127.0.0.1:0", drain: "0s" },
    ...(auditor === undefined ? {} : { sealing: { auditors: [resolve(auditor)] } }),
    resources,
  };
  const path = join(folder, "connector.yaml");
  writeFileSync(path, stringify(config), { mode: 0o600 });
  return path;
}

/** Starts it; the code goes in through standard input. Resolves when it is connected to the edge. */
export function startConnector(
  config: string,
  code: string | null,
  onLine: (line: ConnectorLine) => void,
): Promise<ConnectorProcess> {
  const options = code === null ? [] : ["--code-file", "-"];
  const args = [...process.execArgv, program, "run", "--config", config, ...options];
  // A group of its own: Ctrl-C is for this program, which ends it in order.
  const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "pipe"], detached: true });
  child.stdin.end(code ?? "");
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const running: ConnectorProcess = {
    onExit: () => {},
    async stop() {
      process.off("exit", kill);
      running.onExit = () => {};
      await ended(child);
    },
  };
  return new Promise((resolve, reject) => {
    let lastError = "";
    createInterface({ input: child.stderr }).on("line", (text) => {
      const line = parseLine(text);
      if (line.level === "error")
        lastError = [line.event, line["reason"], line["error"]].filter(Boolean).join(": ");
      onLine(line);
      if (line.event === "online") resolve(running);
    });
    child.once("error", reject);
    child.once("exit", (exitCode) => {
      process.off("exit", kill);
      reject(new Error(`the connector ended (${exitCode}): ${lastError}`));
      running.onExit(lastError);
    });
  });
}

function parseLine(text: string): ConnectorLine {
  try {
    return JSON.parse(text) as ConnectorLine;
  } catch {
    return { level: "error", event: text };
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await gone;
  clearTimeout(timer);
}
