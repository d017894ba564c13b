/** What is believed for a second does not outlive a revocation: requests in a loop while the grant is taken back. */
import { Agent, request } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "./support/cluster.ts";

const look = `version: 1
task: look
description: Look at pods.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { resources: [pods], verbs: [get, list], namespaces: [shop] }
`;
let cluster: Cluster;
let agent: Agent;

beforeAll(async () => {
  cluster = await startCluster({ look });
  agent = new Agent({ keepAlive: true, ca: cluster.system.https!.authority });
});
afterAll(async () => {
  agent?.destroy();
  await cluster?.close();
});

function get(headers: Record<string, string>): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const path = "/k8s/prod-cluster/api/v1/namespaces/shop/pods/web-1";
    const asked = request(cluster.system.https!.origin + path, { agent, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("V1 a revoked grant is refused at the next request, though its admission is still believed", async () => {
  const { system } = cluster;
  const answer = await fetch(`${system.edge}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: system.people["tina"]!,
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      authorization_details: JSON.stringify([{ type: "task", task: "look" }]),
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const headers = { authorization: `Bearer ${token}` };
  expect((await get(headers)).status).toBe(200);
  const { body } = await system.api("tina", "/api/sessions?task=look");
  const grant = body.sessions[0].grant as string;
  // Believed again just before.
  expect((await get(headers)).status).toBe(200);
  const revoked = await system.api("tina", `/api/requests/${grant}/revoke`, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  });
  expect(revoked.status).toBe(200);
  for (let i = 0; i < 20; i++) {
    const { status, text } = await get(headers);
    expect([status >= 400, text]).toEqual([true, expect.stringMatching(/REVOKED|revoked|took it back/i)]);
  }
});

test("an admission is for its headers, its resource and its token alone", async () => {
  const tina = { authorization: `Bearer ${cluster.system.people["tina"]}` };
  expect((await get({ ...tina, "wicket-task": "look" })).status).toBe(200);
  expect((await get({ ...tina, "wicket-task": "other" })).status).toBe(404);
  expect((await get({ ...tina, "wicket-task": "look", "wicket-params": "x=1" })).text).toContain(
    "PARAM_UNKNOWN",
  );
  const omar = { authorization: `Bearer ${cluster.system.people["omar"]}` };
  expect((await get({ ...omar, "wicket-task": "look" })).text).toContain("NOT_A_MEMBER");
  expect((await get({ authorization: `${tina.authorization}x`, "wicket-task": "look" })).status).toBe(401);
  expect((await get({ "wicket-task": "look" })).status).toBe(401);
});
