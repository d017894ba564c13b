import { describe, expect, test } from "vitest";
import { kubeTask } from "../kubernetes/task.fixture.ts";
import type { HttpRule } from "../task.ts";
import { HttpAnswerFilter, isJson, masksOf } from "./answer.ts";
import { decideHttp, pathMatches } from "./decide.ts";
import { parseFieldPath } from "./fields.ts";

const rule = (given: Partial<HttpRule>): HttpRule => ({
  kind: "http",
  methods: ["GET"],
  paths: [],
  query: [],
  mask: {},
  approval: null,
  at: "t.yaml:1",
  ...given,
});
const task = kubeTask([
  rule({ paths: ["/v1/orders/{id}", "/v1/orders"], query: ["limit"], at: "t.yaml:1" }),
  rule({ methods: ["DELETE"], paths: ["/v1/orders/{id}"], approval: "request", at: "t.yaml:2" }),
  rule({ paths: ["/v1/files/**"], at: "t.yaml:3" }),
]);

describe("HTTP requests are decided on the path that is sent", () => {
  test.each([
    ["GET", "/v1/orders", "?limit=5", "t.yaml:1", "/v1/orders?limit=5"],
    ["GET", "/v1/orders/7", "", "t.yaml:1", "/v1/orders/7"],
    ["GET", "/v1/orders/%37", "", "t.yaml:1", "/v1/orders/7"],
    ["DELETE", "/v1/orders/7", "", "t.yaml:2", "/v1/orders/7"],
    ["GET", "/v1/files/a/b.txt", "", "t.yaml:3", "/v1/files/a/b.txt"],
  ])("%s %s%s", (method, path, search, at, target) => {
    const decision = decideHttp(task, method, path, search);
    if (decision.effect === "deny") throw new Error(decision.message);
    expect([decision.rule.at, decision.target]).toEqual([at, target]);
  });
  test.each([
    ["H3", "GET", "/v1/orders/7/../../admin", "", "ODD_PATH"],
    ["H3", "GET", "/v1/files/..%2f..%2fadmin", "", "ODD_PATH"],
    ["H3", "GET", "/v1/files/%252e%252e/admin", "", "ODD_PATH"],
    ["H3", "GET", "/v1//orders", "", "ODD_PATH"],
    ["H3", "GET", "/v1/orders/7;x=1", "", "ODD_PATH"],
    ["H3", "GET", "/v1/orders/7%00", "", "ODD_PATH"],
    ["H3", "GET", "/v1/orders/%c0%af", "", "ODD_PATH"],
    ["H3", "GET", "/V1/orders/7", "", "PATH_NOT_GRANTED"],
    ["H3", "GET", "/v1/orders/", "", "ODD_PATH"],
    ["H6", "POST", "/v1/orders/7", "", "METHOD_NOT_GRANTED"],
    ["H6", "HEAD", "/v1/orders/7", "", "METHOD_NOT_GRANTED"],
    ["H6", "GET", "/v1/orders", "?_method=DELETE", "QUERY_NOT_GRANTED"],
    ["H2", "GET", "/v1/orders", "?limit=1&limit=2", "ODD_QUERY"],
  ])("%s %s %s%s is refused with %s", (_, method, path, search, code) => {
    expect(decideHttp(task, method, path, search)).toMatchObject({ effect: "deny", reason: code });
  });
  test("patterns", () => {
    expect(pathMatches("/a/*.json", ["a", "b.json"])).toBe(true);
    expect(pathMatches("/a/{x}", ["a"])).toBe(false);
    expect(pathMatches("/a/**", ["a"])).toBe(true);
    expect(pathMatches("/", [])).toBe(true);
    expect(pathMatches("/**", ["x", "y"])).toBe(true);
  });
});

describe("JSON answers are masked by field", () => {
  const filter = (mask: HttpRule["mask"], body: string) => {
    const found = new HttpAnswerFilter(masksOf(rule({ mask }))!, (text) =>
      `00${text.length}`.padEnd(64, "0"),
    );
    const decoder = new TextDecoder();
    let out = "";
    for (const byte of new TextEncoder().encode(body)) {
      const result = found.push(Uint8Array.of(byte));
      if (!result.ok) return result.fault;
      for (const part of result.bytes) out += decoder.decode(part);
    }
    const end = found.end();
    if (!end.ok) return end.fault;
    for (const part of end.bytes) out += decoder.decode(part);
    return out;
  };
  test("each mask on values, lists and objects", () => {
    const body =
      '{"a":{"email":"tina@example.com","card":"4111111111111111","n":12.345,"d":"2026-03-05T10:00:00Z","x":{"y":1},"z":null},"l":[{"t":"x"},{"t":"y"}]}';
    const out = filter(
      {
        "a.email": { kind: "email" },
        "a.card": { kind: "keep", first: 0, last: 4, with: "*" },
        "a.n": { kind: "round", digits: 1 },
        "a.d": { kind: "year" },
        "a.x": { kind: "email" },
        "a.z": { kind: "constant", value: "X" },
        "l[*].t": { kind: "constant", value: 0 },
      },
      body,
    );
    expect(JSON.parse(out)).toEqual({
      a: { email: "t***@example.com", card: "************1111", n: 12.3, d: "2026-01-01", x: null, z: null },
      l: [{ t: 0 }, { t: 0 }],
    });
  });
  test("arrays at the top, several documents, and what is not JSON", () => {
    expect(filter({ a: { kind: "null" } }, '[{"a":1},{"a":2}]')).toBe('[{"a":null},{"a":null}]\n');
    expect(filter({ a: { kind: "null" } }, '{"a":1}\n{"a":2}\n')).toBe('{"a":null}\n{"a":null}\n');
    expect(filter({ a: { kind: "null" } }, "<html>")).toBe("ANSWER_MALFORMED");
    expect(isJson("application/problem+json; charset=utf-8")).toBe(true);
    expect(isJson("text/html")).toBe(false);
  });
  test("field paths", () => {
    expect(parseFieldPath('metadata.annotations["a.b/c"]')).toEqual({
      ok: true,
      path: ["metadata", "annotations", "a.b/c"],
    });
    expect(parseFieldPath("spec.containers[*].env[*].value")).toEqual({
      ok: true,
      path: ["spec", "containers", "env", "value"],
    });
    for (const bad of ["", "a..b", "a.*b", "a[0]", ".a", "a b"]) expect(parseFieldPath(bad).ok).toBe(false);
  });
});
