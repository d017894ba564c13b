/**
 * The recording of a session of requests: its facts and the pieces of what passed come on the session's first
 * connection, and requests on the others wait for those that speak of them. What goes to a target is on the disk before.
 */
import { ByteQueue, type OutputKind, pieceOf, readPiece, readReference } from "../wire/pieces.ts";
import { isRecord } from "../wire/tunnel.ts";
import type { Kept, RequestSocket } from "./http-requests.ts";
import type { SessionRecording } from "./session-recording.ts";

/** Output of one stream that the edge has not named yet, bytes: more than its windows hold is a fault. */
const MAX_UNNAMED = 8 * 1024 * 1024;
/** Streams whose output is kept. */
const MAX_STREAMS = 64;

type Output = Readonly<Record<OutputKind, ByteQueue>>;

export class RequestRecording implements Kept {
  readonly #recording: Pick<SessionRecording, "add" | "piece" | "flush" | "close">;
  /** By the number of the statement: what its process wrote, until the recording names it. */
  readonly #outputs = new Map<number, Output>();
  /** Whether a recording that cannot be written ends the session. */
  readonly #onFailure: "terminate" | "continue";
  #count = 0;
  #over = false;
  #waiting: { readonly count: number; resolve(): void; reject(): void }[] = [];

  constructor(
    recording: Pick<SessionRecording, "add" | "piece" | "flush" | "close">,
    onFailure: "terminate" | "continue",
  ) {
    this.#recording = recording;
    this.#onFailure = onFailure;
  }

  /** A message of the first connection: a fact, or a piece. Throws when it cannot be written down. */
  add(message: Uint8Array | string): void {
    try {
      // As it came: both sides hash the same bytes.
      if (typeof message === "string") this.#recording.add("event", new TextEncoder().encode(message));
      else this.#recording.piece(this.#piece(message));
      this.#recording.flush();
    } catch (error) {
      if (this.#onFailure === "terminate") {
        this.close("RECORDING_FAILED");
        throw error;
      }
    }
    this.#count += 1;
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter((one) => one.count <= this.#count);
    this.#waiting = this.#waiting.filter((one) => one.count > this.#count);
    for (const { resolve } of ready) resolve();
  }

  /** A piece as the edge showed it: sent, or told where to find it. */
  #piece(message: Uint8Array): Uint8Array {
    const reference = readReference(message);
    if (reference === null) {
      const piece = readPiece(message);
      if (piece?.kind === "stdout" || piece?.kind === "stderr")
        this.#outputs.get(piece.n)?.[piece.kind].skip(piece.bytes.length);
      return message;
    }
    const raw = this.#outputs.get(reference.n)?.[reference.kind].take(reference.length);
    if (!raw) throw new Error("the recording names output that was not there");
    return pieceOf(reference, raw);
  }

  /** Keeps what a process wrote until the recording names it. Throws when that is too much. */
  output(n: number, kind: OutputKind, bytes: Uint8Array): void {
    let output = this.#outputs.get(n);
    if (output === undefined) {
      output = { stdout: new ByteQueue(), stderr: new ByteQueue() };
      // The last words of a stream are named after its end; the oldest streams have none left.
      if (this.#outputs.size >= MAX_STREAMS) this.#outputs.delete(this.#outputs.keys().next().value!);
      this.#outputs.set(n, output);
    }
    if (output[kind].size + bytes.length > MAX_UNNAMED) throw new Error("output that is not recorded");
    output[kind].push(bytes);
  }

  /** Resolves when so many messages are written down; rejects when they never will be. */
  reached(count: number): Promise<void> {
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

/** Serves a session's first connection, which brings what is recorded and nothing else. */
export class RecordingServer {
  readonly #socket: RequestSocket;
  readonly #recording: Pick<RequestRecording, "add">;
  #closed = false;

  constructor(socket: RequestSocket, recording: Pick<RequestRecording, "add">) {
    this.#socket = socket;
    this.#recording = recording;
  }

  /** A message of the edge. What it says is of no use at this end, so it is not parsed. */
  message(data: Uint8Array | string): void {
    if (this.#closed) return;
    if (typeof data === "string" && !isRecord(data)) {
      // The edge's `reset` ends it, and so does whatever has no place here.
      this.close();
      this.#socket.close(1000, "DONE");
      return;
    }
    try {
      this.#recording.add(data);
    } catch {
      const message = "the recording cannot be written";
      this.#socket.send(JSON.stringify({ t: "reset", code: "RECORDING_FAILED", message }));
      this.close();
      this.#socket.close(1000, "RECORDING_FAILED");
    }
  }

  close(): void {
    this.#closed = true;
  }
}
