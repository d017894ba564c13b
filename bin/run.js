// `npm start`, `npm test` and the like, from a fresh checkout: installs what the lockfile names, makes what is
// generated, and runs the command on the lockfile's Node. Runs on any Node from 18 on, without dependencies.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { findNode, nodeOptions, root, runForeground } from "./node24.js";

const COMMANDS = {
  start: ["client/main.ts", "dev"],
  test: ["scripts/test.ts"],
  check: ["scripts/check.ts"],
  bench: ["test/bench/run.ts"],
  chaos: ["test/chaos/chaos.ts"],
};

/** True when what is installed is what the lockfile says: npm keeps a copy of it inside node_modules. */
function installed() {
  const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8")).packages;
  if (!existsSync(join(root, "node_modules", ".package-lock.json"))) return false;
  const wanted = read("package-lock.json");
  const found = read("node_modules/.package-lock.json");
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    if (path === "" || link) return true;
    // Packages of other platforms are optional and absent.
    return found[path] ? found[path].version === version : optional === true;
  });
}

function install() {
  console.error("Installing the packages of the lockfile (npm ci)…");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const run = spawnSync(npm, ["ci", "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, npm_config_loglevel: process.env.npm_config_loglevel ?? "error" },
  });
  if (run.status === 0) return;
  console.error(
    run.error ? `npm cannot be started: ${run.error.message}` : "npm ci failed; what it says is above",
  );
  process.exit(1);
}

function main() {
  const [name, ...rest] = process.argv.slice(2);
  const command = name === "script" ? rest.splice(0, 1) : COMMANDS[name];
  if (!command?.[0]) {
    console.error(`usage: node bin/run.js ${Object.keys(COMMANDS).join(" | ")} | script FILE [arguments]`);
    process.exit(2);
  }
  if (!installed() || findNode() === null) install();
  const node = findNode();
  if (node === null) {
    console.error(
      `There is no Node for ${process.platform}-${process.arch} in the packages: was npm told to leave out optional ones?`,
    );
    process.exit(1);
  }
  const env = {
    ...process.env,
    PATH: join(root, "node_modules", ".bin") + delimiter + (process.env.PATH ?? ""),
  };
  const prepared = spawnSync(node, [...nodeOptions, join(root, "scripts/prepare.ts")], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env,
  });
  if (prepared.status !== 0) {
    console.error("What the program is made of could not be prepared; what went wrong is above.");
    process.exit(1);
  }
  runForeground(node, [...nodeOptions, resolve(root, command[0]), ...command.slice(1), ...rest], { env });
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
