/** Chromium for tests of the console: signed-in pages, screenshots, and what axe finds. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** False where there is no browser; said once. */
export const withBrowser = existsSync(CHROMIUM);
if (!withBrowser) console.log(`browser tests are skipped: there is no ${CHROMIUM}`);

/** Folder for screenshots, absent = none are taken. */
const shots = process.env.WICKET_SCREENSHOTS;

export function launchBrowser(): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

export interface SignedIn {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors of scripts, and what the content policy refused. */
  readonly faults: string[];
}

/** Cookies of who signed in before, by origin and name. */
const signedInBefore = new Map<string, Awaited<ReturnType<BrowserContext["cookies"]>>>();

/**
 * A browser window of its own in which `name` is signed in: by the provider's pages the first time, by the same login
 * after that unless it has to be a login of its own.
 */
export async function signIn(
  browser: Browser,
  origin: string,
  name: string,
  { ownLogin = false, ...options }: Parameters<Browser["newContext"]>[0] & { ownLogin?: boolean } = {},
): Promise<SignedIn> {
  const context = await browser.newContext(options);
  const before = ownLogin ? undefined : signedInBefore.get(`${origin} ${name}`);
  if (before) await context.addCookies(before);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  await page.goto(`${origin}/`);
  if (before) return { context, page, faults };
  await page.fill('input[name="login"]', name);
  await page.fill('input[name="password"]', "any");
  await page.click('button[type="submit"]');
  await page.click('button[type="submit"]');
  await page.waitForURL(`${origin}/`);
  faults.length = 0;
  if (!ownLogin) signedInBefore.set(`${origin} ${name}`, await context.cookies(origin));
  return { context, page, faults };
}

/** Takes a screenshot when a folder for them is named. */
export async function shoot(page: Page, name: string, fullPage = true): Promise<void> {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage });
}

/** What axe finds wrong. The pages have no frames, for which it would open another page each time. */
export async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return found.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}

/** True when the page is wider than the window. */
export function scrollsSideways(page: Page): Promise<boolean> {
  return page.evaluate("document.documentElement.scrollWidth > innerWidth + 1");
}
