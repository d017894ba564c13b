/**
 * One statement at a time: psql is told where it waits, the approver sees in a browser what would run, and exactly
 * that runs, or nothing. psql, the command line, Chromium, workerd and PostgreSQL are real.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import pg from "pg";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cancelRequest } from "../wire/postgres/startup.ts";
import { approvalLibrary } from "./support/approval-library.ts";
import { descendant } from "./support/processes.ts";
import { adminOf, finished, type LocalPort, type System, startSystem } from "./support/system.ts";

const CHROMIUM = "/usr/bin/chromium";
const withBrowser = existsSync(CHROMIUM);
if (!withBrowser) console.log(`browser tests are skipped: there is no ${CHROMIUM}`);
const hasPsql = spawnSync("psql", ["--version"]).status === 0;
if (!hasPsql) console.log("psql is not installed: tests that need it are left out");
const shots = process.env["WICKET_SCREENSHOTS"];

const policies = approvalLibrary();
let system: System;
let browser: Browser | null = null;

beforeAll(async () => {
  system = await startSystem({ policies });
  if (withBrowser) {
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
    browser = await chromium.launch({ executablePath: CHROMIUM, args });
  }
});

afterAll(async () => {
  await browser?.close();
  expect(await system?.stop()).toBe(0);
  rmSync(policies, { recursive: true, force: true });
});

let reasons = 0;
const sessionOf = (reason: string) => [...["--task", "held", "--param", "customer=7", "--reason", reason]];

/** A grant of the task `held`, approved; under a reason of its own. */
async function granted(): Promise<string> {
  const reason = `INC-${++reasons}`;
  const body = JSON.stringify({ task: "held", params: { customer: "7" }, reason });
  const asked = await system.api("tina", "/api/requests", { method: "POST", body });
  expect(asked.status).toBe(201);
  expect((await decide("lee", asked.body.id, "approve")).status).toBe(200);
  return reason;
}

const decide = (person: string, id: string, verb: string, body: object = {}) =>
  system.api(person, `/api/requests/${id}/${verb}`, { method: "POST", body: JSON.stringify(body) });

/** The statement of this grant that waits; in the eyes of `person`. */
function held(reason: string, person = "lee") {
  return system.until(async () => {
    const { body } = await system.api("lee", "/api/requests?status=pending");
    const row = body.requests.find(
      (one: { kind: string; reason: string }) => one.kind === "statement" && one.reason === reason,
    );
    return row && (await system.api(person, `/api/requests/${row.id}`)).body;
  }, "the statement that waits");
}

/** A driver under an approved grant. */
async function driver() {
  const reason = await granted();
  const proxy = await system.proxy(["orders-db", ...sessionOf(reason)]);
  const client = new pg.Client(proxy.url);
  const notices: { message?: string | undefined }[] = [];
  const errors: Error[] = [];
  client.on("notice", (notice) => notices.push(notice));
  client.on("error", (error) => errors.push(error));
  await client.connect();
  const stop = async (): Promise<void> => {
    await client.end().catch(() => {});
    await proxy.stop();
  };
  return { reason, proxy: proxy as LocalPort, client, notices, errors, stop };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: Error & { code?: string; hint?: string }) => error,
  );

async function signedIn(name: string): Promise<Page> {
  const page = await (await browser!.newContext()).newPage();
  await page.goto(`${system.edge}/`);
  await page.fill('input[name="login"]', name);
  await page.fill('input[name="password"]', "any");
  await page.click('button[type="submit"]');
  await page.click('button[type="submit"]');
  await page.waitForURL(`${system.edge}/`);
  return page;
}

describe.runIf(withBrowser && hasPsql)("psql, the browser and the database", () => {
  test("request, notice, approve in the browser, and the row appears in psql", async () => {
    const reason = await granted();
    const sql = "update orders set status = 'refunded' where id = 108 returning id, status";
    const child = system.spawn([
      ...["connect", "orders-db", ...sessionOf(reason), "--", "psql", "-XAt"],
      ...["-c", "select id from orders order by 1 limit 1", "-c", sql, "-c", "select 'after'"],
    ]);
    let said = "";
    let printed = "";
    child.stderr!.on("data", (chunk) => {
      said += String(chunk);
    });
    child.stdout!.on("data", (chunk) => {
      printed += String(chunk);
    });
    const done = finished(child);
    const url = await system.until(
      async () => /NOTICE: {2}this statement waits for approval: (\S+)/.exec(said)?.[1],
      "the notice in psql",
    );
    expect(said).toContain("HINT:  Cancel it to give up.");
    expect(printed).not.toContain("after");
    const page = await signedIn("lee");
    await page.goto(`${system.edge}/requests`);
    await page.click(`a[href="${new URL(url).pathname}"]`);
    const shown = (await page.textContent("main"))!;
    expect(shown).toContain(sql);
    expect(shown).toContain("tina");
    expect(shown).toContain(reason);
    expect(shown).toContain("update public.orders (status), rows where customer_id = :customer");
    expect(shown).toMatch(/Update on public\.orders: about \d+ rows/);
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    if (shots) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: join(shots, "statement.png"), fullPage: true });
    }
    await page.click('button:has-text("Approve")');
    const { code } = await done;
    expect(said).toContain("approved");
    expect(printed).toMatch(/^\d+\n108\|refunded\nUPDATE 1\nafter\n$/);
    expect(code).toBe(0);
    await page.context().close();
  });

  test("Ctrl-C in psql gives up what waits", async () => {
    const reason = await granted();
    const child = system.spawn(["connect", "orders-db", ...sessionOf(reason), "--", "psql", "-XAt"]);
    let said = "";
    child.stderr!.on("data", (chunk) => {
      said += String(chunk);
    });
    const done = finished(child);
    child.stdin!.write("update orders set status = 'x' where id = 108;\n");
    const { id } = await held(reason);
    process.kill(descendant(child.pid!, "psql")!, "SIGINT");
    await system.until(async () => said.includes("canceling statement due to user request"), "the error");
    expect((await system.api("lee", `/api/requests/${id}`)).body).toMatchObject({
      status: "revoked",
      ended: { code: "HOLD_DROPPED" },
    });
    expect((await decide("lee", id, "approve")).status).toBe(403);
    child.stdin!.end();
    await done;
  });
});

describe("what the approver sees", () => {
  test("the statement, its parameters, what it can touch, the plan and the rows that are expected", async () => {
    const { client, reason, notices, stop } = await driver();
    const sql = "update orders set status = $1 where id = any($2::int[])";
    const work = client.query(sql, ["shipped", [108, 358]]);
    const one = await held(reason);
    expect(one).toMatchObject({ kind: "statement", task: "held", reason, requester: { subject: "tina" } });
    expect(one.statement).toMatchObject({
      ...{ text: sql, params: ["shipped", '{"108","358"}'], relations: ["public.orders"] },
      noPlan: null,
    });
    expect(one.statement.touches).toContainEqual(
      expect.objectContaining({ verb: "update", columns: ["status"], rows: "customer_id = :customer" }),
    );
    expect(one.statement.plan).toMatch(/^Update on public\.orders/);
    expect(one.statement.estimatedRows).toBeGreaterThan(0);
    expect(one.statement.digest).toMatch(/^[0-9a-f]{64}$/);
    // Estimates are made over rows that the task hides: who asks is not shown them.
    const own = (await system.api("tina", `/api/requests/${one.id}`)).body;
    expect(own.statement).toMatchObject({ text: sql, plan: null, estimatedRows: null });
    expect(notices[0]!.message).toContain(`${system.edge}/requests/${one.id}`);
    const words = await system.wicket(["requests", one.id], { as: "lee" });
    expect(words.stdout).toContain(`  ${sql}\n  $1 = shipped\n`);
    expect((await decide("lee", one.id, "approve", { seen: "0".repeat(64) })).status).toBe(409);
    expect((await decide("lee", one.id, "approve", { seen: one.statement.digest })).status).toBe(200);
    expect((await work).rowCount).toBe(2);
    await stop();
  });

  test("A3 hidden characters, look-alikes and comments are pointed out, and printed without effect", async () => {
    const { client, reason, stop } = await driver();
    const sql = "update orders set status = 'раid\u202e' /* nothing */ where id = 108";
    const work = failure(client.query(sql));
    const one = await held(reason);
    expect(one.statement.warnings.join(" ")).toMatch(/reading direction.*mix alphabets.*comments/);
    const { stdout } = await system.wicket(["requests", one.id], { as: "lee" });
    expect(stdout).toContain("\\u202e");
    expect(stdout).not.toContain("\u202e");
    expect(stdout).toMatch(/careful +It has words that mix alphabets/);
    await decide("lee", one.id, "deny", { reason: "tricks" });
    expect(await work).toMatchObject({ code: "42501" });
    await stop();
  });

  test("A3 what cannot be shown whole is not asked for: a long statement, a long parameter", async () => {
    const { client, stop } = await driver();
    const long = `update orders set status = 'x' where id = 108 -- ${"x".repeat(17_000)}`;
    expect(await failure(client.query(long))).toMatchObject({
      code: "42501",
      message: expect.stringContaining("at most 16384 characters"),
    });
    const value = await failure(client.query("update orders set status = $1", ["y".repeat(5000)]));
    expect(value!.message).toContain("the parameter $1 is too long");
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await stop();
  });
});

describe("what runs is what was approved, or nothing", () => {
  const status = async (client: pg.Client) =>
    (await client.query("select status from orders where id = 108")).rows[0].status;

  test("A4 an approval is for one run: the same statement again is another request", async () => {
    const { client, reason, stop } = await driver();
    for (let i = 0; i < 2; i++) {
      const work = client.query("update orders set status = 'again' where id = 108");
      const one = await held(reason);
      await decide("lee", one.id, "approve");
      expect((await work).rowCount).toBe(1);
      expect((await system.api("lee", `/api/requests/${one.id}`)).body.status).toBe("used");
      expect((await decide("mia", one.id, "approve")).status).toBe(403);
    }
    await stop();
  });

  test("A4 PREPARE, whose EXECUTE could run it again and again, is refused", async () => {
    const { client, stop } = await driver();
    const refused = await failure(client.query("prepare p as update orders set status = 'x' where id = 108"));
    expect(refused).toMatchObject({ code: "42501", message: expect.stringContaining("cannot be prepared") });
    await stop();
  });

  test("denied: a clear error, and the transaction is as after any other error", async () => {
    const { client, reason, stop } = await driver();
    const before = await status(client);
    await client.query("begin");
    const work = failure(client.query("update orders set status = 'denied' where id = 108"));
    const one = await held(reason);
    expect((await decide("lee", one.id, "deny")).status).toBe(400);
    expect((await decide("lee", one.id, "deny", { reason: "not this one" })).status).toBe(200);
    expect(await work).toMatchObject({ code: "42501", message: expect.stringContaining("not this one") });
    expect(await failure(client.query("select 1"))).toMatchObject({ code: "25P02" });
    await client.query("rollback");
    expect(await status(client)).toBe(before);
    await stop();
  });

  test("approved in a transaction: it holds its place, and is rolled back with the rest", async () => {
    const { client, reason, stop } = await driver();
    const before = await status(client);
    await client.query("begin");
    const work = client.query("update orders set status = 'rolled' where id = 108");
    await decide("lee", (await held(reason)).id, "approve");
    await work;
    expect(await status(client)).toBe("rolled");
    await client.query("rollback");
    expect(await status(client)).toBe(before);
    await stop();
  });

  test("the requester withdraws it, or goes away: nothing runs, and nothing can be approved any more", async () => {
    const one = await driver();
    const work = failure(one.client.query("update orders set status = 'withdrawn' where id = 108"));
    const request = await held(one.reason);
    const revoke = await system.wicket(["revoke", request.id, "--json"]);
    expect(JSON.parse(revoke.stdout)).toMatchObject({ id: request.id, status: "revoked" });
    expect(await work).toMatchObject({ code: "42501", message: expect.stringContaining("revoked") });
    await one.stop();

    const two = await driver();
    const lost = failure(two.client.query("update orders set status = 'gone' where id = 108"));
    const open = await held(two.reason);
    (two.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await lost;
    await system.until(
      async () => (await system.api("lee", `/api/requests/${open.id}`)).body.status === "revoked",
      "the request is gone",
    );
    expect((await decide("lee", open.id, "approve")).status).toBe(403);
    await two.stop();
    const three = await driver();
    expect(["withdrawn", "gone"]).not.toContain(await status(three.client));
    await three.stop();
  });

  test("cancelled by the driver: nothing runs, and the session goes on", async () => {
    const { client, reason, proxy, stop } = await driver();
    const work = failure(client.query("update orders set status = 'cancelled' where id = 108"));
    const { id } = await held(reason);
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const key = Buffer.alloc(4);
    key.writeInt32BE(secretKey);
    connect({ host: proxy.host, port: proxy.port }).end(cancelRequest(processID, key));
    expect(await work).toMatchObject({ code: "57014", message: "canceling statement due to user request" });
    expect(await status(client)).not.toBe("cancelled");
    await system.until(
      async () => (await system.api("lee", `/api/requests/${id}`)).body.status === "revoked",
      "the request is gone",
    );
    await stop();
  });

  test("A6 two approvers at the same moment: it runs once", async () => {
    const { client, reason, stop } = await driver();
    const twice = client.query("update orders set status = status || '!' where id = 108 returning status");
    const { id } = await held(reason);
    const answers = await Promise.all(["lee", "mia", "noa"].map((name) => decide(name, id, "approve")));
    expect(answers.filter((one) => one.status === 200)).toHaveLength(1);
    const { rows } = await twice;
    expect(rows).toHaveLength(1);
    expect((await client.query("select status from orders where id = 108")).rows[0]).toEqual(rows[0]);
    await stop();
  });

  test("A7 an approved grant widens nothing: what the task refuses is refused, and masks stay", async () => {
    const { client, reason, stop } = await driver();
    for (const text of [
      "update orders set total = 0 where id = 108",
      "update customers set email = 'x' where id = 7",
      "delete from orders where id = 108",
      "select token from secrets",
    ]) {
      expect(await failure(client.query(text)), text).toMatchObject({ code: "42501" });
    }
    expect((await client.query("select email from customers")).rows[0].email).toMatch(/^.\*\*\*@/);
    const { body } = await system.api("lee", "/api/requests?status=pending");
    expect(body.requests.filter((one: { reason: string }) => one.reason === reason)).toEqual([]);
    // An approved statement touches the task's rows only, whatever it says.
    const work = client.query("update orders set status = 'widened' returning customer_id");
    await decide("lee", (await held(reason)).id, "approve");
    const { rows } = await work;
    expect(new Set(rows.map((row) => row.customer_id))).toEqual(new Set([7]));
    await stop();
  });

  test("A1 the requester cannot approve it: not by the API, the command line or through an agent", async () => {
    const { client, reason, stop } = await driver();
    const work = failure(client.query("update orders set status = 'self' where id = 108"));
    const { id } = await held(reason);
    expect((await decide("tina", id, "approve")).body.code).toBe("SELF_APPROVAL");
    expect((await system.wicket(["approve", id])).code).toBe(3);
    expect((await decide("omar", id, "approve")).body.code).toMatch(/NOT_AN_APPROVER|GRANT_UNKNOWN/);
    await decide("lee", id, "deny", { reason: "done" });
    await work;
    await stop();
  });
});

describe("A2 a schema that changes between approval and run: what was approved, or nothing", () => {
  const changes: [string, string, string][] = [
    [
      "a column that takes another's name",
      "alter table orders add internal text; alter table orders rename status to status_before; alter table orders rename internal to status",
      "alter table orders drop status; alter table orders rename status_before to status",
    ],
    [
      "a table that takes another's place",
      `alter table orders rename to orders_before; create table orders (like orders_before including all);
       insert into orders select * from orders_before;
       do $$ declare role text; begin for role in select grantee from information_schema.role_table_grants
         where table_name = 'orders_before' and grantee <> 'postgres' loop
         execute format('grant select, update on orders to %I', role); end loop; end $$`,
      "drop table orders; alter table orders_before rename to orders",
    ],
    [
      "a column of another type",
      "alter table orders alter status type varchar(3) using left(status, 3)",
      "alter table orders alter status type text; update orders set status = 'paid' where id = 108",
    ],
    [
      "a view in the table's place",
      "alter table orders rename to orders_before; create view orders as select * from orders_before; grant select, update on orders to public",
      "drop view orders; alter table orders_before rename to orders",
    ],
  ];
  test.each(changes)("%s", async (_name, change, back) => {
    const admin = await adminOf(system);
    const one = await driver();
    try {
      const work = failure(one.client.query("update orders set status = 'swapped' where id = 108"));
      const request = await held(one.reason);
      await admin.query(change);
      const seen = { seen: request.statement.digest };
      expect((await decide("lee", request.id, "approve", seen)).status).toBe(200);
      const error = await work;
      const { rows } = await admin.query("select * from orders where id = 108");
      expect(JSON.stringify(rows)).not.toContain("swapped");
      expect(error).not.toBeNull();
    } finally {
      await admin.query(back).finally(() => admin.end());
      await one.stop();
    }
  });
});
