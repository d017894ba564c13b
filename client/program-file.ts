/** Whether a program can be run, before anything is asked of anyone for it; with the exit codes that shells have. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { type CommandError, exit, fail } from "./exit.ts";

/** What keeps a program from being run: it is not there (127), or it is and cannot be run (126). Null for nothing. */
export function programFault(file: string, path = process.env["PATH"] ?? ""): CommandError | null {
  if (process.platform === "win32") return null;
  const named = file.includes("/") || isAbsolute(file);
  // An empty part of PATH is this folder, as execvp(3) has it.
  const places = named ? [file] : path.split(delimiter).map((part) => join(part === "" ? "." : part, file));
  let unfit: string | null = null;
  for (const place of places) {
    const why = unfitness(place);
    if (why === null) return null;
    if (why !== undefined) unfit ??= `${named ? file : place} ${why}`;
  }
  return unfit === null ? notFound(file) : notExecutable(unfit);
}

/** What the operating system said when a program that looked fit was started. */
export function startFault(file: string, error: NodeJS.ErrnoException): CommandError {
  if (programFault(file)?.fault.exit === exit.notFound) return notFound(file);
  const why = error.code === "ENOENT" ? "its interpreter is not installed" : error.code;
  return notExecutable(`${file} cannot be started (${why})`);
}

/** Null: it can be run. Undefined: there is nothing. */
function unfitness(place: string): string | null | undefined {
  try {
    if (statSync(place).isDirectory()) return "is a folder";
    accessSync(place, constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : "is not executable";
  }
}

function notFound(file: string): CommandError {
  const next = file === "psql" ? "On Debian: apt install postgresql-client" : undefined;
  return fail(exit.notFound, "COMMAND_NOT_FOUND", `${file} is not installed`, next);
}

function notExecutable(message: string): CommandError {
  return fail(exit.notExecutable, "COMMAND_NOT_EXECUTABLE", message);
}
