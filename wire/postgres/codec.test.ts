import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as backend from "./backend.ts";
import * as frontend from "./frontend.ts";
import { cancelRequest, gssRequest, readStartupPacket, sslRequest, startupMessage } from "./startup.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((one) => one.replaceAll("\0", ""));
const bytes = fc.uint8Array({ maxLength: 40 });
const oid = fc.integer({ min: 0, max: 0xffffffff });
const int16 = fc.integer({ min: -32768, max: 32767 });
const body = (message: Uint8Array) => message.subarray(5);

/** A decoder of exact bodies must refuse every prefix, and never throw on anything. */
function strict(
  decode: (body: Uint8Array) => unknown,
  refused: (result: unknown) => boolean,
  whole: Uint8Array,
): void {
  for (let length = 0; length < whole.length; length++)
    expect(refused(decode(whole.slice(0, length)))).toBe(true);
  expect(refused(decode(Uint8Array.of(...whole, 1)))).toBe(true);
}
const notOk = (result: unknown) => (result as { ok: boolean }).ok === false;
const isNull = (result: unknown) => result === null;

describe("messages of a client", () => {
  test("Query", () => {
    fc.assert(
      fc.property(text, (query) => {
        const message = body(frontend.queryMessage(query));
        expect(frontend.decodeQuery(message)).toEqual({ ok: true, message: { text: query } });
        strict(frontend.decodeQuery, notOk, message);
      }),
    );
  });

  test("wire-07 a text with a NUL inside, or not UTF-8, is malformed", () => {
    expect(frontend.decodeQuery(Uint8Array.of(0x61, 0, 0x62, 0))).toEqual({
      ok: false,
      malformed: "EMBEDDED_NUL",
    });
    expect(frontend.decodeQuery(Uint8Array.of(0xff, 0))).toEqual({ ok: false, malformed: "NOT_UTF8" });
    expect(frontend.decodeQuery(Uint8Array.of(0xed, 0xa0, 0x80, 0))).toEqual({
      ok: false,
      malformed: "NOT_UTF8",
    });
    expect(frontend.decodeParse(Uint8Array.of(0, 0x61, 0, 0x62, 0, 0, 0)).ok).toBe(false);
    expect(frontend.decodeParse(Uint8Array.of(0, 0xc0, 0x80, 0, 0, 0))).toEqual({
      ok: false,
      malformed: "NOT_UTF8",
    });
  });

  test("Parse", () => {
    fc.assert(
      fc.property(text, text, fc.array(oid, { maxLength: 4 }), (name, query, parameterTypes) => {
        const message = body(frontend.parseMessage(name, query, parameterTypes));
        expect(frontend.decodeParse(message)).toEqual({
          ok: true,
          message: { name, text: query, parameterTypes },
        });
        strict(frontend.decodeParse, notOk, message);
      }),
    );
  });

  test("Bind", () => {
    const formats = fc.constantFrom(0, 1);
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(fc.option(bytes), { maxLength: 4 }),
        fc.constantFrom("none", "one", "each"),
        formats,
        fc.array(formats, { maxLength: 3 }),
        (portal, statement, parameters, how, format, resultFormats) => {
          const parameterFormats =
            how === "none" ? [] : how === "one" ? [format] : parameters.map(() => format);
          const message = body(
            frontend.bindMessage({ portal, statement, parameters, parameterFormats, resultFormats }),
          );
          const decoded = frontend.decodeBind(message);
          expect(
            decoded.ok && {
              ...decoded.message,
              parameters: decoded.message.parameters.map((p) => p && [...p]),
            },
          ).toEqual({
            portal,
            statement,
            parameterFormats,
            parameters: parameters.map((p) => p && [...p]),
            resultFormats,
          });
          strict(frontend.decodeBind, notOk, message);
        },
      ),
    );
  });

  test("Bind with lengths that lie", () => {
    const head = [0, 0, 0, 0, 0, 1];
    expect(frontend.decodeBind(Uint8Array.of(...head, 0xff, 0xff, 0xff, 0xfe, 0, 0)).ok).toBe(false);
    expect(frontend.decodeBind(Uint8Array.of(...head, 0x7f, 0xff, 0xff, 0xff, 0, 0)).ok).toBe(false);
    expect(frontend.decodeBind(Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)).ok).toBe(false);
    expect(frontend.decodeBind(Uint8Array.of(0, 0, 0, 1, 0, 2, 0, 0, 0, 0)).ok).toBe(false);
  });

  test("Describe, Close and Execute", () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom("statement" as const, "portal" as const),
        fc.nat(),
        (name, target, maxRows) => {
          const describe = body(frontend.describeMessage(target, name));
          expect(frontend.decodeTarget(describe)).toEqual({ ok: true, message: { target, name } });
          expect(body(frontend.closeMessage(target, name))).toEqual(describe);
          strict(frontend.decodeTarget, notOk, describe);
          const execute = body(frontend.executeMessage(name, maxRows));
          expect(frontend.decodeExecute(execute)).toEqual({ ok: true, message: { portal: name, maxRows } });
          strict(frontend.decodeExecute, notOk, execute);
        },
      ),
    );
    expect(frontend.decodeTarget(Uint8Array.of(0x58, 0)).ok).toBe(false);
  });

  test("parameters as text", () => {
    const decoded = frontend.decodeBind(
      body(
        frontend.bindMessage({ parameterFormats: [0, 1, 0], parameters: ["ü", Uint8Array.of(1, 255), null] }),
      ),
    );
    expect(decoded.ok && frontend.bindTexts(decoded.message)).toEqual(["ü", "\\x01ff", null]);
  });
});

describe("messages of a server", () => {
  test("RowDescription", () => {
    const field = fc.record({
      name: text,
      tableOid: oid,
      columnNumber: int16,
      typeOid: oid,
      typeSize: int16,
      typeModifier: fc.integer(),
      format: fc.constantFrom(0, 1),
    });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 4 }), (fields) => {
        const message = body(backend.rowDescription(fields));
        expect(backend.decodeRowDescription(message)).toEqual(fields);
        strict(backend.decodeRowDescription, isNull, message);
      }),
    );
  });

  test("DataRow", () => {
    fc.assert(
      fc.property(fc.array(fc.option(bytes), { maxLength: 5 }), (values) => {
        const message = body(backend.dataRow(values));
        expect(backend.decodeDataRow(message)?.map((value) => value && [...value])).toEqual(
          values.map((value) => value && [...value]),
        );
        strict(backend.decodeDataRow, isNull, message);
      }),
    );
    const row = backend.decodeDataRow(body(backend.dataRow(["ü", Uint8Array.of(0xff), null])));
    expect(backend.rowTexts(row!)).toEqual(["ü", "\\xff", null]);
  });

  test("ParameterStatus, CommandComplete, ParameterDescription", () => {
    fc.assert(
      fc.property(text, text, fc.array(oid, { maxLength: 4 }), (name, value, types) => {
        const status = body(backend.parameterStatus(name, value));
        expect(backend.decodeParameterStatus(status)).toEqual({ name, value });
        strict(backend.decodeParameterStatus, isNull, status);
        const complete = body(backend.commandComplete(value));
        expect(backend.decodeCommandComplete(complete)).toBe(value);
        strict(backend.decodeCommandComplete, isNull, complete);
        const described = body(backend.parameterDescription(types));
        expect(backend.decodeParameterDescription(described)).toEqual(types);
        strict(backend.decodeParameterDescription, isNull, described);
      }),
    );
  });

  test("P20 ErrorResponse, also cut off, without SQLSTATE, or of garbage", () => {
    const fields = { S: "ERROR", V: "ERROR", C: "42P01", M: "relation ü", P: "8", R: "x" };
    const message = body(backend.errorResponse(fields));
    expect({ ...backend.decodeFields(message) }).toEqual(fields);
    for (let length = 0; length < message.length; length++) backend.decodeFields(message.slice(0, length));
    expect({ ...backend.decodeFields(Uint8Array.of(0x4d, 0x61)) }).toEqual({ M: "a" });
    expect({ ...backend.decodeFields(new Uint8Array(0)) }).toEqual({});
  });

  test("no decoder throws, whatever the bytes", () => {
    const decoders = [
      frontend.decodeQuery,
      frontend.decodeParse,
      frontend.decodeBind,
      frontend.decodeTarget,
      frontend.decodeExecute,
      backend.decodeFields,
      backend.decodeRowDescription,
      backend.decodeDataRow,
      backend.decodeParameterStatus,
      backend.decodeCommandComplete,
      backend.decodeParameterDescription,
      readStartupPacket,
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        for (const decode of decoders) decode(garbage);
      }),
    );
  });
});

describe("start-up packets", () => {
  const packets = [
    sslRequest(),
    gssRequest(),
    cancelRequest(-5, Uint8Array.of(1, 2, 3, 4)),
    cancelRequest(7, new Uint8Array(32).fill(9)),
    startupMessage({ user: "ü", database: "d", "_pq_.x": "" }, 2),
    startupMessage({}),
  ];

  test("P6 are read, and not before they are complete", () => {
    for (const packet of packets) {
      const longer = Uint8Array.of(...packet, 1, 2);
      for (let length = 0; length < packet.length; length++) {
        const read = readStartupPacket(longer.subarray(0, length));
        expect(read.ok && read.packet).toBe(null);
      }
      const read = readStartupPacket(longer);
      expect(read.ok && read.packet !== null && read.size).toBe(packet.length);
    }
    expect(readStartupPacket(packets[4]!)).toMatchObject({
      packet: {
        kind: "startup",
        major: 3,
        minor: 2,
        parameters: [
          ["user", "ü"],
          ["database", "d"],
          ["_pq_.x", ""],
        ],
      },
    });
    expect(readStartupPacket(packets[2]!)).toMatchObject({ packet: { kind: "cancel", processId: -5 } });
  });

  test("P5 length lies are refused at once", () => {
    for (const length of [0, 3, 7, 10_001, 0x7fffffff, -1]) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setInt32(0, length);
      expect(readStartupPacket(bytes).ok).toBe(false);
    }
    const unterminated = startupMessage({ user: "x" });
    unterminated[unterminated.length - 1] = 1;
    expect(readStartupPacket(unterminated).ok).toBe(false);
  });
});
