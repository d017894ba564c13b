/** Attacks on the doors for clusters, tried on the whole system: who asks, and how. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  cluster,
  count,
  execPath,
  get,
  head,
  pods,
  raw,
  startAttackLab,
  stopAttackLab,
  stream,
  tina,
} from "./support/attack-lab.ts";

beforeAll(startAttackLab);
afterAll(stopAttackLab);

describe("who asks", () => {
  test("H1 a page of another origin opens no stream and reads nothing, whatever its token or cookie", async () => {
    const before = count();
    const origin = { origin: "https://evil.example" };
    const path = execPath("prod-cluster", "cat");
    expect(await stream(path, { ...tina("operate"), ...origin })).toBe(403);
    expect(await stream(path, { cookie: "__Host-wicket=x", ...origin })).toBe(403);
    expect(await stream(path, { cookie: "__Host-wicket=x" })).toBe(401);
    expect(await get(pods, "Origin: https://evil.example\r\n")).toMatch(
      /^HTTP\/1.1 403[\s\S]*ORIGIN_FOREIGN/,
    );
    expect(count()).toBe(before);
  });
  test("H4 a client's own headers of ours change neither who it is nor what it may do", async () => {
    const context = JSON.stringify({
      session: "rq-x",
      task: "careful",
      path: "/",
      identity: { subject: "lee" },
    });
    const answer = await get(
      "/api/v1/namespaces/shop/secrets/web",
      `Wicket-Context: ${context}\r\nWicket-Connector: demo\r\nWicket-Ticket: x\r\nCf-Access-Jwt-Assertion: x\r\nX-Forwarded-User: lee\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 200/);
    const { headers } = cluster.api.seen.at(-1)!;
    expect(headers["impersonate-user"]).toBe("wicket:tina");
    expect(Object.keys(headers).filter((name) => /^(wicket|cf|x-forwarded)/.test(name))).toEqual([]);
  });
  test("H11 ids of somebody else's session, grant and channel open nothing", async () => {
    const { system } = cluster;
    await get(pods);
    const [session] = (await system.api("tina", "/api/sessions?task=operate")).body.sessions;
    expect(session.id).toMatch(/^rq-/);
    for (const [path, method] of [
      [`/api/sessions/${session.id}`, "GET"],
      [`/api/sessions/${session.id}/recording`, "GET"],
      [`/api/sessions/${session.id}/recording/0`, "GET"],
      [`/api/sessions/${session.id}/kill`, "POST"],
      [`/api/requests/${session.grant}`, "GET"],
      [`/api/requests/${session.grant}/revoke`, "POST"],
    ] as const) {
      const body = method === "POST" ? { body: "{}", headers: { "content-type": "application/json" } } : {};
      const { status } = await system.api("omar", path, { method, ...body });
      expect([path, [403, 404].includes(status)]).toEqual([path, true]);
    }
    // A channel is for the connector with the ticket; neither a person nor nobody has one.
    const channel = `/connector/sessions/${session.id}.1`;
    expect(await stream(channel, tina("operate"), ["wicket.connector.v1"])).toBe(401);
    expect(await stream(channel, {}, ["wicket.connector.v1"])).toBe(401);
    expect((await system.api("tina", `/api/sessions/${session.id}`)).body.ended).toBeNull();
  });
  test("H11 a token for one grant is for no other resource and no other room", async () => {
    const { system } = cluster;
    const answer = await fetch(`${system.edge}/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: system.people["tina"]!,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        authorization_details: JSON.stringify([{ type: "task", task: "operate" }]),
      }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const call = (path: string) =>
      fetch(system.edge + path, { headers: { authorization: `Bearer ${token}` } }).then(
        ({ status }) => status,
      );
    expect(await call(`/k8s/prod-cluster${pods}`)).toBe(200);
    expect(await call(`/k8s/hostile${pods}`)).toBe(401);
    expect(await call("/api/sessions")).toBeGreaterThanOrEqual(401);
    expect(await call("/log/read")).toBeGreaterThanOrEqual(401);
  });
});

describe("how it is asked", () => {
  test.each([
    ["CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ["two lengths", "Content-Length: 0\r\nContent-Length: 60\r\n", ""],
    ["folded header", "X-A: b\r\n c: d\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
  ])("H2 %s smuggles no second request", async (_, headers, body) => {
    const smuggled = `GET /k8s/prod-cluster/api/v1/namespaces/billing/secrets HTTP/1.1\r\nHost: x\r\n\r\n`;
    const before = count();
    await raw(
      `POST /k8s/prod-cluster/api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: x\r\n${head()}Content-Type: application/json\r\n${headers}\r\n${body}${smuggled}`,
      1000,
    );
    expect(cluster.api.seen.slice(before).filter(({ target }) => target.includes("billing"))).toEqual([]);
  });
  test.each([
    "/api/v1/namespaces/shop%2F..%2Fbilling/secrets",
    "/api/v1/namespaces/shop/../billing/pods",
    "/api/v1/namespaces/shop/%2e%2e/billing/pods",
    "/api/v1/namespaces/shop/%252e%252e/billing/pods",
    "/api/v1//namespaces/billing/pods",
    "/api/v1/namespaces/shop;x=/../billing/pods",
    "/api/v1/namespaces/shop/pods%00",
    "\\..\\..\\api\\v1\\namespaces\\billing\\pods",
  ])("H3 K2 %s reaches nothing", async (path) => {
    const before = count();
    expect(await get(path)).toMatch(/^HTTP\/1.1 (400|403|404)/);
    expect(cluster.api.seen.slice(before).filter(({ target }) => target.includes("billing"))).toEqual([]);
  });
  test("H5 Host and absolute targets choose neither the cluster nor the edge's name", async () => {
    const before = count();
    const path = `/k8s/prod-cluster${pods}`;
    const evil = await raw(
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\n${head()}Connection: close\r\n\r\n`,
    );
    expect(evil).not.toContain("evil.example");
    for (const { headers } of cluster.api.seen.slice(before))
      expect(headers.host).toBe(new URL(cluster.api.url).host);
    const reached = count();
    const absolute = await raw(
      `GET https://169.254.169.254${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head()}Connection: close\r\n\r\n`,
    );
    expect(absolute).not.toContain("169.254");
    for (const { headers } of cluster.api.seen.slice(reached))
      expect(headers.host).toBe(new URL(cluster.api.url).host);
  });
  test("H8 endless and huge bodies and headers before anyone is known are not read", async () => {
    const before = count();
    const post = "POST /k8s/prod-cluster/api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: x\r\n";
    const nobody = await raw(`${post}Content-Length: 9999999999\r\n\r\n${"x".repeat(100_000)}`);
    // Refused, or closed on: a connection that is cut before all was read loses the answer.
    expect(nobody).toMatch(/^HTTP\/1.1 (401|413)|^$/);
    const chunk = `10000\r\n${"y".repeat(65_536)}\r\n`;
    const endless = await raw(`${post}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(64)}`);
    expect(endless).toMatch(/^HTTP\/1.1 401|^$/);
    const headers = Array.from({ length: 40_000 }, (_, i) => `X-H${i}: ${"z".repeat(50)}\r\n`).join("");
    expect(await get(pods, headers)).not.toMatch(/^HTTP\/1.1 200/);
    expect(count()).toBe(before);
    // Known, and too much: the cluster does not see it either.
    const large = await raw(
      `${post}${head()}Content-Type: application/json\r\nContent-Length: 20000000\r\n\r\n${"1".repeat(20_000_000)}`,
      5000,
    );
    expect(large).toMatch(/^HTTP\/1.1 413|^$/);
    expect(cluster.api.seen.slice(before).filter(({ method }) => method === "POST")).toEqual([]);
    expect(await get(pods)).toMatch(/^HTTP\/1.1 200/);
  });
  test.each(["/metrics", "/debug/pprof/", "/logs/", "/api/v1/nodes/node-1/proxy/metrics", "/configz"])(
    "H10 K2 %s of the cluster is not reached",
    async (path) => {
      const before = count();
      expect(await get(path)).toMatch(/^HTTP\/1.1 (400|403|404)/);
      expect(count()).toBe(before);
    },
  );
});
