/** The audit log of a whole system: searched, followed and exported on the command line, and true to its schema. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Schema, Validator } from "@cfworker/json-schema";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type System, startSystem } from "./support/system.ts";

const schemaFile = join(import.meta.dirname, "..", "docs", "audit.schema.json");
const schema = new Validator(JSON.parse(readFileSync(schemaFile, "utf8")) as Schema, "2020-12", false);

let system: System;

beforeAll(async () => {
  system = await startSystem();
});
afterAll(async () => {
  expect(await system?.stop()).toBe(0);
});

const lookUp = ["orders-db", "--task", "order-lookup", "--param", "customer=7", "--reason", "INC-7"];

/** Runs statements as tina, through a proxy of the command line. */
async function run(...statements: string[]): Promise<void> {
  const proxy = await system.proxy(lookUp);
  const client = new pg.Client({ connectionString: proxy.url });
  await client.connect();
  for (const text of statements) await client.query(text).catch(() => undefined);
  await client.end();
  await proxy.stop();
}

// biome-ignore lint/suspicious/noExplicitAny: events of many types
type Event = any;

async function search(args: readonly string[], as = "tina"): Promise<Event[]> {
  const { stdout, code, stderr } = await system.wicket(["audit", "search", "--json", ...args], { as });
  expect(stderr === "" || code === 0).toBe(true);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event);
}

test("what happened is found by person, task, resource, type and time, by who may see it", async () => {
  await run("SELECT id FROM public.customers", "DELETE FROM public.customers");
  const ends = () => search(["--type", "session.end"]);
  const [end] = await system.until(
    async () => ((await ends()).length > 0 ? ends() : null),
    "the end of a session",
  );
  const all = await search(["--session", end.session]);
  expect(all.map((event) => event.type).reverse()).toEqual([
    "session.start",
    "statement.decided",
    "statement.decided",
    "session.end",
  ]);
  expect(
    all.find((event) => event.reason === "OPERATION_NOT_ALLOWED" || event.data.effect === "deny"),
  ).toMatchObject({
    severity: "warn",
    task: "order-lookup",
    data: { n: 2, text: "DELETE FROM public.customers" },
  });
  const same = ["--session", end.session, "--limit", "100"];
  for (const [args, count] of [
    [["--task", "order-lookup"], 4],
    [["--task", "other"], 0],
    [["--resource", "orders-db", "--person", "TIN"], 4],
    [["--person", "omar"], 0],
    [["--type", "session.*"], 2],
    [["--severity", "warn"], 1],
    [["--since", "1h"], 4],
    [["--since", "1h", "--until", "30m"], 0],
    [["--since", new Date(Date.now() + 60_000).toISOString()], 0],
  ] as const) {
    expect([args, (await search([...same, ...args])).length]).toEqual([args, count]);
  }
  // Somebody else sees nothing of it; an administrator everything.
  expect(await search(same, "omar")).toEqual([]);
  expect(await search(same, "operator")).toHaveLength(4);
  const wrong = await system.wicket(["audit", "search", "--since", "yesterday"]);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain("TIME_INVALID");
  const text = await system.wicket(["audit", "search", "--session", end.session]);
  expect(text.stdout).toMatch(/statement\.decided .*order-lookup on orders-db/);
});

test("it is followed as it happens", async () => {
  const tail = system.spawn(["audit", "tail", "--json", "--type", "statement.decided"]);
  const found = new Promise<Event>((resolve, reject) => {
    createInterface({ input: tail.stdout! }).on("line", (line) => {
      const event = JSON.parse(line) as Event;
      if (event.status === "error") reject(new Error(line));
      else if (event.data.text === "SELECT 4242") resolve(event);
    });
  });
  await new Promise<void>((resolve) =>
    tail.stderr!.on("data", (text) => /Waiting/.test(String(text)) && resolve()),
  );
  await run("SELECT 4242");
  expect(await found).toMatchObject({ type: "statement.decided", actor: { subject: "tina" } });
  tail.kill("SIGTERM");
});

test("it is exported as CloudEvents and OCSF, one event a line, and goes on where it ended", async () => {
  const lines = async (format: string, args: string[] = []): Promise<Event[]> => {
    const { stdout } = await system.wicket(["audit", "search", "--format", format, ...args], {
      as: "operator",
    });
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Event);
  };
  const cloud = await lines("cloudevents", ["--type", "statement.decided"]);
  expect(cloud[0]).toMatchObject({
    ...{ specversion: "1.0", source: system.edge, type: "wicketgate.statement.decided" },
    data: { type: "statement.decided" },
  });
  expect(new Set(cloud.map((event) => event.id)).size).toBe(cloud.length);
  const ocsf = await lines("ocsf");
  for (const event of ocsf) {
    expect(event).toMatchObject({ metadata: { version: "1.5.0" }, time: expect.any(Number) });
    expect(event.type_uid).toBe(event.class_uid * 100 + event.activity_id);
    expect(event.category_uid).toBe(Math.floor(event.class_uid / 1000));
  }
  expect(ocsf.find((event) => event.unmapped.type === "statement.decided")).toMatchObject({
    class_uid: 6005,
    activity_id: 4,
  });
});

test("every event of the system is of the published schema", async () => {
  const events = await search(["--limit", "1000"], "operator");
  const types = new Set<string>(events.map((event) => event.type));
  expect(types.size).toBeGreaterThan(6);
  for (const event of events) {
    const { valid, errors } = schema.validate(event);
    expect(valid ? [] : [event, errors.map((one) => `${one.instanceLocation}: ${one.error}`)]).toEqual([]);
  }
  const sample = events.find((event) => event.type === "session.start");
  for (const broken of [
    { ...sample, type: "session.begin" },
    { ...sample, data: {} },
    { ...sample, secret: "x" },
  ]) {
    expect(schema.validate(broken).valid).toBe(false);
  }
});
