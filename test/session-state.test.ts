/**
 * What a session may keep and change of itself, statement by statement through the whole system to PostgreSQL: settings,
 * transactions, prepared statements, cursors, notifications and locks. Nothing of it passes on to another session.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, type LocalPort, type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-state-"));
let system: System;
let reads: LocalPort;
let writes: LocalPort;
let tables: LocalPort;
let channels: LocalPort;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "..", "policies", "library"), folder, { recursive: true });
  const task = (name: string, more: string, session = "") =>
    writeFileSync(
      join(folder, "tasks", `${name}.yaml`),
      `version: 1
task: ${name}
description: Tries what a session may do.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select: { public.orders: { columns: "*" } }
${more}limits: { statement_timeout: 20s }
session: { ttl: 1h, idle: 30m${session} }
recording: { level: full, on_failure: terminate }
`,
    );
  task("state-read", "");
  task("state-write", "  - update: { public.orders: { columns: [status] } }\n");
  task("state-channels", "", ", pooled: true, listen: [orders_changed, Own], notify: [orders_changed]");
  task("state-tables", "", ", temporary_tables: true");
  for (const [name, group, mask] of [
    ["masked", "support", "mask: { email: email, ssn: { constant: XXX-XX-XXXX } }"],
    ["clear", "warehouse", ""],
  ] as const)
    writeFileSync(
      join(folder, "tasks", `state-${name}.yaml`),
      `version: 1
task: state-${name}
description: Reads customers, ${name}.
owner: tests
who: { groups: [${group}] }
resource: orders-db
allow:
  - select: { public.customers: { columns: [id, email, ssn], ${mask} } }
session: { ttl: 1h, idle: 30m }
recording: { level: full, on_failure: terminate }
`,
    );
  system = await startSystem({ policies: folder });
  reads = await system.proxy(["orders-db", "--task", "state-read"]);
  writes = await system.proxy(["orders-db", "--task", "state-write"]);
  tables = await system.proxy(["orders-db", "--task", "state-tables"]);
  channels = await system.proxy(["orders-db", "--task", "state-channels"]);
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a script on a session of its own; an error is its SQLSTATE. */
async function session<T>(
  use: (run: (text: string, values?: unknown[]) => Promise<unknown>, client: pg.Client) => Promise<T>,
  proxy = reads,
): Promise<T> {
  const client = new pg.Client(proxy.url);
  client.on("error", () => {});
  await client.connect();
  try {
    return await use(async (text, values) => {
      try {
        const result = await client.query({ text, rowMode: "array", ...(values ? { values } : {}) });
        return Array.isArray(result) ? result.map((one) => one.rows) : result.rows;
      } catch (error) {
        return (error as { code: string }).code;
      }
    }, client);
  } finally {
    await client.end();
  }
}

/** Pairs of a statement and what it must show: rows, or the SQLSTATE of its error. */
async function script(
  steps: readonly (readonly [text: string, shows: unknown])[],
  proxy = reads,
): Promise<void> {
  await session(async (run) => {
    for (const [text, shows] of steps) expect([text, await run(text)]).toEqual([text, shows]);
  }, proxy);
}

const refused = "42501";
const done: unknown[] = [];

describe("P15 settings", () => {
  test("harmless ones are set, shown, reset, and undone with their transaction", () =>
    script([
      ["set timezone = 'Asia/Tokyo'", done],
      ["show timezone", [["Asia/Tokyo"]]],
      ["begin", done],
      ["set local timezone to 'UTC'", done],
      ["select current_setting('TimeZone')", [["UTC"]]],
      ["commit", done],
      ["show timezone", [["Asia/Tokyo"]]],
      ["begin; set datestyle = 'German'; rollback", [[], [], []]],
      ["show datestyle", [["ISO, MDY"]]],
      ["select set_config('application_name', 'mine', false)", [["mine"]]],
      ["show application_name", [["mine"]]],
      ["reset timezone", done],
      ["select current_setting('TimeZone') <> 'Asia/Tokyo'", [[true]]],
      ["set timezone to default", done],
      ["set session characteristics as transaction isolation level serializable", done],
      ["show default_transaction_isolation", [["serializable"]]],
    ]));

  test("what the gate relies on is not, in any spelling, and neither is what undoes it", async () => {
    const settings = [
      "search_path = 'pg_temp, public'",
      "statement_timeout = 0",
      "lock_timeout = 0",
      "idle_in_transaction_session_timeout = 0",
      "standard_conforming_strings = off",
      "client_encoding = 'LATIN1'",
      "row_security = off",
      "role = postgres",
      "session_authorization = postgres",
      "session_replication_role = replica",
      "default_transaction_read_only = off",
      "transaction_read_only = off",
      "wicket.p_customer = '1'",
    ];
    await session(async (run) => {
      for (const one of settings) {
        const [name, value] = one.split(" = ");
        const constant = value!.startsWith("'") ? value : `'${value}'`;
        for (const text of [
          `set ${one}`,
          `set local ${one}`,
          `set "${name!.toUpperCase()}" to ${value}`,
          `select set_config('${name}', ${constant}, false)`,
          `select pg_catalog.set_config(lower('${name}'), ${constant}, true)`,
        ])
          expect([text, await run(text)]).toEqual([text, refused]);
      }
      for (const text of ["reset all", "reset role", "reset session authorization", "set role none"])
        expect([text, await run(text)]).toEqual([text, refused]);
      for (const kind of ["all", "plans", "temp", "sequences"])
        expect([kind, await run(`discard ${kind}`)]).toEqual([kind, refused]);
      // A reset goes back to the pin, not to the server's default.
      expect(await run("reset search_path")).toEqual(done);
      expect(await run("show search_path")).toEqual([["public,pg_temp"]]);
      expect(await run("set search_path = public")).toEqual(done);
      expect(await run("show search_path")).toEqual([["public, pg_temp"]]);
      const secrets = ["wicket.token_i", "config_file", "ssl_key_file"];
      for (const secret of secrets) expect([secret, await run(`show ${secret}`)]).toEqual([secret, refused]);
      const shown = ((await run("show all")) as string[][]).map(([name]) => name!);
      expect(shown).toContain("search_path");
      expect(shown.filter((name) => secrets.includes(name) || name.startsWith("wicket."))).toEqual([]);
    });
  });

  test("a session begins as new, whatever another one has set", async () => {
    await session(async (run) => {
      await run("set application_name = 'left behind'");
      await run("set extra_float_digits = -5");
      await session(async (other) => {
        expect(await other("show application_name")).not.toEqual([["left behind"]]);
        expect(await other("show extra_float_digits")).not.toEqual([["-5"]]);
      });
    });
  });
});

describe("transactions", () => {
  test("savepoints, chains and a failed transaction are PostgreSQL's own", () =>
    script(
      [
        ["begin isolation level repeatable read", done],
        ["update orders set status = 'a' where id = 1 returning status", [["a"]]],
        ["savepoint s", done],
        ["update orders set status = 'b' where id = 1 returning status", [["b"]]],
        ["rollback to savepoint s", done],
        ["select status from orders where id = 1", [["a"]]],
        ["delete from orders", refused],
        ["select 1", "25P02"],
        ["rollback to s", done],
        ["select status from orders where id = 1", [["a"]]],
        ["release s", done],
        ["rollback and chain", done],
        ["show transaction_isolation", [["repeatable read"]]],
        ["select status = 'a' from orders where id = 1", [[false]]],
        ["abort", done],
        ["release s", "25P01"],
      ],
      writes,
    ));

  test("a task that may not write stays read-only, also inside; two-phase commit is refused", () =>
    script([
      ["begin read write", refused],
      ["begin; set transaction read write", refused],
      ["begin", done],
      ["show transaction_read_only", [["on"]]],
      ["prepare transaction 'x'", refused],
      ["rollback", done],
      ["commit prepared 'x'", refused],
      ["rollback prepared 'x'", refused],
      ["start transaction read only, deferrable", done],
      ["end", done],
    ]));
});

describe("temporary tables", () => {
  test("a session makes its own, reads them past the second wall, and no other session finds them", () =>
    session(async (run, client) => {
      expect(await run("create temp table mine as select id, status from orders where id < 4")).toEqual(done);
      expect(await run("select id from mine where id = $1", [2])).toEqual([[2]]);
      expect((await client.query("insert into mine values (9, 'x') returning id, status")).rows).toEqual([
        { id: 9, status: "x" },
      ]);
      expect(await run("begin; declare c cursor for table mine; fetch 1 from c; commit")).toHaveLength(4);
      const others = "select relname from pg_class where relname = 'mine' and relpersistence = 't'";
      expect(await run(others)).toEqual([["mine"]]);
      expect(await run("select * from secrets")).toEqual(refused);
      expect(await run("create temp table orders (id int)")).toEqual(refused);
      await session(async (other) => {
        expect(await other("select * from mine")).toEqual(refused);
        expect(await other("select * from pg_temp.mine")).toEqual(refused);
      }, tables);
      expect(await run("drop table mine")).toEqual(done);
    }, tables));
});

describe("P10 prepared statements", () => {
  test("PREPARE, EXECUTE and DEALLOCATE, and names that no one made", () =>
    script([
      ["prepare one (int) as select id from orders where id = $1", done],
      ["execute one (3)", [[3]]],
      ["execute one (2 + 3)", [[5]]],
      ["execute one ((select max(id) from orders))", "0A000"],
      ["execute one ((select 1 from employees))", refused],
      ["prepare one as select 1", "42P05"],
      ["deallocate one", done],
      ["execute one (3)", "26000"],
      ["prepare two as select * from employees", refused],
      ["execute two", "26000"],
      ["prepare three as delete from orders", refused],
      ["explain execute three", refused],
      ["prepare four as select 4 as n", done],
      ["deallocate all", done],
      ["execute four", "26000"],
      ["select name from pg_prepared_statements", refused],
    ]));

  test("names of the protocol and of SQL are the same, and each is made by this gate", () =>
    session(async (run, client) => {
      const named = { name: "mine", text: "select id from orders where id = $1", values: [2] };
      expect((await client.query(named)).rows).toEqual([{ id: 2 }]);
      expect(await run("execute mine (3)")).toEqual([[3]]);
      expect(await run("deallocate mine")).toEqual(done);
      await expect(client.query(named)).rejects.toMatchObject({ code: "26000" });
    }));
});

describe("M14 one person's exemption is nobody else's", () => {
  test("the same statements and names, side by side through one connector", async () => {
    const clear = await system.proxy(["orders-db", "--task", "state-clear"], { as: "omar" });
    const masked = await system.proxy(["orders-db", "--task", "state-masked"]);
    const open = async (proxy: LocalPort) => {
      const client = new pg.Client(proxy.url);
      await client.connect();
      return client;
    };
    // Opened in turn, so that anything that is shared between sessions is the other person's.
    const clients = [await open(clear), await open(masked), await open(clear), await open(masked)];
    const query = {
      name: "same",
      text: "select email, ssn, pg_backend_pid() as pid from customers where id = $1",
    };
    const pids = new Set<number>();
    for (let id = 1; id <= 20; id++) {
      const rows = await Promise.all(
        clients.map(async (client) => {
          const first = (await client.query({ ...query, values: [id] })).rows[0];
          const plain = (await client.query(`select email, ssn from customers where id = ${id}`)).rows[0];
          expect({ ...first, pid: 0 }).toEqual({ ...plain, pid: 0 });
          pids.add(first.pid);
          return plain as { email: string; ssn: string | null };
        }),
      );
      for (const [index, { email, ssn }] of rows.entries()) {
        const isMasked = index % 2 === 1;
        const hidden = ssn === null ? isMasked : ssn === "XXX-XX-XXXX";
        expect([index, /^.\*\*\*@/.test(email), hidden]).toEqual([index, isMasked, isMasked]);
      }
    }
    expect(pids.size).toBe(4);
    for (const client of clients) await client.end();
    // Nor may either of them start the other's task.
    await expect(system.proxy(["orders-db", "--task", "state-clear"])).rejects.toThrow(
      /NOT_A_MEMBER|may not/,
    );
  });
});

describe("cursors", () => {
  test("DECLARE, FETCH, MOVE and CLOSE of what this session declared", () =>
    script([
      ["begin", done],
      ["declare c scroll cursor for select id from orders order by id", done],
      ["fetch 2 from c", [[1], [2]]],
      ["move 3 in c", done],
      ["fetch next c", [[6]]],
      ["fetch prior from c", [[5]]],
      ["fetch absolute 1 from c", [[1]]],
      ["close c", done],
      ["fetch c", "34000"],
      ["rollback", done],
      ["declare secrets cursor with hold for select * from employees", refused],
      ["declare h cursor with hold for select id from orders order by id", done],
      ["fetch 1 from h", [[1]]],
      ["close all", done],
      ["fetch 1 from h", "34000"],
      ["fetch 1 from nobody", refused],
      ["close nobody", "34000"],
    ]));
});

describe("P17 P18 channels between sessions and locks", () => {
  test("no notifications, no advisory locks, no locks of tables", () =>
    script([
      ["listen c", refused],
      ["notify c, 'x'", refused],
      ["unlisten *", refused],
      ["select pg_notify('c', 'x')", refused],
      ["select pg_listening_channels()", refused],
      ["select pg_advisory_lock(1)", refused],
      ["select pg_try_advisory_xact_lock_shared(1, 2)", refused],
      ["select pg_advisory_unlock_all()", refused],
      ["lock table orders", refused],
      ["select id from orders for update", refused],
      ["select pg_sleep(1)", refused],
    ]));

  test("listed channels: what is sent there is shown while the session listens, and nothing else", async () => {
    const admin = await adminOf(system);
    const got: pg.Notification[] = [];
    await session(async (run, client) => {
      client.on("notification", (one) => got.push(one));
      const tell = async (text: string) => {
        await admin.query(text);
        // A notification comes before the answer of the next statement at the latest.
        await run("select 1");
        return got.splice(0).map(({ channel, payload, processId }) => [channel, payload, processId]);
      };
      expect(await run("listen other")).toBe(refused);
      expect(await run("begin; listen orders_changed; rollback")).toEqual([[], [], []]);
      expect(await tell("notify orders_changed, 'x'")).toEqual([]);
      expect(await run('listen orders_changed; listen "Own"')).toEqual([[], []]);
      expect(await run("select pg_listening_channels() order by 1")).toEqual([["Own"], ["orders_changed"]]);
      expect(await tell("notify orders_changed, 'order 7'; notify other, 'y'; notify \"Own\"")).toEqual([
        ["orders_changed", "order 7", 0],
        ["Own", "", 0],
      ]);
      const alone = new Promise((resolve) => client.once("notification", resolve));
      await admin.query("notify orders_changed, 'while nothing runs'");
      expect(await alone).toMatchObject({ payload: "while nothing runs" });
      got.splice(0);
      expect(await run("notify orders_changed, 'mine'")).toEqual([]);
      expect(await run("select pg_notify($1, $2)", ["orders_changed", "by parameter"])).toEqual([[""]]);
      expect(await run("select pg_notify($1, $2)", ["Own", "x"])).toBe(refused);
      expect(await run('notify "Own"')).toBe(refused);
      await run("unlisten orders_changed");
      const sent = got.splice(0).map(({ payload }) => payload);
      expect(sent).toEqual(["mine", "by parameter"]);
      expect(await tell("notify orders_changed, 'late'; notify \"Own\", 'z'")).toEqual([["Own", "z", 0]]);
      expect(await run("discard all")).toEqual([]);
      expect(await tell('notify "Own"')).toEqual([]);
    }, channels);
    await admin.end();
  });

  test("a row that another session has locked is waited for no longer than the task's time", async () => {
    const admin = await adminOf(system);
    await admin.query("begin");
    await admin.query("update orders set status = status where id = 9");
    const begun = performance.now();
    await script([["update orders set status = 'x' where id = 9", "55P03"]], writes);
    expect(performance.now() - begun).toBeLessThan(20_000);
    await admin.query("rollback");
    await admin.end();
  });
});
