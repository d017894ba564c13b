/**
 * The edge of the bare relay: the Worker and the session object of the product with everything taken out but the
 * hop. Each message goes on as it came. For comparison only: it asks nobody who they are.
 */
import { DurableObject } from "cloudflare:workers";
import { acceptPair, closeSocket } from "../../../worker/sessions/sockets.ts";

interface Env {
  SESSIONS: DurableObjectNamespace<RelaySession>;
  CONNECTORS: DurableObjectNamespace<RelayConnector>;
}

/** Two sockets; what comes on one leaves on the other. The client's first messages wait for the connector. */
export class RelaySession extends DurableObject<Env> {
  #client: WebSocket | null = null;
  #connector: WebSocket | null = null;
  readonly #early: (string | ArrayBuffer)[] = [];

  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const { client, server } = acceptPair();
    if (pathname.startsWith("/client/")) {
      this.#client = server;
      this.#forward(server, (data) => {
        if (this.#connector) this.#connector.send(data);
        else this.#early.push(data);
      });
      await this.env.CONNECTORS.getByName("relay").dial(pathname.slice("/client/".length));
    } else {
      this.#connector = server;
      this.#forward(server, (data) => this.#client?.send(data));
      for (const data of this.#early.splice(0)) server.send(data);
    }
    return new Response(null, { status: 101, webSocket: client });
  }

  #forward(from: WebSocket, send: (data: string | ArrayBuffer) => void): void {
    from.addEventListener("message", ({ data }) => send(data as string | ArrayBuffer));
    from.addEventListener("close", () => {
      for (const socket of [this.#client, this.#connector]) if (socket) closeSocket(socket, 1000, "");
    });
  }
}

/** The connector's control socket: it is told which session to dial. */
export class RelayConnector extends DurableObject<Env> {
  #control: WebSocket | null = null;

  override fetch(): Response {
    const { client, server } = acceptPair();
    this.#control = server;
    return new Response(null, { status: 101, webSocket: client });
  }

  dial(session: string): void {
    this.#control?.send(session);
  }
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    const [, room, name] = new URL(request.url).pathname.split("/");
    if (room === "control") return env.CONNECTORS.getByName("relay").fetch(request);
    return env.SESSIONS.getByName(name!).fetch(request);
  },
};
