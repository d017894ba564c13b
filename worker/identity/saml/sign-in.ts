/**
 * The edge as SAML service provider: begun here, answered by POST, once. An answer that nobody asked for
 * (IdP-initiated) is refused.
 */
import type { Identity } from "../../../policies/task.ts";
import { hashOf, newSecret } from "../secrets.ts";
import type { SignInEnv, SignInResult } from "../sign-in.ts";
import { escapeXml } from "./document.ts";
import { nameIdFormatOf, type SamlProvider, samlProvidersFrom } from "./providers.ts";
import { ASSERTION, MAX_RESPONSE, PROTOCOL, readResponse } from "./response.ts";

/** How long a person may take at the provider. */
const FLOW_MS = 10 * 60_000;
const POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

export interface SamlEnv extends SignInEnv {
  readonly SAML_PROVIDERS?: unknown;
}

/** This edge's entity id: where its metadata is. */
export function entityIdOf(origin: string): string {
  return `${origin}/login/saml/metadata`;
}

/** The assertion consumer service. */
export function consumerOf(origin: string): string {
  return `${origin}/login/saml/acs`;
}

/** Begins a sign-in: where to send the browser, and the value of its flow cookie. */
export async function beginSaml(
  env: SamlEnv,
  provider: SamlProvider,
  returnTo: string,
  now: number,
): Promise<{ readonly location: string; readonly binding: string }> {
  const [state, binding] = [newSecret(), newSecret()];
  // An NCName must not begin with a digit.
  const request = `_${newSecret()}`;
  await env.DB.batch([
    env.DB.prepare("DELETE FROM saml_flows WHERE expires < ?").bind(now),
    env.DB.prepare(
      "INSERT INTO saml_flows (state_hash, provider, request, binding, return_to, expires) VALUES (?, ?, ?, ?, ?, ?)",
    ).bind(await hashOf(state), provider.entityId, request, await hashOf(binding), returnTo, now + FLOW_MS),
  ]);
  const origin = env.EDGE_ORIGIN;
  const xml = `<samlp:AuthnRequest xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${request}" Version="2.0" IssueInstant="${new Date(now).toISOString()}" Destination="${escapeXml(provider.ssoUrl)}" AssertionConsumerServiceURL="${escapeXml(consumerOf(origin))}" ProtocolBinding="${POST_BINDING}"><saml:Issuer>${escapeXml(entityIdOf(origin))}</saml:Issuer><samlp:NameIDPolicy Format="${nameIdFormatOf(provider)}" AllowCreate="true"/></samlp:AuthnRequest>`;
  const location = new URL(provider.ssoUrl);
  location.searchParams.set("SAMLRequest", await deflated(xml));
  location.searchParams.set("RelayState", state);
  return { location: location.href, binding };
}

/** Ends a sign-in with what was posted to the assertion consumer service. */
export async function finishSaml(
  env: SamlEnv,
  form: URLSearchParams,
  binding: string | null,
  now: number,
): Promise<SignInResult<{ identity: Identity; returnTo: string; until: number | null }>> {
  const state = form.get("RelayState");
  if (!state || !binding) return refuse("LOGIN_STATE", "this sign-in was not begun in this browser");
  // Deleted before it is checked: a state works once, for whoever brings it.
  const flow = await env.DB.prepare("DELETE FROM saml_flows WHERE state_hash = ? RETURNING *")
    .bind(await hashOf(state))
    .first<{ provider: string; request: string; binding: string; return_to: string; expires: number }>();
  if (!flow || flow.expires <= now || flow.binding !== (await hashOf(binding)))
    return refuse("LOGIN_STATE", "this sign-in was not begun in this browser, or took too long");
  const provider = samlProvidersFrom(env).find((one) => one.entityId === flow.provider);
  if (!provider) return refuse("LOGIN_ISSUER", "the provider is not configured any more");
  const xml = textOf(form.get("SAMLResponse"));
  if (xml === null) return refuse("SAML_MALFORMED", "the provider sent no answer that can be read");
  const read = readResponse(xml, {
    ...{ provider, request: flow.request, now },
    ...{ audience: entityIdOf(env.EDGE_ORIGIN), recipient: consumerOf(env.EDGE_ORIGIN) },
  });
  if (!read.ok) return read;
  if (!(await useAssertion(env.DB, provider.entityId, read.assertion, read.until, now)))
    return refuse("SAML_REPLAYED", "the provider's answer was used before");
  return { ok: true, value: { identity: read.identity, returnTo: flow.return_to, until: read.sessionEnds } };
}

/** True the first time. Kept until the assertion cannot be used any more anyway. */
async function useAssertion(
  db: D1Database,
  provider: string,
  assertion: string,
  until: number,
  now: number,
): Promise<boolean> {
  const [, inserted] = await db.batch([
    db.prepare("DELETE FROM saml_assertions WHERE expires < ?").bind(now),
    db
      .prepare(
        "INSERT INTO saml_assertions (id_hash, expires) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1",
      )
      .bind(await hashOf(JSON.stringify([provider, assertion])), until),
  ]);
  return inserted!.results.length === 1;
}

/** This edge's metadata, for the provider's administrator. */
export function samlMetadata(origin: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${escapeXml(entityIdOf(origin))}">
  <md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="${PROTOCOL}">
    <md:AssertionConsumerService index="0" isDefault="true" Binding="${POST_BINDING}" Location="${escapeXml(consumerOf(origin))}"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`;
}

/** For the HTTP-Redirect binding (SAML bindings, section 3.4.4.1): raw DEFLATE, then base64. */
async function deflated(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}

function textOf(base64: string | null): string | null {
  if (!base64 || base64.length > (MAX_RESPONSE * 4) / 3 + 4096) return null;
  try {
    const bytes = Uint8Array.from(atob(base64.replace(/\s/g, "")), (character) => character.charCodeAt(0));
    if (bytes.length > MAX_RESPONSE) return null;
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

function refuse(code: string, message: string): { ok: false; code: string; message: string } {
  return { ok: false, code, message };
}
