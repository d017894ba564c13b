/** Recordings in the console, in a real browser: the list, the players, and that nothing in them acts. */
import { randomBytes } from "node:crypto";
import { exportJWK, generateKeyPair } from "jose";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditorKey } from "../wire/recording-seal.ts";
import { launchBrowser, scrollsSideways, shoot, signIn, violations, withBrowser } from "./support/browser.ts";
import { type IdentityEdge, startIdentityEdge } from "./support/identity-edge.ts";
import {
  MadeSession,
  placeEnd,
  placeSegments,
  placeSession,
  placeStatementEvents,
} from "./support/made-recording.ts";

let edge: IdentityEdge;
let browser: Browser;
let small: MadeSession;

beforeAll(async () => {
  edge = await startIdentityEdge();
  if (withBrowser) browser = await launchBrowser();
  small = new MadeSession();
  small.statement({
    text: "SELECT id, email AS mail, email, total FROM customers -- the customer\nWHERE id = 7",
    columns: ["id", "mail", "email", "total"],
    plain: ["id", "total"],
    masked: ["public.customers.email"],
    rows: [
      ["7", "t***@example.com", "t***@example.com", "12.50"],
      ["8", null, null, "NULL"],
    ],
  });
  small.statement({ text: "DELETE FROM customers", deny: "OPERATION_NOT_ALLOWED", after: 4_000 });
  small.statement({ text: "SELECT 1/0", error: "division by zero", after: 500 });
  small.statement({
    text: "SELECT n FROM generate_series(1, 250) n",
    columns: ["n"],
    rows: Array.from({ length: 250 }, (_, i) => [String(i + 1)]),
    after: 60_000,
  });
  small.event({
    t: "alarm",
    code: "MASK_BYPASS",
    message: "a masked column was seen",
    at: small.started + 64_700,
  });
  small.seal("CLIENT_TERMINATED");
  const facts = { subject: "tina", issuer: edge.issuer };
  await placeSession(edge.miniflare, small, facts);
  await placeSegments(edge.miniflare, small);
  await placeEnd(edge.miniflare, small, "CLIENT_TERMINATED");
  await placeStatementEvents(edge.miniflare, small, facts, [
    "SELECT id FROM customers",
    "DELETE FROM customers",
  ]);
});
afterAll(async () => {
  await browser?.close();
  await edge?.close();
});

/** Opens the player and waits for its first line; says what the page says of itself when none comes. */
async function played(page: Page, made: MadeSession, hash = ""): Promise<void> {
  const failed: string[] = [];
  page.on("requestfailed", (one) => failed.push(`${one.url()}: ${one.failure()?.errorText}`));
  page.on("response", (one) => one.status() >= 400 && failed.push(`${one.url()}: ${one.status()}`));
  const answer = await page.goto(`${edge.origin}/recordings/${made.id}${hash}`);
  const first = page.locator(".item").first();
  await first.waitFor().catch(async (error: unknown) => {
    const told = (await page.textContent("main", { timeout: 1_000 }).catch(() => null)) ?? "no content";
    const words = told.replace(/\s+/g, " ").slice(0, 1_000);
    const facts = `the page answered ${answer?.status()} at ${page.url()}; failed: ${failed.join(", ") || "nothing"}`;
    throw new Error(`no line was shown; ${facts}; it says: ${words}`, { cause: error });
  });
}

describe.runIf(withBrowser)("recordings", () => {
  test("the list tells who, task, size and state, and finds statements in all sessions", async () => {
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    await page.goto(`${edge.origin}/recordings`);
    const row = page.locator("tbody tr", { hasText: small.id.slice(0, 8) });
    await expect(row.textContent()).resolves.toMatch(/refund.*INC-7.*kB.*roots agree/);
    expect(await violations(page)).toEqual([]);
    await shoot(page, "recordings");
    await page.fill('[name="words"]', "delete from CUST");
    await page.click('button:has-text("Search")');
    await page.locator("a", { hasText: small.id.slice(0, 8) }).click();
    await page.waitForURL(/#s=2$/);
    await page.locator("#details h2", { hasText: "Statement 2" }).waitFor();
    expect(faults).toEqual([]);
    await context.close();
    // Somebody else does not see it, an administrator does, and the reading is an event.
    const lee = await signIn(browser, edge.origin, "lee");
    await lee.page.goto(`${edge.origin}/recordings`);
    expect(await lee.page.textContent("main")).not.toContain(small.id.slice(0, 8));
    const denied = await lee.page.goto(`${edge.origin}/recordings/${small.id}`);
    expect(denied!.status()).toBe(404);
    const segments = await lee.page.goto(`${edge.origin}/recordings/${small.id}/segments`);
    expect(segments!.status()).toBe(404);
    const segment = await lee.page.goto(`${edge.origin}/recordings/${small.id}/segments/0`);
    expect(segment!.status()).toBe(403);
    await lee.context.close();
    const ada = await signIn(browser, edge.origin, "ada");
    await played(ada.page, small);
    await ada.page.goto(`${edge.origin}/audit?type=recording.read&session=${small.id}`);
    expect(await ada.page.textContent("main")).toContain("Ada");
    await ada.context.close();
  });

  test("a statement has its text in colours, its decision, its rows, and masked cells marked", async () => {
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    await played(page, small);
    const details = page.locator("#details");
    await details.locator("td", { hasText: "t***@example.com" }).first().waitFor();
    expect(await details.locator(".sql .keyword").allTextContents()).toEqual([
      "SELECT",
      "AS",
      "FROM",
      "WHERE",
    ]);
    expect(await details.locator(".sql .comment").textContent()).toBe("-- the customer");
    expect(await details.locator("th").allTextContents()).toEqual([
      "#",
      "id",
      "mail computed",
      "email masked",
      "total",
    ]);
    expect(await details.locator("td.masked").count()).toBe(2);
    // NULL is told from the text "NULL".
    expect(await details.locator("td em", { hasText: "NULL" }).count()).toBe(2);
    await expect(page.textContent("#state")).resolves.toMatch(/1 of 1 segment .* closed: CLIENT_TERMINATED/);
    await shoot(page, "player");
    expect(faults).toEqual([]);
    await context.close();
  });

  test("the keyboard moves, plays and searches; the address names the moment", async () => {
    const { context, page } = await signIn(browser, edge.origin, "tina");
    await played(page, small);
    await page.focus("#items");
    await page.keyboard.press("ArrowDown");
    await page.locator("#details h2", { hasText: "Statement 2" }).waitFor();
    expect(page.url()).toMatch(/#s=2$/);
    await expect(page.textContent("#details")).resolves.toContain("OPERATION_NOT_ALLOWED");
    await page.keyboard.press("End");
    await page.locator("#details h2", { hasText: /^At / }).waitFor();
    expect(await page.getAttribute("#items", "aria-activedescendant")).toMatch(/^item-\d+$/);
    await page.keyboard.press("/");
    await page.keyboard.type("1/0");
    await page.locator("#found", { hasText: "1 of 6 lines" }).waitFor();
    await page.fill("#search", "");
    await page.selectOption("#only", "refused");
    await page.locator("#found", { hasText: "1 of 6 lines" }).waitFor();
    await page.selectOption("#only", "");
    // Sixteen times as fast, and the minute of silence is passed over.
    await page.selectOption("#speed", "16");
    await page.goto(`${edge.origin}/recordings/${small.id}#t=4.2`);
    await page.reload();
    await page.locator("#details h2", { hasText: "Statement 2" }).waitFor();
    await page.selectOption("#speed", "16");
    await page.click("#play");
    await page.locator("#details h2", { hasText: /^At / }).waitFor({ timeout: 10_000 });
    await context.close();
  });

  test("a large result is read page by page", async () => {
    const { context, page } = await signIn(browser, edge.origin, "tina");
    await played(page, small, "#s=4");
    const rows = page.locator("#details tbody tr");
    await page.locator("#details", { hasText: "Rows 1 to 100 of 250" }).waitFor();
    expect(await rows.count()).toBe(100);
    await page.click('#details button:has-text("Last")');
    await page.locator("#details", { hasText: "Rows 201 to 250 of 250" }).waitFor();
    expect(await rows.last().textContent()).toBe("250250");
    // Values of rows are found too, by the keyboard alone, and each is a way to its row.
    await page.focus("#items");
    await page.keyboard.press("/");
    await page.keyboard.type("13");
    await page.keyboard.press("Enter");
    await page.locator("#values-told", { hasText: "13 values found." }).waitFor();
    expect(await violations(page)).toEqual([]);
    await shoot(page, "player-values");
    const hits = page.locator("#values-list button");
    expect(await hits.first().textContent()).toBe("Statement 4, row 13, n: 13");
    await hits.nth(2).focus();
    await page.keyboard.press("Enter");
    const row = page.locator("#details tr.found");
    await row.waitFor();
    expect(await row.textContent()).toBe("130130");
    expect(page.url()).toMatch(/#s=4&row=130$/);
    // The statement stays in the list, which has only what has the words.
    expect(await page.textContent("#found")).toBe("1 of 6 lines");
    await page.focus("#values-close");
    await page.keyboard.press("Enter");
    expect(await page.locator("#values").isVisible()).toBe(false);
    await page.fill("#search", "no such value");
    await page.click("#values-search");
    await page.locator("#values-told", { hasText: "No value has these words." }).waitFor();
    await page.reload();
    await row.waitFor();
    expect(await row.textContent()).toBe("130130");
    await context.close();
  });

  test("a session that runs is followed as it is recorded", async () => {
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    const running = new MadeSession(Date.now() - 10_000);
    running.statement({ text: "SELECT 'first'", columns: ["a"], rows: [["first"]] });
    running.seal();
    await placeSession(edge.miniflare, running, { subject: "tina", issuer: edge.issuer });
    await placeSegments(edge.miniflare, running);
    await played(page, running);
    await page.locator(`#state[data-state="live"]`).waitFor({ state: "attached" });
    await shoot(page, "player-live");
    running.statement({ text: "SELECT 'second'", columns: ["a"], rows: [["second"]], after: 3_000 });
    running.seal();
    await placeSegments(edge.miniflare, running, 1);
    // Nobody touches the page: the new statement is shown, with its rows.
    await page.locator("#details td", { hasText: "second" }).waitFor();
    running.seal("CLIENT_TERMINATED");
    await placeSegments(edge.miniflare, running, 2);
    await placeEnd(edge.miniflare, running, "CLIENT_TERMINATED");
    await page.locator("#state", { hasText: "closed: CLIENT_TERMINATED" }).waitFor({ timeout: 15_000 });
    expect(faults).toEqual([]);
    await context.close();
  });

  test("a segment that was changed in the store is named and not shown; what is before it is", async () => {
    const { context, page } = await signIn(browser, edge.origin, "tina");
    const made = new MadeSession();
    made.statement({ text: "SELECT 1" });
    made.seal();
    made.statement({ text: "SELECT 2" });
    made.seal("CLIENT_TERMINATED");
    const other = new MadeSession();
    other.statement({ text: "SELECT 'forged'" });
    other.seal();
    made.segments[1] = { ...other.segments[0]!, sequence: 1 };
    await placeSession(edge.miniflare, made, { subject: "tina", issuer: edge.issuer });
    await placeSegments(edge.miniflare, made);
    // However fast all of it happened, what was read before is shown.
    await page.addInitScript("performance.now = () => 50");
    await played(page, made);
    await page.locator("#state", { hasText: "Segment 1 does not follow the one before it" }).waitFor();
    expect(await page.textContent("#items")).not.toContain("forged");
    await context.close();
  });

  test("a sealed recording says so and how to read it; one whose first segment comes while it is watched, too", async () => {
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    const pair = await generateKeyPair("ECDH-ES+A256KW", { crv: "X25519", extractable: true });
    const auditor = (await auditorKey(await exportJWK(pair.publicKey)))!;
    const made = new MadeSession();
    made.statement({ text: "SELECT 'canary'" });
    made.seal("CLIENT_TERMINATED");
    await made.sealTo(auditor);
    await placeSession(edge.miniflare, made, { subject: "tina", issuer: edge.issuer });
    await page.goto(`${edge.origin}/recordings/${made.id}`);
    // Nothing of it is stored yet, so the player waits for it.
    await page.locator(`#state[data-state="live"]`).waitFor({ state: "attached" });
    await placeSegments(edge.miniflare, made);
    await page.locator("#state", { hasText: "only its auditors can read it" }).waitFor();
    await page.reload();
    await page.locator("h2", { hasText: "This recording is sealed" }).waitFor();
    const text = (await page.textContent("main")) ?? "";
    expect(text).toContain(`wicket play ${made.id} --key-file`);
    expect(text).toContain(auditor.id);
    expect(text).not.toContain("canary");
    expect(await page.locator("#player").count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    await shoot(page, "player-sealed");
    await page.goto(`${edge.origin}/recordings`);
    await page
      .locator("tr", { hasText: made.id.slice(0, 8) })
      .locator("td", { hasText: "sealed" })
      .waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  test.each(["light", "dark"] as const)(
    "the player is accessible (%s), also on a phone",
    async (colorScheme) => {
      for (const viewport of [
        { width: 1280, height: 900 },
        { width: 390, height: 800 },
      ]) {
        const { context, page } = await signIn(browser, edge.origin, "tina", { colorScheme, viewport });
        await played(page, small, "#s=1");
        await page.locator("#details td.masked").first().waitFor();
        expect(await violations(page)).toEqual([]);
        expect(await scrollsSideways(page)).toBe(false);
        await shoot(page, `player-${colorScheme}-${viewport.width}`);
        await context.close();
      }
    },
  );
});

describe.runIf(withBrowser)("large and terminal", () => {
  test("a recording of 100 MB opens at once, scrolls, and shows any row of a large result", async () => {
    const made = new MadeSession();
    // Noise, that little can be compressed: it comes again after two megabytes, which is more than a segment.
    const noise = randomBytes(1_500_000).toString("base64");
    const rows = function* (count: number): Iterable<string[]> {
      for (let i = 1; i <= count; i++) {
        const at = (i * 959) % (noise.length - 959);
        yield [String(i), `x${noise.slice(at, at + 959)}`];
      }
    };
    for (let n = 0; n < 20_000; n++)
      made.statement({ text: `SELECT ${n} AS n`, columns: ["n"], rows: [[String(n)]] });
    made.statement({ text: "SELECT * FROM big", columns: ["id", "filler"], rows: rows(95_000) });
    made.seal("CLIENT_TERMINATED");
    // Connections that were closed meanwhile are noticed before one of them is used again.
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(made.content).toBeGreaterThan(100_000_000);
    expect(made.bytes).toBeGreaterThan(50_000_000);
    await placeSession(edge.miniflare, made, { subject: "tina", issuer: edge.issuer });
    await placeSegments(edge.miniflare, made);
    await placeEnd(edge.miniflare, made, "CLIENT_TERMINATED");
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    const began = performance.now();
    await played(page, made);
    await page.locator("#details td", { hasText: "0" }).first().waitFor();
    const opened = performance.now() - began;
    // Where that time went: the page, the list of segments, the first of them; milliseconds since the navigation.
    const parts = await page.evaluate(`(() => {
      const of = (end) => performance.getEntriesByType("resource").find((one) => one.name.endsWith(end))?.responseEnd;
      const { responseEnd: page } = performance.getEntriesByType("navigation")[0];
      const round = Math.round;
      return { page: round(page), script: round(of("player.js") ?? of(".js")), listed: round(of("after=-1")), first: round(of("segments/0")), now: round(performance.now()) };
    })()`);
    console.log(`opening: ${JSON.stringify(parts)}`);
    await page.locator("#state", { hasText: "closed: CLIENT_TERMINATED" }).waitFor({ timeout: 60_000 });
    const whole = performance.now() - began;
    // Scrolls from end to end while frames are counted.
    const frames = (await page.evaluate(`new Promise((resolve) => {
      const box = document.getElementById("items");
      const gaps = [];
      let last = performance.now();
      let step = 0;
      const next = (now) => {
        gaps.push(now - last);
        last = now;
        box.scrollTop = (box.scrollHeight * ++step) / 120;
        if (step < 120) requestAnimationFrame(next); else resolve(gaps.slice(1));
      };
      requestAnimationFrame(next);
    })`)) as number[];
    frames.sort((a, b) => a - b);
    const figures = {
      ...{
        bytes: made.bytes,
        content: made.content,
        segments: made.segments.length,
        openedMs: Math.round(opened),
        wholeMs: Math.round(whole),
      },
      ...{ frameP50: frames[60], frameP95: frames[114], frameMax: frames.at(-1) },
    };
    console.log(`100 MB recording: ${JSON.stringify(figures)}`);
    expect(opened).toBeLessThan(whole);
    expect(await page.locator(".item").count()).toBeLessThan(100);
    await page.focus("#items");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    await page.locator("#details", { hasText: "Rows 1 to 100 of 95,000" }).waitFor();
    const before = performance.now();
    await page.fill('#details input[type="number"]', "77777");
    await page.keyboard.press("Enter");
    await page.locator("#details", { hasText: "Rows 77,701 to 77,800 of 95,000" }).waitFor();
    console.log(`row 77,777 of 95,000 after ${Math.round(performance.now() - before)} ms`);
    expect(await page.locator("#details tbody tr").nth(76).textContent()).toContain("77,77777777x");
    // What is found in very many rows is shown two hundred at a time, and a search ends when it is told to.
    await page.fill("#search", "x");
    await page.keyboard.press("Enter");
    await page.locator("#values-told", { hasText: "of them are shown" }).waitFor();
    expect(await page.locator("#values-list li").count()).toBeLessThan(1_000);
    await page.click("#values-more");
    await page.locator("#values-told", { hasText: "of them are shown" }).waitFor();
    const searched = performance.now();
    await page.fill("#search", "94999");
    await page.keyboard.press("Enter");
    await page.locator("#values-list button", { hasText: "row 94,999" }).first().waitFor();
    console.log(`a value in row 94,999 found after ${Math.round(performance.now() - searched)} ms`);
    await page.fill("#search", "no such value");
    await page.keyboard.press("Enter");
    await page.click("#values-stop");
    await page.locator("#values-told", { hasText: "Stopped: 0 values found so far." }).waitFor();
    expect(await page.evaluate("document.activeElement.id")).toBe("values-list");
    await shoot(page, "player-large", false);
    expect(faults).toEqual([]);
    await context.close();
  });

  test("an exec session plays in the terminal player, without inline script, and inert", async () => {
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    const made = new MadeSession();
    made.statement({ text: "GET /api/v1/namespaces/shop/pods" });
    made.statement({
      text: "POST /api/v1/namespaces/shop/pods/api-1/exec?command=sh",
      cast: [
        '{"version":2,"width":80,"height":24,"title":"exec shop/api-1"}',
        '[0.1,"o","$ ls\\r\\n"]',
        '[0.4,"o","\\u001b[32mready.txt\\u001b[0m <img src=x onerror=alert(1)>\\r\\n"]',
        '[0.5,"o","\\u001b]8;;https://evil.example\\u0007click\\u001b]8;;\\u0007\\r\\n"]',
        '[0.9,"o","$ done\\r\\n"]',
      ],
    });
    made.seal("SESSION_EXPIRED");
    await placeSession(edge.miniflare, made, {
      ...{ subject: "tina", issuer: edge.issuer, task: "pods", resource: "shop-cluster" },
    });
    await placeSegments(edge.miniflare, made);
    await placeEnd(edge.miniflare, made, "SESSION_EXPIRED");
    const answer = await page.goto(`${edge.origin}/recordings/${made.id}#s=2`);
    const policy = answer!.headers()["content-security-policy"]!;
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).not.toContain("unsafe-inline");
    await page.locator(".ap-player").waitFor();
    await page.locator(".ap-player .ap-overlay-start").click();
    await page.locator(".ap-player", { hasText: "$ done" }).waitFor();
    expect(await page.textContent(".ap-player")).toContain("<img src=x onerror=alert(1)>");
    expect(await page.locator('.ap-player img, .ap-player a[href*="evil"]').count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    await shoot(page, "terminal");
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await scrollsSideways(page)).toBe(false);
    await shoot(page, "terminal-390");
    expect(faults).toEqual([]);
    await context.close();
  });
});

/** Tricks, each in a place where the recording carries text of others. */
const TRICKS: Readonly<Record<string, [text: string, shown: string]>> = {
  "ANSI colours and cursor": ["\u001b[31mred\u001b[2K\u001b[1A", "⟨U+001B⟩[31mred⟨U+001B⟩[2K⟨U+001B⟩[1A"],
  "OSC title and link": [
    "\u001b]8;;https://evil.example\u0007x",
    "⟨U+001B⟩]8;;https://evil.example⟨U+0007⟩x",
  ],
  "bidirectional controls": ["admin\u202etxt.exe", "admin⟨U+202E⟩txt.exe"],
  "HTML and script": [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "<img src=x onerror=alert(1)>",
  ],
  "a CSV formula": ['=HYPERLINK("https://evil.example","x")', '=HYPERLINK("https://evil.example","x")'],
  "line breaks that fake lines": ["a\n2. allowed SELECT", "a⟨U+000A⟩2. allowed SELECT"],
  "NUL and other controls": ["a\u0000b\u0008c", "a⟨U+0000⟩b⟨U+0008⟩c"],
  "characters that do not show": ["a\u200bb\u00adc\u{e0041}", "a⟨U+200B⟩b⟨U+00AD⟩c⟨U+E0041⟩"],
};

describe.runIf(withBrowser)("inert", () => {
  test.each(Object.entries(TRICKS))(
    "R11 %s in SQL, names, values, errors and reasons show as text",
    async (_, [trick, shown]) => {
      const { context, page, faults } = await signIn(browser, edge.origin, "tina");
      let dialogs = 0;
      page.on("dialog", (dialog) => {
        dialogs += 1;
        void dialog.dismiss();
      });
      const made = new MadeSession();
      made.statement({
        text: `SELECT '${trick}'`,
        columns: [trick],
        masked: [`s.t.${trick}`],
        rows: [[trick]],
      });
      made.statement({ text: "SELECT 1/0", error: trick });
      made.event({ t: "alarm", code: "X", message: trick, at: made.started + 100 });
      made.seal("CLIENT_TERMINATED");
      await placeSession(edge.miniflare, made, { subject: "tina", issuer: edge.issuer, reason: trick });
      await placeSegments(edge.miniflare, made);
      await played(page, made, "#s=1");
      await page.locator("#details tbody td").nth(1).waitFor();
      const texts = [
        await page.textContent("dl.facts"),
        await page.textContent("#details tbody"),
        await page.textContent("#details dl"),
      ];
      for (const text of texts) expect(text).toContain(shown);
      // In the list a statement is one line.
      expect(await page.textContent(".item >> nth=0")).toContain(shown.replace("⟨U+000A⟩", " "));
      expect(await page.textContent("#details thead")).toContain(shown.replace("⟨U+0000⟩", ""));
      // In the statement itself a line break is one, and everything else is not.
      expect(await page.textContent("#details .sql")).toContain(shown.replace("⟨U+000A⟩", "\n"));
      await page.goto(`${edge.origin}/recordings/${made.id}#s=2`);
      await page.locator("#details h2", { hasText: "Statement 2" }).waitFor();
      expect(await page.textContent("#details dl")).toContain(shown);
      expect(await page.locator("#player img, #player a, #player script, #items br").count()).toBe(0);
      await page.goto(`${edge.origin}/recordings`);
      expect(await page.textContent("main")).toContain(shown);
      expect(dialogs).toBe(0);
      expect(faults).toEqual([]);
      await context.close();
    },
  );
});
