import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { type Dial, parseEdgeControl } from "../wire/control.ts";
import { CONNECTOR_SUBPROTOCOL } from "../wire/tunnel.ts";
import { backoff } from "./backoff.ts";
import { parseConfig } from "./config.ts";
import { dialFault } from "./dial-guard.ts";
import { edgeSocket, opened } from "./edge-socket.ts";

const NOW = 1_000_000;
const dial: Dial = {
  ...{ v: 1, t: "dial", session: "s1", ticket: "t".repeat(32), resource: "orders-db" },
  url: "/connector/sessions/s1",
  task: { name: "read", digest: "0".repeat(64), readOnly: true, relations: [], functions: [] },
  options: {
    client_encoding: "UTF8",
    standard_conforming_strings: "on",
    search_path: "public, pg_temp",
    row_security: "on",
    statement_timeout: "10s",
    idle_in_transaction_session_timeout: "60s",
    default_transaction_read_only: "on",
    "wicket.p_customer": "7",
  },
  user: { application_name: "wicket/s1" },
  recording: { level: "full", onFailure: "terminate", durability: "batched" },
  deadline: NOW + 1,
};

describe("C6 an edge that asks for more than it may", () => {
  test("a dial that binds a session as it must be bound is followed", () => {
    expect(dialFault(dial, NOW)).toBeNull();
  });
  test.each(Object.keys(dial.options).filter((name) => !name.startsWith("wicket.")))(
    "without %s it is not",
    (name) => {
      const { [name]: _, ...options } = dial.options;
      expect(dialFault({ ...dial, options }, NOW)).not.toBeNull();
    },
  );
  test.each([
    ["search_path", "evil, public"],
    ["row_security", "off"],
    ["client_encoding", "SJIS"],
    ["default_transaction_read_only", "off"],
    ["statement_timeout", "0"],
    ["role", "postgres"],
    ["session_preload_libraries", "evil"],
    ["session_authorization", "postgres"],
    ["local_preload_libraries", "evil"],
    ["wicket.token_i", "00"],
    ["wicket.p_customer", "a\0b"],
  ])("with %s = %j it is not", (name, value) => {
    expect(dialFault({ ...dial, options: { ...dial.options, [name]: value } }, NOW)).not.toBeNull();
  });
  test("any other setting it is not", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, value) => {
        fc.pre(!Object.hasOwn(dial.options, name) && !/^wicket\.p_/.test(name));
        fc.pre(!["backslash_quote", "transform_null_equals", "lock_timeout"].includes(name));
        expect(dialFault({ ...dial, options: { ...dial.options, [name]: value } }, NOW)).not.toBeNull();
      }),
    );
  });
  test("nor one whose time is over, or whose name is none", () => {
    expect(dialFault({ ...dial, deadline: NOW }, NOW)).not.toBeNull();
    expect(dialFault({ ...dial, session: "../s1" }, NOW)).not.toBeNull();
  });
});

describe("C7 an edge, or somebody before it, that wants an older way", () => {
  test.each([0, 2, "1", null, undefined])("a control message of version %j is not taken", (v) => {
    expect(parseEdgeControl(JSON.stringify({ ...dial, v }))).toMatchObject({ ok: false });
  });

  test("a socket without the subprotocol, or with another, is closed", async () => {
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      handleProtocols: () => "wicket.connector.v0",
    });
    await new Promise((resolve) => server.once("listening", resolve));
    const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const socket = edgeSocket(origin, "/connector/control", CONNECTOR_SUBPROTOCOL, {});
    await expect(opened(socket)).rejects.toThrow(/subprotocol/);
    server.options.handleProtocols = () => false;
    const none = edgeSocket(origin, "/connector/control", CONNECTOR_SUBPROTOCOL, {});
    await expect(opened(none)).rejects.toThrow(/subprotocol/);
    server.close();
  });

  test.each([
    ["edge: http://edge.example.com", "edge"],
    ["edge: ws://edge.example.com", "edge"],
    ["edge: https://user:password@edge.example.com", "edge"],
  ])("the configuration %s is refused", (line, key) => {
    const text = `version: 1\nname: demo\n${line}\nstate: state\nresources: {}\n`;
    const read = parseConfig(text, "/tmp/connector.yaml");
    expect(read.ok ? [] : read.problems.join()).toContain(`: ${key}: `);
  });

  test.each(["prefer", "allow", "require", "verify-ca"])(
    "tls mode %s, which can be talked out of it, is refused",
    (mode) => {
      const target = `{ type: postgres, host: h, database: d, user: u, tls: { mode: ${mode} } }`;
      const text = `version: 1\nname: demo\nedge: https://e.example.com\nstate: s\nresources: { db: ${target} }\n`;
      expect(parseConfig(text, "/tmp/connector.yaml")).toMatchObject({ ok: false });
    },
  );
});

test("C4 what an edge says of who somebody is names no login, database or host: the connector has its own", () => {
  const said = {
    ...dial,
    ...{ role: "postgres", host: "evil.example.com", database: "other", password: "x" },
    user: { application_name: "wicket/s1", name: "admin", user: "postgres", groups: ["admins"] },
  };
  expect(parseEdgeControl(JSON.stringify(said))).toEqual({ ok: true, message: dial });
  for (const name of ["role", "session_authorization", "user"])
    expect(dialFault({ ...dial, options: { ...dial.options, [name]: "postgres" } }, NOW)).not.toBeNull();
});

test("C13 connectors that lost the edge at once do not come back at once: full jitter, with a bound", () => {
  const longest = backoff(5, () => 1);
  const waits = Array.from({ length: 1000 }, () => backoff(5));
  for (const quarter of [0, 1, 2, 3]) {
    const from = (quarter * longest) / 4;
    expect(waits.filter((ms) => ms >= from && ms <= from + longest / 4).length).toBeGreaterThan(150);
  }
  expect(backoff(1000, () => 1)).toBeLessThanOrEqual(60_000);
});
