/**
 * The recording of a session of requests: its facts come on the session's first connection, and requests on the
 * others wait for those that speak of them. What goes to a target is on the disk before.
 */
import type { RequestRecord } from "./http-requests.ts";
import type { SessionRecording } from "./session-recording.ts";

export class RequestRecording {
  readonly #recording: SessionRecording;
  /** Whether a recording that cannot be written ends the session. */
  readonly #onFailure: "terminate" | "continue";
  #count = 0;
  #over = false;
  #waiting: { readonly count: number; resolve(): void; reject(): void }[] = [];

  constructor(recording: SessionRecording, onFailure: "terminate" | "continue") {
    this.#recording = recording;
    this.#onFailure = onFailure;
  }

  /** For the connection that brings the facts. */
  readonly writer: RequestRecord = {
    fact: (message) => this.#fact(message),
    reached: (count) => this.#reached(count),
  };
  /** For the others. */
  readonly reader: RequestRecord = {
    fact: () => {
      throw new Error("facts come on the session's first connection");
    },
    reached: (count) => this.#reached(count),
  };

  #fact(message: string): void {
    try {
      // As it came: both sides hash the same bytes.
      this.#recording.add("event", new TextEncoder().encode(message));
      this.#recording.flush();
    } catch (error) {
      if (this.#onFailure === "terminate") {
        this.close("RECORDING_FAILED");
        throw error;
      }
    }
    this.#count += 1;
    const ready = this.#waiting.filter((one) => one.count <= this.#count);
    this.#waiting = this.#waiting.filter((one) => one.count > this.#count);
    for (const { resolve } of ready) resolve();
  }

  #reached(count: number): Promise<void> {
    if (this.#over) return Promise.reject(new Error("the recording is over"));
    if (count <= this.#count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, resolve, reject: () => reject(new Error("the recording is over")) });
    });
  }

  /** Nothing is recorded any more; what waits is not sent. */
  close(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const { reject } of this.#waiting.splice(0)) reject();
    this.#recording.close(reason);
  }
}
