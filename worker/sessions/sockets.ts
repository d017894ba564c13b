/**
 * What is peculiar about WebSockets in workerd, in one place.
 *
 * - `accept()`ed sockets deliver Blobs unless `binaryType` is set before;
 * - `close` throws for the codes 1004, 1005, 1006, 1015 and for reasons over 123 bytes;
 * - `send` and `close` after a close throw.
 */

/** Closed as planned. */
export const CLOSE_NORMAL = 1000;
/** Ended by the edge: the reason is a code in UPPER_SNAKE. Not to be retried by itself. */
export const CLOSE_ENDED = 4000;
/** The peer broke the protocol. */
export const CLOSE_VIOLATION = 4400;

/** The two ends of a new socket; `server` is accepted and delivers ArrayBuffers. */
export function acceptPair(): { client: WebSocket; server: WebSocket } {
  const pair = new WebSocketPair();
  const server = pair[1];
  server.binaryType = "arraybuffer";
  server.accept();
  return { client: pair[0], server };
}

/** The answer to a handshake. */
export function upgraded(client: WebSocket, protocol: string | null): Response {
  const headers: HeadersInit = protocol === null ? {} : { "sec-websocket-protocol": protocol };
  return new Response(null, { status: 101, webSocket: client, headers });
}

/** A code that may be sent, for one that was received or is meant. */
export function sendableCode(code: number): number {
  if (code === 1005) return CLOSE_NORMAL;
  if (code === 1004 || code === 1006 || code === 1015) return 1011;
  return code >= 1000 && code <= 4999 ? code : 1011;
}

/** Closes a socket, whatever its state. `reason` must be ASCII; it is cut to what fits. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(sendableCode(code), reason.slice(0, 120));
  } catch {
    // Closed already.
  }
}

/** Sends; false when the socket is closed. */
export function trySend(socket: WebSocket, message: string | Uint8Array): boolean {
  try {
    socket.send(message);
    return true;
  } catch {
    return false;
  }
}

/** Resolves after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
