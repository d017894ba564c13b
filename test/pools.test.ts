/**
 * A session that a pool puts back, through the whole system: what the client asked for at its start holds again, and the
 * recording shows each result with its own statement.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../client/dev/ports.ts";
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

const bouncer = spawnSync("pgbouncer", ["--version"], { stdio: "ignore" }).status === 0;
if (!bouncer) console.warn("pgbouncer is not installed here and not tried (apt install pgbouncer)");

test.skipIf(!bouncer)(
  "P19 pgbouncer: one session for two clients, by transaction, and nothing passes over",
  async () => {
    const { host, port, user, password, database } = new pg.Client(
      (await system.proxy(["orders-db", "--task", "pooled"])).url,
    );
    const local = await freePort();
    const config = join(folder, "pgbouncer.ini");
    writeFileSync(
      config,
      `[databases]
orders = host=${host} port=${port} dbname=${database} user=${user} password=${String(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${local}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
server_reset_query = DISCARD ALL
server_reset_query_always = 1
server_check_delay = 0
`,
    );
    chmodSync(folder, 0o755);
    const root = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
    const program = spawn("pgbouncer", [...root, config], { stdio: "ignore" });
    try {
      const open = (name: string) =>
        system.until(async () => {
          const client = new pg.Client({
            ...{ host: "127.0.0.1", port: local, user: "x", database: "orders", application_name: name },
          });
          client.on("error", () => {});
          return client.connect().then(
            () => client,
            () => null,
          );
        }, "pgbouncer");
      const [one, two] = [await open("one"), await open("two")];
      const shown = async (client: pg.Client, text: string) =>
        Object.values((await client.query(text)).rows[0]);
      expect(await shown(one, "select count(*) > 0 as some from orders")).toEqual([true]);
      await one.query("begin; set timezone = 'Asia/Tokyo'; commit");
      expect(await shown(two, "show timezone")).not.toEqual(["Asia/Tokyo"]);
      expect(await shown(one, "show application_name")).toEqual(["one"]);
      expect(await shown(two, "show application_name")).toEqual(["two"]);
      await expect(two.query("select * from customers")).rejects.toMatchObject({ code: "42501" });
      expect(await shown(two, "select 41 + 1 as n")).toEqual([42]);
      await one.end();
      await two.end();
    } finally {
      program.kill();
    }
  },
);
