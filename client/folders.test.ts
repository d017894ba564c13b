import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { databaseUrl } from "./dev/database.ts";
import { openSecrets, openState } from "./dev/state.ts";
import { CommandError } from "./exit.ts";
import { makeFolder, temporaryFolder } from "./folders.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-folders-"));
const file = join(folder, "file");
writeFileSync(file, "{}");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The sentence, code and advice of what is thrown. */
async function said(work: () => unknown): Promise<string> {
  try {
    await work();
    return "nothing";
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return `${error.message} (${error.fault.code}) ${error.fault.next ?? ""}`;
  }
}

describe("folders of a person's own", () => {
  test("are made with those above them, for their owner only", () => {
    const path = join(folder, "a", "b", "c");
    makeFolder(path, "");
    makeFolder(path, "");
    for (const one of [path, join(folder, "a")]) expect(statSync(one).mode & 0o777).toBe(0o700);
    expect(statSync(temporaryFolder("x-", folder)).mode & 0o777).toBe(0o700);
  });

  test("what stands in the way is said", async () => {
    const blocked = /\/file cannot be made \(it is a file\) \(FOLDER_UNUSABLE\) Go on$/;
    expect(await said(() => makeFolder(file, "Go on"))).toMatch(blocked);
    expect(await said(() => makeFolder(join(file, "x", "y"), "Go on"))).toMatch(blocked);
    expect(await said(() => temporaryFolder("x-", join(folder, "none")))).toMatch(
      /\(ENOENT\) \(FOLDER_UNUSABLE\) Set TMPDIR/,
    );
  });

  const proc = existsSync("/proc/self");
  if (!proc) console.log("a test of a file system without folders is skipped: there is no /proc");
  test.skipIf(!proc)("a file system that makes none does not hold it up", async () => {
    expect(await said(() => makeFolder("/proc/wicket/x", "Go on"))).toMatch(/\(FOLDER_UNUSABLE\) Go on$/);
  });
});

describe("the state of wicket dev", () => {
  test("that cannot be used, or is something else's, is said", async () => {
    expect(await said(() => openState(file))).toMatch(/\(FOLDER_UNUSABLE\) Give another: --state DIR$/);
    const path = join(folder, "state");
    const state = openState(path);
    for (const text of ["{", "{}", "null"]) {
      writeFileSync(join(path, "secrets.json"), text);
      expect(await said(() => openSecrets(state, async () => 1))).toMatch(
        /\(STATE_BROKEN\) Remove the state/,
      );
    }
    rmSync(join(path, "secrets.json"));
    const made = await openSecrets(state, async () => 7);
    expect(await openSecrets(state, async () => 8)).toEqual(made);
  });

  test("a database is named by its URL", async () => {
    for (const text of ["nonsense", "http://x/y", ""])
      expect(await said(() => databaseUrl(text))).toMatch(/^--postgres is not a URL .*\(POSTGRES_URL\)/);
    expect(databaseUrl("postgresql://x/y").hostname).toBe("x");
  });
});
