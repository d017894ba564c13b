import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { call, edgeFacts, openEdge } from "./edge.ts";
import { keepLogin } from "./login-store.ts";

const servers: Server[] = [];
let home: string;
let before: string | undefined;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "wicket-edge-test-"));
  before = process.env["XDG_CONFIG_HOME"];
  process.env["XDG_CONFIG_HOME"] = home;
});

afterEach(async () => {
  if (before === undefined) delete process.env["XDG_CONFIG_HOME"];
  else process.env["XDG_CONFIG_HOME"] = before;
  rmSync(home, { recursive: true, force: true });
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server that answers as told and keeps what it was sent. */
async function served(answer: (request: IncomingMessage) => [number, Record<string, string>, unknown]) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    const [status, headers, body] = answer(request);
    response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
    response.end(JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const expires = () => Date.now() + 3_600_000;

describe("I19 which token goes where is decided here, by the address that was given", () => {
  test("a login of one edge is never sent to another, whatever that one says of itself", async () => {
    const good = await served(() => [200, {}, {}]);
    const facts = { name: "wicketgate", version: "1", issuers: [{ issuer: good.origin, audiences: [] }] };
    const bad = await served(() => [
      200,
      { "x-wicket-edge": good.origin, "cf-access-domain": good.origin },
      facts,
    ]);
    keepLogin(good.origin, { token: "token-of-good", name: "tina", expires: expires() });
    await edgeFacts(bad.origin);
    expect(() => openEdge({ edge: bad.origin })).toThrow(/not logged in/);
    for (const request of bad.seen) expect(request.headers.authorization).toBeUndefined();
  });

  test("a redirect takes no token along", async () => {
    const other = await served(() => [200, {}, {}]);
    const edge = await served(() => [307, { location: `${other.origin}/api/tasks` }, {}]);
    keepLogin(edge.origin, { token: "token-of-edge", name: "tina", expires: expires() });
    await expect(call(openEdge({ edge: edge.origin }), "/api/tasks")).rejects.toThrow(/cannot be reached/);
    expect(edge.seen).toHaveLength(1);
    expect(other.seen).toHaveLength(0);
  });

  test("who logs in as somebody else meanwhile does not change who a running command is", async () => {
    const edge = await served(() => [200, {}, {}]);
    keepLogin(edge.origin, { token: "token-of-tina", name: "tina", expires: expires() });
    const opened = openEdge({ edge: edge.origin });
    keepLogin(edge.origin, { token: "token-of-lee", name: "lee", expires: expires() });
    await call(opened, "/api/tasks");
    expect(edge.seen[0]!.headers.authorization).toBe("Bearer token-of-tina");
  });

  test("a token goes over TLS, or to this machine", () => {
    for (const edge of ["http://edge.example.com", "http://10.0.0.1", "ftp://127.0.0.1"])
      expect(() => openEdge({ edge, token: "/dev/null" }), edge).toThrow();
  });
});
