/**
 * The edge's identity, grants and console in workerd, with a real OIDC provider beside it; both on loopback.
 * Sessions are a stand-in that notes what it is told: these tests are about who may, not about bytes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { exportJWK, generateKeyPair } from "jose";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import Provider from "oidc-provider";

const root = join(import.meta.dirname, "..", "..");

export interface IdentityEdge {
  readonly origin: string;
  readonly issuer: string;
  close(): Promise<void>;
}

/** Groups by account of the provider. */
export const ACCOUNTS: Record<string, string[]> = {
  tina: ["support"],
  lee: ["support", "support-leads"],
  ada: ["admins"],
};

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

async function startProvider(redirectUri: string): Promise<{ issuer: string; server: Server }> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const pair = await generateKeyPair("ES256", { extractable: true });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "wicketgate",
        token_endpoint_auth_method: "none",
        redirect_uris: [redirectUri],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        id_token_signed_response_alg: "ES256",
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(pair.privateKey)), kid: "p1", use: "sig", alg: "ES256" }] },
    claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "profile", "groups"],
    pkce: { required: () => true },
    findAccount: (_context, sub) => ({
      accountId: sub,
      claims: () => ({ sub, name: sub[0]!.toUpperCase() + sub.slice(1), groups: ACCOUNTS[sub] ?? [] }),
    }),
    cookies: { keys: ["test"] },
    features: { devInteractions: { enabled: true } },
  });
  const server = createServer(provider.callback());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { issuer, server };
}

const ENTRY = `
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { consoleRoutes } from "./worker/console/routes.tsx";
import { grantRoutes } from "./worker/grants/routes.ts";
import { identityRoutes } from "./worker/identity/routes.ts";
import { testBundle } from "./worker/grants/test-bundle.ts";
export { GrantObject } from "./worker/grants/object.ts";
export class SessionObject extends DurableObject {
  kill() {} resolveHold() {} summary() { return { ended: null }; }
}
const bundle = testBundle();
const app = new Hono();
app.route("/", identityRoutes(bundle));
app.route("/", grantRoutes(bundle));
app.route("/", consoleRoutes(bundle));
export default app;
`;

/** Starts both. */
export async function startIdentityEdge(): Promise<IdentityEdge> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const provider = await startProvider(`${origin}/login/callback`);
  const bundled = await build({
    stdin: { contents: ENTRY, resolveDir: root, loader: "ts" },
    ...{ bundle: true, format: "esm", write: false, external: ["cloudflare:*", "node:*"] },
    ...{ conditions: ["workerd"], jsx: "automatic", jsxImportSource: "hono/jsx", target: "es2024" },
  });
  const key = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const issuer = {
    ...{ issuer: provider.issuer, audiences: ["wicketgate"], algorithms: ["ES256"], clientId: "wicketgate" },
    ...{ groupsClaim: "groups", scope: "openid profile groups" },
  };
  const options = {
    ...{ host: "127.0.0.1", port, modules: true, script: bundled.outputFiles[0]!.text },
    ...{ compatibilityDate: "2026-11-17", compatibilityFlags: ["nodejs_compat"] },
    durableObjects: {
      GRANTS: { className: "GrantObject", useSQLite: true },
      SESSIONS: { className: "SessionObject", useSQLite: true },
    },
    d1Databases: ["DB"],
    bindings: {
      ISSUERS: JSON.stringify([issuer]),
      EDGE_ORIGIN: origin,
      ADMIN_GROUPS: '["admins"]',
      SIGNING_KEY: JSON.stringify(await exportJWK(key.privateKey)),
    },
  };
  const miniflare = new Miniflare(convertV4MiniflareOptions(options as never) as never);
  await miniflare.ready;
  const database = await miniflare.getD1Database("DB");
  for (const file of readdirSync(join(root, "migrations")).sort()) {
    const text = readFileSync(join(root, "migrations", file), "utf8");
    for (const statement of text.split(/;\s*$/m)) {
      if (statement.replace(/--.*$/gm, "").trim() !== "") await database.prepare(statement).run();
    }
  }
  return {
    ...{ origin, issuer: provider.issuer },
    async close() {
      await miniflare.dispose();
      provider.server.closeAllConnections();
      await new Promise((resolve) => provider.server.close(resolve));
    },
  };
}
