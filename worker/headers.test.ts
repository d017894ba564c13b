import { expect, test } from "vitest";
import { ambiguousPath, clientOf, foreignOrigin, handshake, shieldAnswer } from "./headers.ts";

test.each([
  "/db/../x",
  "/db/./x",
  "/db/%2e%2e/x",
  "/a%2Fb",
  "/a%5cb",
  "/a%00",
  "/a%252e",
  "/a%zz",
  "//a",
  "/a//b",
  "/a;b=1",
  "/a\\b",
  "/%c0%ae",
  "/a%3bb",
])("H3 %s can be read in two ways", (path) => {
  expect(ambiguousPath(`https://edge.example.com${path}`)).toMatchObject({ code: "PATH_AMBIGUOUS" });
});

test.each(["/", "", "/db/orders-db", "/api/sessions?x=%2e%2e//;", "/login/0", "/a.b_c~d/e-f"])(
  "%s is plain",
  (path) => {
    expect(ambiguousPath(`https://edge.example.com${path}`)).toBeNull();
  },
);

test("H4 nothing of a client reaches an object but its handshake", () => {
  const headers = {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-protocol": "wicket.pg.v1",
    "wicket-connector": "forged",
    "wicket-ticket": "forged",
    "x-user": "ada",
    "x-forwarded-for": "1.2.3.4",
    "cf-access-jwt-assertion": "x",
    authorization: "Bearer x",
    cookie: "a=b",
  };
  const inner = handshake(new Request("https://edge.example.com/x?y", { headers }), "/connector", {
    "wicket-connector": "demo",
  });
  expect(inner.url).toBe("https://object.invalid/connector");
  expect(Object.fromEntries(inner.headers)).toEqual({
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-protocol": "wicket.pg.v1",
    "wicket-connector": "demo",
  });
});

test("H1 an Origin is ours or foreign", () => {
  const from = (origin: string | null) =>
    foreignOrigin(new Request("https://e/", { headers: origin === null ? {} : { origin } }), "https://e");
  expect(from(null)).toBeNull();
  expect(from("https://e")).toBeNull();
  for (const origin of ["https://e.evil", "http://e", "null", ""]) expect(from(origin)?.status).toBe(403);
});

test("where a client came from is what the platform says, bounded", () => {
  const request = new Request("https://e/", {
    headers: { "x-forwarded-for": "9.9.9.9", "x-real-ip": "9.9.9.9", "user-agent": "u".repeat(1000) },
  });
  expect(clientOf(request)).toEqual({ userAgent: "u".repeat(256) });
});

test("an answer is shielded, and a room's own headers stand", () => {
  const plain = shieldAnswer(new Response("x"), "https://e");
  expect(plain.headers.get("cache-control")).toBe("no-store");
  expect(plain.headers.get("strict-transport-security")).toContain("max-age");
  const own = shieldAnswer(new Response("x", { headers: { "cache-control": "public" } }), "http://e");
  expect(own.headers.get("cache-control")).toBe("public");
  expect(own.headers.get("strict-transport-security")).toBeNull();
  const pair = new WebSocketPair();
  const upgrade = new Response(null, { status: 101, webSocket: pair[0] });
  expect(shieldAnswer(upgrade, "https://e")).toBe(upgrade);
});
