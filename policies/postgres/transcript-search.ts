/**
 * Finds words in the values of recorded rows, as they pass: nothing is kept of rows in which they are not. Reading
 * begins at a recording's first segment, since units are numbered from there.
 */
import type { RecordingEntry } from "../../wire/recording.ts";
import { ResultStream } from "./transcript-results.ts";

/** A value with the words in it. */
export interface FoundValue {
  /** Number of the result among those of the recording, from 0 (`PlayedResult.unit`). */
  readonly unit: number;
  /** Number of the row in its result, from 0. */
  readonly row: number;
  /** The column's name. */
  readonly column: string;
  readonly excerpt: Excerpt;
}

/** The part of a text around what was searched for. */
export type Excerpt = readonly [before: string, found: string, after: string];

/** Characters that an excerpt shows before and after the words. */
const BEFORE = 40;
const AFTER = 80;

/** `null` when the words are not in it; letters are equal to their capitals. */
export function excerptOf(text: string, words: string): Excerpt | null {
  const at = text.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return null;
  const from = at > BEFORE ? at - BEFORE : 0;
  const end = at + words.length;
  const before = `${from > 0 ? "…" : ""}${text.slice(from, at)}`;
  return [
    before,
    text.slice(at, end),
    `${text.slice(end, end + AFTER)}${text.length > end + AFTER ? "…" : ""}`,
  ];
}

export class ValueSearch {
  readonly #stream: ResultStream;

  /** `found` is given one value after the other, in order. Of a row with the words in several columns, each. */
  constructor(words: string, found: (value: FoundValue) => void) {
    const wanted = words.toLowerCase();
    this.#stream = new ResultStream(
      () => false,
      undefined,
      (unit, row, values, names) => {
        values.forEach((value, i) => {
          if (value === null || !value.toLowerCase().includes(wanted)) return;
          const excerpt = excerptOf(value, words);
          if (excerpt) found({ unit, row, column: names[i] ?? "", excerpt });
        });
      },
    );
  }

  /** Takes the next entry. Throws RangeError when the recorded stream cannot be read. */
  entry({ kind, bytes }: Pick<RecordingEntry, "kind" | "bytes">): void {
    if (kind !== "backend") return;
    this.#stream.feed(bytes);
    this.#stream.units = [];
    this.#stream.notifications.length = 0;
  }
}
