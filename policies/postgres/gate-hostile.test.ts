import { describe, expect, test } from "vitest";
import { open, sync, words } from "../../test/support/gate-harness.ts";
import { openTask, selectRule } from "../../test/support/open-task.ts";
import * as server from "../../wire/postgres/backend.ts";
import {
  bareMessage,
  bindMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Backend } from "../../wire/postgres/messages.ts";
import type { GateOptions } from "./gate.ts";

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

  test("P17 a notification is shown of a channel that the session asked for, bounded, counted, of no process", () => {
    const task = { ...openTask(), limits: { ...openTask().limits, bytes: 9000 } };
    const { send, reply, got, gotBytes, ends } = open({ task });
    const notification = (channel: string, payload: string) =>
      server.notificationResponse(4711, channel, payload);
    reply(notification("jobs", "before"));
    send(queryMessage("listen jobs"));
    reply(server.commandComplete("LISTEN"), server.readyForQuery(0x49));
    expect(got()).toEqual(["C LISTEN", "ZI"]);
    reply(
      notification("job", "another"),
      notification("jobs", "x".repeat(9000)),
      Uint8Array.of(Backend.NotificationResponse, 0, 0, 0, 12, 0, 0, 0, 1, 65, 0, 66, 67),
    );
    expect(got()).toEqual([]);
    reply(notification("jobs", "done"));
    expect(gotBytes()).toEqual(server.notificationResponse(0, "jobs", "done"));
    reply(notification("jobs", "y".repeat(5000)), notification("jobs", "y".repeat(5000)));
    expect(ends).toMatchObject([{ code: "LIMIT_BYTES" }]);
  });

  test("wire-05 wire-13 ParameterStatus against a pin ends the session; harmless ones pass, unknown ones do not", () => {
    for (const [name, value] of [
      ["client_encoding", "LATIN1"],
      ["standard_conforming_strings", "off"],
      ["search_path", "evil"],
      ["search_path", "public, pg_temp, evil"],
      ["search_path", 'public, "pg_temp"'],
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
      [20000, -1, true],
      [20000, -6, true],
      [20000, -7, false],
      [20001, 1, false],
      [20001, -1, false],
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
