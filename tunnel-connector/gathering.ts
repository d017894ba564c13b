/**
 * Small chunks of a stream put together while they come at once: TLS gives 16 KiB at a time, and each message to the
 * edge costs both ends more than its bytes do.
 */
import { MAX_DATA_FRAME } from "../wire/window.ts";

export class Gathering {
  readonly #emit: (bytes: Uint8Array) => void;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #due: NodeJS.Immediate | null = null;

  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
  }

  /** Takes a chunk; it is given out when a frame is full, or once the sockets have been read for now. */
  push(chunk: Uint8Array): void {
    if (this.#size + chunk.length > MAX_DATA_FRAME) this.flush();
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= MAX_DATA_FRAME) this.flush();
    else this.#due ??= setImmediate(() => this.flush());
  }

  /** Gives out what is there. */
  flush(): void {
    if (this.#due !== null) clearImmediate(this.#due);
    this.#due = null;
    const chunks = this.#chunks;
    if (chunks.length === 0) return;
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#size);
    this.#chunks = [];
    this.#size = 0;
    this.#emit(bytes);
  }
}
