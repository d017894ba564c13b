/** The console beside psql and the command line, all real: what happens there shows here, and is acted on by keyboard. */
import { spawnSync } from "node:child_process";
import pg from "pg";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, shoot, signIn, violations, withBrowser } from "./support/browser.ts";
import { finished, type System, startSystem } from "./support/system.ts";

const hasPsql = spawnSync("psql", ["--version"]).status === 0;
if (!hasPsql) console.log("psql is not installed: its test is left out (apt install postgresql-client)");

let system: System;
let browser: Browser;

beforeAll(async () => {
  system = await startSystem();
  if (withBrowser) browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  expect(await system?.stop()).toBe(0);
});

/** Presses Tab until the focus is on what has this text or name. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const focused = `document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent`;
  for (let presses = 0; presses < 60; presses++) {
    if (name.test(((await page.evaluate(focused)) as string).trim())) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`no way by Tab to ${name}`);
}

describe.runIf(withBrowser)("the console", () => {
  test.skipIf(!hasPsql)(
    "a request and a statement of psql are approved in the browser, by keyboard",
    async () => {
      const lee = await signIn(browser, system.edge, "lee");
      const { page } = lee;
      await page.goto(`${system.edge}/requests`);
      // The keyboard stands in the list while it changes.
      await tabTo(page, /^For you to decide$/);
      const psql = system.spawn([
        ...[
          "connect",
          "orders-db",
          "--task",
          "refund-investigation",
          "--param",
          "customer=7",
          "--reason",
          "INC-71",
        ],
        ...["--", "psql", "-X", "-At", "-c", "SELECT email FROM public.customers"],
        ...["-c", "UPDATE public.orders SET status = 'refunded' WHERE customer_id = 7"],
      ]);
      const done = finished(psql);
      await page.locator("a", { hasText: /^refund-investigation$/ }).waitFor();
      expect(await page.textContent("[data-told]")).toBe("1 request for you to decide");
      await shoot(page, "inbox");
      await tabTo(page, /^refund-investigation$/);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/requests\/[0-9a-f]{32}-\d+$/);
      await tabTo(page, /^Approve$/);
      await page.keyboard.press("Enter");
      await page.locator(".status.active").waitFor();
      // The UPDATE is held: the statement as it would run, its parameters, its plan.
      await page.goto(`${system.edge}/requests`);
      await page.locator("a", { hasText: "statement in refund-investigation" }).waitFor();
      await tabTo(page, /^statement in refund-investigation$/);
      await page.keyboard.press("Enter");
      await page.locator("pre", { hasText: "UPDATE public.orders" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await shoot(page, "statement-approval");
      await tabTo(page, /^Approve$/);
      await page.keyboard.press("Enter");
      await page.locator(".status", { hasText: /active|used/ }).waitFor();
      const { code, stdout } = await done;
      expect(stdout).toMatch(/^\w\*\*\*@[\w.]+\nUPDATE \d+\n$/);
      expect(code).toBe(0);
      await lee.context.close();
    },
  );

  test("a session shows up, is watched, and is ended by keyboard; its recording plays", async () => {
    const tina = await signIn(browser, system.edge, "tina");
    const { page, faults } = tina;
    await page.goto(`${system.edge}/sessions`);
    await tabTo(page, /^Sessions$/);
    const proxy = await system.proxy([
      ...["orders-db", "--task", "order-lookup", "--param", "customer=7", "--reason", "INC-72"],
    ]);
    const client = new pg.Client({ connectionString: proxy.url });
    const lost = new Promise<Error>((resolve) => client.on("error", resolve));
    await client.connect();
    await client.query("SELECT id, email, country FROM public.customers");
    const row = page.locator("tbody tr", { hasText: "order-lookup" }).first();
    await row.locator("button", { hasText: "End" }).waitFor();
    await row.locator("td", { hasText: /^1$/ }).first().waitFor();
    await shoot(page, "sessions-live");

    // Watched while it runs: the statement appears with its rows, the masked cell marked.
    const watch = await tina.context.newPage();
    await watch.goto(`${system.edge}${await row.locator("a").first().getAttribute("href")}`);
    await watch.locator("#details td.masked").waitFor({ timeout: 20_000 });
    expect(await watch.textContent("#details td.masked")).toMatch(/^\w\*\*\*@/);
    await client.query("SELECT count(*) FROM public.orders");
    const answered = performance.now();
    await watch.locator("#details .sql", { hasText: "count(*)" }).waitFor({ timeout: 20_000 });
    console.log(`live view: ${Math.round(performance.now() - answered)} ms after the answer`);

    await tabTo(page, /^End the session of order-lookup$/);
    await page.keyboard.press("Enter");
    expect(String(await lost)).toMatch(/ended in the console|terminat/);
    await row.locator("td", { hasText: "SESSION_KILLED" }).waitFor();
    await watch.locator('#state[data-state="final"]').waitFor({ timeout: 30_000 });
    expect(await watch.locator("#live, #stored").filter({ visible: true }).count()).toBe(0);
    await shoot(watch, "player-real");
    expect(faults).toEqual([]);
    await proxy.stop();
    await page.goto(`${system.edge}/recordings`);
    await page.locator("tr", { hasText: "INC-72" }).locator("td", { hasText: "roots agree" }).waitFor();
    await page.goto(`${system.edge}/connectors`);
    await page.locator("h2", { hasText: "online" }).waitFor();
    expect(await page.locator("button", { hasText: "Drain" }).count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    await shoot(page, "connectors");
    await tina.context.close();
  });
});
