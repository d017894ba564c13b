/**
 * R1 the spool of a real connector fills because nothing it sends is taken: metrics, its log and the console say so,
 * before it is full; then no session begins, and it says why; when there is room again, all goes on.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ConnectorLine,
  type ConnectorProcess,
  startConnector,
  writeConnectorConfig,
} from "../client/dev/connector-process.ts";
import { buildPolicies } from "../scripts/build-policies.ts";
import { bundleWorker, type WorkerBundle, type WorkerModule } from "../scripts/bundle-worker.ts";
import { ChainVerifier } from "../wire/recording.ts";
import { launchBrowser, shoot, signIn, violations, withBrowser } from "./support/browser.ts";
import { type Bridge, startBridge } from "./support/edge-client.ts";
import type { EdgeLab } from "./support/edge-lab.ts";
import { type IdentityEdge, startIdentityEdge } from "./support/identity-edge.ts";
import { LIBRARY_TABLES } from "./support/library-tables.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

const MAX = 512 * 1024;
const folder = mkdtempSync(join(tmpdir(), "wicket-spool-"));
const lines: ConnectorLine[] = [];
let server: TestPostgres;
let edge: IdentityEdge;
let browser: Browser;
let connector: ConnectorProcess | null = null;
let bridge: Bridge | null = null;

/** The edge, which takes no segments while it is told so. */
function takingNothing(bundle: WorkerBundle): WorkerBundle {
  const contents = `
import * as edge from "./worker.js";
export * from "./worker.js";
let taking = true;
export default {
  ...edge.default,
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/taking") {
      taking = (await request.text()) === "yes";
      return new Response();
    }
    if (!taking && pathname.startsWith("/connector/recordings/")) return new Response("{}", { status: 503 });
    return edge.default.fetch(request, env, ctx);
  },
};`;
  const front: WorkerModule = { type: "ESModule", path: "front.js", contents };
  return { modules: (policies) => [front, ...bundle.modules(policies)] };
}

/** The library's analyst task for everybody in support, without its limits. */
async function policies() {
  const bundle = await buildPolicies();
  const base = bundle?.tasks["orders-analyst"];
  if (!bundle || !base) throw new Error("the library has errors");
  const limits = { rows: null, statements: null, bytes: null, statementTimeoutMs: 60_000, lookups: null };
  const task = {
    ...base,
    name: "read",
    digest: "c".repeat(64),
    who: { groups: ["support"], workloads: [] },
    limits,
  };
  return { ...bundle, tasks: { read: task } };
}

beforeAll(async () => {
  if (!withBrowser) return;
  server = await startPostgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    INSERT INTO orders SELECT i, i, i, md5(i::text) || md5((-i)::text), now(), '{}' FROM generate_series(1, 20000) i`);
  await admin.end();
  edge = await startIdentityEdge({ policies: await policies(), bundle: takingNothing(await bundleWorker()) });
  browser = await launchBrowser();
});
afterAll(async () => {
  await bridge?.stop();
  await connector?.stop();
  await browser?.close();
  await edge?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function until<T>(look: () => Promise<T | null | undefined | false>, what: string): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`it did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A value of the connector's metrics. */
async function metric(at: string, name: string): Promise<number> {
  const text = await (await fetch(`${at}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

async function open(): Promise<pg.Client> {
  const client = new pg.Client({ host: "127.0.0.1", port: bridge!.port, user: "x", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  return client;
}

describe.runIf(withBrowser)("the spool", () => {
  test("R1 is bounded and reported: nearly full, full, and with room again", async () => {
    const { page, faults } = await signIn(browser, edge.origin, "ada");
    await page.goto(`${edge.origin}/connectors`);
    await page.click('button:has-text("Enrol")');
    const code = (await page.textContent("main pre"))!;
    const config = writeConnectorConfig({
      ...{ folder: join(folder, "connector"), name: "demo", edge: edge.origin, password: null },
      resources: {
        "orders-db": {
          ...{
            type: "postgres",
            host: "127.0.0.1",
            port: server.port,
            database: "postgres",
            user: "postgres",
          },
          tls: { mode: "off" },
        },
      },
    });
    writeFileSync(config, `${readFileSync(config, "utf8")}spool: { max: ${MAX / 1024}KiB }\n`);
    // What an earlier run set aside, because the edge would never take it.
    const aside = join(folder, "connector", "state", "spool", "refused", "s-old");
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    chmodSync(join(folder, "connector", "state"), 0o700);
    writeFileSync(join(aside, "00000000.wgr"), "0123456789");
    connector = await startConnector(config, code, (line) => lines.push(line));
    const status = await until(
      async () => lines.find(({ event }) => event === "status"),
      "the status address",
    );
    const at = `http://${status["host"]}:${status["port"]}`;
    expect(status["host"]).toBe("127.0.0.1");
    bridge = await startBridge(edge as unknown as EdgeLab, { person: "tina", task: "read" });

    await page.goto(`${edge.origin}/connectors`);
    const spool = page.locator("li", {
      hasText:
        "Recordings not stored yet: 10 B of 524.3 kB (0 %), of 0 sessions. 1 refused by the edge and set aside on its host.",
    });
    await spool.waitFor();
    const first = await open();
    await fetch(`${edge.origin}/test/taking`, { method: "POST", body: "no" });
    const used = () => metric(at, "wicket_connector_spool_bytes");
    let from = 0;
    /** Reads until so much of the spool is taken by segments: the journal before them is larger, and goes within a second. */
    const fill = async (part: number): Promise<void> => {
      for (let before = await used(); before < MAX * part; before = await used()) {
        // Of what is written about half is left when it is compressed.
        const enough = Math.min(MAX * 0.93, before + (MAX * part - before) * 1.8 + 8_000);
        while ((await used()) < enough) {
          await first.query(`SELECT id, status FROM orders WHERE id BETWEEN ${from} AND ${from + 150}`);
          from = (from + 150) % 19_000;
        }
        await new Promise((resolve) => setTimeout(resolve, 1_200));
      }
    };
    const open503 = async () => (await fetch(`${at}/readyz`)).status;
    await fill(0.77);
    await page
      .locator("strong.pending", { hasText: "Nearly full: at 90 % no new session begins." })
      .waitFor();
    await until(
      async () => lines.some(({ event, level }) => event === "spool nearly full" && level === "warn"),
      "its warning",
    );
    expect(await violations(page)).toEqual([]);
    await shoot(page, "connectors-nearly-full");
    await fill(0.92);
    await page.locator("strong.denied", { hasText: "No new session begins until there is room." }).waitFor();
    await shoot(page, "connectors-full");
    expect(await metric(at, "wicket_connector_spool_full")).toBe(1);
    expect(await open503()).toBe(503);
    await expect(open()).rejects.toMatchObject({
      ...{ code: "53100", message: expect.stringContaining("the connector has no room for recordings") },
    });
    // What runs goes on until the bound is reached, and never past it.
    await expect(fill(2)).rejects.toThrow(/record|terminat|closed|connection error/i);
    expect(await metric(at, "wicket_connector_spool_bytes")).toBeLessThan(MAX * 1.1);

    await fetch(`${edge.origin}/test/taking`, { method: "POST", body: "yes" });
    await until(async () => (await metric(at, "wicket_connector_spool_bytes")) === 10, "an empty spool");
    expect(await metric(at, "wicket_connector_spool_sessions")).toBe(0);
    expect(await open503()).toBe(200);
    await spool.waitFor();
    await shoot(page, "connectors-room-again");
    const after = await open();
    expect((await after.query("SELECT count(*) FROM orders")).rows).toEqual([{ count: "20000" }]);
    await after.end();
    await until(async () => lines.some(({ event }) => event === "spool room"), "its relief");

    // What was recorded before is whole, in order, and says why it ended.
    const id = bridge.sessions[0]!;
    const headers = { authorization: `Bearer ${await edge.token("ada")}` };
    const get = (path: string) => fetch(`${edge.origin}/api/sessions/${id}/recording${path}`, { headers });
    const list = (await (await get("")).json()) as { segments: { sequence: number }[]; final: string };
    const chain = new ChainVerifier(id);
    for (const { sequence } of list.segments) {
      const read = chain.next(new Uint8Array(await (await get(`/${sequence}`)).arrayBuffer()));
      expect(read.ok, JSON.stringify(read)).toBe(true);
    }
    expect(chain.final).not.toBeNull();
    expect(list.segments.length).toBeGreaterThan(1);
    expect(faults).toEqual([]);
  });
});
