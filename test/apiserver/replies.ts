/** How the stand-in answers: shapes that a client may ask for, and what it sends. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { failure } from "../../wire/kubernetes/status.ts";
import { type Kind, type Loose, partial, table } from "./kinds.ts";

/** Version of the Table that the client would rather have, or null. */
export function tableVersion(request: IncomingMessage): string | null {
  const first = (request.headers.accept ?? "").split(",")[0]!;
  return /as=Table/.test(first) ? (/v=(v1beta1|v1)/.exec(first)?.[1] ?? "v1") : null;
}

/** Whether it would rather have metadata alone. */
export function isPartial(request: IncomingMessage): boolean {
  return /as=PartialObjectMetadata/.test((request.headers.accept ?? "").split(",")[0]!);
}

/** Sends an object in the shape that was asked for. */
export function sendObject(
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

/** Sends JSON, with headers that a gate must not pass on. */
export function send(
  response: ServerResponse,
  code: number,
  value: unknown,
  type = "application/json",
): void {
  response.writeHead(code, { "content-type": type, "set-cookie": "upstream=1", "x-upstream": "1" });
  response.end(`${JSON.stringify(value)}\n`);
}

/** Sends a failure. */
export function sendStatus(response: ServerResponse, code: number, message: string): void {
  send(response, code, failure(code, message));
}
