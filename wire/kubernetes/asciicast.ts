/**
 * Terminal recordings as asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header line, then
 * `[seconds, "o" | "i" | "r", text]`. They are put together when a recording is read, from its events (the header and
 * the terminal's sizes) and the pieces of the process's streams.
 */
import type { Piece } from "../pieces.ts";

/** A line as JSON: the header, or the terminal's new size. */
export type CastLine = Readonly<Record<string, unknown>> | readonly [number, "r", string];

export interface CastHeader {
  readonly width: number;
  readonly height: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly command: string;
  readonly title: string;
}

/** The first line of one. */
export function castHeader({ width, height, timestamp, command, title }: CastHeader): CastLine {
  return { version: 2, width, height, timestamp, command: printable(command), title: printable(title) };
}

/** The terminal's new size, characters. `ms` since the start. */
export function castResize(columns: number, rows: number, ms: number): CastLine {
  return [ms / 1000, "r", `${columns}x${rows}`];
}

/** The lines of one terminal, in the order of the recording. Characters that were cut are put together again. */
export class CastReader {
  readonly lines: string[] = [];
  readonly #texts = { stdout: new TextDecoder(), stderr: new TextDecoder(), stdin: new TextDecoder() };

  line(line: unknown): void {
    this.lines.push(JSON.stringify(line));
  }

  /** Pieces of bodies are left out. */
  piece({ kind, ms, bytes }: Piece): void {
    if (kind === "asked" || kind === "answered") return;
    const text = this.#texts[kind].decode(bytes, { stream: true });
    if (text !== "") this.lines.push(JSON.stringify([ms / 1000, kind === "stdin" ? "i" : "o", text]));
  }
}

function printable(text: string): string {
  return text.slice(0, 1000).replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
