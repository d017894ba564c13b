/** A SAML identity provider for tests: what it says, and how it signs, can be wrong in every way. */
import { createSign, generateKeyPairSync } from "node:crypto";
import { SignedXml } from "xml-crypto";

const PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion";
export const PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
export const ENTITY = "https://idp.example.com/saml";

export interface SamlKey {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

/** An RSA key and a certificate that it signs itself (RFC 5280, as little of it as goes). */
export function samlKey(): SamlKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
    const body = Buffer.concat(parts);
    const size = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...size]), body]);
  };
  const utc = (at: number): Buffer =>
    der(0x17, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
  const algorithm = der(0x30, Buffer.from("06092a864886f70d01010b0500", "hex"));
  const name = der(
    0x30,
    der(0x31, der(0x30, Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from("idp")))),
  );
  const day = 86_400_000;
  const body = der(
    0x30,
    Buffer.from("0201", "hex"),
    Buffer.from([7]),
    algorithm,
    name,
    der(0x30, utc(Date.now() - day), utc(Date.now() + day)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const signature = createSign("RSA-SHA256").update(body).sign(privateKey);
  const whole = der(0x30, body, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}

/** What a response says; null leaves it out. */
export interface Said {
  readonly acs: string;
  readonly request: string;
  readonly audience: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly format: string;
  readonly issuer: string;
  readonly destination: string;
  readonly recipient: string | null;
  readonly confirmed: string | null;
  readonly inResponseTo: string | null;
  readonly method: string;
  readonly status: string;
  /** Ms from now. */
  readonly notBefore: number;
  readonly notOnOrAfter: number;
  readonly id: string;
  /** Further conditions, as XML. */
  readonly conditions: string;
}

const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
const attribute = (name: string, value: string | null): string =>
  value === null ? "" : ` ${name}="${value}"`;

/** A response, unsigned. */
export function responseXml(facts: Pick<Said, "acs" | "request" | "audience"> & Partial<Said>): string {
  const said: Said = {
    ...{ subject: "tina", groups: ["support"], format: PERSISTENT, issuer: ENTITY, destination: facts.acs },
    ...{ recipient: facts.acs, confirmed: at(60_000), inResponseTo: facts.request, conditions: "" },
    ...{ method: "urn:oasis:names:tc:SAML:2.0:cm:bearer", status: "Success" },
    ...{ notBefore: -60_000, notOnOrAfter: 60_000, id: `_a${Math.random().toString(36).slice(2)}` },
    ...facts,
  };
  const values = said.groups.map((group) => `<saml:AttributeValue>${group}</saml:AttributeValue>`).join("");
  return `<samlp:Response xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="_r${said.id}" Version="2.0" IssueInstant="${at(0)}" Destination="${said.destination}"${attribute("InResponseTo", said.inResponseTo)}><saml:Issuer>${said.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${said.status}"/></samlp:Status><saml:Assertion ID="${said.id}" Version="2.0" IssueInstant="${at(0)}"><saml:Issuer>${said.issuer}</saml:Issuer><saml:Subject><saml:NameID Format="${said.format}">${said.subject}</saml:NameID><saml:SubjectConfirmation Method="${said.method}"><saml:SubjectConfirmationData${attribute("NotOnOrAfter", said.confirmed)}${attribute("Recipient", said.recipient)}${attribute("InResponseTo", said.inResponseTo)}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${at(said.notBefore)}" NotOnOrAfter="${at(said.notOnOrAfter)}"><saml:AudienceRestriction><saml:Audience>${said.audience}</saml:Audience></saml:AudienceRestriction>${said.conditions}</saml:Conditions><saml:AuthnStatement AuthnInstant="${at(0)}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="groups">${values}</saml:Attribute><saml:Attribute Name="displayName"><saml:AttributeValue>Tina</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>`;
}

export interface Signing {
  readonly algorithm?: string;
  readonly digest?: string;
  readonly canonicalization?: string;
}

/** Signs the assertion, or the response, where the standard wants the signature: after the issuer. */
export function signed(
  xml: string,
  { key, certificate }: SamlKey,
  what: "Assertion" | "Response" = "Assertion",
  signing: Signing = {},
): string {
  const exclusive = signing.canonicalization ?? "http://www.w3.org/2001/10/xml-exc-c14n#";
  const signature = new SignedXml({ privateKey: key, publicCert: certificate });
  signature.signatureAlgorithm = (signing.algorithm ??
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256") as never;
  signature.canonicalizationAlgorithm = exclusive as never;
  signature.addReference({
    xpath: `//*[local-name(.)='${what}']`,
    transforms: ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", exclusive],
    digestAlgorithm: signing.digest ?? "http://www.w3.org/2001/04/xmlenc#sha256",
  });
  signature.computeSignature(xml, {
    prefix: "ds",
    location: { reference: `//*[local-name(.)='${what}']/*[local-name(.)='Issuer']`, action: "after" },
  });
  return signature.getSignedXml();
}
