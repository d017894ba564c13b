/** Reads the files of a task library from a folder. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Compiled, type CompileOptions, compileLibrary } from "../../policies/compile.ts";
import { exit, fail } from "../exit.ts";

/** The files that `compileLibrary` wants, by path below the folder. Throws when the folder cannot be read. */
export function readLibraryFiles(folder: string): Map<string, string> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw fail(exit.usage, "POLICIES_UNREADABLE", `there is no folder ${folder}`, "See --policies.");
  const files = new Map<string, string>();
  const read = (path: string) => files.set(path, readFileSync(join(folder, path), "utf8"));
  for (const name of ["resources.yaml", "people.yaml"]) {
    if (exists(join(folder, name))) read(name);
  }
  if (exists(join(folder, "tasks"))) {
    for (const entry of readdirSync(join(folder, "tasks"), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const below = join(entry.parentPath, entry.name)
        .slice(folder.length)
        .replace(/^[/\\]+/, "");
      read(below.replaceAll("\\", "/"));
    }
  }
  return files;
}

/** Reads and compiles a library folder. */
export function openLibrary(folder: string, options: CompileOptions = {}): Compiled {
  return compileLibrary(readLibraryFiles(folder), options);
}

/** Where the catalog of a resource is stored with the library. */
export function catalogPath(policies: string, resource: string): string {
  return join(policies, "catalogs", `${resource}.json`);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
