/**
 * An HTTP API through the whole system as it is started by hand: `wicket dev`, the real connector with the service's
 * credential in a file, a small service behind it, and clients that speak HTTP as they like.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileOf, KEY, type OrdersService, startOrdersService } from "./support/orders-service.ts";
import { type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-http-system-"));
let service: OrdersService;
let system: System;

const masks = `{ "items[*].customer.email": email, "items[*].customer.card": last4, "customer.email": email, "customer.card": last4 }`;
const task = (name: string, more: string) => `version: 1
task: ${name}
description: Look at orders.
owner: payments
who: { groups: [support] }
resource: orders
session: { ttl: 30m, idle: 5m }
recording: { level: full, on_failure: terminate }
${more}`;
const library: Readonly<Record<string, string>> = {
  "resources.yaml": "version: 1\nresources:\n  orders: { type: http, connector: demo }\n",
  "people.yaml":
    "version: 1\npeople:\n  tina: { groups: [support] }\n  omar: { groups: [warehouse] }\n  lee: { groups: [support] }\n",
  "tasks/look.yaml": task(
    "look",
    `allow:
  - { methods: [GET, HEAD], paths: ["/v1/orders", "/v1/orders/{id}", "/v1/lines", "/v1/broken", "/v1/failing"], query: [limit], mask: ${masks} }
  - { methods: [GET], paths: ["/v1/gzip", "/v1/polite", "/v1/nothing", "/v1/cached", "/v1/away", "/v1/moved", "/v1/events", "/v1/files/*"] }
  - { methods: [PUT], paths: ["/v1/orders/{id}"] }
`,
  ),
  "tasks/little.yaml": task(
    "little",
    `allow:
  - { methods: [GET], paths: ["/v1/files/*"] }
limits: { bytes: 1MiB }
`,
  ),
};

beforeAll(async () => {
  for (const [name, text] of Object.entries(library)) {
    mkdirSync(dirname(join(folder, "library", name)), { recursive: true });
    writeFileSync(join(folder, "library", name), text);
  }
  service = await startOrdersService();
  writeFileSync(join(folder, "key"), `${KEY}\n`, { mode: 0o600 });
  const header = { name: "authorization", file: join(folder, "key") };
  writeFileSync(join(folder, "orders.yaml"), JSON.stringify({ type: "http", url: service.url, header }));
  system = await startSystem({
    policies: join(folder, "library"),
    target: { orders: join(folder, "orders.yaml") },
  });
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  service?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether it came to its own end. */
  readonly whole: boolean;
}

interface Asking {
  readonly as?: string;
  readonly task?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

function open(method: string, path: string, asking: Asking = {}): Promise<IncomingMessage> {
  const { as = "tina", task = "look", body, headers = {} } = asking;
  const own = { authorization: `Bearer ${system.people[as]}`, "wicket-task": task };
  return new Promise((resolve, reject) => {
    const asked = request(
      `${system.edge}/http/orders${path}`,
      { method, agent: false, headers: { ...own, ...headers } },
      resolve,
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

async function call(method: string, path: string, asking: Asking = {}): Promise<Answer> {
  const response = await open(method, path, asking);
  const parts: Buffer[] = [];
  const whole = await new Promise<boolean>((resolve) => {
    response.on("data", (part) => parts.push(part));
    response.on("end", () => resolve(response.complete));
    response.on("error", () => resolve(false));
  });
  const { statusCode: status = 0, headers } = response;
  return { status, headers, body: Buffer.concat(parts), whole };
}

/** The refusal in an answer: problem+json with what happened, why, and what to do next. */
function refusal(answer: Answer): { code: string; message: string; hint: string; rule: string | null } {
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  const problem = JSON.parse(answer.body.toString());
  expect(problem).toMatchObject({ status: answer.status, code: expect.stringMatching(/^[A-Z][A-Z_]+$/) });
  for (const sentence of [problem.message, problem.hint]) expect(sentence).toMatch(/^\S.{10,}/);
  return problem;
}

/** Sends bytes as they are and gives all that comes back. */
function raw(lines: readonly string[], body = ""): Promise<string> {
  const { hostname, port } = new URL(system.edge);
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`),
    );
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => resolve(answer));
    socket.on("close", () => resolve(answer));
  });
}
const head = (target: string, method = "GET") => [
  `${method} ${target} HTTP/1.1`,
  `Host: ${new URL(system.edge).host}`,
  `Authorization: Bearer ${system.people["tina"]}`,
  "Wicket-Task: look",
  "Connection: close",
];
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("an HTTP API through the whole system", () => {
  test("methods, paths and query are the task's; the credential is the connector's, and no token of the edge's", async () => {
    const answer = await call("GET", "/v1/orders?limit=2", {
      headers: { cookie: "wicket=1", "x-user": "lee" },
    });
    expect(answer).toMatchObject({ status: 200, whole: true });
    const [first] = JSON.parse(answer.body.toString()).items;
    expect(first.customer).toEqual({ name: "Tina", email: "t***@example.com", card: "************1111" });
    const last = service.seen.at(-1)!;
    expect(last).toMatchObject({ url: "/base/v1/orders?limit=2", headers: { authorization: KEY } });
    expect(JSON.stringify(last.headers)).not.toMatch(/eyJ|wicket|lee/i);
    const before = service.seen.length;
    const { code, hint, rule } = refusal(await call("DELETE", "/v1/orders/7"));
    expect([code, hint]).toEqual(["METHOD_NOT_GRANTED", "it grants GET, HEAD, PUT"]);
    expect(rule).toMatch(/^tasks\/look\.yaml:\d+$/);
    expect(refusal(await call("GET", "/v1/admin")).code).toBe("PATH_NOT_GRANTED");
    expect(refusal(await call("GET", "/v1/orders?admin=1")).code).toBe("QUERY_NOT_GRANTED");
    expect(refusal(await call("GET", "/v1/orders?limit=1&limit=9")).code).toBe("ODD_QUERY");
    expect((await call("GET", "/v1/orders", { as: "omar" })).status).toBe(403);
    expect(service.seen.length).toBe(before);
  });

  test("masks: lists, documents line by line, and what an error says", async () => {
    const lines = (await call("GET", "/v1/lines")).body.toString();
    expect(lines.match(/"t\*\*\*@example.com"/g)).toHaveLength(2);
    const failing = await call("GET", "/v1/failing");
    expect(failing).toMatchObject({ status: 503, headers: { "retry-after": "7" } });
    for (const text of [lines, failing.body.toString()]) expect(text).not.toMatch(/tina@|4111111111111111/);
  });

  test("bodies: three megabytes arrive as they were sent, nine are refused with the limit", async () => {
    const body = fileOf(3_000_000);
    const headers = { "content-type": "application/octet-stream" };
    expect((await call("PUT", "/v1/orders/7", { body, headers })).status).toBe(200);
    expect(service.seen.at(-1)).toMatchObject({ method: "PUT", bytes: body.length, sha256: sha256(body) });
    const large = await call("PUT", "/v1/orders/7", { body: fileOf(9_000_000), headers }).catch(() => null);
    if (large !== null) {
      expect(large.status).toBe(413);
      expect(refusal(large)).toMatchObject({
        code: "BODY_TOO_LARGE",
        hint: expect.stringContaining("8 MiB"),
      });
    }
    expect(service.seen.at(-1)!.bytes).toBe(body.length);
  });

  test("answers: thirty megabytes arrive as they were sent; a task's limit cuts them and says so afterwards", async () => {
    const answer = await call("GET", "/v1/files/30000000");
    expect([answer.status, answer.whole, sha256(answer.body)]).toEqual([
      200,
      true,
      sha256(fileOf(30_000_000)),
    ]);
    const cut = await call("GET", "/v1/files/30000000", { task: "little", as: "lee" });
    expect(cut.whole).toBe(false);
    expect(cut.body.length).toBeLessThanOrEqual(1024 * 1024);
    expect((await call("GET", "/v1/files/1000", { task: "little", as: "lee" })).status).toBe(403);
  });

  test("answers without a body, and those that the client has already", async () => {
    expect(await call("GET", "/v1/nothing")).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    const first = await call("GET", "/v1/cached");
    expect(first).toMatchObject({ status: 200, headers: { etag: '"1"', "cache-control": "no-store" } });
    const again = await call("GET", "/v1/cached", { headers: { "if-none-match": '"1"' } });
    expect(again).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    expect(await call("HEAD", "/v1/orders")).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    // A tag would tell when a masked value changed.
    expect((await call("GET", "/v1/orders")).headers.etag).toBeUndefined();
  });

  test("events come one by one, and end at the service when their client leaves", async () => {
    const response = await open("GET", "/v1/events");
    const events = response[Symbol.asyncIterator]();
    expect(response.headers["content-type"]).toBe("text/event-stream");
    expect(String((await events.next()).value)).toContain("data: 1");
    const [listener] = service.listeners;
    listener!.write("data: 2\n\n");
    expect(String((await events.next()).value)).toContain("data: 2");
    response.on("error", () => {});
    response.socket.resetAndDestroy();
    await expect.poll(() => service.listeners.size, { timeout: 10_000 }).toBe(0);
  });

  test("K11 a session that is ended cuts its streams", async () => {
    const response = await open("GET", "/v1/events");
    const ended = new Promise((resolve) => response.resume().once("close", resolve));
    response.on("error", () => {});
    const { body } = await system.api("tina", "/api/sessions?open");
    for (const { id } of body.sessions)
      await system.api("tina", `/api/sessions/${id}/kill`, { method: "POST" });
    await ended;
    expect(response.complete).toBe(false);
    await expect.poll(() => service.listeners.size, { timeout: 10_000 }).toBe(0);
    // The next request begins another session.
    expect((await call("GET", "/v1/orders")).status).toBe(200);
  });

  test("a target that compresses is asked not to, and not believed when it does", async () => {
    const headers = { "accept-encoding": "gzip, br" };
    expect((await call("GET", "/v1/polite")).body.toString()).toBe('{"encoding":"identity"}');
    expect((await call("GET", "/v1/polite", { headers })).status).toBe(200);
    expect(service.seen.at(-1)!.headers["accept-encoding"]).toBe("identity");
    expect(refusal(await call("GET", "/v1/gzip", { headers })).code).toBe("ANSWER_ENCODED");
  });

  test("H7 redirects are not followed, and say nothing of where they lead", async () => {
    for (const path of ["/v1/away", "/v1/moved"]) {
      const answer = await call("GET", path);
      expect(refusal(answer).code).toBe("TARGET_REDIRECT");
      expect(answer.headers.location).toBeUndefined();
      expect(answer.body.toString()).not.toMatch(/127\.0\.0\.1|\/base/);
    }
    expect(service.strayed).toEqual([]);
  });

  test("H9 H12 the target's cookies and names stay with it", async () => {
    const { headers } = await call("GET", "/v1/orders");
    for (const name of ["set-cookie", "server", "x-powered-by"]) expect(headers[name]).toBeUndefined();
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test("an answer that breaks off never looks whole", async () => {
    const answer = await call("GET", "/v1/broken");
    expect(answer.whole && answer.status === 200).toBe(false);
    expect(answer.body.toString()).not.toContain("tina@");
  });

  test("protocol upgrades are refused in a sentence", async () => {
    const upgrade = [
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    const lines = head("/http/orders/v1/orders").filter((line) => !line.startsWith("Connection"));
    const answer = await raw([...lines, "Connection: Upgrade, close", ...upgrade]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("UPGRADE_NOT_SERVED");
  });
});

describe("paths and framings that two readers read differently", () => {
  test.each([
    "/v1/orders/..%2f..%2fadmin",
    "/v1/orders/%2e%2e%2fadmin",
    "/v1/orders/%252e%252e/admin",
    "/v1//orders",
    "//v1/orders",
    "/v1/orders/",
    "/v1/orders;a=1/7",
    "/v1/orders/7;admin=1",
    "/v1/orders/7%3Badmin",
    "/v1/orders/7%00",
    "/v1/orders/a%5Cb",
    "/v1/orders/%c0%af",
    "/V1/ORDERS",
    "/v1/orders/../admin",
    "/v1/orders/%2E%2E/admin",
    "/v1/orders/7?limit=1;admin=1",
  ])("H3 %s reaches nothing", async (path) => {
    const before = service.seen.length;
    expect(await raw(head(`/http/orders${path}`))).toMatch(/^HTTP\/1\.1 40[034] /);
    expect(service.seen.length).toBe(before);
  });

  test("H3 an absolute target is decided by its path, and goes to no other host", async () => {
    const before = service.seen.length;
    await raw(head("http://169.254.169.254/latest/meta-data"));
    await raw(head("http://169.254.169.254/http/orders/v1/admin"));
    expect(service.seen.length).toBe(before);
    expect(service.strayed).toEqual([]);
  });

  test.each<[string, readonly string[], string]>([
    ["both lengths", ["Content-Length: 4", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["two lengths", ["Content-Length: 0", "Content-Length: 60"], ""],
    ["a chunked that is spelt oddly", ["Transfer-Encoding: xchunked", "Content-Length: 4"], ""],
    ["a length with a sign", ["Content-Length: +60"], ""],
    ["a folded header", ["X-A: 1", " Content-Length: 60"], ""],
  ])("H2 %s do not let a second request through", async (_, lines, body) => {
    const before = service.seen.length;
    const second = `GET /base/v1/admin HTTP/1.1\r\nHost: x\r\nAuthorization: ${KEY}\r\n\r\n`;
    const type = "Content-Type: application/json";
    await raw([...head("/http/orders/v1/orders/7", "PUT"), type, ...lines], body + second);
    const reached = service.seen.slice(before);
    expect(reached.every(({ method, url }) => method === "PUT" && url === "/base/v1/orders/7")).toBe(true);
    expect(reached.length).toBeLessThanOrEqual(1);
  });

  test("H4 a client cannot have the credential dropped, doubled or sent elsewhere", async () => {
    const headers = {
      connection: "close, authorization, x-api-key",
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      "x-original-url": "/v1/admin",
      "x-http-method-override": "DELETE",
      "proxy-authorization": "Basic eDp5",
      te: "trailers",
    };
    const before = service.seen.length;
    expect((await call("GET", "/v1/orders/7", { headers })).status).toBe(200);
    expect(service.seen.length).toBe(before + 1);
    const last = service.seen.at(-1)!;
    expect(last.headers.authorization).toBe(KEY);
    expect(last.headers.host).toBe(new URL(service.url).host);
    for (const name of Object.keys(headers)) {
      if (name !== "connection" && name !== "host") expect(last.headers[name]).toBeUndefined();
    }
  });
});

test("a service that is not there: which hop failed, and nothing of its address", async () => {
  service.close();
  const answer = await call("GET", "/v1/orders");
  expect(answer.status).toBe(502);
  expect(refusal(answer).code).toBe("TARGET_UNREACHABLE");
  expect(answer.body.toString()).not.toMatch(/127\.0\.0\.1|:\d{4,}|\/base/);
});
