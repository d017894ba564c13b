/** Approvals in Slack, with a server in the place of Slack's addresses: what is sent, and whose answers count. */
import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, signIn, withBrowser } from "./support/browser.ts";
import { type IdentityEdge, startIdentityEdge } from "./support/identity-edge.ts";

const SECRET = "a signing secret for tests";

interface Message {
  readonly text: string;
  readonly blocks?: readonly [
    { readonly text: { readonly text: string } },
    { readonly elements: readonly { action_id: string; value?: string; url?: string }[] },
  ];
  readonly replace_original?: boolean;
}

let slack: Server;
let origin: string;
let edge: IdentityEdge;
let browser: Browser;
let failures = 0;
/** What Slack was sent, by path. */
const received: { path: string; body: Message }[] = [];
let told: (() => void) | null = null;

beforeAll(async () => {
  slack = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      if (failures > 0) {
        failures -= 1;
        response.writeHead(503).end();
        return;
      }
      received.push({ path: request.url!, body: JSON.parse(body) as Message });
      response.end("ok");
      told?.();
    });
  });
  await new Promise<void>((resolve) => slack.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(slack.address() as AddressInfo).port}`;
  let issuer = "";
  edge = await startIdentityEdge({
    variables: (provider) => {
      issuer = provider;
      return {
        SLACK: JSON.stringify({
          signingSecret: SECRET,
          webhookUrl: `${origin}/services/T1/B1/x`,
          users: {
            "T1/ULEE": { issuer, subject: "lee" },
            "T1/UTINA": { issuer, subject: "tina" },
            "T1/UNEVER": { issuer, subject: "never-here" },
          },
          consoleOnly: ["two-people"],
        }),
      };
    },
  });
  if (withBrowser) browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await edge?.close();
  slack?.closeAllConnections();
  await new Promise((resolve) => slack.close(resolve));
});

/** The first thing Slack was sent that `look` likes. */
async function sent(look: (one: (typeof received)[number]) => boolean): Promise<Message> {
  for (;;) {
    const at = received.findIndex(look);
    if (at >= 0) return received.splice(at, 1)[0]!.body;
    await new Promise<void>((resolve) => {
      told = resolve;
    });
  }
}

const isMessage = ({ path }: { path: string }) => path.startsWith("/services/");
const isAnswer = ({ path }: { path: string }) => path === "/response";

interface Press {
  readonly user?: string;
  readonly team?: string;
  readonly verb?: string;
  readonly value: string;
  /** Seconds that the time is off. */
  readonly off?: number;
  readonly secret?: string;
  readonly responseUrl?: string;
}

function press({
  user = "ULEE",
  team = "T1",
  verb = "approve",
  value,
  off = 0,
  secret = SECRET,
  responseUrl,
}: Press) {
  const payload = {
    type: "block_actions",
    user: { id: user, team_id: team },
    response_url: responseUrl ?? `${origin}/response`,
    actions: [{ action_id: verb, value }],
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const time = String(Math.floor(Date.now() / 1000) + off);
  const signature = `v0=${createHmac("sha256", secret).update(`v0:${time}:${body}`).digest("hex")}`;
  return fetch(`${edge.origin}/slack/actions`, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": time,
      "x-slack-signature": signature,
    },
    body,
  });
}

/** Asks for a task in the console; the id of the request. */
async function ask(page: Page, task: string, reason: string): Promise<string> {
  await page.goto(`${edge.origin}/`);
  const form = page.locator(`form[aria-label="Ask for ${task}"]`);
  await form.locator('[name="param.customer"]').fill("7");
  await form.locator('[name="reason"]').fill(reason);
  await form.locator("button").click();
  await page.waitForURL(/\/requests\/[0-9a-f]{32}-\d+$/);
  return page.url().split("/").at(-1)!;
}

async function statusOf(page: Page, id: string): Promise<string> {
  await page.goto(`${edge.origin}/requests/${id}`);
  return (await page.locator("dl .status").first().textContent())!;
}

describe.runIf(withBrowser)("Slack", () => {
  test("a request is told, approved by who may, and the message is replaced; nothing in it is markup", async () => {
    const tina = await signIn(browser, edge.origin, "tina");
    const lee = await signIn(browser, edge.origin, "lee");
    failures = 1;
    const id = await ask(tina.page, "refund", "INC-7 <!channel> *x*");
    const message = await sent(isMessage);
    expect(failures).toBe(0);
    const [section, actions] = message.blocks!;
    expect(section.text.text).toContain("Tina asks for refund on orders-db");
    expect(section.text.text).toContain("INC-7 &lt;!channel&gt; *\u2060x*\u2060");
    const [approve, deny, open] = actions.elements;
    expect(open).toMatchObject({ action_id: "open", url: `${edge.origin}/requests/${id}` });
    expect(deny).toMatchObject({ action_id: "deny", value: approve!.value });
    const { value } = approve as { value: string };

    // Whose signature is not Slack's, or old, changes nothing.
    expect((await press({ value, secret: "another secret for tests" })).status).toBe(401);
    expect((await press({ value, off: -301 })).status).toBe(401);
    expect((await press({ value, off: 301 })).status).toBe(401);
    // Nor does who is not linked, the requester, who was never here, or another team's user of the same id.
    for (const [who, words] of [
      [{ user: "UNOBODY" }, "not linked"],
      [{ user: "ULEE", team: "T2" }, "not linked"],
      [{ user: "UNEVER" }, "not signed in"],
      [{ user: "UTINA" }, "Not done"],
    ] as const) {
      expect((await press({ value, ...who })).status).toBe(200);
      const answer = await sent(isAnswer);
      expect(answer.text).toContain(words);
      expect(answer.replace_original).toBe(false);
    }
    expect(await statusOf(tina.page, id)).toBe("pending");
    // Another task than the one that the message was about.
    expect((await press({ value: `${id} ${"0".repeat(64)}` })).status).toBe(200);
    expect((await sent(isAnswer)).text).toContain("decided in the console");
    // An answer goes to Slack, wherever a body says.
    expect((await press({ value, user: "UNOBODY", responseUrl: "http://127.0.0.1:9/response" })).status).toBe(
      200,
    );

    expect((await press({ value })).status).toBe(200);
    const done = await sent(isAnswer);
    expect(done).toMatchObject({ replace_original: true });
    expect(done.text).toContain("Approved by <@ULEE>");
    expect(await statusOf(tina.page, id)).toBe("active");
    await expect(tina.page.textContent("main")).resolves.toContain("Lee");
    // The same press again (Slack tries again) changes nothing.
    await press({ value });
    expect((await sent(isAnswer)).text).toContain("Not done");
    expect(await statusOf(tina.page, id)).toBe("active");
    // The request's page has the log of deliveries: taken at the second try, after a failure.
    await tina.page.click("summary");
    await expect(tina.page.textContent("main")).resolves.toMatch(
      /grant\.requested to 127\.0\.0\.1:\d+, taken at try 2/,
    );
    await tina.context.close();
    await lee.context.close();
  });

  test("a request is denied; what is risky only opens the console", async () => {
    const tina = await signIn(browser, edge.origin, "tina");
    const lee = await signIn(browser, edge.origin, "lee");
    const id = await ask(tina.page, "refund", "INC-8");
    const { value } = (await sent(isMessage)).blocks![1].elements[1] as { value: string };
    await press({ value, verb: "deny" });
    expect((await sent(isAnswer)).text).toContain("Denied by");
    expect(await statusOf(tina.page, id)).toBe("denied");

    const risky = await ask(tina.page, "two-people", "INC-9");
    const message = await sent(isMessage);
    expect(message.blocks![1].elements.map((one) => one.action_id)).toEqual(["open"]);
    expect(JSON.stringify(message)).not.toMatch(/INC-9|customer/);
    // Made by hand, and signed: still no.
    await press({ value: `${risky} ${"3".repeat(64)}` });
    expect((await sent(isAnswer)).text).toContain("decided in the console");
    expect(await statusOf(tina.page, risky)).toBe("pending");
    await tina.context.close();
    await lee.context.close();
  });

  test("an edge without Slack has no such door", async () => {
    const plain = await startIdentityEdge();
    const answer = await fetch(`${plain.origin}/slack/actions`, { method: "POST", body: "payload={}" });
    expect(answer.status).toBe(404);
    await plain.close();
  });
});
