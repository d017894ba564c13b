import { describe, expect, test } from "vitest";
import { open, sync, withServer, words } from "../../test/support/gate-harness.ts";
import { openTask } from "../../test/support/open-task.ts";
import { allowing, scriptedDecider } from "../../test/support/scripted-decider.ts";
import * as server from "../../wire/postgres/backend.ts";
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
