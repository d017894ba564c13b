/**
 * Signing in with SAML at the edge as it is deployed: samlify as a provider of its own making, and a provider that
 * lies in each way of attack I10.
 */
import { inflateRawSync } from "node:zlib";
import samlify from "samlify/build/index.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type IdentityEdge, startIdentityEdge } from "./support/identity-edge.ts";
import { ENTITY, PERSISTENT, responseXml, type Said, type SamlKey, samlKey, signed } from "./support/saml.ts";

const SSO = "https://idp.example.com/sso";
let edge: IdentityEdge;
let key: SamlKey;
let acs: string;
let audience: string;

beforeAll(async () => {
  key = samlKey();
  const provider = {
    ...{ entityId: ENTITY, ssoUrl: SSO, certificates: [samlKey().certificate, key.certificate] },
    ...{ groupMap: { support: "support", "grp-leads": "support-leads" }, label: "Example" },
  };
  edge = await startIdentityEdge({ variables: () => ({ SAML_PROVIDERS: JSON.stringify([provider]) }) });
  acs = `${edge.origin}/login/saml/acs`;
  audience = `${edge.origin}/login/saml/metadata`;
});
afterAll(async () => {
  await edge?.close();
});

interface Begun {
  readonly cookie: string;
  readonly relayState: string;
  /** ID of the AuthnRequest. */
  readonly request: string;
  readonly query: Record<string, string>;
}

async function begin(returnTo = "/requests"): Promise<Begun> {
  const query = new URLSearchParams({ provider: ENTITY, return_to: returnTo });
  const answer = await fetch(`${edge.origin}/login/saml?${query}`, { redirect: "manual" });
  expect(answer.status).toBe(303);
  const location = new URL(answer.headers.get("location")!);
  expect(location.origin + location.pathname).toBe(SSO);
  const given = answer.headers.get("set-cookie")!;
  // The answer is posted by a page of the provider's: other cookies would not come with it.
  expect(given).toMatch(/^__Host-wicket-saml=.*SameSite=None/);
  const xml = inflateRawSync(Buffer.from(location.searchParams.get("SAMLRequest")!, "base64")).toString();
  return {
    cookie: given.split(";")[0]!,
    relayState: location.searchParams.get("RelayState")!,
    request: / ID="([^"]+)"/.exec(xml)![1]!,
    query: Object.fromEntries(location.searchParams),
  };
}

async function post(begun: Pick<Begun, "cookie" | "relayState">, response: string): Promise<Response> {
  return await fetch(acs, {
    method: "POST",
    redirect: "manual",
    headers: {
      ...{ "content-type": "application/x-www-form-urlencoded", origin: "https://idp.example.com" },
      cookie: begun.cookie,
    },
    body: new URLSearchParams({ SAMLResponse: response, RelayState: begun.relayState }).toString(),
  });
}

const base64 = (xml: string): string => Buffer.from(xml).toString("base64");

/** The console's cookie in an answer; null when there is none. */
function session(answer: Response): string | null {
  const cookies = answer.headers.getSetCookie().map((one) => one.split(";")[0]!);
  return cookies.find((one) => one.startsWith("__Host-wicket=") && !one.endsWith("=")) ?? null;
}

const xmlFor = (begun: Begun, facts: Partial<Said> = {}): string =>
  responseXml({ acs, audience, request: begun.request, ...facts });

/** A refusal: no session, and nothing of what was sent is shown. */
async function refused(answer: Response, message?: string): Promise<void> {
  expect(session(answer)).toBeNull();
  expect(answer.status).toBe(400);
  const text = await answer.text();
  expect(text).not.toContain("mallory");
  if (message !== undefined) expect(text).toContain(message);
}

describe("a provider made with samlify", () => {
  test("reads the edge's metadata and request; its answer signs the person in, with groups", async () => {
    samlify.setSchemaValidator({ validate: async () => "no schema here" });
    const metadata = await (await fetch(audience)).text();
    const sp = samlify.ServiceProvider({ metadata });
    const provider = samlify.IdentityProvider({
      ...{ entityID: ENTITY, privateKey: key.key, signingCert: key.certificate, isAssertionEncrypted: false },
      nameIDFormat: [PERSISTENT],
      requestSignatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
      singleSignOnService: [{ Binding: "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect", Location: SSO }],
      loginResponseTemplate: {
        context: responseXml({
          acs: "{ACS}",
          request: "{InResponseTo}",
          audience: "{Audience}",
          id: "{AssertionID}",
        })
          .replaceAll("_r{AssertionID}", "{ID}")
          .replace("support</saml", "grp-leads</saml"),
        attributes: [],
      },
    });
    const begun = await begin("/requests?x=1");
    const asked = await provider.parseLoginRequest(sp, "redirect", { query: begun.query });
    expect(asked.extract.request.id).toBe(begun.request);
    expect(asked.extract.issuer).toBe(audience);
    const made = await provider.createLoginResponse(sp, asked, "post", {}, (template: string) => {
      const values: Record<string, string> = {
        ...{
          ACS: acs,
          InResponseTo: begun.request,
          Audience: audience,
          ID: "_response",
          AssertionID: "_one",
        },
      };
      const context = template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
      return { id: "_response", context };
    });
    const answer = await post(begun, made.context);
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe("/requests?x=1");
    const page = await fetch(`${edge.origin}/`, { headers: { cookie: session(answer)! } });
    expect(await page.text()).toContain("Tina");
    const db = await edge.miniflare.getD1Database("DB");
    const login = await db
      .prepare("SELECT issuer, subject, identity FROM logins")
      .first<Record<string, string>>();
    expect(login).toMatchObject({ issuer: ENTITY, subject: "tina" });
    expect(JSON.parse(login!["identity"]!)).toMatchObject({ name: "Tina", groups: ["support-leads"] });
  });
});

test("what it gives is an identity like any other: `wicket login` gets its tokens from the session", async () => {
  const begun = await begin();
  const answer = await post(begun, base64(signed(xmlFor(begun), key)));
  const cookie = session(answer)!;
  const verifier = "v".repeat(43);
  const challenge = Buffer.from(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)),
  ).toString("base64url");
  const redirect = "http://127.0.0.1:9/callback";
  const fields = {
    ...{ client_id: "wicket", redirect_uri: redirect, response_type: "code", state: "s" },
    ...{ code_challenge: challenge, code_challenge_method: "S256" },
  };
  const form = await fetch(`${edge.origin}/oauth2/authorize?${new URLSearchParams(fields)}`, {
    headers: { cookie },
  });
  const token = /name="form_token" value="([^"]+)"/.exec(await form.text())![1]!;
  const confirmed = await fetch(`${edge.origin}/oauth2/authorize`, {
    ...{ method: "POST", redirect: "manual" },
    headers: { cookie, origin: edge.origin, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...fields, form_token: token, answer: "yes" }).toString(),
  });
  const code = new URL(confirmed.headers.get("location")!).searchParams.get("code")!;
  const tokens = await fetch(`${edge.origin}/oauth2/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      ...{ grant_type: "authorization_code", code, client_id: "wicket", redirect_uri: redirect },
      code_verifier: verifier,
    }).toString(),
  });
  const { access_token } = (await tokens.json()) as { access_token: string };
  const who = await fetch(`${edge.origin}/api/whoami`, {
    headers: { authorization: `Bearer ${access_token}` },
  });
  expect(await who.json()).toMatchObject({ issuer: ENTITY, subject: "tina", groups: ["support"] });
});

describe("I10 what a signature does not cover counts for nothing", () => {
  /** The assertion of a response, and the rest around it. */
  function cut(xml: string): { before: string; assertion: string; after: string } {
    const from = xml.indexOf("<saml:Assertion");
    const to = xml.indexOf("</saml:Assertion>") + "</saml:Assertion>".length;
    return { before: xml.slice(0, from), assertion: xml.slice(from, to), after: xml.slice(to) };
  }
  const signature = (xml: string): string => /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(xml)![0];
  const evil = (assertion: string, id = "_evil"): string =>
    assertion
      .replace(/<ds:Signature[\s\S]*<\/ds:Signature>/, "")
      .replace(/ ID="[^"]+"/, ` ID="${id}"`)
      .replace(">tina<", ">mallory<")
      .replace(">support<", ">grp-leads<");
  const idOf = (assertion: string): string => / ID="([^"]+)"/.exec(assertion)![1]!;

  const wrappings: Record<string, (xml: string) => string> = {
    "XSW1 the signed response inside a forged one's signature": (xml) => {
      const forged = xml.replace(/<saml:Assertion[\s\S]*<\/saml:Assertion>/, (one) => evil(one));
      return forged.replace(
        "<samlp:Status>",
        `${signature(xml).replace("</ds:Signature>", `<ds:Object>${xml}</ds:Object></ds:Signature>`)}<samlp:Status>`,
      );
    },
    "XSW2 the signed response beside the signature": (xml) => {
      const forged = xml.replace(/<saml:Assertion[\s\S]*<\/saml:Assertion>/, (one) => evil(one));
      return forged.replace("<samlp:Status>", `${xml}${signature(xml)}<samlp:Status>`);
    },
    "XSW3 a forged assertion before the signed one": (xml) => {
      const { before, assertion, after } = cut(xml);
      return before + evil(assertion) + assertion + after;
    },
    "XSW3 a forged assertion after the signed one": (xml) => {
      const { before, assertion, after } = cut(xml);
      return before + assertion + evil(assertion) + after;
    },
    "XSW4 the signed assertion inside a forged one": (xml) => {
      const { before, assertion, after } = cut(xml);
      return before + evil(assertion).replace("</saml:Assertion>", `${assertion}</saml:Assertion>`) + after;
    },
    "XSW5 the signature moved into a forged assertion": (xml) => {
      const { before, assertion, after } = cut(xml);
      const own = signature(xml);
      return (
        before +
        evil(assertion).replace("<saml:Subject>", `${own}<saml:Subject>`) +
        assertion.replace(own, "") +
        after
      );
    },
    "XSW6 the signed assertion inside the moved signature": (xml) => {
      const { before, assertion, after } = cut(xml);
      const own = signature(xml);
      const holding = own.replace("</ds:Signature>", `${assertion.replace(own, "")}</ds:Signature>`);
      return before + evil(assertion).replace("<saml:Subject>", `${holding}<saml:Subject>`) + after;
    },
    "XSW7 the signed assertion inside an extension": (xml) => {
      const { before, assertion, after } = cut(xml);
      return `${before}<samlp:Extensions>${assertion}</samlp:Extensions>${evil(assertion)}${after}`;
    },
    "XSW8 the signed assertion inside an object of the moved signature": (xml) => {
      const { before, assertion, after } = cut(xml);
      const own = signature(xml);
      const holding = own.replace(
        "</ds:Signature>",
        `<ds:Object>${assertion.replace(own, "")}</ds:Object></ds:Signature>`,
      );
      return before + evil(assertion).replace("<saml:Subject>", `${holding}<saml:Subject>`) + after;
    },
    "a forged assertion under the id of the signed one": (xml) => {
      const { before, assertion, after } = cut(xml);
      const holder = `<samlp:Extensions>${assertion}</samlp:Extensions>`;
      return before + evil(assertion, idOf(assertion)) + holder + after;
    },
    "the signature of the assertion put on the response": (xml) =>
      xml.replace(signature(xml), "").replace("<samlp:Status>", `${signature(xml)}<samlp:Status>`),
    "a name changed after signing": (xml) => xml.replace(">tina<", ">mallory<"),
    "a group changed after signing": (xml) => xml.replace(">support<", ">grp-leads<"),
    "a second SignedInfo": (xml) => {
      const info = /<ds:SignedInfo[\s\S]*<\/ds:SignedInfo>/.exec(xml)![0];
      return xml.replace(info, info + info).replace(">tina<", ">mallory<");
    },
    "a comment in the digest": (xml) =>
      xml.replace(/<ds:DigestValue>/, "<ds:DigestValue><!--AAAA-->").replace(">tina<", ">mallory<"),
    "no signature": (xml) => xml.replace(signature(xml), ""),
    "an empty signature value": (xml) => xml.replace(/<ds:SignatureValue>[^<]*/, "<ds:SignatureValue>"),
  };
  test.each(Object.entries(wrappings))("%s", async (_name, change) => {
    const begun = await begin();
    const xml = signed(xmlFor(begun), key);
    const changed = change(xml);
    expect(changed).not.toBe(xml);
    await refused(await post(begun, base64(changed)));
  });

  test("the same, signed as a whole response too", async () => {
    const begun = await begin();
    const xml = signed(signed(xmlFor(begun), key), key, "Response");
    const { before, assertion, after } = cut(xml);
    await refused(await post(begun, base64(before + evil(assertion) + assertion + after)));
    const again = await begin();
    const whole = signed(signed(xmlFor(again), key), key, "Response");
    expect(session(await post(again, base64(whole)))).not.toBeNull();
  });

  test("an unsigned assertion in a signed response", async () => {
    const begun = await begin();
    await refused(
      await post(begun, base64(signed(xmlFor(begun), key, "Response"))),
      "not signed as it has to be",
    );
  });

  test("a good signature by somebody else, whose certificate comes along", async () => {
    const begun = await begin();
    await refused(await post(begun, base64(signed(xmlFor(begun), samlKey()))), "not signed as it has to be");
  });

  test.each([
    ["SHA-1", { algorithm: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }],
    ["a SHA-1 digest", { digest: "http://www.w3.org/2000/09/xmldsig#sha1" }],
    [
      "canonical XML that keeps comments",
      { canonicalization: "http://www.w3.org/2001/10/xml-exc-c14n#WithComments" },
    ],
    ["inclusive canonical XML", { canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" }],
  ])("a good signature with %s", async (_name, signing) => {
    const begun = await begin();
    const xml = signed(xmlFor(begun), key, "Assertion", signing);
    await refused(await post(begun, base64(xml)), "not signed as it has to be");
  });

  test("a signature that is an HMAC with the certificate as its secret", async () => {
    const begun = await begin();
    const xml = signed(xmlFor(begun), key).replace(
      "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
      "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    );
    await refused(await post(begun, base64(xml)));
  });
});

describe("I10 what a well-signed answer must say", () => {
  const later = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const wrong: [string, Partial<Said>, string][] = [
    ["another audience", { audience: "https://other.example.com" }, "for another application"],
    ["another recipient", { recipient: "https://other.example.com/acs" }, "for another address"],
    ["no recipient", { recipient: null }, "for another address"],
    ["another destination", { destination: "https://other.example.com/acs" }, "for another address"],
    ["another request", { inResponseTo: "_other" }, "to another sign-in"],
    ["no request: the provider's own idea", { inResponseTo: null }, "to another sign-in"],
    ["another issuer", { issuer: "https://evil.example.com" }, "another provider answered"],
    ["an end that is past", { confirmed: later(-60_000) }, "too old"],
    ["no end", { confirmed: null }, "too old"],
    ["conditions that are over", { notOnOrAfter: -60_000 }, "too old"],
    ["conditions of the future", { notBefore: 60_000 }, "too old"],
    ["a condition that is not known", { conditions: "<saml:Condition/>" }, "does not have the form"],
    ["a passing name", { format: PERSISTENT.replace("persistent", "transient") }, "does not name you"],
    ["a name with hidden characters", { subject: "tina&#x202E;" }, "does not name you"],
    ["no name", { subject: "" }, "does not name you"],
    ["a holder of a key", { method: "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" }, "does not name you"],
    ["a failure", { status: "Responder" }, "did not sign you in"],
  ];
  test.each(wrong)("%s", async (_name, facts, message) => {
    const begun = await begin();
    await refused(await post(begun, base64(signed(xmlFor(begun, facts), key))), message);
  });

  test("a comment in the name, before and after signing", async () => {
    for (const order of ["before", "after"]) {
      const begun = await begin();
      const xml =
        order === "before"
          ? signed(xmlFor(begun, { subject: "tina<!-- -->.mallory" }), key)
          : signed(xmlFor(begun, { subject: "tina.mallory" }), key).replace(
              "tina.mallory",
              "tina<!---->.mallory",
            );
      await refused(await post(begun, base64(xml)), "does not have the form");
    }
  });

  test("document types, entities, processing instructions and CDATA", async () => {
    const heads = [
      `<!DOCTYPE r [<!ENTITY who SYSTEM "file:///etc/passwd">]>`,
      `<!DOCTYPE r SYSTEM "https://evil.example.com/x.dtd">`,
      `<?xml-stylesheet href="x"?>`,
    ];
    for (const head of heads) {
      const begun = await begin();
      const xml = signed(xmlFor(begun), key);
      await refused(await post(begun, base64(head + xml)), "does not have the form");
    }
    const begun = await begin();
    const xml = signed(xmlFor(begun), key).replace(">tina<", "><![CDATA[tina]]><");
    await refused(await post(begun, base64(xml)), "does not have the form");
  });

  test("what is no XML, no base64, too large or nothing", async () => {
    for (const text of [
      "",
      "%%%",
      base64("<a"),
      base64(`<a>${"x".repeat(300_000)}</a>`),
      base64("<a>".repeat(9000)),
    ]) {
      const begun = await begin();
      await refused(await post(begun, text));
    }
  });
});

describe("I10 an answer is used once, in the browser that asked", () => {
  test("replayed with its own state, with a new one, and in another browser", async () => {
    const begun = await begin();
    const response = base64(signed(xmlFor(begun), key));
    const stranger = await begin();
    await refused(await post({ ...begun, cookie: stranger.cookie }, response), "not begun in this browser");
    // Whoever brought it spent the state.
    await refused(await post(begun, response), "not begun in this browser");

    const next = await begin();
    const good = base64(signed(xmlFor(next), key));
    expect(session(await post(next, good))).not.toBeNull();
    await refused(await post(next, good), "not begun in this browser");
    const other = await begin();
    await refused(await post(other, good), "to another sign-in");
  });

  test("an assertion that comes again in an answer to another request", async () => {
    const first = await begin();
    const id = "_assertion-twice";
    expect(session(await post(first, base64(signed(xmlFor(first, { id }), key))))).not.toBeNull();
    const second = await begin();
    await refused(await post(second, base64(signed(xmlFor(second, { id }), key))), "was used before");
  });

  test("without a state, or begun for a provider that is not there", async () => {
    const begun = await begin();
    const response = base64(signed(xmlFor(begun), key));
    await refused(await post({ ...begun, relayState: "" }, response), "not begun in this browser");
    await refused(
      await post({ cookie: "", relayState: begun.relayState }, response),
      "not begun in this browser",
    );
    const nowhere = await fetch(`${edge.origin}/login/saml?provider=https://evil.example.com`, {
      redirect: "manual",
    });
    expect(nowhere.status).toBe(404);
  });
});
