/** The SAML identity providers at which people may sign in, from the variable `SAML_PROVIDERS`. */
import * as v from "valibot";
import { issuersFrom } from "../issuers.ts";

/** Formats of NameID that stand for one person for good (SAML core, section 8.3). A transient one does not. */
const NAME_ID_FORMATS = {
  persistent: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
  unspecified: "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
  emailAddress: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
} as const;

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));

const providerSchema = v.strictObject({
  /** The provider's entity id, compared byte for byte: the issuer of its identities. */
  entityId: text,
  /** Where its single sign-on takes a request (HTTP-Redirect binding). */
  ssoUrl: v.pipe(v.string(), v.check(isSsoUrl, "must be an https URL (http only on a loopback address)")),
  /** The certificates that it signs with, PEM or the base64 of its metadata: two while it changes them. */
  certificates: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.transform(pem),
        v.check((one) => one !== "", "is no certificate"),
      ),
    ),
    v.minLength(1),
    v.maxLength(4),
  ),
  /** What the subject is: a NameID in this format and no other. */
  nameIdFormat: v.optional(v.picklist(["persistent", "unspecified", "emailAddress"]), "persistent"),
  /** Attributes by `Name`. */
  groupsAttribute: v.optional(text, "groups"),
  nameAttribute: v.optional(text, "displayName"),
  emailAttribute: v.optional(text, "mail"),
  /** Group name at the provider to group name in policies. When given, groups it does not name are dropped. */
  groupMap: v.optional(v.record(v.string(), v.string())),
  /** AuthnContextClassRef values that mean several factors; then the identity's `amr` is `mfa`. */
  mfaContexts: v.optional(v.array(text), []),
  /** Shown on the sign-in page. */
  label: v.optional(v.pipe(v.string(), v.maxLength(100))),
});

export type SamlProvider = v.InferOutput<typeof providerSchema>;

const providersSchema = v.pipe(
  v.array(providerSchema),
  v.check(
    (list) => new Set(list.map((one) => one.entityId)).size === list.length,
    "names one provider twice",
  ),
);

/** What of the Worker's environment says whose identities are taken. */
export interface TrustEnv {
  readonly ISSUERS: unknown;
  readonly SAML_PROVIDERS?: unknown;
}

const parsed = new Map<string, readonly SamlProvider[]>();

/** The configured providers; none when the variable is absent. Throws an Error that says what is wrong. */
export function samlProvidersFrom(env: TrustEnv): readonly SamlProvider[] {
  const { SAML_PROVIDERS: value } = env;
  if (value === undefined || value === null || value === "") return [];
  const json = typeof value === "string" ? value : JSON.stringify(value);
  const known = parsed.get(json);
  if (known) return known;
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    throw new Error("SAML_PROVIDERS is not JSON");
  }
  const result = v.safeParse(providersSchema, given);
  if (!result.success) {
    const first = result.issues[0];
    throw new Error(`SAML_PROVIDERS: ${v.getDotPath(first) ?? "the list"}: ${first.message}`);
  }
  const issuers = issuersFrom(env.ISSUERS);
  for (const { entityId } of result.output) {
    // Two kinds of provider under one name would be able to speak for each other's people.
    if (issuers.some((one) => one.issuer === entityId))
      throw new Error(`SAML_PROVIDERS: ${entityId} is in ISSUERS, too`);
  }
  if (parsed.size > 16) parsed.clear();
  parsed.set(json, result.output);
  return result.output;
}

/** True when identities of this issuer are accepted, whichever way they signed in. */
export function isTrustedIssuer(env: TrustEnv, issuer: string): boolean {
  return (
    issuersFrom(env.ISSUERS).some((one) => one.issuer === issuer) ||
    samlProvidersFrom(env).some((one) => one.entityId === issuer)
  );
}

/** The URI of the provider's NameID format. */
export function nameIdFormatOf(provider: SamlProvider): string {
  return NAME_ID_FORMATS[provider.nameIdFormat];
}

function isSsoUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.hash) return false;
  const loopback = url.hostname === "localhost" || /^127(\.\d{1,3}){3}$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && loopback);
}

/** PEM of a certificate given as PEM or as bare base64; empty when it is neither. */
function pem(text: string): string {
  const found = /^-----BEGIN CERTIFICATE-----([\s\S]+)-----END CERTIFICATE-----\s*$/.exec(text.trim());
  const body = (found?.[1] ?? text).replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]{100,8000}={0,2}$/.test(body)) return "";
  return `-----BEGIN CERTIFICATE-----\n${body.match(/.{1,64}/g)!.join("\n")}\n-----END CERTIFICATE-----\n`;
}
