/**
 * The gate between real parts in one process: a TCP listener for clients, the gate, and a TCP connection to a
 * real PostgreSQL for each. What the edge and the connector do together, without the tunnel.
 */
import { connect, createServer, type Socket } from "node:net";
import pg from "pg";
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import {
  type GateEvent,
  type GateHold,
  type GateReason,
  PostgresGate,
  type Scrubber,
} from "../../policies/postgres/gate.ts";
import type { Task } from "../../policies/task.ts";
import { concat } from "../../wire/bytes.ts";
import { decodeParameterStatus } from "../../wire/postgres/backend.ts";
import { bareMessage } from "../../wire/postgres/frontend.ts";
import { Backend, Frontend } from "../../wire/postgres/messages.ts";
import { cancelRequest, startupMessage } from "../../wire/postgres/startup.ts";

/** Every user table of a database, as a catalog. */
export async function wholeCatalog(url: string): Promise<Catalog> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{
      oid: number;
      schema: string;
      name: string;
      columns: [string, number][];
    }>(
      `select c.oid::int, n.nspname as schema, c.relname as name,
              coalesce((select json_agg(json_build_array(attname, attnum)) from pg_attribute
                where attrelid = c.oid and attnum > 0 and not attisdropped), '[]') as columns
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid >= 16384 and c.relkind in ('r', 'v', 'm', 'p', 'f')`,
    );
    return {
      digest: "0".repeat(64),
      serverVersion: 180000,
      database: "postgres",
      relations: rows.map(({ oid, schema, name, columns }) => ({
        oid,
        schema,
        name,
        kind: "r",
        columns: columns.map(([column, number]) => ({
          name: column,
          number,
          type: "text",
          typeOid: 25,
          category: "S",
          notNull: false,
          generated: false,
        })),
        primaryKey: [],
      })),
      foreignOperators: [],
      types: [],
      functions: [],
    } as unknown as Catalog;
  } finally {
    await client.end();
  }
}

export interface GateBridge {
  readonly port: number;
  readonly url: string;
  /** Events of all sessions so far. */
  readonly events: GateEvent[];
  /** Why sessions ended, in order. */
  readonly ends: GateReason[];
  readonly gates: PostgresGate[];
  stop(): Promise<void>;
}

export interface GateBridgeOptions {
  /** Port of the real server on 127.0.0.1; user postgres, no password. */
  readonly postgres: number;
  readonly database?: string;
  readonly decider: StatementDecider;
  readonly task: Task;
  readonly catalog?: Catalog;
  /** Cuts what comes from either side into pieces of this many bytes. */
  readonly chunk?: number;
  readonly permit?: () => { code: string; message: string } | null;
  readonly hold?: (hold: GateHold, gate: PostgresGate) => void;
  readonly scrub?: Scrubber;
}

/** Starts listening on a free loopback port. */
export async function startGateBridge(options: GateBridgeOptions): Promise<GateBridge> {
  const events: GateEvent[] = [];
  const ends: GateReason[] = [];
  const gates: PostgresGate[] = [];
  const sockets = new Set<Socket>();
  const keys = new Map<number, { readonly gate: PostgresGate; readonly cancel: () => void }>();
  let sessions = 0;

  const server = createServer((client) => {
    sessions += 1;
    const processId = 1000 + sessions;
    const upstream = connect(options.postgres, "127.0.0.1");
    let key: { processId: number; secretKey: Uint8Array } | null = null;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    const gate: PostgresGate = new PostgresGate({
      host: {
        toClient: (bytes) => client.write(bytes),
        toServer: (bytes) => upstream.write(bytes),
        record: (event) => events.push(event),
        end(reason) {
          ends.push(reason);
          client.end();
          upstream.end(bareMessage(Frontend.Terminate));
        },
        cancel(id, secretKey) {
          const target = keys.get(id);
          if (target?.gate.matchesCancel(id, secretKey)) target.cancel();
        },
        ...(options.hold ? { hold: (hold: GateHold) => options.hold!(hold, gate) } : {}),
      },
      decider: options.decider,
      task: options.task,
      ...(options.scrub ? { scrub: options.scrub } : {}),
      ...(options.catalog ? { catalog: options.catalog } : {}),
      clock: () => Date.now(),
      cancelKey: { processId, secretKey: crypto.getRandomValues(new Uint8Array(32)) },
      permit: options.permit ?? (() => null),
    });
    gates.push(gate);
    keys.set(processId, {
      gate,
      cancel() {
        if (key) connect(options.postgres, "127.0.0.1").end(cancelRequest(key.processId, key.secretKey));
      },
    });
    const cut = (bytes: Uint8Array, feed: (piece: Uint8Array) => void) => {
      const size = options.chunk ?? bytes.length;
      for (let at = 0; at < bytes.length; at += size) feed(bytes.slice(at, at + size));
    };
    client.on("data", (bytes) => cut(bytes as Uint8Array, (piece) => gate.fromClient(piece)));
    client.on("close", () => upstream.end());
    upstream.on("connect", () =>
      upstream.write(
        startupMessage({
          user: "postgres",
          database: options.database ?? "postgres",
          client_encoding: "UTF8",
        }),
      ),
    );
    let login: Uint8Array | null = new Uint8Array(0);
    upstream.on("data", (bytes) => {
      if (login === null) return cut(bytes as Uint8Array, (piece) => gate.fromServer(piece));
      login = concat([login, bytes as Uint8Array]);
      const opened = readLogin(login);
      if (!opened) return;
      key = opened.key;
      login = null;
      gate.opened({ parameters: opened.parameters, serverVersion: 180000 });
    });
    upstream.on("close", () => client.end());
  });

  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  return {
    port,
    url: `postgres://someone@127.0.0.1:${port}/postgres`,
    events,
    ends,
    gates,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a server says from AuthenticationOk to ReadyForQuery; null while that is not complete. */
function readLogin(
  bytes: Uint8Array,
): { parameters: Record<string, string>; key: { processId: number; secretKey: Uint8Array } } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parameters: Record<string, string> = {};
  let key = { processId: 0, secretKey: new Uint8Array(0) };
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + view.getUint32(at + 1);
    if (end > bytes.length) return null;
    const type = bytes[at]!;
    if (type === Backend.ParameterStatus) {
      const status = decodeParameterStatus(bytes, at + 5, end);
      if (status) parameters[status.name] = status.value;
    } else if (type === Backend.BackendKeyData) {
      key = { processId: view.getInt32(at + 5), secretKey: bytes.slice(at + 9, end) };
    } else if (type === Backend.ReadyForQuery) return { parameters, key };
    at = end;
  }
  return null;
}
