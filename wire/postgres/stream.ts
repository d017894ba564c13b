/**
 * Cuts a byte stream into messages without copying what passes through.
 *
 * The sink says of each message whether it passes, and neighbouring bytes that pass leave as one view of the
 * input. Only a message that a chunk cuts in two, and that must be seen whole, is put together in memory,
 * up to a cap. Streamed types (rows, COPY data) pass as they come: only their 5-byte headers are read.
 *
 * A chunk belongs to the stream from `push` on: views of it may be emitted, so the caller must not change it.
 */
import { HEADER_SIZE, MAX_LENGTH } from "./messages.ts";

/** How messages of a type are treated; the value of a type in `StreamOptions.types`. */
export const Treatment = {
  /** A type that the protocol does not have here. */
  Unknown: 0,
  /** Put together, then given to `message`. Larger than `maxMessage`: see `oversize`. */
  Whole: 1,
  /** `streamed` is asked once, with the header only. */
  Streamed: 2,
} as const;

/** What a sink says of a message. Bytes stand for: send these in its place. */
export const Verdict = {
  Pass: 0,
  Drop: 1,
  /** Leave this message and everything behind it unread until `resume`. */
  Wait: 2,
  /** Read nothing more, ever. What passed before is still emitted. */
  Stop: 3,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict] | Uint8Array;

/** Special answers of `oversize`. */
export const Oversize = { Refuse: -1, Wait: -2 } as const;

export type Violation = "UNKNOWN_TYPE" | "INVALID_LENGTH" | "TOO_LARGE";

export interface MessageSink {
  /** A whole message: its body is `bytes[start … end)`. The view lasts for the call. */
  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict;
  /** The header of a streamed message. `size` is the whole message's, header included. Bytes or `Drop`
   *  replace or drop all of it. */
  streamed(type: number, size: number): Verdict;
  /**
   * The header of a message larger than `maxMessage`. Returns how many bytes of its body to keep: they are
   * given to `truncated` when it has gone by, and the message itself never passes. `Oversize.Refuse` is a
   * violation, `Oversize.Wait` like `Verdict.Wait`.
   */
  oversize(type: number, size: number): number;
  /** The kept start of an over-size message. `Pass` is taken as `Drop`. */
  truncated(type: number, bytes: Uint8Array, size: number): Verdict;
  /** The stream cannot be read on. Bytes returned are emitted last. */
  violation(what: Violation, type: number): Uint8Array | null;
  /** Bytes that pass, in order. */
  emit(bytes: Uint8Array): void;
}

export interface StreamOptions {
  /** Treatment by type byte, 256 entries. */
  readonly types: Uint8Array;
  /** Largest message, header included, that is put together, bytes. */
  readonly maxMessage: number;
}

const nothing = new Uint8Array(0);

export class MessageStream {
  readonly #sink: MessageSink;
  readonly #types: Uint8Array;
  readonly #max: number;
  /** Start of a message that is not complete, or everything unread while waiting. */
  #held: Uint8Array = nothing;
  #heldLength = 0;
  /** Bytes of a streamed or over-size message still to come. */
  #left = 0;
  /** Whether they pass. */
  #passing = false;
  /** The over-size message they belong to. */
  #cut: { readonly type: number; readonly size: number; readonly kept: Uint8Array; length: number } | null =
    null;
  #waiting = false;
  #stopped = false;

  constructor(sink: MessageSink, options: StreamOptions) {
    this.#sink = sink;
    this.#types = options.types;
    this.#max = options.maxMessage;
  }

  /** Bytes kept in memory. */
  get buffered(): number {
    return this.#heldLength + (this.#cut?.length ?? 0);
  }

  /** True when the last emitted byte ended a message: bytes of one's own may be sent now. */
  get atBoundary(): boolean {
    return !(this.#passing && this.#left > 0);
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Reads nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#held = nothing;
    this.#heldLength = 0;
    this.#cut = null;
  }

  /** Takes the next bytes, of any number. */
  push(chunk: Uint8Array): void {
    if (this.#stopped || chunk.length === 0) return;
    if (this.#waiting) {
      this.#hold(chunk, 0, chunk.length);
      return;
    }
    let at = 0;
    if (this.#left > 0) {
      if (this.#passing && this.#left < chunk.length) {
        // The end of a row and what follows it leave together.
        at = this.#left;
        this.#left = 0;
        this.#scan(chunk, at, 0);
        return;
      }
      at = this.#continue(chunk);
      if (this.#stopped || this.#waiting) return;
    }
    if (this.#heldLength > 0) {
      at = this.#complete(chunk, at);
      if (this.#stopped) return;
      if (this.#waiting) {
        this.#hold(chunk, at, chunk.length);
        return;
      }
    }
    if (at < chunk.length) this.#scan(chunk, at);
  }

  /** Goes on after `Wait`: the message that waited is given to the sink again. */
  resume(): void {
    if (!this.#waiting || this.#stopped) return;
    this.#waiting = false;
    const bytes = this.#takeHeld();
    if (bytes.length > 0) this.#scan(bytes, 0);
  }

  /** The rest of a streamed or over-size message; returns where the next one begins. */
  #continue(chunk: Uint8Array): number {
    const size = Math.min(this.#left, chunk.length);
    this.#left -= size;
    if (this.#passing) this.#sink.emit(size === chunk.length ? chunk : chunk.subarray(0, size));
    const cut = this.#cut;
    if (cut) {
      const keep = Math.min(cut.kept.length - cut.length, size);
      cut.kept.set(chunk.subarray(0, keep), cut.length);
      cut.length += keep;
      if (this.#left === 0) this.#endCut(cut);
    }
    return size;
  }

  #endCut(cut: {
    readonly type: number;
    readonly size: number;
    readonly kept: Uint8Array;
    length: number;
  }): void {
    this.#cut = null;
    const verdict = this.#sink.truncated(cut.type, cut.kept.subarray(0, cut.length), cut.size);
    if (typeof verdict !== "number") this.#sink.emit(verdict);
    else if (verdict === Verdict.Stop) this.stop();
  }

  /** Completes the held message from the chunk, handles it, and returns where the next one begins. */
  #complete(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#heldLength < HEADER_SIZE) {
      const header = Math.min(HEADER_SIZE - this.#heldLength, chunk.length - at);
      this.#hold(chunk, at, at + header);
      at += header;
      if (this.#heldLength < HEADER_SIZE) return at;
    }
    const held = this.#held;
    const size = 1 + lengthAt(held, 1);
    if (this.#types[held[0]!] !== Treatment.Whole || size < HEADER_SIZE || size > this.#max) {
      // Only the header is needed, and it is there now: read it as a stream of its own.
      this.#scan(this.#takeHeld(), 0);
      if (this.#left > 0 && at < chunk.length && !this.#stopped) {
        const rest = chunk.subarray(at);
        return at + this.#continue(rest);
      }
      return at;
    }
    const more = Math.min(size - this.#heldLength, chunk.length - at);
    this.#hold(chunk, at, at + more);
    at += more;
    if (this.#heldLength === size) this.#scan(this.#takeHeld(), 0);
    return at;
  }

  /** Reads messages from `from` on; the bytes from `passed` up to there pass and are not emitted yet. */
  #scan(chunk: Uint8Array, from: number, passed: number = from): void {
    const sink = this.#sink;
    const types = this.#types;
    const end = chunk.length;
    /** Start of the bytes that pass and are not emitted yet. */
    let run = passed;
    let at = from;
    while (at + HEADER_SIZE <= end) {
      const type = chunk[at]!;
      const length = (chunk[at + 1]! << 24) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 8) | chunk[at + 4]!;
      const treatment = types[type]!;
      if (treatment === Treatment.Unknown || length < 4 || length > MAX_LENGTH) {
        this.#flush(chunk, run, at);
        this.#violate(treatment === Treatment.Unknown ? "UNKNOWN_TYPE" : "INVALID_LENGTH", type);
        return;
      }
      const next = at + 1 + length;
      let verdict: Verdict;
      if (treatment === Treatment.Streamed) {
        verdict = sink.streamed(type, length + 1);
        if (verdict === Verdict.Pass && next <= end) {
          at = next;
          continue;
        }
      } else if (length >= this.#max) {
        this.#flush(chunk, run, at);
        const keep = sink.oversize(type, length + 1);
        if (keep === Oversize.Wait) {
          this.#waiting = true;
          this.#hold(chunk, at, end);
          return;
        }
        if (keep < 0) {
          this.#violate("TOO_LARGE", type);
          return;
        }
        this.#passing = false;
        this.#left = next - (at + HEADER_SIZE);
        this.#cut = { type, size: length + 1, kept: new Uint8Array(Math.min(keep, this.#left)), length: 0 };
        const used = this.#continue(chunk.subarray(at + HEADER_SIZE));
        if (this.#stopped || this.#left > 0) return;
        at += HEADER_SIZE + used;
        run = at;
        continue;
      } else {
        if (next > end) break;
        verdict = sink.message(type, chunk, at + HEADER_SIZE, next);
        if (verdict === Verdict.Pass) {
          at = next;
          continue;
        }
      }
      if (verdict === Verdict.Pass) {
        // A streamed message that goes on in the next chunk.
        this.#left = next - end;
        this.#passing = true;
        this.#flush(chunk, run, end);
        return;
      }
      this.#flush(chunk, run, at);
      if (verdict === Verdict.Stop) {
        this.stop();
        return;
      }
      if (verdict === Verdict.Wait) {
        this.#waiting = true;
        this.#hold(chunk, at, end);
        return;
      }
      if (typeof verdict !== "number") sink.emit(verdict);
      if (next > end) {
        this.#left = next - end;
        this.#passing = false;
        return;
      }
      if (this.#stopped) return;
      at = next;
      run = next;
    }
    this.#flush(chunk, run, at);
    this.#hold(chunk, at, end);
  }

  #flush(chunk: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    this.#sink.emit(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
  }

  #violate(what: Violation, type: number): void {
    const last = this.#sink.violation(what, type);
    if (last) this.#sink.emit(last);
    this.stop();
  }

  #hold(chunk: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    const length = this.#heldLength + (to - from);
    if (length > this.#held.length) {
      const bigger = new Uint8Array(Math.max(length, this.#held.length * 2, 64));
      bigger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = bigger;
    }
    this.#held.set(chunk.subarray(from, to), this.#heldLength);
    this.#heldLength = length;
  }

  /** What is held, given away: its memory is not used again, so that views of it may be emitted. */
  #takeHeld(): Uint8Array {
    const bytes = this.#held.subarray(0, this.#heldLength);
    this.#held = nothing;
    this.#heldLength = 0;
    return bytes;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** A table of treatments. */
export function treatments(whole: readonly number[], streamed: readonly number[]): Uint8Array {
  const types = new Uint8Array(256);
  for (const type of whole) types[type] = Treatment.Whole;
  for (const type of streamed) types[type] = Treatment.Streamed;
  return types;
}
