/** What generated files are made of: they are made again when a digest of it changes, and only then. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");

/**
 * Digest of files and folders, named from the root, by their names and contents; of the packages, too, as the
 * lockfile names them. Tests are no part of it. Hex.
 */
export function digestOf(paths: readonly string[]): string {
  const hash = createHash("sha256").update(process.version);
  const add = (path: string): void => {
    const full = join(root, path);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) add(`${path}/${name}`);
    } else if (!/\.test\.tsx?$/.test(path)) {
      const content = readFileSync(full);
      hash.update(`\0${path}\0${content.length}\0`).update(content);
    }
  };
  for (const path of ["package-lock.json", ...paths]) add(path);
  return hash.digest("hex");
}

/** The file's text; null when it is not there. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** Written beside and renamed, so that a concurrent reader sees the old file or the new one. */
export function writeWhole(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const beside = `${file}.${process.pid}`;
  writeFileSync(beside, content);
  renameSync(beside, file);
}

/**
 * A generated script that says in its first line what it was made of: read where it is, or made.
 * @param file from the root
 */
export async function keptScript(
  file: string,
  sources: readonly string[],
  make: () => Promise<string>,
): Promise<string> {
  const path = join(root, file);
  const mark = `// made of ${digestOf(sources)}\n`;
  const before = readText(path);
  if (before?.startsWith(mark)) return before;
  const text = mark + (await make());
  writeWhole(path, text);
  return text;
}
