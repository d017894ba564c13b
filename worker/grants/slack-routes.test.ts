import { beforeAll, describe, expect, test } from "vitest";
import { listEvents } from "../audit/store.ts";
import { rememberPerson } from "../identity/people.ts";
import { askFor } from "./frozen-ask.ts";
import type { Grant, Person } from "./grant.ts";
import { grantOwner } from "./open.ts";
import { slackRoutes } from "./slack-routes.ts";
import { slotOf } from "./slot.ts";
import { createTestEdge, TEST_ORIGIN, type TestEdge } from "./test-edge.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
let edge: TestEdge;
let asked = 0;

beforeAll(async () => {
  edge = await createTestEdge((app, bundle) => void app.route("/", slackRoutes(bundle) as never));
  for (const [subject, email] of [
    ["lee", "lee@example.com"],
    ["tina-2", "Tina@Example.com"],
    ["agent", null],
    ["tina", "tina@example.com"],
  ] as const) {
    await rememberPerson(
      edge.env.DB,
      {
        ...{ issuer: edge.issuer.url, subject, name: subject, groups: ["support", "support-leads"] },
        ...{ claims: email === null ? {} : { email }, expires: Date.now() + 60_000 },
      },
      Date.now(),
    );
  }
});

function person(subject: string, email: string | null = null): Person {
  return { issuer: edge.issuer.url, subject, name: subject, groups: ["support", "support-leads"], email };
}

/** tina's request, asked for by an agent of hers. */
async function request(): Promise<Grant> {
  asked += 1;
  const ask = askFor(edge.bundle.tasks["refund"]!, {
    ...{ kind: "request", requester: person("tina", "tina@example.com") },
    actor: { issuer: edge.issuer.url, subject: "agent" },
    ...{
      params: { customer: String(asked) },
      reason: null,
      description: null,
      durationMs: null,
      sessions: null,
    },
  });
  if (!ask.ok) throw new Error(ask.code);
  const slot = await slotOf(ask.ask);
  const result = await edge.env.GRANTS.get(edge.env.GRANTS.idFromName(slot)).request(slot, ask.ask);
  if (!result.ok) throw new Error(result.code);
  return result.grant;
}

/** What Slack sends when this user presses the button. */
async function press(user: string, grant: Grant): Promise<Response> {
  const payload = {
    ...{ type: "block_actions", user: { id: user, team_id: "T1" } },
    actions: [{ action_id: "approve", value: `${grant.id} ${grant.taskDigest}` }],
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const time = String(Math.floor(Date.now() / 1000));
  const encoder = new TextEncoder();
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(SECRET), hmac, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(`v0:${time}:${body}`)));
  const hex = [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const users = Object.fromEntries(
    ["lee", "tina", "tina-2", "agent"].map((subject) => [
      `T1/${subject.toUpperCase().replace("-", "")}`,
      { issuer: edge.issuer.url, subject },
    ]),
  );
  const env = {
    ...edge.env,
    SLACK: JSON.stringify({ signingSecret: SECRET, webhookUrl: "https://hooks.example.com/x", users }),
  };
  const headers = {
    ...{ "content-type": "application/x-www-form-urlencoded" },
    ...{ "x-slack-request-timestamp": time, "x-slack-signature": `v0=${hex}` },
  };
  return await edge.app.request(`${TEST_ORIGIN}/slack/actions`, { method: "POST", headers, body }, env);
}

async function waitFor<T>(look: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("waited in vain");
}

const statusOf = async (grant: Grant): Promise<string> =>
  ((await grantOwner(edge.env, grant.id)!.get(grant.id)) as Grant).status;

describe("A1 nobody approves their own request in Slack", () => {
  test.each([
    ["the requester", "TINA"],
    ["a second account of the requester", "TINA2"],
    ["the agent that asked for them", "AGENT"],
  ])("%s", async (_who, user) => {
    const grant = await request();
    expect((await press(user, grant)).status).toBe(200);
    const [event] = await waitFor(async () => {
      const found = await listEvents(edge.env.DB, { grant: grant.id, type: "grant.refused" });
      return found.length > 0 ? found : null;
    });
    expect(event).toMatchObject({ reason: "SELF_APPROVAL" });
    expect(await statusOf(grant)).toBe("pending");
  });

  test("another person may", async () => {
    const grant = await request();
    await press("LEE", grant);
    expect(await waitFor(async () => ((await statusOf(grant)) === "active" ? true : null))).toBe(true);
  });
});
