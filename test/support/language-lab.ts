/** A database with a column of every common type, behind the whole system: for programs of other languages. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "./postgres.ts";
import { type LocalPort, type System, startSystem } from "./system.ts";

const root = join(import.meta.dirname, "..", "..");

export interface LanguageLab {
  readonly system: System;
  /** The database itself, as the login that the connector has. */
  readonly direct: string;
  /** Through a task that hides nothing and may write notes and kinds. */
  readonly open: LocalPort;
  /** Through a task that hides what looks like `CANARY`. */
  readonly masked: LocalPort;
  stop(): Promise<void>;
}

/** What the masked task hides, as it would look in any byte that leaves. */
export const CANARY = /canary|078-05|700\d\d\.25/;

const head = (name: string): string => `version: 1
task: ${name}
description: What drivers of other languages are tried with.
owner: tests
who: { groups: [support] }
resource: orders-db
`;
const tail = `session: { ttl: 1h, idle: 30m }
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
  cpSync(join(root, "policies", "library"), policies, { recursive: true });
  rmSync(join(policies, "tasks"), { recursive: true });
  cpSync(join(root, "policies", "library", "tasks", "order-lookup.yaml"), join(policies, "tasks", "x.yaml"));
  rmSync(join(policies, "tasks", "x.yaml"));
  writeFileSync(
    join(policies, "tasks", "open.yaml"),
    `${head("open")}allow:
  - select:
      public.people: { columns: "*" }
      public.kinds: { columns: "*" }
      public.notes: { columns: "*" }
      public.busy: { columns: "*" }
  - insert: { public.notes: { columns: "*" }, public.kinds: { columns: "*" } }
    update: { public.notes: { columns: "*" }, public.kinds: { columns: "*" } }
    delete: { public.notes: {}, public.kinds: {} }
    copy: { public.notes: { columns: "*" } }
${tail}`,
  );
  writeFileSync(
    join(policies, "tasks", "masked.yaml"),
    `${head("masked")}allow:
  - select:
      public.people: { columns: [id, name, email, ssn, joined], mask: { email: email, ssn: { constant: XXX-XX-XXXX } } }
      public.kinds: { columns: "*" }
      public.notes: { columns: "*" }
      public.busy: { columns: "*" }
  - insert: { public.notes: { columns: "*" }, public.kinds: { columns: "*" } }
    update: { public.notes: { columns: "*" }, public.kinds: { columns: "*" } }
    delete: { public.notes: {}, public.kinds: {} }
    copy: { public.notes: { columns: "*" } }
${tail}`,
  );
  const system = await startSystem({ policies, postgres: postgres.url });
  return {
    ...{ system, direct: postgres.url },
    open: await system.proxy(["orders-db", "--task", "open"]),
    masked: await system.proxy(["orders-db", "--task", "masked"]),
    async stop() {
      await system.stop();
      await postgres.stop();
      rmSync(policies, { recursive: true, force: true });
    },
  };
}
