import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dial } from "../wire/control.ts";
import { backoff } from "./backoff.ts";
import { dialFault } from "./dial-guard.ts";

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

test("C13 connectors that lost the edge at once do not come back at once: full jitter, with a bound", () => {
  const longest = backoff(5, () => 1);
  const waits = Array.from({ length: 1000 }, () => backoff(5));
  for (const quarter of [0, 1, 2, 3]) {
    const from = (quarter * longest) / 4;
    expect(waits.filter((ms) => ms >= from && ms <= from + longest / 4).length).toBeGreaterThan(150);
  }
  expect(backoff(1000, () => 1)).toBeLessThanOrEqual(60_000);
});
