/** Test support: the API and OAuth routes over a small library, with providers inside the test. */
import { env as bindings } from "cloudflare:workers";
import { Hono } from "hono";
import { exportJWK, generateKeyPair } from "jose";
import { vi } from "vitest";
import type { Bundle } from "../../policies/task.ts";
import { migrate } from "../audit/test-database.ts";
import type { ApiEnv, CallerRoutes } from "../identity/http.ts";
import { identityRoutes } from "../identity/routes.ts";
import { createTestIssuer, type TestIssuer } from "../identity/test-issuer.ts";
import { grantRoutes } from "./routes.ts";
import { testBundle } from "./test-bundle.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
export type JsonBody = Record<string, any>;

export const TEST_ORIGIN = "https://edge.example.com";

export interface TestEdge {
  readonly env: ApiEnv;
  readonly issuer: TestIssuer;
  readonly bundle: Bundle;
  readonly app: Hono<CallerRoutes>;
  /** A request with a person's token (or none), JSON or form body by its type. */
  call(
    method: string,
    path: string,
    by: string | null,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: JsonBody; headers: Headers }>;
  tokenOf(subject: string): Promise<string>;
}

/** Groups of the people of the tests. */
export const PEOPLE: Record<string, string[]> = {
  tina: ["support"],
  lee: ["support", "support-leads"],
  kim: ["support-leads"],
  omar: ["warehouse"],
  ada: ["admins"],
  bot: ["support"],
  stray: [],
};

let made = 0;

/** A fresh edge with its own issuer; call inside a test file's `beforeAll`. Stubs the global `fetch`. */
export async function createTestEdge(
  more?: (app: Hono<CallerRoutes>, bundle: Bundle) => void,
): Promise<TestEdge> {
  made += 1;
  const issuer = await createTestIssuer(
    `https://people${made}-${crypto.randomUUID().slice(0, 8)}.example.com`,
  );
  vi.stubGlobal("fetch", async (input: string) => {
    const url = new URL(input);
    return (
      (url.origin === issuer.url && issuer.answer(url.pathname)) || new Response("stray", { status: 404 })
    );
  });
  const key = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const env = {
    ...(bindings as unknown as ApiEnv),
    ISSUERS: JSON.stringify([issuer.config]),
    EDGE_ORIGIN: TEST_ORIGIN,
    ADMIN_GROUPS: '["admins"]',
    SIGNING_KEY: JSON.stringify(await exportJWK(key.privateKey)),
  };
  await migrate(env.DB);
  const bundle = testBundle();
  const app = new Hono<CallerRoutes>();
  app.route("/", identityRoutes(bundle));
  app.route("/", grantRoutes(bundle));
  more?.(app, bundle);
  const tokenOf = (subject: string): Promise<string> =>
    issuer.sign({ sub: subject, name: subject, groups: PEOPLE[subject] });
  return {
    ...{ env, issuer, bundle, app, tokenOf },
    async call(method, path, by, body, headers = {}) {
      const all = new Headers(headers);
      if (by !== null) all.set("authorization", `Bearer ${by.includes(".") ? by : await tokenOf(by)}`);
      let payload: string | null = null;
      if (body instanceof URLSearchParams) {
        payload = body.toString();
        all.set("content-type", "application/x-www-form-urlencoded");
      } else if (body !== undefined) payload = JSON.stringify(body);
      const response = await app.request(
        `${TEST_ORIGIN}${path}`,
        { method, headers: all, body: payload },
        env,
      );
      const text = await response.text();
      let json: JsonBody = { text };
      if (
        /json/.test(response.headers.get("content-type") ?? "") &&
        !/ndjson/.test(response.headers.get("content-type")!)
      ) {
        json = JSON.parse(text) as JsonBody;
      }
      return { status: response.status, body: json, headers: response.headers };
    },
  };
}
