/** The start of a session: parameters, versions, keys, encryption requests. */
import { describe, expect, test } from "vitest";
import { open, parameters, startup, words } from "../../test/support/gate-harness.ts";
import { concat } from "../../wire/bytes.ts";
import { cancelRequest, gssRequest, sslRequest, startupMessage } from "../../wire/postgres/startup.ts";

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
    ["P3 options in other spellings", { options: "-csearch_path=evil" }],
    ["P3 options --search-path", { options: "--search-path=evil" }],
    ["P3 options with an escaped blank", { options: "-c search_path=public,\\ evil" }],
    ["P3 options behind a harmless one", { options: "-c jit=off -c row_security=off" }],
    ["P3 options that are no settings", { options: "-d 5" }],
    ["P3 options that end too early", { options: "-c jit=off -c" }],
    ["P3 options with a quote", { options: "-c TimeZone=x';drop\\ table\\ t;--" }],
    ["P3 options in options", { options: "-c options=-crole=postgres" }],
    ["P3 options with a user", { options: "-c user=postgres" }],
    ["P3 options that make it writable", { options: "-c default_transaction_read_only=off" }],
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

  test.each([
    ["the pinned path itself", "-c search_path=public,pg_temp", ""],
    ["the pinned path as people write it", "-csearch_path=public", ""],
    [
      "what drivers set",
      "-c jit=off --client-min-messages=warning",
      "SET jit TO 'off'; SET client_min_messages TO 'warning'",
    ],
    ["an escaped blank", "-c DateStyle=ISO,\\ MDY", "SET DateStyle TO 'ISO, MDY'"],
  ])("options with %s are settings like others", (_name, options, text) => {
    const { gate, ends, sent } = open({}, false);
    gate.opened({ parameters, serverVersion: 180004 });
    gate.fromClient(startupMessage({ user: "someone", options }));
    expect(ends).toEqual([]);
    expect(new TextDecoder().decode(sent()).slice(5, -1)).toBe(text);
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
