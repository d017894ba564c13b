/**
 * Every limit of a task, reached with a driver through the whole system: the client is told which limit and how much,
 * and the reason stands in the audit log or in the recording.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalPort, type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-limits-"));
const limits = {
  rows: "rows: 10",
  statements: "statements: 3",
  bytes: "bytes: 4KiB",
  time: "statement_timeout: 300ms",
  lookups: "lookups: 2",
} as const;
let system: System;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "..", "policies", "library"), folder, { recursive: true });
  const write = (name: string, limit: string, session: string) =>
    writeFileSync(
      join(folder, "tasks", `${name}.yaml`),
      `version: 1
task: ${name}
description: Meets one limit.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select:
      public.customers: { columns: [id, email], mask: { email: email }, lookup: [email] }
      public.orders: { columns: "*" }
${limit}
session: { ttl: 1h, idle: 30m${session} }
recording: { level: full, on_failure: terminate }
`,
    );
  for (const [name, limit] of Object.entries(limits)) write(`limit-${name}`, `limits: { ${limit} }`, "");
  write("limit-sessions", "", ", max_concurrent: 2");
  system = await startSystem({ policies: folder });
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  readonly client: pg.Client;
  readonly session: string;
  readonly ended: Promise<void>;
  readonly proxy: LocalPort;
  /** FATAL errors that came after a statement's own. */
  readonly errors: Error[];
}

async function opened(task: string): Promise<Opened> {
  const proxy = await system.proxy(["orders-db", "--task", task]);
  const client = new pg.Client(proxy.url);
  const errors: Error[] = [];
  client.on("error", (error) => errors.push(error));
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  let session = "";
  const { connection } = client as unknown as {
    connection: { on(name: string, on: (status: Record<string, string>) => void): void };
  };
  connection.on("parameterStatus", ({ parameterName, parameterValue }) => {
    if (parameterName === "wicketgate.session") session = parameterValue!;
  });
  await client.connect();
  return { client, session, ended, proxy, errors };
}

// biome-ignore lint/suspicious/noExplicitAny: events of many types
async function events(session: string, type: string, ready = (found: any[]) => found.length > 0) {
  return system.until(async () => {
    const args = ["audit", "search", "--json", "--session", session, "--type", type];
    const { stdout } = await system.wicket(args);
    const found = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    return ready(found) ? found : null;
  }, `${type} of ${session}`);
}

const refused = (message: string) => ({ code: "53400", message: expect.stringContaining(message) });

test("rows: what fits is shown, the row after the last one ends the session", async () => {
  const { client, session, ended } = await opened("limit-rows");
  expect((await client.query("select id from orders where id <= 6")).rows).toHaveLength(6);
  // COPY and cursors count like any rows; the lines of a plan are no rows.
  expect((await client.query("explain select 1")).rows).toHaveLength(1);
  await client.query("copy (select 1) to stdout");
  await client.query("begin");
  await client.query("declare c cursor for select id from orders");
  expect((await client.query("fetch 3 from c")).rows).toHaveLength(3);
  await expect(client.query("fetch 1 from c")).rejects.toMatchObject(
    refused("the task allows 10 rows a session"),
  );
  await expect(client.query("copy orders to stdout")).rejects.toMatchObject(refused("10 rows"));
  // What returns no row is not limited by rows.
  await client.query("rollback");
  await client.end();
  await ended;
  const over = await opened("limit-rows");
  const error = await over.client.query("select id from orders").catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    ...refused("10 rows a session, and this result has more"),
    severity: "FATAL",
  });
  await over.ended;
  expect((await events(over.session, "session.end"))[0]).toMatchObject({
    reason: "LIMIT_ROWS",
    data: { rows: 10, message: expect.stringContaining("10 rows") },
  });
  const decided = await events(session, "statement.decided", (found) => found.length >= 7);
  expect(decided.filter((event) => event.reason === "LIMIT_ROWS")).toHaveLength(2);
});

test("statements: by whatever way they run, and the session goes on without them", async () => {
  const { client, session } = await opened("limit-statements");
  await client.query("begin");
  await client.query("prepare one as select 1 as a");
  expect((await client.query("execute one")).rows).toEqual([{ a: 1 }]);
  expect((await client.query("select $1::int as b", [2])).rows).toEqual([{ b: 2 }]);
  const over = refused("the task allows 3 statements a session");
  await expect(client.query("select 3; select 4")).rejects.toMatchObject(over);
  await client.query("rollback");
  expect((await client.query("select 5 as e")).rows).toEqual([{ e: 5 }]);
  for (const text of ["select 6", "execute one", "explain select 6", "copy (select 6) to stdout"])
    await expect(client.query(text)).rejects.toMatchObject(over);
  await expect(client.query("select $1::int", [7])).rejects.toMatchObject(over);
  // What is no statement on data goes on: a transaction can always be ended.
  await client.query("set application_name = 'still here'");
  await client.query("begin");
  await client.query("commit");
  await client.end();
  const [denied] = await events(session, "statement.decided", (found) =>
    found.some((event) => event.reason === "LIMIT_STATEMENTS"),
  ).then((found) => found.filter((event) => event.reason === "LIMIT_STATEMENTS"));
  expect(denied).toMatchObject({
    severity: "warn",
    rule: expect.stringMatching(/limit-statements\.yaml:\d+$/),
  });
});

test("bytes: the result that passes them ends the session", async () => {
  const { client, session, ended } = await opened("limit-bytes");
  await client.query("select id from orders limit 10");
  await expect(client.query("select repeat('x', 5000)")).rejects.toMatchObject(
    refused("the task allows 4096 bytes a session"),
  );
  await ended;
  expect((await events(session, "session.end"))[0]).toMatchObject({ reason: "LIMIT_BYTES" });
});

test("statement time: the statement is cancelled, nothing longer can be set, and the recording says why", async () => {
  const { client, session } = await opened("limit-time");
  const slow = "select count(*) from generate_series(1, 1000000000)";
  await expect(client.query(slow)).rejects.toMatchObject({
    code: "57014",
    message: "canceling statement due to statement timeout",
  });
  for (const text of [
    "set statement_timeout = 0",
    "set local statement_timeout = '1h'",
    "reset statement_timeout",
    "reset all",
    "select set_config('statement_timeout', '0', false)",
  ])
    await expect(client.query(text)).rejects.toMatchObject({ code: "42501" });
  await expect(client.query(slow)).rejects.toMatchObject({ code: "57014" });
  expect((await client.query("select 1 as a")).rows).toEqual([{ a: 1 }]);
  await client.end();
  await events(session, "session.end");
  const shown = await system.until(async () => {
    const { stdout } = await system.wicket(["play", session, "--json"]);
    return stdout.includes("57014") ? stdout : null;
  }, "the statement in the recording");
  expect(shown).toContain("canceling statement due to statement timeout");
});

test("lookups by a masked value: counted by themselves, each in an event of its own", async () => {
  const { client, session } = await opened("limit-lookups");
  const text = "select id from customers where email = $1";
  for (const guess of ["a@x.com", "b@x.com"]) await client.query(text, [guess]);
  const over = refused("the task allows 2 lookups by a masked value a session");
  await expect(client.query(text, ["c@x.com"])).rejects.toMatchObject(over);
  await expect(client.query("select id from customers where email = 'd@x.com'")).rejects.toMatchObject(over);
  expect((await client.query("select id from customers where id = 7")).rows).toHaveLength(1);
  await client.end();
  const decided = await events(session, "statement.decided", (found) => found.length >= 5);
  const probes = decided.filter((event) => event.data.lookup);
  expect(probes.map((event) => [event.data.effect, event.data.count ?? 1, event.reason]).reverse()).toEqual([
    ["allow", 1, "ALLOWED"],
    ["allow", 1, "ALLOWED"],
    ["deny", 1, "LIMIT_LOOKUPS"],
    ["deny", 1, "LIMIT_LOOKUPS"],
  ]);
});

test("sessions at the same time: one more is refused before it begins, and one that ended makes room", async () => {
  const proxy = await system.proxy(["orders-db", "--task", "limit-sessions"]);
  const connect = async () => {
    const client = new pg.Client(proxy.url);
    client.on("error", () => {});
    await client.connect();
    return client;
  };
  const [first, second] = [await connect(), await connect()];
  const error = await connect().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ message: expect.stringContaining("2 sessions") });
  await first.end();
  const third = await system.until(() => connect().catch(() => null), "room for another session");
  expect((await third.query("select 1 as a")).rows).toEqual([{ a: 1 }]);
  await Promise.all([second.end(), third.end()]);
  const { stdout } = await system.wicket(["audit", "search", "--json", "--task", "limit-sessions"]);
  expect(stdout).toMatch(/LIMIT_CONCURRENT/);
});
