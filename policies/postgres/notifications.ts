/**
 * Notifications between sessions: which of those that the server sends a client may see. The connector asks before it
 * records or forwards one, and the gate asks again.
 */
import { BodyReader } from "../../wire/postgres/cursor.ts";

/** Longest payload that a server sends with blocks of the default size, bytes (NOTIFY_PAYLOAD_MAX_LENGTH in async.c). */
const MAX_PAYLOAD = 8000;
/** NotificationResponse: type, length, process, then two texts. */
const HEADER = 5;

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

/** Reads the body of a NotificationResponse; null when it is malformed or too long. */
export function readNotification(bytes: Uint8Array, start: number, end: number): Notification | null {
  const reader = new BodyReader(bytes, start, end);
  reader.uint32();
  const channel = reader.cstring();
  const payload = reader.cstring();
  return reader.complete && end - start <= MAX_PAYLOAD + 128 ? { channel, payload } : null;
}

/**
 * The whole message as a client sees it: of a channel that it may listen on, and with 0 in place of the number of the
 * process that sent it, which is another session's business. Null for any other.
 *
 * @param start where the body begins, behind type and length
 */
export function shownNotification(
  bytes: Uint8Array,
  start: number,
  end: number,
  channels: { has(channel: string): boolean },
): Uint8Array | null {
  const notification = readNotification(bytes, start, end);
  if (!notification || !channels.has(notification.channel)) return null;
  const shown = bytes.slice(start - HEADER, end);
  shown.fill(0, HEADER, HEADER + 4);
  return shown;
}
