/**
 * Logins on this machine: one file, readable by its owner only, in `$XDG_CONFIG_HOME/wicket` (XDG Base Directory
 * Specification). Each edge has its own; the last one is the default.
 */
import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { CommandError, exit, fail } from "./exit.ts";
import { makeFolder, reasonOf } from "./folders.ts";

export interface Login {
  readonly token: string;
  /** For display. */
  readonly name: string;
  /** Milliseconds since the epoch; null when the token does not say. */
  readonly expires: number | null;
  /** Good for one renewal; absent when the login cannot be renewed. */
  readonly refresh?: string;
}

interface Store {
  readonly version: 1;
  readonly current: string | null;
  readonly logins: Readonly<Record<string, Login>>;
}

/** What to do about a place that cannot be used. */
const ELSEWHERE = "Set XDG_CONFIG_HOME to a folder of yours.";

const EMPTY: Store = { version: 1, current: null, logins: {} };

function folder(): string {
  const given = process.env["XDG_CONFIG_HOME"];
  return join(given?.startsWith("/") ? given : join(homedir(), ".config"), "wicket");
}

function file(): string {
  return join(folder(), "logins.json");
}

function read(): Store {
  let text: string;
  try {
    if ((statSync(file()).mode & 0o077) !== 0) {
      throw fail(exit.failure, "LOGIN_FILE_OPEN", `others may read ${file()}`, `chmod 600 ${file()}`);
    }
    text = readFileSync(file(), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return EMPTY;
    if (error instanceof CommandError) throw error;
    throw fail(exit.failure, "LOGIN_FILE_READ", `${file()} cannot be read (${reasonOf(error)})`, ELSEWHERE);
  }
  try {
    const store = JSON.parse(text) as Store;
    if (store.version === 1 && typeof store.logins === "object") return store;
  } catch {
    // Said below.
  }
  throw fail(
    exit.failure,
    "LOGIN_FILE_BROKEN",
    `${file()} cannot be read`,
    `rm ${file()}, then log in again`,
  );
}

function write(store: Store): void {
  makeFolder(folder(), ELSEWHERE);
  const half = `${file()}.${process.pid}`;
  try {
    chmodSync(folder(), 0o700);
    writeFileSync(half, `${JSON.stringify(store, null, 2)}\n`, { mode: 0o600 });
    renameSync(half, file());
  } catch (error) {
    throw fail(
      exit.failure,
      "LOGIN_FILE_WRITE",
      `${file()} cannot be written (${reasonOf(error)})`,
      ELSEWHERE,
    );
  }
}

/** The edge that was logged in to last, or null. */
export function currentEdge(): string | null {
  return read().current;
}

/** The login at an edge, or null. */
export function findLogin(edge: string): Login | null {
  const { logins } = read();
  return Object.hasOwn(logins, edge) ? logins[edge]! : null;
}

/** Keeps a login; with `choose` its edge becomes the one that is meant when none is named. */
export function keepLogin(edge: string, login: Login, choose = true): void {
  const store = read();
  write({ version: 1, current: choose ? edge : store.current, logins: { ...store.logins, [edge]: login } });
}

/** A lock that is older was left by a program that died, milliseconds. */
const LOCK_MS = 40_000;

/**
 * Runs `work` while no other `wicket` does: a refresh token that two programs use at the same time looks stolen, and
 * ends the login.
 */
export async function withLoginLock<Result>(work: () => Promise<Result>): Promise<Result> {
  makeFolder(folder(), ELSEWHERE);
  const lock = `${file()}.lock`;
  for (;;) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        const why = `${lock} cannot be written (${reasonOf(error)})`;
        throw fail(exit.failure, "LOGIN_FILE_WRITE", why, ELSEWHERE);
      }
    }
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (made !== undefined && Date.now() - made > LOCK_MS) rmSync(lock, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Forgets the login at an edge; false when there was none. */
export function dropLogin(edge: string): boolean {
  const store = read();
  if (!Object.hasOwn(store.logins, edge)) return false;
  const { [edge]: _, ...logins } = store.logins;
  const current = store.current === edge ? (Object.keys(logins)[0] ?? null) : store.current;
  if (current === null) rmSync(file());
  else write({ version: 1, current, logins });
  return true;
}
