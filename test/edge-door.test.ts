/** The database door with real parts: workerd, PostgreSQL, real drivers, and sessions that are pushed to their limits. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { queryMessage } from "../wire/postgres/frontend.ts";
import { startupMessage } from "../wire/postgres/startup.ts";
import { encodeControl } from "../wire/tunnel.ts";
import { crowd } from "./support/crowd.ts";
import { type Bridge, type Door, DoorClient, startBridge } from "./support/edge-client.ts";
import { PostgresTarget, TestConnector } from "./support/edge-connector.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";
import { LIBRARY_TABLES } from "./support/library-tables.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

let server: TestPostgres;
let lab: EdgeLab;
let connector: TestConnector;
let target: PostgresTarget;
const bridges: Bridge[] = [];

beforeAll(async () => {
  server = await startPostgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    CREATE TABLE public.secrets (id int PRIMARY KEY, token text);
    INSERT INTO customers VALUES (7, 'tina@example.com', '123-45-6789', '555', 'CH', 12.5);
    INSERT INTO orders SELECT i, 7, i, 'paid', now(), '{}' FROM generate_series(1, 1000) i`);
  await admin.end();
  lab = await startEdgeLab();
  connector = await TestConnector.create("demo", lab.origin);
  await connector.enrol(lab);
  target = new PostgresTarget(server.port, "postgres");
  connector.onDial = target.serve;
  await connector.online(lab);
});

afterAll(async () => {
  await Promise.all(bridges.map((bridge) => bridge.stop()));
  connector?.close();
  await lab?.stop();
  await server?.stop();
});

async function bridged(door: Door = {}): Promise<Bridge> {
  const bridge = await startBridge(lab, door);
  bridges.push(bridge);
  return bridge;
}

/** A connected driver; `errors` gathers what it says when the session ends. */
async function driver(bridge: Bridge): Promise<pg.Client & { errors: Error[] }> {
  const client = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x", database: "postgres" });
  const errors: Error[] = [];
  client.on("error", (error) => errors.push(error));
  await client.connect();
  return Object.assign(client, { errors });
}

/** A raw session that has been greeted. */
async function greeted(door: Door = {}): Promise<DoorClient> {
  const client = await DoorClient.open(lab, door);
  let tail = "";
  client.onData = (bytes) => {
    tail = (tail + bytes.toString("latin1")).slice(-6);
  };
  client.send(startupMessage({ user: "x", database: "postgres" }));
  await client.until(() => tail === "Z\0\0\0\x05I", "the greeting");
  return client;
}

async function summary(id: string) {
  const stub = await lab.edge.miniflare.getDurableObjectNamespace("SESSIONS");
  // biome-ignore lint/suspicious/noExplicitAny: a stub over Miniflare's proxy has no types
  return (stub.getByName(id) as any).summary() as Promise<{
    peak: number;
    waiting: { client: number; gate: number; connector: number };
    ended: string | null;
  }>;
}

const refund: Door = { person: "tina", task: "order-lookup", reason: "INC-1", params: "customer=7" };

describe.each([
  ["wicket.pg.v1", false],
  ["a plain bridge", true],
])("through %s", (_name, plain) => {
  test("a driver reads masked rows, is refused with the rule, and goes on", async () => {
    const client = await driver(await bridged({ ...refund, plain }));
    const { rows } = await client.query("select * from customers");
    expect(rows).toEqual([{ id: 7, email: "t***@example.com", ssn: "XXX-XX-XXXX", country: "CH" }]);
    const refused = await client.query("select token from secrets").catch((error: Error) => error);
    expect(refused).toMatchObject({ code: "42501" });
    expect((refused as { hint?: string }).hint).toContain("tasks/order-lookup.yaml:");
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test("CancelRequest stops what runs", async () => {
    const bridge = await bridged({ plain });
    const client = await driver(bridge);
    const running = client
      .query("select count(*) from generate_series(1, 100000000000)")
      .catch((error: Error) => error);
    await lab.until(async () => {
      const probe = new pg.Client(server.url);
      await probe.connect();
      const { rows } = await probe.query(
        "select 1 from pg_stat_activity where state = 'active' and application_name like 'wicket/%'",
      );
      await probe.end();
      return rows.length > 0;
    }, "the statement runs");
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    if (plain) {
      const cancel = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x" });
      // biome-ignore lint/suspicious/noExplicitAny: pg's own way to cancel is not in its types
      const { connection } = cancel as any;
      connection.on("connect", () => connection.cancel(processID, secretKey));
      connection.on("error", () => {});
      connection.connect(bridge.port, "127.0.0.1");
    } else {
      const key = Buffer.alloc(4);
      key.writeInt32BE(secretKey);
      const id = bridge.sessions.at(-1)!;
      const wrong = await lab.call("ana", "POST", `/api/sessions/${id}/cancel`, {
        processId: processID,
        secretKey: "00000000",
      });
      expect(wrong.status).toBe(403);
      // P7: another person cannot cancel it, even with the key.
      const body = { processId: processID, secretKey: key.toString("hex") };
      expect((await lab.call("tina", "POST", `/api/sessions/${id}/cancel`, body)).status).toBe(404);
      expect((await lab.call("ana", "POST", `/api/sessions/${id}/cancel`, body)).status).toBe(200);
    }
    expect(await running).toMatchObject({ code: "57014" });
    await client.end();
  });

  test("V4 a client that stops reading a large result costs the edge less than 2 MiB", async () => {
    const socketDoor = { plain };
    const client = plain ? null : await greeted(socketDoor);
    let id: string;
    if (client) {
      client.reading = false;
      client.send(queryMessage("select repeat('x', 1000) from generate_series(1, 300000)"));
      await client.until(() => client.received > 900_000, "the window is used up");
      id = client.session!.id;
    } else {
      const bridge = await bridged(socketDoor);
      const stopped = await driver(bridge);
      // biome-ignore lint/suspicious/noExplicitAny: the driver's own socket
      const { stream } = (stopped as any).connection;
      stopped.query("select repeat('x', 1000) from generate_series(1, 300000)").catch(() => {});
      stream.pause();
      const open = await lab.call("ana", "GET", "/api/sessions?open&limit=1");
      id = open.body.sessions[0].id;
      // The bridge's own TCP buffers take some; the edge must have come to rest after that.
    }
    let last = -1;
    const settled = await lab.until(async () => {
      const now = await summary(id);
      const sum = now.waiting.client + now.waiting.gate + now.waiting.connector;
      const same = sum === last;
      last = sum;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return same ? now : null;
    }, "the relay comes to rest");
    expect(settled.peak).toBeLessThan(2 * 1024 * 1024);
    expect(settled.ended).toBeNull();
    await lab.call("ana", "POST", `/api/sessions/${id}/kill`, {});
    client?.socket.terminate();
  });
});

test("order holds under load, both ways", async () => {
  const client = await driver(await bridged({ person: "omar", task: "warehouse-shipping" }));
  const many = Array.from({ length: 400 }, (_, i) =>
    client.query("select $1::int as n, repeat('y', $2) as pad", [i, (i * 37) % 3000]),
  );
  const results = await Promise.all(many);
  results.forEach(({ rows }, i) => {
    expect(rows[0].n).toBe(i);
    expect(rows[0].pad).toHaveLength((i * 37) % 3000);
  });
  const wide = await client.query({
    text: "select i, repeat(chr(97 + i % 26), 500) as s from generate_series(1, 4000) i",
    rowMode: "array",
  });
  wide.rows.forEach(([n, text], i) => {
    expect(n).toBe(i + 1);
    expect(text[0]).toBe(String.fromCharCode(97 + ((i + 1) % 26)));
  });
  await client.end();
});

test("V1 kill ends a session that streams with a clean protocol error, and the database's side with it", async () => {
  const times: number[] = [];
  for (let i = 0; i < 9; i++) {
    const client = await greeted();
    let tail = Buffer.alloc(0);
    client.onData = (bytes) => {
      tail = Buffer.concat([tail, bytes]).subarray(-400);
    };
    const { id } = client.session!;
    if (i % 2 === 0) client.send(queryMessage("select generate_series(1, 100000000)"));
    await client.until(() => i % 2 === 1 || client.received > 100_000, "rows stream");
    const stub = await lab.edge.miniflare.getDurableObjectNamespace("SESSIONS");
    const began = performance.now();
    // biome-ignore lint/suspicious/noExplicitAny: a stub over Miniflare's proxy has no types
    await (stub.getByName(id) as any).kill("GRANT_REVOKED", "the grant was revoked");
    await client.until(() => client.closed !== null, "the end");
    times.push(client.closed!.at - began);
    expect(client.closed).toMatchObject({ code: 4000, reason: "GRANT_REVOKED" });
    if (i % 2 === 1)
      expect(tail.toString("latin1")).toMatch(/SFATAL\0VFATAL\0C57P01\0Mthe grant was revoked/);
  }
  times.sort((a, b) => a - b);
  console.log(`kill to closed socket: p50 ${times[4]!.toFixed(0)} ms, max ${times[8]!.toFixed(0)} ms`);
  await lab.until(async () => {
    const probe = new pg.Client(server.url);
    await probe.connect();
    const { rows } = await probe.query(
      "select count(*)::int as n from pg_stat_activity where application_name like 'wicket/%' and state = 'active'",
    );
    await probe.end();
    return rows[0].n === 0;
  }, "no statement runs on");
});

test("kill over the API: the owner and administrators may, others see nothing", async () => {
  const bridge = await bridged();
  const client = await driver(bridge);
  const id = bridge.sessions[0]!;
  expect((await lab.call("tina", "POST", `/api/sessions/${id}/kill`, {})).status).toBe(404);
  expect((await lab.call("tina", "GET", `/api/sessions/${id}`)).status).toBe(404);
  expect((await lab.call(null, "POST", `/api/sessions/${id}/kill`, {})).status).toBe(401);
  const killed = await lab.call("ada", "POST", `/api/sessions/${id}/kill`, { reason: "enough" });
  expect(killed.status).toBe(200);
  await lab.until(async () => client.errors.length > 0, "the driver hears of it");
  expect(client.errors[0]).toMatchObject({ code: "57P01", message: "enough" });
  const row = await lab.until(async () => {
    const { body } = await lab.call("ana", "GET", `/api/sessions/${id}`);
    return body.ended === null ? null : body;
  }, "the end in D1");
  expect(row).toMatchObject({ end_code: "SESSION_KILLED", statements: 0 });
  expect((await lab.call("ada", "POST", `/api/sessions/${id}/kill`, {})).status).toBe(409);
});

test.each([
  ["brief", "the time of the session is over", "SESSION_EXPIRED"],
  ["impatient", "the session was idle for too long", "SESSION_IDLE"],
])("the task %s: %s", async (task, message, code) => {
  const bridge = await bridged({ task });
  const client = await driver(bridge);
  expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await lab.until(async () => client.errors.length > 0, "the end");
  expect((client.errors[0] as { code?: string }).code).toBe("57P01");
  // A grant's owner that notices the end of the time first says so in its own words.
  if (code === "SESSION_IDLE") expect(client.errors[0]!.message).toBe(message);
});

test("a lost connector is a clean protocol error", async () => {
  const bridge = await bridged();
  const client = await driver(bridge);
  for (const socket of target.sockets) socket.terminate();
  await lab.until(async () => client.errors.length > 0, "the driver hears of it");
  expect(client.errors[0]).toMatchObject({ code: "57P01" });
});

test("a database that ends the session says so itself", async () => {
  const bridge = await bridged();
  const client = await driver(bridge);
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", [
    `wicket/${bridge.sessions[0]}`,
  ]);
  await admin.end();
  await lab.until(async () => client.errors.length > 0, "the driver hears of it");
  expect(client.errors[0]).toMatchObject({ code: "57P01" });
  expect(client.errors[0]!.message).toContain("administrator command");
});

test("a task's max_concurrent refuses the next session, until one ends", async () => {
  const first = await greeted({ task: "single" });
  await expect(DoorClient.open(lab, { task: "single" })).rejects.toMatchObject({
    status: 409,
    code: "LIMIT_CONCURRENT",
  });
  first.socket.close();
  await lab.until(async () => {
    const again = await DoorClient.open(lab, { task: "single" }).catch(() => null);
    again?.socket.close();
    return again;
  }, "the place is free");
});

describe("a statement that needs approval", () => {
  /** A driver under an approved grant; each is a grant of its own by its reason. */
  async function approved(
    reason: string,
  ): Promise<{ client: pg.Client & { errors: Error[] }; bridge: Bridge }> {
    const asked = await lab.call("ana", "POST", "/api/requests", { task: "held", reason });
    expect(asked.status).toBe(201);
    expect((await lab.call("lee", "POST", `/api/requests/${asked.body.id}/approve`, {})).status).toBe(200);
    const bridge = await bridged({ task: "held", reason });
    return { client: await driver(bridge), bridge };
  }

  const held = (session: string) =>
    lab.until(async () => {
      const { body } = await lab.call("lee", "GET", "/api/requests?status=pending");
      for (const { id, kind } of body.requests) {
        if (kind !== "statement") continue;
        const { body: one } = await lab.call("lee", "GET", `/api/requests/${id}`);
        if (one.statement.session === session) return one;
      }
      return null;
    }, "the request");

  test("waits, runs once it is approved, and keeps what follows in order", async () => {
    const { client, bridge } = await approved("INC-hold-1");
    const notices: string[] = [];
    client.on("notice", (notice) => notices.push(notice.message ?? ""));
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    const waiting = client.query("select count(*)::int as n from orders");
    const request = await held(bridge.sessions[0]!);
    expect(request.statement.text).toBe("select count(*)::int as n from orders");
    expect((await lab.call("ana", "POST", `/api/requests/${request.id}/approve`, {})).status).toBe(403);
    expect((await lab.call("lee", "POST", `/api/requests/${request.id}/approve`, {})).status).toBe(200);
    expect((await waiting).rows).toEqual([{ n: 1000 }]);
    expect(notices.join()).toContain(`/requests/${request.id}`);
    expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    await client.end();
  });

  test("is refused like any other when it is denied, and the session goes on", async () => {
    const { client, bridge } = await approved("INC-hold-2");
    const waiting = client.query("select id from orders").catch((error: Error) => error);
    const request = await held(bridge.sessions[0]!);
    await lab.call("lee", "POST", `/api/requests/${request.id}/deny`, { reason: "not today" });
    expect(await waiting).toMatchObject({ code: "42501" });
    expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    await client.end();
  });
});

test("V6 garbage, an oversized message and a statement of 10 MB disturb nobody else", async () => {
  const other = await driver(await bridged());
  const garbage = await greeted();
  garbage.send(new Uint8Array(1000).fill(0xff));
  await garbage.until(() => garbage.closed !== null, "the end of it");
  const client = await driver(await bridged());
  const refused = await client.query(`select '${"x".repeat(10_000_000)}'`).catch((error: Error) => error);
  expect((refused as { code?: string }).code).toBe("54000");
  expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
  expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await client.end();
  await other.end();
});

test("V5 200 sessions at the same time", async () => {
  const began = performance.now();
  const clients = await crowd(200, () => greeted());
  const up = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      let done = false;
      client.onData = (bytes) => {
        done ||= bytes.includes("SELECT 20");
      };
      client.send(queryMessage("select i from generate_series(1, 20) i"));
      await client.until(() => done, "its rows", 60_000);
    }),
  );
  console.log(
    `200 sessions: ${(up - began).toFixed(0)} ms to open, ${(performance.now() - up).toFixed(0)} ms for a query each`,
  );
  for (const client of clients) client.socket.send(encodeControl({ t: "eof" }));
  await Promise.all(clients.map((client) => client.until(() => client.closed !== null, "its end", 60_000)));
});
