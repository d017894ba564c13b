import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ConnectorControl,
  type EdgeControl,
  encodeConnectorControl,
  parseConnectorControl,
  parseEdgeControl,
} from "./control.ts";
import {
  encodeControl,
  FramedSender,
  INITIAL_WINDOW,
  joinFrame,
  MAX_CONTROL_FRAME,
  MAX_DATA_FRAME,
  MAX_JOINED_RECORDS,
  parseClientToEdge,
  parseConnectorToEdge,
  parseEdgeToClient,
  parseEdgeToConnector,
  ReceiveWindow,
  RelayWindow,
  recordLines,
  SendWindow,
  splitFrame,
} from "./tunnel.ts";

describe("control messages of a session", () => {
  test("records travel alone or a line each, and come out as they went in", () => {
    const utf8 = (text: string) => new TextEncoder().encode(text);
    const line = (text: string) => encodeControl({ t: "record", event: { t: "statement", text } });
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 5 }), (texts) => {
        const lines = texts.map(line);
        expect(recordLines(utf8(lines.join("\n")))).toEqual(lines.map(utf8));
      }),
    );
    for (const other of [
      "",
      "\n",
      encodeControl({ t: "cancel" }),
      `${line("a")}\n${encodeControl({ t: "cancel" })}`,
      `${line("a")}\n\n${line("b")}`,
      line("a").slice(0, -2),
    ]) {
      expect(recordLines(utf8(other)), other).toBeNull();
    }
  });

  test("records and the data after them travel as one message, and cut at any byte it is none, or less data", () => {
    const utf8 = (text: string) => new TextEncoder().encode(text);
    const line = (text: string) => encodeControl({ t: "record", event: { t: "statement", text } });
    const data = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }), data, (texts, bytes) => {
        const lines = texts.map(line);
        const frame = joinFrame(lines.map(utf8), bytes);
        expect(splitFrame(frame)).toEqual({ records: lines.map(utf8), data: bytes });
        for (let length = 0; length < frame.length; length++) {
          const cut = splitFrame(frame.slice(0, length));
          const room = 4 + utf8(lines.join("\n")).length;
          expect(cut).toEqual(
            length < room ? null : { records: lines.map(utf8), data: bytes.slice(0, length - room) },
          );
        }
      }),
    );
    expect(splitFrame(joinFrame([utf8(encodeControl({ t: "cancel" }))], utf8("x")))).toBeNull();
    expect(splitFrame(joinFrame([], new Uint8Array(MAX_DATA_FRAME)))).not.toBeNull();
    expect(splitFrame(joinFrame([], new Uint8Array(MAX_DATA_FRAME + 1)))).toBeNull();
    expect(splitFrame(joinFrame([utf8(line("x".repeat(MAX_JOINED_RECORDS)))], utf8("x")))).toBeNull();
  });

  test("each is read by the side that it is for", () => {
    const session = {
      t: "session" as const,
      id: "s1",
      cancel: { processId: -7, secretKey: "0011223344" },
      expires: 1_700_000_000_000,
    };
    expect(parseEdgeToClient(encodeControl(session))).toEqual({ ok: true, message: session });
    expect(parseClientToEdge(encodeControl(session))).toMatchObject({ ok: false, code: "CONTROL_UNKNOWN" });
    const opened = {
      t: "opened" as const,
      parameters: { a: "b" },
      serverVersion: 180004,
      catalog: { digest: "x" },
    };
    expect(parseConnectorToEdge(encodeControl(opened))).toEqual({ ok: true, message: opened });
    expect(parseEdgeToConnector(encodeControl(opened))).toMatchObject({ ok: false, code: "CONTROL_UNKNOWN" });
    const record = { t: "record" as const, event: { t: "statement", n: 1 } };
    expect(parseEdgeToConnector(encodeControl(record))).toEqual({ ok: true, message: record });
    for (const parse of [parseClientToEdge, parseEdgeToClient, parseConnectorToEdge, parseEdgeToConnector]) {
      for (const message of [
        { t: "credit" as const, bytes: 5 },
        { t: "eof" as const },
        { t: "reset" as const, code: "GRANT_REVOKED", message: "revoked" },
      ]) {
        expect(parse(encodeControl(message))).toEqual({ ok: true, message });
      }
    }
  });

  test("what is not valid has a code, and unknown fields are dropped", () => {
    const code = (text: string) => {
      const parsed = parseClientToEdge(text);
      return parsed.ok ? parsed.message : parsed.code;
    };
    expect(code("{")).toBe("CONTROL_MALFORMED");
    expect(code("[]")).toBe("CONTROL_MALFORMED");
    expect(code("null")).toBe("CONTROL_MALFORMED");
    expect(code('{"t":5}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"new"}')).toBe("CONTROL_UNKNOWN");
    expect(code('{"t":"credit"}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"credit","bytes":-1}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"credit","bytes":0}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"credit","bytes":1e300}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"reset","code":"lower","message":""}')).toBe("CONTROL_MALFORMED");
    expect(code('{"t":"eof","extra":1}')).toEqual({ t: "eof" });
    expect(code(`"${"x".repeat(MAX_CONTROL_FRAME)}"`)).toBe("CONTROL_TOO_LARGE");
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => void code(text)));
  });
});

describe("control messages of a connector", () => {
  const dial: EdgeControl = {
    v: 1,
    t: "dial",
    session: "s1",
    ticket: "0123456789abcdef",
    resource: "orders-db",
    url: "/connector/sessions/s1",
    task: {
      name: "t",
      digest: "a".repeat(64),
      readOnly: true,
      relations: [{ schema: "public", name: "orders" }],
      functions: [],
    },
    options: { search_path: "public, pg_temp" },
    user: { application_name: "wicket s1" },
    recording: { level: "full", onFailure: "terminate", durability: "batched" },
    deadline: 1_700_000_000_000,
  };

  test("are read by the side that they are for", () => {
    expect(parseEdgeControl(encodeConnectorControl(dial))).toEqual({ ok: true, message: dial });
    for (const message of [
      { v: 1, t: "drain" },
      { v: 1, t: "kill", session: "s" },
    ] as const)
      expect(parseEdgeControl(encodeConnectorControl(message))).toEqual({ ok: true, message });
    expect(parseEdgeControl('{"v":1,"t":"welcome","name":"demo"}')).toEqual({
      ok: true,
      message: { v: 1, t: "welcome", name: "demo", heartbeatMs: 20_000 },
    });
    const failed = { v: 1, t: "dial_failed", session: "s1", code: "TARGET_TLS", message: "no" } as const;
    expect(parseConnectorControl(encodeConnectorControl(failed))).toEqual({ ok: true, message: failed });
    const hello = {
      v: 1,
      t: "hello",
      name: "demo",
      version: "0.1.0",
      resources: ["orders-db"],
    } satisfies ConnectorControl;
    expect(parseConnectorControl(encodeConnectorControl(hello))).toEqual({ ok: true, message: hello });
    expect(parseConnectorControl(encodeConnectorControl(dial))).toMatchObject({
      ok: false,
      code: "CONTROL_UNKNOWN",
    });
  });

  test("another version is named as such, and a dial leads only to the edge's own sessions", () => {
    expect(parseEdgeControl('{"v":2,"t":"drain"}')).toMatchObject({ ok: false, code: "CONTROL_VERSION" });
    expect(parseEdgeControl('{"t":"drain"}')).toMatchObject({ ok: false, code: "CONTROL_VERSION" });
    for (const url of [
      "https://elsewhere/",
      "//elsewhere/x",
      "/connector/sessions/a/b",
      "/connector/sessions/a?b",
      "/x",
    ]) {
      expect(parseEdgeControl(JSON.stringify({ ...dial, url }))).toMatchObject({
        ok: false,
        code: "CONTROL_MALFORMED",
      });
    }
  });
});

describe("credit windows", () => {
  test("C8 a receiver sees who sends more than it may, and a sender who grants more than it got", () => {
    const receive = new ReceiveWindow(100);
    expect(receive.received(100)).toBe(false);
    expect(receive.drained(49)).toBe(0);
    expect(receive.drained(1)).toBe(50);
    expect(receive.received(50)).toBe(false);
    expect(receive.held).toBe(100);
    expect(receive.received(1)).toBe(true);
    const send = new SendWindow(100);
    expect(send.take(150)).toBe(100);
    expect(send.take(1)).toBe(0);
    expect(send.grant(60)).toBe(true);
    expect(send.grant(41)).toBe(false);
    expect(send.grant(-1)).toBe(false);
    expect(send.grant(0.5)).toBe(false);
    expect([send.available, send.unacknowledged]).toEqual([60, 40]);
  });

  test("FramedSender keeps order, frames of 64 KiB at most, and the window", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant("control" as const)), {
          maxLength: 30,
        }),
        fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 100 }),
        (items, grants) => {
          const out: (Uint8Array | string)[] = [];
          let outstanding = 0;
          const sender = new FramedSender(
            (message) => {
              out.push(message);
              if (typeof message !== "string") {
                outstanding += message.length;
                expect(message.length).toBeLessThanOrEqual(32);
              }
              expect(outstanding).toBeLessThanOrEqual(100);
            },
            new SendWindow(100),
            32,
          );
          let value = 0;
          const expected: (number | string)[] = [];
          for (const [i, item] of items.entries()) {
            if (item === "control") {
              expected.push(`c${i}`);
              sender.control(`c${i}`);
              continue;
            }
            const bytes = Uint8Array.from({ length: item }, () => value++ % 251);
            expected.push(...bytes);
            sender.data(bytes);
          }
          for (const grant of [...grants, ...Array.from({ length: 200 }, () => 100)]) {
            const bytes = Math.min(grant, outstanding);
            outstanding -= bytes;
            expect(sender.grant(bytes)).toBe(true);
          }
          expect(
            out.flatMap<string | number>((message) =>
              typeof message === "string" ? [message] : [...message],
            ),
          ).toEqual(expected);
          expect(sender.queued).toBe(0);
        },
      ),
    );
  });

  test("RelayWindow bounds what is under way, and never starves: any mix of speeds moves every byte", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 500, max: MAX_DATA_FRAME }), fc.nat(400_000), fc.boolean()), {
          minLength: 1,
          maxLength: 60,
        }),
        fc.integer({ min: 0, max: 300_000 }),
        (turns, keptInGate) => {
          const source = new SendWindow();
          const relay = new RelayWindow();
          const sink = new ReceiveWindow();
          let atSink = 0;
          let inGate = 0;
          let moved = 0;
          const total = 5_000_000;
          let read = 0;
          // `level` as the edge sees it: what the client has not acknowledged, and what the gate keeps.
          let unacknowledged = 0;
          for (let turn = 0; read < total; turn++) {
            expect(turn).toBeLessThan(100_000);
            const [frame, drain, hold] = turns[turn % turns.length]!;
            const sent = Math.min(source.take(frame), total - moved);
            moved += sent;
            if (sent > 0) expect(relay.received(sent)).toBe(false);
            inGate += sent;
            // The gate may keep a message that is not complete, up to its cap.
            const keep = hold && moved < total ? Math.min(inGate, keptInGate) : 0;
            const pass = inGate - keep;
            inGate = keep;
            unacknowledged += pass;
            expect(sink.received(pass)).toBe(false);
            atSink += pass;
            expect(unacknowledged + inGate + relay.outstanding).toBeLessThanOrEqual(INITIAL_WINDOW);
            const drained = Math.min(atSink, turn > 5000 ? INITIAL_WINDOW : drain);
            atSink -= drained;
            read += drained;
            const granted = sink.drained(drained);
            unacknowledged -= granted;
            const credit = relay.settle(unacknowledged + inGate);
            if (credit > 0) expect(source.grant(credit)).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
