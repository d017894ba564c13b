/** The edge in workerd under a small library of tasks, with a real OIDC provider beside it; both on loopback. */
import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Miniflare } from "miniflare";
import Provider from "oidc-provider";
import { freePort } from "../../client/dev/ports.ts";
import type { Bundle } from "../../policies/task.ts";
import type { WorkerBundle } from "../../scripts/bundle-worker.ts";
import { type EdgeSettings, runEdge } from "../../scripts/run-edge.ts";
import { testBundle } from "../../worker/grants/test-bundle.ts";

export interface IdentityEdge {
  readonly origin: string;
  readonly issuer: string;
  /** The runtime, for tests that put things into its stores. */
  readonly miniflare: Miniflare;
  /** An identity token of the provider for this account, as a client of the command line would have. */
  token(account: string): Promise<string>;
  close(): Promise<void>;
}

/** Groups by account of the provider. */
export const ACCOUNTS: Record<string, string[]> = {
  tina: ["support"],
  lee: ["support", "support-leads"],
  ada: ["admins"],
};

async function startProvider(redirectUri: string) {
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
  const server: Server = createServer(provider.callback());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const token = (account: string): Promise<string> =>
    new SignJWT({ name: account[0]!.toUpperCase() + account.slice(1), groups: ACCOUNTS[account] ?? [] })
      .setProtectedHeader({ alg: "ES256", kid: "p1" })
      .setIssuer(issuer)
      .setSubject(account)
      .setAudience("wicketgate")
      .setIssuedAt()
      .setExpirationTime("30m")
      .sign(pair.privateKey);
  return { issuer, server, token };
}

export interface IdentityEdgeOptions extends Pick<EdgeSettings, "log"> {
  /** Further variables of the Worker, given the provider's issuer. */
  readonly variables?: (issuer: string) => Readonly<Record<string, string>>;
  /** The tasks; a small made-up library when left out. */
  readonly policies?: Bundle;
  /** Instead of the edge's own code. */
  readonly bundle?: WorkerBundle;
}

/** Starts both. */
export async function startIdentityEdge(options: IdentityEdgeOptions = {}): Promise<IdentityEdge> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const provider = await startProvider(`${origin}/login/callback`);
  const key = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const issuer = {
    ...{ issuer: provider.issuer, audiences: ["wicketgate"], algorithms: ["ES256"], clientId: "wicketgate" },
    ...{ groupsClaim: "groups", scope: "openid profile groups" },
  };
  const settings: EdgeSettings = {
    ...{ host: "127.0.0.1", port, issuers: [issuer], adminGroups: ["admins"] },
    signingKey: await exportJWK(key.privateKey),
    policies: JSON.stringify(options.policies ?? testBundle()),
    ...(options.log ? { log: options.log } : {}),
    ...(options.variables ? { variables: options.variables(provider.issuer) } : {}),
  };
  const edge = await runEdge(settings, options.bundle);
  return {
    ...{ origin, issuer: provider.issuer, miniflare: edge.miniflare, token: provider.token },
    async close() {
      await edge.stop();
      provider.server.closeAllConnections();
      await new Promise((resolve) => provider.server.close(resolve));
    },
  };
}
