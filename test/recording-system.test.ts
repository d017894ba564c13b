/** A recording from the outside: `wicket dev`, a session, its export, and the verifier on what was done to the file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { segmentFile } from "../client/recording/bundle.ts";
import { ZipReader, ZipWriter } from "../client/recording/zip.ts";
import { type System, startSystem } from "./support/system.ts";

type Files = Map<string, Uint8Array>;

const folder = mkdtempSync(join(tmpdir(), "wicket-recorded-"));
const LIMIT = 16 * 1024 * 1024;
let system: System;
let first: { id: string; files: Files };
let second: { id: string; files: Files };
let made = 0;

beforeAll(async () => {
  system = await startSystem();
  [first, second] = [await recorded(), await recorded()];
});

afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A session of a few segments, and the files of its bundle. */
async function recorded(): Promise<{ id: string; files: Files }> {
  const proxy = await system.proxy(["orders-db", "--task", "orders-analyst", "--reason", "INC-7"], {
    as: "lee",
  });
  const client = new pg.Client(proxy.url);
  await client.connect();
  for (let n = 0; n < 3; n++) {
    await client.query("SELECT * FROM public.orders LIMIT 50");
    // A segment is sealed a second after its first entry.
    const had = n;
    await system.until(async () => {
      const { body } = await system.api("lee", "/api/sessions?open");
      const id = body.sessions?.[0]?.id as string | undefined;
      const list = id && (await system.api("lee", `/api/sessions/${id}/recording`));
      return list && list.body.segments.length > had;
    }, "a segment");
  }
  await expect(client.query("SELECT 1 / (id - id) FROM public.orders")).rejects.toThrow("division by zero");
  await expect(client.query("ALTER ROLE bob PASSWORD 'hunter2'")).rejects.toThrow();
  await client.end();
  await proxy.stop();
  const { body } = await system.api("lee", "/api/sessions");
  const id = body.sessions[0].id as string;
  await system.until(
    async () => (await system.api("lee", `/api/sessions/${id}/recording`)).body.final,
    "its end",
  );
  const file = join(folder, `${id}.zip`);
  await system.until(
    async () => (await system.wicket(["recording", "export", id, "-o", file], { as: "lee" })).code === 0,
    "the export",
  );
  const zip = new ZipReader(file);
  const files: Files = new Map(zip.names.map((name) => [name, Uint8Array.from(zip.read(name, LIMIT)!)]));
  zip.close();
  return { id, files };
}

/** What the verifier says of the first bundle after a change. */
async function verified(change: (files: Files) => void): Promise<{ code: number | null; out: string }> {
  const files: Files = new Map([...first.files].map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
  change(files);
  const path = join(folder, `changed-${made++}.zip`);
  const zip = new ZipWriter(path);
  for (const [name, bytes] of files) zip.add(name, bytes);
  zip.finish();
  const keys = system.keys.flatMap((key) => ["--key", key]);
  // Offline: no edge, no login.
  const { code, stdout } = await system.wicket(["recording", "verify", path, ...keys], { as: null });
  return { code, out: stdout };
}

describe("wicket recording verify, with the keys of the ready line", () => {
  test("passes what was exported, in every property", async () => {
    const { code, out } = await verified(() => {});
    expect(out).not.toContain("FAIL");
    expect(code).toBe(0);
    expect(out).toContain(`of session ${first.id} is whole and unaltered`);
  });

  const flipped = (files: Files, name: string): void => {
    const bytes = files.get(name)!;
    bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
  };
  const swap = (files: Files, one: string, other: string): void => {
    const [a, b] = [files.get(one)!, files.get(other)!];
    files.set(one, b);
    files.set(other, a);
  };
  const lastOf = (files: Files): string =>
    [...files.keys()]
      .filter((name) => name.startsWith("segments/"))
      .sort()
      .at(-1)!;
  test.each<[string, (files: Files) => void, RegExp]>([
    ["flipped bit", (files) => flipped(files, segmentFile(1)), /FAIL +segments .*1/],
    ["deleted segment", (files) => void files.delete(segmentFile(1)), /FAIL +segments +segment 1 missing/],
    ["truncated recording", (files) => void files.delete(lastOf(files)), /FAIL +segments .*without an end/],
    [
      "truncated segment",
      (files) => void files.set(segmentFile(1), files.get(segmentFile(1))!.slice(0, -9)),
      /FAIL +segments .*1/,
    ],
    ["reordered segments", (files) => swap(files, segmentFile(0), segmentFile(1)), /FAIL +segments/],
    [
      "spliced segment",
      (files) => void files.set(segmentFile(1), second.files.get(segmentFile(1))!),
      /FAIL +segments/,
    ],
    [
      "whole session swapped",
      (files) => {
        for (const name of [...files.keys()]) if (name.startsWith("segments/")) files.delete(name);
        for (const [name, bytes] of second.files) if (name.startsWith("segments/")) files.set(name, bytes);
      },
      /FAIL +(session start|segments)/,
    ],
    [
      "log rolled back to before the end",
      (files) => {
        const entries = [...files.keys()].filter((name) => name.startsWith("log/")).sort();
        for (const name of entries.slice(2)) files.delete(name);
      },
      /FAIL +session end .*missing/,
    ],
  ])("R2 %s is named, exit code 7", async (_name, change, message) => {
    const { code, out } = await verified(change);
    expect(out).toMatch(message);
    expect(out).toContain("is NOT whole and unaltered");
    expect(code).toBe(7);
  });
});

test("R8 each decision is paired with what came of it, also when the database failed; R6 without the password", async () => {
  const { body } = await system.api("lee", `/api/sessions/${first.id}/recording/index`);
  const of = (kind: "statements" | "outcomes") =>
    (body.segments as Record<string, Record<string, unknown>[]>[]).flatMap((segment) => segment[kind]!);
  const statements = of("statements");
  const outcomes = new Map(of("outcomes").map((one) => [one["n"], one]));
  const failed = statements.find((one) => String(one["text"]).includes("1 / (id - id)"))!;
  expect(failed).toMatchObject({ effect: "allow" });
  expect(outcomes.get(failed["n"])).toMatchObject({ ok: false, sqlstate: "22012" });
  const denied = statements.find((one) => String(one["text"]).startsWith("ALTER ROLE"))!;
  expect(denied).toMatchObject({ effect: "deny", text: "ALTER ROLE bob PASSWORD '[redacted]'" });
  expect(outcomes.get(denied["n"])).toMatchObject({ ok: false });
  for (const bytes of first.files.values()) expect(Buffer.from(bytes).includes("hunter2")).toBe(false);
  const { body: audit } = await system.api("operator", `/api/audit?session=${first.id}`);
  expect(JSON.stringify(audit)).not.toContain("hunter2");
});

test("R10 the log says of each session whether and how it was recorded, and under which policies", () => {
  const [name] = [...first.files.keys()].filter((one) => one.endsWith(".entry")).sort();
  const start = JSON.parse(new TextDecoder().decode(first.files.get(name!)!));
  expect(start).toMatchObject({
    type: "session.start",
    recording: { level: "full", onFailure: "terminate" },
    policies: expect.stringMatching(/^[0-9a-f]{64}$/),
    task: { name: "orders-analyst", digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
});
