/**
 * The database behind `orders-db` in `wicket dev`: an embedded one with sample data and a login that may do just
 * what some task needs, or one that is named with `--postgres`.
 */
import { join } from "node:path";
import pg from "pg";
import type { Bundle } from "../../policies/task.ts";
import { exit, fail } from "../exit.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { SAMPLE_DATA } from "./sample-data.ts";

/** How the connector reaches the database. */
export interface DevDatabase {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
  readonly tls: { readonly mode: "verify-full" | "off"; readonly ca?: string };
  /** What a person should know about it. */
  readonly warnings: readonly string[];
  /** The server of ours; null for one that is elsewhere. */
  readonly server: EmbeddedPostgres | null;
  /** Gives the login what the tasks of these policies need. */
  grant(bundle: Bundle): Promise<string[]>;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly folder: string;
  readonly port: number;
  readonly adminPassword: string;
  readonly loginPassword: string;
}

const LOGIN = "wicket_connector";

/** Starts the embedded server and makes the sample data when it is new. */
export async function embeddedDatabase(options: EmbeddedOptions): Promise<DevDatabase> {
  const { folder, port, adminPassword, loginPassword } = options;
  const server = await startEmbeddedPostgres({ folder: join(folder), port, password: adminPassword });
  const admin = async <T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: adminPassword,
      database,
    });
    client.on("error", () => {});
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  };
  try {
    if (server.fresh) {
      await admin("postgres", async (client) => {
        await client.query("CREATE DATABASE shop");
        await client.query(`CREATE ROLE ${LOGIN} LOGIN PASSWORD '${loginPassword}'`);
      });
      await admin("shop", (client) => client.query(SAMPLE_DATA));
    }
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...{ host: "127.0.0.1", port, database: "shop", user: LOGIN, password: loginPassword },
    ...{ tls: { mode: "off" }, warnings: [], server },
    grant: (bundle) => admin("shop", (client) => grantTasks(client, bundle)),
    stop: () => server.stop(),
  };
}

const PRIVILEGES: Readonly<Record<string, readonly string[]>> = {
  select: ["SELECT"],
  insert: ["SELECT", "INSERT"],
  update: ["SELECT", "UPDATE"],
  delete: ["SELECT", "DELETE"],
  merge: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  truncate: ["TRUNCATE"],
  copy: ["INSERT"],
};

/** Tables that no task names stay closed to the login: a second wall, in the database itself. */
async function grantTasks(client: pg.Client, bundle: Bundle): Promise<string[]> {
  const missing = new Set<string>();
  await client.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${LOGIN}`);
  for (const task of Object.values(bundle.tasks)) {
    if (task.resource !== "orders-db") continue;
    for (const { verb, schema, relation } of task.rules) {
      const name = `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(relation)}`;
      const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
        name,
      ]);
      if (!rows[0]?.there) {
        missing.add(`${schema}.${relation}`);
        continue;
      }
      await client.query(`GRANT USAGE ON SCHEMA ${client.escapeIdentifier(schema)} TO ${LOGIN}`);
      await client.query(`GRANT ${PRIVILEGES[verb]!.join(", ")} ON ${name} TO ${LOGIN}`);
    }
  }
  return [...missing].map((name) => `a task names ${name}, which the sample data does not have`);
}

/** `--postgres URL`. Throws a `CommandError` when it is none. */
export function databaseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url && /^postgres(ql)?:$/.test(url.protocol)) return url;
  throw fail(
    exit.usage,
    "POSTGRES_URL",
    "--postgres is not a URL like postgres://user:password@host:5432/database",
  );
}

/** Reads `--postgres URL` and tries it. */
export async function namedDatabase(text: string): Promise<DevDatabase> {
  const url = databaseUrl(text);
  const user = decodeURIComponent(url.username) || (process.env["USER"] ?? "postgres");
  const host = url.searchParams.get("host") ?? (url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1");
  const local = host.startsWith("/") || /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
  const mode = url.searchParams.get("sslmode") ?? (local ? "disable" : "verify-full");
  if (!["disable", "require", "verify-ca", "verify-full"].includes(mode)) {
    throw fail(
      exit.usage,
      "POSTGRES_URL",
      `sslmode=${mode} would fall back to plain text`,
      "Use verify-full or disable.",
    );
  }
  const ca = url.searchParams.get("sslrootcert");
  const found = {
    ...{
      host,
      port: Number(url.port || 5432),
      user,
      database: decodeURIComponent(url.pathname.slice(1)) || user,
    },
    password: url.password === "" ? null : decodeURIComponent(url.password),
  };
  const off = mode === "disable";
  const client = new pg.Client({
    ...found,
    password: () => found.password ?? "",
    ssl: off ? false : { rejectUnauthorized: true, ...(ca === null ? {} : { ca }) },
    connectionTimeoutMillis: 10_000,
  } as pg.ClientConfig);
  client.on("error", () => {});
  const shown = `postgres://${found.user}@${found.host}:${found.port}/${found.database}`;
  let warnings: string[];
  try {
    await client.connect();
    warnings = await inspect(client);
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    throw fail(
      exit.unreachable,
      "DATABASE_UNREACHABLE",
      `the database ${shown} cannot be opened: ${message || code}`,
    );
  } finally {
    await client.end().catch(() => {});
  }
  return {
    ...found,
    ...{ tls: off ? { mode: "off" } : { mode: "verify-full", ...(ca === null ? {} : { ca }) }, warnings },
    server: null,
    grant: async () => [],
    stop: async () => {},
  };
}

async function inspect(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; superuser: boolean; bypass: boolean }>(
    "SELECT rolname AS name, rolsuper AS superuser, rolbypassrls AS bypass FROM pg_catalog.pg_roles WHERE rolname = current_user",
  );
  const login = rows[0];
  if (!login || !(login.superuser || login.bypass)) return [];
  const what = login.superuser ? "is a superuser" : "passes row security by";
  return [
    `the login ${login.name} ${what}: give the connector a role of its own that may do only what tasks need`,
  ];
}
