/** The command line beside the whole system: what a person types on the first day, and what goes wrong then. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { descendant } from "./support/processes.ts";
import { adminOf, finished, type System, startSystem } from "./support/system.ts";

const hasPsql = spawnSync("psql", ["--version"]).status === 0;
if (!hasPsql)
  console.log("psql is not installed: tests that need it are left out (apt install postgresql-client)");
const psqlTest = test.skipIf(!hasPsql);

let system: System;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
});

const refund = ["--task", "order-lookup", "--param", "customer=7", "--reason", "INC-7"];
const connect = (...program: string[]) => ["connect", "orders-db", ...refund, "--", ...program];
const psql = (...commands: string[]) => connect("psql", "-X", ...commands.flatMap((sql) => ["-c", sql]));

describe("the first day", () => {
  test("the demo login needs no browser; the login is kept for its owner only", async () => {
    const env = { XDG_CONFIG_HOME: join(system.state, "some-config") };
    const out = await system.wicket(["whoami"], { as: null, env });
    expect(out).toMatchObject({ code: 4, stdout: "" });
    expect(out.stderr).toMatch(/not logged in \(LOGIN_REQUIRED\)\n\s+wicket login --as NAME/);
    const login = await system.wicket(["login", "--as", "tina"], { as: null, env });
    expect(login).toMatchObject({ code: 0, stdout: "" });
    expect(login.stderr).toContain("You are tina (support)");
    const file = join(env.XDG_CONFIG_HOME, "wicket", "logins.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const who = await system.wicket(["whoami", "--json"], { as: null, env });
    expect(JSON.parse(who.stdout)).toMatchObject({
      name: "tina",
      groups: ["support"],
      issuer: system.issuer,
    });
    expect((await system.wicket(["logout"], { as: null, env })).code).toBe(0);
    expect((await system.wicket(["whoami"], { as: null, env })).code).toBe(4);
    const nobody = await system.wicket(["login", "--as", "nobody"], { as: null, env });
    expect(nobody).toMatchObject({ code: 2 });
    expect(nobody.stderr).toContain("tina");
  });

  test("tasks say what may be done, with the line to type, and why not", async () => {
    const { stdout, code } = await system.wicket(["tasks"]);
    expect(code).toBe(0);
    expect(stdout).toContain("wicket connect orders-db --task refund-investigation --param customer=INTEGER");
    expect(stdout).toMatch(
      /warehouse-shipping: not for you \(NOT_A_MEMBER, tasks\/warehouse-shipping\.yaml:\d+\)/,
    );
    const json = JSON.parse((await system.wicket(["tasks", "--json"], { as: "omar" })).stdout);
    const may = json.tasks.filter((task: { may: boolean }) => task.may);
    expect(may.map((task: { name: string }) => task.name)).toEqual(["warehouse-shipping"]);
  });

  psqlTest("psql reads masked rows, is refused with the rule, and its exit code comes through", async () => {
    const out = await system.wicket(psql("select * from customers", "select token from secrets"));
    expect(out.stdout).toMatch(/\n {2}7 \| \w\*\*\*@example\.com +\| XXX-XX-XXXX \| \w\w\n/);
    expect(out.stderr).toContain("does not grant select on public.secrets");
    expect(out.stderr).toContain("tasks/order-lookup.yaml:");
    expect(out.code).toBe(1);
    expect((await system.wicket(psql("select 1"))).code).toBe(0);
    expect((await system.wicket(connect("sh", "-c", "exit 42"))).code).toBe(42);
    expect((await system.wicket(connect("sh", "-c", "kill -9 $$"))).code).toBe(137);
  });

  psqlTest("psql's own commands and COPY work", async () => {
    const out = await system.wicket(
      connect(
        "psql",
        "-XAt",
        "-c",
        "\\dt",
        "-c",
        "\\d orders",
        "-c",
        "\\du",
        "-c",
        "\\dconfig enable_s*",
        "-c",
        "\\d",
      ),
    );
    expect(out.stderr).toBe("");
    expect(out.stdout).toContain("public|orders|table|");
    expect(out.stdout).toContain("customer_id|integer|");
    expect(out.stdout).toContain("enable_seqscan|on");
    expect(out.code).toBe(0);
    const copy = await system.wicket(psql("copy (select id, status from orders) to stdout"));
    expect(copy.stdout).toMatch(/^\d+\t\w+\n/);
    const script =
      "begin;\nupdate orders set status = 'refunded' where customer_id = 7;\nselect distinct status from orders where customer_id = 7;\nrollback;\n";
    const ship = ["connect", "orders-db", "--task", "warehouse-shipping", "--", "psql", "-XAt"];
    const piped = await system.wicket([...ship, "-v", "ON_ERROR_STOP=1"], { as: "omar", input: script });
    expect(piped.stdout).toBe("BEGIN\nUPDATE 4\nrefunded\nROLLBACK\n");
    expect(piped.code).toBe(0);
  });

  psqlTest("Ctrl-C cancels what runs, and nothing else", async () => {
    const child = system.spawn(psql("select count(*) from generate_series(1, 100000000000)"));
    const psqlOf = (): number | null => descendant(child.pid!, "psql");
    const done = finished(child);
    await system.until(async () => {
      const { body } = await system.api("tina", "/api/sessions?open");
      const open = body.sessions[0];
      return open && psqlOf() !== null && (await running(open.id));
    }, "the statement runs");
    // A terminal sends it to all of them.
    for (const pid of [psqlOf()!, child.pid!]) process.kill(pid, "SIGINT");
    const out = await done;
    expect(out.stderr).toContain("canceling statement due to user request");
    expect(out.code).toBe(1);
  });

  test("connect hands the program one private socket, and nothing that leads elsewhere", async () => {
    const script =
      'printf "%s %s %s %s\\n" "$PGPORT" "$PGUSER" "$PGDATABASE" "$(printenv PGHOSTADDR PGOPTIONS)"; stat -c %a "$PGHOST" "$PGHOST"/.s.*; echo "$PGHOST"';
    const env = { PGHOSTADDR: "10.0.0.1", PGOPTIONS: "-c role=postgres" };
    const { stdout } = await system.wicket(connect("sh", "-c", script), { env });
    const [first, folder, socket, host] = stdout.split("\n");
    expect([first, folder, socket]).toEqual(["5432 wicket orders-db ", "700", "600"]);
    expect(existsSync(host!)).toBe(false);
  });

  test("Ctrl-C at the whole terminal leaves no socket behind, whichever program it reaches first", async () => {
    const place = mkdtempSync(join(tmpdir(), "wicket-sockets-"));
    const child = system.spawn(connect("sleep", "60"), { env: { TMPDIR: place, XDG_RUNTIME_DIR: place } });
    const done = finished(child);
    const sleeping = await system.until(async () => descendant(child.pid!, "sleep"), "the program runs");
    expect(readdirSync(place)).toHaveLength(1);
    for (const pid of [sleeping, child.pid!]) process.kill(pid, "SIGINT");
    expect((await done).code).toBe(130);
    expect(readdirSync(place)).toEqual([]);
    rmSync(place, { recursive: true });
  });

  test("sessions are listed, shown, played back and ended", async () => {
    const proxy = await system.proxy(["orders-db", ...refund]);
    const client = new pg.Client(proxy.url);
    client.on("error", () => {});
    await client.connect();
    await client.query("select id, email from customers where id = $1", [7]);
    await client.query("select salary from employees").catch(() => {});
    const list = JSON.parse((await system.wicket(["sessions", "--json"])).stdout);
    const { id } = list.sessions[0];
    expect((await system.wicket(["sessions"])).stdout).toContain(id);
    expect((await system.wicket(["sessions", "show", id])).stdout).toContain("order-lookup");
    expect((await system.wicket(["sessions", "show", id], { as: "omar" })).code).toBe(2);
    const gone = new Promise((resolve) => client.once("end", resolve));
    const kill = await system.wicket(["sessions", "kill", id, "--reason", "lunch"], { as: "operator" });
    expect(kill.code).toBe(0);
    await gone;
    await system.until(
      async () => (await system.api("tina", `/api/sessions/${id}/recording`)).body?.final,
      "the end of the recording",
    );
    await system.until(
      async () => (await system.api("tina", `/api/sessions/${id}`)).body?.recording === "final",
      "the list to know of it",
    );
    expect((await system.wicket(["sessions"])).stdout).toMatch(new RegExp(`${id}.* closed, roots agree `));
    const play = await system.wicket(["play", id]);
    expect(play.code).toBe(0);
    expect(play.stdout).toContain("select id, email from customers where id = $1");
    expect(play.stdout).toContain("$1 = 7");
    expect(play.stdout).toMatch(/7 {3}\w\*\*\*@example\.com/);
    expect(play.stdout).toMatch(/denied: .*\(RELATION_NOT_GRANTED, tasks\/order-lookup\.yaml:\d+\)/);
    expect(play.stdout).toContain("SESSION_KILLED");
    const json = JSON.parse((await system.wicket(["play", id, "--json"])).stdout);
    expect(json).toMatchObject({ verified: true, complete: true });
    expect(json.statements.map((one: { decision: { effect: string } }) => one.decision.effect)).toEqual([
      "allow",
      "deny",
    ]);
    const finds = await system.wicket(["play", id, "--search", "***@EXAMPLE.com"]);
    expect(finds.stdout).toMatch(/^1\. \+\d+\.\ds {2}row 1, email: \w\*\*\*@example\.com\n$/);
    const search = JSON.parse((await system.wicket(["play", id, "--search", "salary", "--json"])).stdout);
    expect(search.found).toMatchObject([
      { n: 2, in: "text", excerpt: ["select ", "salary", " from employees"] },
    ]);
    const cast = (await system.wicket(["play", id, "--format", "cast"])).stdout.trim().split("\n");
    expect(JSON.parse(cast[0]!)).toMatchObject({ version: 2, width: 120 });
    expect(JSON.parse(cast[1]!)).toEqual([expect.any(Number), "o", expect.stringContaining("1. ")]);
    expect(cast.length).toBe(1 + json.statements.length);
    expect((await system.wicket(["play", id, "--speed", "1000"])).stdout).toBe(play.stdout);
    expect((await system.wicket(["play", id, "--speed", "0"])).code).toBe(2);
    expect((await system.wicket(["play", id, "--terminal", "1"])).stderr).toContain("TERMINAL_UNKNOWN");
    expect((await system.wicket(["play", id], { as: "omar" })).code).toBe(2);
    await proxy.stop();
  });

  test("an exported recording verifies with the keys that the system printed", async () => {
    const { body } = await system.api("tina", "/api/sessions");
    const { id } = body.sessions.find((row: { ended: number | null }) => row.ended !== null);
    const file = join(system.state, "export.zip");
    const out = await system.until(async () => {
      const done = await system.wicket([
        "recording",
        "export",
        id,
        "-o",
        file,
        "--token",
        system.tokenFile("tina"),
        "--edge",
        system.edge,
      ]);
      return done.code === 0 ? done : null;
    }, "the export");
    expect(out.code).toBe(0);
    const verify = await system.wicket([
      "recording",
      "verify",
      file,
      ...system.keys.flatMap((key) => ["--key", key]),
    ]);
    expect(verify.stdout).toContain("is whole and unaltered");
    expect(verify.code).toBe(0);
  });

  test("policy explain speaks of the same library", async () => {
    const args = [
      "policy",
      "explain",
      "--task",
      "refund-investigation",
      "--as",
      "tina",
      "--sql",
      "select * from secrets",
    ];
    const { stdout, code } = await system.wicket([...args, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ decision: "deny", reason: "RELATION_NOT_GRANTED" });
    expect(code).toBe(0);
  });
});

describe("the local port", () => {
  test("I18 wants its one-time password, takes it in clear on loopback only, and slows guesses down", async () => {
    const proxy = await system.proxy(["orders-db", ...refund]);
    expect(proxy.host).toBe("127.0.0.1");
    const wrong = new pg.Client({ ...urlParts(proxy.url), password: "guess" });
    await expect(wrong.connect()).rejects.toMatchObject({ code: "28P01" });
    const none = new pg.Client({ ...urlParts(proxy.url), password: () => "" } as pg.ClientConfig);
    await expect(none.connect()).rejects.toMatchObject({ code: "28P01" });
    const ssl = new pg.Client({ connectionString: proxy.url, ssl: { rejectUnauthorized: false } });
    await expect(ssl.connect()).rejects.toThrow(/SSL/);
    const [a, b] = [new pg.Client(proxy.url), new pg.Client(proxy.url)];
    for (const client of [a, b]) client.on("error", () => {});
    await Promise.all([a.connect(), b.connect()]);
    expect((await b.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await Promise.all([a.end(), b.end()]);
    await proxy.stop();
    await expect(new pg.Client(proxy.url).connect()).rejects.toThrow();
  });
});

describe("refusals come before anything starts, with reason, rule and exit code", () => {
  const tried = async (args: string[], as: string | null = "tina", env: Record<string, string> = {}) => {
    const out = await system.wicket(["connect", "orders-db", ...args, "--", "sh", "-c", "echo started"], {
      as,
      env,
    });
    expect(out.stdout).toBe("");
    return { code: out.code, stderr: out.stderr };
  };

  test("no token, a token that is none, an expired one, one for another audience", async () => {
    expect(await tried(refund, null)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("LOGIN_REQUIRED"),
    });
    expect(await tried(refund, "garbage")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("TOKEN_"),
    });
    const { providerKey } = JSON.parse(readFileSync(join(system.state, "secrets.json"), "utf8"));
    const key = await crypto.subtle.importKey(
      "jwk",
      providerKey,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["sign"],
    );
    const sign = (aud: string, exp: string) =>
      new SignJWT({ groups: ["support"] })
        .setProtectedHeader({ alg: "ES256", kid: providerKey.kid })
        .setIssuer(system.issuer)
        .setSubject("tina")
        .setAudience(aud)
        .setIssuedAt(Math.floor(Date.now() / 1000) - 7200)
        .setExpirationTime(exp)
        .sign(key);
    const expired = await tried(refund, await sign("wicketgate", "-1h"));
    expect(expired).toMatchObject({ code: 4, stderr: expect.stringContaining("TOKEN_EXPIRED") });
    const foreign = await tried(refund, await sign("another", "1h"));
    expect(foreign).toMatchObject({ code: 4, stderr: expect.stringContaining("TOKEN_AUDIENCE") });
  });

  test("an unknown task or resource, a task of others, parameters and reasons that do not fit", async () => {
    const task = (name: string, ...more: string[]) => tried(["--task", name, ...more]);
    expect(await task("nothing")).toMatchObject({ code: 2, stderr: expect.stringContaining("TASK_UNKNOWN") });
    expect(await task("warehouse-shipping")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("NOT_A_MEMBER"),
    });
    const reason = ["--reason", "INC-7"];
    const param = async (value: string) =>
      (await task("refund-investigation", "--param", value, ...reason)).stderr;
    expect(await param("customer=seven")).toMatch(/PARAM_TYPE, tasks\/refund-investigation\.yaml:\d+/);
    expect(await param("client=7")).toMatch(/PARAM_(MISSING|UNKNOWN)/);
    expect((await task("refund-investigation", "--param", "customer=7")).stderr).toContain("REASON_REQUIRED");
    const other = await task("refund-investigation", "--param", "customer=7", "--reason", "curious");
    expect(other).toMatchObject({ code: 3, stderr: expect.stringContaining("REASON_MISMATCH") });
    const nowhere = await system.wicket(["connect", "nowhere", ...refund, "--", "true"]);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("RESOURCE_UNKNOWN") });
  });

  test("no edge there, a missing program, a usage error", async () => {
    const away = await tried(refund, "tina", { WICKET_EDGE: "http://127.0.0.1:9" });
    expect(away).toMatchObject({ code: 6, stderr: expect.stringContaining("EDGE_UNREACHABLE") });
    expect(await tried(refund, "tina", { WICKET_EDGE: "http://edge.example.com" })).toMatchObject({
      code: 2,
    });
    const missing = await system.wicket(connect("no-such-program"));
    expect(missing).toMatchObject({
      code: 127,
      stderr: expect.stringContaining("no-such-program is not installed"),
    });
    expect((await system.wicket(["connect", "orders-db"])).code).toBe(2);
    expect((await system.wicket(["conect"])).code).toBe(2);
    expect((await system.wicket(["--help"])).code).toBe(0);
  });
});

function urlParts(text: string): { host: string; port: number; user: string; database: string } {
  const url = new URL(text);
  return {
    ...{ host: url.hostname, port: Number(url.port), user: url.username },
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}

/** Whether the database computes for the session. */
async function running(session: string): Promise<boolean> {
  const client = await adminOf(system);
  const { rows } = await client.query(
    "select 1 from pg_stat_activity where application_name = $1 and state = 'active' and query like '%generate_series(1, 100000000000)%'",
    [`wicket/${session}`],
  );
  await client.end();
  return rows.length > 0;
}
