/**
 * A stand-in for a Kubernetes API server, for tests: no registry has a real one. It keeps objects in memory and
 * serves the parts of the API that kubectl, helm and the gate touch: discovery, lists, watches, Tables, patches,
 * logs, exec and attach with real processes, port-forward with real sockets. What it proves is proved by real
 * clients agreeing on it directly and through the gate; it is no measure of a cluster.
 */
import { existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { makeCertificates } from "../../wire/certificate.ts";
import { type RequestInfo, requestInfo } from "../../wire/kubernetes/attributes.ts";
import { bytesOf, readFields, readProtobufIdentity, textOf } from "../../wire/kubernetes/protobuf.ts";
import { failure } from "../../wire/kubernetes/status.ts";
import {
  aggregatedDiscovery,
  groupVersion,
  type Kind,
  kinds,
  type Loose,
  legacyDiscovery,
  openApi,
  partial,
  table,
} from "./kinds.ts";
import { jsonPatch, mergePatch, strategicPatch } from "./patch.ts";
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
  await resource(store, kind, info, pairs, request, Buffer.concat(chunks), response);
}

async function resource(
  store: Store,
  kind: Kind,
  info: RequestInfo,
  pairs: Pairs,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const query = new Map(pairs.toReversed());
  const dry = query.get("dryRun") === "All";
  const show = (code: number, object: Loose) => sendObject(response, code, kind, object, request, query);
  const missing = () =>
    send(
      response,
      404,
      failure(404, `${kind.resource} "${info.name}" not found`, { name: info.name, kind: kind.resource }),
    );
  if (kind.resource.startsWith("selfsubject")) {
    return send(response, 201, {
      kind: kind.kind,
      apiVersion: groupVersion(kind),
      metadata: {},
      status: { allowed: true },
    });
  }
  switch (info.verb) {
    case "list":
    case "watch": {
      const fits = selects(query);
      if (info.verb === "watch") return watch(store, kind, info, query, fits, request, response);
      const all = store.list(kind, info.namespace, fits);
      const from = Number(query.get("continue") ?? 0);
      const limit = Number(query.get("limit") ?? 0) || all.length;
      const more = from + limit < all.length ? { continue: String(from + limit) } : {};
      const metadata = { resourceVersion: store.version, ...more };
      const page = all.slice(from, from + limit);
      const version = tableVersion(request);
      if (version !== null)
        return send(response, 200, table(kind, page, query.get("includeObject") ?? null, metadata, version));
      const items = isPartial(request) ? page.map(partial) : page;
      return send(response, 200, {
        kind: `${kind.kind}List`,
        apiVersion: groupVersion(kind),
        metadata,
        items,
      });
    }
    case "get": {
      const object = store.get(kind, info.namespace, info.name);
      if (object === null) return missing();
      if (info.subresource === "log") return logs(query, response);
      if (info.subresource === "scale") return send(response, 200, scaleOf(object));
      return show(200, object);
    }
    case "create": {
      if (info.subresource === "token") {
        return send(response, 201, {
          kind: "TokenRequest",
          apiVersion: "authentication.k8s.io/v1",
          metadata: {},
          status: { token: "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZWFsIn0.c2lnbmF0dXJl" },
        });
      }
      if (info.subresource === "eviction") {
        const pod = store.get(kind, info.namespace, info.name);
        if (pod === null) return missing();
        if (!dry) store.remove(kind, pod);
        return send(response, 201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
      }
      const object = readBody(request, body);
      const name = object?.metadata?.name ?? `${object?.metadata?.generateName ?? ""}x1`;
      if (object === null || name === "x1") return sendStatus(response, 400, "the body has no name");
      if (store.get(kind, info.namespace, name) !== null) {
        return send(
          response,
          409,
          failure(409, `${kind.resource} "${name}" already exists`, { name, kind: kind.resource }),
        );
      }
      const metadata = {
        ...object.metadata,
        name,
        ...(kind.namespaced ? { namespace: info.namespace } : {}),
      };
      return show(
        201,
        store.put(kind, { kind: kind.kind, apiVersion: groupVersion(kind), ...object, metadata }, dry),
      );
    }
    case "update":
    case "patch": {
      const known = store.get(kind, info.namespace, info.name);
      const type = (request.headers["content-type"] ?? "").split(";")[0];
      if (known === null && type !== "application/apply-patch+yaml") return missing();
      const given =
        type === "application/vnd.kubernetes.protobuf"
          ? readBody(request, body)
          : JSON.parse(body.toString());
      if (info.subresource === "scale") {
        const spec = { ...known.spec, replicas: given.spec?.replicas ?? known.spec?.replicas };
        return send(response, 200, scaleOf(store.put(kind, { ...known, spec }, dry)));
      }
      let next: Loose;
      try {
        next =
          info.verb === "update"
            ? { ...given, status: given.status ?? known.status }
            : type === "application/json-patch+json"
              ? jsonPatch(known, given)
              : type === "application/strategic-merge-patch+json"
                ? strategicPatch(known, given)
                : mergePatch(known ?? { kind: kind.kind, apiVersion: groupVersion(kind) }, given);
      } catch (error) {
        return send(
          response,
          422,
          failure(
            422,
            `${kind.kind} "${info.name}" is invalid: ${error}: ${JSON.stringify(known.data ?? {})}`,
          ),
        );
      }
      next.metadata = {
        ...next.metadata,
        name: info.name,
        ...(kind.namespaced ? { namespace: info.namespace } : {}),
      };
      return show(known === null ? 201 : 200, store.put(kind, next, dry));
    }
    case "delete": {
      const object = store.get(kind, info.namespace, info.name);
      if (object === null) return missing();
      if (!dry) store.remove(kind, object);
      return send(response, 200, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Success",
        details: { name: info.name, kind: kind.resource, uid: object.metadata.uid },
      });
    }
    case "deletecollection": {
      const items = store.list(kind, info.namespace, selects(query));
      for (const object of items) if (!dry) store.remove(kind, object);
      return send(response, 200, {
        kind: `${kind.kind}List`,
        apiVersion: groupVersion(kind),
        metadata: {},
        items,
      });
    }
    default:
      return sendStatus(response, 405, `the server does not allow ${info.verb}`);
  }
}

function watch(
  store: Store,
  kind: Kind,
  info: RequestInfo,
  query: ReadonlyMap<string, string>,
  fits: (object: Loose) => boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const version = tableVersion(request);
  const shape = (object: Loose) =>
    version !== null
      ? table(kind, [object], query.get("includeObject") ?? null, {}, version)
      : isPartial(request)
        ? partial(object)
        : object;
  const emit = (type: string, object: Loose) => response.write(`${JSON.stringify({ type, object })}\n`);
  const here = (object: Loose) =>
    (info.namespace === "" || object.metadata.namespace === info.namespace) && fits(object);
  if (query.get("sendInitialEvents") === "true" || (query.get("resourceVersion") ?? "0") === "0") {
    for (const object of store.list(kind, info.namespace, fits)) emit("ADDED", shape(object));
    if (query.get("sendInitialEvents") === "true") {
      const metadata = {
        resourceVersion: store.version,
        annotations: { "k8s.io/initial-events-end": "true" },
      };
      emit("BOOKMARK", { kind: kind.kind, apiVersion: groupVersion(kind), metadata });
    }
  }
  const stop = store.watch(kind, ({ type, object }) => {
    if (here(object)) emit(type, shape(object));
  });
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  const timer = seconds > 0 ? setTimeout(() => response.end(), seconds * 1000) : undefined;
  response.on("close", () => {
    clearTimeout(timer);
    stop();
  });
}

function logs(query: ReadonlyMap<string, string>, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/plain" });
  response.write(
    "started\ntoken eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ used\n",
  );
  if (query.get("follow") !== "true") {
    response.end("ready\n");
    return;
  }
  let line = 0;
  const timer = setInterval(() => response.write(`line ${++line}\n`), 50);
  response.on("close", () => clearInterval(timer));
}

const fixtures = join(
  process.env["WICKET_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures"),
  "kubernetes/openapi-v3",
);

function serveOpenApi(path: string, response: ServerResponse): void {
  const versions = [...new Set(kinds.map(groupVersion))];
  const pathOf = (gv: string) => (gv.includes("/") ? `apis/${gv}` : `api/${gv}`);
  if (path === "/openapi/v3") {
    const paths = Object.fromEntries(
      versions.map((gv) => [pathOf(gv), { serverRelativeURL: `/openapi/v3/${pathOf(gv)}?hash=1` }]),
    );
    send(response, 200, { paths });
    return;
  }
  const gv = versions.find((found) => path === `/openapi/v3/${pathOf(found)}`);
  if (gv === undefined) {
    sendStatus(response, 404, "not found");
    return;
  }
  const file = join(fixtures, `${pathOf(gv).replaceAll("/", "__")}_openapi.json`);
  if (!existsSync(file)) {
    send(response, 200, openApi(gv));
    return;
  }
  response.writeHead(200, { "content-type": "application/json" }).end(readFileSync(file));
}

function selects(query: ReadonlyMap<string, string>): (object: Loose) => boolean {
  const terms = (text: string | undefined) => (text ?? "").split(",").filter(Boolean);
  const at = (object: Loose, path: string) => path.split(".").reduce((value, key) => value?.[key], object);
  return (object) =>
    terms(query.get("labelSelector")).every((term) => {
      const [key, value] = term.split(/==?/) as [string, string?];
      return value === undefined
        ? key in (object.metadata.labels ?? {})
        : object.metadata.labels?.[key] === value;
    }) &&
    terms(query.get("fieldSelector")).every((term) => {
      const [path, value] = term.split(/!=|==?/) as [string, string];
      return (String(at(object, path) ?? "") === value) !== term.includes("!=");
    });
}

function readBody(request: IncomingMessage, body: Buffer): Loose | null {
  if (!request.headers["content-type"]?.startsWith("application/vnd.kubernetes.protobuf"))
    return JSON.parse(body.toString());
  const identity = readProtobufIdentity(body);
  if (identity === null) return null;
  const { kind, apiVersion, name, labels, raw } = identity;
  const object = { kind, apiVersion, metadata: { name, labels } };
  if (kind !== "Secret") return object;
  // Secret {2: data map<string, bytes>, 3: type}: the one kind that clients write as protobuf with content.
  const fields = readFields(raw) ?? [];
  const data = fields
    .filter(({ number }) => number === 2)
    .map(({ bytes }) => {
      const entry = readFields(bytes!)!;
      return [textOf(entry, 1), Buffer.from(bytesOf(entry, 2) ?? []).toString("base64")];
    });
  return { ...object, data: Object.fromEntries(data), type: textOf(fields, 3) || "Opaque" };
}

function scaleOf(object: Loose) {
  const { name, namespace, resourceVersion, uid } = object.metadata;
  const spec = { replicas: object.spec?.replicas ?? 1 };
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, resourceVersion, uid },
    spec,
    status: { replicas: spec.replicas },
  };
}

/** Version of the Table that the client would rather have, or null. */
function tableVersion(request: IncomingMessage): string | null {
  const first = (request.headers.accept ?? "").split(",")[0]!;
  return /as=Table/.test(first) ? (/v=(v1beta1|v1)/.exec(first)?.[1] ?? "v1") : null;
}

function isPartial(request: IncomingMessage): boolean {
  return /as=PartialObjectMetadata/.test((request.headers.accept ?? "").split(",")[0]!);
}

function sendObject(
  response: ServerResponse,
  code: number,
  kind: Kind,
  object: Loose,
  request: IncomingMessage,
  query: ReadonlyMap<string, string>,
): void {
  const version = tableVersion(request);
  const shown =
    version !== null
      ? table(kind, [object], query.get("includeObject") ?? null, {}, version)
      : isPartial(request)
        ? partial(object)
        : object;
  send(response, code, shown);
}

function send(response: ServerResponse, code: number, value: unknown, type = "application/json"): void {
  response.writeHead(code, { "content-type": type, "set-cookie": "upstream=1", "x-upstream": "1" });
  response.end(`${JSON.stringify(value)}\n`);
}

function sendStatus(response: ServerResponse, code: number, message: string): void {
  send(response, code, failure(code, message));
}
