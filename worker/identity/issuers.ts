/**
 * The issuers whose tokens this edge accepts, from the variable `ISSUERS`. A token of any other issuer is
 * refused before anything is fetched.
 */
import * as v from "valibot";

/** Signature algorithms that a configuration may name: asymmetric ones only (RFC 8725, section 3.1). */
export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

const names = v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(512))), v.minLength(1));

const issuerSchema = v.strictObject({
  /** Compared byte for byte with `iss` (OpenID Connect Core, section 3.1.3.7). */
  issuer: v.pipe(v.string(), v.check(isIssuerUrl, "must be an https URL (http only on a loopback address)")),
  /** Accepted `aud` values; every member of a token's `aud` must be one of them. */
  audiences: names,
  /** Accepted `azp` values when they differ from the audiences. */
  authorizedParties: v.optional(names),
  algorithms: v.optional(v.pipe(v.array(v.picklist(ALGORITHMS)), v.minLength(1)), ["RS256", "ES256"]),
  /** Name of the claim that lists groups; absent = tokens of this issuer carry no groups. */
  groupsClaim: v.optional(v.pipe(v.string(), v.minLength(1)), "groups"),
  /** Group name at the issuer to group name in policies. When given, groups it does not name are dropped. */
  groupMap: v.optional(v.record(v.string(), v.string())),
  /** Where the keys are; absent = from the issuer's discovery document. */
  jwksUri: v.optional(v.pipe(v.string(), v.url())),
  /** This edge's own registration there, for sign-in through the browser; absent = bearer tokens only. */
  clientId: v.optional(v.pipe(v.string(), v.minLength(1))),
  clientSecret: v.optional(v.pipe(v.string(), v.minLength(1))),
  /** Scopes asked for at sign-in. */
  scope: v.optional(v.string(), "openid profile email groups"),
  /** Shown on the sign-in page. */
  label: v.optional(v.string()),
});

export type Issuer = v.InferOutput<typeof issuerSchema>;

const issuersSchema = v.pipe(
  v.array(issuerSchema),
  v.check((list) => new Set(list.map((one) => one.issuer)).size === list.length, "names one issuer twice"),
);

const parsed = new Map<string, readonly Issuer[]>();

/**
 * The configured issuers. `value` is the variable as wrangler gives it: JSON text, or the array itself.
 * Throws an Error that says what is wrong: a deployment that cannot say whom it trusts must not answer.
 */
export function issuersFrom(value: unknown): readonly Issuer[] {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? []);
  const known = parsed.get(text);
  if (known) return known;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error("ISSUERS is not JSON");
  }
  const result = v.safeParse(issuersSchema, json);
  if (!result.success) {
    const first = result.issues[0];
    throw new Error(`ISSUERS: ${v.getDotPath(first) ?? "the list"}: ${first.message}`);
  }
  for (const issuer of result.output) {
    if (issuer.jwksUri && !mayFetch(issuer.jwksUri, issuer.issuer)) {
      throw new Error(`ISSUERS: jwksUri of ${issuer.issuer} may not be fetched`);
    }
  }
  if (parsed.size > 16) parsed.clear();
  parsed.set(text, result.output);
  return result.output;
}

/** The issuer with exactly this identifier; null for any other spelling. */
export function findIssuer(issuers: readonly Issuer[], iss: unknown): Issuer | null {
  return issuers.find((one) => one.issuer === iss) ?? null;
}

function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.search || url.hash) return false;
  return url.protocol === "https:"
    ? !isPrivateHost(url.hostname)
    : url.protocol === "http:" && isLoopback(url);
}

/**
 * True when the edge may fetch `text` for the sake of `issuer`: https to a public name, or, when the issuer
 * itself is configured on loopback (local development), http to loopback.
 */
export function mayFetch(text: string, issuer: string): boolean {
  const url = URL.parse(text);
  const owner = URL.parse(issuer);
  if (!url || !owner || url.username || url.password) return false;
  if (isLoopback(owner)) return isLoopback(url) && (url.protocol === "http:" || url.protocol === "https:");
  return url.protocol === "https:" && !isPrivateHost(url.hostname);
}

function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(url.hostname);
}

/**
 * True for names and literal addresses that are never a public identity provider. `hostname` comes from a
 * parsed URL, so IPv4 in decimal, octal or hexadecimal form is already dotted.
 */
function isPrivateHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  if (host === "localhost" || /\.(localhost|local|internal|home\.arpa)$/.test(host)) return true;
  // An address literal has no place in a provider's URL: refuse all of them rather than list the bad ranges.
  return host.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || !host.includes(".");
}
