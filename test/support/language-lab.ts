/** A database with a column of every common type, behind the whole system: for programs of other languages. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "./postgres.ts";
import { type LocalPort, type System, startSystem } from "./system.ts";

const root = join(import.meta.dirname, "..", "..");

/** What the masked task hides, as it would look in any byte that leaves. */
export const CANARY = /canary|078-05|700\d\d\.25/;
const LONGEST_CANARY = 16;

export interface LanguageLab {
  readonly system: System;
  /** URL of a copy of the database, without anything before it. */
  readonly direct: string;
  /** URL through a task that hides nothing. */
  readonly open: string;
  /** URL through a task that hides what looks like `CANARY`. */
  readonly masked: string;
  /** True when a byte that came by `masked` looked like it. */
  leaked(): boolean;
  stop(): Promise<void>;
}

const task = (name: string, people: string): string => `version: 1
task: ${name}
description: What drivers of other languages are tried with.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select:
      public.people: { ${people} }
      public.kinds: { columns: "*" }
      public.notes: { columns: "*" }
      public.busy: { columns: "*" }
  - insert: { public.notes: { columns: "*" } }
    update: { public.notes: { columns: "*" } }
    delete: { public.notes: {} }
    copy: { public.notes: { columns: "*" } }
session: { ttl: 1h, idle: 30m, pooled: true }
recording: { level: full, on_failure: terminate }
`;

/** Starts the database and the system before it, with a port for either task. */
export async function startLanguageLab(): Promise<LanguageLab> {
  const policies = mkdtempSync(join(tmpdir(), "wicket-languages-"));
  const postgres = await startPostgres();
  const admin = new pg.Client(postgres.url);
  await admin.connect();
  await admin.query(readFileSync(join(root, "test", "languages", "schema.sql"), "utf8"));
  await admin.end();
  // A copy has the same object ids, so both can be used at the same time and compared.
  const maker = new pg.Client(postgres.url.replace(/postgres$/, "template1"));
  await maker.connect();
  await maker.query("CREATE DATABASE copy TEMPLATE postgres");
  await maker.end();
  for (const part of ["people.yaml", "resources.yaml"])
    cpSync(join(root, "policies", "library", part), join(policies, part));
  const tasks = join(policies, "tasks");
  cpSync(join(root, "policies", "library", "tasks"), tasks, { recursive: true });
  const masks = "mask: { email: email, ssn: { constant: XXX-XX-XXXX } }";
  writeFileSync(join(tasks, "open.yaml"), task("open", 'columns: "*"'));
  writeFileSync(
    join(tasks, "masked.yaml"),
    task("masked", `columns: [id, name, email, ssn, joined], ${masks}`),
  );
  const system = await startSystem({ policies, postgres: postgres.url });
  const open = await system.proxy(["orders-db", "--task", "open"]);
  const masked = await system.proxy(["orders-db", "--task", "masked"]);
  const tap = await startTap(masked);
  return {
    system,
    direct: postgres.url.replace(/postgres$/, "copy"),
    open: open.url,
    masked: masked.url.replace(`:${masked.port}/`, `:${tap.port}/`),
    leaked: tap.leaked,
    async stop() {
      tap.server.close();
      await system.stop();
      await postgres.stop();
      rmSync(policies, { recursive: true, force: true });
    },
  };
}

/** A port before another one that looks at every byte that comes back. */
async function startTap(to: LocalPort): Promise<{ server: Server; port: number; leaked(): boolean }> {
  let leaked = false;
  const server = createServer((client: Socket) => {
    const target = connect(to.port, to.host);
    let tail = "";
    target.on("data", (bytes) => {
      const text = tail + bytes.toString("latin1");
      leaked ||= CANARY.test(text);
      tail = text.slice(-LONGEST_CANARY);
    });
    client.pipe(target).pipe(client);
    const end = () => {
      client.destroy();
      target.destroy();
    };
    client.on("error", end);
    target.on("error", end);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { server, port, leaked: () => leaked };
}
