/**
 * Makes policies/library/catalogs/orders-db.json from a throw-away server with the demo's tables, so that the demo
 * library can be checked, explained and tested without a database.
 */
import { join } from "node:path";
import pg from "pg";
import { policyCatalog } from "../client/policy/catalog.ts";
import { startPostgres } from "../test/support/postgres.ts";

/** The tables of the demo database. */
const tables = `
CREATE TABLE public.customers (id int PRIMARY KEY, email text, ssn text, phone text, country char(2), balance numeric(12,2));
CREATE TABLE public.orders (id int PRIMARY KEY, customer_id int, total numeric(10,2), status text, created_at timestamptz, note jsonb);
CREATE TABLE public.employees (id int PRIMARY KEY, name text, email text, salary int, hired date);
CREATE TABLE public.secrets (id int PRIMARY KEY, token text);
`;

const server = await startPostgres();
try {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(tables);
  await client.end();
  const policies = join(import.meta.dirname, "..", "policies", "library");
  const io = { out: console.log, err: console.error };
  process.exitCode = await policyCatalog({ policies, resource: "orders-db", postgres: server.url }, io);
} finally {
  await server.stop();
}
