/** Test support: an identity provider inside the test, answering through a stubbed `fetch`. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

export interface TestIssuer {
  readonly url: string;
  readonly config: { issuer: string; audiences: string[]; algorithms: string[]; groupsClaim: string };
  sign(claims?: JWTPayload, header?: Record<string, unknown>): Promise<string>;
  /** Makes a new key; returns its id. The old one is published on. */
  rotate(): Promise<string>;
  readonly privateKey: CryptoKey;
  /** Answers of the provider by path; counted. */
  answer(path: string): Response | null;
  readonly fetches: string[];
}

/** Now in seconds. */
export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

export async function createTestIssuer(url: string, kid = "k1", algorithm = "ES256"): Promise<TestIssuer> {
  const pairs: { kid: string; privateKey: CryptoKey; publicKey: CryptoKey }[] = [];
  const add = async (id: string): Promise<string> => {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    pairs.unshift({ kid: id, ...pair });
    return id;
  };
  await add(kid);
  const fetches: string[] = [];
  const published: object[] = [];
  const publish = async (): Promise<void> => {
    published.length = 0;
    for (const pair of pairs) {
      published.push({ ...(await exportJWK(pair.publicKey)), kid: pair.kid, use: "sig", alg: algorithm });
    }
  };
  await publish();
  return {
    url,
    config: { issuer: url, audiences: ["wicketgate"], algorithms: [algorithm], groupsClaim: "groups" },
    fetches,
    get privateKey() {
      return pairs[0]!.privateKey;
    },
    async rotate() {
      const id = await add(`k${pairs.length + 1}`);
      await publish();
      return id;
    },
    answer(path) {
      fetches.push(path);
      if (path === "/.well-known/openid-configuration") {
        return Response.json({ issuer: url, jwks_uri: `${url}/keys` });
      }
      return path === "/keys" ? Response.json({ keys: published }) : null;
    },
    async sign(claims = {}, header = {}) {
      const base = {
        iss: url,
        sub: "tina",
        aud: "wicketgate",
        iat: seconds(),
        exp: seconds() + 300,
        groups: ["support"],
      };
      const payload = Object.fromEntries(
        Object.entries({ ...base, ...claims }).filter(([, value]) => value !== undefined),
      );
      return new SignJWT(payload)
        .setProtectedHeader({ alg: algorithm, kid: pairs[0]!.kid, ...header })
        .sign(pairs[0]!.privateKey);
    },
  };
}
