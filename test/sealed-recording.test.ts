/** A sealed recording from the outside: nothing readable at the edge, and an auditor who reads and checks it. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { segmentFile } from "../client/recording/bundle.ts";
import { ZipReader, ZipWriter } from "../client/recording/zip.ts";
import { isSealed } from "../wire/recording.ts";
import { adminOf, type RunResult, type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-sealed-"));
const key = join(folder, "auditor.jwk");
const wrongKey = join(folder, "stranger.jwk");
const bundle = join(folder, "session.zip");
/** In a statement, in a row, in an error, and in a statement of a task whose recording is not sealed. */
const [TEXT, ROW, ERROR, OPEN] = ["canary-text-3f", "canary-row-7a", "canary-error-9c", "canary-open-1d"];
let system: System;
let id: string;

const wicket = (...args: string[]): Promise<RunResult> => system.wicket(args);
const keys = (): string[] => system.keys.flatMap((one) => ["--key", one]);

beforeAll(async () => {
  const policies = join(folder, "policies");
  cpSync(join(import.meta.dirname, "../policies/library"), policies, { recursive: true });
  const task = join(policies, "tasks", "order-lookup.yaml");
  const text = readFileSync(task, "utf8");
  writeFileSync(task, text.replace("on_failure: terminate }", "on_failure: terminate, sealed: true }"));
  system = await startSystem({ policies, auditor: await keygen() });
  const admin = await adminOf(system);
  await admin.query("UPDATE public.orders SET status = $1 WHERE customer_id = 7", [ROW]);
  await admin.end();
  id = await session("order-lookup", "tina", ["--param", "customer=7"], async (client) => {
    const { rows } = await client.query(`SELECT status FROM public.orders WHERE status <> '${TEXT}'`);
    expect(rows[0]).toEqual({ status: ROW });
    // A segment is finished a second after its first entry: the rest is in another.
    await system.until(async () => {
      const { body } = await system.api("tina", "/api/sessions?open");
      const list = await system.api("tina", `/api/sessions/${body.sessions[0].id}/recording`);
      return list.body.segments.length > 0;
    }, "a segment");
    await expect(client.query(`SELECT '${ERROR}'::int FROM public.orders`)).rejects.toThrow();
  });
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Two pairs, made by the command. Returns the public file of the first. */
async function keygen(): Promise<string> {
  const { makeAuditorKey } = await import("../client/recording/auditor.ts");
  await makeAuditorKey(wrongKey);
  return (await makeAuditorKey(key)).publicFile;
}

/** A session whose recording is stored to its end. */
async function session(
  task: string,
  as: string,
  more: string[],
  work: (client: pg.Client) => Promise<void>,
): Promise<string> {
  const proxy = await system.proxy(["orders-db", "--task", task, "--reason", "INC-7", ...more], { as });
  const client = new pg.Client(proxy.url);
  await client.connect();
  await work(client);
  await client.end();
  await proxy.stop();
  const { body } = await system.api(as, "/api/sessions");
  const sid = body.sessions[0].id as string;
  await system.until(
    async () => (await system.api(as, `/api/sessions/${sid}/recording`)).body.final,
    "the end of the recording",
  );
  return sid;
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

/** Files of the edge (R2, D1 and every object's storage) that have these bytes, also in base 64. */
function filesWith(canary: string): string[] {
  const forms = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(canary)]).toString("base64");
    return text.slice(shift === 0 ? 0 : 4, -4);
  });
  return filesBelow(join(system.state, "edge")).filter((file) => {
    const bytes = readFileSync(file);
    return bytes.includes(canary) || forms.some((form) => bytes.includes(form));
  });
}

test("no byte of statements, rows or errors is in anything that the edge stores", async () => {
  await session("orders-analyst", "lee", [], async (client) => {
    await client.query(`SELECT '${OPEN}'`);
  });
  // The search finds what is not sealed, so it would find the rest.
  expect(filesWith(OPEN).length).toBeGreaterThan(0);
  for (const canary of [TEXT, ROW, ERROR]) expect(filesWith(canary), canary).toEqual([]);
  // Segments are compressed: that each of them is sealed is looked at too, not only for the words.
  const { body: stored } = await system.api("tina", `/api/sessions/${id}/recording`);
  expect(stored.segments.length).toBeGreaterThan(1);
  for (const { sequence } of stored.segments) {
    const headers = { authorization: `Bearer ${system.people["tina"]}` };
    const answer = await fetch(`${system.edge}/api/sessions/${id}/recording/${sequence}`, { headers });
    expect(isSealed(new Uint8Array(await answer.arrayBuffer()))).toBe(true);
  }
  const { body } = await system.api("tina", `/api/sessions/${id}/recording/index`);
  expect(body.segments[0]).toMatchObject({ sealed: true, damaged: false, statements: [] });
  const { body: audit } = await system.api("operator", `/api/audit?session=${id}`);
  expect(JSON.stringify(audit)).toContain("statement.decided");
  for (const canary of [TEXT, ROW, ERROR]) expect(JSON.stringify(audit)).not.toContain(canary);
});

describe("wicket play", () => {
  test("reads it with the auditor's key, and says why it does not without, or with another", async () => {
    const { code, stdout } = await wicket("play", id, "--key-file", key);
    expect([code, stdout.includes(TEXT), stdout.includes(ROW)]).toEqual([0, true, true]);
    const without = await wicket("play", id);
    expect(without.code).toBe(3);
    expect(without.stderr).toContain("sealed");
    expect(without.stderr).toContain("--key-file");
    const other = await wicket("play", id, "--key-file", wrongKey);
    expect([other.code, other.stdout]).toEqual([3, ""]);
    expect(other.stderr).toContain("not to this key");
  });

  test("reads an exported file, offline", async () => {
    expect((await wicket("recording", "export", id, "-o", bundle)).code).toBe(0);
    const { code, stdout } = await system.wicket(["play", bundle, "--key-file", key], { as: null });
    expect([code, stdout.includes(TEXT), stdout.includes(ROW)]).toEqual([0, true, true]);
    expect((await system.wicket(["play", bundle], { as: null })).code).toBe(3);
  });
});

describe("wicket recording verify", () => {
  const verify = (file: string, ...more: string[]): Promise<RunResult> =>
    system.wicket(["recording", "verify", file, ...keys(), ...more], { as: null });

  test("passes without the key and says what is left to check; with the key it checks that too", async () => {
    const without = await verify(bundle);
    expect([without.code, without.stdout.includes("FAIL")]).toEqual([0, false]);
    expect(without.stdout).toMatch(/NOT CHECKED +sealing/);
    const { code, stdout } = await verify(bundle, "--key-file", key);
    expect(code).toBe(0);
    expect(stdout).toMatch(/PASS +sealing/);
    expect((await verify(bundle, "--key-file", wrongKey)).stdout).toMatch(/NOT CHECKED +sealing/);
  });

  test("an opened copy can be given to who has no key, and is held against the same roots", async () => {
    const opened = join(folder, "opened.zip");
    expect((await wicket("recording", "export", id, "-o", opened, "--key-file", key)).code).toBe(0);
    const { code, stdout } = await verify(opened);
    expect(code).toBe(0);
    expect(stdout).toMatch(/PASS +sealing/);
    const refused = join(folder, "refused.zip");
    expect((await wicket("recording", "export", id, "-o", refused, "--key-file", wrongKey)).code).toBe(1);
  });

  test.each<[string, (files: Map<string, Uint8Array>) => void, RegExp]>([
    ["a cut segment", (files) => void files.set(last(files), files.get(last(files))!.slice(0, -1)), /FAIL/],
    ["a missing segment", (files) => void files.delete(segmentFile(0)), /FAIL +segments .*0 missing/],
    [
      "a changed byte of the ciphertext",
      (files) => {
        const bytes = files.get(segmentFile(0))!;
        bytes[bytes.length - 40]! ^= 1;
      },
      /FAIL/,
    ],
  ])("R2 %s is named without a key, exit code 7", async (_name, change, message) => {
    const zip = new ZipReader(bundle);
    const files = new Map(zip.names.map((name) => [name, Uint8Array.from(zip.read(name, 16 << 20)!)]));
    zip.close();
    change(files);
    const path = join(folder, `${Math.random()}.zip`);
    const changed = new ZipWriter(path);
    for (const [name, bytes] of files) changed.add(name, bytes);
    changed.finish();
    const { code, stdout } = await verify(path);
    expect(stdout).toMatch(message);
    expect(code).toBe(7);
  });
});

function last(files: ReadonlyMap<string, Uint8Array>): string {
  return [...files.keys()]
    .filter((name) => name.startsWith("segments/"))
    .sort()
    .at(-1)!;
}
