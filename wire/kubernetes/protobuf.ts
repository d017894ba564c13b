/**
 * Reads what a decision needs from a protobuf request body without any schema: `k8s\0` and `runtime.Unknown`
 * {1: TypeMeta {1: apiVersion, 2: kind}, 2: raw}; field 1 of every object that a client creates is ObjectMeta
 * {1: name, 2: generateName, 3: namespace, 11: labels}. (k8s.io/apimachinery pkg/runtime/generated.proto,
 * pkg/apis/meta/v1/generated.proto)
 */

/** Type and identity of an object. */
export interface ObjectIdentity {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly generateName: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export const PROTOBUF_MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

/** Null when the bytes are not a well-formed Kubernetes protobuf object. A field given twice is an error. */
export function readProtobufIdentity(
  body: Uint8Array,
): (ObjectIdentity & { readonly raw: Uint8Array }) | null {
  if (body.length < 4 || PROTOBUF_MAGIC.some((byte, i) => body[i] !== byte)) return null;
  const unknown = readFields(body.subarray(4));
  if (unknown === null) return null;
  const typeMeta = bytesOf(unknown, 1);
  const raw = bytesOf(unknown, 2);
  // Fields 3 and 4 are contentEncoding and contentType: anything but plain is refused.
  if (typeMeta === null || raw === null || textOf(unknown, 3) !== "" || textOf(unknown, 4) !== "")
    return null;
  const type = readFields(typeMeta);
  const object = readFields(raw);
  if (type === null || object === null) return null;
  const apiVersion = textOf(type, 1);
  const kind = textOf(type, 2);
  const metaBytes = bytesOf(object, 1);
  const meta = metaBytes === null ? [] : readFields(metaBytes);
  if (meta === null || apiVersion === null || kind === null) return null;
  const name = textOf(meta, 1);
  const generateName = textOf(meta, 2);
  const namespace = textOf(meta, 3);
  if (name === null || generateName === null || namespace === null) return null;
  const labels: Record<string, string> = {};
  for (const field of meta) {
    if (field.number !== 11 || field.bytes === null) continue;
    const entry = readFields(field.bytes);
    const key = entry && textOf(entry, 1);
    const value = entry && textOf(entry, 2);
    if (typeof key !== "string" || typeof value !== "string" || Object.hasOwn(labels, key)) return null;
    Object.defineProperty(labels, key, { value, enumerable: true });
  }
  return { apiVersion, kind, name, generateName, namespace, labels, raw };
}

/** One field; `bytes` is null for numbers. */
export interface ProtobufField {
  readonly number: number;
  readonly bytes: Uint8Array | null;
  /** Value of a varint field, when it fits. */
  readonly varint: number | null;
}

const MAX_FIELDS = 10_000;

/** The fields of one message in order; null when the bytes are not one. */
export function readFields(bytes: Uint8Array): ProtobufField[] | null {
  const fields: ProtobufField[] = [];
  let at = 0;
  const varint = (): number | null => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) return null;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return null;
  };
  while (at < bytes.length) {
    if (fields.length >= MAX_FIELDS) return null;
    const tag = varint();
    if (tag === null || tag > 0xffffffff) return null;
    const number = Math.floor(tag / 8);
    if (number === 0) return null;
    switch (tag % 8) {
      case 0: {
        const value = varint();
        if (value === null) return null;
        fields.push({ number, bytes: null, varint: value });
        break;
      }
      case 1:
      case 5: {
        at += tag % 8 === 1 ? 8 : 4;
        if (at > bytes.length) return null;
        fields.push({ number, bytes: null, varint: null });
        break;
      }
      case 2: {
        const length = varint();
        if (length === null || at + length > bytes.length) return null;
        fields.push({ number, bytes: bytes.subarray(at, at + length), varint: null });
        at += length;
        break;
      }
      default:
        return null;
    }
  }
  return fields;
}

/** The one length-delimited field of a number; null when absent or repeated. */
export function bytesOf(fields: readonly ProtobufField[], number: number): Uint8Array | null {
  const found = fields.filter((field) => field.number === number);
  return found.length === 1 ? found[0]!.bytes : null;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a field: "" when absent, null when it is repeated, a number or not UTF-8. */
export function textOf(fields: readonly ProtobufField[], number: number): string | null {
  const found = fields.filter((field) => field.number === number);
  if (found.length === 0) return "";
  if (found.length > 1 || found[0]!.bytes === null) return null;
  try {
    return utf8.decode(found[0]!.bytes);
  } catch {
    return null;
  }
}
