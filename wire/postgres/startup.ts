/**
 * Start-up packets: the only messages without a type byte ("Start-up", "SSL Session Encryption",
 * "Canceling Requests in Progress").
 */
import { BodyReader, MessageWriter } from "./cursor.ts";

/** PostgreSQL's own cap (MAX_STARTUP_PACKET_LENGTH), bytes. */
export const MAX_STARTUP_PACKET = 10_000;

const cancelCode = 80877102;
const sslCode = 80877103;
const gssCode = 80877104;

export type StartupPacket =
  | { readonly kind: "ssl" }
  | { readonly kind: "gss" }
  | { readonly kind: "cancel"; readonly processId: number; readonly secretKey: Uint8Array }
  | {
      readonly kind: "startup";
      readonly major: number;
      readonly minor: number;
      /** In the order sent; a name may come twice. */
      readonly parameters: readonly (readonly [name: string, value: string])[];
    };

export type StartupRead =
  | { readonly ok: true; readonly packet: StartupPacket; readonly size: number }
  | { readonly ok: true; readonly packet: null }
  | { readonly ok: false; readonly message: string };

/** Reads the packet at the start of `bytes`; `packet` is null while it is not complete. */
export function readStartupPacket(bytes: Uint8Array): StartupRead {
  if (bytes.length < 4) return { ok: true, packet: null };
  const reader = new BodyReader(bytes);
  const size = reader.int32();
  if (size < 8 || size > MAX_STARTUP_PACKET) return bad("invalid length of startup packet");
  if (bytes.length < size) return { ok: true, packet: null };
  const body = new BodyReader(bytes, 4, size);
  const code = body.int32();
  if (code === sslCode || code === gssCode) {
    if (size !== 8) return bad("invalid length of startup packet");
    return { ok: true, packet: { kind: code === sslCode ? "ssl" : "gss" }, size };
  }
  if (code === cancelCode) {
    // 4 bytes of key before protocol 3.2, up to 256 from there on.
    if (size < 16 || size > 12 + 256) return bad("invalid length of cancel request");
    return {
      ok: true,
      packet: { kind: "cancel", processId: body.int32(), secretKey: body.take(size - 12).slice() },
      size,
    };
  }
  const parameters: [string, string][] = [];
  const major = code >>> 16;
  const minor = code & 0xffff;
  if (major !== 3) return { ok: true, packet: { kind: "startup", major, minor, parameters }, size };
  while (body.at < size - 1) {
    const name = body.cstring();
    // An empty name is the terminator, which may only come last.
    if (body.failed || name === "")
      return bad("invalid startup packet layout: expected terminator as last byte");
    const value = body.cstring();
    if (body.failed) return bad("invalid startup packet layout: expected terminator as last byte");
    parameters.push([name, value]);
  }
  if (body.uint8() !== 0 || !body.complete)
    return bad("invalid startup packet layout: expected terminator as last byte");
  return { ok: true, packet: { kind: "startup", major, minor, parameters }, size };
}

function bad(message: string): StartupRead {
  return { ok: false, message };
}

/** StartupMessage. */
export function startupMessage(parameters: Readonly<Record<string, string>>, minor = 0): Uint8Array {
  const writer = new MessageWriter().begin(null).int32((3 << 16) | minor);
  for (const [name, value] of Object.entries(parameters)) writer.cstring(name).cstring(value);
  return writer.uint8(0).end().bytes();
}

/** SSLRequest. */
export function sslRequest(): Uint8Array {
  return new MessageWriter().begin(null).int32(sslCode).end().bytes();
}

/** GSSENCRequest. */
export function gssRequest(): Uint8Array {
  return new MessageWriter().begin(null).int32(gssCode).end().bytes();
}

/** CancelRequest. */
export function cancelRequest(processId: number, secretKey: Uint8Array): Uint8Array {
  return new MessageWriter().begin(null).int32(cancelCode).int32(processId).raw(secretKey).end().bytes();
}
