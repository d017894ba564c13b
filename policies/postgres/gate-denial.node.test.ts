/** Denials, holds, limits and the second wall before a real PostgreSQL. */
import { once } from "node:events";
import { connect } from "node:net";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { ask, raw, rules, seen, sync, useGateDatabase, withPg } from "../../test/support/gate-database.ts";
import { openTask, selectRule } from "../../test/support/open-task.ts";
import { allowing, scriptedDecider } from "../../test/support/scripted-decider.ts";
import { bindMessage, executeMessage, parseMessage, queryMessage } from "../../wire/postgres/frontend.ts";

const database = useGateDatabase();
const { bridge } = database;

describe("a denial behaves as an error of the server's own", () => {
  test("P9 a denied Parse, pipelined: discard until Sync, one ReadyForQuery, no older unnamed statement", async () => {
    const { url, events } = await bridge();
    const client = await raw(url);
    client.send(parseMessage("", "select 'older'"), sync);
    await client.until();
    client.send(parseMessage("", "select token from secrets"), bindMessage({}), executeMessage(), sync);
    expect(await client.until()).toEqual(["E 42501", "ZI"]);
    client.send(bindMessage({}), executeMessage(), sync);
    expect(await client.until()).toEqual(["E 26000", "ZI"]);
    expect(events.filter((event) => event.t === "statement").map((event) => event.decision.effect)).toEqual([
      "deny",
      "deny",
    ]);
    client.end();
  });

  test("in a transaction, in order, with the hint", async () => {
    const { url } = await bridge();
    const results = await withPg(url, (client) => [
      client.query("begin"),
      client.query("select 1 as one"),
      client.query("select * from secrets"),
      client.query("select 1 as two"),
      client.query("rollback"),
      client.query("select 3 as three").then((result) => result.rows),
    ]);
    expect(results.slice(2)).toEqual([
      { code: "42501", message: "denied by the script: RELATION_NOT_GRANTED", severity: "ERROR" },
      {
        code: "25P02",
        message: "current transaction is aborted, commands ignored until end of transaction block",
        severity: "ERROR",
      },
      expect.anything(),
      [{ three: 3 }],
    ]);
    const [error] = (await withPg(url, (client) => [
      client
        .query("select token from secrets")
        .catch((e: pg.DatabaseError) => ({ hint: e.hint, detail: e.detail, position: e.position })),
    ])) as unknown[];
    expect(error).toEqual({
      hint: "Ask for something else. Decided by tasks/test.yaml:7.",
      detail: "Reason: RELATION_NOT_GRANTED.",
      position: "8",
    });
  });

  test("nothing of a denied multi-statement Query runs", async () => {
    const { url } = await bridge();
    const client = await raw(url);
    client.send(queryMessage("insert into loaded values (66, 'x'); select * from secrets"));
    expect(await client.until()).toEqual(["E 42501", "ZI"]);
    client.send(queryMessage("select count(*) from loaded"));
    await client.until();
    client.end();
    expect(
      (
        await withPg(database.url, (c) => [
          c.query("select count(*)::int as n from loaded").then((r) => r.rows),
        ])
      )[0],
    ).toEqual([{ n: 0 }]);
  });

  test("a rewritten text runs in place of the user's", async () => {
    const decider = scriptedDecider({
      "select name from people": allowing(
        "select name from people",
        "select 'masked' as name from people where id < 3",
      ),
    });
    const { url, events } = await bridge({ decider });
    const rows = await withPg(url, (client) => [
      client.query("select name from people").then((r) => r.rows),
      client.query({ name: "x", text: "select name from people" }).then((r) => r.rows),
    ]);
    expect(rows).toEqual([
      [{ name: "masked" }, { name: "masked" }],
      [{ name: "masked" }, { name: "masked" }],
    ]);
    expect(events.find((event) => event.t === "statement")).toMatchObject({
      n: 1,
      text: "select name from people",
      decision: { rewritten: "select 'masked' as name from people where id < 3" },
    });
  });

  test("P10 a grant that ends between Parse and Bind, and between Bind and the next Execute", async () => {
    let expired = false;
    const { url } = await bridge({
      permit: () => (expired ? { code: "GRANT_EXPIRED", message: "the grant has expired" } : null),
    });
    const client = await raw(url);
    client.send(
      queryMessage("begin"),
      parseMessage("a", "select id from people"),
      bindMessage({ portal: "p", statement: "a" }),
      executeMessage("p", 1),
      sync,
    );
    expect(await client.until(2)).toEqual(["C BEGIN", "ZT", "1", "2", "D", "s", "ZT"]);
    expired = true;
    client.send(
      executeMessage("p", 1),
      sync,
      bindMessage({ statement: "a" }),
      executeMessage(),
      sync,
      queryMessage("select 1"),
    );
    expect(await client.until(3)).toEqual(["E 42501", "ZE", "E 42501", "ZE", "E 42501", "ZE"]);
    client.end();
  });

  test("P7 CancelRequest with the gate's key cancels, a guessed one does not", async () => {
    const { url, gates } = await bridge();
    const client = new pg.Client(url);
    await client.connect();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const slow = seen(() => client.query("select pg_sleep(30)"));
    const cancel = async (key: number) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      const bytes = Buffer.alloc(16);
      [16, 80877102, processID, key].forEach((value, i) => void bytes.writeInt32BE(value, i * 4));
      socket.end(bytes);
      await once(socket.resume(), "close");
    };
    await cancel(secretKey ^ 1);
    expect(gates[0]!.idle).toBe(false);
    // A request that comes before the server has begun the statement cancels nothing.
    let over = false;
    void slow.then(() => {
      over = true;
    });
    while (!over) await cancel(secretKey);
    expect(await slow).toMatchObject({ code: "57014" });
    await client.end();
  });

  test("a statement held for approval: allowed, denied, and what comes behind it waits in order", async () => {
    const held = {
      ...allowing("update people set born = null where id = 1"),
      effect: "hold" as const,
      reason: "APPROVAL_REQUIRED",
    };
    const verdicts: ("allow" | "deny")[] = ["allow", "deny", "allow"];
    const { url, events } = await bridge({
      decider: scriptedDecider({ "update people set born = null where id = 1": held }),
      hold: (hold, gate) => {
        hold.notice("waiting for approval at https://edge/approve");
        setImmediate(() =>
          gate.resolveHold(
            hold.id,
            verdicts.shift() === "allow"
              ? { effect: "allow" }
              : { effect: "deny", code: "REFUSED", message: "no" },
          ),
        );
      },
    });
    const client = await raw(url);
    const update = "update people set born = null where id = 1";
    client.send(
      queryMessage(update),
      queryMessage("select 1"),
      queryMessage(update),
      queryMessage("select 2"),
    );
    // The second NOTICE may come before the first answer: notices are asynchronous.
    expect((await client.until(4)).filter((type) => type !== "N")).toEqual([
      "C UPDATE 1",
      "ZI",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
      "E 42501",
      "ZI",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
    ]);
    client.send(...ask(update), ...ask("select 3"), sync);
    expect((await client.until()).filter((type) => type !== "N")).toEqual([
      "1",
      "2",
      "n",
      "C UPDATE 1",
      "1",
      "2",
      "T",
      "D",
      "C SELECT 1",
      "ZI",
    ]);
    expect(events.filter((event) => event.t === "held").map((event) => event.verdict)).toEqual([
      "allow",
      "deny",
      "allow",
    ]);
    client.end();
  });

  test("limits end a session, or refuse its next statement", async () => {
    const { url, ends } = await bridge({ task: openTask(rules, { rows: 100 }) });
    const results = await withPg(url, (client) => {
      client.on("error", () => {});
      return [
        client.query("select id from people where id <= 100").then((r) => r.rowCount),
        client.query("select id from people"),
      ];
    });
    expect(results).toEqual([
      100,
      expect.objectContaining({ code: "53400", message: "the task allows 100 rows a session" }),
    ]);
    const second = await withPg(url, (client) => {
      client.on("error", () => {});
      return [client.query("select id from people")];
    });
    expect(second).toEqual([expect.objectContaining({ code: "53400", severity: "FATAL" })]);
    expect(ends.map((end) => end.code)).toContain("LIMIT_ROWS");
  });

  test("the second wall: a column that is masked or not granted ends the session before a row", async () => {
    for (const text of ["select id, token from secrets s", "select name from people"]) {
      const task = openTask([selectRule("public", "people", { mask: { name: { kind: "null" } } })]);
      const { url, events } = await bridge({ task, decider: { decide: (asked) => allowing(asked) } });
      for (const messages of [
        [queryMessage(text)],
        [...ask(text), sync],
        [parseMessage("", text), bindMessage({}), executeMessage(), sync],
      ]) {
        const client = await raw(url);
        client.send(...messages);
        const answer = await client.until();
        expect(answer.slice(-2)).toEqual(["E 08P01", "closed"]);
        expect(answer).not.toContain("D");
      }
      expect(events.filter((event) => event.t === "alarm").map((event) => event.code)).toEqual([
        "MASK_BREACH",
        "MASK_BREACH",
        "MASK_BREACH",
      ]);
    }
  });

  test("P20 wire-05 a setting that text depends on changes: the session ends", async () => {
    const { url, events } = await bridge();
    const client = await raw(url);
    client.send(queryMessage("set standard_conforming_strings to off; select 1"));
    expect((await client.until()).slice(-2)).toEqual(["E 08P01", "closed"]);
    expect(events.map((event) => event.t === "alarm" && event.code)).toContain("PINNED_SETTING_CHANGED");
  });

  test("startup settings are made for the client", async () => {
    const { url } = await bridge();
    const client = await raw(url, {
      TimeZone: "Asia/Tokyo",
      DateStyle: "German",
      extra_float_digits: "2",
      application_name: "x",
    });
    client.send(queryMessage("select current_setting('TimeZone') || current_setting('DateStyle')"));
    expect(await client.until()).toEqual(["T", "D", "C SELECT 1", "ZI"]);
    client.end();
  });
});
