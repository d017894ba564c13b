/**
 * The doors on their own in workerd, for tests: tasks and tokens come as bindings, connectors wait on `/connector`
 * with idle sockets. One object holds the session, as in the deployed Worker.
 */
import { DurableObject } from "cloudflare:workers";
import type { Identity, Task } from "../../policies/task.ts";
import { MessageReader, packMessage } from "../../wire/kubernetes/channels.ts";
import { encodePiece, messageOf } from "../../wire/pieces.ts";
import { serveHttp } from "../../worker/gateway/http.ts";
import { serveKubernetes } from "../../worker/gateway/kubernetes.ts";
import { ChannelError, RequestChannel } from "../../worker/gateway/request-channel.ts";
import {
  exchange,
  type RequestEvent,
  type RequestHost,
  RequestLedger,
} from "../../worker/gateway/requests.ts";
import { shownStream } from "../../worker/gateway/shown-stream.ts";

interface Env {
  SESSION: DurableObjectNamespace<DoorSession>;
  TASKS: Record<string, Task>;
  TOKEN: string;
}

export class DoorSession extends DurableObject<Env> {
  readonly #idle: RequestChannel[] = [];
  /** The first connection of a session, which takes what is recorded. */
  #recording: RequestChannel | null = null;
  readonly #waiting: ((channel: RequestChannel) => void)[] = [];
  readonly #ledger = new RequestLedger();
  readonly #events: RequestEvent[] = [];
  #revoked: { code: string; message: string } | null = null;

  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/connector" || url.pathname === "/recording") return this.#connector(url.pathname);
    if (url.pathname === "/events") return Response.json(this.#events);
    if (url.pathname === "/revoke") {
      this.#revoked = { code: "GRANT_REVOKED", message: "the grant was revoked" };
      this.#ledger.end(this.#revoked.code, this.#revoked.message);
      return new Response();
    }
    if (url.pathname.startsWith("/relay/")) return await this.#relay(request, url);
    const found = /^\/(k8s|http)\/([a-z0-9-]+)(\/.*)?$/.exec(url.pathname)!;
    const host = this.#host(found[2]!);
    const path = found[3] ?? "/";
    return found[1] === "k8s"
      ? await serveKubernetes(host, this.#ledger, request, path, url.search)
      : await serveHttp(host, this.#ledger, request, path, url.search);
  }

  /** The same hops without a gate, for comparison. */
  async #relay(request: Request, url: URL): Promise<Response> {
    const host = this.#host("relay");
    const channel = await host.channel();
    const head = {
      method: request.method,
      target: url.pathname.slice("/relay/relay".length) + url.search,
      headers: [["accept", "application/json"]] as [string, string][],
      upgrade: null,
      caller: host.caller,
    };
    if (request.headers.get("upgrade") === "websocket") return this.#relayStream(channel, head);
    const answer = await exchange(channel, head, null);
    const show = (chunk: Uint8Array | null) => (chunk === null ? [] : [chunk]);
    const { stream } = shownStream(answer, channel, { show, done: () => {} });
    return new Response(stream, {
      status: answer.head.status,
      headers: { "content-type": "application/json" },
    });
  }

  /** Exec and attach: frames as they come, both ways. */
  async #relayStream(
    channel: RequestChannel,
    head: Parameters<RequestChannel["request"]>[0],
  ): Promise<Response> {
    const pair = new WebSocketPair();
    const server = pair[1];
    server.binaryType = "arraybuffer";
    server.accept();
    const answer = await channel.request({ ...head, headers: [], upgrade: "channels" });
    server.addEventListener("message", ({ data }) =>
      channel.write(packMessage(new Uint8Array(data as ArrayBuffer))),
    );
    server.addEventListener("close", () => channel.abort("CLIENT_GONE", "the client went away"));
    const messages = new MessageReader();
    const pump = async (): Promise<void> => {
      for (let chunk = await answer.read(); chunk !== null; chunk = await answer.read()) {
        for (const message of messages.push(chunk) ?? []) server.send(message.slice());
      }
      server.close(1000, "");
    };
    pump().catch(() => {});
    return new Response(null, {
      status: 101,
      webSocket: pair[0],
      headers: { "sec-websocket-protocol": "v5.channel.k8s.io" },
    });
  }

  #connector(room: string): Response {
    const pair = new WebSocketPair();
    const server = pair[1];
    server.binaryType = "arraybuffer";
    server.accept();
    const channel = new RequestChannel(
      (message) => server.send(message),
      (code, reason) => server.close(code, reason),
      undefined,
      () => (server as { bufferedAmount?: number }).bufferedAmount ?? 0,
    );
    server.addEventListener("message", ({ data }) => channel.message(data as ArrayBuffer | string));
    server.addEventListener("close", () => channel.closed());
    if (room === "/recording") {
      this.#recording = channel;
      return new Response(null, { status: 101, webSocket: pair[0] });
    }
    channel.onIdle = () => {
      if (!channel.dead) this.#free(channel);
    };
    this.#free(channel);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  #free(channel: RequestChannel): void {
    const next = this.#waiting.shift();
    if (next) next(channel);
    else this.#idle.push(channel);
  }

  #host(name: string): RequestHost {
    const task = this.env.TASKS[name]!;
    const identity: Identity = {
      issuer: "https://issuer.test",
      subject: "tina",
      name: "tina",
      groups: ["support"],
      claims: {},
      expires: Date.now() + 3_600_000,
    };
    return {
      task,
      identity,
      caller: { user: "wicket:tina", groups: [`wicket:task:${task.name}`], extra: {} },
      now: () => Date.now(),
      permit: () => this.#revoked,
      channel: async () => {
        for (;;) {
          const idle = this.#idle.shift();
          if (idle === undefined) break;
          if (!idle.dead && !idle.busy) return idle;
        }
        return await new Promise<RequestChannel>((resolve, reject) => {
          const timer = setTimeout(
            () => reject(new ChannelError("CONNECTOR_OFFLINE", "no connector is there")),
            5000,
          );
          this.#waiting.push((channel) => {
            clearTimeout(timer);
            resolve(channel);
          });
        });
      },
      record: (event) => {
        this.#events.push(event);
        this.#recording?.record({ ...event });
      },
      keep: (piece, stars) => this.#recording?.keep(messageOf(piece, stars) ?? encodePiece(piece)),
      lag: () => this.#recording?.unsent ?? 0,
    };
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (request.headers.get("authorization") !== `Bearer ${env.TOKEN}`) {
      return Response.json(
        {
          kind: "Status",
          apiVersion: "v1",
          status: "Failure",
          message: "no token",
          reason: "Unauthorized",
          code: 401,
        },
        { status: 401 },
      );
    }
    const found = /^\/(?:k8s|http|events|revoke|connector|recording|relay)\/([a-z0-9-]+)(\/.*)?$/.exec(
      url.pathname,
    );
    if (!found || !Object.hasOwn(env.TASKS, found[1]!)) return new Response("no such task", { status: 404 });
    const stub = env.SESSION.getByName(found[1]!);
    const [, room] = url.pathname.split("/");
    if (room === "k8s" || room === "http" || room === "relay") return stub.fetch(request);
    return stub.fetch(new Request(new URL(`/${room}`, url), request));
  },
};
