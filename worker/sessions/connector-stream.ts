/**
 * The ordered stream of one session to its connector: records and data. What one turn makes leaves as few
 * messages, records before data; everything that leaves is added to the running root of its direction.
 */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import type { RecordingRoots, RootMark } from "../../wire/recording.ts";
import { Slab } from "../../wire/slab.ts";
import {
  encodeControl,
  FramedSender,
  joinFrame,
  MAX_DATA_FRAME,
  MAX_JOINED_RECORDS,
} from "../../wire/tunnel.ts";
import { Records, recordLine } from "./records.ts";

/** Bytes of records that are gathered into one message; a longer one goes alone. */
const MAX_GATHERED = 64 * 1024;

/** What the connector has on its disk for sure, of either direction. */
export interface Answered {
  readonly frontend: RootMark;
  readonly backend: RootMark;
}

/** Messages of statements without an outcome that are remembered. */
const MAX_SENT = 256;

export class ConnectorStream {
  readonly #sender: FramedSender<string | Records>;
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Records that were not given to the sender yet, and their bytes. */
  #records: Uint8Array[] = [];
  #recordsSize = 0;
  /** Whether one of them is due now, not only with the next data. */
  #due = false;
  #queuedRecords = 0;
  /** The newest statement among them. */
  #newest = 0;
  /** The newest statement of which the record left, and the data not yet. */
  #told = 0;
  /** The roots at the data of statements which have no outcome yet, by the newest of them. */
  #sent: (Answered & { readonly n: number })[] = [];
  /** Those at the last data. */
  #last: Answered | null = null;
  #answered: Answered | null = null;

  readonly #slab = new Slab();
  readonly #roots: RecordingRoots;
  readonly #send: (message: string | Uint8Array) => void;
  /** Records that wait for the data of the same turn. */
  #held: Records | null = null;

  constructor(roots: RecordingRoots, send: (message: string | Uint8Array) => void) {
    this.#roots = roots;
    this.#send = send;
    this.#sender = new FramedSender((message) => this.#emit(message));
  }

  #emit(message: string | Records | Uint8Array): void {
    const { frontend } = this.#roots;
    if (message instanceof Uint8Array) {
      frontend.add("frontend", message);
      this.#note();
      const frame = joinFrame(this.#held?.lines ?? [], message, this.#slab);
      this.#held = null;
      this.#send(frame);
      return;
    }
    this.#letGo();
    if (typeof message === "string") {
      this.#send(message);
      return;
    }
    this.#queuedRecords -= message.size;
    for (const line of message.lines) frontend.add("event", line);
    if (message.newest > 0) this.#told = message.newest;
    if (message.size <= MAX_JOINED_RECORDS) this.#held = message;
    else this.#send(message.text);
  }

  /**
   * The messages that the connector has for sure: the database answered what came with or after them, and
   * the connector wrote down before what it had sent until then. Null when the database answered nothing.
   */
  get answered(): Answered | null {
    return this.#answered;
  }

  /** Sends records that no data took along. */
  #letGo(): void {
    const held = this.#held;
    this.#held = null;
    if (held) this.#send(held.text);
  }

  #note(): void {
    const { frontend, backend } = this.#roots;
    this.#last = { frontend: frontend.mark(), backend: backend.mark() };
    if (this.#told === 0) return;
    this.#sent.push({ n: this.#told, ...this.#last });
    this.#told = 0;
    if (this.#sent.length > MAX_SENT) this.#sent.shift();
  }

  /** The database owes nothing: it has answered all that was sent. */
  settled(): void {
    if (this.#last === null || this.queued > 0) return;
    this.#answered = this.#last;
    this.#sent = [];
  }

  /** Data bytes that wait for credit. */
  get queued(): number {
    return this.#sender.queued;
  }

  /** Queued and unacknowledged data bytes. */
  get level(): number {
    return this.#sender.level;
  }

  /** Bytes of records that wait: behind data, or for the next data. */
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
    const line = recordLine(event, this.#slab);
    if (this.#recordsSize + line.length > MAX_GATHERED) this.#giveRecords();
    this.#records.push(line);
    this.#recordsSize += line.length;
    if (event.t !== "outcome") this.#due = true;
    if (event.t === "statement") this.#newest = event.n;
    // What the server discarded need not have reached it.
    else if (event.t === "outcome" && event.tag !== "SKIPPED") this.answer(event.n);
  }

  /** The database answered this statement, or began to: the connector wrote it down before it went there. */
  answer(n: number): void {
    const after = this.#sent.findIndex((one) => one.n > n);
    const done = after < 0 ? this.#sent.length : after;
    if (done === 0) return;
    this.#answered = this.#sent[done - 1]!;
    this.#sent = this.#sent.slice(done);
  }

  /** No more data. */
  end(): void {
    this.flush();
    this.flushRecords();
    this.#sender.control(encodeControl({ t: "eof" }));
    this.#letGo();
  }

  /** Sends the data of this turn, as far as there is credit, and the records that are due, before it. */
  flush(): void {
    const bytes = joined(this.#parts, this.#slab);
    if (bytes || this.#due) this.#giveRecords();
    this.#parts = [];
    this.#size = 0;
    if (bytes) this.#sender.data(bytes);
    this.#letGo();
  }

  /** Sends all records, a line each of one message. */
  flushRecords(): void {
    this.#giveRecords();
    this.#letGo();
  }

  #giveRecords(): void {
    if (this.#records.length === 0) return;
    const records = new Records(this.#records, this.#newest);
    this.#records = [];
    this.#recordsSize = 0;
    this.#due = false;
    this.#queuedRecords += records.size;
    this.#newest = 0;
    this.#sender.control(records);
  }

  /** The connector granted credit. False when it granted more than it received. */
  grant(bytes: number): boolean {
    const granted = this.#sender.grant(bytes);
    this.#letGo();
    return granted;
  }
}

/**
 * The parts as one array, or null when there is none. A small view of a large message is copied, so that what
 * waits for credit holds no more memory than it counts for.
 */
export function joined(parts: readonly Uint8Array[], slab: Slab): Uint8Array | null {
  if (parts.length === 0) return null;
  if (parts.length === 1) {
    const part = parts[0]!;
    if (part.length * 2 >= part.buffer.byteLength) return part;
  }
  let size = 0;
  for (const { length } of parts) size += length;
  const whole = slab.take(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
