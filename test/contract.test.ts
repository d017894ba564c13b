/**
 * What strangers rely on, tried as a stranger would: through `npm start`, `npx wicket` and files written by hand,
 * with nothing of the repository's own code but a PostgreSQL to point it at.
 */
import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "wicket-contract-"));
const library = join(folder, "library");
/** Every process of one run has this in its environment. */
const MARK = `WICKET_TEST_MARK=${crypto.randomUUID()}`;

// biome-ignore lint/suspicious/noExplicitAny: lines of JSON of many shapes
type Json = any;

interface Out {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The library of the format's description, letter for letter. */
const LIBRARY = {
  "resources.yaml": `version: 1
resources:
  orders-db: { type: postgres, connector: demo }
`,
  "people.yaml": `version: 1
people:
  tina: { groups: [support], claims: { email: tina@example.com } }
  lee:  { groups: [support, support-leads] }
  omar: { groups: [warehouse] }
`,
  "tasks/refund-investigation.yaml": `# yaml-language-server: $schema=../schema/task.v1.json
version: 1
task: refund-investigation
description: Look up one customer's orders while handling a refund ticket.
owner: payments-oncall
who: { groups: [support] }               # any of; also workloads: [{ issuer, claims: { … } }]
require: { reason: "INC-*" }             # closed vocabulary: reason (glob), mfa, hours
params: { customer: integer }            # the requester must give these; bound as typed values
resource: orders-db
allow:
  - select:
      public.customers:
        columns: [id, email, ssn, country]
        rows: id = :customer
        mask: { email: email, ssn: { constant: XXX-XX-XXXX } }
      public.orders: { columns: [id, customer_id, total, status], rows: customer_id = :customer }
  - update:
      public.orders: { columns: [status], rows: customer_id = :customer }
    approval: statement
limits: { rows: 500, statements: 200, bytes: 5MiB, statement_timeout: 10s }
session: { ttl: 30m, idle: 5m, max_concurrent: 2 }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }   # for the whole grant; absent = none needed
recording: { level: full, on_failure: terminate }                         # level: full | statements
`,
  "tasks/refund-investigation.test.yaml": `version: 1
identities:
  tina: { groups: [support] }
  omar: { groups: [warehouse] }
tests:
  - { as: tina, params: { customer: 7 }, reason: INC-7, sql: "select * from public.customers", expect: { allow: true, masked: [email, ssn] } }
  - { as: tina, params: { customer: 7 }, reason: INC-7, sql: "select id from public.orders", expect: allow }
  - { as: tina, params: { customer: 7 }, reason: INC-7, sql: "select * from public.secrets", expect: { deny: RELATION_NOT_GRANTED } }
  - { as: tina, params: { customer: 7 }, reason: INC-7, sql: "update public.orders set status = 'x'", expect: { hold: true } }
  - { as: omar, params: { customer: 7 }, reason: INC-7, sql: "select 1", expect: { deny: NOT_A_MEMBER } }
`,
  "tasks/reading.yaml": `version: 1
task: reading
who: { groups: [support, warehouse] }
resource: orders-db
allow:
  - select:
      public.customers: { columns: [id, email, country], mask: { email: email } }
      public.orders: { columns: "*" }
`,
};

let database: TestPostgres;

beforeAll(async () => {
  for (const [path, text] of Object.entries(LIBRARY)) {
    mkdirSync(join(library, path, ".."), { recursive: true });
    writeFileSync(join(library, path), text);
  }
  database = await startPostgres();
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query(`
    CREATE TABLE customers (id int PRIMARY KEY, email text, ssn text, phone text, country char(2), balance numeric(12,2));
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric(10,2), status text);
    INSERT INTO customers SELECT i, 'person' || i || '@example.org', '078-05-' || i, '+41', 'CH', i FROM generate_series(1, 20) i;
    INSERT INTO orders SELECT i, 1 + i % 20, i, 'new' FROM generate_series(1, 100) i`);
  await client.end();
});

const running = new Set<ChildProcess>();

afterEach(async () => {
  await Promise.all([...running].map((child) => ended(child, "SIGTERM")));
  running.clear();
});

afterAll(async () => {
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The environment of a fresh shell: nothing of this test's own Node, and a temporary folder of its own. */
function shell(temporary: string): NodeJS.ProcessEnv {
  const [name, value] = MARK.split("=");
  return {
    ...{ PATH: process.env["PATH"], HOME: join(folder, "home"), LANG: "C.UTF-8", [name!]: value },
    ...{ TMPDIR: temporary, XDG_CONFIG_HOME: join(folder, "config"), PSQLRC: "/dev/null", NO_COLOR: "1" },
    ...{ npm_config_update_notifier: "false", npm_config_cache: join(folder, "npm") },
    // npm has one of its own in the temporary folder otherwise.
    NODE_COMPILE_CACHE: join(folder, "compiled"),
  };
}

function temporaryFolder(): string {
  return mkdtempSync(join(folder, "tmp-"));
}

interface Started {
  readonly child: ChildProcess;
  readonly ready: Json;
  readonly events: Json[];
  readonly temporary: string;
  /** `npx wicket …` in a second terminal. */
  wicket(args: readonly string[], input?: string): Promise<Out>;
}

/** `npm start -- --json …` in a process group of its own, as a terminal has it. */
async function start(...args: string[]): Promise<Started> {
  const temporary = temporaryFolder();
  const child = spawn("npm", ["start", "--silent", "--", "--json", ...args], {
    ...{ cwd: root, env: shell(temporary), detached: true, stdio: ["ignore", "pipe", "pipe"] },
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const events: Json[] = [];
  let said = "";
  child.stderr!.on("data", (chunk) => {
    said += String(chunk);
  });
  const ready = await new Promise<Json>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const event = JSON.parse(line);
      events.push(event);
      if (event.status === "ready") resolve(event);
    });
    child.once("exit", (code) => reject(new Error(`npm start ended (${code}): ${said}`)));
  });
  const wicket = (given: readonly string[], input = ""): Promise<Out> =>
    run("npx", ["wicket", ...given], temporary, input, { WICKET_EDGE: ready.edge });
  return { child, ready, events, temporary, wicket };
}

function run(
  file: string,
  args: readonly string[],
  temporary: string,
  input = "",
  env: Record<string, string> = {},
): Promise<Out> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...shell(temporary), ...env }, encoding: "utf8" } as const;
    const child = execFile(file, [...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number((error as { code?: unknown }).code ?? -1) : 0, stdout, stderr });
    });
    child.stdin!.on("error", () => {});
    child.stdin!.end(input);
  });
}

function ended(child: ChildProcess, signal: NodeJS.Signals | null): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code));
    if (signal) child.kill(signal);
  });
}

/** Processes of the run that are still there, by their command lines. */
function left(): string[] {
  const found: string[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${entry}/environ`, "latin1").includes(MARK)) continue;
      found.push(readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " "));
    } catch {
      // It has ended meanwhile, or belongs to somebody else.
    }
  }
  return found.filter((line) => line !== "");
}

/** Nothing that the run made is left: no process, no file below its temporary folder, nobody at its ports. */
async function expectNothingLeft(system: Started): Promise<void> {
  for (let tries = 0; left().length > 0 && tries < 100; tries++)
    await new Promise((wake) => setTimeout(wake, 50));
  expect(left()).toEqual([]);
  expect(readdirSync(system.temporary)).toEqual([]);
  for (const url of [system.ready.edge, system.ready.issuer]) {
    await expect(fetch(url)).rejects.toThrow();
  }
}

function tokenFile(system: Started, person: string): string {
  const path = join(folder, `${person}.token`);
  writeFileSync(path, `${system.ready.people[person]}\n`);
  chmodSync(path, 0o600);
  return path;
}

describe("with a task library and a database of one's own", () => {
  test("the ready line, the warning, the commands, and the end", async () => {
    const system = await start("--policies", library, "--postgres", database.url, "--port", "0");
    const { ready } = system;
    expect(ready).toMatchObject({ edge: expect.stringMatching(/^http:\/\//), resources: ["orders-db"] });
    expect(Object.keys(ready.people)).toEqual(["tina", "lee", "omar"]);
    const discovery = (await (
      await fetch(`${ready.issuer}/.well-known/openid-configuration`)
    ).json()) as Json;
    expect(discovery.issuer).toBe(ready.issuer);
    const claims = JSON.parse(Buffer.from(ready.people.tina.split(".")[1], "base64url").toString());
    expect(claims).toMatchObject({ iss: ready.issuer, groups: ["support"], email: "tina@example.com" });
    const warnings = system.events.filter((event) => event.status === "warning");
    expect(warnings.map((event) => event.message).join()).toContain("superuser");

    const tina = ["--token", tokenFile(system, "tina"), "--edge", ready.edge];
    const lee = ["--token", tokenFile(system, "lee"), "--edge", ready.edge];
    const script = 'echo "$PGHOST $PGPORT $PGUSER $PGPASSWORD $PGDATABASE"; exit 7';
    const connected = await system.wicket([
      "connect",
      "orders-db",
      "--task",
      "reading",
      ...tina,
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect(connected.code).toBe(7);
    const [host, port, user, password, name] = connected.stdout.trim().split(" ");
    expect(host && user && Number(port) > 0).toBe(true);
    expect(password!.length).toBeGreaterThan(15);
    expect(name).toBe("orders-db");

    const serve = ["proxy", "orders-db", "--task", "reading", "--port", "0", "--json", ...tina];
    const below = {
      cwd: root,
      env: shell(system.temporary),
      stdio: ["ignore", "pipe", "inherit"],
    } satisfies SpawnOptions;
    const proxy = spawn("node", ["bin/wicket.js", ...serve], below);
    running.add(proxy);
    const line = JSON.parse(await firstLine(proxy));
    expect(line).toMatchObject({ status: "ready", host: expect.any(String), port: expect.any(Number) });
    const client = new pg.Client(line.url);
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query("select id, email from customers where id = $1", [7]);
    expect(rows).toEqual([{ id: 7, email: "p***@example.org" }]);
    await expect(client.query("select ssn from customers")).rejects.toThrow(/column .*ssn.* does not exist/);
    await client.end();
    expect(await ended(proxy, "SIGTERM")).toBe(0);
    running.delete(proxy);
    // npx does not pass the signal on; what it started ends all the same.
    const orphan = spawn("npx", ["wicket", ...serve], below);
    await firstLine(orphan);
    await ended(orphan, "SIGTERM");
    while (left().some((line) => line.includes(" proxy "))) await new Promise((wake) => setTimeout(wake, 50));

    // The task of the format's description waits for lee's yes, and its updates for another one.
    const refund = [
      "orders-db",
      "--task",
      "refund-investigation",
      "--param",
      "customer=7",
      "--reason",
      "INC-7",
    ];
    const update = ["psql", "-XAt", "-c", "update orders set status = 'refunded' where id = 6"];
    const waits = await system.wicket(["connect", ...refund, ...tina, "--no-wait", "--", "true"]);
    expect(waits.code).toBe(5);
    expect(waits.stderr).toMatch(/APPROVAL_(PENDING|REQUIRED)/);
    const requests = async (): Promise<Json[]> =>
      JSON.parse((await system.wicket(["requests", "--json", ...lee])).stdout).requests;
    const [grant] = await requests();
    expect((await system.wicket(["approve", grant.id, ...lee])).code).toBe(0);
    const updating = system.wicket(["connect", ...refund, ...tina, "--", ...update]);
    let statement: Json;
    for (let tries = 0; !statement && tries < 100; tries++) {
      statement = (await requests()).find((one) => one.id !== grant.id);
    }
    expect((await system.wicket(["approve", statement.id, ...lee])).code).toBe(0);
    expect(await updating).toMatchObject({ code: 0, stdout: "UPDATE 1\n" });

    expect(await ended(system.child, "SIGTERM")).toBe(0);
    await expectNothingLeft(system);
  });

  test("policy explain and policy test speak of the same files", async () => {
    const temporary = temporaryFolder();
    const explain = async (sql: string) => {
      const args = ["wicket", "policy", "explain", "--policies", library, "--task", "refund-investigation"];
      const out = await run("npx", [...args, "--as", "tina", "--json", "--sql", sql], temporary);
      expect(out.code).toBe(0);
      return JSON.parse(out.stdout);
    };
    const line = (text: string) =>
      `tasks/refund-investigation.yaml:${
        LIBRARY["tasks/refund-investigation.yaml"].split("\n").findIndex((one) => one.includes(text)) + 1
      }`;
    expect(await explain("select email, id from customers")).toMatchObject({
      ...{ decision: "allow", reason: "ALLOWED", rule: line("public.customers:") },
      rewritten: expect.stringContaining("FROM public.customers WHERE"),
      ...{ relations: ["public.customers"], masked: ["public.customers.email", "public.customers.ssn"] },
    });
    expect(await explain("select * from secrets")).toMatchObject({
      ...{ decision: "deny", reason: "RELATION_NOT_GRANTED", rewritten: null, relations: [], masked: [] },
      rule: expect.stringMatching(/^tasks\/refund-investigation\.yaml:\d+$/),
    });
    expect(await explain("update orders set status = 'x'")).toMatchObject({
      ...{ decision: "hold", rule: line("public.orders: { columns: [status]") },
      relations: ["public.orders"],
    });
    const tested = await run("npx", ["wicket", "policy", "test", "--policies", library], temporary);
    expect(tested).toMatchObject({ code: 0, stdout: expect.stringMatching(/5 passed/) });
  });

  test("a port in use, policies that are not there, a database that is not there: one sentence each", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const temporary = temporaryFolder();
    const tried = async (...args: string[]): Promise<string> => {
      const out = await run("npm", ["start", "--silent", "--", ...args], temporary);
      expect(out.code).toBeGreaterThan(0);
      expect(out.stdout).toBe("");
      const said = out.stderr.split("\n").filter((text) => !text.startsWith("starting the "));
      expect(said.length).toBeLessThanOrEqual(3);
      expect(readdirSync(temporary)).toEqual([]);
      return out.stderr;
    };
    expect(await tried("--port", String(port))).toContain(`port ${port} is in use (PORT_IN_USE)`);
    server.close();
    expect(await tried("--port", "0", "--policies", join(folder, "nowhere"))).toMatch(
      /there is no folder .*\(POLICIES_UNREADABLE\)/,
    );
    const nobody = "postgres://x@127.0.0.1:9/x";
    expect(await tried("--port", "0", "--postgres", nobody)).toMatch(
      /cannot be opened: .*\(DATABASE_UNREACHABLE\)/,
    );
  });
});

describe("the first minute", () => {
  const hasPsql = spawnSync("psql", ["--version"]).status === 0;
  if (!hasPsql) console.log("psql is not installed: what npm start prints is not pasted");

  test.skipIf(!hasPsql)(
    "each line that npm start prints works when it is pasted; Ctrl-C leaves nothing",
    async () => {
      const temporary = temporaryFolder();
      const child = spawn("npm", ["start", "--", "--port", "0"], {
        ...{ cwd: root, env: shell(temporary), detached: true, stdio: ["ignore", "ignore", "pipe"] },
      });
      running.add(child);
      child.once("exit", () => running.delete(child));
      let said = "";
      await new Promise<void>((resolve, reject) => {
        child.stderr!.on("data", (chunk) => {
          said += String(chunk);
          if (said.includes("Ctrl-C stops everything")) resolve();
        });
        child.once("exit", (code) => reject(new Error(`npm start ended (${code}): ${said}`)));
      });
      const lines = said.match(/^ {2}npx wicket .*$/gm)!.map((line) => line.trim());
      expect(lines.length).toBeGreaterThanOrEqual(4);
      const outs: Out[] = [];
      for (const line of lines) {
        const out = await run("sh", ["-c", line], temporary, "select email, ssn from customers;\n");
        expect({ line, ...out }).toMatchObject({ code: 0 });
        outs.push(out);
      }
      expect(outs.map(({ stdout }) => stdout).join()).toMatch(/\w\*\*\*@example\.com \| XXX-XX-XXXX/);
      expect(outs[0]!.stderr).toContain("Next: npx wicket tasks");
      expect(outs[1]!.stdout).toContain(
        "  npx wicket connect orders-db --task refund-investigation --param customer=",
      );
      // A terminal sends it to the whole group, npm included.
      process.kill(-child.pid!, "SIGINT");
      await ended(child, null);
      const edge = /runs at (\S+)/.exec(said)![1];
      await expectNothingLeft({ ready: { edge, issuer: edge }, temporary } as Started);
    },
  );
});

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`ended (${code})`)));
  });
}
