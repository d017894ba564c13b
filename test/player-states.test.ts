/** The player when something is not as it should be, and what leaves it: links, copies. In a real browser. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
const who = () => ({ subject: "tina", issuer: edge.issuer });

beforeAll(async () => {
  edge = await startIdentityEdge();
  if (withBrowser) browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await edge?.close();
});

/** Puts a recording into the stores; `end`: the session is over. */
async function place(made: MadeSession, end: string | null, ...roots: MadeSession["roots"][]): Promise<void> {
  await placeSession(edge.miniflare, made, who());
  await placeSegments(edge.miniflare, made);
  if (end !== null) await placeEnd(edge.miniflare, made, end, ...roots);
}

async function open(page: Page, made: MadeSession, hash = ""): Promise<void> {
  await page.goto(`${edge.origin}/recordings/${made.id}${hash}`);
}

const customers = {
  text: "SELECT id, email, ssn, country, balance FROM customers WHERE id = 7",
  columns: ["id", "email", "ssn", "country", "balance"],
  plain: ["id", "country", "balance"],
  masked: ["public.customers.email", "public.customers.ssn"],
  rows: [["7", "h***@example.com", "XXX-XX-XXXX", "CH", "-12.50"]],
};

/** A session of a few statements, refused and failed ones too. */
function made(statements = 4): MadeSession {
  const session = new MadeSession();
  session.statement(customers);
  if (statements > 1)
    session.statement({ text: "SELECT ssn FROM employees", deny: "TABLE_NOT_GRANTED", after: 900 });
  if (statements > 2) session.statement({ text: "SELECT 1 / 0", error: "division by zero", after: 2_000 });
  for (let n = 3; n < statements; n++) session.statement({ text: `SELECT ${n}`, after: 1_000 });
  return session;
}

describe.runIf(withBrowser)("the states of a recording", () => {
  test.each<[name: string, make: () => Promise<MadeSession>, words: RegExp]>([
    [
      "closed",
      async () => {
        const session = made();
        session.seal("CLIENT_TERMINATED");
        await place(session, "CLIENT_TERMINATED");
        return session;
      },
      /closed, roots agree: the connector's running roots are those that the edge counted\. 1 of 1 segment \(.*\) read and in order; closed: CLIENT_TERMINATED\./,
    ],
    [
      "empty",
      async () => {
        const session = new MadeSession();
        await place(session, "CONNECTOR_OFFLINE");
        return session;
      },
      /empty: nothing of it is stored\./,
    ],
    [
      "aborted",
      async () => {
        const session = made();
        session.seal();
        await place(session, "CONNECTOR_LOST");
        return session;
      },
      /not closed: the session is over; the end of its recording is not stored yet\. 1 of 1 segment .* in order\./,
    ],
    [
      "gap",
      async () => {
        const session = made();
        session.note({ t: "gap", message: "the connector ended without closing the recording", lost: 17 });
        session.seal("CONNECTOR_RESTARTED", false);
        const { frontend, backend } = session.roots;
        const sent = { entries: frontend.entries + 2, root: "ab".repeat(32) };
        await place(session, "CONNECTOR_LOST", { frontend: sent, backend }, session.roots);
        return session;
      },
      /closed, gap stated: messages at its end are missing, and it says that it broke off; the last 2 messages that the edge sent are not in the segments: the recording broke off \(CONNECTOR_RESTARTED\), and the database answered none of those sent\. 1 of 1 segment .* closed: CONNECTOR_RESTARTED\./,
    ],
    [
      "differs",
      async () => {
        const session = made();
        session.seal("CLIENT_TERMINATED");
        const { frontend, backend } = session.roots;
        await place(session, "CLIENT_TERMINATED", {
          frontend,
          backend: { ...backend, root: "ab".repeat(32) },
        });
        return session;
      },
      /roots differ: the connector's running roots are not those that the edge counted; the edge saw other messages from the database than the segments have\./,
    ],
  ])("%s: it says so in words, light and dark, wide and narrow", async (name, make, words) => {
    const session = await make();
    for (const [colorScheme, width] of [
      ["light", 1280],
      ["dark", 390],
    ] as const) {
      const viewport = { width, height: 860 };
      const { context, page, faults } = await signIn(browser, edge.origin, "tina", { colorScheme, viewport });
      await open(page, session);
      if (name === "empty")
        await page.locator("#details", { hasText: "There is nothing to play." }).waitFor();
      else await page.locator("#details td.masked").first().waitFor();
      const told = (await page.textContent("dl.facts"))!.replace(/\s+/g, " ");
      expect(told).toMatch(words);
      if (name === "gap") {
        await expect(page.textContent("#alerts")).resolves.toContain("This recording states 1 gap.");
        await page.click("#alerts button");
        await page.locator("#details", { hasText: "without closing the recording" }).waitFor();
        expect(await page.locator(".item").count()).toBe(1);
        const list = await (await page.request.get(`${edge.origin}/recordings`)).text();
        expect(list).toContain("closed, gap stated");
        const token = { authorization: `Bearer ${await edge.token("tina")}` };
        const one = await fetch(`${edge.origin}/api/sessions/${session.id}`, { headers: token });
        expect(await one.json()).toMatchObject({
          recording: "gap",
          recording_detail: expect.stringContaining("last 2 messages that the edge sent"),
        });
      } else expect(await page.locator("#alerts").isVisible()).toBe(false);
      expect(await violations(page)).toEqual([]);
      expect(await scrollsSideways(page)).toBe(false);
      expect(await page.locator('nav a[aria-current="true"]').textContent()).toBe("Recordings");
      await shoot(page, `state-${name}-${colorScheme}`);
      expect(faults).toEqual([]);
      await context.close();
    }
  });

  test("a refused statement says why, and a statement that is not there is said to be none", async () => {
    const session = made();
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const { context, page } = await signIn(browser, edge.origin, "tina");
    await open(page, session, "#s=2");
    await page.locator("#details", { hasText: "TABLE_NOT_GRANTED" }).waitFor();
    await shoot(page, "state-denied");
    await open(page, session, "#s=99");
    await page.reload();
    await page.locator("#details", { hasText: "The recording has no statement 99." }).waitFor();
    await context.close();
  });

  test("the edge that fails for a while is asked again, while reading and while following", async () => {
    const session = new MadeSession(Date.now() - 5_000);
    session.statement({ text: "SELECT 'first'", columns: ["a"], rows: [["first"]] });
    session.seal();
    await place(session, null);
    const { context, page } = await signIn(browser, edge.origin, "tina");
    let down = true;
    await page.route(/\/segments/, (route) => (down ? route.fulfill({ status: 503 }) : route.continue()));
    // The pauses are passed over.
    await page.clock.install();
    await open(page, session);
    await page.locator("#state", { hasText: "The edge answered 503; asking again." }).waitFor();
    down = false;
    await page.clock.fastForward(15_000);
    await page.locator("#details td", { hasText: "first" }).waitFor();
    await page.unroute(/\/segments/);
    await page.route(/\/segments/, (route) => route.abort());
    await page.clock.fastForward(2_000);
    await page.locator("#state", { hasText: "The edge does not answer; asking again." }).waitFor();
    await page.unroute(/\/segments/);
    session.statement({ text: "SELECT 'second'", columns: ["a"], rows: [["second"]], after: 2_000 });
    session.seal();
    await placeSegments(edge.miniflare, session, 1);
    await page.clock.fastForward(15_000);
    await page.locator("#details td", { hasText: "second" }).waitFor();
    await context.close();
  });

  test("an answer that never comes, stands still or breaks off is asked for again", async () => {
    const session = made();
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    /** What the next answers do instead of coming whole. */
    const faults: ((answer: ServerResponse) => void)[] = [
      () => undefined,
      (answer) => answer.writeHead(200, { "content-length": "500" }).write("{"),
      (answer) => answer.writeHead(200, { "content-length": "2" }).end("<a"),
      (answer) => answer.writeHead(200, { "content-length": "500" }).write("x", () => answer.destroy()),
    ];
    let asked: (() => void) | null = null;
    const server = createServer((_request: IncomingMessage, answer: ServerResponse) => {
      // Else a browser waits for more of it, to guess what it is.
      answer.setHeader("content-type", "application/json").setHeader("x-content-type-options", "nosniff");
      faults.shift()?.(answer);
      asked?.();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const elsewhere = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const next = () => new Promise<void>((resolve) => (asked = resolve));
    const { context, page } = await signIn(browser, edge.origin, "tina");
    // Three lists fail, and then a segment.
    await page.route(/\/segments/, (route) => {
      const list = route.request().url().includes("after=");
      const fails = list ? faults.length > 1 : faults.length === 1;
      return fails ? route.continue({ url: elsewhere }) : route.continue();
    });
    await page.clock.install();
    // Tells when the page has the beginning of an answer.
    await page.addInitScript(`const { fetch } = globalThis;
      globalThis.fetch = (...asked) => fetch(...asked).then((answer) => { globalThis.begun = true; return answer; });`);
    const state = (words: string) => page.locator("#state", { hasText: words }).waitFor();
    let waits = next();
    await open(page, session);
    await waits;
    await state("Reading…");
    // From here on time passes when this test says so.
    await page.clock.pauseAt(Date.now() + 5_000);
    waits = next();
    await page.clock.fastForward(20_000);
    await state("The edge does not answer; asking again.");
    await page.clock.fastForward(1_000);
    await waits;
    await expect.poll(() => page.evaluate("globalThis.begun")).toBe(true);
    // Its beginning came, and nothing after it.
    await page.clock.fastForward(20_000);
    await state("The edge's answer broke off; asking again.");
    await page.clock.fastForward(2_000);
    await state("The edge's answer is not one; asking again.");
    await page.clock.fastForward(4_000);
    await state("The edge's answer broke off; asking again.");
    expect(faults).toEqual([]);
    await page.unroute(/\/segments/);
    await page.clock.fastForward(8_000);
    await page.clock.resume();
    await page.locator("#details td", { hasText: "h***@example.com" }).waitFor();
    await state("closed: CLIENT_TERMINATED");
    await context.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test("a terminal's player that does not load says so, and is loaded again when asked to", async () => {
    const session = made(1);
    session.statement({
      ...{ text: "POST /api/v1/namespaces/shop/pods/api-1/exec?command=sh" },
      cast: ['{"version":2,"width":80,"height":24}', '[0.1,"o","$ ls\\r\\n"]'],
    });
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const { context, page } = await signIn(browser, edge.origin, "tina");
    let down = true;
    await page.route(/\/terminal\.js/, (route) => (down ? route.abort() : route.continue()));
    await open(page, session);
    await page.locator("#details td.masked").first().waitFor();
    await page.keyboard.press("j");
    await page.locator("#details", { hasText: "The terminal's player did not load." }).waitFor();
    expect(await violations(page)).toEqual([]);
    down = false;
    await page.click('#details button:has-text("Load it again")');
    await page.locator(".ap-player").waitFor();
    await context.close();
  });

  test("a player that did not load is loaded again; without its scripts the page says so", async () => {
    const session = made(1);
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const { context, page } = await signIn(browser, edge.origin, "tina");
    let failures = 2;
    await page.route(/\/player\.js/, (route) => (failures-- > 0 ? route.abort() : route.continue()));
    await open(page, session);
    await page.locator("#details td.masked").first().waitFor();
    expect(failures).toBe(-1);
    await page.route(/\.js/, (route) => route.abort());
    await page.reload();
    const late = page.locator(".late", { hasText: "The player has not begun. Load the page again" });
    expect(await late.isVisible()).toBe(false);
    // Its time, ten seconds, is over.
    await page.evaluate("document.getAnimations().forEach((one) => one.finish())");
    await late.waitFor();
    expect(await violations(page)).toEqual([]);
    await page.unrouteAll();
    await late.locator("a").click();
    await page.locator("#details td.masked").first().waitFor();
    await context.close();
  });

  test("what is shown grows while the session runs: an outcome that comes later, and a terminal", async () => {
    const session = new MadeSession(Date.now() - 5_000);
    const n = session.terminal("POST /api/v1/namespaces/shop/pods/api-1/exec?command=sh");
    session.shows(n, 100, "$ one\r\n");
    session.seal();
    await placeSession(edge.miniflare, session, { ...who(), task: "pods", resource: "shop-cluster" });
    await placeSegments(edge.miniflare, session);
    const { context, page, faults } = await signIn(browser, edge.origin, "tina");
    await open(page, session);
    await page.locator("#details", { hasText: "Outcome" }).waitFor();
    await page.locator(".ap-player .ap-overlay-start").click();
    await page.locator(".ap-player", { hasText: "$ one" }).waitFor();
    session.shows(n, 900, "$ two\r\n");
    session.seal();
    await placeSegments(edge.miniflare, session, 1);
    // Nobody touches the page.
    await page.locator(".ap-player", { hasText: "$ two" }).waitFor();
    await shoot(page, "terminal-live");
    session.event({ t: "outcome", n, ok: true, rows: 0, bytes: 12, ms: 1234, at: session.started + 2_000 });
    session.seal("CLIENT_TERMINATED");
    await placeSegments(edge.miniflare, session, 2);
    await placeEnd(edge.miniflare, session, "CLIENT_TERMINATED");
    await page.locator('#state[data-state="final"]').waitFor();
    await page.keyboard.press("k");
    await page.locator("#details dd", { hasText: "1,234 ms" }).waitFor();
    expect(await page.locator(".ap-player").count()).toBe(1);
    expect(faults).toEqual([]);
    await context.close();
  });

  test("a page that stood open longer than its reading lasts begins another, and goes on", async () => {
    const session = new MadeSession();
    for (const from of [0, 1000])
      session.statement({
        text: `SELECT n FROM generate_series(${from}, ${from + 199}) n`,
        ...{ columns: ["n"], rows: Array.from({ length: 200 }, (_, i) => [String(from + i)]) },
      });
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const { context, page } = await signIn(browser, edge.origin, "tina");
    const listings: string[] = [];
    let refused = 0;
    await page.route(/\/segments/, (route) => {
      const url = route.request().url();
      if (/after=/.test(url)) listings.push(url);
      // The first segment is refused once, as it is when the ticket is over.
      else if (refused++ === 0) return route.fulfill({ status: 403, json: { code: "READING_OVER" } });
      return route.continue();
    });
    await open(page, session);
    await page.locator("#details td", { hasText: "99" }).first().waitFor();
    expect(listings.length).toBe(2);
    await context.close();
  });
});

describe.runIf(withBrowser)("what leaves the player", () => {
  test("the link names the moment that is shown, also while it plays; J and K and the arrows move", async () => {
    const session = made(8);
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const permissions = ["clipboard-read", "clipboard-write"];
    const { context, page, faults } = await signIn(browser, edge.origin, "tina", { permissions });
    await open(page, session);
    const shown = (n: number) => page.locator("#details h2", { hasText: `Statement ${n} ` }).waitFor();
    await shown(1);
    await page.keyboard.press("j");
    await shown(2);
    await page.keyboard.press("j");
    await shown(3);
    await page.keyboard.press("k");
    await shown(2);
    await page.click('[aria-label="The next statement"]');
    await shown(3);
    await page.click('[aria-label="The statement before"]');
    await shown(2);
    await page.click("#link");
    await page.locator("#copied", { hasText: "is copied" }).waitFor();
    const clipboard = () => page.evaluate("navigator.clipboard.readText()") as Promise<string>;
    expect(await clipboard()).toMatch(/#s=2$/);
    await page.click("#play");
    await page.locator("#details h2", { hasNotText: "Statement 2 " }).waitFor();
    await page.click("#link");
    const moment = Number(/#t=([\d.]+)$/.exec(await clipboard())?.[1]);
    await page.click("#play");
    expect(moment).toBeGreaterThan(2.8);
    await page.goto(`${edge.origin}/recordings/${session.id}#t=${moment}`);
    await page.reload();
    // Statements 3, 4 and so on are 2.9, 3.9 and so on seconds after the start.
    await shown(3 + Math.floor(moment - 2.89));
    expect(faults).toEqual([]);
    await context.close();
  });

  test("R4 what is copied from a result is plain text: no formula, no escape sequence, no markup", async () => {
    const session = new MadeSession();
    session.statement({
      text: "SELECT * FROM notes",
      columns: ["id", "note"],
      rows: [
        ["1", '=HYPERLINK("https://evil.example","x")'],
        ["-2", "@SUM(1+1)*cmd|' /C calc'!A0"],
        ["3", "\u001b[31mred\u001b]52;c;ZXZpbA==\u0007"],
        ["4", "two\nlines\tand a tab"],
        ["5", "<b>bold</b>"],
      ],
    });
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const permissions = ["clipboard-read", "clipboard-write"];
    const { context, page } = await signIn(browser, edge.origin, "tina", { permissions });
    await open(page, session);
    await page.locator("#details td", { hasText: "bold" }).waitFor();
    const copy = async (select: string): Promise<{ types: string[]; text: string }> => {
      await page.evaluate(`getSelection().selectAllChildren(${select})`);
      await page.keyboard.press("Control+C");
      return (await page.evaluate(`navigator.clipboard.read().then(async ([item]) => ({
        types: [...item.types], text: await (await item.getType("text/plain")).text() }))`)) as never;
    };
    const table = await copy('document.querySelector("#details .result table")');
    expect(table.types).toEqual(["text/plain"]);
    expect(table.text.split("\n")).toEqual([
      "#\tid\tnote",
      `1\t1\t'=HYPERLINK("https://evil.example","x")`,
      "2\t-2\t'@SUM(1+1)*cmd|' /C calc'!A0",
      "3\t3\t⟨U+001B⟩[31mred⟨U+001B⟩]52;c;ZXZpbA==⟨U+0007⟩",
      "4\t4\ttwo⟨U+000A⟩lines⟨U+0009⟩and a tab",
      "5\t5\t<b>bold</b>",
    ]);
    const cell = await copy('document.querySelectorAll("#details tbody td")[2]');
    expect(cell.text).toBe(`'=HYPERLINK("https://evil.example","x")`);
    const all = await copy('document.getElementById("details")');
    expect(all.types).toEqual(["text/plain"]);
    expect(all.text).toContain("SELECT * FROM notes");
    expect(all.text).not.toMatch(/(^|\t)[=@]/m);
    await context.close();
  });

  test("a search over all sessions shows the place that was found, and says when there is none", async () => {
    const session = made(1);
    session.seal("CLIENT_TERMINATED");
    await place(session, "CLIENT_TERMINATED");
    const text = `SELECT ${Array.from({ length: 200 }, (_, i) => `column_${i}`).join(", ")} FROM needle_table WHERE x`;
    await placeStatementEvents(edge.miniflare, session, who(), [text]);
    const { context, page } = await signIn(browser, edge.origin, "tina");
    await page.goto(`${edge.origin}/recordings?words=NEEDLE_table`);
    expect(await page.textContent("b.found")).toBe("needle_table");
    await expect(page.textContent("tbody td >> nth=-1")).resolves.toMatch(
      /^…\w+, column_.* FROM needle_table WHERE x$/,
    );
    expect(await violations(page)).toEqual([]);
    await shoot(page, "search-across");
    await page.goto(`${edge.origin}/recordings?words=no+such+text`);
    await page.locator("main", { hasText: "Nothing matches. Show all" }).waitFor();
    await shoot(page, "search-none");
    await context.close();
  });
});
