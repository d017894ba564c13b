/**
 * A stand-in for a Kubernetes API server, for tests: no registry has a real one. It keeps objects in memory and
 * serves the parts of the API that kubectl, helm and the gate touch: discovery, lists, watches, Tables, patches,
 * logs, exec and attach with real processes, port-forward with real sockets. What it proves is proved by real
 * clients agreeing on it directly and through the gate; it is no measure of a cluster.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { makeCertificates } from "../../wire/certificate.ts";
import { type RequestInfo, requestInfo } from "../../wire/kubernetes/attributes.ts";
import { failure } from "../../wire/kubernetes/status.ts";
import { aggregatedDiscovery, type Kind, kinds, legacyDiscovery } from "./kinds.ts";
import { serveOpenApi } from "./openapi.ts";
import { send, sendStatus } from "./replies.ts";
import { serveResource } from "./resources.ts";
import { seed } from "./seed.ts";
import { Store } from "./store.ts";
import { serveUpgrade } from "./streams.ts";

/** A request as it arrived, for assertions. */
export interface SeenRequest {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly raw: readonly string[];
}

export interface ApiServer {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** PEM of its authority. */
  readonly ca: string;
  /** The service account token that it takes. */
  readonly token: string;
  readonly store: Store;
  readonly seen: SeenRequest[];
  /** Closes the connections on which nothing is asked just now. */
  closeIdle(): void;
  close(): Promise<void>;
}

type Pairs = [string, string][];

/** Starts one on a free port of the loopback with the seed objects. */
export async function startApiServer(): Promise<ApiServer> {
  const made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  const store = new Store();
  seed(store);
  const seen: SeenRequest[] = [];
  const token = `sa-${crypto.randomUUID()}`;
  const allowed = (request: IncomingMessage): number => {
    seen.push({
      method: request.method ?? "",
      target: request.url ?? "",
      headers: request.headers,
      raw: request.rawHeaders,
    });
    return request.headers.authorization === `Bearer ${token}` ? 0 : 401;
  };
  const server: Server = createServer({ cert: made.certificate, key: made.key }, (request, response) => {
    const code = allowed(request);
    if (code !== 0) return sendStatus(response, code, "Unauthorized");
    serve(store, request, response).catch((error: unknown) => {
      if (!response.headersSent) sendStatus(response, 500, String(error));
      else response.destroy();
    });
  });
  server.on("upgrade", (request, socket, head) => {
    const { pathname, pairs } = parse(request);
    const info = requestInfo(request.method ?? "", segmentsOf(pathname), pairs);
    const pod = "error" in info ? null : kindOf(info);
    const object = pod === null || "error" in info ? null : store.get(pod, info.namespace, info.name);
    const code = allowed(request) || (object === null ? 404 : 0);
    if (code !== 0 || "error" in info) {
      const body = JSON.stringify(failure(code, "not found"));
      socket.end(
        `HTTP/1.1 ${code} x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return;
    }
    serveUpgrade(info, pairs, request, socket, head);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    ca: made.authority,
    token,
    store,
    seen,
    closeIdle: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function parse(request: IncomingMessage): { pathname: string; pairs: Pairs } {
  const [path, search = ""] = (request.url ?? "/").split("?") as [string, string?];
  // As Go does: decoded once, never cleaned.
  return { pathname: decodeURIComponent(path), pairs: [...new URLSearchParams(search)] };
}

function segmentsOf(pathname: string): string[] {
  const trimmed = pathname.replace(/^\/+|\/+$/g, "");
  return trimmed === "" ? [] : trimmed.split("/");
}

function kindOf(info: RequestInfo): Kind | null {
  return (
    kinds.find(
      ({ group, version, resource }) =>
        group === info.group && version === info.version && resource === info.resource,
    ) ?? null
  );
}

async function serve(store: Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, pairs } = parse(request);
  const accept = request.headers.accept ?? "";
  if (pathname === "/version")
    return send(response, 200, { major: "1", minor: "36", gitVersion: "v1.36.0", platform: "stand-in" });
  if (pathname.startsWith("/openapi/v3")) return serveOpenApi(pathname, response);
  if (pathname === "/api" || pathname === "/apis") {
    const version = /v=(v2|v2beta1);as=APIGroupDiscoveryList/.exec(accept.replaceAll(" ", ""))?.[1];
    if (version !== undefined) {
      const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      return send(response, 200, aggregatedDiscovery(pathname === "/api", version), type);
    }
  }
  const legacy = legacyDiscovery(pathname);
  if (legacy !== null) return send(response, 200, legacy);
  const info = requestInfo(request.method ?? "", segmentsOf(pathname), pairs);
  if ("error" in info) return sendStatus(response, 500, info.error);
  const kind = info.isResource ? kindOf(info) : null;
  if (kind === null) return sendStatus(response, 404, "the server could not find the requested resource");
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  await serveResource(store, kind, info, pairs, request, Buffer.concat(chunks), response);
}
