/** The parts that chaos breaks: PostgreSQL stays, the edge, the connector and the network between them do not. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import pg from "pg";
import { writeConnectorConfig } from "../../client/dev/connector-process.ts";
import { freePort } from "../../client/dev/ports.ts";
import { digestOf } from "../../policies/canonical.ts";
import type { Task } from "../../policies/task.ts";
import { buildPolicies } from "../../scripts/build-policies.ts";
import type { EdgeSettings } from "../../scripts/run-edge.ts";
import { formatVerifierKey } from "../../wire/log/note.ts";
import { connectorVerifier } from "../../wire/log/statement.ts";
import { LIBRARY_TABLES } from "../support/library-tables.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import type { StoreState } from "./store-faults.ts";

const CONNECTOR = join(import.meta.dirname, "../../tunnel-connector/main.ts");
const DISK_FAULTS = join(import.meta.dirname, "disk-faults.ts");
const EDGE = join(import.meta.dirname, "edge-process.ts");

/** What a record has to survive before its statement goes on. */
export type Durability = Task["recording"]["durability"];

/** Everything that runs, with what is needed to break it and mend it. */
export interface Parts {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** PostgreSQL's own log: a line a statement, after the application's name and a tabulator. */
  readonly statements: string;
  token(person: string): Promise<string>;
  /** The key that the connector's statements verify with, as a vkey. */
  connectorKey(): string;
  killEdge(): Promise<void>;
  startEdge(): Promise<void>;
  killConnector(): Promise<void>;
  startConnector(): Promise<void>;
  /** Stops the connector's process for a while, as a host that is out of breath does. */
  pauseConnector(ms: number): Promise<void>;
  /** Between connector and edge: `false` breaks all connections and refuses new ones. */
  network(up: boolean): void;
  /** How the edge's R2 behaves from now on; requests that failed so far. Every edge begins with one that is fine. */
  store(state: StoreState): Promise<number>;
  /** The connector's disk, and what is added to its clock, milliseconds. `{}` = both are right. */
  host(faults: { readonly disk?: "slow" | "full"; readonly clock?: number }): void;
  stop(): Promise<void>;
}

/** Starts all parts, whole. */
export async function startParts(durability: Durability = "batched"): Promise<Parts> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-chaos-"));
  const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    return await assemble(folder, stops, stop, durability);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function assemble(
  folder: string,
  stops: (() => unknown)[],
  stop: () => Promise<void>,
  durability: Durability,
): Promise<Parts> {
  const statements = join(folder, "statements");
  // All that does not need each other, at the same time.
  const starting = [database(statements), startProvider(), policies(durability), freePort()] as const;
  const [server, provider, bundle, port] = await Promise.all(starting).catch(async (error: unknown) => {
    await starting[0].then((one) => one.stop()).catch(() => undefined);
    throw error;
  });
  stops.push(() => server.stop());
  stops.push(
    () => provider.server.closeAllConnections(),
    () => provider.server.close(),
  );
  const cable = await startCable(port);
  stops.push(() => cable.stop());
  const signing = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const settings: EdgeSettings = {
    ...{ host: "127.0.0.1", port, origin: cable.origin, state: join(folder, "edge") },
    issuers: [
      {
        issuer: provider.issuer,
        audiences: ["wicketgate"],
        algorithms: ["ES256"],
        jwksUri: `${provider.issuer}/keys`,
      },
    ],
    adminGroups: ["admins"],
    signingKey: await exportJWK(signing.privateKey),
    policies: JSON.stringify(bundle),
  };
  let edge: ChildProcess | null = null;
  let connector: ChildProcess | null = null;
  const config = writeConnectorConfig({
    ...{ folder: join(folder, "connector"), name: "demo", edge: cable.origin, password: null },
    resources: {
      "orders-db": {
        ...{
          type: "postgres",
          host: "127.0.0.1",
          port: server.port,
          database: "postgres",
          user: "connector",
        },
        tls: { mode: "off" },
      },
    },
  });
  const faults = join(folder, "faults.json");
  writeFileSync(faults, "{}");
  const connectorLog = process.env["CHAOS_LOG"] ?? join(folder, "connector.log");
  let code: string | null = null;
  const parts: Parts = {
    ...{ origin: `http://127.0.0.1:${port}`, statements, token: provider.token, stop },
    connectorKey() {
      const key = JSON.parse(readFileSync(join(folder, "connector", "state", "key.json"), "utf8")) as {
        readonly x: string;
      };
      return formatVerifierKey(connectorVerifier("demo", Buffer.from(key.x, "base64url"))!);
    },
    async startEdge() {
      edge = spawn(process.execPath, [EDGE], { stdio: ["pipe", "pipe", "inherit"], detached: true });
      edge.stdin!.end(JSON.stringify(settings));
      await saying(edge, edge.stdout!, (line) => line === "ready");
    },
    async killEdge() {
      // The group: the runtime is a child of the process.
      if (edge?.exitCode === null) await killed(edge, () => process.kill(-edge!.pid!, "SIGKILL"));
    },
    async startConnector() {
      const args = [CONNECTOR, "run", "--config", config, ...(code === null ? [] : ["--code-file", "-"])];
      connector = spawn(process.execPath, ["--import", DISK_FAULTS, ...args], {
        ...{ stdio: ["pipe", "ignore", "pipe"], env: { ...process.env, CHAOS_FAULTS: faults } },
      });
      connector.stdin!.end(code ?? "");
      code = null;
      connector.stderr!.on("data", (chunk) => appendFileSync(connectorLog, String(chunk)));
      await saying(connector, connector.stderr!, (line) => line.includes('"online"'));
    },
    async killConnector() {
      if (connector?.exitCode === null) await killed(connector, () => connector!.kill("SIGKILL"));
    },
    async pauseConnector(ms) {
      const paused = connector;
      paused?.kill("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, ms));
      paused?.kill("SIGCONT");
    },
    network: (up) => cable.set(up),
    async store(state) {
      const answer = await fetch(`${parts.origin}/chaos/r2`, { method: "POST", body: state }).catch(
        () => null,
      );
      return Number((await answer?.text()) ?? 0);
    },
    host: (state) => writeFileSync(faults, JSON.stringify(state)),
  };
  stops.push(
    () => parts.killEdge(),
    () => parts.killConnector(),
  );
  await parts.startEdge();
  const enrolment = await fetch(`${parts.origin}/api/connectors/demo/enrolment`, {
    method: "POST",
    headers: { authorization: `Bearer ${await provider.token("ada")}`, "content-type": "application/json" },
    body: "{}",
  });
  code = ((await enrolment.json()) as { code: string }).code;
  await parts.startConnector();
  return parts;
}

async function database(log: string): Promise<TestPostgres> {
  const server = await startPostgres({ log_statement: "all", log_line_prefix: "%a\t" }, undefined, (text) =>
    appendFileSync(log, text),
  );
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    INSERT INTO customers SELECT i, 'c' || i || '@example.com', '078-05-' || i, '', 'CH', i FROM generate_series(1, 1000) i;
    CREATE ROLE connector LOGIN;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO connector`);
  await admin.end();
  return server;
}

/** The library's analyst task, without its limits. */
async function policies(durability: Durability) {
  const bundle = await buildPolicies();
  if (!bundle) throw new Error("the library has errors");
  const { digest: _, ...base } = bundle.tasks["orders-analyst"]!;
  const limits = { rows: null, statements: null, bytes: null, statementTimeoutMs: 60_000, lookups: null };
  const task = {
    ...base,
    name: "chaos",
    limits,
    recording: { ...base.recording, durability },
    session: { ...base.session, maxConcurrent: null },
  };
  return { ...bundle, tasks: { chaos: { ...task, digest: digestOf(task) } } };
}

async function startProvider() {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  const server: HttpServer = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token = (person: string): Promise<string> =>
    new SignJWT({ name: person, groups: person === "ada" ? ["admins"] : ["analysts"] })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuer(issuer)
      .setSubject(person)
      .setAudience("wicketgate")
      .setIssuedAt()
      .setExpirationTime("30m")
      .sign(pair.privateKey);
  return { server, issuer, token };
}

/** A cable between connector and edge, to be pulled out and put back. */
async function startCable(to: number) {
  const open = new Set<Socket>();
  let up = true;
  const server: Server = createTcp((outer) => {
    if (!up) return void outer.destroy();
    const inner = connect({ host: "127.0.0.1", port: to });
    const end = (): void => {
      for (const one of [outer, inner]) {
        one.destroy();
        open.delete(one);
      }
    };
    for (const one of [outer, inner]) {
      open.add(one);
      one.on("error", end);
      one.on("close", end);
    }
    outer.pipe(inner);
    inner.pipe(outer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(next: boolean) {
      up = next;
      if (!up) for (const socket of open) socket.destroy();
    },
    stop() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

function saying(
  child: ChildProcess,
  from: NodeJS.ReadableStream,
  wanted: (line: string) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const last: string[] = [];
    createInterface({ input: from }).on("line", (line) => {
      last.push(line);
      if (last.length > 5) last.shift();
      if (wanted(line)) resolve();
    });
    child.once("exit", (code) => reject(new Error(`a part ended (${code}): ${last.join("\n")}`)));
  });
}

function killed(child: ChildProcess, kill: () => void): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    kill();
  });
}
