/**
 * The signing keys of the configured issuers. One fetch serves all isolates of a location (Cache API), all
 * requests of an isolate (memory) and all requests that wait at the same time (single flight). A provider
 * that fails is not asked again for a while (negative caching), and a flood of unknown key ids costs at most
 * one fetch per cool-down.
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from "jose";
import * as v from "valibot";
import { fetchJson } from "./fetch-json.ts";
import type { Issuer } from "./issuers.ts";

/** Keys younger than this are used without asking again. */
const FRESH_MS = 10 * 60_000;
/** When the provider cannot be reached, keys up to this age are still used. */
const STALE_MS = 60 * 60_000;
/** After a successful fetch an unknown key id may cause the next one only then. */
const COOLDOWN_MS = 30_000;
/** After a failed fetch nobody asks again until then. */
const NEGATIVE_MS = 10_000;
/** How long a request waits for another request's fetch before it makes its own. */
const FLIGHT_MS = 6_000;

const keySet = v.object({
  keys: v.pipe(v.array(v.looseObject({ kty: v.string() })), v.maxLength(200)),
});
const metadata = v.looseObject({ issuer: v.string(), jwks_uri: v.string() });

/** Finds the key for a token's protected header; throws jose's errors as `jwtVerify` expects. */
export type KeyFinder = ReturnType<typeof createLocalJWKSet>;

export type FoundKeys =
  | { readonly ok: true; readonly find: KeyFinder; readonly fetched: number }
  | { readonly ok: false; readonly why: string };

interface Entry {
  find: KeyFinder | null;
  fetched: number;
  failed: number;
  why: string;
  flight: Promise<void> | null;
}

/** The part of the Cache API that is used. */
export interface SharedCache {
  match(key: string): Promise<Response | undefined>;
  put(key: string, response: Response): Promise<void>;
}

export class KeyStore {
  readonly #entries = new Map<string, Entry>();
  readonly #cache: () => Promise<SharedCache | null>;
  readonly #keepAlive: (work: Promise<unknown>) => void;

  /**
   * `cache` is shared with other isolates and must be writable by this program only. `keepAlive` lets a
   * fetch end although the request that began it is gone.
   */
  constructor(cache: () => Promise<SharedCache | null>, keepAlive: (work: Promise<unknown>) => void) {
    this.#cache = cache;
    this.#keepAlive = keepAlive;
  }

  /** Keys of `issuer`. With `newerThan` (ms), keys fetched later than that when the cool-down allows it. */
  async keysOf(issuer: Issuer, now: number, newerThan = Number.NEGATIVE_INFINITY): Promise<FoundKeys> {
    const entry = this.#entry(issuer.issuer);
    const wanted = (): boolean => now - entry.fetched < FRESH_MS && entry.fetched > newerThan;
    if (!wanted()) {
      const cooling = now - entry.fetched < COOLDOWN_MS;
      const failing = now - entry.failed < NEGATIVE_MS;
      if (!cooling && !failing) await this.#refresh(entry, issuer, now, newerThan);
    }
    if (entry.find && now - entry.fetched < STALE_MS) {
      return { ok: true, find: entry.find, fetched: entry.fetched };
    }
    return { ok: false, why: entry.why };
  }

  #entry(name: string): Entry {
    let entry = this.#entries.get(name);
    if (!entry) {
      const never = Number.NEGATIVE_INFINITY;
      entry = { find: null, fetched: never, failed: never, why: "not fetched", flight: null };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  async #refresh(entry: Entry, issuer: Issuer, now: number, newerThan: number): Promise<void> {
    if (entry.flight) {
      const before = entry.fetched;
      await Promise.race([entry.flight, new Promise((resolve) => setTimeout(resolve, FLIGHT_MS))]);
      // The other request may have been cancelled with its fetch: then this one goes itself.
      if (entry.fetched !== before || now - entry.failed < NEGATIVE_MS) return;
    }
    const flight = this.#load(entry, issuer, now, newerThan).finally(() => {
      if (entry.flight === flight) entry.flight = null;
    });
    entry.flight = flight;
    this.#keepAlive(flight);
    await flight;
  }

  async #load(entry: Entry, issuer: Issuer, now: number, newerThan: number): Promise<void> {
    const cache = await this.#cache().catch(() => null);
    const key = `https://keys.wicketgate.invalid/${encodeURIComponent(issuer.issuer)}?${encodeURIComponent(issuer.jwksUri ?? "")}`;
    const shared = await readShared(cache, key);
    if (shared && now - shared.fetched < FRESH_MS && shared.fetched > newerThan && shared.fetched <= now) {
      entry.find = createLocalJWKSet(shared.jwks);
      entry.fetched = shared.fetched;
      return;
    }
    const loaded = await loadKeys(issuer);
    if (!loaded.ok) {
      entry.failed = now;
      entry.why = loaded.why;
      return;
    }
    entry.find = createLocalJWKSet(loaded.jwks);
    entry.fetched = now;
    if (!cache) return;
    const body = JSON.stringify({ fetched: now, jwks: loaded.jwks });
    const headers = { "content-type": "application/json", "cache-control": `max-age=${FRESH_MS / 1000}` };
    await cache.put(key, new Response(body, { headers })).catch(() => undefined);
  }
}

async function readShared(
  cache: SharedCache | null,
  key: string,
): Promise<{ fetched: number; jwks: JSONWebKeySet } | null> {
  try {
    const response = await cache?.match(key);
    return response ? await response.json() : null;
  } catch {
    return null;
  }
}

async function loadKeys(
  issuer: Issuer,
): Promise<{ ok: true; jwks: JSONWebKeySet } | { ok: false; why: string }> {
  let uri = issuer.jwksUri;
  if (!uri) {
    const found = await discover(issuer);
    if (!found.ok) return found;
    uri = found.metadata.jwks_uri;
  }
  const fetched = await fetchJson(uri, issuer.issuer);
  if (!fetched.ok) return { ok: false, why: `key set: ${fetched.why}` };
  const set = v.safeParse(keySet, fetched.json);
  if (!set.success) return { ok: false, why: "key set: not a JWK set" };
  const keys = set.output.keys.filter(isVerificationKey) as unknown as JWK[];
  return { ok: true, jwks: { keys } };
}

/** The issuer's discovery document (OpenID Connect Discovery, section 4), whose `issuer` must be the same. */
export async function discover(
  issuer: Issuer,
): Promise<{ ok: true; metadata: v.InferOutput<typeof metadata> } | { ok: false; why: string }> {
  const url = `${issuer.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const fetched = await fetchJson(url, issuer.issuer);
  if (!fetched.ok) return { ok: false, why: `discovery: ${fetched.why}` };
  const parsed = v.safeParse(metadata, fetched.json);
  if (!parsed.success) return { ok: false, why: "discovery: not a provider's metadata" };
  if (parsed.output.issuer !== issuer.issuer) return { ok: false, why: "discovery: names another issuer" };
  return { ok: true, metadata: parsed.output };
}

/** Public asymmetric keys for signatures. A published secret or private key is a key that everyone has. */
function isVerificationKey(key: { kty: string; [name: string]: unknown }): boolean {
  if (key.kty !== "RSA" && key.kty !== "EC" && key.kty !== "OKP") return false;
  return (
    (key["use"] === undefined || key["use"] === "sig") && key["d"] === undefined && key["k"] === undefined
  );
}
