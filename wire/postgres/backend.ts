/** Messages from a server: decoders of bodies, and builders of whole messages. */
import { BodyReader, decodeUtf8, MessageWriter } from "./cursor.ts";
import { toHex } from "./frontend.ts";
import { Backend, type ErrorFields, type FieldDescription } from "./messages.ts";

/**
 * ErrorResponse or NoticeResponse. Lenient, because a server is not trusted to be well-formed: text that is
 * not UTF-8 is decoded with replacement characters, a field that is cut off ends where the body ends, the
 * first of equal fields counts. `truncated` bodies (only their start was kept) are read the same way.
 */
export function decodeFields(bytes: Uint8Array, start = 0, end: number = bytes.length): ErrorFields {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  let at = start;
  while (at < end && bytes[at] !== 0) {
    const code = String.fromCharCode(bytes[at]!);
    let nul = bytes.indexOf(0, at + 1);
    if (nul < 0 || nul > end) nul = end;
    if (!(code in fields)) fields[code] = lenient.decode(bytes.subarray(at + 1, nul));
    at = nul + 1;
  }
  return fields;
}

const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** RowDescription; null when malformed. */
export function decodeRowDescription(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): FieldDescription[] | null {
  const reader = new BodyReader(bytes, start, end);
  const count = reader.uint16();
  const fields: FieldDescription[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    fields.push({
      name: reader.cstring(),
      tableOid: reader.uint32(),
      columnNumber: reader.int16(),
      typeOid: reader.uint32(),
      typeSize: reader.int16(),
      typeModifier: reader.int32(),
      format: reader.int16(),
    });
  }
  return reader.complete ? fields : null;
}

/** Values of a DataRow, as views; null for NULL. Null when malformed. */
export function decodeDataRow(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): (Uint8Array | null)[] | null {
  const reader = new BodyReader(bytes, start, end);
  const count = reader.uint16();
  const values: (Uint8Array | null)[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    const length = reader.int32();
    if (length < -1) return null;
    values.push(length === -1 ? null : reader.take(length));
  }
  return reader.complete ? values : null;
}

/** A DataRow as text, for people: text decoded, binary as `\x` and hexadecimal, NULL as null. */
export function rowTexts(
  values: readonly (Uint8Array | null)[],
  fields: readonly FieldDescription[] = [],
): (string | null)[] {
  return values.map((value, i) => {
    if (value === null) return null;
    const text = fields[i]?.format === 1 ? null : decodeUtf8(value);
    return text ?? `\\x${toHex(value)}`;
  });
}

/** ParameterStatus; null when malformed. */
export function decodeParameterStatus(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): { readonly name: string; readonly value: string } | null {
  const reader = new BodyReader(bytes, start, end);
  const name = reader.cstring();
  const value = reader.cstring();
  return reader.complete ? { name, value } : null;
}

/** CommandComplete; null when malformed. */
export function decodeCommandComplete(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): string | null {
  const reader = new BodyReader(bytes, start, end);
  const tag = reader.cstring();
  return reader.complete ? tag : null;
}

/** ParameterDescription; null when malformed. */
export function decodeParameterDescription(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): number[] | null {
  const reader = new BodyReader(bytes, start, end);
  const count = reader.uint16();
  const types: number[] = [];
  for (let i = 0; i < count && !reader.failed; i++) types.push(reader.uint32());
  return reader.complete ? types : null;
}

/** Order in which PostgreSQL sends fields; any others come last. */
const fieldOrder = "SVCMDHPpqWstcdnFLR";

/** ErrorResponse. */
export function errorResponse(fields: ErrorFields): Uint8Array {
  return fieldsMessage(Backend.ErrorResponse, fields);
}

/** NoticeResponse. */
export function noticeResponse(fields: ErrorFields): Uint8Array {
  return fieldsMessage(Backend.NoticeResponse, fields);
}

function fieldsMessage(type: number, fields: ErrorFields): Uint8Array {
  const writer = new MessageWriter(256).begin(type);
  for (const code of fieldOrder) {
    const value = fields[code];
    if (value !== undefined) writer.uint8(code.charCodeAt(0)).cstring(value);
  }
  return writer.uint8(0).end().bytes();
}

export function authenticationOk(): Uint8Array {
  return new MessageWriter(9).begin(Backend.Authentication).int32(0).end().bytes();
}

export function parameterStatus(name: string, value: string): Uint8Array {
  return new MessageWriter().begin(Backend.ParameterStatus).cstring(name).cstring(value).end().bytes();
}

export function backendKeyData(processId: number, secretKey: Uint8Array): Uint8Array {
  return new MessageWriter().begin(Backend.BackendKeyData).int32(processId).raw(secretKey).end().bytes();
}

export function readyForQuery(status: number): Uint8Array {
  return Uint8Array.of(Backend.ReadyForQuery, 0, 0, 0, 5, status);
}

/** NegotiateProtocolVersion: the newest minor version spoken, and the `_pq_.` options not understood. */
export function negotiateProtocolVersion(minor: number, unsupported: readonly string[]): Uint8Array {
  const writer = new MessageWriter().begin(Backend.NegotiateProtocolVersion);
  writer.int32((3 << 16) | minor).int32(unsupported.length);
  for (const name of unsupported) writer.cstring(name);
  return writer.end().bytes();
}

export function rowDescription(fields: readonly Partial<FieldDescription>[]): Uint8Array {
  const writer = new MessageWriter(256).begin(Backend.RowDescription).int16(fields.length);
  for (const field of fields) {
    writer
      .cstring(field.name ?? "")
      .int32(field.tableOid ?? 0)
      .int16(field.columnNumber ?? 0);
    writer
      .int32(field.typeOid ?? 25)
      .int16(field.typeSize ?? -1)
      .int32(field.typeModifier ?? -1);
    writer.int16(field.format ?? 0);
  }
  return writer.end().bytes();
}

export function dataRow(values: readonly (Uint8Array | string | null)[]): Uint8Array {
  const writer = new MessageWriter(256).begin(Backend.DataRow).int16(values.length);
  for (const value of values) {
    if (value === null) {
      writer.int32(-1);
      continue;
    }
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    writer.int32(bytes.length).raw(bytes);
  }
  return writer.end().bytes();
}

export function commandComplete(tag: string): Uint8Array {
  return new MessageWriter().begin(Backend.CommandComplete).cstring(tag).end().bytes();
}

export function notificationResponse(process: number, channel: string, payload: string): Uint8Array {
  const writer = new MessageWriter(64 + payload.length).begin(Backend.NotificationResponse).int32(process);
  return writer.cstring(channel).cstring(payload).end().bytes();
}

export function parameterDescription(types: readonly number[]): Uint8Array {
  const writer = new MessageWriter().begin(Backend.ParameterDescription).int16(types.length);
  for (const oid of types) writer.int32(oid);
  return writer.end().bytes();
}

/** CopyInResponse, CopyOutResponse or CopyBothResponse in text format with the given number of columns. */
export function copyResponse(type: number, columns: number): Uint8Array {
  const writer = new MessageWriter().begin(type).uint8(0).int16(columns);
  for (let i = 0; i < columns; i++) writer.int16(0);
  return writer.end().bytes();
}
