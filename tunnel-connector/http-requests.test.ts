/** What the connector does when a target's connection that was kept turns out to be closed. */
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificates } from "../wire/certificate.ts";
import { RequestServer } from "./http-requests.ts";

let server: Server;
let authority = "";
/** Requests that each connection brought, by the order of the connections. */
const seen: string[][] = [];

beforeAll(async () => {
  const made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  authority = made.authority;
  const places = new Map<Socket, number>();
  server = createServer({ key: made.key, cert: made.certificate }, (request, response) => {
    const { socket } = request;
    let place = places.get(socket);
    if (place === undefined) {
      place = seen.push([]) - 1;
      places.set(socket, place);
    }
    seen[place]!.push(`${request.method} ${request.url}`);
    if (request.url === "/never") socket.destroy();
    // A connection serves one request and is closed at the next.
    else if (seen[place]!.length > 1) socket.destroy();
    else request.resume().on("end", () => response.end("fine"));
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A connector's end, and how its requests are answered: a status, or the code of a reset. */
function connector() {
  let told: ((answer: number | string) => void) | null = null;
  const target = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ ca: authority, impersonate: false, credential: () => [] },
  };
  const requests = new RequestServer(
    {
      send: (message) => {
        if (typeof message !== "string") return;
        const { t, status, code } = JSON.parse(message);
        if (t === "response") answer = status;
        if (t === "eof") told?.(answer);
        if (t === "reset") told?.(code);
      },
      close: () => {},
    },
    target,
  );
  let n = 0;
  let answer = 0;
  const ask = (method: string, path: string, body = "") =>
    new Promise<number | string>((resolve) => {
      told = resolve;
      const caller = { user: "tina", groups: [], extra: {} };
      const headers = body === "" ? [] : [["content-length", String(body.length)]];
      const head = { t: "request", n: ++n, method, target: path, headers, upgrade: null, caller };
      requests.message(JSON.stringify(head));
      if (body !== "") requests.message(new TextEncoder().encode(body));
      requests.message('{"t":"eof"}');
    });
  return { ask, close: () => requests.close() };
}

test("a GET on a kept connection that is closed meanwhile is sent again, once, on a new one", async () => {
  const { ask, close } = connector();
  seen.length = 0;
  expect(await ask("GET", "/a")).toBe(200);
  expect(await ask("GET", "/b")).toBe(200);
  expect(seen).toEqual([["GET /a", "GET /b"], ["GET /b"]]);
  close();
});

test("a POST is not: it may have happened", async () => {
  const { ask, close } = connector();
  seen.length = 0;
  expect(await ask("GET", "/a")).toBe(200);
  expect(await ask("POST", "/b", "once")).toBe("TARGET_UNREACHABLE");
  expect(seen).toEqual([["GET /a", "POST /b"]]);
  close();
});

test("a target that closes a new connection is not asked again", async () => {
  const { ask, close } = connector();
  seen.length = 0;
  expect(await ask("GET", "/never")).toBe("TARGET_UNREACHABLE");
  expect(seen).toEqual([["GET /never"]]);
  close();
});
