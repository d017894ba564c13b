/**
 * The stream of one session to its client: what one turn makes leaves as few messages, within the client's credit. A
 * plain bridge knows neither frames nor control messages: it gets bytes, and its socket's buffer is the level.
 */
import { Slab } from "../../wire/slab.ts";
import { encodeControl, FramedSender, MAX_DATA_FRAME, type TunnelMessage } from "../../wire/tunnel.ts";
import { joined } from "./connector-stream.ts";
import type { RelaySocket } from "./relay-types.ts";

export class ClientStream {
  readonly #sender = new FramedSender((message) => this.#send(message));
  readonly #slab = new Slab();
  #socket: RelaySocket | null = null;
  #framed = true;
  /** Output of the input that is being handled. */
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Nothing more may be said: the client is gone, or the target has said the last word. */
  #muted = false;

  /** The client's socket. `framed`: it speaks `wicket.pg.v1`. */
  attach(socket: RelaySocket, framed: boolean): void {
    this.#socket = socket;
    this.#framed = framed;
  }

  get attached(): boolean {
    return this.#socket !== null;
  }

  get framed(): boolean {
    return this.#framed;
  }

  /** Bytes that the client has not acknowledged, or not taken. */
  get level(): number {
    const buffered = this.#socket?.bufferedAmount ?? 0;
    return this.#framed ? Math.max(this.#sender.level, buffered) : buffered;
  }

  /** Bytes that wait for credit. */
  get queued(): number {
    return this.#sender.queued;
  }

  get muted(): boolean {
    return this.#muted;
  }

  mute(): void {
    this.#muted = true;
  }

  /** Bytes of the protocol, sent by the next `flush`, or before when there are many. */
  data(bytes: Uint8Array): void {
    if (this.#muted) return;
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= MAX_DATA_FRAME) this.flush();
  }

  flush(): void {
    const bytes = joined(this.#parts, this.#slab);
    this.#parts = [];
    this.#size = 0;
    if (!bytes) return;
    if (this.#framed) this.#sender.data(bytes);
    else this.#send(bytes);
  }

  /** A control message after the data before it; nothing for a plain bridge. */
  control(message: TunnelMessage): void {
    if (this.#framed) this.#sender.control(encodeControl(message));
  }

  /** A control message now, whatever waits; nothing for a plain bridge. */
  now(text: string): void {
    if (this.#framed) this.#send(text);
  }

  /** The client granted credit. False when it granted more than it received. */
  grant(bytes: number): boolean {
    return this.#sender.grant(bytes);
  }

  #send(message: string | Uint8Array): void {
    try {
      this.#socket?.send(message);
    } catch {
      // It is closing; its close event ends the session.
      this.#muted = true;
    }
  }
}
