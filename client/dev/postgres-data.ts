/**
 * The data folder of a new PostgreSQL. initdb takes longest of all that a start does, and always makes the same: what
 * it made is kept in `build/` and copied.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Runner, runToEnd } from "./postgres-programs.ts";

const kept = join(import.meta.dirname, "..", "..", "build", "postgres");

/** A small journal: the whole folder is what each start writes. */
const INITDB = [
  "-U",
  "postgres",
  "--auth=trust",
  "--encoding=UTF8",
  "--locale=C",
  "--no-sync",
  "--wal-segsize=1",
];

/** Who may log in from this machine, and how; a `pg_hba.conf`. */
const hostBased = (method: "trust" | "scram-sha-256"): string =>
  ["local all all", "host all all 127.0.0.1/32", "host all all ::1/128"]
    .map((line) => `${line} ${method}\n`)
    .join("");

/**
 * Makes the data folder unless it is there already. Throws an Error that says what is wrong.
 * @param password of the superuser `postgres`; null lets everybody on this machine in
 * @returns true when it was made now
 */
export function prepareData(runner: Runner, folder: string, data: string, password: string | null): boolean {
  if (existsSync(join(data, "PG_VERSION"))) return false;
  // What an interrupted start left.
  rmSync(data, { recursive: true, force: true });
  const making = join(folder, "new-data");
  rmSync(making, { recursive: true, force: true });
  const failed = (why: string): Error => {
    rmSync(making, { recursive: true, force: true });
    return new Error(`PostgreSQL's database could not be made: ${why}`);
  };
  if (!copyKept(runner, making)) {
    const said = runToEnd(runner, folder, "initdb", ["-D", making, ...INITDB]);
    if (said !== null) throw failed(said);
    keep(runner, making);
  }
  if (password !== null) {
    // Without a server: nobody gets in before the password is there.
    const sql = `ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'\n`;
    const said = runToEnd(
      runner,
      folder,
      "postgres",
      ["--single", "-F", "-D", making, "-c", "exit_on_error=on", "postgres"],
      sql,
    );
    if (said !== null) throw failed(said);
  }
  const method = password === null ? "trust" : "scram-sha-256";
  writeFileSync(join(making, "pg_hba.conf"), hostBased(method));
  renameSync(making, data);
  return true;
}

/** Of these programs, on this kind of machine; another version never meets another's files. */
function keptFolder({ programs }: Runner): string {
  const hash = createHash("sha256").update([process.platform, process.arch, ...INITDB].join(" "));
  hash.update(readFileSync(join(programs, "postgres")));
  return join(kept, hash.digest("hex").slice(0, 16));
}

function copyKept(runner: Runner, target: string): boolean {
  const from = keptFolder(runner);
  if (!existsSync(join(from, "PG_VERSION"))) return false;
  cpSync(from, target, { recursive: true, mode: constants.COPYFILE_FICLONE });
  // PostgreSQL takes no folder that others may look into.
  chmodSync(target, 0o700);
  if (runner.filesOf) giveTo(runner.filesOf, target);
  return true;
}

/** Where nothing can be kept, the next start runs initdb again. */
function keep(runner: Runner, data: string): void {
  const to = keptFolder(runner);
  const beside = `${to}.${process.pid}`;
  try {
    mkdirSync(kept, { recursive: true });
    cpSync(data, beside, { recursive: true });
    chmodSync(beside, 0o700);
    renameSync(beside, to);
  } catch {
    rmSync(beside, { recursive: true, force: true });
  }
}

function giveTo(owner: { readonly uid: number; readonly gid: number }, folder: string): void {
  chownSync(folder, owner.uid, owner.gid);
  for (const entry of readdirSync(folder, { recursive: true })) {
    lchownSync(join(folder, String(entry)), owner.uid, owner.gid);
  }
}
