/** The whole edge in workerd with an identity provider beside it, for end-to-end tests. All on loopback. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { freePort } from "../../client/dev/ports.ts";
import type { Bundle, Task } from "../../policies/task.ts";
import { buildPolicies } from "../../scripts/build-policies.ts";
import { type RunningEdge, runEdge } from "../../scripts/run-edge.ts";
import { formatVerifierKey, NOTE_ED25519, noteSignerFromJwk } from "../../wire/log/note.ts";

/** Groups by person. */
export const PEOPLE: Record<string, string[]> = {
  tina: ["support"],
  lee: ["support", "support-leads"],
  ana: ["analysts"],
  omar: ["warehouse"],
  ada: ["admins", "analysts"],
};

export interface EdgeLab {
  readonly edge: RunningEdge;
  readonly origin: string;
  readonly bundle: Bundle;
  /** Lines of the runtime's log. */
  readonly log: string[];
  token(person: string, claims?: Record<string, unknown>): Promise<string>;
  /** An API request as a person; the body of the answer is JSON or null. */
  call(
    person: string | null,
    method: string,
    path: string,
    body?: unknown,
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  ): Promise<{ status: number; body: any; headers: Headers }>;
  /** Waits until `look` gives something. */
  until<T>(look: () => Promise<T | null | undefined | false>, what: string): Promise<T>;
  stop(): Promise<void>;
}

/** The library's tasks, and some that tests need: no limits, a short life, a short patience, approval. */
function testTasks(bundle: Bundle): Bundle {
  const base = bundle.tasks["orders-analyst"]!;
  const none = { rows: null, statements: null, bytes: null, statementTimeoutMs: 600_000, lookups: null };
  const session = { ttlMs: 3_600_000, idleMs: 3_600_000, maxConcurrent: null };
  const variant = (name: string, digit: string, more: Partial<Task>): [string, Task] => [
    name,
    { ...base, name, digest: digit.repeat(64), limits: none, session, ...more },
  ];
  return {
    ...bundle,
    tasks: {
      ...bundle.tasks,
      ...Object.fromEntries([
        variant("unlimited", "a", {}),
        variant("brief", "b", { session: { ...session, ttlMs: 2_000 } }),
        variant("impatient", "c", { session: { ...session, idleMs: 1_000 } }),
        variant("single", "d", { session: { ...session, maxConcurrent: 1 } }),
        variant("lenient", "1", { recording: { ...base.recording, onFailure: "continue" } }),
        variant("sealed", "f", { recording: { ...base.recording, sealed: true } }),
        variant("held", "e", {
          approval: { from: { groups: ["support-leads"] }, count: 1, expiresMs: 900_000 },
          rules: base.rules.map((rule) => ({ ...rule, approval: "statement" as const })),
        }),
      ]),
    },
  };
}

export interface EdgeLabOptions {
  /** As the Worker's `DIAL_SECONDS`; default: long, for a machine that does much else. */
  readonly dialSeconds?: number;
  readonly state?: string;
  /** In place of the library's tasks. */
  readonly bundle?: Bundle;
  /** Witnesses of the log whose key is given. */
  witnesses?(logKey: string): Promise<readonly { url: string; key: string }[]>;
}

export async function startEdgeLab(options: EdgeLabOptions = {}): Promise<EdgeLab> {
  const built = options.bundle ?? (await buildPolicies());
  if (!built) throw new Error("the library has errors");
  const bundle = options.bundle ?? testTasks(built);
  const pair = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  const provider: Server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/keys") response.end(JSON.stringify({ keys: [jwk] }));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const signing = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const log: string[] = [];
  const port = await freePort();
  const signingKey = await exportJWK(signing.privateKey);
  const logSigner = await noteSignerFromJwk(`127.0.0.1:${port}/log`, NOTE_ED25519, signingKey);
  const witnesses = await options.witnesses?.(formatVerifierKey(logSigner!));
  const edge = await runEdge({
    host: "127.0.0.1",
    port,
    issuers: [{ issuer, audiences: ["wicketgate"], algorithms: ["ES256"], jwksUri: `${issuer}/keys` }],
    adminGroups: ["admins"],
    signingKey,
    policies: JSON.stringify(bundle),
    log: (line) => log.push(line),
    variables: { DIAL_SECONDS: String(options.dialSeconds ?? 100) },
    ...(options.state === undefined ? {} : { state: options.state }),
    ...(witnesses ? { witnesses } : {}),
  });
  const token = (person: string, claims: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({ name: person, groups: PEOPLE[person] ?? [], ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuer(issuer)
      .setSubject(person)
      .setAudience("wicketgate")
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(pair.privateKey);
  return {
    ...{ edge, origin: edge.origin, bundle, log, token },
    async call(person, method, path, body) {
      const headers: Record<string, string> = {};
      if (person !== null) headers["authorization"] = `Bearer ${await token(person)}`;
      if (body !== undefined) headers["content-type"] = "application/json";
      const answer = await fetch(edge.origin + path, {
        ...{ method, headers, redirect: "manual" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const json = /json/.test(answer.headers.get("content-type") ?? "") && text !== "";
      return { status: answer.status, body: json ? JSON.parse(text) : null, headers: answer.headers };
    },
    async until(look, what) {
      const end = Date.now() + 60_000;
      for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async stop() {
      await edge.stop();
      await new Promise((resolve) => {
        provider.close(resolve);
        provider.closeAllConnections();
      });
    },
  };
}
