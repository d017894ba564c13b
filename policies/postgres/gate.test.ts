/** The gate before a made-up server: every order of messages, every cut, and both sides as attackers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakePostgres } from "../../test/support/fake-postgres.ts";
import { openTask, selectRule } from "../../test/support/open-task.ts";
import { allowing, scriptedDecider } from "../../test/support/scripted-decider.ts";
import * as server from "../../wire/postgres/backend.ts";
import { concat } from "../../wire/postgres/cursor.ts";
import {
  bareMessage,
  bindMessage,
  closeMessage,
  copyDataMessage,
  copyFailMessage,
  describeMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Backend, Frontend } from "../../wire/postgres/messages.ts";
import { cancelRequest, gssRequest, sslRequest, startupMessage } from "../../wire/postgres/startup.ts";
import { type GateEvent, type GateHold, type GateOptions, type GateReason, PostgresGate } from "./gate.ts";

const parameters = {
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
  server_version: "18.4",
  search_path: "public, pg_temp",
  session_authorization: "credential",
  default_transaction_read_only: "on",
};
const sync = bareMessage(Frontend.Sync);
const startup = startupMessage({ user: "someone", database: "d" });

/** Messages as short words: types, with what matters of some. */
function words(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shown: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + view.getUint32(at + 1);
    const type = String.fromCharCode(bytes[at]!);
    const body = bytes.subarray(at + 5, end);
    if (type === "Z") shown.push(`Z${String.fromCharCode(body[0]!)}`);
    else if (type === "E" || type === "N") {
      const fields = server.decodeFields(body);
      shown.push(type === "E" ? `E ${fields["C"]}` : `N ${fields["M"]}`);
    } else if (type === "C") shown.push(`C ${server.decodeCommandComplete(body)}`);
    else shown.push(type);
    at = end;
  }
  return shown;
}

/** A gate whose both sides are kept as bytes. */
function open(more: Partial<GateOptions> = {}, greet = true) {
  const client: Uint8Array[] = [];
  const upstream: Uint8Array[] = [];
  const events: GateEvent[] = [];
  const ends: GateReason[] = [];
  const holds: GateHold[] = [];
  const cancels: number[] = [];
  const gate = new PostgresGate({
    host: {
      toClient: (bytes) => client.push(bytes),
      toServer: (bytes) => upstream.push(bytes),
      record: (event) => events.push(event),
      end: (reason) => ends.push(reason),
      hold: (hold) => holds.push(hold),
      cancel: (processId) => cancels.push(processId),
    },
    decider: scriptedDecider(),
    task: openTask(),
    clock: () => 1000,
    cancelKey: { processId: 77, secretKey: new Uint8Array(32).fill(5) },
    permit: () => null,
    ...more,
  });
  const taken = (parts: Uint8Array[]) => concat([...parts.splice(0), new Uint8Array(0)]);
  if (greet) {
    gate.opened({ parameters, serverVersion: 180004 });
    gate.fromClient(startup.slice());
    client.splice(0);
  }
  return {
    gate,
    events,
    ends,
    holds,
    cancels,
    /** What the client got since the last time. */
    got: () => words(taken(client)),
    gotBytes: () => taken(client),
    /** What the server got. */
    sent: () => taken(upstream),
    send: (...messages: Uint8Array[]) => gate.fromClient(concat([...messages, new Uint8Array(0)]).slice()),
    reply: (...messages: Uint8Array[]) => gate.fromServer(concat([...messages, new Uint8Array(0)]).slice()),
    codes: () => events.flatMap((event) => (event.t === "alarm" ? [event.code] : [])),
  };
}

/** A gate with the fake server behind it, answering at once. */
function withServer(more: Partial<GateOptions> = {}) {
  const upstream = new FakePostgres((bytes) => queue.push(bytes));
  const queue: Uint8Array[] = [];
  const one = open(more);
  const pump = () => {
    for (;;) {
      const bytes = one.sent();
      if (bytes.length > 0) upstream.push(bytes);
      if (queue.length === 0) {
        if (bytes.length === 0) return;
        continue;
      }
      one.gate.fromServer(concat(queue.splice(0)).slice());
    }
  };
  return {
    ...one,
    ran: upstream.ran,
    say: (...messages: Uint8Array[]) => {
      one.send(...messages);
      pump();
      return one.got();
    },
    pump,
  };
}

describe("the start of a session", () => {
  test("the greeting is the gate's own: its key, the client's name, the server's settings", () => {
    const { gate, got, gotBytes, sent } = open({}, false);
    gate.fromClient(sslRequest());
    expect([...gotBytes()]).toEqual([0x4e]);
    gate.fromClient(gssRequest());
    expect([...gotBytes()]).toEqual([0x4e]);
    gate.fromClient(startup.slice());
    expect(got()).toEqual([]);
    gate.opened({ parameters, serverVersion: 180004 });
    const bytes = gotBytes();
    expect(words(bytes)).toEqual(["R", "S", "S", "S", "S", "S", "S", "K", "ZI"]);
    const text = new TextDecoder().decode(bytes);
    expect(text).toContain("session_authorization\0someone");
    expect(text).not.toContain("credential");
    expect(sent().length).toBe(0);
    expect(gate.matchesCancel(77, new Uint8Array(4).fill(5))).toBe(true);
    expect(gate.matchesCancel(77, new Uint8Array(32).fill(5))).toBe(false);
    expect(gate.matchesCancel(78, new Uint8Array(4).fill(5))).toBe(false);
  });

  test("P1 bytes that come with SSLRequest or GSSENCRequest end the session", () => {
    for (const request of [sslRequest(), gssRequest()]) {
      const { gate, got, ends, gotBytes } = open({}, false);
      gate.fromClient(concat([request, startup]));
      expect(words(gotBytes())).toEqual(["E 08P01"]);
      expect(ends[0]?.code).toBe("CLIENT_PROTOCOL");
      gate.fromClient(startup.slice());
      expect(got()).toEqual([]);
    }
  });

  test("start-up packets are put together from any pieces", () => {
    const { gate, got } = open({}, false);
    gate.opened({ parameters, serverVersion: 180004 });
    for (const byte of startup) gate.fromClient(Uint8Array.of(byte));
    expect(got().at(-1)).toBe("ZI");
  });

  test.each([
    ["P3 wire-01 options", { options: "-c search_path=evil,public" }],
    ["P3 options -c role", { options: "-c role=postgres" }],
    ["P3 search_path", { search_path: "evil, public" }],
    ["P3 session_preload_libraries", { session_preload_libraries: "x" }],
    ["P3 role", { role: "postgres" }],
    ["P4 wire-03 replication=database", { replication: "database" }],
    ["P4 wire-03 replication=true", { replication: "true" }],
    ["P8 client_encoding", { client_encoding: "SJIS" }],
    ["P8 standard_conforming_strings", { standard_conforming_strings: "off" }],
    ["P3 quotes in a value", { TimeZone: "x'; drop table t; --" }],
    ["P18 no timeout", { statement_timeout: "0" }],
  ])("%s is refused", (_name, extra) => {
    const { gate, got, ends, sent } = open({}, false);
    gate.opened({ parameters, serverVersion: 180004 });
    gate.fromClient(startupMessage({ user: "someone", ...extra }));
    expect(got()).toEqual(["E 42501"]);
    expect(ends[0]?.code).toBe("STARTUP_PARAMETER_REFUSED");
    expect(sent().length).toBe(0);
  });

  test("P3 duplicate keys and a missing user are refused, a missing database is the user's", () => {
    const packet = (...names: string[]) => {
      const bytes = startupMessage(Object.fromEntries(names.map((name) => [name, "x"])));
      return bytes;
    };
    const twice = open({}, false);
    twice.gate.fromClient(packet("user", "User"));
    expect(twice.ends[0]?.code).toBe("STARTUP_PARAMETER_TWICE");
    const nobody = open({}, false);
    nobody.gate.fromClient(packet("database"));
    expect(nobody.ends[0]?.code).toBe("STARTUP_NO_USER");
    const fine = open({}, false);
    fine.gate.fromClient(packet("user"));
    expect(fine.gate.startup?.database).toBe("x");
  });

  test("P6 protocol 3.2 gets the long key, a newer one and _pq_ options are negotiated, 2.0 is refused", () => {
    const longer = open({}, false);
    longer.gate.opened({ parameters, serverVersion: 180004 });
    longer.gate.fromClient(startupMessage({ user: "someone" }, 2));
    expect(longer.got()[0]).toBe("R");
    expect(longer.gate.matchesCancel(77, new Uint8Array(32).fill(5))).toBe(true);
    const newer = open({}, false);
    newer.gate.opened({ parameters, serverVersion: 180004 });
    newer.gate.fromClient(startupMessage({ user: "someone", "_pq_.command_progress": "1" }, 9));
    expect(newer.got()[0]).toBe("v");
    const old = open({}, false);
    old.gate.fromClient(Uint8Array.of(0, 0, 0, 9, 0, 2, 0, 0, 0));
    expect(old.got()).toEqual(["E 0A000"]);
  });

  test("P7 a CancelRequest is handed to the host and not answered", () => {
    const { gate, cancels, ends, got } = open({}, false);
    gate.fromClient(cancelRequest(77, new Uint8Array(4)));
    expect(cancels).toEqual([77]);
    expect(ends[0]?.code).toBe("CANCEL_REQUEST");
    expect(got()).toEqual([]);
  });

  test("P8 wire-05 a server with other settings is not used", () => {
    for (const wrong of [{ client_encoding: "SQL_ASCII" }, { standard_conforming_strings: "off" }]) {
      const { gate, got, ends } = open({}, false);
      gate.fromClient(startup.slice());
      gate.opened({ parameters: { ...parameters, ...wrong }, serverVersion: 180004 });
      expect(got()).toEqual(["E 08P01"]);
      expect(ends[0]?.code).toBe("PINNED_SETTING_WRONG");
    }
  });

  test("bytes before the greeting are bounded", () => {
    const { gate, ends } = open({}, false);
    gate.fromClient(startup.slice());
    for (let i = 0; i < 40 && ends.length === 0; i++) gate.fromClient(new Uint8Array(1024));
    expect(ends[0]?.code).toBe("CLIENT_BUFFER_FULL");
  });
});

describe("every statement is decided", () => {
  test("allowed as it is: the same bytes, recorded first", () => {
    const order: string[] = [];
    const { gate } = open({
      host: {
        toClient: () => {},
        toServer: () => order.push("bytes"),
        record: (event) => order.push(event.t),
        end: () => {},
      },
    });
    gate.fromClient(queryMessage("select 1"));
    expect(order).toEqual(["statement", "bytes"]);
  });

  test("P8 wire-07 NUL, bad UTF-8: refused in order, the session lives", () => {
    const { say, ran, events } = withServer();
    const bad = (body: number[]) => Uint8Array.of(Frontend.Query, 0, 0, 0, body.length + 4, ...body);
    expect(say(bad([0x61, 0, 0x62, 0]))).toEqual(["E 08P01", "ZI"]);
    expect(say(bad([0xff, 0]))).toEqual(["E 22021", "ZI"]);
    expect(say(bad([]))).toEqual(["E 08P01", "ZI"]);
    expect(say(queryMessage("rows 1"))).toEqual(["T", "D", "C SELECT 1", "ZI"]);
    expect(ran).toEqual(["rows 1"]);
    const reasons = events.flatMap((event) => (event.t === "statement" ? [event.decision.reason] : []));
    expect(reasons).toEqual(["MESSAGE_MALFORMED", "ENCODING_INVALID", "MESSAGE_MALFORMED", "ALLOWED"]);
  });

  test("wire-19 an over-long statement is refused in order and never held", () => {
    const { say, gate, ran, events } = withServer();
    const long = queryMessage("x".repeat(10 * 1024 * 1024));
    for (let at = 0; at < long.length; at += 65536) {
      gate.fromClient(long.slice(at, at + 65536));
      expect(gate.bufferedFromClient).toBeLessThan(70_000);
    }
    expect(say(queryMessage("rows 1"))).toEqual(["E 54000", "ZI", "T", "D", "C SELECT 1", "ZI"]);
    expect(say(parseMessage("", "y".repeat(2_000_000)), bindMessage({}), executeMessage(), sync)).toEqual([
      "E 54000",
      "ZI",
    ]);
    expect(
      say(parseMessage("", "rows 1"), bindMessage({ parameters: [new Uint8Array(2_000_000)] }), sync),
    ).toEqual(["1", "E 54000", "ZI"]);
    expect(ran).toEqual(["rows 1"]);
    expect(events.filter((event) => event.t === "statement").map((event) => event.text.length)).toEqual([
      1024, 6, 1023, 0,
    ]);
  });

  test("a decider that throws denies", () => {
    const { say, ran } = withServer({
      decider: {
        decide() {
          throw new RangeError("stack");
        },
      },
    });
    expect(say(queryMessage("rows 1"))).toEqual(["E XX000", "ZI"]);
    expect(ran).toEqual([]);
  });

  test("P9 wire-09 names that were not made here are refused in order, and the rest up to Sync with them", () => {
    const { say, ran } = withServer();
    expect(
      say(parseMessage("", "rows 1"), bindMessage({ statement: "pooled" }), executeMessage(), sync),
    ).toEqual(["1", "E 26000", "ZI"]);
    expect(say(describeMessage("statement", "pooled"), sync)).toEqual(["E 26000", "ZI"]);
    expect(say(executeMessage("pooled"), executeMessage("pooled"), sync)).toEqual(["E 34000", "ZI"]);
    expect(say(describeMessage("portal", "pooled"), sync)).toEqual(["E 34000", "ZI"]);
    expect(say(closeMessage("portal", "pooled"), sync)).toEqual(["3", "ZI"]);
    expect(ran).toEqual([]);
  });

  test("P9 PREPARE in SQL under a name of ours is another statement: Bind is refused", () => {
    const { say } = withServer();
    say(parseMessage("a", "rows 1"), sync, queryMessage("deallocate a"), queryMessage("prepare a as rows 2"));
    expect(say(bindMessage({ statement: "a" }), sync)).toEqual(["E 26000", "ZI"]);
    say(queryMessage("begin"), parseMessage("", "rows 3"), bindMessage({ portal: "c" }), sync);
    say(queryMessage("declare c cursor for rows 1"));
    expect(say(executeMessage("c"), sync)).toEqual(["E 34000", "ZE"]);
  });

  test("P10 wire-11 the grant is asked again at Query, Parse, Bind and Execute", () => {
    let ended = false;
    const { say, ran } = withServer({
      permit: () => (ended ? { code: "GRANT_REVOKED", message: "revoked" } : null),
    });
    say(
      queryMessage("begin"),
      parseMessage("a", "rows 9"),
      bindMessage({ portal: "p", statement: "a" }),
      executeMessage("p", 1),
      sync,
    );
    ended = true;
    for (const message of [
      parseMessage("", "rows 1"),
      bindMessage({ statement: "a" }),
      executeMessage("p", 1),
    ]) {
      expect(say(message, sync)).toEqual(["E 42501", "ZE"]);
    }
    expect(say(queryMessage("rows 1"))).toEqual(["E 42501", "ZE"]);
    expect(ran).toEqual(["begin", "rows 9"]);
  });

  test("P11 the function call protocol is refused, in order", () => {
    const { say, ran } = withServer();
    const call = Uint8Array.of(Frontend.FunctionCall, 0, 0, 0, 14, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0);
    expect(say(call, queryMessage("rows 1"))).toEqual(["E 42501", "ZI", "T", "D", "C SELECT 1", "ZI"]);
    expect(ran).toEqual(["rows 1"]);
  });

  test("P12 wire-17 COPY data that was not asked for ends the session", () => {
    for (const message of [
      copyDataMessage(Uint8Array.of(1)),
      bareMessage(Frontend.CopyDone),
      copyFailMessage("x"),
    ]) {
      const { send, got, ends, sent } = open();
      send(message);
      expect(got()).toEqual(["E 08P01"]);
      expect(ends[0]?.code).toBe("COPY_NOT_ALLOWED");
      expect(sent().length).toBe(0);
    }
  });

  test("P12 COPY in only when the decision says copyIn, and then in any pieces", () => {
    const copy = {
      ...allowing("copy in"),
      statements: [{ ...allowing("copy x from stdin").statements[0]! }],
    };
    const { say, ran } = withServer({ decider: scriptedDecider({ "copy in": copy }) });
    const data = copyDataMessage(new Uint8Array(5000));
    expect(
      say(queryMessage("copy in"), data, data, bareMessage(Frontend.CopyDone), queryMessage("rows 1")),
    ).toEqual(["G", "C COPY 1", "ZI", "T", "D", "C SELECT 1", "ZI"]);
    expect(say(queryMessage("copy in"), data, copyFailMessage("no"))).toEqual(["G", "E 57014", "ZI"]);
    expect(
      say(
        parseMessage("", "copy in"),
        bindMessage({}),
        executeMessage(),
        sync,
        data,
        bareMessage(Frontend.CopyDone),
        sync,
      ),
    ).toEqual(["1", "2", "G", "C COPY 1", "ZI"]);
    expect(ran).toEqual(["copy in", "rows 1", "copy in"]);
  });

  test("P12 a server that asks for COPY data, or speaks CopyBoth, out of turn ends the session", () => {
    for (const type of [Backend.CopyInResponse, Backend.CopyBothResponse, Backend.CopyOutResponse]) {
      const { send, reply, got, codes } = open();
      send(queryMessage("rows 1"));
      reply(server.copyResponse(type, 1));
      expect(got()).toEqual(["E 08P01"]);
      expect(codes()).toEqual(["TARGET_PROTOCOL"]);
    }
  });

  test("P5 wrong lengths and unknown types of a client end the session", () => {
    for (const bytes of [
      Uint8Array.of(0x51, 0, 0, 0, 3),
      Uint8Array.of(0x51, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x51, 0x7f, 0xff, 0xff, 0xff),
      Uint8Array.of(0x70, 0, 0, 0, 5, 0),
      Uint8Array.of(0x21, 0, 0, 0, 4),
      Uint8Array.of(0x45, 0x20, 0, 0, 0),
    ]) {
      const { send, got, ends, sent } = open();
      send(bytes);
      expect(got()).toEqual(["E 08P01"]);
      expect(ends[0]?.code).toBe("CLIENT_PROTOCOL");
      expect(sent().length).toBe(0);
    }
  });

  test("Terminate is passed on and ends the session; what follows it is not read", () => {
    const { send, sent, ends, events } = open();
    send(bareMessage(Frontend.Terminate), queryMessage("rows 1"));
    expect(words(sent())).toEqual(["X"]);
    expect(ends).toEqual([expect.objectContaining({ code: "CLIENT_TERMINATED" })]);
    expect(events.at(-1)).toMatchObject({ t: "end", code: "CLIENT_TERMINATED" });
  });
});

describe("holds", () => {
  const held = { ...allowing("rows 5"), effect: "hold" as const };
  const decider = () => scriptedDecider({ "rows 5": held });

  test("park in order, run what was parked, ask the grant again", () => {
    let ended = false;
    const { say, ran, holds, gate, pump, got } = withServer({
      decider: decider(),
      permit: () => (ended ? { code: "GRANT_EXPIRED", message: "expired" } : null),
    });
    expect(say(queryMessage("rows 5"), queryMessage("rows 1"))).toEqual([]);
    expect(gate.bufferedFromClient).toBeGreaterThan(0);
    expect(gate.idle).toBe(false);
    holds[0]!.notice("please wait");
    expect(got()).toEqual(["N please wait"]);
    expect(gate.resolveHold(99, { effect: "allow" })).toBe(false);
    expect(gate.resolveHold(holds[0]!.id, { effect: "allow" })).toBe(true);
    expect(gate.resolveHold(holds[0]!.id, { effect: "allow" })).toBe(false);
    pump();
    expect(got().filter((word) => word.startsWith("C"))).toEqual(["C SELECT 5", "C SELECT 1"]);
    say(queryMessage("rows 5"));
    ended = true;
    gate.resolveHold(holds[1]!.id, { effect: "allow" });
    pump();
    expect(got()).toEqual(["E 42501", "ZI"]);
    expect(ran).toEqual(["rows 5", "rows 1"]);
  });

  test("with parameters, at Bind; an error of an earlier statement ends the wait", () => {
    const { say, holds, gate, pump, got, events } = withServer({ decider: decider() });
    expect(
      say(parseMessage("", "rows 5"), bindMessage({ parameters: ["x", null] }), executeMessage(), sync),
    ).toEqual(["1"]);
    expect(holds[0]).toMatchObject({ params: ["x", null], text: "rows 5", protocol: "extended" });
    gate.resolveHold(holds[0]!.id, { effect: "deny", code: "APPROVAL_DENIED", message: "no" });
    pump();
    expect(got()).toEqual(["E 42501", "ZI"]);
    expect(
      say(
        parseMessage("f", "fail"),
        bindMessage({ statement: "f" }),
        parseMessage("", "rows 5"),
        executeMessage(),
        bindMessage({}),
        executeMessage(),
        sync,
      ),
    ).toEqual(["1", "2", "1", "E 22012", "ZI"]);
    expect(gate.idle).toBe(true);
    expect(events.filter((event) => event.t === "held").map((event) => event.verdict)).toEqual([
      "deny",
      "deny",
    ]);
  });

  test("without a host that can hold, it is a denial", () => {
    const { gate, got, sent } = open({
      decider: decider(),
      host: { toClient: () => {}, toServer: () => {}, record: () => {}, end: () => {} },
    });
    gate.fromClient(queryMessage("rows 5"));
    expect(gate.stats.denied).toBe(1);
    expect([got(), sent().length]).toEqual([[], 0]);
  });

  test("what waits behind a hold is bounded", () => {
    const { gate, ends, send } = open({ decider: decider() });
    send(queryMessage("rows 5"));
    for (let i = 0; i < 100 && ends.length === 0; i++) gate.fromClient(new Uint8Array(64 * 1024));
    expect(ends[0]?.code).toBe("CLIENT_BUFFER_FULL");
  });
});

describe("P20 a malicious server", () => {
  test.each<[string, Uint8Array]>([
    ["ReadyForQuery out of turn", server.readyForQuery(0x49)],
    ["a row out of turn", server.dataRow(["x"])],
    ["an authentication request", server.authenticationOk()],
    ["ErrorResponse out of turn", server.errorResponse({ S: "ERROR", C: "42601", M: "x" })],
    ["RowDescription out of turn", server.rowDescription([{ name: "x" }])],
    ["ParseComplete out of turn", bareMessage(Backend.ParseComplete)],
    ["a malformed ParameterStatus", Uint8Array.of(Backend.ParameterStatus, 0, 0, 0, 5, 65)],
    ["a huge CommandComplete", Uint8Array.of(Backend.CommandComplete, 0x10, 0, 0, 0)],
    ["a length lie", Uint8Array.of(Backend.DataRow, 0, 0, 0, 1)],
    ["an unknown type", Uint8Array.of(0x21, 0, 0, 0, 4)],
  ])("%s ends the session with an alarm", (_name, message) => {
    const { reply, got, codes, ends, gate } = open();
    reply(message);
    expect(got()).toEqual(["E 08P01"]);
    expect(codes()).toEqual(["TARGET_PROTOCOL"]);
    expect(ends).toHaveLength(1);
    expect(gate.bufferedFromServer).toBe(0);
  });

  test("rows before RowDescription, or in the extended protocol without a description", () => {
    const simple = open();
    simple.send(queryMessage("rows 1"));
    simple.reply(server.dataRow(["x"]));
    expect(simple.codes()).toEqual(["TARGET_PROTOCOL"]);
    const extended = open();
    extended.send(parseMessage("", "rows 1"), bindMessage({}), executeMessage(), sync);
    expect(words(extended.sent())).toEqual(["P", "B", "D", expect.stringMatching(/^E/), "S"]);
    extended.reply(
      bareMessage(Backend.ParseComplete),
      bareMessage(Backend.BindComplete),
      bareMessage(Backend.NoData),
      server.dataRow(["x"]),
    );
    expect(extended.codes()).toEqual(["TARGET_PROTOCOL"]);
  });

  test("success in place of the must-fail text", () => {
    const { send, reply, codes } = open();
    send(queryMessage("select secret"));
    reply(server.commandComplete("SELECT 0"));
    expect(codes()).toEqual(["TARGET_PROTOCOL"]);
  });

  test("an error without SQLSTATE, a fatal one, and a long one are bounded and passed on", () => {
    const { send, reply, got, ends, gotBytes } = open();
    send(queryMessage("rows 1"));
    reply(server.errorResponse({ M: "odd" }), server.readyForQuery(0x49));
    expect(got()).toEqual(["E XX000", "ZI"]);
    send(queryMessage("rows 1"));
    const long = server.errorResponse({ S: "ERROR", C: "22P02", M: "y".repeat(1_000_000) });
    for (let at = 0; at < long.length; at += 1000) reply(long.subarray(at, at + 1000));
    expect(gotBytes().length).toBeLessThan(70_000);
    reply(
      server.readyForQuery(0x49),
      server.errorResponse({ S: "FATAL", C: "57P01", M: "shutting down", D: "x" }),
    );
    expect(got()).toEqual(["ZI", "E 57P01"]);
    expect(ends[0]).toEqual({ code: "TARGET_ENDED", message: "shutting down", sqlstate: "57P01" });
  });

  test("P17 wire-15 notices and notifications are kept back, detail and the like stripped", () => {
    const { send, reply, got, gotBytes } = open();
    send(queryMessage("rows 1"));
    reply(
      server.noticeResponse({ S: "NOTICE", C: "00000", M: "leak" }),
      Uint8Array.of(Backend.NotificationResponse, 0, 0, 0, 12, 0, 0, 0, 1, 65, 0, 66, 0),
    );
    expect(got()).toEqual([]);
    reply(
      server.errorResponse({
        S: "ERROR",
        V: "ERROR",
        C: "23505",
        M: "dup",
        D: "Key (ssn)=(078-05)",
        W: "ctx",
        H: "hint",
        q: "select",
        n: "c",
      }),
    );
    expect({ ...server.decodeFields(gotBytes().subarray(5)) }).toEqual({
      S: "ERROR",
      V: "ERROR",
      C: "23505",
      M: "dup",
    });
  });

  test("wire-05 wire-13 ParameterStatus against a pin ends the session; harmless ones pass, unknown ones do not", () => {
    for (const [name, value] of [
      ["client_encoding", "LATIN1"],
      ["standard_conforming_strings", "off"],
      ["search_path", "evil"],
      ["session_authorization", "postgres"],
      ["default_transaction_read_only", "off"],
    ] as const) {
      const { reply, got, codes } = open();
      reply(
        server.parameterStatus("TimeZone", "UTC"),
        server.parameterStatus("other", "x"),
        server.parameterStatus(name, value),
      );
      expect(got()).toEqual(["S", "E 08P01"]);
      expect(codes()).toEqual(["PINNED_SETTING_CHANGED"]);
    }
  });

  test("the second wall: origins that the task hides never pass, in either protocol", () => {
    const task = openTask([
      selectRule("public", "t", { columns: ["id", "name"], mask: { name: { kind: "null" } } }),
    ]);
    const column = (name: string, number: number) => ({
      name,
      number,
      type: "text",
      typeOid: 25,
      category: "S",
      notNull: false,
      generated: false,
    });
    const catalog = {
      digest: "",
      serverVersion: 180004,
      database: "d",
      relations: [
        {
          oid: 20000,
          schema: "public",
          name: "t",
          kind: "r" as const,
          columns: [column("id", 1), column("name", 2), column("ssn", 3)],
          primaryKey: [],
        },
      ],
      foreignOperators: [],
      types: [],
      functions: [],
    } as unknown as NonNullable<GateOptions["catalog"]>;
    const origins: [number, number, boolean][] = [
      [0, 0, true],
      [20000, 1, true],
      [20000, 2, false],
      [20000, 3, false],
      [20000, 0, false],
      [20000, -1, false],
      [20001, 1, false],
      [1259, 1, true],
      [1260, 6, false],
      [0xffffffff, 1, false],
    ];
    for (const [tableOid, columnNumber, shown] of origins) {
      const description = server.rowDescription([{ name: "n" }, { name: "x", tableOid, columnNumber }]);
      const simple = open({ task, catalog });
      simple.send(queryMessage("rows 1"));
      simple.reply(description, server.dataRow(["a", "b"]));
      expect(simple.got()).toEqual(shown ? ["T", "D"] : ["E 08P01"]);
      expect(simple.codes()).toEqual(shown ? [] : ["MASK_BREACH"]);
      const extended = open({ task, catalog });
      extended.send(parseMessage("", "rows 1"), bindMessage({}), executeMessage(), sync);
      extended.reply(
        bareMessage(Backend.ParseComplete),
        bareMessage(Backend.BindComplete),
        description,
        server.dataRow(["a", "b"]),
      );
      expect(extended.got()).toEqual(shown ? ["1", "2", "D"] : ["1", "2", "E 08P01"]);
    }
  });
});

describe("limits", () => {
  test("rows: the last allowed one passes, the next one ends the session at a message boundary", () => {
    const { say, ends } = withServer({ task: openTask([], { rows: 3 }) });
    expect(say(queryMessage("rows 2"))).toEqual(["T", "D", "D", "C SELECT 2", "ZI"]);
    expect(say(queryMessage("rows 2"))).toEqual(["T", "D", "E 53400"]);
    expect(ends[0]?.code).toBe("LIMIT_ROWS");
  });

  test("statements: refused one by one, transactions still end", () => {
    const select = (text: string) => ({ ...allowing("select 1"), rewritten: text });
    const { say } = withServer({
      task: openTask([], { statements: 2 }),
      decider: scriptedDecider({ "rows 1": select("rows 1"), "rows 2": select("rows 2") }),
    });
    expect(
      say(
        queryMessage("begin"),
        queryMessage("rows 1"),
        parseMessage("", "rows 2"),
        bindMessage({}),
        executeMessage(),
        sync,
      ).at(-1),
    ).toBe("ZT");
    expect(say(queryMessage("rows 1"))).toEqual(["E 53400", "ZE"]);
    expect(say(queryMessage("commit"))).toEqual(["C COMMIT", "ZI"]);
  });

  test("bytes end the session", () => {
    const { say, ends } = withServer({ task: openTask([], { bytes: 200 }) });
    say(queryMessage("rows 1000"));
    expect(ends[0]?.code).toBe("LIMIT_BYTES");
  });

  test("finish tells the client why, at a message boundary only", () => {
    const reason = { code: "GRANT_REVOKED", message: "the grant was revoked", sqlstate: "57P01" };
    const idle = open();
    idle.gate.finish(reason);
    expect(idle.got()).toEqual(["E 57P01"]);
    expect(idle.ends).toEqual([reason]);
    const busy = open();
    busy.send(queryMessage("rows 1"));
    busy.reply(server.rowDescription([{ name: "n" }]), server.dataRow(["a long row"]).subarray(0, 9));
    busy.gotBytes();
    busy.gate.finish(reason);
    expect(busy.gotBytes().length).toBe(0);
    expect(busy.ends).toEqual([reason]);
  });
});

describe("whatever the client sends and however it is cut, it sees what it would see without the gate", () => {
  const texts = fc.constantFrom(
    "rows 2",
    "rows 0",
    "fail",
    "bad",
    "begin",
    "commit",
    "",
    "copy out",
    "thing",
    "rows 1; fail; rows 1",
    "rows 1; thing",
  );
  const names = fc.constantFrom("", "a", "b");
  const target = fc.constantFrom("statement" as const, "portal" as const);
  const message = fc.oneof(
    { weight: 3, arbitrary: texts.map(queryMessage) },
    { weight: 5, arbitrary: fc.tuple(names, texts).map(([name, text]) => parseMessage(name, text)) },
    {
      weight: 5,
      arbitrary: fc.tuple(names, names).map(([portal, statement]) => bindMessage({ portal, statement })),
    },
    { weight: 2, arbitrary: fc.tuple(target, names).map(([kind, name]) => describeMessage(kind, name)) },
    { weight: 2, arbitrary: fc.tuple(target, names).map(([kind, name]) => closeMessage(kind, name)) },
    { weight: 5, arbitrary: fc.tuple(names, fc.nat(2)).map(([name, limit]) => executeMessage(name, limit)) },
    { weight: 4, arbitrary: fc.constant(sync) },
    { weight: 1, arbitrary: fc.constant(bareMessage(Frontend.Flush)) },
  );

  /** All that a server without a gate answers. */
  function direct(messages: readonly Uint8Array[]): { words: string[]; ran: string[] } {
    const out: Uint8Array[] = [];
    const fake = new FakePostgres((bytes) => out.push(bytes));
    for (const one of messages) fake.push(one);
    return { words: words(concat([...out, new Uint8Array(0)])), ran: fake.ran };
  }

  /** The same through the gate, with chunks and turns drawn from `turns`. */
  function through(
    messages: readonly Uint8Array[],
    turns: readonly number[],
    more: Partial<GateOptions> = {},
  ) {
    const one = open(more);
    const fromFake: Uint8Array[] = [];
    const fake = new FakePostgres((bytes) => fromFake.push(bytes));
    let toGate = concat([...messages, new Uint8Array(0)]);
    let toFake = new Uint8Array(0);
    let toClient = new Uint8Array(0);
    let turn = 0;
    const size = () => (turns.length === 0 ? 50 : 1 + (turns[turn++ % turns.length]! % 60));
    for (let idle = 0; idle < 3; ) {
      idle += 1;
      if (toGate.length > 0) {
        const n = size();
        one.gate.fromClient(toGate.slice(0, n));
        toGate = toGate.slice(n);
        idle = 0;
      }
      toFake = concat([toFake, one.sent()]).slice();
      if (toFake.length > 0 && (size() > 25 || toGate.length === 0)) {
        const n = size();
        fake.push(toFake.slice(0, n));
        toFake = toFake.slice(n);
        idle = 0;
      }
      toClient = concat([toClient, ...fromFake.splice(0)]).slice();
      if (toClient.length > 0 && (size() > 25 || toFake.length === 0)) {
        const n = size();
        one.gate.fromServer(toClient.slice(0, n));
        toClient = toClient.slice(n);
        idle = 0;
      }
    }
    return { ...one, words: one.got(), ran: fake.ran };
  }

  test("all allowed", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const messages = [...some, sync, queryMessage("rows 1")];
          const expected = direct(messages);
          const seen = through(messages, turns);
          expect(seen.ends).toEqual([]);
          expect(seen.words).toEqual(expected.words);
          expect(seen.ran).toEqual(expected.ran);
          expect(seen.gate.idle).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("some denied: as if those texts were texts that do not parse, and none of them runs", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const messages = [...some, sync, queryMessage("rows 1")];
          const denied = ["rows 2", "thing", "rows 1; thing"];
          const swapped = messages.map((one) => {
            const bytes = [...one];
            const replace = (text: string) => {
              const found = new TextDecoder("latin1").decode(one);
              if (one[0] === Frontend.Query && found.slice(5, -1) === text) return queryMessage("wicketgate");
              if (one[0] === Frontend.Parse) {
                const name = found.slice(5, found.indexOf("\0", 5));
                if (found.slice(5 + name.length + 1, -3) === text) return parseMessage(name, "wicketgate");
              }
              return null;
            };
            return denied.map(replace).find((other) => other !== null) ?? Uint8Array.from(bytes);
          });
          const decider = {
            decide: (text: string) =>
              denied.includes(text)
                ? { ...allowing(text), effect: "deny" as const, sqlstate: "42601", rewritten: null }
                : allowing(text),
          };
          const expected = direct(swapped);
          const seen = through(messages, turns, { decider });
          expect(seen.words).toEqual(expected.words);
          expect(seen.ran).toEqual(expected.ran);
          for (const text of denied) expect(seen.ran).not.toContain(text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("P5 garbage from either side never throws, and the session ends or waits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 60 })), { maxLength: 10 }),
        (pieces) => {
          const { gate } = open();
          for (const [client, bytes] of pieces)
            client ? gate.fromClient(bytes.slice()) : gate.fromServer(bytes.slice());
        },
      ),
    );
  });

  test("what ran was recorded before, each outcome belongs to its statement, and events are plain JSON", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const { events, ran } = through([...some, sync], turns);
          const texts = events.flatMap((event) => (event.t === "statement" ? [event.text] : []));
          expect(events.flatMap((event) => (event.t === "statement" ? [event.n] : []))).toEqual(
            texts.map((_, i) => i + 1),
          );
          const parts = new Set(
            texts.flatMap((text) => [text, ...text.split(";").map((part) => part.trim())]),
          );
          for (const text of ran) expect(parts.has(text)).toBe(true);
          for (const event of events) {
            if (event.t !== "outcome" || !event.ok || event.tag === "SKIPPED") continue;
            const text = texts[event.n - 1]!;
            if (text.startsWith("rows") && !text.includes(";"))
              expect(event.tag).toMatch(/^SELECT|^SUSPENDED/);
            if (["thing", "begin", "commit"].includes(text)) expect(event.tag).toBe(text.toUpperCase());
          }
          expect(JSON.parse(JSON.stringify(events))).toEqual(events);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
