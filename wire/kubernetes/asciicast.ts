/**
 * Terminal recordings as asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header line, then
 * `[seconds, "o" | "i" | "r", text]`. What is typed is masked for credentials; output comes masked. Multi-byte
 * characters cut between two frames are put together again.
 */
import { SecretMasker } from "../http/secrets.ts";

export interface CastHeader {
  readonly width: number;
  readonly height: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly command: string;
  readonly title: string;
}

/** A line as JSON: the header, or an event. */
export type CastLine = Readonly<Record<string, unknown>> | readonly [number, "o" | "i" | "r", string];

/** Writes one recording. `now` in milliseconds since the start. */
export class CastWriter {
  readonly #emit: (line: CastLine) => void;
  readonly #typed = new SecretMasker();
  readonly #texts: Record<"stdout" | "stderr" | "stdin", TextDecoder> = {
    stdout: new TextDecoder(),
    stderr: new TextDecoder(),
    stdin: new TextDecoder(),
  };

  constructor(header: CastHeader, emit: (line: CastLine) => void) {
    this.#emit = emit;
    emit({
      version: 2,
      width: header.width,
      height: header.height,
      timestamp: header.timestamp,
      command: printable(header.command),
      title: printable(header.title),
    });
  }

  /** Output of the process, masked already. */
  output(stream: "stdout" | "stderr", bytes: Uint8Array, now: number): void {
    this.#write("o", stream, bytes, now);
  }

  /** What the user typed or sent. */
  input(bytes: Uint8Array, now: number): void {
    this.#write("i", "stdin", this.#typed.push(bytes), now);
  }

  /** The terminal's new size, characters. */
  resize(columns: number, rows: number, now: number): void {
    this.#emit([now / 1000, "r", `${columns}x${rows}`]);
  }

  /** Writes what was held back. */
  end(now: number): void {
    this.#write("i", "stdin", this.#typed.flush(), now);
    for (const stream of ["stdout", "stderr", "stdin"] as const) {
      const rest = this.#texts[stream].decode();
      if (rest !== "") this.#emit([now / 1000, stream === "stdin" ? "i" : "o", rest]);
    }
  }

  #write(kind: "o" | "i", stream: "stdout" | "stderr" | "stdin", bytes: Uint8Array, now: number): void {
    const text = this.#texts[stream].decode(bytes, { stream: true });
    if (text !== "") this.#emit([now / 1000, kind, text]);
  }
}

function printable(text: string): string {
  return text.slice(0, 1000).replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
