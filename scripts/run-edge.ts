/** Runs the edge in workerd on this machine, with everything that it binds to: for `wicket dev` and for tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { bundleWorker, type WorkerBundle } from "./bundle-worker.ts";

const root = join(import.meta.dirname, "..");

export interface EdgeSettings {
  readonly host: string;
  /** Must be free: the edge's origin is known before it runs. */
  readonly port: number;
  /** How it is reached, when that is another way than host and port. */
  readonly origin?: string;
  /** As the Worker's `ISSUERS`. */
  readonly issuers: readonly object[];
  readonly adminGroups: readonly string[];
  /** Private Ed25519 JWK. */
  readonly signingKey: object;
  readonly demoLogin?: string;
  /** Where the edge is reached by https, and the authority to trust there. */
  readonly https?: { readonly origin: string; readonly authority: string };
  /** Further variables and secrets of the Worker: `WEBHOOKS`, `SLACK`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Compiled policies, JSON text; default `build/policies.json`. */
  readonly policies?: string;
  /** Who cosigns the log, as the Worker's `WITNESSES`. */
  readonly witnesses?: readonly { readonly url: string; readonly key: string }[];
  /** Folder for all state; absent = in memory. */
  readonly state?: string;
  /** Lines of the runtime's own log. */
  readonly log?: (line: string) => void;
}

export interface RunningEdge {
  /** `http://127.0.0.1:8787`. */
  readonly origin: string;
  readonly miniflare: Miniflare;
  /** Runs on with other policies. Sessions end. */
  setPolicies(policies: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the edge and brings its database up to date. */
export async function runEdge(settings: EdgeSettings, bundle?: WorkerBundle): Promise<RunningEdge> {
  const worker = bundle ?? (await bundleWorker());
  const origin = settings.origin ?? `http://${settings.host}:${settings.port}`;
  const options = (policies: string | undefined) => miniflareOptions(settings, worker, origin, policies);
  const miniflare = new Miniflare(options(settings.policies));
  try {
    await miniflare.ready;
    await migrate((await miniflare.getD1Database("DB")) as unknown as D1Database);
  } catch (error) {
    await miniflare.dispose().catch(() => undefined);
    throw error;
  }
  return {
    origin,
    miniflare,
    setPolicies: (policies) => miniflare.setOptions(options(policies)),
    stop: () => miniflare.dispose(),
  };
}

function miniflareOptions(
  settings: EdgeSettings,
  worker: WorkerBundle,
  origin: string,
  policies: string | undefined,
): ConstructorParameters<typeof Miniflare>[0] {
  const { state, demoLogin, https, log } = settings;
  const object = (className: string) => ({ className, useSQLite: true });
  return convertV4MiniflareOptions({
    name: "wicketgate",
    host: settings.host,
    port: settings.port,
    modules: worker.modules(policies),
    compatibilityDate: "2026-11-17",
    compatibilityFlags: ["no_web_socket_compression", "request_signal_passthrough"],
    durableObjects: {
      SESSIONS: object("SessionObject"),
      REQUESTS: object("RequestObject"),
      GRANTS: object("GrantObject"),
      CONNECTORS: object("ConnectorObject"),
      LOG: object("LogObject"),
    },
    r2Buckets: { RECORDINGS: "wicketgate-recordings" },
    d1Databases: { DB: "wicketgate" },
    bindings: {
      EDGE_ORIGIN: origin,
      ISSUERS: JSON.stringify(settings.issuers),
      ADMIN_GROUPS: JSON.stringify(settings.adminGroups),
      SIGNING_KEY: JSON.stringify(settings.signingKey),
      ...(demoLogin === undefined ? {} : { DEMO_LOGIN: demoLogin }),
      ...(settings.witnesses ? { WITNESSES: JSON.stringify(settings.witnesses) } : {}),
      ...(https ? { HTTPS: JSON.stringify(https) } : {}),
      ...settings.variables,
    },
    ...(state === undefined ? {} : { resourcePersistencePath: state }),
    ...(log
      ? {
          handleRuntimeStdio(out: NodeJS.ReadableStream, err: NodeJS.ReadableStream) {
            for (const stream of [out, err]) stream.on("data", (chunk) => log(String(chunk)));
          },
        }
      : {}),
  } as never);
}

/** Applies the migrations that the database has not seen, all or none. Few calls: each is slow from out here. */
async function migrate(db: D1Database, folder = join(root, "migrations")): Promise<void> {
  await db.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT PRIMARY KEY)").run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const done = new Set(results.map((row) => row.name));
  const next = readdirSync(folder)
    .filter((name) => name.endsWith(".sql") && !done.has(name))
    .sort();
  if (next.length === 0) return;
  const texts = next.map((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return `${text}\n;INSERT INTO d1_migrations (name) VALUES ('${name}');\n`;
  });
  await db.batch([db.prepare(texts.join(""))]);
}
