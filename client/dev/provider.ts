/**
 * The identity provider of `wicket dev`: a real OpenID provider on loopback whose people are those of
 * people.yaml. Beside the ordinary browser login it hands out ready-made id tokens, to programs on this machine
 * only; nobody has a password here.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { importJWK, type JWK, SignJWT } from "jose";
import Provider from "oidc-provider";
import type { Person } from "../../policies/compile.ts";

/** The audience of its tokens, and the edge's client id. */
export const AUDIENCE = "wicketgate";
const TOKEN_LIFE = "12h";
/** Claims of the protocol that people.yaml cannot set. */
const PROTOCOL_CLAIMS = new Set(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "groups"]);

export interface ProviderOptions {
  readonly port: number;
  /** Private ES256 JWK with `kid`. */
  readonly key: JWK;
  readonly cookieSecret: string;
  /** Origin of the edge. */
  readonly edge: string;
  readonly people: ReadonlyMap<string, Person>;
}

export interface DevProvider {
  readonly issuer: string;
  /** Where id tokens are handed out: POST {"name": …}. */
  readonly demoLogin: string;
  /** As the edge's `ISSUERS` has it. */
  readonly config: object;
  token(person: Person): Promise<string>;
  stop(): Promise<void>;
}

export async function startProvider(options: ProviderOptions): Promise<DevProvider> {
  const { port, key, people, edge } = options;
  const issuer = `http://127.0.0.1:${port}`;
  const signing = await importJWK(key, "ES256");
  const token = ({ name, groups, claims }: Person): Promise<string> => {
    const more = Object.entries(claims).filter(([claim]) => !PROTOCOL_CLAIMS.has(claim));
    return new SignJWT({ name, ...Object.fromEntries(more), groups: [...groups] })
      .setProtectedHeader({ alg: "ES256", kid: key.kid!, typ: "JWT" })
      .setIssuer(issuer)
      .setSubject(name)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime(TOKEN_LIFE)
      .sign(signing);
  };
  const speakAgain = silenceProvider();
  const provider = createProvider(options, issuer);
  const answer = provider.callback();
  const server = createServer((request, response) => {
    if (request.url === "/demo/login") void demoLogin(request, response, `127.0.0.1:${port}`, people, token);
    else void answer(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    issuer,
    demoLogin: `${issuer}/demo/login`,
    config: {
      ...{ issuer, audiences: [AUDIENCE], algorithms: ["ES256"], groupsClaim: "groups" },
      ...{ clientId: AUDIENCE, scope: "openid profile groups", label: `the demo people of ${edge}` },
    },
    token,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          speakAgain();
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function createProvider({ key, cookieSecret, edge, people }: ProviderOptions, issuer: string): Provider {
  return new Provider(issuer, {
    clients: [
      {
        client_id: AUDIENCE,
        token_endpoint_auth_method: "none",
        redirect_uris: [`${edge}/login/callback`],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        id_token_signed_response_alg: "ES256",
      },
    ],
    jwks: { keys: [{ ...key, use: "sig", alg: "ES256" } as never] },
    claims: { openid: ["sub"], profile: ["name", "email"], groups: ["groups"] },
    scopes: ["openid", "profile", "groups"],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: [cookieSecret] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, sub) => {
      const person = people.get(sub);
      if (!person) return undefined;
      const { name, groups, claims } = person;
      return { accountId: sub, claims: () => ({ name, ...claims, groups: [...groups], sub }) };
    },
  });
}

/**
 * The provider warns on the console of its development pages and defaults, which are meant here; stdout belongs to
 * `--json`. Returns what takes that back.
 */
function silenceProvider(): () => void {
  const { info, warn } = console;
  const other =
    (write: typeof info) =>
    (...words: unknown[]): void => {
      if (!String(words[0]).includes("oidc-provider ")) write(...words);
    };
  console.info = other(info);
  console.warn = other(warn);
  return () => Object.assign(console, { info, warn });
}

/** No page of a browser gets here: another site's could not send JSON without being asked first. */
async function demoLogin(
  request: IncomingMessage,
  response: ServerResponse,
  host: string,
  people: ReadonlyMap<string, Person>,
  token: (person: Person) => Promise<string>,
): Promise<void> {
  const send = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(body));
  };
  const { headers, method } = request;
  const json = headers["content-type"]?.startsWith("application/json") ?? false;
  if (method !== "POST" || !json || headers.host !== host || headers.origin !== undefined) {
    send(400, { error: "POST JSON from a program on this machine" });
    return;
  }
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > 4096) break;
  }
  let name: unknown;
  try {
    name = (JSON.parse(text) as { name?: unknown }).name;
  } catch {
    name = undefined;
  }
  const person = typeof name === "string" ? people.get(name) : undefined;
  if (person) send(200, { id_token: await token(person) });
  else send(404, { error: "there is no such person", people: [...people.keys()] });
}
