/** Drivers and an ORM through `wicket proxy`, the edge and the connector: as they are, with their own defaults. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, text as pgText } from "drizzle-orm/pg-core";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import Cursor from "pg-cursor";
import connectPostgres, { type Row, type RowList } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bareMessage, bindMessage, executeMessage, parseMessage } from "../wire/postgres/frontend.ts";
import { Frontend } from "../wire/postgres/messages.ts";
import { startupMessage } from "../wire/postgres/startup.ts";
import { crowd } from "./support/crowd.ts";
import { adminOf, finished, type LocalPort, type System, startSystem } from "./support/system.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-drivers-"));
const clients: pg.Client[] = [];
let system: System;
let proxy: LocalPort;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, "..", "policies", "library"), folder, { recursive: true });
  writeFileSync(
    join(folder, "tasks", "wide.yaml"),
    `version: 1
task: wide
description: Reads and changes what tests need, without limits.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select:
      public.customers: { columns: [id, email, ssn, country], mask: { email: email, ssn: { constant: XXX-XX-XXXX } } }
      public.orders: { columns: "*" }
  - update:
      public.orders: { columns: [status] }
limits: { statement_timeout: 60s }
session: { ttl: 1h, idle: 30m }
recording: { level: full, on_failure: terminate }
`,
  );
  system = await startSystem({ policies: folder });
  proxy = await system.proxy(["orders-db", "--task", "wide"]);
});

afterAll(async () => {
  for (const client of clients) await client.end().catch(() => {});
  expect(await system?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

async function connected(): Promise<pg.Client> {
  const client = new pg.Client(proxy.url);
  client.on("error", () => {});
  await client.connect();
  clients.push(client);
  return client;
}

const denied = { code: "42501" };

describe("pg", () => {
  test("simple, with parameters, by name, in a transaction, with a cursor", async () => {
    const client = await connected();
    const one = await client.query("select email, ssn from customers where id = 7");
    expect(one.rows).toEqual([
      { email: expect.stringMatching(/^.\*\*\*@example\.com$/), ssn: "XXX-XX-XXXX" },
    ]);
    const system = await client.query(
      "select ctid, xmin, tableoid::regclass::text as of from customers limit 1",
    );
    expect(system.rows).toEqual([{ ctid: "(0,1)", xmin: expect.stringMatching(/^\d+$/), of: "customers" }]);
    const named = { name: "by id", text: "select id, total from orders where id = $1" };
    for (const id of [1, 2, 3]) {
      expect((await client.query({ ...named, values: [id] })).rows).toMatchObject([{ id }]);
    }
    await client.query("begin");
    expect((await client.query("update orders set status = 'held' where id = 5")).rowCount).toBe(1);
    await expect(client.query("delete from orders")).rejects.toMatchObject(denied);
    await expect(client.query("select 1")).rejects.toMatchObject({ code: "25P02" });
    await client.query("rollback");
    expect((await client.query("select status from orders where id = 5")).rows[0].status).not.toBe("held");
    const cursor = client.query(new Cursor("select id from orders order by id", []));
    expect((await cursor.read(3)).map((row: { id: number }) => row.id)).toEqual([1, 2, 3]);
    expect(await cursor.read(2)).toHaveLength(2);
    await cursor.close();
    expect((await client.query("select count(*)::int as n from orders")).rows).toEqual([{ n: 1000 }]);
  });

  test("several statements in one text stop at the one that is refused", async () => {
    const client = await connected();
    const several = await client.query("select 1 as a; select 2 as b");
    expect((several as unknown as pg.QueryResult[]).map((result) => result.rows)).toEqual([
      [{ a: 1 }],
      [{ b: 2 }],
    ]);
    await expect(client.query("select 1; select * from secrets")).rejects.toMatchObject(denied);
    expect((await client.query("select 3 as c")).rows).toEqual([{ c: 3 }]);
  });
});

describe("postgres.js", () => {
  test("prepares and pipelines by default; refusals do not disturb their neighbours", async () => {
    const db = connectPostgres(proxy.url, { max: 2, onnotice: () => {} });
    const results = await Promise.allSettled([
      db`select id from orders where id = ${1}`,
      db`select * from secrets`,
      db`select id from orders where id = ${2}`,
      db`select salary from employees`,
      db`select id, email from customers where id = ${7}`,
    ]);
    expect(results.map((one) => one.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject(denied);
    expect((results[4] as PromiseFulfilledResult<RowList<Row[]>>).value[0]).toMatchObject({
      id: 7,
    });
    await db
      .begin(async (tx) => {
        expect(await tx`update orders set status = 'x' where id = 1 returning id`).toHaveLength(1);
        throw new Error("undo");
      })
      .catch(() => {});
    expect((await db`select status from orders where id = 1`)[0]!["status"]).not.toBe("x");
    const seen: number[] = [];
    await db`select id from orders order by id limit 25`.cursor(10, (rows) => {
      seen.push(...rows.map((row) => row["id"] as number));
    });
    expect(seen).toHaveLength(25);
    await db.end();
  });
});

describe("an ORM and a query builder", () => {
  test("drizzle", async () => {
    const customers = pgTable("customers", {
      id: integer().primaryKey(),
      email: pgText(),
      country: pgText(),
    });
    const orders = pgTable("orders", { id: integer(), customerId: integer("customer_id"), status: pgText() });
    const client = await connected();
    const db = drizzle(client);
    const rows = await db
      .select({ id: customers.id, email: customers.email, orders: sql<number>`count(*)::int` })
      .from(customers)
      .innerJoin(orders, sql`${orders.customerId} = ${customers.id}`)
      .where(sql`${customers.id} = 7`)
      .groupBy(customers.id);
    expect(rows).toMatchObject([{ id: 7, email: expect.stringMatching(/^.\*\*\*@/), orders: 4 }]);
    await expect(db.execute(sql`select * from secrets`)).rejects.toMatchObject({ cause: denied });
    await expect(
      db.transaction(async (tx) => {
        await tx.update(orders).set({ status: "y" }).where(sql`id = 1`);
        throw new Error("undo");
      }),
    ).rejects.toThrow("undo");
  });

  test("kysely", async () => {
    interface Shop {
      customers: { id: number; country: string };
      secrets: { token: string };
    }
    const db = new Kysely<Shop>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: proxy.url, max: 2 }) }),
    });
    const countries = await db
      .selectFrom("customers")
      .select("country")
      .distinct()
      .orderBy("country")
      .execute();
    expect(countries.map((row) => row.country)).toEqual(["AT", "CH", "DE", "FR", "IT", "NO", "PT"]);
    await expect(db.selectFrom("secrets").selectAll().execute()).rejects.toMatchObject(denied);
    await db.destroy();
  });
});

describe("PostgreSQL's own programs", () => {
  const has = (program: string): boolean => {
    const found = spawnSync(program, ["--version"]).status === 0;
    if (!found) console.log(`${program} is not installed: its tests are left out (apt install postgresql)`);
    return found;
  };

  test.skipIf(!has("pgbench")).each(["simple", "extended", "prepared"])("pgbench -M %s", async (mode) => {
    const script = join(folder, "bench.sql");
    const lines = ["\\set id random(1, 1000)", "BEGIN;", "SELECT total FROM orders WHERE id = :id;"];
    writeFileSync(script, [...lines, "SELECT email FROM customers WHERE id = 7;", "END;", ""].join("\n"));
    const clients = ["-c", "4", "-j", "2", "-t", "25"];
    const out = await finished(spawn("pgbench", ["-n", "-M", mode, "-f", script, ...clients, proxy.url]));
    expect(out.stderr).not.toContain("ERROR");
    expect(out.stdout).toContain("number of transactions actually processed: 100/100");
    expect(out.code).toBe(0);
  });

  test.skipIf(!has("psql") || !has("script"))(
    "psql completes the names of tables at the Tab key",
    async () => {
      const psql = `psql -X "${proxy.url}"`;
      const env = { ...process.env, TERM: "dumb", PAGER: "cat" };
      const terminal = spawn("script", ["-qfec", psql, "/dev/null"], { env, stdio: "pipe" });
      const out = finished(terminal);
      await new Promise<void>((resolve) => {
        let said = "";
        terminal.stdout.on("data", (chunk) => {
          said += String(chunk);
          if (said.includes("orders-db=")) resolve();
        });
      });
      terminal.stdin.write("select email from cust\twhere id = 7;\n\\q\n");
      expect((await out).stdout).toMatch(/\w\*\*\*@example\.com/);
    },
  );
});

describe("on the wire", () => {
  test("P9 a denied Parse in a pipeline discards up to Sync, and the next cycle runs", async () => {
    const wire = await raw();
    wire.socket.write(
      Buffer.concat([
        ...[parseMessage("", "select 'first'"), bindMessage({}), executeMessage()],
        ...[parseMessage("", "select * from secrets"), bindMessage({}), executeMessage()],
        ...[parseMessage("", "select 'never'"), bindMessage({}), executeMessage()],
        bareMessage(Frontend.Sync),
        ...[parseMessage("", "select 'last'"), bindMessage({}), executeMessage(), bareMessage(Frontend.Sync)],
      ]),
    );
    expect(await wire.until(/Z.*Z/)).toBe("12DCEZ12DCZ");
    wire.socket.destroy();
  });

  test("a statement of 10 MB and a message of garbage: refused clearly, and nobody else notices", async () => {
    const other = await connected();
    const long = await connected();
    await expect(long.query(`select '${"x".repeat(10_000_000)}'`)).rejects.toMatchObject({ code: "54000" });
    expect((await long.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    const wire = await raw();
    wire.socket.write(Buffer.from("\x01\x02\x03\x04\x05garbage garbage"));
    const text = await wire.end();
    expect(text).toContain("08P01");
    const before = createConnection({ host: proxy.host, port: proxy.port });
    before.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const answer = await new Promise<string>((resolve) => {
      let said = "";
      before.on("data", (chunk) => {
        said += String(chunk);
      });
      before.on("close", () => resolve(said));
    });
    expect(answer).toContain("invalid length of startup packet");
    expect((await other.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    await system.until(async () => {
      const { body } = await system.api("operator", "/api/audit?limit=200");
      const reasons = body.events.map((event: { reason?: string }) => event.reason);
      return reasons.includes("MESSAGE_TOO_LARGE") && reasons.includes("CLIENT_PROTOCOL");
    }, "both in the audit log");
  });

  test("P1 bytes behind an SSLRequest end the connection", async () => {
    const socket = createConnection({ host: proxy.host, port: proxy.port });
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), startupMessage({ user: "x" })]));
    const said = await new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += String(chunk);
      });
      socket.on("close", () => resolve(text));
    });
    expect(said).toContain("received data after an encryption request");
  });
});

describe("load", () => {
  test("200 sessions at the same time answer, each with its own", async () => {
    const many = await crowd(200, async (i) => {
      const client = new pg.Client(proxy.url);
      client.on("error", () => {});
      await client.connect();
      return { client, i };
    });
    const rows = await Promise.all(
      many.map(({ client, i }) => client.query("select $1::int as i, count(*)::int as n from orders", [i])),
    );
    expect(rows.map((result) => result.rows[0])).toEqual(many.map(({ i }) => ({ i, n: 1000 })));
    await Promise.all(many.map(({ client }) => client.end()));
    await system.until(async () => {
      const { body } = await system.api("tina", "/api/sessions?open&limit=300");
      return body.sessions.length <= clients.length;
    }, "all of them ended");
  });

  test("both directions keep their order under load, and a large result arrives whole", async () => {
    const client = await connected();
    const { rows } = await client.query(
      "select g as n, repeat(g::text, 50) as pad from generate_series(1, 100000) g order by g",
    );
    expect(rows.length).toBe(100_000);
    expect(rows.every((row, i) => row.n === i + 1 && row.pad.startsWith(String(i + 1)))).toBe(true);
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => client.query("select $1::int as i", [i])),
    );
    expect(answers.map((answer) => answer.rows[0].i)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });
});

test("V4 clients that stop reading a gigabyte cost the edge's process less than 2 MiB each", async () => {
  const edge = edgeProcess();
  if (edge === null) {
    console.log("there is no /proc here: the memory of the edge's process is not measured");
    return;
  }
  const memory = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${edge}/status`, "utf8"))![1]) / 1024;
  const rows = "select repeat('x', 1000) from generate_series(1, $1::int)";
  const paused = await Promise.all(Array.from({ length: 24 }, connected));
  // What the runtime takes once, for any traffic, is no cost of a paused client.
  for (const client of paused.slice(0, 12)) await client.query(rows, [20_000]);
  const before = memory();
  for (const client of paused) {
    client.query(rows, [1_000_000]).catch(() => {});
    (client as unknown as { connection: { stream: Socket } }).connection.stream.pause();
  }
  // The database waits for its readers: all the windows on the way are used up.
  const admin = await adminOf(system);
  const waiting = "select 1 from pg_stat_activity where wait_event = 'ClientWrite' and query like '%repeat%'";
  const cost = (): number => (memory() - before) / paused.length;
  let [looks, most] = [0, 0];
  await system.until(
    async () => {
      looks = (await admin.query(waiting)).rows.length === paused.length ? looks + 1 : 0;
      most = Math.max(most, cost());
      await new Promise((resolve) => setTimeout(resolve, 250));
      return looks === 12;
    },
    "every result stands still",
    90_000,
  );
  await admin.end();
  // What was garbage when they came to stand is no cost of theirs: it is collected when somebody else works.
  const other = await connected();
  await system.until(
    async () => {
      await other.query(rows, [1_000]);
      return cost() < 2;
    },
    "a paused client costs the edge's process less than 2 MiB",
    30_000,
  );
  console.log(
    `a paused client costs the edge's process ${cost().toFixed(2)} MiB, ${most.toFixed(2)} at most`,
  );
  expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  for (const client of paused)
    (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
});

/** The process of workerd, a child of the system's; null where that cannot be known. */
function edgeProcess(): number | null {
  if (!existsSync("/proc/self/stat")) return null;
  const { pid } = system.events.find((event) => event["status"] === "ready") as { pid: number };
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = existsSync(`/proc/${entry}/stat`) ? readFileSync(`/proc/${entry}/stat`, "utf8") : "";
    if (stat.includes("(workerd)") && stat.split(") ")[1]?.split(" ")[1] === String(pid))
      return Number(entry);
  }
  return null;
}

/** A raw connection that has been greeted; `until` gives the types of the messages so far. */
async function raw() {
  const socket = createConnection({ host: proxy.host, port: proxy.port });
  let bytes: Buffer = Buffer.alloc(0);
  let wake = (): void => {};
  socket.on("data", (chunk) => {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    wake();
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const types = (): string => {
    let said = "";
    for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
      said += String.fromCharCode(bytes[at]!);
    }
    return said;
  };
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(types())) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return types();
  };
  socket.write(startupMessage({ user: "wicket", database: "orders-db" }));
  await until(/R/);
  bytes = Buffer.alloc(0);
  const password = Buffer.from(`${proxy.password}\0`);
  const head = Buffer.from([0x70, 0, 0, 0, 0]);
  head.writeInt32BE(password.length + 4, 1);
  socket.write(Buffer.concat([head, password]));
  await until(/Z/);
  bytes = Buffer.alloc(0);
  return {
    socket,
    until,
    async end(): Promise<string> {
      await closed;
      return bytes.toString("latin1");
    },
  };
}
