/** The stand-in's answers that do not end: watches, and logs that are followed. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestInfo } from "../../wire/kubernetes/attributes.ts";
import { groupVersion, type Kind, type Loose, partial, table } from "./kinds.ts";
import { isPartial, tableVersion } from "./replies.ts";
import type { Store } from "./store.ts";

/** Tells of changes until the client leaves or the time is over. */
export function watch(
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
  const end = () => {
    stop();
    response.end();
  };
  const timer = seconds > 0 ? setTimeout(end, seconds * 1000) : undefined;
  response.on("close", () => {
    clearTimeout(timer);
    stop();
  });
}

/** Lines with a token in them; the container "quiet" says nothing more while it is followed. */
export function logs(store: Store, query: ReadonlyMap<string, string>, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/plain" });
  response.write(
    "started\ntoken eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ used\n",
  );
  if (query.get("follow") !== "true") {
    response.end("ready\n");
    return;
  }
  let line = 0;
  const quiet = query.get("container") === "quiet";
  const timer = quiet ? undefined : setInterval(() => response.write(`line ${++line}\n`), 50);
  store.followers += 1;
  response.on("close", () => {
    clearInterval(timer);
    store.followers -= 1;
  });
}
