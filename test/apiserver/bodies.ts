/** What the stand-in reads of a request: bodies in JSON and protobuf, selectors. */
import type { IncomingMessage } from "node:http";
import { bytesOf, readFields, readProtobufIdentity, textOf } from "../../wire/kubernetes/protobuf.ts";
import type { Loose } from "./kinds.ts";

/** Whether an object fits the selectors of a query. */
export function selects(query: ReadonlyMap<string, string>): (object: Loose) => boolean {
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

/** The object that a body has; null when it cannot be read. */
export function readBody(request: IncomingMessage, body: Buffer): Loose | null {
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
