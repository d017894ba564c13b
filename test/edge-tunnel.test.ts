/** The tunnel between edge and connector, with a connector that does what the test says: attacks and accidents. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type WebSocket from "ws";
import { guessCatalog } from "../client/policy/catalog.ts";
import type { Dial } from "../wire/control.ts";
import { queryMessage } from "../wire/postgres/frontend.ts";
import { startupMessage } from "../wire/postgres/startup.ts";
import { encodeControl, INITIAL_WINDOW, MAX_DATA_FRAME, splitFrame } from "../wire/tunnel.ts";
import { DoorClient } from "./support/edge-client.ts";
import { opened, TestConnector } from "./support/edge-connector.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";

let lab: EdgeLab;
let connector: TestConnector;
const startup = startupMessage({ user: "x", database: "d" });

beforeAll(async () => {
  lab = await startEdgeLab();
  connector = await TestConnector.create("demo", lab.origin);
  await connector.enrol(lab);
  await connector.online(lab);
});

afterEach(() => {
  connector.onDial = () => {};
});

afterAll(async () => {
  connector?.close();
  await lab?.stop();
});

/** The next dial. */
function nextDial(): Promise<Dial> {
  return new Promise((resolve) => {
    connector.onDial = (dial) => resolve(dial);
  });
}

function dialBack(dial: Dial, by = connector, ticket = dial.ticket): Promise<WebSocket> {
  return by.dialEdge(dial.url, { "wicket-ticket": ticket });
}

/** Says that the target is open. */
function sayOpened(socket: WebSocket): void {
  socket.send(
    encodeControl({
      t: "opened",
      parameters: { server_version: "18.0", client_encoding: "UTF8", standard_conforming_strings: "on" },
      serverVersion: 180000,
      catalog: guessCatalog(lab.bundle.tasks["unlimited"]!) as never,
    }),
  );
}

/** A client and its connector's socket, both open and greeted. */
async function session(): Promise<{ client: DoorClient; socket: WebSocket; sent: Buffer[] }> {
  const dialled = nextDial();
  const client = await DoorClient.open(lab);
  const socket = await dialBack(await dialled);
  const sent: Buffer[] = [];
  socket.on("message", (data: Buffer, binary) => {
    if (binary) sent.push(Buffer.from(splitFrame(data)!.data));
  });
  await opened(socket);
  sayOpened(socket);
  client.send(startup);
  await client.until(() => client.received > 100, "the greeting");
  return { client, socket, sent };
}

async function auditOf(session: string, type: string): Promise<{ reason?: string; severity: string }> {
  return lab.until(async () => {
    const { body } = await lab.call("ada", "GET", `/api/audit?session=${session}&type=${type}`);
    return body.events[0];
  }, `${type} in the audit log`);
}

describe("the ticket of a dial-back", () => {
  test("C5 is good once, for the connector that was asked, and only as it is", async () => {
    const dialled = nextDial();
    const client = await DoorClient.open(lab);
    const dial = await dialled;
    const forged = dial.ticket.replace(/^./, (first) => (first === "0" ? "1" : "0"));
    await expect(dialBack(dial, connector, forged).then(opened)).rejects.toMatchObject({
      code: "TICKET_INVALID",
    });
    await expect(dialBack(dial, connector, "").then(opened)).rejects.toMatchObject({
      code: "TICKET_INVALID",
    });
    const socket = await dialBack(dial);
    await opened(socket);
    await expect(dialBack(dial).then(opened)).rejects.toMatchObject({ status: 403, code: "TICKET_USED" });
    expect(await auditOf(dial.session, "connector.refused")).toMatchObject({ severity: "alarm" });
    client.socket.close();
  });

  test("C5 of one session does not open another", async () => {
    const first = nextDial();
    const a = await DoorClient.open(lab);
    const dialA = await first;
    const second = nextDial();
    const b = await DoorClient.open(lab);
    const dialB = await second;
    await expect(dialBack(dialB, connector, dialA.ticket).then(opened)).rejects.toMatchObject({
      code: "TICKET_INVALID",
    });
    const unknown = { ...dialA, url: "/connector/sessions/00000000000000000000000000" };
    await expect(dialBack(unknown).then(opened)).rejects.toMatchObject({ status: 404 });
    a.socket.close();
    b.socket.close();
  });

  test("C5 a captured connector token is refused the second time", async () => {
    const token = await connector.token();
    const first = await connector.dialEdge("/connector/control", {}, token);
    await opened(first);
    await expect(connector.dialEdge("/connector/control", {}, token).then(opened)).rejects.toMatchObject({
      status: 401,
      code: "TOKEN_REPLAYED",
    });
    first.close();
  });
});

describe("who comes first", () => {
  test("the client: what it sends waits for the target", async () => {
    const dialled = nextDial();
    const client = await DoorClient.open(lab);
    client.send(startup);
    const dial = await dialled;
    expect(dial.options).toMatchObject({ client_encoding: "UTF8", default_transaction_read_only: "on" });
    expect(dial.task).toMatchObject({ name: "unlimited", readOnly: true });
    const socket = await dialBack(dial);
    await opened(socket);
    sayOpened(socket);
    await client.until(() => client.received > 100, "the greeting");
    client.socket.close();
  });

  test("the connector: what it says waits for the client's StartupMessage", async () => {
    const dialled = nextDial();
    const client = await DoorClient.open(lab);
    const socket = await dialBack(await dialled);
    await opened(socket);
    sayOpened(socket);
    await new Promise((resolve) => socket.once("pong", resolve).ping());
    expect(client.received).toBe(0);
    client.send(startup);
    await client.until(() => client.received > 100, "the greeting");
    client.socket.close();
  });
});

describe("a target that does not open", () => {
  test("a connector that is not there is a 503 before the upgrade, in the audit log", async () => {
    const before = connector.control!;
    connector.close();
    await new Promise((resolve) => before.once("close", resolve));
    const refused = await lab.until(async () => {
      const error = await DoorClient.open(lab).then(
        (client) => client.socket.terminate(),
        (cause: { status: number; code: string }) => cause,
      );
      return error?.code === "CONNECTOR_OFFLINE" ? error : null;
    }, "the refusal");
    expect(refused).toMatchObject({ status: 503, code: "CONNECTOR_OFFLINE" });
    await lab.until(async () => {
      const { body } = await lab.call(
        "ada",
        "GET",
        "/api/audit?type=session.refused&reason=CONNECTOR_OFFLINE",
      );
      return body.events[0];
    }, "the refusal in the audit log");
    await connector.online(lab);
  });

  test("a second connection that does not serve the resource is not asked", async () => {
    const socket = await connector.dialEdge("/connector/control");
    await opened(socket);
    socket.send(JSON.stringify({ v: 1, t: "hello", name: "demo", version: "x", resources: [] }));
    // The first one still serves it.
    const dialled = nextDial();
    const client = await DoorClient.open(lab);
    await dialled;
    client.socket.close();
    socket.close();
  });

  test("dial_failed reaches the client as a protocol error, after its StartupMessage", async () => {
    const dialled = nextDial();
    const client = await DoorClient.open(lab);
    const dial = await dialled;
    connector.fail(dial.session, "TARGET_UNREACHABLE", "the database does not answer");
    let text = "";
    client.onData = (bytes) => {
      text += bytes.toString("latin1");
    };
    client.send(startup);
    await client.until(() => client.closed !== null, "the end");
    expect(text).toMatch(/C08001\0Mthe database does not answer/);
    expect(await auditOf(dial.session, "session.end")).toMatchObject({ reason: "TARGET_UNREACHABLE" });
  });

  test("a connector that never dials back is given up after the deadline", async () => {
    const hasty = await startEdgeLab({ dialSeconds: 2 });
    try {
      const idle = await TestConnector.create("demo", hasty.origin);
      await idle.enrol(hasty);
      await idle.online(hasty);
      const client = await DoorClient.open(hasty);
      client.send(startup);
      await client.until(() => client.closed !== null, "the end");
      expect(client.closed).toMatchObject({ reason: "CONNECTOR_TIMEOUT" });
      const dial = idle.dials[0]!;
      await expect(dialBack(dial, idle).then(opened)).rejects.toMatchObject({ status: 404 });
      await hasty.until(async () => idle.kills.includes(dial.session), "the connector is told");
    } finally {
      await hasty.stop();
    }
  });
});

describe("credit", () => {
  test("a client that sends more than its credit is ended with an alarm", async () => {
    const { client } = await session();
    // Nothing is ever acknowledged by this connector: the client's window is used up by what it sends here.
    const statement = queryMessage(`select '${"x".repeat(60_000)}'`);
    for (let sent = 0; sent < 3 * INITIAL_WINDOW; sent += statement.length) client.socket.send(statement);
    await client.until(() => client.closed !== null, "the end");
    expect(client.closed).toMatchObject({ code: 4000, reason: "CREDIT_EXCEEDED" });
    expect(await auditOf(client.session!.id, "session.alarm")).toMatchObject({ reason: "CREDIT_EXCEEDED" });
  });

  test("a connector that sends more than its credit is ended with an alarm", async () => {
    const { client, socket } = await session();
    client.reading = false;
    client.send(queryMessage("select 1"));
    const notice = Buffer.from("S\0\0\0\x11TimeZone\0UTC\0", "latin1");
    const frame = Buffer.concat(Array.from({ length: Math.floor(60_000 / notice.length) }, () => notice));
    for (let sent = 0; sent < 40 * INITIAL_WINDOW && socket.readyState === 1; sent += frame.length)
      socket.send(frame);
    await client.until(() => client.closed !== null, "the end");
    expect(client.closed).toMatchObject({ code: 4000, reason: "CREDIT_EXCEEDED" });
    await auditOf(client.session!.id, "session.alarm");
  });

  test.each([
    ["credit that was never earned", (s: WebSocket) => s.send(encodeControl({ t: "credit", bytes: 5 }))],
    ["a frame over the limit", (s: WebSocket) => s.send(new Uint8Array(MAX_DATA_FRAME + 1))],
    ["control that is not JSON", (s: WebSocket) => s.send("{")],
    ["a control message of another direction", (s: WebSocket) => s.send('{"t":"cancel"}')],
  ])("%s ends the session, from either side", async (_name, misbehave) => {
    const byClient = await session();
    // The greeting has used credit: earn none of it back.
    byClient.client.reading = false;
    if (_name.startsWith("credit"))
      byClient.client.socket.send(encodeControl({ t: "credit", bytes: INITIAL_WINDOW }));
    else misbehave(byClient.client.socket);
    await byClient.client.until(() => byClient.client.closed !== null, "the end");
    const byConnector = await session();
    misbehave(byConnector.socket);
    await byConnector.client.until(() => byConnector.client.closed !== null, "the end");
    expect(byConnector.client.closed!.code).toBe(4000);
  });
});

describe("a second connector", () => {
  test("C1 an enrolled name is not given away, and a code is good once", async () => {
    const thief = await TestConnector.create("demo", lab.origin);
    const plain = await lab.call("ada", "POST", "/api/connectors/demo/enrolment", {});
    expect(plain).toMatchObject({ status: 409, body: { code: "CONNECTOR_EXISTS" } });
    expect((await thief.spend("wce_000000000000000000000000000000000000000000000000")).status).toBe(403);
    await expect(thief.dialEdge("/connector/control").then(opened)).rejects.toMatchObject({ status: 401 });
    expect((await lab.call("tina", "POST", "/api/connectors/demo/enrolment", {})).status).toBe(403);
    const event = await lab.until(async () => {
      const { body } = await lab.call("ada", "GET", "/api/audit?type=connector.refused&reason=CODE_INVALID");
      return body.events[0];
    }, "the event");
    expect(event).toMatchObject({ severity: "alarm", connector: "demo" });
  });

  test("C1 one with the same key joins beside the first, as an event", async () => {
    const socket = await connector.dialEdge("/connector/control");
    await opened(socket);
    socket.send(JSON.stringify({ v: 1, t: "hello", name: "demo", version: "b", resources: ["orders-db"] }));
    await lab.until(async () => {
      const { body } = await lab.call(
        "ada",
        "GET",
        "/api/audit?type=connector.online&reason=CONNECTOR_SECOND",
      );
      return body.events[0];
    }, "the event");
    expect(connector.control!.readyState).toBe(1);
    socket.close();
  });

  test("C6 a task whose recording is to be sealed runs at no connector without auditors' keys", async () => {
    const dialled: Dial[] = [];
    connector.onDial = (dial) => dialled.push(dial);
    const code = "SEALING_UNAVAILABLE";
    await expect(DoorClient.open(lab, { task: "sealed" })).rejects.toMatchObject({ status: 503, code });
    expect(dialled).toEqual([]);
  });

  test("how full a connector's spool is stands in the list", async () => {
    const spool = { used: 960_000, max: 1_000_000, sessions: 3, refused: 1 };
    connector.control!.send(JSON.stringify({ v: 1, t: "status", spool }));
    await lab.until(async () => {
      const { body } = await lab.call("ada", "GET", "/api/connectors");
      const [demo] = body.connectors.filter((one: { name: string }) => one.name === "demo");
      return demo.connections.find((one: { spool: object | null }) => one.spool)?.spool.used === 960_000;
    }, "the status");
  });

  test("C2 resources of others are not given to it, and answers for others' sessions are alarms", async () => {
    const socket = await connector.dialEdge("/connector/control");
    await opened(socket);
    socket.send(JSON.stringify({ v: 1, t: "hello", name: "demo", version: "c", resources: ["payroll-db"] }));
    await lab.until(async () => {
      const { body } = await lab.call(
        "ada",
        "GET",
        "/api/audit?type=connector.refused&reason=RESOURCE_FOREIGN",
      );
      return body.events[0];
    }, "the event");
    const message = { v: 1, t: "dial_failed", session: "someone-elses", code: "TARGET_TLS", message: "no" };
    socket.send(JSON.stringify(message));
    await lab.until(async () => {
      const { body } = await lab.call(
        "ada",
        "GET",
        "/api/audit?type=connector.refused&reason=SESSION_FOREIGN",
      );
      return body.events[0];
    }, "the event");
    socket.send(JSON.stringify({ v: 1, t: "hello", name: "other", version: "c", resources: [] }));
    const closed = await new Promise((resolve) => socket.once("close", (code) => resolve(code)));
    expect(closed).toBe(4400);
  });

  test.each([
    ["for another edge", { aud: "https://elsewhere.example.com" }, "TOKEN_MALFORMED"],
    ["of another connector", { iss: "other" }, "CONNECTOR_UNKNOWN"],
    ["of another type", { typ: "at+jwt" }, "TOKEN_MALFORMED"],
    ["that lives too long", { seconds: 600 }, "TOKEN_LIFETIME"],
    ["that has expired", { seconds: -10 }, "TOKEN_EXPIRED"],
  ])("C3 a token %s is refused", async (_name, claims, code) => {
    const token = await connector.token(claims);
    await expect(connector.dialEdge("/connector/control", {}, token).then(opened)).rejects.toMatchObject({
      status: 401,
      code,
    });
  });

  test("V1 a key that is replaced is out: its sockets close and its sessions end", async () => {
    const { client } = await session();
    const control = connector.control!;
    const closed = new Promise((resolve) =>
      control.once("close", (_code, reason) => resolve(String(reason))),
    );
    const next = await TestConnector.create("demo", lab.origin);
    const enrolled = await next.enrol(lab, true);
    expect(enrolled.status).toBe(201);
    expect((await next.spend(enrolled.code)).status).toBe(403);
    expect(await closed).toBe("CONNECTOR_REPLACED");
    await client.until(() => client.closed !== null, "the end");
    expect(client.closed!.reason).toBe("CONNECTOR_REPLACED");
    await expect(connector.dialEdge("/connector/control").then(opened)).rejects.toMatchObject({
      status: 401,
    });
    connector = next;
    await connector.online(lab);
  });
});

test("an administrator has a connector drained", async () => {
  // The end of an earlier session may still be told before.
  const drained = new Promise((resolve) =>
    connector.control!.on("message", (data) => String(data).includes('"drain"') && resolve(String(data))),
  );
  expect((await lab.call("tina", "POST", "/api/connectors/demo/drain", {})).status).toBe(403);
  expect((await lab.call("ada", "POST", "/api/connectors/demo/drain", {})).status).toBe(202);
  expect(JSON.parse((await drained) as string)).toEqual({ v: 1, t: "drain" });
});

test("the control socket answers pings without waking its object", async () => {
  const pong = new Promise((resolve) =>
    connector.control!.on("message", (data) => String(data) === "pong" && resolve(true)),
  );
  connector.control!.send("ping");
  expect(await pong).toBe(true);
});

test("a connector that is removed is gone, and its name can be enrolled anew", async () => {
  const closed = new Promise((resolve) => connector.control!.once("close", resolve));
  expect((await lab.call("tina", "DELETE", "/api/connectors/demo")).status).toBe(403);
  expect((await lab.call("ada", "DELETE", "/api/connectors/demo")).status).toBe(204);
  expect(await closed).toBe(4000);
  await expect(connector.dialEdge("/connector/control").then(opened)).rejects.toMatchObject({ status: 401 });
  const next = await TestConnector.create("demo", lab.origin);
  expect((await next.enrol(lab)).status).toBe(201);
});
