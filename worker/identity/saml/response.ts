/**
 * A SAML response to an identity (SAML 2.0 core and the web browser SSO profile, section 4.1.4), by a profile that is
 * stricter than both: one response with one signed assertion, asked for by this edge a moment ago, plain XML.
 * What is read is read from the text that the signature covers, never from the document that came.
 */
import type { Identity } from "../../../policies/task.ts";
import { groupsFrom, printable } from "../claims.ts";
import { children, everyElement, onlyChild, plainText, readXml, type XmlElement } from "./document.ts";
import { nameIdFormatOf, type SamlProvider } from "./providers.ts";
import { DSIG, hasUniqueIds, signedText } from "./signature.ts";

export const PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol";
export const ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion";
const BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success";
/** Largest response that is looked at, bytes. */
export const MAX_RESPONSE = 256 * 1024;
/** Tolerated difference between the clocks of provider and edge, ms: what OIDC gets, too. */
const SKEW_MS = 5_000;

/** What the response has to be an answer to. */
export interface Expected {
  readonly provider: SamlProvider;
  /** ID of the AuthnRequest. */
  readonly request: string;
  /** This edge's entity id, and the address that the response was posted to. */
  readonly audience: string;
  readonly recipient: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type SamlRefusal =
  | "SAML_MALFORMED"
  | "SAML_STATUS"
  | "SAML_SIGNATURE"
  | "SAML_ISSUER"
  | "SAML_SUBJECT"
  | "SAML_RECIPIENT"
  | "SAML_REQUEST"
  | "SAML_AUDIENCE"
  | "SAML_TIME"
  | "SAML_ENCRYPTED";

export type SamlResult =
  | {
      readonly ok: true;
      readonly identity: Identity;
      /** Of the assertion: it may be used once, until then (ms). */
      readonly assertion: string;
      readonly until: number;
      /** The provider's own session ends then, ms; null when it does not say. */
      readonly sessionEnds: number | null;
    }
  | { readonly ok: false; readonly code: SamlRefusal; readonly message: string };

const SENTENCES: Record<SamlRefusal, string> = {
  SAML_MALFORMED: "the provider's answer does not have the form that is accepted here",
  SAML_STATUS: "the provider did not sign you in",
  SAML_SIGNATURE: "the provider's answer is not signed as it has to be",
  SAML_ISSUER: "another provider answered",
  SAML_SUBJECT: "the provider's answer does not name you in the agreed form",
  SAML_RECIPIENT: "the provider's answer is for another address",
  SAML_REQUEST: "the provider's answer is to another sign-in",
  SAML_AUDIENCE: "the provider's answer is for another application",
  SAML_TIME: "the provider's answer is too old, or from the future",
  SAML_ENCRYPTED: "the provider's answer is encrypted, which is not supported",
};

function no(code: SamlRefusal): SamlResult {
  return { ok: false, code, message: SENTENCES[code] };
}

/** Judges a response, as XML text. */
export function readResponse(xml: string, expected: Expected): SamlResult {
  const { provider } = expected;
  const root = readXml(xml);
  if (root?.localName !== "Response" || root.namespaceURI !== PROTOCOL) return no("SAML_MALFORMED");
  const all = everyElement(root);
  if (all.some((one) => one.localName.startsWith("Encrypted"))) return no("SAML_ENCRYPTED");
  const status = onlyChild(root, PROTOCOL, "Status");
  const code = status && onlyChild(status, PROTOCOL, "StatusCode")?.getAttribute("Value");
  if (code !== SUCCESS) return no(code ? "SAML_STATUS" : "SAML_MALFORMED");
  const assertion = onlyChild(root, ASSERTION, "Assertion");
  const named = (name: string): number => all.filter((one) => one.localName === name).length;
  if (!assertion || named("Assertion") !== 1 || named("Response") !== 1) return no("SAML_MALFORMED");
  if (root.getAttribute("Version") !== "2.0" || !hasUniqueIds(root)) return no("SAML_MALFORMED");
  // A signature anywhere else than on the response and on the assertion has no meaning, so it has an intent.
  const own = [root, assertion].flatMap((one) => children(one, DSIG, "Signature"));
  if (named("Signature") !== own.length) return no("SAML_SIGNATURE");
  const signed = signedText(xml, assertion, provider.certificates);
  if (signed === null) return no("SAML_SIGNATURE");
  if (own.length > 1 && signedText(xml, root, provider.certificates) === null) return no("SAML_SIGNATURE");
  const issuer = onlyChild(root, ASSERTION, "Issuer");
  if (issuer && plainText(issuer) !== provider.entityId) return no("SAML_ISSUER");
  if (root.getAttribute("Destination") !== expected.recipient) return no("SAML_RECIPIENT");
  if (root.getAttribute("InResponseTo") !== expected.request) return no("SAML_REQUEST");
  const trusted = readXml(signed);
  if (trusted?.localName !== "Assertion" || trusted.namespaceURI !== ASSERTION) return no("SAML_SIGNATURE");
  return readAssertion(trusted, expected);
}

function readAssertion(assertion: XmlElement, expected: Expected): SamlResult {
  const { provider, now } = expected;
  const id = assertion.getAttribute("ID");
  if (!id || assertion.getAttribute("Version") !== "2.0") return no("SAML_MALFORMED");
  if (plainText(onlyChild(assertion, ASSERTION, "Issuer")) !== provider.entityId) return no("SAML_ISSUER");

  const subject = onlyChild(assertion, ASSERTION, "Subject");
  const nameId = subject && onlyChild(subject, ASSERTION, "NameID");
  const name = plainText(nameId);
  if (!subject || !nameId || !name || name.length > 256 || name !== printable(name))
    return no("SAML_SUBJECT");
  if (nameId.getAttribute("Format") !== nameIdFormatOf(provider)) return no("SAML_SUBJECT");

  const confirmed = confirmation(subject, expected);
  if (typeof confirmed !== "number") return confirmed;
  const conditions = onlyChild(assertion, ASSERTION, "Conditions");
  const refused = conditions ? refusedConditions(conditions, expected) : no("SAML_AUDIENCE");
  if (refused) return refused;

  const statement = children(assertion, ASSERTION, "AuthnStatement")[0];
  if (!statement) return no("SAML_MALFORMED");
  const session = statement.getAttribute("SessionNotOnOrAfter");
  const sessionEnds = session ? timeOf(session) : null;
  if (session && (sessionEnds === null || sessionEnds <= now - SKEW_MS)) return no("SAML_TIME");
  const authenticated = timeOf(statement.getAttribute("AuthnInstant"));
  if (authenticated === null || authenticated > now + SKEW_MS) return no("SAML_TIME");
  const context = onlyChild(statement, ASSERTION, "AuthnContext");
  const acr = context && plainText(onlyChild(context, ASSERTION, "AuthnContextClassRef"));

  const attributes = attributesOf(assertion);
  const first = (key: string): string | null => attributes.get(key)?.[0] ?? null;
  const email = first(provider.emailAttribute);
  const shown = first(provider.nameAttribute) ?? email;
  const groupMap = provider.groupMap === undefined ? {} : { groupMap: provider.groupMap };
  const identity: Identity = {
    issuer: provider.entityId,
    subject: name,
    name: shown === null ? null : printable(shown).slice(0, 256),
    groups: groupsFrom(groupMap, attributes.get(provider.groupsAttribute)),
    claims: {
      auth_time: Math.floor(authenticated / 1000),
      ...(acr ? { acr } : {}),
      ...(acr && provider.mfaContexts.includes(acr) ? { amr: ["mfa"] } : {}),
      ...(email === null ? {} : { email }),
    },
    expires: confirmed,
  };
  return { ok: true, identity, assertion: id, until: confirmed + SKEW_MS, sessionEnds };
}

/** The end of the subject's confirmation, ms: by a bearer, here, now, for this request. */
function confirmation(subject: XmlElement, expected: Expected): number | SamlResult {
  const { now } = expected;
  const all = children(subject, ASSERTION, "SubjectConfirmation");
  const bearer = all.filter((one) => one.getAttribute("Method") === BEARER);
  if (bearer.length !== 1 || all.length !== 1) return no("SAML_SUBJECT");
  const data = onlyChild(bearer[0]!, ASSERTION, "SubjectConfirmationData");
  if (!data) return no("SAML_RECIPIENT");
  if (data.getAttribute("Recipient") !== expected.recipient) return no("SAML_RECIPIENT");
  if (data.getAttribute("InResponseTo") !== expected.request) return no("SAML_REQUEST");
  // Profiles, section 4.1.4.2: a bearer's confirmation has an end and no beginning.
  const end = timeOf(data.getAttribute("NotOnOrAfter"));
  if (end === null || end <= now - SKEW_MS || data.hasAttribute("NotBefore")) return no("SAML_TIME");
  return end;
}

/** A condition that is not known makes an assertion invalid (core, section 2.5.1). */
function refusedConditions(conditions: XmlElement, { audience, now }: Expected): SamlResult | null {
  for (const [name, isWrong] of [
    ["NotBefore", (at: number) => at > now + SKEW_MS],
    ["NotOnOrAfter", (at: number) => at <= now - SKEW_MS],
  ] as const) {
    if (!conditions.hasAttribute(name)) continue;
    const at = timeOf(conditions.getAttribute(name));
    if (at === null || isWrong(at)) return no("SAML_TIME");
  }
  const known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
  if (children(conditions).some((one) => one.namespaceURI !== ASSERTION || !known.includes(one.localName)))
    return no("SAML_MALFORMED");
  const restrictions = children(conditions, ASSERTION, "AudienceRestriction");
  const isMeant = (one: XmlElement): boolean =>
    children(one, ASSERTION, "Audience").some((text) => plainText(text) === audience);
  return restrictions.length > 0 && restrictions.every(isMeant) ? null : no("SAML_AUDIENCE");
}

/** Values by the attribute's `Name`. A name that is there twice counts for nothing. */
function attributesOf(assertion: XmlElement): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const twice = new Set<string>();
  for (const statement of children(assertion, ASSERTION, "AttributeStatement")) {
    for (const attribute of children(statement, ASSERTION, "Attribute")) {
      const name = attribute.getAttribute("Name") ?? "";
      if (found.has(name)) twice.add(name);
      const values = children(attribute, ASSERTION, "AttributeValue").map(plainText);
      found.set(
        name,
        values.filter((value): value is string => value !== null && value !== "" && value.length <= 1024),
      );
    }
  }
  for (const name of twice) found.delete(name);
  return found;
}

/** Milliseconds since the epoch of an `xs:dateTime` in UTC (core, section 1.3.3); null for any other text. */
function timeOf(text: string | null): number | null {
  if (text === null || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
