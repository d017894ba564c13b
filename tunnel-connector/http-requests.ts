/**
 * The connector's end of a session socket that carries HTTP: it sends each request to its own target with its own
 * credential and streams the answer back within the edge's credit. It takes nothing of where or as whom from the
 * edge but path, method and the caller to impersonate, and those only by allow-list.
 */
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import WebSocket from "ws";
import {
  CHANNEL_STDERR,
  CHANNEL_STDOUT,
  channelProtocols,
  MessageReader,
  packMessage,
} from "../wire/kubernetes/channels.ts";
import { impersonationHeaders } from "../wire/kubernetes/headers.ts";
import type { OutputKind } from "../wire/pieces.ts";
import { parseRequestToConnector, type RequestHead, type ResponseHead } from "../wire/requests.ts";
import { FramedSender, ReceiveWindow } from "../wire/tunnel.ts";
import { Gathering } from "./gathering.ts";

/** A cluster or HTTP API as the connector reaches it. */
export interface HttpTarget {
  /** Base URL: `https://10.0.0.1:6443` or with a path prefix, without a slash at the end. */
  readonly url: string;
  /** PEM of the authority to trust besides none other; null = the system's. */
  readonly ca: string | null;
  /** Headers that carry the connector's own credential; read anew for each request (tokens rotate). */
  credential(): readonly (readonly [string, string])[];
  /** For clusters: act for the caller by impersonation headers. */
  readonly impersonate: boolean;
  /** Clusters with a client certificate. */
  readonly client?: { readonly certificate: string; readonly key: string };
}

/** How the edge is spoken to. */
export interface RequestSocket {
  send(message: Uint8Array | string): void;
  close(code: number, reason: string): void;
}

/** What the session of a socket keeps of its requests. */
export interface Kept {
  /** Resolves when so many entries are in the session's recording; rejects when they never will be. */
  reached(count: number): Promise<void>;
  /** Takes what the process of statement `n` wrote. Throws when it cannot be kept. */
  output(n: number, kind: OutputKind, bytes: Uint8Array): void;
}

const NOTHING: Kept = { reached: () => Promise.resolve(), output: () => {} };

/** Sent once more, on a new connection, when one that was used before turns out to be closed (as Go's net/http does). */
const RETRIED: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** The upstream side of the request that runs. */
interface Running {
  write(bytes: Uint8Array): void;
  end(): void;
  abort(): void;
}

/** Serves one socket of the edge until it closes. */
export class RequestServer {
  readonly #socket: RequestSocket;
  readonly #target: HttpTarget;
  readonly #kept: Kept;
  readonly #tls: {
    readonly rejectUnauthorized: true;
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
  readonly #agent: Agent;
  readonly #sender: FramedSender;
  readonly #window = new ReceiveWindow();
  #running: Running | null = null;
  #early: Uint8Array[] = [];
  #earlyEnd = false;
  #n = 0;
  #closed = false;
  #resume: (() => void) | null = null;

  constructor(socket: RequestSocket, target: HttpTarget, kept: Kept = NOTHING) {
    this.#socket = socket;
    this.#target = target;
    this.#kept = kept;
    this.#tls = {
      rejectUnauthorized: true,
      ...(target.ca === null ? {} : { ca: target.ca }),
      ...(target.client === undefined ? {} : { cert: target.client.certificate, key: target.client.key }),
    };
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4, ...this.#tls });
    this.#sender = new FramedSender((message) => socket.send(message));
  }

  /** A message of the edge. */
  message(data: Uint8Array | string): void {
    if (this.#closed) return;
    if (typeof data !== "string") {
      if (this.#window.received(data.length)) {
        this.#reset("CHANNEL_WINDOW", "more data than was granted");
        return;
      }
      if (this.#running === null) this.#early.push(data);
      else this.#running.write(data);
      return;
    }
    const parsed = parseRequestToConnector(data);
    if (!parsed.ok) {
      this.#reset(parsed.code, parsed.message);
      return;
    }
    const { message } = parsed;
    switch (message.t) {
      case "request":
        if (message.n !== this.#n + 1) {
          this.#reset("CHANNEL_OUT_OF_TURN", "a request out of turn");
          return;
        }
        this.#n = message.n;
        this.#early = [];
        this.#earlyEnd = false;
        // Nothing goes to the target before what is recorded of it is kept.
        this.#kept.reached(message.after).then(
          () => this.#start(message),
          () => this.#reset("RECORDING_FAILED", "the recording cannot be written"),
        );
        return;
      case "credit":
        if (!this.#sender.grant(message.bytes)) {
          this.#reset("CHANNEL_CREDIT", "more credit than was used");
          return;
        }
        if (this.#sender.queued === 0) this.#resume?.();
        return;
      case "eof":
        if (this.#running === null) this.#earlyEnd = true;
        else this.#running.end();
        return;
      case "reset":
        this.close();
        this.#socket.close(1000, message.code);
    }
  }

  /** The socket closed: whatever runs is cut. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#running?.abort();
    this.#agent.destroy();
  }

  #start(head: RequestHead): void {
    if (this.#closed) return;
    const caller = this.#target.impersonate ? impersonationHeaders(head.caller) : [];
    if (caller === null) {
      this.#reset("CALLER_NOT_ALLOWED", "the caller cannot be impersonated");
      return;
    }
    const headers = flat([...head.headers, ...caller, ...this.#target.credential()]);
    if (head.upgrade === "channels") this.#channels(head, headers);
    else if (head.upgrade === "portforward") this.#portForward(head, headers);
    else this.#plain(head, headers);
    for (const bytes of this.#early) this.#running?.write(bytes);
    this.#early = [];
    if (this.#earlyEnd) this.#running?.end();
  }

  #plain(head: RequestHead, headers: Record<string, string | string[]>): void {
    const secure = this.#target.url.startsWith("https:");
    const send = secure ? httpsRequest : httpRequest;
    const url = this.#target.url + head.target;
    const ask = (connection: { readonly agent?: Agent | false }) =>
      send(url, { method: head.method, headers, ...(secure ? { ...this.#tls, ...connection } : {}) });
    let again = RETRIED.includes(head.method);
    let answered = false;
    let ended = false;
    let asked = ask({ agent: this.#agent });
    const listen = (request: ClientRequest) => {
      // The edge says how it goes on by messages; a hanging target is the edge's limit to set.
      request.on("error", (error: Error & { code?: string }) => {
        if (this.#closed || request !== asked) return;
        // The target may close a connection that was idle just when it is used again.
        const stale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
        if (!stale || !again || answered) {
          this.#failed(error);
          return;
        }
        again = false;
        asked = ask(secure ? { agent: false } : {});
        listen(asked);
        if (ended) asked.end();
      });
      request.on("upgrade", (_, socket) => {
        socket.destroy();
        this.#reset("TARGET_UPGRADE", "the target upgraded a plain request");
      });
      request.on("response", (response) => {
        answered = true;
        this.#head(head, response.statusCode ?? 502, response.headers, null);
        this.#stream(response);
      });
    };
    listen(asked);
    this.#running = {
      write: (bytes) => {
        // What was sent of a body is not here any more.
        again = false;
        asked.write(bytes, () => this.#drained(bytes.length));
      },
      end: () => {
        ended = true;
        asked.end();
      },
      abort: () => asked.destroy(),
    };
  }

  /** Exec and attach: the API server's own WebSocket, one message a frame. */
  #channels(head: RequestHead, headers: Record<string, string | string[]>): void {
    const url = this.#target.url.replace(/^http/, "ws") + head.target;
    const socket = new WebSocket(url, [...channelProtocols], {
      // On a connection of its own: one that was kept may be closed by now, and a stream is not asked for twice.
      headers: headers as Record<string, string>,
      ...this.#tls,
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: 64 * 1024,
      closeTimeout: 1000,
    } as WebSocket.ClientOptions);
    socket.binaryType = "nodebuffer";
    const early: [message: Uint8Array, paid: number][] = [];
    let refused = false;
    socket.on("open", () => {
      this.#head(head, 101, {}, socket.protocol);
      for (const [message, paid] of early.splice(0)) socket.send(message, () => this.#drained(paid));
    });
    // Anything but a 101 is an answer like any other, and no stream.
    socket.on("unexpected-response", (request, response) => {
      refused = true;
      this.#head(head, response.statusCode ?? 502, response.headers, null);
      this.#stream(response);
      response.on("close", () => request.destroy());
    });
    socket.on("message", (data: Buffer, binary: boolean) => {
      if (!binary) {
        this.#reset("TARGET_PROTOCOL", "the target sent a text message");
        return;
      }
      const kind = data[0] === CHANNEL_STDOUT ? "stdout" : data[0] === CHANNEL_STDERR ? "stderr" : null;
      if (kind !== null && head.keep !== undefined) {
        try {
          this.#kept.output(head.keep, kind, data.subarray(1));
        } catch {
          this.#reset("RECORDING_FAILED", "the recording cannot be written");
          return;
        }
      }
      this.#sender.data(packMessage(data));
      if (this.#sender.queued > 0) {
        socket.pause();
        this.#resume = () => {
          this.#resume = null;
          socket.resume();
        };
      }
    });
    socket.on("close", () => {
      if (refused) return;
      this.#finish();
    });
    socket.on("error", (error) => {
      if (!refused) this.#failed(error);
    });
    const messages = new MessageReader();
    this.#running = {
      write: (bytes) => {
        const whole = messages.push(bytes);
        if (whole === null) {
          this.#reset("CHANNEL_MALFORMED", "a message of the stream is too large");
          return;
        }
        // The last message of a chunk pays for all of it.
        if (whole.length === 0) this.#drained(bytes.length);
        whole.forEach((message, i) => {
          const paid = i === whole.length - 1 ? bytes.length : 0;
          if (socket.readyState === WebSocket.CONNECTING) early.push([message, paid]);
          else socket.send(message, () => this.#drained(paid));
        });
      },
      end: () => socket.close(1000),
      abort: () => socket.terminate(),
    };
  }

  /** Port-forward: `Upgrade: SPDY/3.1`, bytes as they are. Works with every version of the API server. */
  #portForward(head: RequestHead, headers: Record<string, string | string[]>): void {
    const send = this.#target.url.startsWith("https:") ? httpsRequest : httpRequest;
    const upgrade = {
      ...headers,
      connection: "Upgrade",
      upgrade: "SPDY/3.1",
      "x-stream-protocol-version": "portforward.k8s.io",
    };
    const request = send(this.#target.url + head.target, {
      ...{ method: "POST", headers: upgrade, agent: false },
      ...(this.#target.url.startsWith("https:") ? this.#tls : {}),
    });
    const early: Uint8Array[] = [];
    let stream: Duplex | null = null;
    request.on("error", (error) => this.#failed(error));
    request.on("response", (response) => {
      this.#head(head, response.statusCode ?? 502, response.headers, null);
      this.#stream(response);
    });
    request.on("upgrade", (response, socket, first) => {
      if (response.headers.upgrade?.toLowerCase() !== "spdy/3.1") {
        socket.destroy();
        this.#reset("TARGET_UPGRADE", "the target upgraded to another protocol");
        return;
      }
      stream = socket;
      this.#head(head, 101, {}, "SPDY/3.1+portforward.k8s.io");
      if (first.length > 0) socket.unshift(first);
      this.#stream(socket);
      for (const bytes of early.splice(0)) socket.write(bytes, () => this.#drained(bytes.length));
    });
    request.end();
    this.#running = {
      write: (bytes) => {
        if (stream === null) early.push(bytes);
        else stream.write(bytes, () => this.#drained(bytes.length));
      },
      end: () => stream?.end(),
      abort: () => {
        request.destroy();
        stream?.destroy();
      },
    };
  }

  #head(head: RequestHead, status: number, headers: IncomingHttpHeaders, upgraded: string | null): void {
    const pairs: [string, string][] = [];
    for (const [name, value] of Object.entries(headers)) {
      for (const one of Array.isArray(value) ? value : [value ?? ""]) {
        if (pairs.length < 128 && /^[\t\x20-\x7e]*$/.test(one) && one.length <= 16_384)
          pairs.push([name, one]);
      }
    }
    const message: ResponseHead = { t: "response", n: head.n, status, headers: pairs, upgraded };
    this.#sender.control(JSON.stringify(message));
  }

  /** Streams the answer's bytes, pausing its source while the edge gives no credit. */
  #stream(source: IncomingMessage | Duplex): void {
    const gathering = new Gathering((bytes) => {
      if (this.#closed) return;
      this.#sender.data(bytes);
      if (this.#sender.queued > 0 && this.#resume === null) {
        source.pause();
        this.#resume = () => {
          this.#resume = null;
          source.resume();
        };
      }
    });
    source.on("data", (chunk: Buffer) => gathering.push(chunk));
    source.on("error", (error) => this.#failed(error));
    source.on("end", () => {
      gathering.flush();
      this.#finish();
    });
  }

  #finish(): void {
    if (this.#closed || this.#running === null) return;
    this.#running = null;
    this.#resume = null;
    this.#sender.control('{"t":"eof"}');
  }

  #drained(bytes: number): void {
    const credit = this.#window.drained(bytes);
    if (credit > 0 && !this.#closed) this.#socket.send(JSON.stringify({ t: "credit", bytes: credit }));
  }

  #failed(error: Error & { code?: string }): void {
    const tls = /CERT|SSL|TLS|ALTNAME/i.test(error.code ?? "");
    // The message may hold addresses of the private network: only its code goes to the edge.
    this.#reset(
      tls ? "TARGET_TLS" : "TARGET_UNREACHABLE",
      `the target cannot be reached (${error.code ?? "error"})`,
    );
  }

  #reset(code: string, message: string): void {
    if (this.#closed) return;
    this.#socket.send(JSON.stringify({ t: "reset", code, message }));
    this.close();
    this.#socket.close(1000, code);
  }
}

/** Headers for Node: repeated names become lists. */
function flat(pairs: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of pairs) {
    const known = out[name];
    out[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
  }
  return out;
}
