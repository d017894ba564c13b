/** R4: what somebody puts into statements, names and values, on every way out of the system that a terminal may show. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ZipReader } from "../client/recording/zip.ts";
import { adminOf, type System, startSystem } from "./support/system.ts";

/** What a terminal acts on or hides; line breaks separate lines. */
const ACTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}]/u;
const TRICK = "=1+1<b>\u001b[2J\u001b]0;x\u0007\u009b2J\u202e\u200b\u2028\u0001end";
const folder = mkdtempSync(join(tmpdir(), "wicket-inert-"));
let system: System;
let id: string;

beforeAll(async () => {
  system = await startSystem();
  const admin = await adminOf(system);
  await admin.query("UPDATE public.orders SET status = $1", [`value ${TRICK}`]);
  await admin.end();
  const proxy = await system.proxy(["orders-db", "--task", "orders-analyst", "--reason", "INC-7"], {
    as: "lee",
  });
  const client = new pg.Client(proxy.url);
  await client.connect();
  const { rows } = await client.query(
    `SELECT status AS "name ${TRICK}" FROM public.orders WHERE status <> $1 LIMIT 1`,
    [`param ${TRICK}`],
  );
  expect(Object.values(rows[0])).toEqual([`value ${TRICK}`]);
  await client.query(`SELECT '${TRICK}\n2. allowed: a line that fakes another'`);
  await expect(client.query(`SELECT * FROM "${TRICK}"`)).rejects.toThrow();
  await client.end();
  await proxy.stop();
  const { body } = await system.api("lee", "/api/sessions");
  id = body.sessions[0].id as string;
  await system.until(
    async () => (await system.api("lee", `/api/sessions/${id}/recording`)).body.final,
    "the end of the recording",
  );
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  "play",
  "play --format json",
  "play --json",
  "recording ls",
  "recording ls --json",
  "sessions show",
  "sessions ls --json",
])("R4 wicket %s shows it and does nothing", async (command) => {
  const args = command.split(" ");
  const takesSession = args[0] === "play" || args[1] === "show";
  const { code, stdout, stderr } = await system.wicket([...args, ...(takesSession ? [id] : [])], {
    as: "lee",
  });
  expect(code, stderr).toBe(0);
  expect(stdout + stderr).not.toMatch(ACTIVE);
  if (args[0] !== "play") return;
  expect(stdout).toContain("\\u001b[2J");
  if (!args.includes("json") && !args.includes("--json")) return;
  expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(`value ${TRICK}`).slice(1, -1));
});

test("R4 an asciicast moves nothing but the lines that play writes", async () => {
  const { stdout } = await system.wicket(["play", id, "--format", "cast"], { as: "lee" });
  expect(stdout).not.toMatch(ACTIVE);
  for (const line of stdout.trimEnd().split("\n").slice(1)) {
    const [, , text] = JSON.parse(line) as [number, string, string];
    expect(text.replaceAll("\r\n", "")).not.toMatch(ACTIVE);
  }
});

test.each(["", "--json", "--format ndjson", "--format cloudevents", "--format ocsf"])(
  "R4 wicket audit search %s shows it and does nothing",
  async (more) => {
    const args = more === "" ? [] : more.split(" ");
    const { code, stdout, stderr } = await system.wicket(["audit", "search", "--session", id, ...args], {
      as: "operator",
    });
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).not.toMatch(ACTIVE);
    expect(stdout).toContain("\\u001b[2J");
    if (args.length > 0) for (const line of stdout.trimEnd().split("\n")) JSON.parse(line);
  },
);

test("R4 what the parts say, and the readable files of an export, have nothing of it", async () => {
  for (const event of system.events) expect(JSON.stringify(event)).not.toContain("\\u001b[2J");
  const file = join(folder, "x.zip");
  expect((await system.wicket(["recording", "export", id, "-o", file], { as: "lee" })).code).toBe(0);
  const zip = new ZipReader(file);
  const readable = zip.names.filter((name) => !name.startsWith("segments/"));
  for (const name of readable)
    expect(
      Buffer.from(zip.read(name, 1 << 20)!)
        .toString()
        .replaceAll("\n", ""),
      name,
    ).not.toMatch(ACTIVE);
  zip.close();
  const keys = system.keys.flatMap((key) => ["--key", key]);
  const { stdout, stderr } = await system.wicket(["recording", "verify", file, ...keys], { as: null });
  expect(stdout + stderr).not.toMatch(ACTIVE);
});
