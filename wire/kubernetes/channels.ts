/**
 * Frames of `v5.channel.k8s.io` and `v4.channel.k8s.io`: one binary WebSocket message is one frame, its first byte
 * the channel (k8s.io/apimachinery pkg/util/remotecommand, k8s.io/client-go tools/remotecommand/websocket.go).
 */

export const CHANNEL_STDIN = 0;
export const CHANNEL_STDOUT = 1;
export const CHANNEL_STDERR = 2;
/** JSON `metav1.Status` at the end. */
export const CHANNEL_ERROR = 3;
/** JSON `{"Width": columns, "Height": rows}`. */
export const CHANNEL_RESIZE = 4;
/** v5 only: `[255, channel]` closes that channel. */
export const CHANNEL_CLOSE = 255;

/** Largest message from either side, bytes. client-go and the API server write at most 32 KiB + 1. */
export const MAX_CHANNEL_MESSAGE = 64 * 1024;

export type ChannelProtocol = "v5.channel.k8s.io" | "v4.channel.k8s.io";

/** In order of preference. */
export const channelProtocols: readonly ChannelProtocol[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

export type ClientFrame =
  | { readonly t: "stdin"; readonly bytes: Uint8Array }
  | { readonly t: "resize"; readonly columns: number; readonly rows: number }
  | { readonly t: "close"; readonly channel: number };

export type ServerFrame =
  | { readonly t: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly t: "status"; readonly text: string }
  | { readonly t: "close"; readonly channel: number };

/** Reads a client's message; a string says what is wrong with it. */
export function readClientFrame(message: Uint8Array, protocol: ChannelProtocol): ClientFrame | string {
  if (message.length === 0) return "an empty message has no channel";
  if (message.length > MAX_CHANNEL_MESSAGE) return "the message is too large";
  switch (message[0]) {
    case CHANNEL_STDIN:
      return { t: "stdin", bytes: message.subarray(1) };
    case CHANNEL_RESIZE: {
      const size = parseResize(message.subarray(1));
      return size ?? "the terminal size is not valid";
    }
    case CHANNEL_CLOSE:
      if (protocol !== "v5.channel.k8s.io") return "channels cannot be closed before v5";
      if (message.length !== 2 || message[1] !== CHANNEL_STDIN)
        return "only stdin can be closed by the client";
      return { t: "close", channel: CHANNEL_STDIN };
    default:
      return `channel ${message[0]} is not the client's`;
  }
}

/** Reads a server's message; a string says what is wrong with it. */
export function readServerFrame(message: Uint8Array): ServerFrame | string {
  if (message.length === 0) return "an empty message has no channel";
  if (message.length > MAX_CHANNEL_MESSAGE) return "the message is too large";
  const rest = message.subarray(1);
  switch (message[0]) {
    case CHANNEL_STDOUT:
      return { t: "stdout", bytes: rest };
    case CHANNEL_STDERR:
      return { t: "stderr", bytes: rest };
    case CHANNEL_ERROR:
      return { t: "status", text: new TextDecoder().decode(rest) };
    case CHANNEL_CLOSE:
      return message.length === 2 ? { t: "close", channel: message[1]! } : "a close frame has two bytes";
    default:
      return `channel ${message[0]} is not the server's`;
  }
}

/** One message on a channel. */
export function channelMessage(channel: number, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(bytes.length + 1);
  message[0] = channel;
  message.set(bytes, 1);
  return message;
}

function parseResize(bytes: Uint8Array): ClientFrame | null {
  if (bytes.length > 256) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  const { Width, Height } = (value ?? {}) as { Width?: unknown; Height?: unknown };
  const fits = (n: unknown): n is number =>
    Number.isInteger(n) && (n as number) >= 0 && (n as number) <= 65535;
  return fits(Width) && fits(Height) ? { t: "resize", columns: Width, rows: Height } : null;
}

/** A message inside the session socket's byte stream: its length in four bytes, then itself. */
export function packMessage(message: Uint8Array): Uint8Array {
  const packed = new Uint8Array(message.length + 4);
  new DataView(packed.buffer).setUint32(0, message.length);
  packed.set(message, 4);
  return packed;
}

/** Takes packed messages out of a byte stream. */
export class MessageReader {
  #held: Uint8Array = new Uint8Array(0);

  /** The messages that are complete; null when one is larger than `MAX_CHANNEL_MESSAGE`. */
  push(chunk: Uint8Array): Uint8Array[] | null {
    let data = chunk;
    if (this.#held.length > 0) {
      data = new Uint8Array(this.#held.length + chunk.length);
      data.set(this.#held);
      data.set(chunk, this.#held.length);
    }
    const messages: Uint8Array[] = [];
    while (data.length >= 4) {
      const length = new DataView(data.buffer, data.byteOffset).getUint32(0);
      if (length > MAX_CHANNEL_MESSAGE) return null;
      if (data.length < 4 + length) break;
      messages.push(data.subarray(4, 4 + length));
      data = data.subarray(4 + length);
    }
    this.#held = data.slice();
    return messages;
  }
}
