/**
 * What the parts measure on: one PostgreSQL, and the ways to it, each with its hops in processes of their own. Each
 * is started when a part first asks for it, and stopped at the end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type System, startSystem } from "../support/system.ts";
import { type Address, BenchClient } from "./client.ts";

/** The tasks `plain` and `masked`. */
export const LIBRARY = join(import.meta.dirname, "library");
/** Rows of the table `accounts`. */
export const ROWS = 1_000_000;
/** All of a row. */
export const COLUMNS = "id, email, ssn, country, balance, note";

/** Things to be stopped, last first, whatever happens. */
export class Stops {
  readonly #stops: (() => unknown)[] = [];

  add(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  async run(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        console.error(`not stopped cleanly: ${String(error)}`);
      }
    }
  }
}

export class Lab {
  readonly stops: Stops;
  readonly #started = new Map<string, Promise<unknown>>();

  constructor(stops: Stops) {
    this.stops = stops;
  }

  #once<T>(name: string, start: () => Promise<T>): Promise<T> {
    let started = this.#started.get(name) as Promise<T> | undefined;
    if (!started) {
      started = start();
      this.#started.set(name, started);
    }
    return started;
  }

  /** A server with a table of a million rows, and a login `bench` that may read it. */
  database(): Promise<TestPostgres> {
    return this.#once("database", async () => {
      const server = await startPostgres({ max_connections: "500", max_wal_size: "4GB" });
      this.stops.add(() => server.stop());
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(`
        CREATE TABLE accounts (id int PRIMARY KEY, email text, ssn text, country text, balance int, note text);
        INSERT INTO accounts SELECT i, 'user' || i || '@example.com', lpad(i::text, 9, '0'), 'C' || i % 50, i % 1000,
          'a note on account ' || i FROM generate_series(1, ${ROWS}) i;
        CREATE ROLE bench LOGIN;
        GRANT SELECT ON accounts TO bench;`);
      await client.query("VACUUM ANALYZE accounts");
      await client.end();
      return server;
    });
  }

  /** The server without anything between. */
  async direct(): Promise<Address> {
    return { port: (await this.database()).port, user: "bench", database: "postgres" };
  }

  /** The bare relay: the product's hops, with a plain pipe in each (test/bench/relay). */
  relay(): Promise<Address> {
    return this.#once("relay", async () => {
      const { port } = await this.database();
      const edge = await this.program("relay/edge.ts");
      await this.program("relay/connector.ts", edge.line, String(port));
      const bridge = await this.program("relay/bridge.ts", edge.line);
      return { port: Number(bridge.line), user: "bench", database: "postgres" };
    });
  }

  /** The product as `wicket dev` starts it, in front of this database. */
  system(): Promise<System> {
    return this.#once("system", async () => {
      const { url } = await this.database();
      const system = await startSystem({
        policies: LIBRARY,
        postgres: url.replace("postgres@", "bench@"),
      });
      this.stops.add(() => system.stop());
      return system;
    });
  }

  /** A task of the product through `wicket proxy`: `plain`, or `masked`. */
  task(task: "plain" | "masked"): Promise<Address> {
    return this.#once(`task ${task}`, async () => {
      const system = await this.system();
      const { port, password } = await system.proxy(["orders-db", "--task", task], { as: "ben" });
      return { port, user: "wicket", database: "orders-db", password };
    });
  }

  /** Starts a program of this folder and waits for its first line. */
  async program(script: string, ...args: string[]): Promise<{ line: string; child: ChildProcess }> {
    const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    this.stops.add(() => {
      child.kill("SIGTERM");
      return ended;
    });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said = (said + String(chunk)).slice(-4096);
    });
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("exit", (code) => reject(new Error(`${script} ended (${code}): ${said}`)));
    });
    return { line, child };
  }
}

/** `count` open connections each, closed by the returned function. */
export async function openClients<Way extends string>(
  addresses: Readonly<Record<Way, Address>>,
  count: number,
): Promise<{ clients: Record<Way, BenchClient[]>; close(): void }> {
  const clients = {} as Record<Way, BenchClient[]>;
  for (const way of Object.keys(addresses) as Way[]) {
    clients[way] = await Promise.all(Array.from({ length: count }, () => BenchClient.open(addresses[way])));
  }
  return {
    clients,
    close() {
      for (const way of Object.keys(clients) as Way[]) for (const client of clients[way]) client.close();
    },
  };
}

/** Ids of rows, spread over the table. */
export const rowId = (n: number): string => String(1 + ((n * 7919) % ROWS));
