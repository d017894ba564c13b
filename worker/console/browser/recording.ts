/** A recording as the player needs it: what happened in order, without rows; rows and terminals when asked for. */
import {
  type PlayedFact,
  type PlayedResult,
  type PlayedStatement,
  TranscriptReader,
} from "../../../policies/postgres/transcript.ts";
import {
  type Checkpoint,
  type PlayedRow,
  ResultStream,
} from "../../../policies/postgres/transcript-results.ts";
import { type FoundValue, ValueSearch } from "../../../policies/postgres/transcript-search.ts";
import { CastReader } from "../../../wire/kubernetes/asciicast.ts";
import { readPiece } from "../../../wire/pieces.ts";
import type { RecordingEntry } from "../../../wire/recording.ts";
import type { Segments } from "./segments.ts";

/** One line of the player's list. */
export type Item =
  | { readonly kind: "statement"; readonly at: number; readonly statement: PlayedStatement }
  | { readonly kind: "fact"; readonly at: number; readonly fact: PlayedFact };

/** Rows of one page. */
export interface Page {
  readonly rows: readonly PlayedRow[];
  /** Rows that the result has, as far as it was read. */
  readonly count: number;
}

/** Where a result is: the number of its statement, its own among the statement's from 0, and how many there are. */
export interface Place {
  readonly n: number;
  readonly result: number;
  readonly results: number;
}

/** While values are searched: how long the browser is kept from painting, and a pause for more to be read, milliseconds. */
const SEARCH_MS = 30;
const READ_ON_MS = 200;
/** Values that are shown at once; what is found in one entry is shown together. */
export const SHOWN_VALUES = 200;
/** Entries of a segment that are read at once; the first ones are few. */
const FIRST_PART = 500;
const PART = 4_000;

export class Recording {
  readonly items: Item[] = [];
  readonly segments: Segments;
  /** True when rows were not recorded. */
  elided = false;
  /** Why the recording is closed; null while it is not, or is not read so far. */
  final: string | null = null;
  /** Segments read. */
  read = 0;
  /** Time of the last entry read, ms since the epoch. */
  until = 0;
  readonly #reader = new TranscriptReader(() => false);
  /** State before each segment. */
  readonly #checkpoints: Checkpoint[] = [];
  /** By the number of a statement with a terminal or bodies: first and last segment of them. */
  readonly #kept = new Map<number, { first: number; last: number }>();
  #statements = 0;
  #facts = 0;
  /** Where results are, by their numbers; and how many of the items were looked at for it. */
  readonly #places = new Map<number, Place>();
  #placed = 0;

  constructor(segments: Segments) {
    this.segments = segments;
  }

  /**
   * Reads the next segment; false when there is none. `pause` is awaited after each part of it, so that what is read is
   * shown before all of it is, and the page stays alive.
   */
  async next(pause: () => Promise<void>): Promise<boolean> {
    const index = this.read;
    if (index >= this.segments.list.length) return false;
    const { header, entries } = await this.segments.read(index);
    this.#checkpoints.push(this.#reader.checkpoint);
    this.read = index + 1;
    for (let at = 0, size = FIRST_PART; at < entries.length; at += size, size = PART) {
      this.#take(entries.slice(at, at + size), index);
      await pause();
    }
    this.final = header.final?.reason ?? this.final;
    this.until = Math.max(this.until, header.to);
    return true;
  }

  #take(entries: readonly RecordingEntry[], index: number): void {
    const before = new Map(this.#counts());
    for (const entry of entries) this.#reader.entry(entry);
    for (const [n, kept] of this.#counts()) {
      if (kept === (before.get(n) ?? 0)) continue;
      this.#kept.set(n, { first: this.#kept.get(n)?.first ?? index, last: index });
    }
    const { statements, facts, elided } = this.#reader.transcript;
    const fresh: Item[] = [
      ...statements
        .slice(this.#statements)
        .map((statement): Item => ({ kind: "statement", at: statement.at, statement })),
      ...facts.slice(this.#facts).map((fact): Item => ({ kind: "fact", at: fact.at, fact })),
    ];
    this.#statements = statements.length;
    this.#facts = facts.length;
    // Statements and facts of one part are put in the order of their times; parts are in order themselves.
    this.items.push(...fresh.sort((a, b) => a.at - b.at));
    this.elided = elided;
    this.until = Math.max(this.until, entries.at(-1)?.at ?? 0);
  }

  *#counts(): Iterable<[number, number]> {
    // Only the last statements can still be open: a session has at most so many requests at once.
    for (const { n, casts, asked, answered } of this.#reader.transcript.statements.slice(-64)) {
      const kept = casts + asked + answered;
      if (kept > 0) yield [n, kept];
    }
  }

  /** Rows `from` to `to` (not included) of a result. Reads the segments that hold them, and no others. */
  async rows(result: Pick<PlayedResult, "unit">, from: number, to: number): Promise<Page> {
    const { unit } = result;
    let start = 0;
    for (let i = 0; i < this.#checkpoints.length; i++) {
      const point = this.#checkpoints[i]!;
      if (point.unit > unit || (point.unit === unit && point.count > from)) break;
      start = i;
    }
    const stream = new ResultStream(
      (at, row) => at === unit && row >= from && row < to,
      this.#checkpoints[start],
    );
    for (let index = start; index < this.read; index++) {
      const { entries } = await this.segments.read(index);
      for (const entry of entries) {
        if (entry.kind !== "backend") continue;
        stream.feed(entry.bytes);
        const ended = stream.units.find((one) => one.result?.unit === unit);
        if (ended?.result) return { rows: ended.result.rows, count: ended.result.count };
        stream.units = [];
      }
      const { unit: at, partial } = stream;
      if (at > unit || (at === unit && partial.count >= to))
        return { rows: partial.rows, count: partial.count };
    }
    return { rows: stream.partial.rows, count: stream.partial.count };
  }

  /**
   * Goes through the rows of all segments for values with these words in them. Gives what it found at once, as often as
   * the page should live meanwhile; ends where everything that is known was looked through, or `asked` gives null.
   */
  async *values(
    words: string,
    asked: <Answer>(ask: () => Promise<Answer>) => Promise<Answer | null>,
  ): AsyncGenerator<{ readonly segment: number; readonly found: readonly FoundValue[] }> {
    let found: FoundValue[] = [];
    const search = new ValueSearch(words, (value) => found.push(value));
    let since = performance.now();
    for (let index = 0; index < this.segments.list.length; index++) {
      // What is found has to belong to statements that are known.
      while (index >= this.read) {
        yield { segment: index, found };
        found = [];
        await new Promise((resolve) => setTimeout(resolve, READ_ON_MS));
      }
      const segment = await asked(() => this.segments.read(index));
      if (!segment) return;
      for (const entry of segment.entries) {
        search.entry(entry);
        if (performance.now() - since < SEARCH_MS && found.length < SHOWN_VALUES) continue;
        yield { segment: index, found };
        found = [];
        since = performance.now();
      }
    }
    yield { segment: this.read, found };
  }

  /** Where the result with this number is; null while its statement is not over. */
  placeOf(unit: number): Place | null {
    for (; this.#placed < this.items.length; this.#placed++) {
      const item = this.items[this.#placed]!;
      if (item.kind !== "statement") continue;
      const { n, outcome, results } = item.statement;
      results.forEach((one, result) => {
        this.#places.set(one.unit, { n, result, results: results.length });
      });
      if (outcome === null) break;
    }
    return this.#places.get(unit) ?? null;
  }

  /** The terminal of a statement as an asciicast (v2). */
  async cast(n: number): Promise<string> {
    const cast = new CastReader();
    await this.#each(n, ({ kind, bytes }) => {
      const piece = kind === "frontend" ? readPiece(bytes) : null;
      if (piece?.n === n) cast.piece(piece);
      if (kind !== "event") return;
      const { event } = JSON.parse(new TextDecoder().decode(bytes)) as {
        event?: { t: string; n: number; line: unknown };
      };
      if (event?.t === "cast" && event.n === n) cast.line(event.line);
    });
    return cast.lines.length === 0 ? "" : `${cast.lines.join("\n")}\n`;
  }

  /** What is kept of a request's body, or of its answer. */
  async body(n: number, which: "asked" | "answered"): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    await this.#each(n, ({ kind, bytes }) => {
      const piece = kind === "frontend" ? readPiece(bytes) : null;
      if (piece?.n === n && piece.kind === which) text += decoder.decode(piece.bytes, { stream: true });
    });
    return text + decoder.decode();
  }

  /** The entries of the segments that have something of a statement. */
  async #each(n: number, take: (entry: RecordingEntry) => void): Promise<void> {
    const range = this.#kept.get(n);
    if (!range) return;
    for (let index = range.first; index <= range.last; index++) {
      for (const entry of (await this.segments.read(index)).entries) take(entry);
    }
  }
}
