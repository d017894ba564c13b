/** WebSockets to the edge, and what is peculiar about them in one place. */
import WebSocket from "ws";
import { MAX_CONTROL_FRAME } from "../wire/tunnel.ts";

/** The edge answered a handshake with a refusal. */
export class EdgeRefusal extends Error {
  override readonly name = "EdgeRefusal";
  readonly status: number;
  /** UPPER_SNAKE, or `HTTP_<status>` when the answer has none. */
  readonly code: string;

  constructor(status: number, body: string) {
    let code = `HTTP_${status}`;
    let message = `the edge answered ${status}`;
    try {
      const problem = JSON.parse(body) as { code?: unknown; message?: unknown };
      if (typeof problem.code === "string") code = problem.code;
      if (typeof problem.message === "string") message = problem.message;
    } catch {
      // Not the edge's own answer.
    }
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * A socket that is being opened. No compression (it costs more than it saves and tells lengths of secrets); a
 * close that the edge does not finish is given up after half a second, since in-band messages said it already.
 */
export function edgeSocket(
  edge: string,
  path: string,
  protocol: string,
  headers: Readonly<Record<string, string>>,
): WebSocket {
  const socket = new WebSocket(edge.replace(/^http/, "ws") + path, [protocol], {
    headers: { ...headers },
    perMessageDeflate: false,
    followRedirects: false,
    // Longer than the edge waits: when many sessions begin at once, it is the one that knows which came too late.
    handshakeTimeout: 60_000,
    closeTimeout: 500,
    maxPayload: MAX_CONTROL_FRAME,
    skipUTF8Validation: true,
  } as WebSocket.ClientOptions);
  socket.binaryType = "nodebuffer";
  return socket;
}

/** A socket to the edge that is open. */
export interface OpenSocket {
  readonly socket: WebSocket;
  /** Hands over the messages, from the first on: the edge may speak at once. To be called once. */
  listen(onMessage: (data: Buffer, binary: boolean) => void): void;
}

/** As `opened`, with what comes before anybody listens. */
export async function openedEarly(socket: WebSocket): Promise<OpenSocket> {
  const early: [data: Buffer, binary: boolean][] = [];
  let take = (data: Buffer, binary: boolean): void => void early.push([data, binary]);
  socket.on("message", (data: Buffer, binary: boolean) => take(data, binary));
  await opened(socket);
  return {
    socket,
    listen(onMessage) {
      take = onMessage;
      for (const [data, binary] of early.splice(0)) onMessage(data, binary);
    },
  };
}

/** Resolves when the socket is open; rejects with `EdgeRefusal` or the network's error. */
export function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
    socket.once("unexpected-response", (request, response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (body.length < 16_384) body += chunk;
      });
      response.on("end", () => {
        reject(new EdgeRefusal(response.statusCode ?? 0, body));
        request.destroy();
      });
      response.on("error", reject);
    });
  });
}
