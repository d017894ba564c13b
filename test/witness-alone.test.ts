/** The witness as somebody else runs it: one file in an empty folder, on whatever Node is there. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleProgram } from "../scripts/build.ts";
import { formatVerifierKey, type NoteSigner } from "../wire/log/note.ts";
import { logSigner, ORIGIN, Tree } from "../witness/test-tree.ts";

/** The versions of Node on this machine, by their path: the lockfile's, and those that are installed. */
function nodes(): [version: string, path: string][] {
  const found = new Map<string, string>([[process.version, process.execPath]]);
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/local/bin"]) {
    const path = join(folder, "node");
    if (!existsSync(path)) continue;
    const version = execFileSync(path, ["--version"], { encoding: "utf8" }).trim();
    if (!found.has(version)) found.set(version, path);
  }
  return [...found].filter(([version]) => Number(/^v(\d+)/.exec(version)?.[1]) >= 20);
}

let log: NoteSigner;
let bundle: string;
const running: ChildProcess[] = [];
const folders: string[] = [];

beforeAll(async () => {
  [log, bundle] = await Promise.all([
    logSigner(),
    bundleProgram("witness/main.ts", "wicket-witness.mjs", 20),
  ]);
});
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder with the one file in it. */
function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wicket-alone-"));
  folders.push(folder);
  copyFileSync(bundle, join(folder, "wicket-witness.mjs"));
  return folder;
}

interface Ready {
  readonly url: string;
  readonly known: Readonly<Record<string, number>>;
}

/** Starts it; resolves with its `ready` line, or with what it said when it ended instead. */
function start(
  node: string,
  cwd: string,
): Promise<{ child: ChildProcess; ready: Ready | null; said: string }> {
  const files = ["--key", "witness.key", "--state", "state.json"];
  const args = [
    "wicket-witness.mjs",
    "run",
    ...files,
    "--listen",
    "127.0.0.1:0",
    "--log",
    formatVerifierKey(log),
  ];
  // Nothing of this process's surroundings.
  const child = spawn(node, args, { cwd, env: { HOME: cwd }, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  let said = "";
  child.stderr!.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve) => {
    createInterface({ input: child.stdout! }).once("line", (line) =>
      resolve({ child, ready: JSON.parse(line) as Ready, said }),
    );
    child.once("close", () => resolve({ child, ready: null, said }));
  });
}

const ended = (child: ChildProcess, signal: NodeJS.Signals) =>
  new Promise<number | null>((resolve) => {
    child.once("exit", (code) => resolve(code));
    child.kill(signal);
  });

const honest = new Tree(Array.from({ length: 70 }, (_, i) => `entry ${i}`));
const other = new Tree(Array.from({ length: 70 }, (_, i) => (i === 3 ? "something else" : `entry ${i}`)));

describe.each(nodes())("R2 on Node %s, alone in an empty folder", (_version, node) => {
  test("it cosigns, is killed at any instant, and never forgets: no rollback, no second history", async () => {
    const folder = emptyFolder();
    const key = execFileSync(
      node,
      ["wicket-witness.mjs", "keygen", "--name", "witness.example", "--key", "witness.key"],
      { cwd: folder, env: { HOME: folder }, encoding: "utf8" },
    );
    expect(key).toMatch(/^witness\.example\+[0-9a-f]{8}\+/);
    let { child, ready } = await start(node, folder);
    expect(ready!.known).toEqual({});
    const post = async (tree: Tree, before: number, size: number): Promise<number> => {
      const body = new Uint8Array(await tree.request(before, size, log));
      const answer = await fetch(`${ready!.url}/add-checkpoint`, { method: "POST", body }).catch(() => null);
      return answer?.status ?? 0;
    };
    expect(await post(honest, 0, 10)).toBe(200);
    for (let size = 20; size <= 60; size += 10) {
      // Killed while it answers: afterwards it knows either the tree before or this one, and says which.
      const asked = post(honest, size - 10, size);
      await ended(child, "SIGKILL");
      const status = await asked;
      ({ child, ready } = await start(node, folder));
      const known = ready!.known[ORIGIN]!;
      expect([size - 10, size]).toContain(known);
      // What was cosigned is known, whatever came after.
      if (status === 200) expect(known).toBe(size);
      expect(await post(honest, known, size)).toBe(200);
      expect(await post(other, size, size), "another tree of the same size").toBe(409);
      expect(await post(other, size, size + 5), "another history that is longer").toBe(422);
      expect(await post(honest, 5, 8), "back to an earlier tree").toBe(409);
      expect(await post(other, 0, size + 5), "a log that begins anew").toBe(409);
    }
    expect(await ended(child, "SIGTERM")).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["state.json", "wicket-witness.mjs", "witness.key"]);
    // A torn state is no empty one.
    const state = join(folder, "state.json");
    writeFileSync(state, readFileSync(state, "utf8").slice(0, 30));
    const torn = await start(node, folder);
    expect(torn.ready).toBeNull();
    expect(torn.said).toContain("state.json is not a witness's state");
  });
});

test("the versions of Node that were tried", () => {
  const versions = nodes().map(([version]) => version);
  console.log(`the witness ran on Node ${versions.join(", ")}`);
  expect(versions.length).toBeGreaterThan(0);
});
