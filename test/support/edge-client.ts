/** Clients of the database door for tests: the raw socket, and a TCP bridge for drivers. */
import { createServer, type Socket } from "node:net";
import WebSocket from "ws";
import {
  CLIENT_SUBPROTOCOL,
  encodeControl,
  FramedSender,
  parseEdgeToClient,
  ReceiveWindow,
} from "../../wire/tunnel.ts";
import { opened } from "./edge-connector.ts";
import type { EdgeLab } from "./edge-lab.ts";

export interface Door {
  readonly person?: string;
  readonly token?: string;
  readonly task?: string;
  readonly reason?: string;
  readonly params?: string;
  readonly resource?: string;
  readonly plain?: boolean;
  readonly headers?: Record<string, string>;
}

/** A socket to the door, not open yet. */
export async function doorSocket(lab: EdgeLab, door: Door): Promise<WebSocket> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${door.token ?? (await lab.token(door.person ?? "ana"))}`,
    "wicket-task": door.task ?? "unlimited",
    ...(door.reason === undefined ? {} : { "wicket-reason": door.reason }),
    ...(door.params === undefined ? {} : { "wicket-params": door.params }),
    ...door.headers,
  };
  const url = `${lab.origin.replace("http", "ws")}/db/${door.resource ?? "orders-db"}`;
  const socket = new WebSocket(url, door.plain ? [] : [CLIENT_SUBPROTOCOL], {
    headers,
    perMessageDeflate: false,
    closeTimeout: 500,
  } as WebSocket.ClientOptions);
  socket.binaryType = "nodebuffer";
  return socket;
}

/** One session that speaks `wicket.pg.v1`, with its window in the test's hands. */
export class DoorClient {
  readonly socket: WebSocket;
  readonly window = new ReceiveWindow();
  readonly sender: FramedSender;
  /** Grants credit as data arrives; off = a client that reads nothing more. */
  reading = true;
  session: { id: string; cancel: { processId: number; secretKey: string }; expires: number } | null = null;
  readonly control: { t: string; code?: string }[] = [];
  closed: { code: number; reason: string; at: number } | null = null;
  received = 0;
  onData: (bytes: Buffer) => void = () => {};
  #wake: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.sender = new FramedSender((message) => socket.send(message));
    socket.on("message", (data: Buffer, binary: boolean) => {
      if (binary) this.#data(data);
      else this.#controlMessage(data.toString());
      this.#notify();
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString(), at: performance.now() };
      this.#notify();
    });
    socket.on("error", () => {});
  }

  static async open(lab: EdgeLab, door: Door = {}): Promise<DoorClient> {
    const socket = await doorSocket(lab, door);
    const client = new DoorClient(socket);
    await opened(socket);
    return client;
  }

  /** Resolves when `look` holds; checked after each message. */
  async until(look: () => boolean, what: string, ms = 60_000): Promise<void> {
    const end = Date.now() + ms;
    while (!look()) {
      if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 250);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  send(bytes: Uint8Array): void {
    this.sender.data(bytes);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #data(data: Buffer): void {
    this.received += data.length;
    if (this.window.received(data.length)) throw new Error("the edge sent more than its credit");
    this.onData(data);
    if (this.reading) this.#grant(data.length);
  }

  #grant(bytes: number): void {
    const credit = this.window.drained(bytes);
    if (credit > 0) this.socket.send(encodeControl({ t: "credit", bytes: credit }));
  }

  #controlMessage(text: string): void {
    const parsed = parseEdgeToClient(text);
    if (!parsed.ok) throw new Error(text);
    const { message } = parsed;
    this.control.push(message as { t: string });
    if (message.t === "session") this.session = message;
    else if (message.t === "credit") this.sender.grant(message.bytes);
  }
}

export interface Bridge {
  readonly port: number;
  /** Ids of the sessions so far. */
  readonly sessions: string[];
  stop(): Promise<void>;
}

/** A TCP listener for drivers; each connection is a session of its own. */
export async function startBridge(lab: EdgeLab, door: Door = {}): Promise<Bridge> {
  const sessions: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (tcp) => {
    sockets.add(tcp);
    tcp.on("close", () => sockets.delete(tcp));
    tcp.on("error", () => tcp.destroy());
    void serve(tcp).catch(() => tcp.destroy());
  });
  const serve = async (tcp: Socket): Promise<void> => {
    const socket = await doorSocket(lab, door);
    if (door.plain) {
      await opened(socket);
      socket.on("message", (data: Buffer) => tcp.write(data));
      socket.on("close", () => tcp.end());
      tcp.on("data", (bytes) => socket.send(bytes));
      tcp.on("close", () => socket.close());
      tcp.resume();
      return;
    }
    const client = new DoorClient(socket);
    client.onData = (bytes) => tcp.write(bytes);
    socket.on("message", (data: Buffer, binary: boolean) => {
      if (binary) return;
      const message = JSON.parse(data.toString()) as { t: string; id?: string };
      if (message.t === "session") sessions.push(message.id!);
      else if (message.t === "eof" || message.t === "reset") tcp.end();
    });
    socket.on("close", () => tcp.end());
    await opened(socket);
    tcp.on("data", (bytes) => client.send(new Uint8Array(bytes as Buffer)));
    tcp.on("close", () => socket.close());
    tcp.resume();
  };
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  return {
    port,
    sessions,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
