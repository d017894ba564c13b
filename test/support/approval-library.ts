/** The demo's library with tasks that need a person's yes: for the whole grant, for a statement, for both. */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const library = join(import.meta.dirname, "..", "..", "policies", "library");

/** Copies the library into a temporary folder, which the caller removes. */
export function approvalLibrary(): string {
  const folder = mkdtempSync(join(tmpdir(), "wicket-library-"));
  cpSync(library, folder, { recursive: true });
  for (const [name, text] of Object.entries(TASKS))
    writeFileSync(join(folder, "tasks", `${name}.yaml`), text);
  // More people who may decide, and one with the right and nothing else.
  const people = join(folder, "people.yaml");
  const more = `  mia:  { groups: [support-leads, security] }\n  noa:  { groups: [support-leads] }\n`;
  writeFileSync(people, readFileSync(people, "utf8") + more);
  return folder;
}

const base = (task: string): string => `version: 1
task: ${task}
description: A task of the tests.
owner: tests
who: { groups: [support] }
require: { reason: "INC-*" }
params: { customer: integer }
resource: orders-db
recording: { level: full, on_failure: terminate }
`;
const reads = `allow:
  - select:
      public.customers: { columns: [id, email, country], rows: "id = :customer", mask: { email: email } }
      public.orders: { columns: [id, customer_id, total, status], rows: "customer_id = :customer" }
`;
const heldUpdate = `  - update:
      public.orders: { columns: [status], rows: "customer_id = :customer" }
    approval: statement
`;

const TASKS: Record<string, string> = {
  /** The whole grant, by one. */
  granted: `${base("granted")}${reads}session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }
`,
  /** The whole grant by two, and soon or not at all. */
  "two-leads": `${base("two-leads")}${reads}session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 2, expires: 15m }
`,
  hasty: `${base("hasty")}${reads}session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 1, expires: 2s }
`,
  /** A small budget for all sessions of the grant together. */
  thrifty: `${base("thrifty")}${reads}limits: { rows: 100 }
session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }
`,
  /** Writes without asking each time. The table `marks` is the test's own. */
  marks: `${base("marks")}${reads}  - insert:
      public.marks: { columns: [note] }
  - copy:
      public.marks: { columns: [note] }
session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }
`,
  /** Break-glass: without the yes, twice a day, reviewed by mia's group. */
  glass: `${base("glass")}${reads}session: { ttl: 30m, idle: 5m }
approval:
  from: { groups: [support-leads] }
  emergency: { review: { groups: [security] }, quota: 2 }
`,
  /** The whole grant, and each UPDATE. */
  held: `${base("held")}${reads}${heldUpdate}session: { ttl: 30m, idle: 5m }
approval: { from: { groups: [support-leads] }, count: 1, expires: 15m }
`,
};
