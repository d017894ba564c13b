import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { bindingsFrom } from "./env.ts";

test("the environment is checked once, and is the same object then", () => {
  expect(bindingsFrom(env)).toBe(bindingsFrom(env));
  expect(bindingsFrom(env).DEMO_LOGIN).toBeNull();
});

test.each([
  ["SIGNING_KEY", ""],
  ["EDGE_ORIGIN", "https://edge.example.com/"],
  ["EDGE_ORIGIN", "edge"],
  ["ISSUERS", "{"],
  ["ISSUERS", '[{"issuer":"x"}]'],
  ["RECORDINGS", null],
  ["SESSIONS", undefined],
  ["REQUESTS", undefined],
])("%s = %j is named as what is wrong", (name, value) => {
  expect(() => bindingsFrom({ ...env, [name]: value })).toThrow(name);
});
