/**
 * V1: whoever ends a grant, and whatever its sessions do at that moment, they end at once: the client is told or cut,
 * the database's session is gone, and what was open in it is rolled back.
 */

import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import pg from "pg";
import { from } from "pg-copy-streams";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approvalLibrary } from "./support/approval-library.ts";
import { type System, startSystem } from "./support/system.ts";

const policies = approvalLibrary();
let system: System;
let database: pg.Client;

beforeAll(async () => {
  system = await startSystem({ policies });
  const { adminPassword } = JSON.parse(readFileSync(join(system.state, "secrets.json"), "utf8"));
  const file = readFileSync(join(system.state, "connector-demo", "connector.yaml"), "utf8");
  database = new pg.Client({
    ...{ host: "127.0.0.1", port: Number(/port: (\d+)/.exec(file)![1]), database: "shop" },
    ...{ user: "postgres", password: adminPassword },
  });
  await database.connect();
  await database.query(`create table marks (at timestamptz default clock_timestamp(), note text);
    grant insert on marks to public`);
});

afterAll(async () => {
  await database?.end();
  expect(await system?.stop()).toBe(0);
  rmSync(policies, { recursive: true, force: true });
});

let reasons = 0;

const post = (person: string, path: string, body: object = {}) =>
  system.api(person, path, { method: "POST", body: JSON.stringify(body) });

/** A driver under an approved grant of its own. */
async function opened(task: string, more: object = {}) {
  reasons += 1;
  const reason = `INC-V${reasons}`;
  const asked = await post("tina", "/api/requests", { task, params: { customer: "7" }, reason, ...more });
  const grant: string = asked.body.id;
  expect((await post("lee", `/api/requests/${grant}/approve`)).status).toBe(200);
  const args = ["orders-db", "--task", task, "--param", "customer=7", "--reason", reason];
  const proxy = await system.proxy(args);
  const client = new pg.Client(proxy.url);
  const errors: (Error & { code?: string })[] = [];
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  client.on("error", (error) => errors.push(error));
  await client.connect();
  const { sessions } = (await system.api("tina", `/api/requests/${grant}`)).body;
  return { grant, proxy, client, errors, ended, session: sessions[0] as string, reason };
}

type Opened = Awaited<ReturnType<typeof opened>>;

async function running(session: string): Promise<boolean> {
  const text = "select 1 from pg_stat_activity where application_name = $1";
  return ((await database.query(text, [`wicket/${session}`])).rowCount ?? 0) > 0;
}

/** The session is over here, at the edge and in the database. */
async function over({ session, ended, proxy }: Opened, code: string): Promise<void> {
  await ended;
  const row = await system.until(async () => {
    const { body } = await system.api("operator", `/api/sessions/${session}`);
    return body.ended !== null && body;
  }, "the session's end");
  expect(row.end_code).toBe(code);
  await system.until(async () => !(await running(session)), "the database's session is gone");
  await proxy.stop();
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: Error & { code?: string }) => error,
  );

describe("V1 a grant that ends takes its sessions with it", () => {
  test("idle, revoked by the requester", async () => {
    const one = await opened("granted");
    expect(await running(one.session)).toBe(true);
    expect((await post("tina", `/api/requests/${one.grant}/revoke`, { reason: "done" })).status).toBe(200);
    await over(one, "GRANT_REVOKED");
    expect(one.errors[0]).toMatchObject({ code: "57P01", message: "done" });
    const events = (await system.api("operator", `/api/audit?grant=${one.grant}`)).body.events;
    const told = events.find((event: { type: string }) => event.type === "grant.sessions_ended");
    expect(told.data).toMatchObject({ sessions: 1, failed: 0 });
    // Nothing starts under it any more.
    const again = await system.wicket([
      ...["connect", "orders-db", "--task", "granted", "--param", "customer=7", "--reason", one.reason],
      ...["--no-wait", "--", "true"],
    ]);
    expect(again.code).toBe(5);
  });

  test("in the middle of a result that is not read, revoked by the approver", async () => {
    const one = await opened("granted");
    const { stream } = (one.client as unknown as { connection: { stream: NodeJS.ReadableStream } })
      .connection;
    const work = failure(one.client.query("select repeat('x', 1000) from generate_series(1, 5000000)"));
    await system.until(async () => {
      const { body } = await system.api("operator", `/api/sessions/${one.session}`);
      return body.rows > 0;
    }, "rows");
    stream.pause();
    expect((await post("lee", `/api/requests/${one.grant}/revoke`)).status).toBe(200);
    await system.until(async () => !(await running(one.session)), "the database's session is gone");
    stream.resume();
    expect(await work).not.toBeNull();
    await over(one, "GRANT_REVOKED");
  });

  test("in COPY, revoked by an administrator", async () => {
    const one = await opened("granted");
    const text = "copy (select repeat('x', 1000) from generate_series(1, 5000000)) to stdout";
    const work = failure(one.client.query(text));
    await system.until(async () => {
      const { body } = await system.api("operator", `/api/sessions/${one.session}`);
      return body.bytes > 0;
    }, "data");
    expect((await post("operator", `/api/requests/${one.grant}/revoke`)).status).toBe(200);
    expect(await work).not.toBeNull();
    await over(one, "GRANT_REVOKED");
  });

  test("in COPY FROM, revoked by the requester: nothing of it stays", async () => {
    const one = await opened("marks");
    const copy = one.client.query(from("copy marks (note) from stdin")) as unknown as Writable;
    const ended = once(copy, "error");
    copy.write("half\n".repeat(20_000));
    await system.until(async () => {
      const text = "select 1 from pg_stat_activity where application_name = $1 and query ilike 'copy%'";
      return (await database.query(text, [`wicket/${one.session}`])).rowCount === 1;
    }, "the copy runs");
    expect((await post("tina", `/api/requests/${one.grant}/revoke`)).status).toBe(200);
    await ended;
    await over(one, "GRANT_REVOKED");
    expect((await database.query("select 1 from marks where note = 'half'")).rowCount).toBe(0);
  });

  test("in a transaction, by disabling the identity: rolled back, and the identity is out", async () => {
    const one = await opened("held");
    const before = (await database.query("select status from orders where id = 108")).rows[0];
    await one.client.query("begin");
    const work = one.client.query("update orders set status = 'half' where id = 108");
    const id = await system.until(async () => {
      const { body } = await system.api("lee", "/api/requests?status=pending");
      return body.requests.find((row: { reason: string }) => row.reason === one.reason)?.id;
    }, "the statement that waits");
    await post("lee", `/api/requests/${id}/approve`);
    expect((await work).rowCount).toBe(1);
    const who = { issuer: system.issuer, subject: "tina", why: "left" };
    const disabled = await post("operator", "/api/identities/disable", who);
    expect(disabled).toMatchObject({ status: 200, body: { status: "disabled" } });
    try {
      await over(one, "IDENTITY_DISABLED");
      expect((await database.query("select status from orders where id = 108")).rows[0]).toEqual(before);
      const next = await system.wicket(["tasks"]);
      expect(next).toMatchObject({ code: 3, stderr: expect.stringContaining("IDENTITY_DISABLED") });
    } finally {
      await post("operator", "/api/identities/enable", { issuer: who.issuer, subject: who.subject });
    }
  });

  test("while a statement waits for approval, revoked by the approver: it never runs", async () => {
    const one = await opened("held");
    const work = failure(one.client.query("update orders set status = 'never' where id = 108"));
    const id = await system.until(async () => {
      const { body } = await system.api("lee", "/api/requests?status=pending");
      return body.requests.find((row: { reason: string }) => row.reason === one.reason)?.id;
    }, "the statement that waits");
    expect((await post("lee", `/api/requests/${one.grant}/revoke`, { reason: "enough" })).status).toBe(200);
    expect(await work).not.toBeNull();
    await over(one, "GRANT_REVOKED");
    expect((await post("mia", `/api/requests/${id}/approve`)).status).toBe(403);
    expect((await system.api("lee", `/api/requests/${id}`)).body.status).toBe("revoked");
    expect((await database.query("select 1 from orders where status = 'never'")).rowCount).toBe(0);
  });

  test("at the end of the granted time", async () => {
    const one = await opened("granted", { duration: "20s" });
    const begun = Date.now();
    await one.client.query("select 1");
    await one.ended;
    expect(Date.now() - begun).toBeLessThan(40_000);
    const { body } = await system.api("operator", `/api/sessions/${one.session}`);
    expect(body.end_code ?? "GRANT_EXPIRED").toMatch(/^(GRANT|SESSION)_EXPIRED$/);
    expect((await system.api("tina", `/api/requests/${one.grant}`)).body.status).toBe("expired");
    await one.proxy.stop();
  });
});

test("V1 no statement reaches the database after the revoke was answered", async () => {
  const one = await opened("marks");
  const more = await Promise.all(
    Array.from({ length: 7 }, async () => {
      const client = new pg.Client(one.proxy.url);
      client.on("error", () => {});
      await client.connect();
      return client;
    }),
  );
  const loops = [one.client, ...more].map(async (client) => {
    for (;;) {
      const failed = await failure(client.query("insert into marks (note) values ('again')"));
      if (failed) return failed;
    }
  });
  const written = async (since: string) => {
    const { rows } = await database.query("select count(*)::int as n from marks where at > $1", [since]);
    return rows[0].n as number;
  };
  await system.until(async () => (await written("-infinity")) > 100, "statements that run");
  expect((await post("lee", `/api/requests/${one.grant}/revoke`)).status).toBe(200);
  const answered = (await database.query("select clock_timestamp()::text as at")).rows[0].at;
  await Promise.all(loops);
  await over(one, "GRANT_REVOKED");
  expect(await written(answered)).toBe(0);
});

test("A6 a single-use grant starts one session, however many ask at the same moment", async () => {
  const asked = await post("tina", "/api/requests", {
    ...{ task: "granted", params: { customer: "7" }, reason: "INC-once", sessions: 1 },
  });
  await post("lee", `/api/requests/${asked.body.id}/approve`);
  const args = ["--task", "granted", "--param", "customer=7", "--reason", "INC-once", "--no-wait"];
  const runs = await Promise.all(
    Array.from({ length: 4 }, () =>
      system.wicket(["connect", "orders-db", ...args, "--", "sh", "-c", "echo ran"]),
    ),
  );
  expect(runs.map((run) => run.stdout).filter((text) => text === "ran\n")).toHaveLength(1);
  const codes = runs.map((run) => run.code).sort();
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  await system.until(
    async () => (await system.api("tina", `/api/requests/${asked.body.id}`)).body.status === "used",
    "it is used up",
  );
});

test("sessions of one grant share its budget, also at the same time; then it is used up", async () => {
  const one = await opened("thrifty");
  const two = new pg.Client(one.proxy.url);
  const gone = new Promise<void>((resolve) => two.once("end", () => resolve()));
  two.on("error", () => {});
  await two.connect();
  const read = (client: pg.Client) => client.query("select i from generate_series(1, 60) i");
  await Promise.all([read(one.client), read(two)]);
  // Each has read less than the budget; together they have read more.
  await Promise.all([one.ended, gone]);
  await over(one, "GRANT_USED");
  const used = await system.until(async () => {
    const { body } = await system.api("tina", `/api/requests/${one.grant}`);
    return body.status === "used" && body;
  }, "the grant is used");
  expect(used.spent).toMatchObject({ sessions: 2, rows: 120 });
});
