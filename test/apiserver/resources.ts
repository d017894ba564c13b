/** What the stand-in does with objects: reads, writes, lists, by the verbs of the API server. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestInfo } from "../../wire/kubernetes/attributes.ts";
import { failure } from "../../wire/kubernetes/status.ts";
import { readBody, selects } from "./bodies.ts";
import { groupVersion, type Kind, type Loose, partial, table } from "./kinds.ts";
import { jsonPatch, mergePatch, strategicPatch } from "./patch.ts";
import { isPartial, send, sendObject, sendStatus, tableVersion } from "./replies.ts";
import type { Store } from "./store.ts";
import { logs, watch } from "./watches.ts";

/** Serves a request for objects of one kind. */
export async function serveResource(
  store: Store,
  kind: Kind,
  info: RequestInfo,
  pairs: readonly (readonly [string, string])[],
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
      if (info.subresource === "log") return logs(store, query, response);
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
