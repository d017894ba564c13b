/**
 * `wicket login` beside a real OIDC provider that knows only the edge: a browser with a loopback answer, a code that
 * is confirmed elsewhere, renewal, and the end.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { finished, type System, startSystem } from "./support/system.ts";

const CHROMIUM = "/usr/bin/chromium";
const withBrowser = existsSync(CHROMIUM);
if (!withBrowser) console.log(`login tests are skipped: there is no ${CHROMIUM}`);

let system: System;
let browser: Browser;

beforeAll(async () => {
  if (!withBrowser) return;
  system = await startSystem();
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
  browser = await chromium.launch({ executablePath: CHROMIUM, args });
});

afterAll(async () => {
  await browser?.close();
  expect((await system?.stop()) ?? 0).toBe(0);
});

const home = (name: string) => ({ as: null, env: { XDG_CONFIG_HOME: join(system.state, name) } });
const stored = (name: string) => join(system.state, name, "wicket", "logins.json");
const login = (name: string) => JSON.parse(readFileSync(stored(name), "utf8")).logins[system.edge];

/** Starts a login and gives the address and the code that it prints. */
async function begun(name: string, how: "--browser" | "--device") {
  const child = system.spawn(["login", how], home(name));
  let said = "";
  child.stderr!.on("data", (chunk) => {
    said += String(chunk);
  });
  const done = finished(child);
  const pattern = how === "--browser" ? /Open (\S+)\n/ : /Open (\S+)\nand confirm the code (\S+)\n/;
  const found = await system.until(async () => pattern.exec(said), "the address to open");
  return { url: found[1]!, code: found[2], done, said: () => said };
}

/** Signs in at the provider, whose page this is. */
async function signIn(page: Page, name: string): Promise<void> {
  await page.fill('input[name="login"]', name);
  await page.fill('input[name="password"]', "any");
  await page.click('button[type="submit"]');
  await page.click('button[type="submit"]');
}

async function inBrowser<T>(work: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext();
  try {
    return await work(await context.newPage());
  } finally {
    await context.close();
  }
}

async function logIn(name: string, person = "tina"): Promise<void> {
  const { url, done } = await begun(name, "--browser");
  await inBrowser(async (page) => {
    await page.goto(url);
    await signIn(page, person);
    await page.click('button[value="yes"]');
    await page.locator("text=You can close this window").waitFor();
  });
  expect((await done).code).toBe(0);
}

describe.runIf(withBrowser)("login", () => {
  test("with the browser of this machine: sign in, say yes, and the program has its token", async () => {
    const { url, done, said } = await begun("browser", "--browser");
    const asked = new URL(url);
    expect(asked.origin).toBe(system.edge);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      ...{ response_type: "code", client_id: "wicket", code_challenge_method: "S256" },
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/),
    });
    await inBrowser(async (page) => {
      await page.goto(url);
      // The provider's own page: the edge is its only client.
      expect(new URL(page.url()).origin).toBe(system.issuer);
      await signIn(page, "lee");
      await page.click('button[value="yes"]');
      await page.locator("text=You can close this window").waitFor();
    });
    expect((await done).code).toBe(0);
    expect(said()).toContain("You are lee (support, support-leads)");
    const who = JSON.parse((await system.wicket(["whoami", "--json"], home("browser"))).stdout);
    expect(who).toMatchObject({ issuer: system.issuer, subject: "lee", credential: "edge_token" });
    // An id token of the provider never comes here: what is kept is the edge's own, for a short time.
    expect(login("browser").expires - Date.now()).toBeLessThanOrEqual(15 * 60_000);
  });

  test("I7 only the answer to this login counts: no other state, no other path, and a no is a no", async () => {
    const { url, done } = await begun("mixed", "--browser");
    const redirect = new URL(url).searchParams.get("redirect_uri")!;
    for (const path of ["?code=x", "?code=x&state=y", "?error=access_denied"]) {
      expect((await fetch(redirect + path)).status).toBe(404);
    }
    expect((await fetch(new URL("/other", redirect))).status).toBe(404);
    await inBrowser(async (page) => {
      await page.goto(url);
      await signIn(page, "tina");
      await page.click('button[value="no"]');
      await page.locator("text=You can close this window").waitFor();
    });
    const out = await done;
    expect(out.code).toBe(4);
    expect(out.stderr).toContain("the login was refused (ACCESS_DENIED)");
    expect(existsSync(stored("mixed"))).toBe(false);
  });

  test("I7 another server's answer is not taken (RFC 9207)", async () => {
    const { url, done } = await begun("other", "--browser");
    const asked = new URL(url).searchParams;
    const answer = new URL(asked.get("redirect_uri")!);
    answer.search = String(
      new URLSearchParams({ code: "x", state: asked.get("state")!, iss: "https://evil.example" }),
    );
    await fetch(answer);
    expect(await done).toMatchObject({ code: 4, stderr: expect.stringContaining("LOGIN_MIX_UP") });
  });

  test("with a code that is confirmed in any browser", async () => {
    const { url, code, done } = await begun("device", "--device");
    await inBrowser(async (page) => {
      await page.goto(url);
      await signIn(page, "tina");
      // The page shows the code, to be compared with the one on the terminal.
      expect(await page.textContent("main")).toContain(`shows the code ${code}`);
      await page.click('button[value="yes"]');
      await page.locator("text=The program is signed in").waitFor();
    });
    expect((await done).code).toBe(0);
    const who = JSON.parse((await system.wicket(["whoami", "--json"], home("device"))).stdout);
    expect(who).toMatchObject({ subject: "tina" });
  });

  test("a login is renewed before it ends, once, also by two programs at the same time", async () => {
    await logIn("renewed");
    const before = login("renewed");
    const file = stored("renewed");
    const store = JSON.parse(readFileSync(file, "utf8"));
    store.logins[system.edge].expires = Date.now() + 1_000;
    writeFileSync(file, JSON.stringify(store), { mode: 0o600 });
    const runs = await Promise.all(
      ["whoami", "tasks", "sessions"].map((command) => system.wicket([command], home("renewed"))),
    );
    expect(runs.map((run) => run.code)).toEqual([0, 0, 0]);
    const after = login("renewed");
    expect(after.token).not.toBe(before.token);
    expect(after.refresh).not.toBe(before.refresh);
    expect(after.expires).toBeGreaterThan(Date.now() + 60_000);
    // A refresh token that is used again looks stolen: the login ends for both who hold it.
    const body = (refresh: string) =>
      new URLSearchParams({ grant_type: "refresh_token", client_id: "wicket", refresh_token: refresh });
    const replay = (refresh: string) =>
      fetch(`${system.edge}/oauth2/token`, { method: "POST", body: body(refresh) });
    expect((await replay(before.refresh)).status).toBe(400);
    expect((await replay(after.refresh)).status).toBe(400);
  });

  test("logout ends the login at the edge, not only here", async () => {
    await logIn("left");
    const { refresh } = login("left");
    expect((await system.wicket(["logout"], home("left"))).code).toBe(0);
    expect((await system.wicket(["whoami"], home("left"))).code).toBe(4);
    const body = new URLSearchParams({
      ...{ grant_type: "refresh_token", client_id: "wicket", refresh_token: refresh },
    });
    const answer = await fetch(`${system.edge}/oauth2/token`, { method: "POST", body });
    expect(await answer.json()).toMatchObject({ error: "invalid_grant" });
  });
});
