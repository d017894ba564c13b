/** The real connector between the real edge and a real PostgreSQL. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../tunnel-connector/config.ts";
import { Connector } from "../tunnel-connector/connector.ts";
import { enrol } from "../tunnel-connector/enrol.ts";
import { openIdentity } from "../tunnel-connector/identity.ts";
import { createLog } from "../tunnel-connector/log.ts";
import { readSegment, verifyChain } from "../wire/recording.ts";
import { type Bridge, type Door, startBridge } from "./support/edge-client.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";
import { LIBRARY_TABLES } from "./support/library-tables.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-connector-"));
const lines: string[] = [];
const bridges: Bridge[] = [];
let server: TestPostgres;
let lab: EdgeLab;
let connector: Connector;

beforeAll(async () => {
  server = await startPostgres({ password_encryption: "scram-sha-256" });
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    CREATE TABLE public.secrets (id int PRIMARY KEY, token text);
    CREATE ROLE connector LOGIN PASSWORD 'the connector''s own';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO connector;
    INSERT INTO customers SELECT i, 'u' || i || '@example.com', '078-05-' || i, '555', 'CH', i FROM generate_series(1, 20) i;
    INSERT INTO orders SELECT i, i % 20, i, 'paid', now(), '{}' FROM generate_series(1, 1000) i`);
  await admin.end();
  lab = await startEdgeLab();
  writeFileSync(join(folder, "password"), "the connector's own\n", { mode: 0o600 });
  const read = parseConfig(
    `version: 1
name: demo
edge: ${lab.origin}
state: state
status: off
resources:
  orders-db:
    type: postgres
    host: 127.0.0.1
    port: ${server.port}
    database: postgres
    user: connector
    password: \${file:password}
    tls: { mode: off }
`,
    join(folder, "connector.yaml"),
  );
  if (!read.ok) throw new Error(read.problems.join("\n"));
  const { config } = read;
  const identity = await openIdentity(config.state, config.name, config.edge);
  const { body } = await lab.call("ada", "POST", "/api/connectors/demo/enrolment", {});
  expect(await enrol(config, identity, body.code)).toMatchObject({ ok: true });
  connector = new Connector(
    config,
    identity,
    "test",
    createLog((line) => lines.push(line), "debug"),
  );
  connector.start();
  await lab.until(async () => connector.online, "the connector is online");
});

afterAll(async () => {
  await Promise.all(bridges.map((bridge) => bridge.stop()));
  await connector?.stop(0);
  await lab?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function open(door: Door): Promise<{ client: pg.Client; session: string }> {
  const bridge = await startBridge(lab, door);
  bridges.push(bridge);
  const client = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  return { client, session: bridge.sessions[0]! };
}

/** The segments that the edge has, once the last one is there. */
async function recorded(session: string): Promise<Uint8Array[]> {
  const list = await lab.until(async () => {
    const { body } = await lab.call("ada", "GET", `/api/sessions/${session}/recording`);
    return body?.final ? body : null;
  }, `the recording of ${session}`);
  const segments: Uint8Array[] = [];
  for (const { sequence } of list.segments) {
    const answer = await fetch(`${lab.origin}/api/sessions/${session}/recording/${sequence}`, {
      headers: { authorization: `Bearer ${await lab.token("ada")}` },
    });
    segments.push(new Uint8Array(await answer.arrayBuffer()));
  }
  return segments;
}

const refund: Door = { person: "tina", task: "order-lookup", reason: "INC-1", params: "customer=7" };

describe("a session", () => {
  test("is opened with the connector's own login and masked, and its recording verifies", async () => {
    const { client, session } = await open(refund);
    const { rows } = await client.query("select * from customers");
    expect(rows).toEqual([{ id: 7, email: "u***@example.com", ssn: "XXX-XX-XXXX", country: "CH" }]);
    await expect(client.query("select token from secrets")).rejects.toMatchObject({ code: "42501" });
    await client.end();
    const segments = await recorded(session);
    const verified = verifyChain(session, segments);
    expect(verified).toMatchObject({ ok: true, reason: "CLIENT_TERMINATED" });
    const entries = segments.flatMap((bytes) => {
      const read = readSegment(bytes);
      return read.ok ? read.entries : [];
    });
    const text = entries.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join("");
    expect(text).toContain("select token from secrets");
    expect(text).toContain("u***@example.com");
    expect(text).not.toContain("078-05-7");
    expect(text).not.toContain("the connector's own");
    await lab.until(async () => !connector.spool.sessions.includes(session), "the spool is empty");
    const { body } = await lab.call("ada", "GET", `/api/audit?session=${session}`);
    const alarms = body.events.filter((event: { severity: string }) => event.severity === "alarm");
    expect(alarms).toEqual([]);
    const proof = await lab.call("ada", "GET", `/api/sessions/${session}/recording/proof`);
    expect(JSON.stringify(proof.body)).toContain("recording.complete");
  });

  test("carries a large result at the pace of its reader", async () => {
    const { client, session } = await open({ task: "unlimited" });
    const { rows } = await client.query(
      "select o.id, repeat('x', 1000) as pad from orders o, generate_series(1, 20)",
    );
    expect(rows.length).toBe(20_000);
    await client.end();
    const segments = await recorded(session);
    expect(verifyChain(session, segments)).toMatchObject({ ok: true });
    expect(segments.length).toBeGreaterThan(3);
    // Rows that repeat take a small part of their size in the store.
    expect(segments.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(5_000_000);
    const first = readSegment(segments[0]!);
    expect(first.ok && first.entries[0]!.kind).toBe("note");
  });
});

describe("R1 a recording that cannot be written any more", () => {
  const endOf = (session: string) =>
    lab.until(async () => {
      const { body } = await lab.call("ada", "GET", `/api/sessions/${session}`);
      return body.end_code as string | null;
    }, "the end of the session");
  /** A session whose recording has no folder on the disk any more: its next segment cannot be stored. */
  const broken = async (task: string) => {
    const { client, session } = await open({ task });
    await client.query("select 1");
    rmSync(connector.spool.folderOf(session), { recursive: true });
    return { client, session };
  };

  test("ends the session where its task says so, and nothing reaches the database any more", async () => {
    const { client, session } = await broken("unlimited");
    expect(await endOf(session)).toBe("RECORDING_FAILED");
    await expect(client.query("select 2")).rejects.toThrow();
    expect(lines.join("")).toContain("RECORDING_FAILED");
  });

  test("does not end it where its task lets it go on, which the connector says loudly", async () => {
    const { client, session } = await broken("lenient");
    await lab.until(
      async () => lines.some((line) => line.includes("goes on unrecorded")),
      "the connector's word",
    );
    expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    await client.end();
    expect(await endOf(session)).toBe("CLIENT_TERMINATED");
  });

  test("no session begins when the spool has no room", async () => {
    const full = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(connector.spool), "full")!;
    Object.defineProperty(connector.spool, "full", { value: true, configurable: true });
    await expect(open({ task: "unlimited" })).rejects.toThrow(/no room for recordings/);
    Object.defineProperty(connector.spool, "full", full);
  });
});

test("C4 the login at the database is the connector's own, whoever the edge says is asking", async () => {
  const { client } = await open({ task: "unlimited", person: "ana" });
  const admin = new pg.Client(server.url);
  await admin.connect();
  const { rows } = await admin.query(
    "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'wicket/%'",
  );
  await admin.end();
  await client.end();
  expect(rows).toEqual([{ usename: "connector" }]);
});
