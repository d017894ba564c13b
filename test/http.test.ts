import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { get as httpsGet, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { connect as dialTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileLibrary } from "../policies/compile.ts";
import { problemText } from "../policies/problem.ts";
import { type Door, startDoor } from "./apiserver/door.ts";

/** A small orders service: it trusts whoever has its key, and has what a task must not show. */
let service: Server;
let door: Door;
const seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[] = [];
const order = (id: number) => ({
  id,
  status: "paid",
  customer: { name: "Tina", email: "tina@example.com", card: "4111111111111111" },
  total: 12.345,
});
let written = 0;

const policy = `version: 1
task: orders
description: test
owner: test
who: { groups: [support] }
resource: orders-api
allow:
  - { methods: [GET, HEAD], paths: ["/v1/orders", "/v1/orders/{id}"], query: [limit], mask: { "customer.email": email, "customer.card": last4, "items[*].customer.email": email, "items[*].customer.card": last4 } }
  - { methods: [POST], paths: ["/v1/orders/{id}/refund"] }
  - { methods: [GET], paths: ["/v1/files/**", "/v1/redirect", "/v1/big"] }
  - { methods: [DELETE], paths: ["/v1/orders/{id}"], approval: request }
`;

beforeAll(async () => {
  service = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      const json = (value: unknown, code = 200) => {
        response.writeHead(code, {
          "content-type": "application/json",
          "set-cookie": "session=1",
          "access-control-allow-origin": "*",
          server: "x",
          etag: '"1"',
        });
        response.end(request.method === "HEAD" ? undefined : JSON.stringify(value));
      };
      if (request.headers["x-api-key"] !== "service-key") return void json({ error: "no key" }, 401);
      const path = (request.url ?? "").split("?")[0]!;
      if (path === "/base/v1/orders") return void json({ items: [order(1), order(2)] });
      if (path === "/base/v1/redirect")
        return void response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
      if (path === "/base/v1/orders/html")
        return void response.writeHead(200, { "content-type": "text/html" }).end("<p>tina@example.com</p>");
      if (path === "/base/v1/orders/broken")
        return void response
          .writeHead(200, { "content-type": "application/json" })
          .end('{"customer":{"email":"tina@example.com"');
      if (path === "/base/v1/big") {
        response.writeHead(200, { "content-type": "application/octet-stream" });
        const chunk = Buffer.alloc(64 * 1024, 1);
        const more = () => {
          while (written < 256 * 1024 * 1024) {
            written += chunk.length;
            if (!response.write(chunk)) return void response.once("drain", more);
          }
          response.end();
        };
        return more();
      }
      if (path.startsWith("/base/v1/files/"))
        return void response.writeHead(200, { "content-type": "text/plain" }).end(path);
      json(order(Number(path.split("/").at(-1))));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;
  const files = new Map([
    ["resources.yaml", "version: 1\nresources: { orders-api: { type: http, connector: demo } }\n"],
    ["tasks/orders.yaml", policy],
  ]);
  const compiled = compileLibrary(files);
  if (!compiled.ok) throw new Error(compiled.problems.map(problemText).join("\n"));
  const target = {
    url: `http://127.0.0.1:${port}/base`,
    ca: null,
    credential: () => [["x-api-key", "service-key"]] as const,
    impersonate: false,
  };
  door = await startDoor(compiled.library.bundle.tasks, { orders: target });
});
afterAll(async () => {
  await door?.close();
  service?.closeAllConnections();
  service?.close();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}
function call(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, ca: door.ca, headers: { authorization: `Bearer ${door.token}`, ...headers } };
    const request = httpsRequest(`${door.url}/http/orders${path}`, options, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on("error", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dialTls(
      { host: "127.0.0.1", port: Number(new URL(door.url).port), ca: door.ca, servername: "localhost" },
      () => socket.write(text),
    );
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}
const auth = () => `Host: x\r\nAuthorization: Bearer ${door.token}\r\nConnection: close\r\n`;

describe("an HTTP API through the gate", () => {
  test("answers are masked and the connector's own credential is used", async () => {
    const answer = await call("GET", "/v1/orders?limit=2");
    expect(JSON.parse(answer.text).items[1].customer).toEqual({
      name: "Tina",
      email: "t***@example.com",
      card: "************1111",
    });
    expect(seen.at(-1)).toMatchObject({
      url: "/base/v1/orders?limit=2",
      headers: { "x-api-key": "service-key" },
    });
    expect(seen.at(-1)!.headers.authorization).toBeUndefined();
    expect((await call("HEAD", "/v1/orders")).status).toBe(200);
  });
  test("bodies go through, forms do not", async () => {
    const sent = await call("POST", "/v1/orders/7/refund", '{"amount":1}', {
      "content-type": "application/json",
    });
    expect(sent.status).toBe(200);
    expect(seen.at(-1)).toMatchObject({ method: "POST", body: '{"amount":1}' });
    const form = await call("POST", "/v1/orders/7/refund", "_method=DELETE", {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(form.status).toBe(415);
  });
  test("what masks cannot be applied to is not shown", async () => {
    expect((await call("GET", "/v1/orders/html")).text).toContain("ANSWER_NOT_JSON");
    expect((await call("GET", "/v1/orders/broken").catch(() => ({ text: "" }))).text).not.toContain("tina@");
  });
  test("refusals say what is granted; what needs approval is not done", async () => {
    expect(JSON.parse((await call("GET", "/v1/customers")).text)).toMatchObject({
      code: "PATH_NOT_GRANTED",
      status: 403,
    });
    expect(JSON.parse((await call("DELETE", "/v1/orders/7")).text)).toMatchObject({
      code: "APPROVAL_REQUIRED",
      rule: "tasks/orders.yaml:11",
    });
    expect(seen.some(({ method }) => method === "DELETE")).toBe(false);
  });
});

describe("attacks", () => {
  test.each([
    "/v1/orders/..%2f..%2fadmin",
    "/v1/files/%252e%252e/admin",
    "/v1//orders",
    "/v1/orders/7;x=1",
    "/v1/orders/7%00",
    "/v1/files/a%5C..%5Cb",
    "/v1/orders/%c0%af",
    "/V1/orders",
  ])("H3 %s reaches nothing", async (path) => {
    const before = seen.length;
    const answer = await raw(`GET /http/orders${path} HTTP/1.1\r\n${auth()}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 (400|403)/);
    expect(seen.length).toBe(before);
  });
  test("H3 dot segments are decided as what they mean", async () => {
    const before = seen.length;
    const answer = await raw(`GET /http/orders/v1/files/../../admin HTTP/1.1\r\n${auth()}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 (403|404)/);
    expect(seen.length).toBe(before);
  });
  test("H2 smuggled lengths do not split a request at the target", async () => {
    const before = seen.length;
    await raw(
      `POST /http/orders/v1/orders/7/refund HTTP/1.1\r\n${auth()}Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nDELETE /base/v1/orders/7 HTTP/1.1\r\n\r\n`,
    );
    expect(seen.slice(before).some(({ method }) => method === "DELETE")).toBe(false);
  });
  test("H4 H6 headers that claim an identity, a path or a method do not pass", async () => {
    const names = [
      "x-user",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-original-url",
      "x-rewrite-url",
      "x-http-method-override",
      "cf-access-jwt-assertion",
      "cookie",
      "x-api-key",
    ];
    await call("GET", "/v1/orders/7", undefined, Object.fromEntries(names.map((name) => [name, "evil"])));
    const { headers } = seen.at(-1)!;
    for (const name of names) expect(headers[name]).not.toBe("evil");
    expect(headers["x-api-key"]).toBe("service-key");
  });
  test("H6 a GET with a body is refused", async () => {
    const answer = await raw(`GET /http/orders/v1/orders/7 HTTP/1.1\r\n${auth()}Content-Length: 2\r\n\r\n{}`);
    expect(answer).toMatch(/^HTTP\/1.1 400/);
  });
  test("H7 K6 a redirect is not followed and not passed on", async () => {
    const answer = await call("GET", "/v1/redirect");
    expect(answer.status).toBe(502);
    expect(answer.text).toContain("TARGET_REDIRECT");
    expect(answer.text + JSON.stringify(answer.headers)).not.toContain("169.254");
  });
  test("H9 H12 answers are not stored, and set no cookies on the edge's origin", async () => {
    const { headers } = await call("GET", "/v1/orders/7");
    expect(headers["cache-control"]).toContain("no-store");
    for (const name of ["set-cookie", "access-control-allow-origin", "server", "etag"])
      expect(headers[name]).toBeUndefined();
  });
  test("V4 a client that stops reading holds a window here, not the answer", async () => {
    written = 0;
    await new Promise<void>((resolve, reject) => {
      const request = httpsGet(
        `${door.url}/http/orders/v1/big`,
        { ca: door.ca, headers: { authorization: `Bearer ${door.token}` } },
        (response) => {
          response.once("readable", () => {
            let last = -1;
            const timer = setInterval(() => {
              // Settled: nothing more was written between two looks.
              if (written !== last) {
                last = written;
                return;
              }
              clearInterval(timer);
              request.destroy();
              resolve();
            }, 200);
          });
        },
      );
      request.on("error", (error) => (written > 0 ? resolve() : reject(error)));
    });
    expect(written).toBeGreaterThan(0);
    // Kernel buffers of three sockets, the client's own, and one window of the edge.
    expect(written).toBeLessThan(48 * 1024 * 1024);
  });
});
