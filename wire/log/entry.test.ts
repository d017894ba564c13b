import fc from "fast-check";
import { expect, test } from "vitest";
import { fromUtf8, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import { decodeEntry, encodeEntry, type LogEntry } from "./entry.ts";

const digest = "ab".repeat(32);
const start: LogEntry = {
  v: 1,
  type: "session.start",
  time: 1_790_000_000_000,
  session: "s_1",
  actor: { issuer: "https://idp.example", subject: "tina", name: "Tina" },
  task: { name: "refund-investigation", digest },
  policies: digest,
  resource: "orders-db",
  connector: { name: "demo", key: "edge.example/connector/demo+00000000+AQ==" },
  grant: "g_1",
  params: { customer: "7", __proto__x: "y" },
  reason: "INC-7 \u001b[31m\u202e</script>\n=cmd()",
  approvals: [],
  recording: { level: "full", durability: "batched", onFailure: "terminate" },
};
const side = { entries: 3, root: digest };
const others: LogEntry[] = [
  { v: 1, type: "session.progress", time: 1, session: "s_1", roots: { frontend: side, backend: side } },
  {
    v: 1,
    type: "session.end",
    time: 2,
    session: "s_1",
    code: "CLIENT_CLOSED",
    roots: { frontend: side, backend: side },
    recording: { segments: 2, last: digest },
    connector: null,
  },
  {
    v: 1,
    type: "recording.complete",
    time: 3,
    session: "s_1",
    recording: { segments: 2, last: digest },
    connector: "note\n\nx\n",
  },
  { v: 1, type: "recording.read", time: 4, session: "s_1", actor: { issuer: "i", subject: "s" } },
  { v: 1, type: "policy.change", time: 5, before: null, after: digest, actor: null, note: "first" },
];

test("every kind of entry reads back as written", () => {
  for (const entry of [start, ...others]) {
    const bytes = encodeEntry(entry)!;
    expect(decodeEntry(bytes)).toEqual({ ok: true, entry });
  }
});

test("R4 hostile text in an entry stays one JSON string: no control character, no line break", () => {
  const text = fromUtf8(encodeEntry(start)!)!;
  expect(text).not.toMatch(/[\u0000-\u001f]/);
  expect(JSON.parse(text).reason).toBe(start.type === "session.start" && start.reason);
});

test("cut at every byte an entry is refused", () => {
  const bytes = encodeEntry(start)!;
  for (let cut = 0; cut < bytes.length; cut++) expect(decodeEntry(bytes.subarray(0, cut)).ok).toBe(false);
});

test("any changed byte is refused or reads as another entry", () => {
  const bytes = encodeEntry(start)!;
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const changed = bytes.slice();
      changed[at]! ^= bits;
      const decoded = decodeEntry(changed);
      if (decoded.ok) expect(encodeEntry(decoded.entry)).toEqual(changed);
    }),
    { numRuns: 500 },
  );
});

test("another spelling, an unknown field, a wrong form or an unknown type is refused", () => {
  const text = fromUtf8(encodeEntry(others[3]!)!)!;
  for (const bad of [
    ` ${text}`,
    text.replace('"v":1', '"v":1.0'),
    text.replace('"v":1', '"v":2'),
    text.replace('"time":4', '"time":4,"time":4'),
    text.replace('"time":4', '"time":-1'),
    text.replace('"time":4', '"more":1,"time":4'),
    text.replace("recording.read", "recording.lost"),
    text.replace('"s_1"', '"s/1"'),
    text.replace('"s_1"', '"\\u0073_1"'),
    "null",
    "[]",
    "{}",
    "",
  ]) {
    expect(decodeEntry(utf8(bad)).ok, bad).toBe(false);
  }
});

test("an entry that cannot be in the log is not encoded", () => {
  const entry = start as Extract<LogEntry, { type: "session.start" }>;
  expect(encodeEntry({ ...entry, reason: "\ud800" })).toBeNull();
  expect(encodeEntry({ ...entry, time: 1.5 })).toBeNull();
  expect(encodeEntry({ ...entry, reason: "x".repeat(5000) })).toBeNull();
  const params = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, "x".repeat(4000)]));
  expect(encodeEntry({ ...entry, params })).toBeNull();
});

test("canonical JSON: keys by code unit, undefined left out, arrays in order", () => {
  expect(canonicalJson({ b: 1, a: [true, null, '\u2028\u00e9"\\\n'], "\u20ac": undefined, A: {} })).toBe(
    '{"A":{},"a":[true,null,"\u2028\u00e9\\"\\\\\\n"],"b":1}',
  );
  expect(canonicalJson(0.1)).toBeNull();
  expect(canonicalJson(2 ** 53)).toBeNull();
  expect(canonicalJson({ "\ud800": 1 })).toBeNull();
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false } as object), (value) => {
      const text = canonicalJson(value as never);
      if (text !== null) expect(canonicalJson(JSON.parse(text))).toBe(text);
    }),
  );
});
