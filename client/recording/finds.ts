/** What `wicket play --search` finds: words in statements, in what came of them, in bodies, and in the values of rows. */
import type { PlayedStatement, Transcript } from "../../policies/postgres/transcript.ts";
import {
  type Excerpt,
  excerptOf,
  type FoundValue,
  ValueSearch,
} from "../../policies/postgres/transcript-search.ts";
import type { RecordingEntry } from "../../wire/recording.ts";
import type { Bodies } from "./bodies.ts";
import { inert } from "./inert.ts";

/** Values that are kept; more are counted. */
export const MOST_VALUES = 1_000;

export interface Find {
  /** Number of the statement; null while it is not over, so that a row of it cannot be told to be its. */
  readonly n: number | null;
  /** Milliseconds since the epoch; null with `n`. */
  readonly at: number | null;
  readonly in: "text" | "parameter" | "decision" | "outcome" | "body" | "answer" | "row";
  /** Of a value: number of its result among the statement's, and of the row in it, both from 1; name of the column. */
  readonly result?: number;
  readonly row?: number;
  readonly column?: string;
  readonly excerpt: Excerpt;
}

export class Finds {
  readonly #words: string;
  readonly #values: FoundValue[] = [];
  readonly #search: ValueSearch;
  /** Values that were found and are not kept. */
  beyond = 0;

  constructor(words: string) {
    this.#words = words;
    this.#search = new ValueSearch(words, (value) => {
      if (this.#values.length < MOST_VALUES) this.#values.push(value);
      else this.beyond += 1;
    });
  }

  entry(entry: RecordingEntry): void {
    this.#search.entry(entry);
  }

  /** Everything that was found, by statement. */
  of({ statements }: Transcript, bodies: Bodies): Find[] {
    const byUnit = Map.groupBy(this.#values, (value) => value.unit);
    const finds: Find[] = [];
    for (const statement of statements) {
      const { n, at, results } = statement;
      for (const [where, text] of textsOf(statement, bodies)) {
        const excerpt = excerptOf(text, this.#words);
        if (excerpt) finds.push({ n, at, in: where, excerpt });
      }
      results.forEach(({ unit }, i) => {
        for (const value of byUnit.get(unit) ?? []) finds.push({ n, at, ...valueFind(value, i) });
        byUnit.delete(unit);
      });
    }
    for (const values of byUnit.values())
      for (const value of values) finds.push({ n: null, at: null, ...valueFind(value, 0) });
    return finds;
  }
}

function valueFind({ row, column, excerpt }: FoundValue, result: number) {
  return { in: "row", result: result + 1, row: row + 1, column, excerpt } as const;
}

function* textsOf(statement: PlayedStatement, bodies: Bodies): Iterable<[Find["in"], string]> {
  const { n, text, params, decision, outcome } = statement;
  yield ["text", text];
  for (const value of params) if (typeof value === "string") yield ["parameter", value];
  yield ["decision", `${decision.reason} ${decision.message}`];
  if (outcome) yield ["outcome", [outcome.tag, outcome.message].filter(Boolean).join(" ")];
  const { askedText, answeredText } = bodies.texts(n);
  if (askedText !== null) yield ["body", askedText];
  if (answeredText !== null) yield ["answer", answeredText];
}

/** A find in one line, in which nothing is active. `started`: of the session, milliseconds since the epoch. */
export function findLine(find: Find, started: number): string {
  const { n, at, result, row, column = "", excerpt } = find;
  const when = n === null || at === null ? "not over" : `${n}. +${((at - started) / 1000).toFixed(1)}s`;
  const several = result !== undefined && result > 1 ? `result ${result}, ` : "";
  const where = row === undefined ? find.in : `${several}row ${row}, ${inert(column)}`;
  return `${when}  ${where}: ${excerpt.map(inert).join("")}`;
}
