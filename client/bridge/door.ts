/** The database door of the edge (`GET /db/<resource>`): one WebSocket a session, opened here and kept alive. */
import WebSocket from "ws";
import { CLIENT_SUBPROTOCOL, MAX_CONTROL_FRAME, parseEdgeToClient } from "../../wire/tunnel.ts";
import { type Edge, refusalOf, unreachable } from "../edge.ts";

/** What a session is asked for with. */
export interface DoorAsk {
  readonly edge: Edge;
  readonly resource: string;
  readonly task: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
}

/** What the edge said of a session. */
export interface SessionFacts {
  readonly id: string;
  /** `secretKey` in hexadecimal. */
  readonly cancel: { readonly processId: number; readonly secretKey: string };
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface OpenDoor {
  readonly socket: WebSocket;
  readonly session: SessionFacts;
  /** Hands over what comes after the session's name, from the first message on. To be called once. */
  listen(onMessage: (data: Buffer, binary: boolean) => void): void;
}

/** Nothing from the edge for so long means that it is gone, milliseconds; a ping is sent three times in it. */
const SILENCE_MS = 45_000;

/**
 * Opens a session. Resolves when the edge has named it; nothing of the stream has been read then. Rejects with
 * the refusal as a `CommandError`.
 */
export async function openDoor(ask: DoorAsk): Promise<OpenDoor> {
  const { edge, resource, task, params, reason } = ask;
  const headers: Record<string, string> = {
    authorization: `Bearer ${await edge.token()}`,
    "wicket-task": headerText(task),
    ...(reason === null ? {} : { "wicket-reason": headerText(reason) }),
  };
  if (Object.keys(params).length > 0) headers["wicket-params"] = new URLSearchParams(params).toString();
  const url = `${edge.origin.replace(/^http/, "ws")}/db/${encodeURIComponent(resource)}`;
  const socket = new WebSocket(url, [CLIENT_SUBPROTOCOL], {
    ...{ headers, perMessageDeflate: false, followRedirects: false, skipUTF8Validation: true },
    ...{ handshakeTimeout: 30_000, closeTimeout: 500, maxPayload: MAX_CONTROL_FRAME },
  } as WebSocket.ClientOptions);
  socket.binaryType = "nodebuffer";
  const early: [data: Buffer, binary: boolean][] = [];
  let take = (data: Buffer, binary: boolean): void => void early.push([data, binary]);
  const session = await new Promise<SessionFacts>((resolve, reject) => {
    socket.on("error", (error) => reject(unreachable(edge.origin, error)));
    socket.once("close", () => reject(unreachable(edge.origin, new Error("closed"))));
    socket.once("unexpected-response", (request, response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (body.length < 65_536) body += chunk;
      });
      response.on("end", () => {
        reject(refusalOf(response.statusCode ?? 0, parsed(body), edge.origin));
        request.destroy();
      });
    });
    socket.once("message", (data: Buffer, binary: boolean) => {
      const first = binary ? null : parseEdgeToClient(data.toString());
      if (first?.ok && first.message.t === "session") {
        // More may follow in the same read, before whoever waits for this promise runs.
        socket.on("message", (data: Buffer, binary: boolean) => take(data, binary));
        resolve(first.message);
      } else reject(unreachable(edge.origin, new Error("unknown protocol")));
    });
  }).catch((error: unknown) => {
    socket.terminate();
    throw error;
  });
  keepAlive(socket);
  return {
    socket,
    session,
    listen(onMessage) {
      take = onMessage;
      for (const [data, binary] of early.splice(0)) onMessage(data, binary);
    },
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
}

/** Header values are bytes: text beyond Latin-1 goes as the bytes of its UTF-8. */
function headerText(text: string): string {
  return Buffer.from(text.replace(/[\r\n]+/g, " "), "utf8").toString("latin1");
}

function keepAlive(socket: WebSocket): void {
  let heard = Date.now();
  const mark = (): void => {
    heard = Date.now();
  };
  socket.on("message", mark);
  socket.on("pong", mark);
  const timer = setInterval(() => {
    if (Date.now() - heard > SILENCE_MS) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, SILENCE_MS / 3);
  timer.unref();
  socket.on("close", () => clearInterval(timer));
}
