/**
 * Object mappers through the whole system, as they are: Prisma, TypeORM, Sequelize and Knex. They are no dependencies of
 * this project, so they are installed in a folder of their own, from a lockfile of their own, without running a script.
 * Prisma's command would fetch an engine that `generate` does not use; it is told of another program in its place.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { finished, type LocalPort, type System, startSystem } from "./support/system.ts";

const root = join(import.meta.dirname, "..");

/** The folder with the mappers installed; null when the registry cannot be reached. */
function installed(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "wicket-orms-"));
  cpSync(join(import.meta.dirname, "orms"), folder, { recursive: true });
  if (existsSync(join(root, ".npmrc"))) cpSync(join(root, ".npmrc"), join(folder, ".npmrc"));
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (npm.status === 0) return folder;
  console.warn(`the object mappers cannot be installed here, and are not tried: ${npm.stderr?.slice(-300)}`);
  rmSync(folder, { recursive: true, force: true });
  return null;
}

const mappers = installed();
const policies = mkdtempSync(join(tmpdir(), "wicket-orms-policies-"));
let system: System;
let proxy: LocalPort;

beforeAll(async () => {
  if (mappers === null) return;
  cpSync(join(root, "policies", "library"), policies, { recursive: true });
  writeFileSync(
    join(policies, "tasks", "wide.yaml"),
    `version: 1
task: wide
description: Reads and changes what tests need.
owner: tests
who: { groups: [support] }
resource: orders-db
allow:
  - select:
      public.customers: { columns: [id, email, ssn, country], mask: { email: email, ssn: { constant: XXX-XX-XXXX } } }
      public.orders: { columns: "*" }
  - update:
      public.orders: { columns: [id, status] }
session: { ttl: 1h, idle: 30m }
recording: { level: full, on_failure: terminate }
`,
  );
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };
  const cli = join(mappers, "node_modules", "prisma", "build", "index.js");
  const made = spawnSync(process.execPath, [cli, "generate"], { cwd: mappers, env, encoding: "utf8" });
  expect([made.status, made.stderr]).toEqual([0, expect.any(String)]);
  system = await startSystem({ policies });
  proxy = await system.proxy(["orders-db", "--task", "wide"]);
}, 240_000);

afterAll(async () => {
  if (system) expect(await system.stop()).toBe(0);
  for (const folder of [mappers, policies]) if (folder) rmSync(folder, { recursive: true, force: true });
});

/** What each makes of a key that is there already: its own kind of error, and the field. */
const TWICE: Readonly<Record<string, unknown>> = {
  prisma: ["P2002", expect.stringContaining('"fields":["id"]')],
  typeorm: ["23505", "orders_pkey"],
  sequelize: ["SequelizeUniqueConstraintError", '[{"id":"hidden"},"orders_pkey"]'],
  knex: ["23505", "orders_pkey"],
};

describe.skipIf(mappers === null)("object mappers", () => {
  test.each(["prisma", "typeorm", "sequelize", "knex"])("%s", async (name) => {
    const args = ["--no-warnings", join(mappers!, `${name}.ts`), proxy.url];
    const out = await finished(spawn(process.execPath, args, { cwd: mappers! }));
    expect([out.code, out.stderr]).toEqual([0, ""]);
    const found = JSON.parse(out.stdout.trim().split("\n").at(-1)!);
    expect(found).toMatchObject({
      read: [{ id: 7, email: expect.stringMatching(/^.\*\*\*@example\.com$/), ssn: "XXX-XX-XXXX" }],
      raw: [{ ssn: "XXX-XX-XXXX" }],
      counted: 4,
      grouped: 7,
      updated: "held",
      denied: "42501",
      deleted: "42501",
    });
    expect(found.read[0].orders).toHaveLength(4);
    expect(found.after).not.toBe("held");
    expect(found.twice).toEqual(TWICE[name]);
  });
});
