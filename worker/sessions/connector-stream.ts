/**
 * The ordered stream of one session to its connector: records and data. What one turn makes leaves as few
 * messages, records before data; everything that leaves is added to the running root of its direction.
 */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import { concat } from "../../wire/postgres/cursor.ts";
import type { RecordingRoots } from "../../wire/recording.ts";
import { encodeControl, FramedSender, isRecord, MAX_DATA_FRAME } from "../../wire/tunnel.ts";

/** Characters of records that are gathered into one message; a longer one goes alone. */
const MAX_GATHERED = 64 * 1024;

export class ConnectorStream {
  readonly #sender: FramedSender;
  readonly #encoder = new TextEncoder();
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Records that were not given to the sender yet, and their characters. */
  #records: string[] = [];
  #recordsSize = 0;
  /** Whether one of them is due now, not only with the next data. */
  #due = false;
  #queuedRecords = 0;

  constructor(roots: RecordingRoots, send: (message: string | Uint8Array) => void) {
    this.#sender = new FramedSender((message) => {
      if (typeof message !== "string") roots.frontend.add("frontend", message);
      else if (isRecord(message)) {
        this.#queuedRecords -= message.length;
        for (const line of message.split("\n")) roots.frontend.add("event", this.#encoder.encode(line));
      }
      send(message);
    });
  }

  /** Data bytes that wait for credit. */
  get queued(): number {
    return this.#sender.queued;
  }

  /** Queued and unacknowledged data bytes. */
  get level(): number {
    return this.#sender.level;
  }

  /** Characters of records that wait: behind data, or for the next data. */
  get queuedRecords(): number {
    return this.#queuedRecords + this.#recordsSize;
  }

  /** Whether records wait that `flush` leaves behind: they go with the next data, or with `flushRecords`. */
  get hasRecords(): boolean {
    return this.#records.length > 0;
  }

  /** Bytes for the target, sent by the next `flush`, or before when there are many. */
  data(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= MAX_DATA_FRAME) this.flush();
  }

  /**
   * A fact for the recording: before all data that comes after it, and possibly before some that came earlier.
   * How a statement ended is not waited for by anything, so it may go with what is sent next.
   */
  record(event: GateEvent): void {
    const text = encodeControl({ t: "record", event: event as unknown as Record<string, unknown> });
    if (this.#recordsSize + text.length > MAX_GATHERED) this.flushRecords();
    this.#records.push(text);
    this.#recordsSize += text.length;
    if (event.t !== "outcome") this.#due = true;
  }

  /** No more data. */
  end(): void {
    this.flush();
    this.flushRecords();
    this.#sender.control(encodeControl({ t: "eof" }));
  }

  /** Sends the data of this turn, as far as there is credit, and the records that are due, before it. */
  flush(): void {
    const bytes = joined(this.#parts);
    if (bytes || this.#due) this.flushRecords();
    this.#parts = [];
    this.#size = 0;
    if (bytes) this.#sender.data(bytes);
  }

  /** Sends all records, a line each of one message. */
  flushRecords(): void {
    if (this.#records.length === 0) return;
    const text = this.#records.join("\n");
    this.#records = [];
    this.#recordsSize = 0;
    this.#due = false;
    this.#queuedRecords += text.length;
    this.#sender.control(text);
  }

  /** The connector granted credit. False when it granted more than it received. */
  grant(bytes: number): boolean {
    return this.#sender.grant(bytes);
  }
}

/**
 * The parts as one array, or null when there is none. A small view of a large message is copied, so that what
 * waits for credit holds no more memory than it counts for.
 */
export function joined(parts: readonly Uint8Array[]): Uint8Array | null {
  if (parts.length === 0) return null;
  if (parts.length > 1) return concat(parts as Uint8Array[]);
  const part = parts[0]!;
  return part.length * 2 < part.buffer.byteLength ? part.slice() : part;
}
