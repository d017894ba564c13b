/** Columns that the database generates from masked ones. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusServers } from "../../test/support/corpus-databases.ts";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import type { SqlRule } from "../task.ts";

const mail = { mask: { mail: { kind: "email" } } } as const;

describe.each(corpusServers)("on PostgreSQL $major", ({ major, programs }) => {
  let server: TestPostgres;
  let lab: SqlLab;

  beforeAll(async () => {
    server = await startPostgres({}, programs);
    lab = new SqlLab(server.port, await testParser());
    const virtual = major >= 18 ? ", v text GENERATED ALWAYS AS (mail || '!') VIRTUAL" : "";
    await (await lab.client("postgres")).query(`
      CREATE TABLE people (id int, mail text, low text GENERATED ALWAYS AS (lower(mail)) STORED,
        twice int GENERATED ALWAYS AS (id * 2) STORED${virtual});
      INSERT INTO people VALUES (1, 'Canary@x.com')`);
  });

  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  async function shown(rule: Partial<SqlRule>, sql: string) {
    const session = await lab.session("postgres", sqlTask([{ relation: "people", ...rule }]));
    const answer = await session.run(sql);
    session.close();
    expect(JSON.stringify(answer)).not.toMatch(/canary/i);
    return answer;
  }

  test("M8 a rule for every column leaves out those that are generated from a masked one", async () => {
    expect((await shown(mail, "SELECT * FROM people")).rows).toEqual(['["1","C***@x.com","2"]']);
    expect((await shown(mail, "SELECT to_jsonb(p) FROM people p")).rows).toHaveLength(1);
    expect((await shown(mail, "SELECT low FROM people")).error?.code).toBe("42703");
    expect((await shown(mail, "COPY people TO STDOUT")).error).toBeNull();
    expect((await shown({ detect: { mail: ["email"] } }, "SELECT * FROM people")).rows).toHaveLength(1);
  });

  test("M8 a rule that names one is refused, unless it is masked too", async () => {
    const columns = ["id", "low"];
    expect((await shown({ ...mail, columns }, "SELECT * FROM people")).denied).toBe("COLUMN_SHOWS_MASKED");
    const mask = { mail: { kind: "email" }, low: { kind: "constant", value: "hidden" } } as const;
    expect((await shown({ mask, columns }, "SELECT * FROM people")).rows).toEqual(['["1","hidden"]']);
  });
});
