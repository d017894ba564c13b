/**
 * The ordered stream of one session to its connector: records and data. What one turn makes leaves as few
 * messages, records before data; everything that leaves is added to the running root of its direction.
 */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import { concat } from "../../wire/postgres/cursor.ts";
import type { RecordingRoots } from "../../wire/recording.ts";
import { encodeControl, FramedSender, MAX_DATA_FRAME } from "../../wire/tunnel.ts";

const RECORD_PREFIX = '{"t":"record"';

export class ConnectorStream {
  readonly #sender: FramedSender;
  readonly #encoder = new TextEncoder();
  #parts: Uint8Array[] = [];
  #size = 0;
  #queuedRecords = 0;

  constructor(roots: RecordingRoots, send: (message: string | Uint8Array) => void) {
    this.#sender = new FramedSender((message) => {
      if (typeof message !== "string") roots.frontend.add("frontend", message);
      else if (message.startsWith(RECORD_PREFIX)) {
        this.#queuedRecords -= message.length;
        roots.frontend.add("event", this.#encoder.encode(message));
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

  /** Characters of records that wait behind data. */
  get queuedRecords(): number {
    return this.#queuedRecords;
  }

  /** Bytes for the target, sent by the next `flush`, or before when there are many. */
  data(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= MAX_DATA_FRAME) this.flush();
  }

  /** A fact for the recording: before all data that comes after it, and possibly before some that came earlier. */
  record(event: GateEvent): void {
    const text = encodeControl({ t: "record", event: event as unknown as Record<string, unknown> });
    this.#queuedRecords += text.length;
    this.#sender.control(text);
  }

  /** No more data. */
  end(): void {
    this.flush();
    this.#sender.control(encodeControl({ t: "eof" }));
  }

  /** Sends the data of this turn, as far as there is credit. */
  flush(): void {
    const bytes = joined(this.#parts);
    this.#parts = [];
    this.#size = 0;
    if (bytes) this.#sender.data(bytes);
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
