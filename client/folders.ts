/** Folders of a person's own, made where they are missing; what stands in the way is said in one sentence. */
import { existsSync, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exit, fail } from "./exit.ts";

/**
 * Makes a folder and those above it, each of mode 0700, one after another from the top: Node's own way never ends where a
 * file system says that a folder it was asked for is not there (as /proc does).
 * @param next what to do when it cannot be made
 */
export function makeFolder(path: string, next: string): void {
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) return;
    throw unusable(path, "it is a file", next);
  }
  const above = dirname(path);
  if (above !== path) makeFolder(above, next);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another program may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw unusable(path, reasonOf(error), next);
  }
}

/** A new folder of mode 0700 below the one for temporary files, or below `base`. */
export function temporaryFolder(prefix: string, base: string = tmpdir()): string {
  try {
    return mkdtempSync(join(base, prefix));
  } catch (error) {
    const why = `no temporary folder can be made in ${base} (${reasonOf(error)})`;
    throw fail(exit.failure, "FOLDER_UNUSABLE", why, "Set TMPDIR to a folder of yours.");
  }
}

/** The error's code (`EROFS`, `ENOTDIR`), or its first line. */
export function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? (error instanceof Error ? error.message.split("\n")[0]! : String(error));
}

function unusable(path: string, why: string, next: string) {
  return fail(exit.failure, "FOLDER_UNUSABLE", `the folder ${path} cannot be made (${why})`, next);
}
