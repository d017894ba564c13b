/**
 * The bucket's locks as the documentation says to set them: the commands of docs/recordings.md, run with Cloudflare's
 * own client (wrangler) against a server that takes what Cloudflare documents and nothing else, and then asked for by
 * `wicket recording check-locks`.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Schema, Validator } from "@cfworker/json-schema";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test } from "vitest";
import { register } from "../client/recording/commands.ts";

const ROOT = join(import.meta.dirname, "..");
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353";
const BUCKET = "wicketgate-recordings";
const TOKEN = "a-token-of-the-account";

/** `PUT /accounts/{account_id}/r2/buckets/{bucket_name}/lock`: the body, as Cloudflare's API reference describes it. */
const condition = (type: string, more: Record<string, Schema> = {}): Schema => ({
  ...{ type: "object", additionalProperties: false, required: ["type", ...Object.keys(more)] },
  properties: { type: { const: type }, ...more },
});
const rules = new Validator({
  ...{ type: "object", additionalProperties: false },
  properties: {
    rules: {
      type: "array",
      maxItems: 1000,
      items: {
        ...{ type: "object", additionalProperties: false, required: ["id", "condition", "enabled"] },
        properties: {
          ...{ id: { type: "string" }, enabled: { type: "boolean" }, prefix: { type: "string" } },
          condition: {
            oneOf: [
              condition("Age", { maxAgeSeconds: { type: "integer" } }),
              condition("Date", { date: { type: "string", format: "date-time" } }),
              condition("Indefinite"),
            ],
          },
        },
      },
    },
  },
});

let server: Server;
let api: string;
/** Bodies that were put, as they came. */
let kept: { rules: { id: string; prefix: string }[] };
const faults: string[] = [];
const folder = mkdtempSync(join(tmpdir(), "wicket-locks-"));

beforeAll(async () => {
  kept = { rules: [] };
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const send = (status: number, errors: { code: number; message: string }[], result: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result }));
    };
    const path = /^\/client\/v4\/accounts\/([^/]+)\/r2\/buckets\/([^/]+)\/lock$/.exec(request.url ?? "");
    if (!path) return send(404, [{ code: 7003, message: `Could not route to ${request.url}` }], null);
    if (request.headers.authorization !== `Bearer ${TOKEN}` || path[1] !== ACCOUNT)
      return send(403, [{ code: 10_000, message: "Authentication error" }], null);
    if (path[2] !== BUCKET)
      return send(404, [{ code: 10_006, message: "The specified bucket does not exist." }], null);
    if (request.method === "PUT") {
      const value = JSON.parse(body);
      const checked = rules.validate(value);
      if (!checked.valid) faults.push(JSON.stringify(checked.errors));
      kept = value;
      return send(200, [], {});
    }
    send(200, [], kept);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = promisify(execFile);

/** A line of the documentation, with Cloudflare's client from the lockfile in the place of `npx`. */
async function wrangler(line: string): Promise<string> {
  const env = {
    ...{ PATH: process.env["PATH"], HOME: folder, CLOUDFLARE_API_BASE_URL: api, CLOUDFLARE_API_TOKEN: TOKEN },
    ...{ CLOUDFLARE_ACCOUNT_ID: ACCOUNT, WRANGLER_SEND_METRICS: "false", CI: "1" },
  };
  const args = line.trim().split(/\s+/).slice(2);
  return (await run(process.execPath, [WRANGLER, ...args], { cwd: folder, env, timeout: 120_000 })).stdout;
}

async function checkLocks(more: readonly string[] = [], token: string | null = TOKEN) {
  const text: string[] = [];
  const program = new Command("wicket").exitOverride();
  register(program, { out: (line) => void text.push(line), err: (line) => void text.push(line) });
  const before = process.env["CLOUDFLARE_API_TOKEN"];
  if (token === null) delete process.env["CLOUDFLARE_API_TOKEN"];
  else process.env["CLOUDFLARE_API_TOKEN"] = token;
  process.exitCode = 0;
  const where = ["--account", ACCOUNT, "--bucket", BUCKET, "--api", api];
  await program.parseAsync(["recording", "check-locks", ...where, ...more], { from: "user" });
  const code = Number(process.exitCode);
  process.exitCode = 0;
  if (before === undefined) delete process.env["CLOUDFLARE_API_TOKEN"];
  else process.env["CLOUDFLARE_API_TOKEN"] = before;
  return { code, text: text.join("\n") };
}

test("R10 the documented commands lock both prefixes, one after the other, and the check follows", async () => {
  const documented = readFileSync(join(ROOT, "docs/recordings.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("npx wrangler r2 bucket lock add "));
  expect(documented).toHaveLength(2);
  const none = await checkLocks();
  expect(none.code).toBe(7);
  // What it says to do is what the documentation says.
  expect(none.text.split("\n").filter((line) => line.startsWith("npx"))).toEqual(documented);
  await wrangler(documented[0]!);
  const half = await checkLocks();
  expect(half.code).toBe(7);
  expect(half.text).toMatch(/^LOCKED +recordings\/ +keeps for 365 days \(rule keep-recordings\)/m);
  expect(half.text).toMatch(/^NOT LOCKED +log\/ +no rule/m);
  await wrangler(documented[1]!);
  expect(await checkLocks()).toMatchObject({ code: 0 });
  expect(kept.rules.map(({ prefix }) => prefix)).toEqual(["recordings/", "log/"]);
  expect(await wrangler(`npx wrangler r2 bucket lock list ${BUCKET}`)).toContain("after 3650 days");
  // Kept for less than is wanted, or taken away.
  const longer = await checkLocks(["--recordings-days", "366"]);
  expect(longer.code).toBe(7);
  expect(longer.text).toMatch(
    /NOT LOCKED +recordings\/ +rule keep-recordings keeps for 365 days; wanted: 366/,
  );
  await wrangler(`npx wrangler r2 bucket lock remove ${BUCKET} --name keep-log`);
  expect((await checkLocks()).code).toBe(7);
  expect(faults).toEqual([]);
});

test("without a token, with another's, in another account, of another bucket: an error with what to do", async () => {
  expect(await checkLocks([], null)).toMatchObject({
    code: 2,
    text: expect.stringContaining("not set"),
  });
  expect(await checkLocks([], "another")).toMatchObject({
    code: 3,
    text: expect.stringContaining("of another"),
  });
  const account = await checkLocks(["--account", "0".repeat(32)]);
  expect(account).toMatchObject({ code: 3, text: expect.stringContaining("Authentication error") });
  const bucket = await checkLocks(["--bucket", "other-bucket"]);
  expect(bucket).toMatchObject({ code: 1, text: expect.stringContaining("there is no bucket other-bucket") });
  const away = await checkLocks(["--api", "http://127.0.0.1:1/client/v4"]);
  expect(away).toMatchObject({ code: 6, text: expect.stringContaining("does not answer") });
});
