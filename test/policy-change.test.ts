/**
 * A library that changes while sessions run: what was granted under tasks that changed or are gone ends, and says why;
 * what was granted under the others goes on. Here the edge restarts with its policies, so every session is cut; a
 * deployment that waits for sessions ends those of changed tasks only (worker/sessions/object.test.ts).
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approvalLibrary } from "./support/approval-library.ts";
import { type System, startSystem } from "./support/system.ts";

const policies = approvalLibrary();
let system: System;

beforeAll(async () => {
  system = await startSystem({ policies });
});
afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  rmSync(policies, { recursive: true, force: true });
});

const post = (person: string, path: string, body: object = {}) =>
  system.api(person, path, { method: "POST", body: JSON.stringify(body) });

async function opened(task: string) {
  const reason = `INC-${task}`;
  const asked = await post("tina", "/api/requests", { task, params: { customer: "7" }, reason });
  expect((await post("lee", `/api/requests/${asked.body.id}/approve`)).status).toBe(200);
  const args = ["orders-db", "--task", task, "--param", "customer=7", "--reason", reason];
  const proxy = await system.proxy(args);
  const client = new pg.Client(proxy.url);
  client.on("error", () => {});
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  await client.connect();
  const grant = asked.body.id as string;
  const { sessions } = (await system.api("tina", `/api/requests/${grant}`)).body;
  return { task, args, grant, ended, session: sessions[0] as string };
}

test("V1 A2 a task that changes, one that goes, and one that stays", async () => {
  const [changed, gone, same] = [await opened("granted"), await opened("thrifty"), await opened("held")];
  const before = (await system.api("tina", "/api/tasks")).body.policies as string;
  const file = join(policies, "tasks", "granted.yaml");
  rmSync(join(policies, "tasks", "thrifty.yaml"));
  writeFileSync(
    file,
    readFileSync(file, "utf8")
      .replace("[id, email, country]", "[id, country]")
      .replace(", mask: { email: email }", ""),
  );
  await system.until(
    async () => system.events.some((event) => event["status"] === "policies"),
    "the new policies are in force",
  );
  await Promise.all([changed.ended, gone.ended, same.ended]);

  const endOf = (session: string) =>
    system.until(async () => {
      const { body } = await system.api("operator", `/api/sessions/${session}`);
      return body.ended !== null && body.end_code;
    }, "the session's end");
  expect(await endOf(changed.session)).toBe("POLICY_CHANGED");
  expect(await endOf(gone.session)).toBe("POLICY_CHANGED");
  expect(await endOf(same.session)).toBe("EDGE_RESTARTED");

  for (const { grant } of [changed, gone]) {
    const { body } = await system.api("tina", `/api/requests/${grant}`);
    expect(body).toMatchObject({ status: "revoked", ended: { code: "POLICY_CHANGED" } });
    expect(body.ended.message).toBe("the task's policy has changed");
  }
  expect((await system.api("tina", `/api/requests/${same.grant}`)).body.status).toBe("active");
  const connect = (args: readonly string[]) =>
    system.wicket(["connect", ...args, "--no-wait", "--", "sh", "-c", "echo ran"]);
  // The approval of the task that stayed still counts; that of the one that changed does not.
  await system.until(
    async () => (await connect(same.args)).stdout === "ran\n",
    "the connector is there again",
  );
  expect((await connect(changed.args)).code).toBe(5);
  expect((await connect(gone.args)).code).not.toBe(0);

  const after = (await system.api("tina", "/api/tasks")).body.policies as string;
  const { events } = (await system.api("operator", "/api/audit?type=policy.changed")).body;
  expect(events[0]).toMatchObject({ severity: "warn", data: { from: before, to: after } });
  const headers = { authorization: `Bearer ${system.operator}` };
  const entries = await system.until(async () => {
    const checkpoint = await (await fetch(`${system.edge}/log/checkpoint`)).text();
    const size = checkpoint.split("\n")[1];
    const tile = await fetch(`${system.edge}/log/tile/entries/000.p/${size}`, { headers });
    const text = await tile.text();
    return text.includes(`"after":"${after}"`) && text;
  }, "the change in the log");
  expect(entries).toContain(`"before":"${before}"`);
  expect(entries).toContain('"type":"policy.change"');
});
