/**
 * Lends a connected socket to `pg` for the handshake and takes it back. `pg` is given whole messages only, so
 * that at the moment of taking back nothing of the stream is left inside it: what is not a whole message yet is
 * here. On the way the session's parameters and its cancel key are noted, which `pg` does not tell in full.
 */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { decodeParameterStatus } from "../wire/postgres/backend.ts";
import { Backend, HEADER_SIZE } from "../wire/postgres/messages.ts";

/** Largest message before the session is handed over: a catalog's row. */
const MAX_MESSAGE = 16 * 1024 * 1024;

export interface TakenSocket {
  readonly socket: Socket | TLSSocket;
  /** The start of a message that has not arrived as a whole. Comes before anything the socket still gives. */
  readonly rest: Uint8Array;
  /** ParameterStatus values by name. */
  readonly parameters: Record<string, string>;
  /** The real key for CancelRequest; null when the server gave none. */
  readonly key: { readonly processId: number; readonly secretKey: Uint8Array } | null;
}

/** What `pg` uses of a stream (`stream` of its client's options). */
export class HandshakeStream extends EventEmitter {
  readonly #socket: Socket | TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #taken = false;
  readonly #parameters: Record<string, string> = {};
  #key: { processId: number; secretKey: Uint8Array } | null = null;
  readonly #onData = (chunk: Buffer): void => this.#data(chunk);
  readonly #onEnd = (): void => void this.emit("end");
  readonly #onClose = (): void => void this.emit("close");
  readonly #onError = (error: Error): void => {
    if (!this.#taken) this.emit("error", error);
  };

  constructor(socket: Socket | TLSSocket) {
    super();
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    socket.on("error", this.#onError);
  }

  /** Takes the socket back, paused. `pg` gets nothing more of it and can do nothing more to it. */
  take(): TakenSocket {
    this.#taken = true;
    this.#socket.pause();
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onClose);
    this.removeAllListeners();
    return {
      socket: this.#socket,
      rest: new Uint8Array(this.#rest),
      parameters: this.#parameters,
      key: this.#key,
    };
  }

  #data(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER_SIZE) {
      const size = 1 + bytes.readInt32BE(at + 1);
      if (size < HEADER_SIZE || size > MAX_MESSAGE) {
        this.#socket.destroy(new Error("the server sent a message of an impossible length"));
        return;
      }
      if (bytes.length - at < size) break;
      this.#note(bytes, at, at + size);
      at += size;
    }
    this.#rest = at === 0 ? bytes : Buffer.from(bytes.subarray(at));
    if (at > 0) this.emit("data", at === bytes.length ? bytes : bytes.subarray(0, at));
  }

  #note(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at]!;
    if (type === Backend.ParameterStatus) {
      const status = decodeParameterStatus(bytes, at + HEADER_SIZE, end);
      if (status) this.#parameters[status.name] = status.value;
    } else if (type === Backend.BackendKeyData && end - at > HEADER_SIZE + 4) {
      this.#key = {
        processId: bytes.readInt32BE(at + HEADER_SIZE),
        secretKey: new Uint8Array(bytes.subarray(at + HEADER_SIZE + 4, end)),
      };
    }
  }

  // --- what pg calls ------------------------------------------------------------------------------------

  get writable(): boolean {
    return !this.#taken && this.#socket.writable;
  }

  connect(): this {
    process.nextTick(() => this.emit("connect"));
    return this;
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    return this.#taken ? false : this.#socket.write(bytes, done);
  }

  end(bytes?: Uint8Array, done?: () => void): this {
    if (!this.#taken) this.#socket.end(bytes as Uint8Array, done);
    return this;
  }

  destroy(error?: Error): this {
    if (!this.#taken) this.#socket.destroy(error);
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  cork(): void {
    if (!this.#taken) this.#socket.cork();
  }

  uncork(): void {
    if (!this.#taken) this.#socket.uncork();
  }

  /** For SCRAM-SHA-256-PLUS (RFC 5929, tls-server-end-point). */
  getPeerCertificate(): unknown {
    return "getPeerCertificate" in this.#socket ? this.#socket.getPeerCertificate() : {};
  }
}
