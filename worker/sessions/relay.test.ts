import { expect, test, vi } from "vitest";
import type { StatementDecision } from "../../policies/postgres/decision.ts";
import { bareMessage, queryMessage } from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import { startupMessage } from "../../wire/postgres/startup.ts";
import { RecordingRoots } from "../../wire/recording.ts";
import { encodeControl, INITIAL_WINDOW, splitFrame } from "../../wire/tunnel.ts";
import { bundle } from "../bundle.ts";
import { PostgresRelay, type RelayEnd, type RelaySocket } from "./relay.ts";

/** A socket that keeps what it is given; `bufferedAmount` is the test's to set. */
class FakeSocket implements RelaySocket {
  readonly sent: (string | Uint8Array)[] = [];
  bufferedAmount = 0;

  send(message: string | Uint8Array): void {
    this.sent.push(typeof message === "string" ? message : message.slice());
  }

  get data(): Uint8Array[] {
    return this.sent.filter((one) => typeof one !== "string") as Uint8Array[];
  }

  get text(): string {
    return this.data.map((bytes) => new TextDecoder("latin1").decode(bytes)).join("");
  }

  get control(): { t: string; code?: string; bytes?: number; event?: { t: string } }[] {
    const texts = this.sent.filter((one) => typeof one === "string");
    return texts.flatMap((text) => text.split("\n")).map((line) => JSON.parse(line));
  }
}

/** Takes the edge's messages to a connector apart: records that came with data are kept as a text before it. */
class FakeConnector extends FakeSocket {
  override send(message: string | Uint8Array): void {
    if (typeof message === "string") {
      super.send(message);
      return;
    }
    const { records, data } = splitFrame(message)!;
    if (records.length > 0) super.send(records.map((line) => new TextDecoder().decode(line)).join("\n"));
    super.send(data);
  }
}

const allow = (text: string): StatementDecision => ({
  ...{ effect: "allow", reason: "ALLOWED", message: "", hint: null, sqlstate: "00000", position: null },
  ...{ rule: null, rewritten: text, relations: [], masked: [], fingerprint: null },
  statements: [{ kind: "Select", effect: "read", returnsRows: true, copyIn: false, lookup: false }],
});

function relay(framed = true) {
  const client = new FakeSocket();
  const connector = new FakeConnector();
  const ends: RelayEnd[] = [];
  const task = {
    ...bundle.tasks["orders-analyst"]!,
    limits: { rows: null, statements: null, bytes: null, statementTimeoutMs: null, lookups: null },
  };
  let refusal: { code: string; message: string } | null = null;
  const it = new PostgresRelay({
    session: "s",
    task,
    cancelKey: { processId: 7, secretKey: new Uint8Array(32).fill(9) },
    deadline: 1000,
    maxMessage: 768 * 1024,
    clock: () => 0,
    permit: () => refusal,
    decider: () => ({ decide: allow }),
    event: () => {},
    opened: () => {},
    ended: (end) => ends.push(end),
  });
  it.attachClient(client, framed);
  it.attachConnector(connector);
  return {
    ...{ it, client, connector, ends },
    refuse: (code: string, message: string) => {
      refusal = { code, message };
    },
    fromClient: (bytes: Uint8Array) => it.clientMessage(bytes.slice().buffer),
    fromConnector: (bytes: Uint8Array) => it.connectorMessage(bytes.slice().buffer),
    open: () => {
      it.connectorMessage(
        encodeControl({
          t: "opened",
          parameters: { server_version: "18.0", client_encoding: "UTF8", standard_conforming_strings: "on" },
          serverVersion: 180000,
          catalog: { relations: [], systemRelations: [], functions: [] },
        }),
      );
      it.clientMessage(startupMessage({ user: "x", database: "d" }).slice().buffer);
    },
  };
}

/** A row of one text column of `size` bytes. */
function row(size: number): Uint8Array {
  const bytes = new Uint8Array(1 + 4 + 2 + 4 + size);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x44;
  view.setUint32(1, bytes.length - 1);
  view.setUint16(5, 1);
  view.setUint32(7, size);
  return bytes;
}

/** RowDescription of one column of no table. */
function describeRow(): Uint8Array {
  const bytes = new Uint8Array(1 + 4 + 2 + 2 + 18);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x54;
  view.setUint32(1, bytes.length - 1);
  view.setUint16(5, 1);
  bytes[7] = 0x63;
  view.setUint32(15, 25);
  view.setInt16(19, -1);
  view.setInt32(21, -1);
  return bytes;
}

test("a session message comes first, with the key and the end", () => {
  const { client } = relay();
  expect(client.control[0]).toMatchObject({ t: "session", id: "s", cancel: { processId: 7 }, expires: 1000 });
  expect(relay(false).client.sent).toEqual([]);
});

test("the record of a statement goes out before its bytes, and both sides have the same roots", () => {
  const { connector, fromClient, open, it, fromConnector } = relay();
  open();
  fromClient(queryMessage("select 1"));
  fromConnector(describeRow());
  const stream = connector.sent.filter((one) => typeof one !== "string" || one.includes('"record"'));
  expect(stream[0]).toContain('"statement"');
  expect(stream[1]).toEqual(queryMessage("select 1"));
  const roots = new RecordingRoots("s");
  for (const one of stream)
    if (typeof one === "string") roots.add("event", new TextEncoder().encode(one));
    else roots.add("frontend", one);
  roots.add("backend", describeRow());
  expect(it.roots.frontend.root).toBe(roots.frontend.root);
  expect(it.roots.backend.root).toBe(roots.backend.root);
});

test("R3 the edge knows up to which message the connector has everything: that of the last answered statement", () => {
  const { connector, fromClient, open, it, fromConnector } = relay();
  open();
  expect(it.answered).toBeNull();
  fromClient(queryMessage("select 1"));
  const roots = new RecordingRoots("s");
  const record = connector.sent.find((one) => typeof one === "string" && one.includes('"record"')) as string;
  roots.add("event", new TextEncoder().encode(record));
  roots.add("frontend", queryMessage("select 1"));
  expect(it.answered).toBeNull();
  const ready = new Uint8Array([0x5a, 0, 0, 0, 5, 0x49]);
  fromConnector(describeRow());
  fromConnector(new Uint8Array([0x43, 0, 0, 0, 13, ...new TextEncoder().encode("SELECT 0\0")]));
  fromConnector(ready);
  expect(it.answered).toMatchObject({ frontend: { count: 2 }, backend: { count: 0 } });
  expect(it.answered!.frontend.root).toBe(roots.frontend.root);
  fromClient(queryMessage("select 2"));
  const { count } = it.roots.frontend;
  fromClient(queryMessage("select 3"));
  expect(it.answered).toMatchObject({ frontend: { count: 2 } });
  // Rows of a statement that is not over show that it was written down, too: nobody can say that it never arrived.
  fromConnector(describeRow());
  expect(it.answered).toMatchObject({ frontend: { count: 2 } });
  fromConnector(row(10));
  expect(it.answered).toMatchObject({ frontend: { count }, backend: { count: 3 } });
  // What the connector sent before it got a statement, it has written down with that statement.
  for (const tag of ["SELECT 0\0", "SELECT 0\0"]) {
    fromConnector(new Uint8Array([0x43, 0, 0, 0, 13, ...new TextEncoder().encode(tag)]));
    fromConnector(ready);
  }
  expect(it.answered!.backend.count).toBe(3);
  expect(it.answered!.frontend.count).toBeGreaterThan(count);
});

test("V4 what waits here stays below a window while the client takes nothing", () => {
  const { client, connector, fromClient, fromConnector, open, it, ends } = relay();
  open();
  fromClient(queryMessage("select rows"));
  fromConnector(describeRow());
  let credit = INITIAL_WINDOW - describeRow().length;
  const granted = () =>
    connector.control.filter((one) => one.t === "credit").reduce((sum, one) => sum + one.bytes!, 0);
  const one = row(60_000);
  let before = granted();
  for (let sent = 0; sent < 200 && credit >= one.length; sent++) {
    fromConnector(one);
    credit += granted() - before - one.length;
    before = granted();
  }
  expect(ends).toEqual([]);
  expect(it.peak).toBeLessThanOrEqual(2 * INITIAL_WINDOW);
  const stuck = client.data.length;
  it.clientMessage(encodeControl({ t: "credit", bytes: INITIAL_WINDOW / 2 }));
  expect(client.data.length).toBeGreaterThanOrEqual(stuck);
  expect(granted()).toBeGreaterThan(before);
});

test("more than its credit from the connector ends the session, and the client is told", () => {
  const { client, connector, fromClient, fromConnector, open, ends } = relay();
  open();
  fromClient(queryMessage("select rows"));
  fromConnector(describeRow());
  for (let sent = 0; sent < 60; sent++) fromConnector(row(60_000));
  expect(ends).toMatchObject([{ code: "CREDIT_EXCEEDED", cut: true }]);
  expect(connector.control.at(-1)).toMatchObject({ t: "reset", code: "CREDIT_EXCEEDED" });
  expect(client.control.at(-1)!.t).toMatch(/eof|reset/);
});

test("a plain bridge that takes nothing: no credit for the connector, and a cut when the backlog grows", () => {
  const { client, connector, fromClient, fromConnector, open, ends, it } = relay(false);
  open();
  fromClient(queryMessage("select rows"));
  fromConnector(describeRow());
  client.bufferedAmount = INITIAL_WINDOW;
  const before = connector.control.length;
  for (let sent = 0; sent < 17; sent++) fromConnector(row(60_000));
  expect(connector.control.slice(before).filter((one) => one.t === "credit")).toEqual([]);
  client.bufferedAmount = 3 * INITIAL_WINDOW;
  it.flush();
  expect(ends).toMatchObject([{ code: "CLIENT_STALLED" }]);
});

test("a kill is a FATAL error of Postgres; after it nothing goes either way", () => {
  const { it, client, connector, fromClient, open, ends } = relay();
  open();
  it.finish("GRANT_REVOKED", "the grant was revoked");
  expect(client.text).toContain("C57P01\0Mthe grant was revoked");
  expect(client.control.at(-1)).toEqual({ t: "eof" });
  expect(connector.control.at(-1)).toMatchObject({ t: "reset", code: "GRANT_REVOKED" });
  expect(ends).toHaveLength(1);
  const [sent, received] = [connector.sent.length, client.sent.length];
  fromClient(queryMessage("select 1"));
  it.connectorClosed();
  it.finish("OTHER", "again");
  expect([connector.sent.length, client.sent.length]).toEqual([sent, received]);
  expect(ends).toHaveLength(1);
});

test("the outcome of a statement goes with the next one, in one message before its data, or after a while", async () => {
  const { connector, fromClient, fromConnector, open } = relay();
  open();
  const answer = new TextEncoder().encode("C\0\0\0\rSELECT 0\0Z\0\0\0\u0005I");
  const kinds = () => connector.control.flatMap(({ event }) => event?.t ?? []);
  fromClient(queryMessage("SELECT 1"));
  fromConnector(answer);
  expect(kinds()).toEqual(["statement"]);
  fromClient(queryMessage("SELECT 2"));
  expect(kinds()).toEqual(["statement", "outcome", "statement"]);
  expect(connector.sent.at(-2)).toContain("\n");
  expect(connector.data.at(-1)).toEqual(queryMessage("SELECT 2"));
  fromConnector(answer);
  expect(kinds()).toHaveLength(3);
  await vi.waitFor(() => expect(kinds()).toEqual(["statement", "outcome", "statement", "outcome"]));
});

test("Terminate is passed on, and both sides get a plain end", () => {
  const { client, connector, fromClient, open, ends } = relay();
  open();
  fromClient(bareMessage(Frontend.Terminate));
  expect(ends).toMatchObject([{ code: "CLIENT_TERMINATED", cut: false }]);
  expect(connector.data.at(-1)).toEqual(bareMessage(Frontend.Terminate));
  expect(connector.control.at(-1)).toEqual({ t: "eof" });
  expect(client.control.at(-1)).toEqual({ t: "eof" });
});

test("a lost client resets the target; a lost connector is told to the client", () => {
  const lost = relay();
  lost.open();
  lost.it.clientClosed();
  expect(lost.connector.control.at(-1)).toMatchObject({ t: "reset", code: "CLIENT_GONE" });
  const other = relay();
  other.open();
  other.it.connectorClosed();
  expect(other.client.text).toContain("C57P01");
});

test("P10 a grant that ended refuses the next statement", () => {
  const { client, fromClient, open, refuse, connector } = relay();
  open();
  refuse("SESSION_EXPIRED", "the time is over");
  fromClient(queryMessage("select 1"));
  expect(connector.text).not.toContain("select 1");
  expect(client.text).not.toContain("FATAL");
});

test("cancel needs the session's key", () => {
  const { it, connector, open } = relay();
  open();
  expect(it.cancel(7, new Uint8Array(4).fill(8))).toBe(false);
  expect(it.cancel(8, new Uint8Array(4).fill(9))).toBe(false);
  expect(it.cancel(7, new Uint8Array(4).fill(9))).toBe(true);
  expect(connector.control.at(-1)).toEqual({ t: "cancel" });
});

test("a failure of the target waits for the client's StartupMessage", () => {
  const { it, client, fromClient, ends } = relay();
  it.failed("TARGET_UNREACHABLE", "the database does not answer", "08001");
  expect(ends).toEqual([]);
  fromClient(startupMessage({ user: "x", database: "d" }));
  expect(client.text).toContain("C08001\0Mthe database does not answer");
  expect(ends).toMatchObject([{ code: "TARGET_UNREACHABLE" }]);
});
