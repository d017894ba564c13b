/**
 * `wicket dev`: the whole system on this machine. Each part is the real one: the edge in workerd, an OpenID
 * provider, a connector process that was enrolled with a code, PostgreSQL. Everything it makes lies in the state
 * folder; when it ends, nothing is left running.
 */
import { existsSync, type FSWatcher, readFileSync, watch } from "node:fs";
import { basename, join } from "node:path";
import type { Library, Person } from "../../policies/compile.ts";
import { hasError, problemText } from "../../policies/problem.ts";
import { prepareParser } from "../../scripts/prepare-parser.ts";
import { type RunningEdge, runEdge } from "../../scripts/run-edge.ts";
import { formatVerifierKey, publicKeyFromJwk } from "../../wire/log/note.ts";
import { connectorVerifier } from "../../wire/log/statement.ts";
import { call, DEV_EDGE } from "../edge.ts";
import { CommandError, exit, fail } from "../exit.ts";
import { openLibrary } from "../policy/library.ts";
import { checkRowsWith, loadParser } from "../policy/parser.ts";
import {
  type ConnectorProcess,
  type ConnectorSettings,
  startConnector,
  writeConnectorConfig,
} from "./connector-process.ts";
import { type DevDatabase, databaseUrl, embeddedDatabase, namedDatabase } from "./database.ts";
import { freePort, portIsFree } from "./ports.ts";
import { type DevProvider, startProvider } from "./provider.ts";
import { openSecureDoor, type SecureDoor } from "./secure-door.ts";
import { type DevSecrets, type DevState, openSecrets, openState } from "./state.ts";
import { assignTargets, databaseTarget, namedTarget } from "./targets.ts";

/** The resource that `--postgres` is behind. */
const RESOURCE = "orders-db";
const ADMIN_GROUP = "admins";
/** Administers the demo; not one of the people. */
const OPERATOR: Person = { name: "operator", groups: [ADMIN_GROUP], claims: {}, issuer: null };

export interface DevOptions {
  /** Folder of the task library. */
  readonly policies: string;
  /** URL of the database behind `orders-db`; absent = the embedded one. */
  readonly postgres?: string;
  /** What stands behind other resources: a URL, a kubeconfig or a file, by the resource's name. */
  readonly target?: Readonly<Record<string, string>>;
  /** File of an auditor's public key (JWK). */
  readonly auditor?: string;
  /** 0 = any. */
  readonly port: number;
  readonly state?: string;
}

/** What is told while it runs; the shape of `--json`. */
export type DevEvent =
  | { readonly status: "starting"; readonly part: string }
  | {
      readonly status: "ready";
      readonly edge: string;
      /** The edge by https with an authority of its own; where the policies have clusters or HTTP APIs. */
      readonly https?: { readonly origin: string; readonly authority: string };
      readonly issuer: string;
      readonly resources: readonly string[];
      /** Name → id token. */
      readonly people: Readonly<Record<string, string>>;
      /** For `wicket recording verify --key`: the log's and the connector's. */
      readonly keys: readonly string[];
      /** An administrator's id token. */
      readonly operator: string;
      readonly state: string;
      readonly pid: number;
    }
  | { readonly status: "warning"; readonly message: string }
  | { readonly status: "policies"; readonly digest: string }
  | { readonly status: "log"; readonly part: string; readonly message: string };

export interface DevSystem {
  readonly ready: Extract<DevEvent, { status: "ready" }>;
  /** Rejects when a part ends by itself. */
  readonly broken: Promise<never>;
  stop(): Promise<void>;
}

type Tell = (event: DevEvent) => void;

/** Starts everything. Throws a `CommandError` with one clear sentence when a part does not start. */
export async function startDev(options: DevOptions, tell: Tell): Promise<DevSystem> {
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await Promise.resolve(one()).catch(() => {});
  };
  try {
    return await assemble(options, tell, stops, stop);
  } catch (error) {
    await stop();
    if (error instanceof CommandError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw fail(exit.failure, "START_FAILED", message);
  }
}

async function assemble(
  options: DevOptions,
  tell: Tell,
  stops: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<DevSystem> {
  if (options.postgres !== undefined) databaseUrl(options.postgres);
  const library = await compile(options.policies, tell);
  const port = await takePort(options.port);
  const edgeOrigin = `http://127.0.0.1:${port}`;
  const state = openState(options.state);
  stops.push(() => state.close());
  const secrets = await openSecrets(state, () => freePort(port + 1));
  let fell: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fell = reject;
  });
  broken.catch(() => {});

  const people = new Map<string, Person>([[OPERATOR.name, OPERATOR], ...Object.entries(library.people)]);
  const provider = await startPart(tell, "identity provider", () =>
    openProvider(secrets, edgeOrigin, people),
  );
  stops.push(() => provider.stop());
  const named = Object.fromEntries(
    Object.entries(options.target ?? {}).map(([name, where]) => [name, namedTarget(name, where)]),
  );
  const secure = Object.values(library.bundle.resources).some(({ type }) => type !== "postgres")
    ? await openSecureDoor(state, port)
    : null;
  if (secure) stops.push(() => secure.stop());
  const [database, edge] = await together(
    startPart(tell, "database", () => openDatabase(options, state, secrets)),
    startPart(tell, "edge", () => openEdge(provider, state, secrets, port, library, secure, tell)),
    stops,
  );
  for (const message of [...database.warnings, ...(await database.grant(library.bundle))]) {
    tell({ status: "warning", message });
  }
  if (database.server) {
    database.server.onExit = (log) => fell(new Error(`PostgreSQL ended by itself: ${log}`));
  }
  const operator = { origin: edgeOrigin, token: await provider.token(OPERATOR) };
  const { bundle } = library;
  const own = Object.hasOwn(bundle.resources, RESOURCE) ? { [RESOURCE]: databaseTarget(database) } : {};
  const { targets, missing } = assignTargets(bundle, { ...own, ...named });
  for (const other of missing) {
    tell({ status: "warning", message: `${other} has no target here; give one: --target ${other}=WHERE` });
  }
  if (targets.size === 0) {
    tell({
      status: "warning",
      message: "no resource of the policies has a target: there is nothing to connect to",
    });
  }
  const sealing = options.auditor === undefined ? {} : { auditor: options.auditor };
  for (const [name, resources] of targets) {
    const connector = await startPart(tell, "connector", () =>
      openConnector(operator, state, { name, resources, password: database.password, ...sealing }, tell),
    );
    stops.push(() => connector.stop());
    connector.onExit = (error) => fell(new Error(`the connector ended by itself: ${error}`));
  }
  stops.push(watchPolicies(options.policies, library, edge, database, operator, tell));
  const tokens = await Promise.all(
    Object.values(library.people).map(async (person) => [person.name, await provider.token(person)] as const),
  );
  return {
    ready: {
      ...{ status: "ready", edge: edgeOrigin, issuer: provider.issuer },
      ...(secure ? { https: { origin: secure.origin, authority: secure.authority } } : {}),
      resources: Object.keys(library.bundle.resources),
      people: Object.fromEntries(tokens),
      keys: await readKeys(edgeOrigin, [...targets.keys()], state),
      ...{ operator: operator.token, state: state.folder, pid: process.pid },
    },
    broken,
    stop,
  };
}

interface Stoppable {
  stop(): Promise<void>;
}

/** Two parts that start at the same time; each is stopped at the end, whichever of them fails. */
async function together<A extends Stoppable, B extends Stoppable>(
  a: Promise<A>,
  b: Promise<B>,
  stops: (() => Promise<void> | void)[],
): Promise<[A, B]> {
  for (const one of await Promise.allSettled([a, b])) {
    if (one.status === "fulfilled") stops.push(() => one.value.stop());
  }
  return Promise.all([a, b]);
}

async function startPart<T>(tell: Tell, part: string, start: () => Promise<T>): Promise<T> {
  tell({ status: "starting", part });
  try {
    return await start();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw fail(exit.failure, "START_FAILED", `the ${part} did not start: ${message.split("\n")[0]}`);
  }
}

async function takePort(port: number): Promise<number> {
  if (port === 0) return freePort();
  if (await portIsFree(port)) return port;
  throw fail(
    exit.failure,
    "PORT_IN_USE",
    `port ${port} is in use`,
    "Stop what listens there, or take another: --port 0",
  );
}

/** The library with its people; a `CommandError` after its mistakes were told. */
async function compile(folder: string, tell: Tell): Promise<Library> {
  if (!existsSync(folder)) throw fail(exit.usage, "POLICIES_UNREADABLE", `there is no folder ${folder}`);
  const parser = await loadParser(prepareParser());
  let compiled: ReturnType<typeof openLibrary>;
  try {
    compiled = openLibrary(folder, { checkRows: checkRowsWith(parser) });
  } catch (error) {
    throw fail(
      exit.usage,
      "POLICIES_UNREADABLE",
      `the policies in ${folder} cannot be read: ${String(error)}`,
    );
  }
  for (const problem of compiled.problems) tell({ status: "warning", message: problemText(problem) });
  if (!compiled.ok || hasError(compiled.problems)) {
    throw fail(
      exit.usage,
      "POLICIES_INVALID",
      `the policies in ${folder} have mistakes`,
      "They are listed above.",
    );
  }
  return compiled.library;
}

function openProvider(
  secrets: DevSecrets,
  edge: string,
  people: ReadonlyMap<string, Person>,
): Promise<DevProvider> {
  const { issuerPort: port, providerKey: key, cookieSecret } = secrets;
  return startProvider({ port, key, cookieSecret, edge, people }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw fail(
      exit.failure,
      "PORT_IN_USE",
      `port ${port}, which the identity provider had before, is in use`,
    );
  });
}

async function openDatabase(options: DevOptions, state: DevState, secrets: DevSecrets): Promise<DevDatabase> {
  if (options.postgres !== undefined) return namedDatabase(options.postgres);
  const { adminPassword, loginPassword } = secrets;
  return embeddedDatabase({
    folder: state.path("postgres"),
    port: await freePort(),
    adminPassword,
    loginPassword,
  });
}

function openEdge(
  provider: DevProvider,
  state: DevState,
  secrets: DevSecrets,
  port: number,
  library: Library,
  secure: SecureDoor | null,
  tell: Tell,
): Promise<RunningEdge> {
  return withoutSignals(() =>
    runEdge({
      ...{ host: "127.0.0.1", port, issuers: [provider.config], adminGroups: [ADMIN_GROUP] },
      ...{ signingKey: secrets.signingKey, demoLogin: provider.demoLogin, state: state.path("edge") },
      ...(secure ? { https: { origin: secure.origin, authority: secure.authority } } : {}),
      policies: JSON.stringify(library.bundle),
      // A machine that is busy with other things is waited for.
      variables: { DIAL_SECONDS: "60" },
      log: (line) => tell({ status: "log", part: "edge", message: line.trimEnd() }),
    }),
  );
}

/** Miniflare ends the process itself at a signal, in the middle of our own stopping: its listeners are taken out. */
async function withoutSignals<T>(work: () => Promise<T>): Promise<T> {
  const takeOut = (event: string | symbol, listener: (...args: unknown[]) => void): void => {
    if (event === "SIGINT" || event === "SIGTERM" || event === "SIGHUP") {
      queueMicrotask(() => process.off(event, listener));
    }
  };
  process.on("newListener", takeOut);
  try {
    return await work();
  } finally {
    process.off("newListener", takeOut);
  }
}

interface Operator {
  readonly origin: string;
  readonly token: string;
}

const asEdge = ({ origin, token }: Operator) => ({ origin, token: () => token });

async function openConnector(
  operator: Operator,
  state: DevState,
  serves: Pick<ConnectorSettings, "name" | "resources" | "password" | "auditor">,
  tell: Tell,
): Promise<ConnectorProcess> {
  const { name } = serves;
  const folder = state.path(`connector-${name}`);
  const config = writeConnectorConfig({ ...serves, folder, edge: operator.origin });
  const listed = await call<{ connectors: { name: string; enrolled: object | null }[] }>(
    asEdge(operator),
    "/api/connectors",
  );
  const enrolled = listed.connectors.find((one) => one.name === name)?.enrolled ?? null;
  const asked = await call<{ code: string }>(asEdge(operator), `/api/connectors/${name}/enrolment`, {
    ...{ method: "POST", body: { replace: enrolled !== null } },
  });
  return startConnector(config, asked.code, (line) => {
    if (line.level !== "warn" && line.level !== "error") return;
    const { level: _level, time: _time, event, ...facts } = line;
    tell({ status: "log", part: "connector", message: `${event} ${JSON.stringify(facts)}` });
  });
}

/** The public keys that recordings of this system are verified with: the log's and the connectors'. */
async function readKeys(edge: string, connectors: readonly string[], state: DevState): Promise<string[]> {
  const keys = [(await (await fetch(`${edge}/log/key`)).text()).trim()];
  for (const name of connectors) {
    const path = join(state.path(`connector-${name}`), "state", "key.json");
    const jwk = JSON.parse(readFileSync(path, "utf8")) as { x?: string };
    const publicKey = publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x: jwk.x! });
    const verifier = publicKey && connectorVerifier(name, publicKey);
    if (verifier) keys.push(formatVerifierKey(verifier));
  }
  return keys;
}

/** Compiles the library again when a file of it changes, and swaps it; a library with mistakes is not taken. */
function watchPolicies(
  folder: string,
  library: Library,
  edge: RunningEdge,
  database: DevDatabase,
  operator: Operator,
  tell: Tell,
): () => void {
  let digest = library.bundle.digest;
  let timer: NodeJS.Timeout | null = null;
  let swapping = Promise.resolve();
  const swap = async (): Promise<void> => {
    const next = await compile(folder, tell).catch((error: Error) => {
      tell({ status: "warning", message: `${error.message}: the policies from before stay in force` });
      return null;
    });
    if (!next || next.bundle.digest === digest) return;
    digest = next.bundle.digest;
    for (const message of await database.grant(next.bundle)) tell({ status: "warning", message });
    await edge.setPolicies(JSON.stringify(next.bundle));
    await call(asEdge(operator), "/api/policies/sweep", { method: "POST", body: {} }).catch(() => {});
    tell({ status: "policies", digest });
  };
  let watcher: FSWatcher;
  try {
    watcher = watch(folder, { recursive: true }, (_event, name) => {
      if (name !== null && !/\.ya?ml$/.test(basename(name))) return;
      if (timer) clearTimeout(timer);
      timer = setTimeout(() => {
        swapping = swapping.then(swap).catch((error: unknown) => {
          tell({
            status: "warning",
            message: `the policies could not be swapped: ${String(error)}; start again`,
          });
        });
      }, 300);
    });
  } catch {
    return () => {};
  }
  return () => {
    if (timer) clearTimeout(timer);
    watcher.close();
  };
}

/** `--edge …` for printed commands; empty where it is the default. */
export function edgeFlag(edge: string): string {
  return edge === DEV_EDGE ? "" : ` --edge ${edge}`;
}
