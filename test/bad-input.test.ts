/**
 * What comes in wrong, end to end: each case is a clear error at the client and a line in the audit log, and a session
 * that was open before works on.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startupMessage } from "../wire/postgres/startup.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";
import { type LocalPort, type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-bad-"));
let database: TestPostgres;
let way: Way;
let system: System;
let proxy: LocalPort;
let witness: pg.Client;

/** A TCP way to the database whose entrance can be closed while those who came in stay. */
interface Way {
  readonly port: number;
  shut(): Promise<void>;
  open(): Promise<void>;
  stop(): void;
}

async function startWay(to: number): Promise<Way> {
  const sockets = new Set<Socket>();
  let server: Server;
  const listen = async (port: number): Promise<void> => {
    server = createServer((from) => {
      const there = createConnection(to, "127.0.0.1");
      for (const socket of [from, there]) {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          sockets.delete(socket);
          from.destroy();
          there.destroy();
        });
      }
      from.pipe(there).pipe(from);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  };
  await listen(0);
  const { port } = server!.address() as AddressInfo;
  return {
    port,
    shut: async () => void server.close(),
    open: () => listen(port),
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "..", "policies", "library"), folder, { recursive: true });
  const resources = join(folder, "resources.yaml");
  writeFileSync(
    resources,
    `${readFileSync(resources, "utf8").trimEnd()}\n  other-db: { type: postgres, connector: away }\n`,
  );
  const task = (resource: string) => `version: 1
task: ${resource === "orders-db" ? "reading" : "elsewhere"}
description: Reads orders.
owner: tests
who: { groups: [support] }
resource: ${resource}
allow:
  - select:
      public.orders: { columns: "*" }
session: { ttl: 1h, idle: 30m }
`;
  writeFileSync(join(folder, "tasks", "reading.yaml"), task("orders-db"));
  writeFileSync(join(folder, "tasks", "elsewhere.yaml"), task("other-db"));
  database = await startPostgres();
  const admin = new pg.Client(database.url);
  await admin.connect();
  await admin.query(`CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric, status text);
    INSERT INTO orders SELECT i, i, i, 'new' FROM generate_series(1, 10) i;
    CREATE ROLE worker LOGIN; GRANT SELECT ON orders TO worker`);
  await admin.end();
  way = await startWay(database.port);
  system = await startSystem({
    policies: folder,
    postgres: `postgres://worker@127.0.0.1:${way.port}/postgres`,
  });
  proxy = await system.proxy(["orders-db", "--task", "reading"]);
  witness = new pg.Client(proxy.url);
  await witness.connect();
});

afterEach(async () => {
  expect((await witness.query("select count(*)::int as n from orders")).rows).toEqual([{ n: 10 }]);
});

afterAll(async () => {
  await witness?.end();
  expect(await system?.stop()).toBe(0);
  way?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Told {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** A WebSocket upgrade at the edge's door, refused. */
function knock(path: string, headers: Record<string, string>): Promise<Told> {
  const upgrade = {
    ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
    ...{ "sec-websocket-key": "d2lja2V0Z2F0ZSB0ZXN0cw==", "sec-websocket-protocol": "wicket.pg.v1" },
  };
  return new Promise((resolve, reject) => {
    const asked = request(system.edge + path, { headers: { ...upgrade, ...headers } });
    asked.once("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error("the door opened"));
    });
    asked.once("error", reject);
    asked.once("response", (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode!, ...JSON.parse(text) }));
    });
    asked.end();
  });
}

/** Waits for the line of the audit log. */
async function audited(type: string, reason: string, since: number): Promise<void> {
  await system.until(async () => {
    const { body } = await system.api("operator", `/api/audit?type=${type}&reason=${reason}&limit=20`);
    return body.events.some((event: { time: number }) => event.time >= since);
  }, `${type} ${reason} in the audit log`);
}

/** Signed by the provider of the system. */
async function token(audience: string, expires: string): Promise<string> {
  const { providerKey } = JSON.parse(readFileSync(join(system.state, "secrets.json"), "utf8"));
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", providerKey, algorithm, false, ["sign"]);
  return new SignJWT({ groups: ["support"] })
    .setProtectedHeader({ alg: "ES256", kid: providerKey.kid })
    .setIssuer(system.issuer)
    .setSubject("tina")
    .setAudience(audience)
    .setIssuedAt(Math.floor(Date.now() / 1000) - 7200)
    .setExpirationTime(expires)
    .sign(key);
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

describe("at the door", () => {
  const refund = { "wicket-task": "refund-investigation", "wicket-reason": "INC-7" };
  const customer = (value: string) => ({ ...refund, "wicket-params": `customer=${value}` });
  const cases: [string, string, number, string, string, () => Promise<Record<string, string>>][] = [
    ["no token", "orders-db", 401, "TOKEN_MISSING", "auth.refused", async () => customer("7")],
    [
      ...(["an expired token", "orders-db", 401, "TOKEN_EXPIRED", "auth.refused"] as const),
      async () => ({ ...customer("7"), ...bearer(await token("wicketgate", "-1h")) }),
    ],
    [
      ...(["a token for somebody else", "orders-db", 401, "TOKEN_AUDIENCE", "auth.refused"] as const),
      async () => ({ ...customer("7"), ...bearer(await token("another", "1h")) }),
    ],
    [
      ...(["an unknown task", "orders-db", 404, "TASK_UNKNOWN", "session.refused"] as const),
      async () => ({ "wicket-task": "nothing", ...bearer(system.people["tina"]!) }),
    ],
    [
      ...(["an unknown resource", "nowhere", 404, "RESOURCE_UNKNOWN", "session.refused"] as const),
      async () => ({ ...customer("7"), ...bearer(system.people["tina"]!) }),
    ],
    [
      ...(["a parameter of the wrong type", "orders-db", 400, "PARAM_TYPE", "session.refused"] as const),
      async () => ({ ...customer("seven"), ...bearer(system.people["tina"]!) }),
    ],
    [
      ...(["a connector that is away", "other-db", 503, "CONNECTOR_OFFLINE", "session.refused"] as const),
      async () => ({ "wicket-task": "elsewhere", ...bearer(system.people["tina"]!) }),
    ],
  ];

  test.each(cases)("%s", async (_name, resource, status, code, type, headers) => {
    const since = Date.now();
    const told = await knock(`/db/${resource}`, await headers());
    expect(told).toMatchObject({ status, code });
    expect(told.message.length).toBeGreaterThan(10);
    await audited(type, code, since);
  });
});

/** What a driver is told when it connects. */
async function connecting(): Promise<Error & { code?: string }> {
  const client = new pg.Client(proxy.url);
  client.on("error", () => {});
  return client.connect().then(
    () => client.end().then(() => new Error("it connected")),
    (error: Error) => error,
  );
}

describe("the database", () => {
  test("is down", async () => {
    const since = Date.now();
    await way.shut();
    const error = await connecting();
    expect(error.message).toMatch(/the database cannot be reached \(ECONNREFUSED\)/);
    expect(error.code).toBe("08001");
    await audited("session.end", "TARGET_UNREACHABLE", since);
    await way.open();
    expect((await connecting()).message).toBe("it connected");
  });

  test("refuses the login", async () => {
    const since = Date.now();
    const admin = new pg.Client(database.url);
    await admin.connect();
    await admin.query("ALTER ROLE worker NOLOGIN");
    const error = await connecting();
    expect(error.message).toMatch(/refused the connector's login: the login is not allowed \(28000\)/);
    await audited("session.end", "TARGET_REFUSED_LOGIN", since);
    await admin.query("ALTER ROLE worker LOGIN");
    await admin.end();
    expect((await connecting()).message).toBe("it connected");
  });
});

describe("on an open session", () => {
  /** Sends bytes after the greeting; everything that is said until the end, or until `enough`. */
  async function sending(bytes: Uint8Array): Promise<string> {
    const socket = createConnection(proxy.port, proxy.host);
    let said = "";
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const until = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (said.includes(text)) resolve();
          else socket.once("data", () => setImmediate(look));
        };
        look();
      });
    socket.on("data", (chunk) => {
      said += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.write(startupMessage({ user: "wicket", database: "orders-db" }));
    await until("R\0\0\0\x08\0\0\0\x03");
    const password = Buffer.from(`p\0\0\0\0${proxy.password}\0`, "latin1");
    password.writeInt32BE(password.length - 1, 1);
    socket.write(password);
    await until("Z\0\0\0\x05I");
    said = "";
    socket.write(bytes);
    await closed;
    return said;
  }

  test("garbage", async () => {
    const since = Date.now();
    expect(await sending(Buffer.from("\x01\x02\x03\x04\x05garbage"))).toMatch(/SFATAL\0VFATAL\0C08P01\0M\w/);
    await audited("session.end", "CLIENT_PROTOCOL", since);
  });

  test("a message that says it is 1 GiB long", async () => {
    const since = Date.now();
    const said = await sending(Buffer.from([0x42, 0x40, 0, 0, 0, 1, 2, 3]));
    expect(said).toMatch(/SFATAL\0VFATAL\0C08P01\0M\w/);
    await audited("session.end", "CLIENT_PROTOCOL", since);
  });

  test("a statement of 10 MB is refused, and its own session works on", async () => {
    const since = Date.now();
    const client = new pg.Client(proxy.url);
    await client.connect();
    const long = await client.query(`select '${"x".repeat(10_000_000)}'`).catch((error: Error) => error);
    expect(long).toMatchObject({
      code: "54000",
      message: expect.stringMatching(/too (large|long)|longer than/),
    });
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.end();
    await audited("statement.decided", "MESSAGE_TOO_LARGE", since);
  });
});
