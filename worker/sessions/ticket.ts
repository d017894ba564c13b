/**
 * The ticket of a dial-back: random, single use, and good only for the connector that was asked and until the
 * deadline. It never leaves the object's memory but in the dial message, so a reset of the object voids it.
 */
import { timingSafeEqual } from "node:crypto";

export type TicketUse = "ok" | "TICKET_INVALID" | "TICKET_USED" | "TICKET_EXPIRED" | "TICKET_FOREIGN";

export class Ticket {
  readonly value: string;
  readonly #connector: string;
  readonly #expires: number;
  #used = false;

  /** @param expires ms since the epoch */
  constructor(connector: string, expires: number) {
    this.value = hex(crypto.getRandomValues(new Uint8Array(32)));
    this.#connector = connector;
    this.#expires = expires;
  }

  /** Uses the ticket. `connector` is the name that the caller has proven. */
  use(given: string, connector: string, now: number): TicketUse {
    const encoder = new TextEncoder();
    const [a, b] = [encoder.encode(given), encoder.encode(this.value)];
    if (a.length !== b.length || !timingSafeEqual(a, b)) return "TICKET_INVALID";
    if (connector !== this.#connector) return "TICKET_FOREIGN";
    if (this.#used) return "TICKET_USED";
    if (now >= this.#expires) return "TICKET_EXPIRED";
    this.#used = true;
    return "ok";
  }
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes of lower-case hexadecimal; null when it is none. */
export function unhex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** A new session id: 26 characters, 130 random bits. It names, it does not authorise. */
export function newSessionId(): string {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(26))) id += ALPHABET[byte & 31];
  return id;
}

/** True for what `newSessionId` makes. */
export function isSessionId(text: string): boolean {
  return /^[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}
