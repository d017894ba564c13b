/** What it costs to find out who asks and under which grant, for each request: the whole system, a cluster behind it. */
import { Agent, request } from "node:https";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { figure, type Table } from "./report.ts";
import { spread } from "./statistics.ts";

const TASK = `version: 1
task: look
description: Look at pods.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { resources: [pods], verbs: [get], namespaces: [shop] }
`;
/** An admission is believed for a second (worker/gateway/request-admission.ts). */
const FORGOTTEN_MS = 1100;

export async function admission(): Promise<Table> {
  const cluster = await startCluster({ look: TASK });
  const agent = new Agent({ keepAlive: true, ca: cluster.system.https!.authority });
  try {
    return await measure(cluster, agent);
  } finally {
    agent.destroy();
    await cluster.close();
  }
}

async function measure(cluster: Cluster, agent: Agent): Promise<Table> {
  const { system } = cluster;
  const tokens = {
    "an identity token and the task's name": {
      authorization: `Bearer ${system.people["tina"]}`,
      "wicket-task": "look",
    },
    "a token of the edge, for a grant (kubectl)": { authorization: `Bearer ${await grantToken(cluster)}` },
  };
  const rows: string[][] = [];
  for (const [name, headers] of Object.entries(tokens)) {
    for (let i = 0; i < 50; i++) await get(cluster, agent, headers);
    const known: number[] = [];
    for (let i = 0; i < 200; i++) known.push(await get(cluster, agent, headers));
    const forgotten: number[] = [];
    for (let i = 0; i < 15; i++) {
      await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_MS));
      forgotten.push(await get(cluster, agent, headers));
    }
    rows.push([name, figure(spread(forgotten).median), figure(spread(known).median)]);
  }
  return { head: ["get a pod, by the whole system", "first in a second, ms", "again, ms"], rows };
}

function get(cluster: Cluster, agent: Agent, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const path = "/k8s/prod-cluster/api/v1/namespaces/shop/pods/web-1";
    const asked = request(cluster.system.https!.origin + path, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`a pod was answered ${response.statusCode}`));
      response.resume();
      response.on("end", () => resolve(performance.now() - start));
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function grantToken({ system }: Cluster): Promise<string> {
  const answer = await fetch(`${system.edge}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: system.people["tina"]!,
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      authorization_details: JSON.stringify([{ type: "task", task: "look" }]),
    }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}
