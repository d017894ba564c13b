/**
 * A session that a pool puts back, through the whole system: what the client asked for at its start holds again, and the
 * recording shows each result with its own statement.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-pools-"));
let system: System;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "..", "policies", "library"), folder, { recursive: true });
  writeFileSync(
    join(folder, "tasks", "pooled.yaml"),
    `version: 1
task: pooled
description: Reads orders through a pool of connections.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select: { public.orders: { columns: "*" } }
functions: [pg_catalog.pg_try_advisory_lock]
session: { ttl: 1h, idle: 30m, pooled: true }
recording: { level: full, on_failure: terminate }
`,
  );
  system = await startSystem({ policies: folder });
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

test("P19 DISCARD ALL, advisory locks and the recording of them", async () => {
  const proxy = await system.proxy(["orders-db", "--task", "pooled"]);
  const client = new pg.Client({ connectionString: proxy.url, options: "-c TimeZone=Asia/Tokyo" });
  let session = "";
  const { connection } = client as unknown as {
    connection: { on(name: string, on: (status: Record<string, string>) => void): void };
  };
  connection.on("parameterStatus", ({ parameterName, parameterValue }) => {
    if (parameterName === "wicketgate.session") session = parameterValue!;
  });
  await client.connect();
  expect((await client.query("select pg_try_advisory_lock(7) as got")).rows).toEqual([{ got: true }]);
  await client.query("set timezone = 'UTC'");
  await client.query("discard all");
  expect((await client.query("show timezone")).rows).toEqual([{ TimeZone: "Asia/Tokyo" }]);
  await client.query({ name: "reset", text: "reset all" });
  expect((await client.query("select 42 as answer", [])).rows).toEqual([{ answer: 42 }]);
  await client.end();
  type Played = { text: string; results: { rows: string[][] }[] };
  const statements = await system.until(async () => {
    const { stdout } = await system.wicket(["play", session, "--json"]);
    const played = JSON.parse(stdout.split("\n")[0] || "{}") as {
      end?: string;
      verified?: boolean;
      statements?: Played[];
    };
    return played.verified && played.end === "CLIENT_TERMINATED" ? (played.statements ?? []) : null;
  }, "the recording");
  expect(statements.map(({ text, results }) => [text, results.flatMap(({ rows }) => rows)])).toEqual([
    ["select pg_try_advisory_lock(7) as got", [["t"]]],
    ["set timezone = 'UTC'", []],
    ["discard all", []],
    ["SET TimeZone TO 'Asia/Tokyo'", []],
    ["show timezone", [["Asia/Tokyo"]]],
    ["reset all", []],
    ["SET TimeZone TO 'Asia/Tokyo'", []],
    ["select 42 as answer", [["42"]]],
  ]);
});
