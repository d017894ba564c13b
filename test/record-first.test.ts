/**
 * R1 the record comes first: at the moment when a statement's bytes arrive at the database's socket, the statement is
 * in the connector's spool on disk; under `strict` the disk has confirmed it. Whatever dies then, and however.
 */
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPolicies } from "../scripts/build-policies.ts";
import { parseConfig } from "../tunnel-connector/config.ts";
import { Connector } from "../tunnel-connector/connector.ts";
import { enrol } from "../tunnel-connector/enrol.ts";
import { openIdentity } from "../tunnel-connector/identity.ts";
import { createLog } from "../tunnel-connector/log.ts";
import { readSegment } from "../wire/recording.ts";
import { type Bridge, startBridge } from "./support/edge-client.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";
import { LIBRARY_TABLES } from "./support/library-tables.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

/** Where an open file can be read whatever its name is: on Linux. Elsewhere what the disk confirmed is not looked at. */
const PROC = fs.existsSync("/proc/self/fd");
if (!PROC) console.log("there is no /proc: what the disk confirmed under `strict` is not checked");

const TAG = /first-\d+-/g;
const folder = mkdtempSync(join(tmpdir(), "wicket-first-"));
const spool = join(folder, "state", "spool");
const bridges: Bridge[] = [];
let server: TestPostgres;
let before: Server;
let lab: EdgeLab;
let connector: Connector;

/** What the disk has confirmed of each file, by its number on this machine. */
const confirmed = new Map<number, Buffer>();
const { fdatasyncSync, fsyncSync } = fs;

/** A statement that arrived at the database, and what of it was on disk then. */
interface Arrival {
  readonly tag: string;
  readonly written: boolean;
  readonly confirmed: boolean;
}
const arrivals: Arrival[] = [];

function filesOfSpool(): string[] {
  return readdirSync(spool, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The readable part of a spooled file: a journal as it is, of a segment its entries. */
function contentOf(path: string, bytes: Buffer): string {
  if (!path.endsWith(".wgr")) return bytes.toString("latin1");
  const read = readSegment(bytes);
  return read.ok ? read.entries.map((entry) => Buffer.from(entry.bytes).toString("latin1")).join("\n") : "";
}

function look(tags: readonly string[]): void {
  const files = filesOfSpool().map((path) => [path, fs.statSync(path).ino] as const);
  const written = files.map(([path]) => contentOf(path, readFileSync(path))).join("\n");
  const sure = files.map(([path, ino]) => contentOf(path, confirmed.get(ino) ?? Buffer.alloc(0))).join("\n");
  for (const tag of tags)
    arrivals.push({ tag, written: written.includes(tag), confirmed: sure.includes(tag) });
}

beforeAll(async () => {
  const keep = (file: number): void => {
    const { ino } = fs.fstatSync(file);
    if (PROC && fs.fstatSync(file).isFile()) confirmed.set(ino, readFileSync(`/proc/self/fd/${file}`));
  };
  Object.assign(fs, {
    fdatasyncSync(file: number) {
      fdatasyncSync(file);
      keep(file);
    },
    fsyncSync(file: number) {
      fsyncSync(file);
      keep(file);
    },
  });
  syncBuiltinESMExports();
  server = await startPostgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    INSERT INTO orders SELECT i, i, i, 'paid', now(), '{}' FROM generate_series(1, 1000) i`);
  await admin.end();
  // In front of the database: looks at the disk before a byte goes on.
  before = createServer((outer) => {
    const inner = connect({ host: "127.0.0.1", port: server.port });
    outer.on("data", (chunk) => {
      const tags = chunk.toString("latin1").match(TAG);
      if (tags) look([...new Set(tags)]);
      inner.write(chunk);
    });
    inner.pipe(outer);
    for (const one of [outer, inner]) {
      one.on("error", () => {});
      one.on("close", () => {
        outer.destroy();
        inner.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => before.listen(0, "127.0.0.1", resolve));
  const bundle = (await buildPolicies())!;
  const base = bundle.tasks["orders-analyst"]!;
  const limits = { rows: null, statements: null, bytes: null, statementTimeoutMs: 60_000, lookups: null };
  const tasks = (["batched", "strict"] as const).map((durability, i) => {
    const recording = { ...base.recording, durability };
    return [durability, { ...base, name: durability, digest: String(i).repeat(64), limits, recording }];
  });
  lab = await startEdgeLab({ bundle: { ...bundle, tasks: Object.fromEntries(tasks) } });
  const text = `version: 1
name: demo
edge: ${lab.origin}
state: state
status: off
resources:
  orders-db:
    type: postgres
    host: 127.0.0.1
    port: ${(before.address() as AddressInfo).port}
    database: postgres
    user: postgres
    tls: { mode: off }
`;
  const path = join(folder, "connector.yaml");
  writeFileSync(path, text);
  const read = parseConfig(text, path);
  if (!read.ok) throw new Error(read.problems.join("\n"));
  const identity = await openIdentity(read.config.state, read.config.name, read.config.edge);
  const { body } = await lab.call("ada", "POST", "/api/connectors/demo/enrolment", {});
  expect(await enrol(read.config, identity, body.code)).toMatchObject({ ok: true });
  connector = new Connector(
    read.config,
    identity,
    "test",
    createLog(() => {}, "error"),
  );
  connector.start();
  await lab.until(async () => connector.online, "the connector is online");
});

afterAll(async () => {
  Object.assign(fs, { fdatasyncSync, fsyncSync });
  syncBuiltinESMExports();
  await Promise.all(bridges.map((bridge) => bridge.stop()));
  await connector?.stop(0);
  before?.close();
  await lab?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(["batched", "strict"] as const)("R1 with durability: %s", (durability) => {
  test("no statement arrives at the database before its record is on disk", async () => {
    arrivals.length = 0;
    const bridge = await startBridge(lab, { person: "ana", task: durability });
    bridges.push(bridge);
    const clients = await Promise.all(
      [0, 1, 2].map(async () => {
        const client = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x", database: "x" });
        await client.connect();
        return client;
      }),
    );
    let next = 0;
    // One at a time and many at once, with parameters and without, past the moment when segments are closed.
    const end = Date.now() + 2_500;
    await Promise.all(
      clients.map(async (client, which) => {
        while (Date.now() < end) {
          const asked = Array.from({ length: which === 0 ? 1 : 5 }, () => {
            const tag = `first-${++next}-`;
            return next % 2 === 0
              ? client.query(`SELECT '${tag}' AS tag, id FROM orders WHERE id = $1`, [next % 1000])
              : client.query(`SELECT '${tag}' AS tag, id FROM orders WHERE id < 20`);
          });
          await Promise.all(asked);
        }
      }),
    );
    await Promise.all(clients.map((client) => client.end()));
    expect(new Set(arrivals.map(({ tag }) => tag)).size).toBe(next);
    expect(next).toBeGreaterThan(20);
    expect(arrivals.filter((one) => !one.written)).toEqual([]);
    console.log(
      `${durability}: ${arrivals.length} arrivals, ${arrivals.filter((one) => one.confirmed).length} confirmed by the disk`,
    );
    if (durability === "strict" && PROC) expect(arrivals.filter((one) => !one.confirmed)).toEqual([]);
  });
});
