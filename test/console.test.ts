/**
 * Sign-in, the OAuth face and the console with real parts: workerd, oidc-provider, oauth4webapi,
 * openid-client, Chromium.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, scrollsSideways, shoot, signIn, violations, withBrowser } from "./support/browser.ts";
import { type IdentityEdge, startIdentityEdge } from "./support/identity-edge.ts";

let edge: IdentityEdge;
let browser: Browser | null = null;

beforeAll(async () => {
  edge = await startIdentityEdge();
  if (withBrowser) browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await edge?.close();
});

const signedIn = (name: string, options: Parameters<typeof signIn>[3] = {}) =>
  signIn(browser!, edge.origin, name, options);

describe("without a browser", () => {
  test("openid-client discovers the edge", async () => {
    const config = await openid.discovery(new URL(edge.origin), "wicket", undefined, openid.None(), {
      ...{ algorithm: "oauth2", execute: [openid.allowInsecureRequests] },
    });
    expect(config.serverMetadata().token_endpoint).toBe(`${edge.origin}/oauth2/token`);
  });
  test("oauth4webapi begins a device login and is told to wait", async () => {
    const server: oauth.AuthorizationServer = {
      issuer: edge.origin,
      device_authorization_endpoint: `${edge.origin}/oauth2/device_authorization`,
      token_endpoint: `${edge.origin}/oauth2/token`,
    };
    const client = { client_id: "wicket" };
    const insecure = { [oauth.allowInsecureRequests]: true };
    const begun = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(server, client, oauth.None(), new URLSearchParams(), insecure),
    );
    const answer = await oauth.deviceCodeGrantRequest(
      server,
      client,
      oauth.None(),
      begun.device_code,
      insecure,
    );
    await expect(oauth.processDeviceCodeResponse(server, client, answer)).rejects.toMatchObject({
      error: "authorization_pending",
    });
  });
  test("I7 I9 the callback refuses what it did not begin, and login goes nowhere else", async () => {
    for (const query of ["", "?code=x", "?code=x&state=y", "?error=access_denied&state=y"]) {
      const answer = await fetch(`${edge.origin}/login/callback${query}`, { redirect: "manual" });
      expect(answer.status).toBe(400);
      expect(answer.headers.get("set-cookie") ?? "").not.toContain("__Host-wicket=");
    }
    const login = await fetch(`${edge.origin}/login?return_to=//evil.example.net/`, { redirect: "manual" });
    expect(new URL(login.headers.get("location")!).origin).toBe(edge.issuer);
  });
  test("I11 markup in what a provider answers is text, and no part of it is repeated", async () => {
    const begun = await fetch(`${edge.origin}/login`, { redirect: "manual" });
    const state = new URL(begun.headers.get("location")!).searchParams.get("state")!;
    const cookie = begun.headers
      .getSetCookie()
      .map((one) => one.split(";")[0])
      .join("; ");
    const markup = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    const query = new URLSearchParams({ state, iss: edge.issuer, error: markup, error_description: markup });
    for (const path of [
      `/login/callback?${query}`,
      `/login/callback?${new URLSearchParams({ state: markup })}`,
    ]) {
      const answer = await fetch(edge.origin + path, { headers: { cookie }, redirect: "manual" });
      const text = await answer.text();
      expect(answer.status).toBe(400);
      expect(text).not.toContain("alert(1)");
      expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    }
    const issuer = await fetch(`${edge.origin}/login?${new URLSearchParams({ issuer: markup })}`);
    expect(await issuer.text()).not.toContain("<script>alert");
  });
  test("pages carry a strict policy and send strangers to sign in", async () => {
    const page = await fetch(`${edge.origin}/requests`, { redirect: "manual" });
    expect(page.status).toBe(303);
    expect(page.headers.get("location")).toBe("/login?return_to=%2Frequests");
    const policy = page.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(page.headers.get("cache-control")).toBe("no-store");
  });
});

describe.runIf(withBrowser)("in the browser", () => {
  test("signing in sets a __Host- cookie that scripts cannot read", async () => {
    const { context, page } = await signedIn("tina");
    const cookie = (await context.cookies()).find((one) => one.name === "__Host-wicket");
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: "Lax", path: "/" });
    expect(await page.evaluate("document.cookie")).toBe("");
    await expect(page.textContent("main")).resolves.toContain("refund");
    await context.close();
  });

  test("asked in one browser, it appears in another and is approved there; A9 a foreign form is not", async () => {
    const tina = await signedIn("tina");
    const lee = await signedIn("lee");
    await lee.page.goto(`${edge.origin}/requests`);
    const form = tina.page.locator('form[aria-label="Ask for refund"]');
    await form.locator('[name="param.customer"]').fill("7");
    await form.locator('[name="reason"]').fill("INC-7 <b>x</b>");
    await form.locator("button").click();
    await tina.page.waitForURL(/\/requests\/[0-9a-f]{32}-1$/);
    const url = tina.page.url();
    expect(await tina.page.locator("button", { hasText: "Approve" }).count()).toBe(0);
    expect(await tina.page.content()).not.toContain("<b>x</b>");
    // No reload: the list of the other person refreshes itself.
    await lee.page.locator("a", { hasText: "refund" }).first().waitFor();
    await lee.page.goto(url);
    await shoot(lee.page, "request");
    const cookie = (await lee.context.cookies()).find((one) => one.name === "__Host-wicket")!;
    const forged = await fetch(`${url}/approve`, {
      method: "POST",
      headers: {
        cookie: `__Host-wicket=${cookie.value}`,
        origin: "https://evil.example.net",
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "comment=x",
    });
    expect(forged.status).toBe(403);
    const tokenless = await fetch(`${url}/approve`, {
      method: "POST",
      headers: {
        cookie: `__Host-wicket=${cookie.value}`,
        origin: edge.origin,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "comment=x",
    });
    expect(tokenless.status).toBe(403);
    await lee.page.click('button:has-text("Approve")');
    await lee.page.locator(".status.active").waitFor();
    await tina.page.reload();
    await tina.page.locator(".status.active").waitFor();
    await tina.page.click('button:has-text("Revoke")');
    await tina.page.locator(".status.revoked").waitFor();
    await tina.context.close();
    await lee.context.close();
  });

  test("the loopback login works with openid-client, and only after a yes", async () => {
    const config = await openid.discovery(new URL(edge.origin), "wicket", undefined, openid.None(), {
      ...{ algorithm: "oauth2", execute: [openid.allowInsecureRequests] },
    });
    const callback = Promise.withResolvers<URL>();
    const listener = createServer((request, response) => {
      callback.resolve(new URL(request.url!, `http://127.0.0.1:${(listener.address() as AddressInfo).port}`));
      response.end("You can close this window.");
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const redirect = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
    const url = openid.buildAuthorizationUrl(config, {
      ...{ redirect_uri: redirect, state, code_challenge_method: "S256" },
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    });
    const { context, page } = await signedIn("tina");
    await page.goto(url.href);
    await shoot(page, "confirm");
    await page.click('button[value="yes"]');
    const answer = await callback.promise;
    listener.close();
    const tokens = await openid.authorizationCodeGrant(config, answer, {
      pkceCodeVerifier: verifier,
      expectedState: state,
    });
    const api = await fetch(`${edge.origin}/api/requests`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(api.status).toBe(200);
    const next = await openid.refreshTokenGrant(config, tokens.refresh_token!);
    expect(next.access_token).not.toBe(tokens.access_token);
    await context.close();
  });

  test("the device login is confirmed by code", async () => {
    const form = new URLSearchParams({ client_id: "wicket" });
    const begun = (await (
      await fetch(`${edge.origin}/oauth2/device_authorization`, { method: "POST", body: form })
    ).json()) as Record<string, string>;
    const { context, page } = await signedIn("lee");
    await page.goto(`${edge.origin}/device`);
    await page.fill('[name="user_code"]', begun["user_code"]!.toLowerCase());
    await page.click("main button");
    await page.click('button[value="yes"]');
    await page.locator("text=The program is signed in").waitFor();
    const body = new URLSearchParams({
      ...{ client_id: "wicket", device_code: begun["device_code"]! },
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    });
    expect((await fetch(`${edge.origin}/oauth2/token`, { method: "POST", body })).status).toBe(200);
    await context.close();
  });

  test.each(["light", "dark"] as const)(
    "every page is accessible (%s), also on a phone",
    async (colorScheme) => {
      const { context, page } = await signedIn("ada", { colorScheme, viewport: { width: 390, height: 800 } });
      for (const path of [
        "/",
        "/requests",
        "/sessions",
        "/recordings",
        "/audit",
        "/policies",
        "/connectors",
        "/device",
      ]) {
        await page.goto(edge.origin + path);
        expect(await violations(page)).toEqual([]);
        expect(await scrollsSideways(page), `${path} scrolls sideways`).toBe(false);
        await shoot(page, `${colorScheme}${path.replace("/", "-")}`);
      }
      await context.close();
    },
  );

  test("I17 signing out ends the session at the edge, not only in the browser", async () => {
    const { context, page } = await signedIn("tina", { ownLogin: true });
    const cookie = (await context.cookies()).find((one) => one.name === "__Host-wicket")!;
    await page.click('button:has-text("Sign out")');
    await page.locator("text=You are signed out").waitFor();
    const headers = { cookie: `__Host-wicket=${cookie.value}` };
    expect((await fetch(`${edge.origin}/`, { headers, redirect: "manual" })).status).toBe(303);
    await context.close();
  });
});
