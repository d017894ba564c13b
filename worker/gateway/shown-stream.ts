/**
 * The bytes of an answer on their way to the client: each chunk is shown under the task, and the next one is asked for
 * when the client has taken it. A chunk's memory is given back at once, not when the runtime comes round to it: a
 * large list would leave all of itself behind.
 */

import { concat } from "../../wire/bytes.ts";
import { type ChannelAnswer, ChannelError, type RequestChannel } from "./request-channel.ts";

/** Bytes that mean nothing to their reader, for an answer in which nothing happened for so long, milliseconds. */
export interface Beat {
  readonly bytes: Uint8Array;
  readonly afterMs: number;
}

export interface Showing {
  /** What may pass of a chunk, which is given over; `null` is the end. A thrown `ChannelError` cuts the answer. */
  show(chunk: Uint8Array | null): readonly Uint8Array[];
  /** Called once: whether all of the answer was shown. */
  done(ok: boolean): void;
  /**
   * A client that went away is noticed by `signal` where the runtime has one for it, and when something is written:
   * this says what is written while there is nothing to say.
   */
  readonly beat?: Beat | null;
  /** Aborts when the client goes away. */
  readonly signal?: AbortSignal | null;
}

export interface Shown {
  readonly stream: ReadableStream<Uint8Array>;
  /** Ends the answer at once, where it stands. */
  cut(code: string, message: string): void;
}

/** What a promise gives, or undefined when that takes too long. */
async function orPause<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** Gives the memory of bytes back that nobody reads any more. */
function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** Shows an answer, read at the client's pace. */
export function shownStream(answer: ChannelAnswer, channel: RequestChannel, showing: Showing): Shown {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
  const beat = showing.beat ?? null;
  let over = false;
  const finish = (ok: boolean): boolean => {
    if (over) return false;
    over = true;
    showing.signal?.removeEventListener("abort", left);
    showing.done(ok);
    return true;
  };
  const end = (fault: ChannelError): void => {
    if (!finish(false)) return;
    channel.abort(fault.code, fault.message);
    writer.abort(fault).catch(() => {});
  };
  const left = (): void => end(new ChannelError("CLIENT_GONE", "the client went away"));

  const pump = async (): Promise<void> => {
    let reading: Promise<Uint8Array | null> | null = null;
    while (!over) {
      reading ??= answer.read();
      const chunk: Uint8Array | null | undefined =
        beat === null ? await reading : await orPause(reading, beat.afterMs);
      if (over) return;
      if (chunk === undefined) {
        await writer.write(beat!.bytes).catch(left);
        continue;
      }
      reading = null;
      const parts = showing.show(chunk);
      if (parts.length > 0) {
        // One write: each costs every hop behind it more than the copy.
        const shown = concat(parts);
        await writer.write(shown).catch(left);
        // It is done when its bytes were taken: only then are they ours again.
        if (parts.length > 1) release(shown);
      }
      if (over) return;
      if (chunk === null) {
        finish(true);
        await writer.close().catch(() => {});
        return;
      }
      release(chunk);
    }
  };
  writer.closed.catch(left);
  showing.signal?.addEventListener("abort", left);
  pump().catch((error: unknown) =>
    end(error instanceof ChannelError ? error : new ChannelError("ANSWER_FAILED", String(error))),
  );
  return { stream: readable, cut: (code, message) => end(new ChannelError(code, message)) };
}
