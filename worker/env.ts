/**
 * The Worker's environment, checked once. wrangler gives whatever the configuration holds; everything behind
 * this file works with `Bindings` and never looks for a missing one.
 */
import type { ConnectorObject } from "./connectors/object.ts";
import type { ConsoleEnv } from "./console/session.ts";
import type { RequestObject } from "./gateway/request-object.ts";
import type { GrantObject } from "./grants/object.ts";
import { issuersFrom } from "./identity/issuers.ts";
import { samlProvidersFrom } from "./identity/saml/providers.ts";
import type { LogRoutesEnv } from "./log/routes.ts";
import type { SessionObject } from "./sessions/object.ts";

/** The checked bindings. */
export interface Bindings extends ConsoleEnv, LogRoutesEnv {
  readonly SESSIONS: DurableObjectNamespace<SessionObject>;
  readonly REQUESTS: DurableObjectNamespace<RequestObject>;
  readonly GRANTS: DurableObjectNamespace<GrantObject>;
  readonly CONNECTORS: DurableObjectNamespace<ConnectorObject>;
  readonly RECORDINGS: R2Bucket;
  readonly DB: D1Database;
  /** `https://edge.example.com`, as `URL.origin` writes it. */
  readonly EDGE_ORIGIN: string;
  readonly SIGNING_KEY: string;
  /** Where `wicket dev` hands out tokens; null everywhere else. */
  readonly DEMO_LOGIN: string | null;
  /** The target must be open and the client must have come within this time, milliseconds. */
  readonly DIAL_MS: number;
  /** Where `wicket dev` is reached by https, with its own authority; null everywhere else: there it is EDGE_ORIGIN. */
  readonly HTTPS: { readonly origin: string; readonly authority: string } | null;
}

/** A deployment that lacks something: what, in one sentence. */
export class MisconfiguredError extends Error {}

const checked = new WeakMap<object, Bindings>();

/** The environment as `Bindings`. Throws `MisconfiguredError` when something is missing or malformed. */
export function bindingsFrom(env: object): Bindings {
  const known = checked.get(env);
  if (known) return known;
  const bindings = check(env as Record<string, unknown>);
  checked.set(env, bindings);
  return bindings;
}

function check(env: Record<string, unknown>): Bindings {
  for (const name of ["SESSIONS", "REQUESTS", "GRANTS", "CONNECTORS", "LOG", "RECORDINGS", "DB"]) {
    if (typeof env[name] !== "object" || env[name] === null) fail(`the binding ${name} is missing`);
  }
  const origin = env["EDGE_ORIGIN"];
  if (typeof origin !== "string" || URL.parse(origin)?.origin !== origin) {
    fail("EDGE_ORIGIN is not an origin like https://edge.example.com");
  }
  const key = env["SIGNING_KEY"];
  if (key === undefined || key === null || key === "") fail("the secret SIGNING_KEY is missing");
  try {
    issuersFrom(env["ISSUERS"]);
    samlProvidersFrom({ ISSUERS: env["ISSUERS"], SAML_PROVIDERS: env["SAML_PROVIDERS"] });
  } catch (error) {
    fail(error instanceof Error ? error.message : "ISSUERS is not valid");
  }
  const dial = Number(env["DIAL_SECONDS"] ?? 15);
  if (!(dial >= 1 && dial <= 300)) fail("DIAL_SECONDS is not a number from 1 to 300");
  const demo = env["DEMO_LOGIN"];
  return {
    ...(env as unknown as Bindings),
    SIGNING_KEY: typeof key === "string" ? key : JSON.stringify(key),
    ADMIN_GROUPS: env["ADMIN_GROUPS"] ?? "[]",
    DIAL_MS: dial * 1000,
    HTTPS: typeof env["HTTPS"] === "string" ? JSON.parse(env["HTTPS"]) : null,
    DEMO_LOGIN: typeof demo === "string" && demo !== "" ? demo : null,
  };
}

function fail(message: string): never {
  throw new MisconfiguredError(message);
}
