/**
 * Credit windows: how many data bytes may be under way in one direction of one socket. Both ends start
 * with `INITIAL_WINDOW`; the receiver gives credit back with `{"t":"credit"}` as it drains. Pure counters;
 * the owner moves the bytes.
 */

/** Largest data frame, bytes. */
export const MAX_DATA_FRAME = 64 * 1024;
/** Credit that each receiver grants at the start of a session, bytes. */
export const INITIAL_WINDOW = 1024 * 1024;

/** The sender's side: what the peer still allows. */
export class SendWindow {
  readonly limit: number;
  #available: number;

  constructor(limit: number = INITIAL_WINDOW) {
    this.limit = limit;
    this.#available = limit;
  }

  /** Bytes that may be sent now. */
  get available(): number {
    return this.#available;
  }

  /** Bytes sent and not yet drained by the peer. */
  get unacknowledged(): number {
    return this.limit - this.#available;
  }

  /** Takes up to `wanted` bytes of credit and returns how many may be sent: 0 … `wanted`. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.#available);
    this.#available -= taken;
    return taken;
  }

  /** The peer granted credit. False, and nothing changes, when it grants more than it ever received. */
  grant(bytes: number): boolean {
    if (!Number.isSafeInteger(bytes) || bytes < 0 || this.#available + bytes > this.limit) return false;
    this.#available += bytes;
    return true;
  }
}

/** The receiver's side, where bytes leave the tunnel into a socket that says when it drained. */
export class ReceiveWindow {
  readonly limit: number;
  #outstanding: number;
  #drained = 0;

  constructor(limit: number = INITIAL_WINDOW) {
    this.limit = limit;
    this.#outstanding = limit;
  }

  /** Bytes received and not yet granted back. */
  get held(): number {
    return this.limit - this.#outstanding;
  }

  /** Bytes arrived. True when the peer sent more than its credit: the session must end. */
  received(bytes: number): boolean {
    this.#outstanding -= bytes;
    return this.#outstanding < 0;
  }

  /** Bytes were passed on. Returns the credit to send now: 0 until half a window has gathered. */
  drained(bytes: number): number {
    this.#drained += bytes;
    if (this.#drained * 2 < this.limit) return 0;
    const grant = this.#drained;
    this.#drained = 0;
    this.#outstanding += grant;
    return grant;
  }
}

/**
 * The edge's side, between two sockets, where bytes are transformed on the way and so cannot be counted
 * through. It bounds the sum: credit outstanding at the sender + `level` ≤ limit, where `level` is what
 * already waits further on: bytes that the next hop has not acknowledged (`SendWindow.unacknowledged`, or
 * `bufferedAmount` for a plain bridge), queued (`FramedSender.queued`) and held inside the gate.
 */
export class RelayWindow {
  readonly limit: number;
  #outstanding: number;

  constructor(limit: number = INITIAL_WINDOW) {
    this.limit = limit;
    this.#outstanding = limit;
  }

  /** Credit that the sender still has. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Bytes arrived. True when the peer sent more than its credit: the session must end. */
  received(bytes: number): boolean {
    this.#outstanding -= bytes;
    return this.#outstanding < 0;
  }

  /**
   * Call after each message in either direction, with the level now. Returns the credit to send, or 0.
   * Grants in steps of half a window; a sender with almost no credit left is given what there is, so that
   * a gate that waits for the rest of a message cannot starve it.
   */
  settle(level: number): number {
    const room = this.limit - level - this.#outstanding;
    const enough =
      this.#outstanding < MAX_DATA_FRAME ? Math.min(MAX_DATA_FRAME, this.limit / 2) : this.limit / 2;
    if (room < enough) return 0;
    this.#outstanding += room;
    return room;
  }
}

/**
 * Sends bytes as data frames within a window, keeping order with control messages (texts, unless the owner has another
 * form for them); what has no credit yet waits. Credit messages of the other direction do not belong here: send those
 * at once.
 */
export class FramedSender<Control extends string | object = string> {
  readonly window: SendWindow;
  readonly #emit: (message: Uint8Array | Control) => void;
  readonly #frame: number;
  /** Data and control messages in order; `#head` is the first one that still waits. */
  #queue: (Uint8Array | Control)[] = [];
  #head = 0;
  #queued = 0;

  constructor(
    emit: (message: Uint8Array | Control) => void,
    window: SendWindow = new SendWindow(),
    frame: number = MAX_DATA_FRAME,
  ) {
    this.#emit = emit;
    this.window = window;
    this.#frame = frame;
  }

  /** Data bytes that wait for credit. */
  get queued(): number {
    return this.#queued;
  }

  /** Queued and unacknowledged bytes: the `level` of a `RelayWindow`. */
  get level(): number {
    return this.#queued + this.window.unacknowledged;
  }

  /** Sends, or queues, data. The bytes are not copied: the caller does not change them afterwards. */
  data(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#head < this.#queue.length) {
      this.#queue.push(bytes);
      this.#queued += bytes.length;
      return;
    }
    const sent = this.#send(bytes);
    if (sent < bytes.length) {
      this.#queue.push(bytes.subarray(sent));
      this.#queued += bytes.length - sent;
    }
  }

  /** Sends a control message after the data before it. */
  control(message: Control): void {
    if (this.#head < this.#queue.length) this.#queue.push(message);
    else this.#emit(message);
  }

  /** The peer granted credit: sends what waited. False when it granted more than it received. */
  grant(bytes: number): boolean {
    if (!this.window.grant(bytes)) return false;
    while (this.#head < this.#queue.length) {
      const next = this.#queue[this.#head]!;
      if (!(next instanceof Uint8Array)) {
        this.#emit(next);
      } else {
        const sent = this.#send(next);
        this.#queued -= sent;
        if (sent < next.length) {
          this.#queue[this.#head] = next.subarray(sent);
          return true;
        }
      }
      this.#head += 1;
    }
    this.#queue = [];
    this.#head = 0;
    return true;
  }

  #send(bytes: Uint8Array): number {
    let sent = 0;
    while (sent < bytes.length) {
      const size = this.window.take(Math.min(this.#frame, bytes.length - sent));
      if (size === 0) break;
      this.#emit(bytes.subarray(sent, sent + size));
      sent += size;
    }
    return sent;
  }
}
