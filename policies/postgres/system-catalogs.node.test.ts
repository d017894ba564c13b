import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab, type TaskSession } from "../../test/support/sql-lab.ts";

const SCHEMA = `
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT 'canary'::text $$;
CREATE FUNCTION public.g() RETURNS text LANGUAGE sql RETURN 'canary'::text;
CREATE TABLE public.t (a int);
INSERT INTO public.t VALUES (1);
ALTER TABLE public.t ADD b text DEFAULT 'canary' NOT NULL;
ALTER TABLE public.t ALTER b DROP DEFAULT;
ALTER ROLE postgres SET "app.key" = 'canary';`;

describe("catalogs that are shown in part, on a real server", () => {
  let server: TestPostgres;
  let lab: SqlLab;
  let session: TaskSession;

  beforeAll(async () => {
    server = await startPostgres();
    lab = new SqlLab(server.port, await testParser());
    await (await lab.client("postgres")).query(SCHEMA);
    session = await lab.session("postgres", sqlTask([]));
  }, 120_000);

  afterAll(async () => {
    session?.close();
    await lab?.close();
    await server?.stop();
  });

  async function rows(sql: string): Promise<unknown[]> {
    const shown = await session.run(sql);
    expect(shown.error).toBeNull();
    expect(JSON.stringify(shown)).not.toContain("canary");
    return shown.rows.map((row) => JSON.parse(row));
  }

  test("P17 no sources of functions", async () => {
    const hidden = "prosrc <> '' OR probin IS NOT NULL OR prosqlbody IS NOT NULL";
    expect(await rows(`SELECT count(*) FROM pg_proc WHERE ${hidden}`)).toEqual([["0"]]);
    expect(await rows("SELECT count(*) > 2000 FROM pg_catalog.pg_proc")).toEqual([["t"]]);
    const routine = "SELECT routine_definition FROM information_schema.routines WHERE routine_name = 'f'";
    expect(await rows(routine)).toEqual([[null]]);
    await rows("SELECT * FROM pg_proc p WHERE p.proname IN ('f', 'g')");
  });

  test("P17 no values of columns, no settings of roles", async () => {
    expect(await rows("SELECT count(*) FROM pg_attribute WHERE attmissingval IS NOT NULL")).toEqual([["0"]]);
    expect(await rows("SELECT count(rolconfig) FROM pg_roles")).toEqual([["0"]]);
    expect(await rows("SELECT count(useconfig) FROM pg_user")).toEqual([["0"]]);
  });

  test("P17 of other sessions nothing, of this one no text", async () => {
    const own = "SELECT pid = pg_backend_pid(), query, client_addr FROM pg_stat_activity";
    expect(await rows(own)).toEqual([["t", "", null]]);
    expect(await rows("SELECT count(*) FROM pg_stat_ssl")).toEqual([["1"]]);
  });

  test("P17 settings by name, without paths, commands and keys", async () => {
    const secret = "name ~ 'director|command|_file|conninfo|wicket|preload'";
    expect(await rows(`SELECT count(*) FROM pg_settings WHERE ${secret}`)).toEqual([["0"]]);
    expect(await rows("SELECT setting FROM pg_settings WHERE name = 'max_index_keys'")).toEqual([["32"]]);
    const all =
      "SELECT s.name FROM pg_show_all_settings() AS s WHERE s.name IN ('TimeZone', 'data_directory')";
    expect(await rows(all)).toEqual([["TimeZone"]]);
    const shown = await session.run("SHOW ALL");
    const admin = await lab.client("postgres");
    const direct = await admin.query({ text: "SHOW ALL", rowMode: "array" });
    expect([shown.columns[0], shown.tags]).toEqual([["name:25", "setting:25", "description:25"], ["SHOW"]]);
    const settings = shown.rows.map((row) => JSON.parse(row) as string[]);
    const names = new Set(settings.map(([name]) => name));
    const readable = direct.rows.filter(([name]) => names.has(name));
    const pinned = /^(application_name|search_path|(default_)?transaction_read_only|.*_timeout)$/;
    const told = (list: string[][]) =>
      list.map(([name, ...rest]) => (pinned.test(name!) ? name : [name, ...rest]));
    expect(settings.length).toBeGreaterThan(60);
    expect(told(settings)).toEqual(told(readable));
    expect(settings.filter(([name]) => /director|command|_file|conninfo|wicket|preload/.test(name!))).toEqual(
      [],
    );
  });
});
