// Runs a command of this repository on the Node that the lockfile pins, whatever Node started it.
// Plain JavaScript without dependencies: it must work on Node 20 and before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const COMMANDS = { test: "scripts/test.ts", check: "scripts/check.ts" };

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

/** The lockfile that npm wrote into node_modules is older than ours when dependencies changed. */
function installed() {
  const mark = join(root, "node_modules", ".package-lock.json");
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(root, "package.json")).mtimeMs - 60_000;
}

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { cwd: root, stdio: "inherit", ...options });
  if (done.error) fail(`Could not start ${program}: ${done.error.message}`);
  return done.status ?? 1;
}

const [command, ...rest] = process.argv.slice(2);
const script = command === "script" ? rest.shift() : COMMANDS[command];
if (!script) {
  fail(`Unknown command "${command ?? ""}". Known: ${Object.keys(COMMANDS).join(", ")}, script FILE.`);
}

if (!existsSync(join(root, "node_modules")) || !installed()) {
  if (run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]) !== 0)
    fail("npm ci failed; see above.");
}
const node = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");
if (!existsSync(node)) {
  fail(
    `No Node for ${process.platform} ${process.arch} in node_modules: run "npm ci" without --omit=optional.`,
  );
}
const env = { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}` };
const prepared = run(node, ["scripts/prepare.ts"], { env });
if (prepared !== 0) fail("Preparing the parser and the policies failed; see above.");
process.exit(run(node, [script, ...rest], { env }));
