/** `wicket dev` itself: its flags, its end, and the parts that fail around it. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";
import { finished, type System, startSystem } from "./support/system.ts";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "wicket-devtest-"));
const systems: System[] = [];
const servers: TestPostgres[] = [];

afterEach(async () => {
  for (const system of systems.splice(0)) await system.stop();
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function started(options: Parameters<typeof startSystem>[0] = {}): Promise<System> {
  const system = await startSystem(options);
  systems.push(system);
  return system;
}

const refund = ["--task", "order-lookup", "--param", "customer=7", "--reason", "INC-7"];
const program = (...args: string[]) =>
  spawn(process.execPath, [join(root, "bin", "wicket.js"), ...args], { stdio: "pipe" });

describe("start and end", () => {
  test("says what it is in one object, ends with 0 on SIGTERM, and leaves nothing behind", async () => {
    const system = await started();
    const ready = system.events.find((event) => event["status"] === "ready")!;
    expect(ready["resources"]).toEqual(["orders-db"]);
    expect(Object.keys(system.people)).toEqual(["tina", "lee", "omar", "ada"]);
    expect((await system.api("lee", "/api/whoami")).body).toMatchObject({
      groups: ["support", "support-leads"],
    });
    const discovery = await (await fetch(`${system.issuer}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({ issuer: system.issuer });
    const proxy = await system.proxy(["orders-db", ...refund]);
    const client = new pg.Client(proxy.url);
    const errors: Error[] = [];
    client.on("error", (error) => errors.push(error));
    await client.connect();
    const children = childrenOf(ready["pid"] as number);
    expect(children.length).toBeGreaterThanOrEqual(3);
    expect(await system.stop()).toBe(0);
    expect(existsSync(system.state)).toBe(false);
    await system.until(async () => children.every((pid) => !isAlive(pid)), "its processes are gone");
    await expect(client.query("select 1")).rejects.toThrow();
  });

  test("a port in use is one clear sentence", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const out = await finished(program("dev", "--port", String(port)));
    server.close();
    expect(out.code).toBe(1);
    expect(out.stderr).toMatch(new RegExp(`^wicket: port ${port} is in use \\(PORT_IN_USE\\)\\n`));
  });

  test("its state is kept where it is asked to be: people, sessions and data are there again", async () => {
    const state = join(folder, "private", "state");
    mkdirSync(join(folder, "private"), { mode: 0o700 });
    const first = await started({ state });
    await first.wicket(["connect", "orders-db", ...refund, "--", "true"]);
    const { body } = await first.api("tina", "/api/sessions");
    expect(body.sessions).toHaveLength(1);
    const { issuer } = first;
    expect(await first.stop()).toBe(0);
    systems.pop();
    const second = await started({ state });
    expect(second.issuer).toBe(issuer);
    expect((await second.api("tina", "/api/sessions")).body.sessions).toHaveLength(1);
    const again = await second.wicket(["connect", "orders-db", ...refund, "--", "sh", "-c", "echo there"]);
    expect(again.stdout).toBe("there\n");
  });
});

describe("policies", () => {
  test("mistakes are listed with their lines, and nothing starts", async () => {
    const policies = join(folder, "broken");
    cpSync(join(root, "policies", "library"), policies, { recursive: true });
    const file = join(policies, "tasks", "refund-investigation.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("who:", "whom:"));
    const out = await finished(program("dev", "--port", "0", "--policies", policies));
    expect(out.code).toBe(2);
    expect(out.stderr).toMatch(/tasks\/refund-investigation\.yaml:6/);
  });

  test("a library that changes is swapped while it runs; one with mistakes is not taken", async () => {
    const policies = join(folder, "swapped");
    cpSync(join(root, "policies", "library"), policies, { recursive: true });
    const system = await started({ policies });
    const file = join(policies, "tasks", "warehouse-shipping.yaml");
    const text = readFileSync(file, "utf8");
    const may = async () => {
      // While the edge is swapped it takes no connections.
      const { body } = await system.api("tina", "/api/tasks").catch(() => ({ body: null }));
      return body?.tasks?.find((task: { name: string }) => task.name === "warehouse-shipping")?.may as
        | boolean
        | undefined;
    };
    expect(await may()).toBe(false);
    writeFileSync(file, text.replace("groups: [warehouse]", "groups: [warehouse, support]"));
    await system.until(may, "the new policies are in force");
    writeFileSync(file, text.replace("who:", "whom:"));
    await system.until(
      async () => system.events.some((event) => String(event["message"]).includes("stay in force")),
      "the mistake is told",
    );
    expect(await may()).toBe(true);
    await system.until(async () => {
      const out = await system.wicket(["connect", "orders-db", "--task", "warehouse-shipping", "--", "true"]);
      return out.code === 0;
    }, "the connector is there again");
  });
});

describe("the database", () => {
  async function shop(): Promise<TestPostgres> {
    const server = await startPostgres();
    servers.push(server);
    const client = new pg.Client(server.url);
    await client.connect();
    await client.query(`
      CREATE TABLE customers (id int PRIMARY KEY, email text, ssn text, phone text, country char(2), balance numeric(12,2));
      CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric(10,2), status text);
      INSERT INTO customers VALUES (7, 'own@example.org', '1', '2', 'CH', 0);
      CREATE ROLE worker LOGIN PASSWORD 'secret of the worker';
      GRANT SELECT, UPDATE ON customers, orders TO worker`);
    await client.end();
    return server;
  }

  test("P22 --postgres puts another one behind orders-db; a superuser is warned about, not refused", async () => {
    const server = await shop();
    const system = await started({ postgres: server.url });
    const warnings = system.events.filter((event) => event["status"] === "warning");
    expect(warnings.map((event) => event["message"]).join()).toContain("is a superuser");
    const proxy = await system.proxy(["orders-db", ...refund]);
    const client = new pg.Client(proxy.url);
    await client.connect();
    expect((await client.query("select email, ssn from customers")).rows).toEqual([
      { email: "o***@example.org", ssn: "XXX-XX-XXXX" },
    ]);
    await client.end();
  });

  test("one that is not there, or refuses the login: at the start a sentence, later an error of the session", async () => {
    const missing = await finished(program("dev", "--port", "0", "--postgres", "postgres://x@127.0.0.1:9/x"));
    expect(missing).toMatchObject({ code: 6, stderr: expect.stringContaining("DATABASE_UNREACHABLE") });
    const server = await shop();
    const url = `postgres://worker:${encodeURIComponent("secret of the worker")}@127.0.0.1:${server.port}/postgres`;
    const system = await started({ postgres: url });
    expect(system.events.filter((event) => event["status"] === "warning")).toEqual([]);
    const proxy = await system.proxy(["orders-db", ...refund]);
    const connecting = async () => {
      const client = new pg.Client(proxy.url);
      client.on("error", () => {});
      await client.connect();
      await client.end();
    };
    await connecting();
    const admin = new pg.Client(server.url);
    await admin.connect();
    await admin.query("ALTER ROLE worker NOLOGIN");
    await admin.end();
    await expect(connecting()).rejects.toThrow(
      /refused the connector's login: the login is not allowed \(28000\)/,
    );
    await server.stop();
    await expect(connecting()).rejects.toThrow(/the database cannot be reached \(ECONNREFUSED\)/);
    const { body } = await system.api("operator", "/api/audit?limit=100");
    const codes = body.events.map((event: { reason?: string }) => event.reason);
    expect(codes).toContain("TARGET_REFUSED_LOGIN");
    const log = system.events.map((event) => JSON.stringify(event)).join("\n");
    expect(log).toContain("TARGET_REFUSED_LOGIN");
    expect(log).not.toContain("secret of the worker");
  });

  test("C9 a connector that is killed is told in a sentence; its secrets are on no command line", async () => {
    const system = await started();
    const ready = system.events.find((event) => event["status"] === "ready")!;
    const lines = childrenOf(ready["pid"] as number).map((pid) => ({
      pid,
      line: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "),
    }));
    const secrets = JSON.parse(readFileSync(join(system.state, "secrets.json"), "utf8"));
    for (const { line } of lines) {
      for (const word of [secrets.adminPassword, secrets.loginPassword, "wce_"])
        expect(line).not.toContain(word);
    }
    const connector = lines.find(({ line }) => line.includes("tunnel-connector/main.ts"))!;
    const ended = new Promise<number | null>((resolve) => system.process.once("exit", resolve));
    process.kill(connector.pid, "SIGKILL");
    expect(await ended).toBe(1);
    const last = system.events.at(-1)!;
    expect(last).toMatchObject({
      status: "error",
      message: expect.stringContaining("the connector ended by itself"),
    });
    expect(existsSync(system.state)).toBe(false);
  });
});

test("bin/run.js finds the lockfile's Node from whatever Node starts it, and says what it does not know", () => {
  const out = spawnSync(process.execPath, [join(root, "bin", "run.js"), "nothing"], { encoding: "utf8" });
  expect(out.status).toBe(2);
  expect(out.stderr).toContain("usage: node bin/run.js start | test | check");
  const probe = join(folder, "version.ts");
  writeFileSync(probe, "const version: string = process.versions.node; console.log(version);\n");
  const version = execFileSync(process.execPath, [join(root, "bin", "run.js"), "script", probe], {
    encoding: "utf8",
  });
  expect(Number(version.split(".")[0])).toBeGreaterThanOrEqual(24);
});

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** All processes below `pid`. */
function childrenOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const below: number[] = [];
  for (const [child] of parents) {
    for (let at = parents.get(child); at !== undefined && at > 1; at = parents.get(at)) {
      if (at === pid) below.push(child);
    }
  }
  return below;
}
