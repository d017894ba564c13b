/**
 * The local end of a task: a listener that only its owner can use. A Unix socket in a folder of mode 0700, or a
 * loopback port with a password that is made for this run. Each connection is a session of its own at the edge.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { type Admission, enter } from "../admission.ts";
import { call } from "../edge.ts";
import { CommandError, exit } from "../exit.ts";
import { temporaryFolder } from "../folders.ts";
import { serveConnection } from "./connection.ts";
import type { DoorAsk, OpenDoor, SessionFacts } from "./door.ts";

/** A wrong password is answered later each time, up to this, milliseconds. */
const SLOWEST_MS = 5_000;
/** An opened session that no program takes is given back after this, milliseconds. */
const RESERVE_MS = 20_000;
const MAX_CONNECTIONS = 512;
/** Longest path of a Unix socket, bytes (sockaddr_un). */
const MAX_SOCKET_PATH = 103;

export interface BridgeOptions {
  readonly ask: DoorAsk;
  readonly admission: Admission;
  /** `socket`: a Unix socket. A number: this port on loopback, 0 for any. */
  readonly listen: "socket" | number;
  /** For the person: where to approve, what was refused. */
  say(text: string): void;
}

export interface Bridge {
  /** Folder of the socket, or 127.0.0.1. */
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** Ids of the sessions so far. */
  readonly sessions: readonly string[];
  stop(): Promise<void>;
}

/**
 * Opens the first session, so that a refusal comes before anything is started, then the listener. Throws a
 * `CommandError` when the edge refuses for good; what may pass (the connector is away) is told, and tried again
 * for each connection.
 */
export async function startBridge(options: BridgeOptions, eager: "must" | "may"): Promise<Bridge> {
  // As in the connector: passing buffers are not a reason to mark the whole heap.
  if (process.versions.node.startsWith("24."))
    setFlagsFromString("--external-memory-accounted-in-global-limit");
  const doors = new DoorKeeper(options.ask, options.admission);
  try {
    await doors.reserve();
  } catch (error) {
    const passing = error instanceof CommandError && error.fault.exit === exit.unreachable;
    if (eager === "must" || !passing) throw error;
    options.say(`${error.message} (${error.fault.code}); it is tried again for each connection`);
  }
  const password = newPassword();
  const sockets = new Set<Socket>();
  let wrong = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (tcp) => {
    sockets.add(tcp);
    tcp.on("close", () => sockets.delete(tcp));
    void serveConnection(tcp, {
      password: options.listen === "socket" ? null : password,
      open: () => doors.open(),
      cancel: (processId, secretKey) => doors.cancel(processId, secretKey),
      wrongPassword: async () => {
        wrong += 1;
        await new Promise((resolve) => setTimeout(resolve, Math.min(SLOWEST_MS, 100 * 2 ** wrong)));
      },
      say: (text) => options.say(text),
    }).finally(() => {
      if (!tcp.writableEnded) tcp.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  const place =
    options.listen === "socket" ? await listenSocket(server) : await listenPort(server, options.listen);
  return {
    ...{ host: place.host, port: place.port, password },
    get sessions() {
      return doors.sessions;
    },
    async stop() {
      doors.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const tcp of sockets) tcp.destroy();
      await closed;
      place.remove();
    },
  };
}

/** Sessions at the edge: the one that is kept ready, and the cancel keys of those that run. */
class DoorKeeper {
  readonly #ask: DoorAsk;
  readonly #admission: Admission;
  readonly #running = new Map<string, SessionFacts>();
  readonly sessions: string[] = [];
  #reserve: OpenDoor | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(ask: DoorAsk, admission: Admission) {
    this.#ask = ask;
    this.#admission = admission;
  }

  /** Opens a session for the first connection. */
  async reserve(): Promise<void> {
    this.#reserve = await this.#open();
    this.#timer = setTimeout(() => this.#drop(), RESERVE_MS);
    this.#timer.unref();
  }

  async open(): Promise<OpenDoor> {
    const ready = this.#reserve;
    this.#reserve = null;
    if (this.#timer) clearTimeout(this.#timer);
    if (ready?.socket.readyState === ready?.socket.OPEN && ready) return ready;
    return this.#open();
  }

  async #open(): Promise<OpenDoor> {
    const door = await enter(this.#ask, this.#admission);
    const { id } = door.session;
    this.sessions.push(id);
    this.#running.set(id, door.session);
    door.socket.once("close", () => this.#running.delete(id));
    return door;
  }

  #drop(): void {
    this.#reserve?.socket.close(1000);
    this.#reserve = null;
  }

  /** Finds the session that the keys belong to; protocol 3.0 knows the first four bytes only. */
  async cancel(processId: number, secretKey: Uint8Array): Promise<void> {
    const given = Buffer.from(secretKey).toString("hex");
    for (const { id, cancel } of this.#running.values()) {
      if (cancel.processId !== processId) continue;
      if (given !== cancel.secretKey && given !== cancel.secretKey.slice(0, 8)) continue;
      await call(this.#ask.edge, `/api/sessions/${id}/cancel`, {
        method: "POST",
        body: { processId, secretKey: given },
      }).catch(() => undefined);
      return;
    }
  }

  stop(): void {
    this.#drop();
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
  remove(): void;
}

async function listenSocket(server: Server): Promise<Place> {
  const base = process.env["XDG_RUNTIME_DIR"] ?? tmpdir();
  let host = temporaryFolder("wicket-", base);
  if (Buffer.byteLength(host) + 16 > MAX_SOCKET_PATH) {
    rmSync(host, { recursive: true });
    host = temporaryFolder("wicket-", "/tmp");
  }
  const path = join(host, ".s.PGSQL.5432");
  const before = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path));
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  const remove = (): void => rmSync(host, { recursive: true, force: true });
  process.once("exit", remove);
  return {
    ...{ host, port: 5432 },
    remove() {
      process.off("exit", remove);
      remove();
    },
  };
}

async function listenPort(server: Server, port: number): Promise<Place> {
  await listening(server, () => server.listen(port, "127.0.0.1"));
  return { host: "127.0.0.1", port: (server.address() as { port: number }).port, remove() {} };
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => resolve());
    listen();
  });
}

/** 160 random bits that need no quoting anywhere. */
function newPassword(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(20))).toString("hex");
}
