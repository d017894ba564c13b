/** Messages from a client: decoders of bodies, and builders of whole messages. */
import { BodyReader, decodeUtf8, MessageWriter } from "./cursor.ts";
import {
  type BindMessage,
  type Decoded,
  type ExecuteMessage,
  Frontend,
  type Malformed,
  type ParseMessage,
  type QueryMessage,
  type TargetMessage,
} from "./messages.ts";

const lengths = { ok: false, malformed: "LENGTHS" } as const;

function refuse(reader: BodyReader): { readonly ok: false; readonly malformed: Malformed } {
  return reader.notUtf8 ? { ok: false, malformed: "NOT_UTF8" } : lengths;
}

/** Query: exactly one string. */
export function decodeQuery(bytes: Uint8Array, start = 0, end: number = bytes.length): Decoded<QueryMessage> {
  if (end <= start || bytes[end - 1] !== 0) return lengths;
  if (bytes.indexOf(0, start) !== end - 1) return { ok: false, malformed: "EMBEDDED_NUL" };
  const text = decodeUtf8(bytes.subarray(start, end - 1));
  return text === null ? { ok: false, malformed: "NOT_UTF8" } : { ok: true, message: { text } };
}

/** Parse: name, text, parameter types. */
export function decodeParse(bytes: Uint8Array, start = 0, end: number = bytes.length): Decoded<ParseMessage> {
  const reader = new BodyReader(bytes, start, end);
  const name = reader.cstring();
  const text = reader.cstring();
  const count = reader.uint16();
  // A NUL inside the text shows as a count that does not match what follows.
  if (reader.failed || reader.end - reader.at !== count * 4) return refuse(reader);
  const parameterTypes: number[] = [];
  for (let i = 0; i < count; i++) parameterTypes.push(reader.uint32());
  return { ok: true, message: { name, text, parameterTypes } };
}

/** Bind: the parameters are views. */
export function decodeBind(bytes: Uint8Array, start = 0, end: number = bytes.length): Decoded<BindMessage> {
  const reader = new BodyReader(bytes, start, end);
  const portal = reader.cstring();
  const statement = reader.cstring();
  const parameterFormats = readFormats(reader);
  const count = reader.uint16();
  if (reader.failed || !fitsCount(parameterFormats.length, count)) return refuse(reader);
  const parameters: (Uint8Array | null)[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    const length = reader.int32();
    if (length < -1) return lengths;
    parameters.push(length === -1 ? null : reader.take(length));
  }
  const resultFormats = readFormats(reader);
  if (!reader.complete) return refuse(reader);
  return { ok: true, message: { portal, statement, parameterFormats, parameters, resultFormats } };
}

function readFormats(reader: BodyReader): number[] {
  const formats: number[] = [];
  const count = reader.uint16();
  for (let i = 0; i < count && !reader.failed; i++) {
    const format = reader.uint16();
    if (format > 1) reader.failed = true;
    formats.push(format);
  }
  return formats;
}

function fitsCount(formats: number, values: number): boolean {
  return formats <= 1 || formats === values;
}

/** Describe or Close. */
export function decodeTarget(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): Decoded<TargetMessage> {
  const reader = new BodyReader(bytes, start, end);
  const kind = reader.uint8();
  const name = reader.cstring();
  if (!reader.complete || (kind !== 0x53 && kind !== 0x50)) return refuse(reader);
  return { ok: true, message: { target: kind === 0x53 ? "statement" : "portal", name } };
}

/** Execute. A negative limit is none, as PostgreSQL takes it. */
export function decodeExecute(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): Decoded<ExecuteMessage> {
  const reader = new BodyReader(bytes, start, end);
  const portal = reader.cstring();
  const maxRows = reader.int32();
  if (!reader.complete) return refuse(reader);
  return { ok: true, message: { portal, maxRows: Math.max(0, maxRows) } };
}

/**
 * The parameters of a Bind as text, for people: text format decoded, binary format as `\x` and hexadecimal,
 * NULL as null.
 */
export function bindTexts(bind: BindMessage): (string | null)[] {
  return bind.parameters.map((value, i) => {
    if (value === null) return null;
    const text = formatOf(bind.parameterFormats, i) === 0 ? decodeUtf8(value) : null;
    return text ?? `\\x${toHex(value)}`;
  });
}

/** Format of the i-th value: 0 text, 1 binary. */
export function formatOf(formats: readonly number[], i: number): number {
  return (formats.length === 1 ? formats[0] : formats[i]) ?? 0;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += (byte < 16 ? "0" : "") + byte.toString(16);
  return hex;
}

export function queryMessage(text: string): Uint8Array {
  return new MessageWriter(text.length + 16).begin(Frontend.Query).cstring(text).end().bytes();
}

export function parseMessage(name: string, text: string, parameterTypes: readonly number[] = []): Uint8Array {
  const writer = new MessageWriter(text.length + 64).begin(Frontend.Parse).cstring(name).cstring(text);
  writer.int16(parameterTypes.length);
  for (const oid of parameterTypes) writer.int32(oid);
  return writer.end().bytes();
}

export function bindMessage(bind: {
  readonly portal?: string;
  readonly statement?: string;
  readonly parameterFormats?: readonly number[];
  readonly parameters?: readonly (Uint8Array | string | null)[];
  readonly resultFormats?: readonly number[];
}): Uint8Array {
  const writer = new MessageWriter().begin(Frontend.Bind);
  writer.cstring(bind.portal ?? "").cstring(bind.statement ?? "");
  writer.int16(bind.parameterFormats?.length ?? 0);
  for (const format of bind.parameterFormats ?? []) writer.int16(format);
  writer.int16(bind.parameters?.length ?? 0);
  for (const value of bind.parameters ?? []) {
    if (value === null) {
      writer.int32(-1);
      continue;
    }
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    writer.int32(bytes.length).raw(bytes);
  }
  writer.int16(bind.resultFormats?.length ?? 0);
  for (const format of bind.resultFormats ?? []) writer.int16(format);
  return writer.end().bytes();
}

export function describeMessage(target: "statement" | "portal", name = ""): Uint8Array {
  return targetMessage(Frontend.Describe, target, name);
}

export function closeMessage(target: "statement" | "portal", name = ""): Uint8Array {
  return targetMessage(Frontend.Close, target, name);
}

function targetMessage(type: number, target: "statement" | "portal", name: string): Uint8Array {
  const kind = target === "statement" ? 0x53 : 0x50;
  return new MessageWriter().begin(type).uint8(kind).cstring(name).end().bytes();
}

export function executeMessage(portal = "", maxRows = 0): Uint8Array {
  return new MessageWriter().begin(Frontend.Execute).cstring(portal).int32(maxRows).end().bytes();
}

export function copyDataMessage(bytes: Uint8Array): Uint8Array {
  return new MessageWriter(bytes.length + 8).begin(Frontend.CopyData).raw(bytes).end().bytes();
}

export function copyFailMessage(reason: string): Uint8Array {
  return new MessageWriter().begin(Frontend.CopyFail).cstring(reason).end().bytes();
}

/** Sync, Flush, Terminate or CopyDone: a type and nothing else. */
export function bareMessage(type: number): Uint8Array {
  return Uint8Array.of(type, 0, 0, 0, 4);
}
