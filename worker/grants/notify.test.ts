import { runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { exportJWK, generateKeyPair } from "jose";
import { afterEach, expect, test, vi } from "vitest";
import type { AuditEvent } from "../audit/events.ts";
import { deliver, deliveriesFor, Notifications, retryAfter } from "./notify.ts";
import type { GrantsEnv } from "./open.ts";

afterEach(() => vi.unstubAllGlobals());

const event = {
  ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", time: 1_700_000_000_000, type: "grant.requested", severity: "info" },
  ...{ grant: "0-1", task: "refund", resource: "orders-db" },
  data: { kind: "request", params: { customer: "7" }, statedReason: "INC-7", durationMs: 1, needed: 1 },
} as AuditEvent;

async function setUp() {
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const env = {
    WEBHOOKS:
      '[{"url":"https://hooks.example.com/a"},{"url":"https://10.0.0.1/x"},{"url":"http://hooks.example.com/"}]',
    SIGNING_KEY: JSON.stringify(await exportJWK(pair.privateKey)),
    EDGE_ORIGIN: "https://edge.example.com",
  };
  return { pair, env };
}

test("goes to public https endpoints only, and says no parameter and no reason", async () => {
  const { env } = await setUp();
  const deliveries = deliveriesFor(env, event);
  expect(deliveries.map((one) => one.url)).toEqual(["https://hooks.example.com/a"]);
  expect(deliveries[0]!.body).toContain("/requests/0-1");
  expect(deliveries[0]!.body).not.toMatch(/INC-7|customer/);
  expect(deliveriesFor({ ...env, WEBHOOKS: "[" }, event)).toEqual([]);
});

test("is signed as Standard Webhooks v1a, verifiable with the published key", async () => {
  const { env, pair } = await setUp();
  const sent: { headers: Headers; body: string }[] = [];
  vi.stubGlobal("fetch", async (_url: string, init: RequestInit) => {
    sent.push({ headers: new Headers(init.headers), body: String(init.body) });
    return new Response(null, { status: 204 });
  });
  expect(await deliver(env, deliveriesFor(env, event)[0]!, 1_700_000_001_000)).toBeNull();
  const { headers, body } = sent[0]!;
  const signed = `${headers.get("webhook-id")}.${headers.get("webhook-timestamp")}.${body}`;
  const [version, signature] = headers.get("webhook-signature")!.split(",");
  expect(version).toBe("v1a");
  const bytes = Uint8Array.from(atob(signature!), (letter) => letter.charCodeAt(0));
  expect(await crypto.subtle.verify("Ed25519", pair.publicKey, bytes, new TextEncoder().encode(signed))).toBe(
    true,
  );
});

test("a failing endpoint is tried again, later and later, and given up", async () => {
  const { env } = await setUp();
  vi.stubGlobal("fetch", async () => new Response(null, { status: 500 }));
  expect(await deliver(env, deliveriesFor(env, event)[0]!, 0)).toBe("answered 500");
  const waits = [1, 2, 3, 4, 5, 6].map((tries) => retryAfter(tries)!);
  expect([...waits].sort((a, b) => a - b)).toEqual(waits);
  expect(retryAfter(7)).toBeNull();
});

test("what was not taken stays in the object and is sent when it is due", async () => {
  const { env } = await setUp();
  const { GRANTS } = bindings as unknown as GrantsEnv;
  let up = false;
  let calls = 0;
  vi.stubGlobal("fetch", async () => {
    calls += 1;
    return new Response(null, { status: up ? 200 : 500 });
  });
  await runInDurableObject(GRANTS.get(GRANTS.idFromName("notify")), async (_object, state) => {
    const notifications = new Notifications(state.storage.sql, env);
    notifications.add(event);
    notifications.add(event);
    expect(await notifications.send(1000)).toEqual({ tried: 1, sent: [], givenUp: [] });
    expect(notifications.nextDue).toBe(6000);
    expect(await notifications.send(5999)).toEqual({ tried: 0, sent: [], givenUp: [] });
    up = true;
    expect((await notifications.send(6000)).sent).toEqual([
      { endpoint: "hooks.example.com", event: "grant.requested", grant: "0-1", tries: 2 },
    ]);
    expect(notifications.nextDue).toBeNull();
    expect(calls).toBe(2);
    up = false;
    notifications.add({ ...event, id: "01ARZ3NDEKTSV4RRFFQ69G5FAW" });
    let now = 10_000;
    let givenUp: unknown[] = [];
    while (notifications.nextDue !== null) {
      now = Math.max(now, notifications.nextDue);
      givenUp = (await notifications.send(now)).givenUp;
    }
    expect(givenUp).toEqual([{ endpoint: "hooks.example.com", grant: "0-1", message: "answered 500" }]);
  });
});
