/** Places that cannot be used and inputs that cannot be read: one sentence each, the right exit code, and an end. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { finished } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-command-line-"));
const script = join(import.meta.dirname, "..", "bin", "wicket.js");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `wicket …` away from any login of this machine. */
function wicket(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { WICKET_TOKEN_FILE: _, WICKET_EDGE: __, npm_command: ___, ...rest } = process.env;
  const env = { ...rest, XDG_CONFIG_HOME: join(folder, "config"), NO_COLOR: "1", ...more };
  return finished(spawn(process.execPath, [script, ...args], { env, stdio: ["ignore", "pipe", "pipe"] }));
}

const file = join(folder, "file");
writeFileSync(file, "{}");
const nowhere = join(folder, "nowhere");
const explain = [
  "policy",
  "explain",
  "--task",
  "order-lookup",
  "--as",
  "tina",
  "--sql",
  "select 1 from orders",
];

/** Nobody is asked for what cannot be run: the edge that is not there is not noticed. */
const connect = (program: string) => [
  ...["connect", "orders-db", "--task", "t", "--edge", "http://127.0.0.1:9"],
  ...["--token", file, "--", program],
];

describe("said in one sentence, with what to do", () => {
  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    [
      "a login below a file",
      ["whoami"],
      { XDG_CONFIG_HOME: file },
      1,
      /cannot be read \(ENOTDIR\) \(LOGIN_FILE_READ\)\n +Set XDG/,
    ],
    [
      "a port that is not for the web",
      ["login", "--as", "x", "--edge", "http://127.0.0.1:1"],
      { XDG_CONFIG_HOME: nowhere },
      6,
      /cannot be reached \(bad port\)/,
    ],
    [
      "a state folder that is a file",
      ["dev", "--state", file],
      {},
      1,
      /\(it is a file\) \(FOLDER_UNUSABLE\)\n +Give another: --state/,
    ],
    [
      "no library to check",
      ["policy", "check", "--policies", nowhere],
      {},
      2,
      /there is no folder .*\(POLICIES_UNREADABLE\)/,
    ],
    [
      "a catalog that is none",
      [...explain, "--catalog", file],
      {},
      2,
      /\(CATALOG_UNREADABLE\)\n +Make one: .*policy catalog/,
    ],
    [
      "no database for a catalog",
      [...explain, "--postgres", "postgres://127.0.0.1:1/x"],
      {},
      6,
      /\(ECONNREFUSED\) \(DATABASE_UNREACHABLE\)/,
    ],
    [
      "a program that is not there",
      connect("no-such-program"),
      {},
      127,
      /no-such-program is not installed \(COMMAND_NOT_FOUND\)/,
    ],
    [
      "psql that is not there",
      connect("psql"),
      { PATH: nowhere },
      127,
      /psql is not installed .*\n +On Debian: apt install/,
    ],
    ["a path that is not there", connect(join(file, "x")), {}, 127, /\(COMMAND_NOT_FOUND\)/],
    [
      "a program that is not executable",
      connect(file),
      {},
      126,
      /file is not executable \(COMMAND_NOT_EXECUTABLE\)/,
    ],
    ["one of PATH that is not executable", connect("file"), { PATH: folder }, 126, /file is not executable/],
    ["a folder", connect(folder), {}, 126, /is a folder \(COMMAND_NOT_EXECUTABLE\)/],
    [
      "no login for recordings",
      ["recording", "ls", "--edge", "http://127.0.0.1:9"],
      {},
      4,
      /you are not logged in/,
    ],
  ])("%s", async (_, args, env, code, says) => {
    const out = await wicket(args, env);
    expect([out.stderr, out.code, out.stdout]).toEqual([expect.stringMatching(says), code, ""]);
    expect(out.stderr).not.toMatch(/\n\s+at /);
  });
});
