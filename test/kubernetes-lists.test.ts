/** Large lists through the door: what arrives is what the cluster said, however slowly it is read. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubeTask, rule } from "../policies/kubernetes/task.fixture.ts";
import { type Door, startDoor } from "./apiserver/door.ts";
import { kinds } from "./apiserver/kinds.ts";
import { type ApiServer, startApiServer } from "./apiserver/server.ts";

const PODS = 3000;
const PATH = "/api/v1/namespaces/shop/pods";
let api: ApiServer;
let door: Door;

beforeAll(async () => {
  api = await startApiServer();
  const kind = kinds.find(({ kind }) => kind === "Pod")!;
  for (let i = 0; i < PODS; i++) {
    const env = Array.from({ length: 8 }, (_, n) => ({
      ...{ name: `SETTING_${n}`, value: `${"v".repeat(n)}-${i}` },
    }));
    const note = `é😀 "{[,]}\\ ${"x".repeat(i % 700)}`;
    const metadata = { name: `many-${i}`, namespace: "shop", labels: { half: String(i % 2) } };
    api.store.put(
      kind,
      { kind: "Pod", apiVersion: "v1", metadata, spec: { containers: [{ name: "c", env }] }, note },
      false,
    );
  }
  const reads = { resources: ["pods"], verbs: ["get", "list"], namespaces: ["shop"] } as const;
  const mask = { "spec.containers[*].env[*].value": { kind: "constant", value: "a longer text" } } as const;
  const target = {
    ...{ url: api.url, ca: api.ca, impersonate: true },
    credential: () => [["authorization", `Bearer ${api.token}`]] as const,
  };
  const tasks = {
    plain: kubeTask([rule(reads)]),
    masked: kubeTask([rule({ ...reads, mask })]),
    half: kubeTask([rule({ ...reads, mask, labels: { half: "1" } })]),
  };
  door = await startDoor(tasks, { plain: target, masked: target, half: target });
});
afterAll(async () => {
  await door?.close();
  await api?.close();
});

interface Item {
  readonly metadata: { readonly labels?: Record<string, string> };
  readonly spec: { readonly containers: readonly { readonly env?: { value: string }[] }[] };
}

async function list(
  url: string,
  ca: string,
  token: string,
  read: (response: IncomingMessage) => Promise<Buffer>,
): Promise<{ items: Item[] }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
    request(url, { ca, headers, agent: false }, resolve).on("error", reject).end();
  });
  expect(response.statusCode).toBe(200);
  return JSON.parse((await read(response)).toString());
}

async function whole(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts);
}

/** Stops reading again and again, so that every hop waits. */
async function haltingly(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    parts.push(part);
    size += part.length;
    if (size < 300_000) continue;
    size = 0;
    await wait(20);
  }
  return Buffer.concat(parts);
}

function masked(items: readonly Item[]): Item[] {
  return structuredClone(items).map((item) => {
    for (const { env } of (item as Item).spec.containers) {
      for (const one of env ?? []) if ("value" in one) one.value = "a longer text";
    }
    return item as Item;
  });
}

/** Megabytes: a difference is not printed. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

test.each([
  ["read at once", whole],
  ["read haltingly", haltingly],
])(
  "a list of thousands, %s, is the cluster's own",
  async (_, read) => {
    const { items } = await list(api.url + PATH, api.ca, api.token, whole);
    expect(items.length).toBeGreaterThanOrEqual(PODS);
    // At once and side by side: each has its own memory.
    const [plain, other, half] = await Promise.all(
      ["plain", "masked", "half"].map((task) =>
        list(`${door.url}/k8s/${task}${PATH}`, door.ca, door.token, read),
      ),
    );
    expect(same(plain!.items, items)).toBe(true);
    expect(same(other!.items, masked(items))).toBe(true);
    const shown = items.filter(({ metadata }) => metadata.labels?.["half"] === "1");
    expect(same(half!.items, masked(shown))).toBe(true);
  },
  60_000,
);
