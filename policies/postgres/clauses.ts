/** Where the clauses of a data-modifying statement stand in its text, which the parse tree does not say. */
import { type Token, tokenAt } from "./lexer.ts";

/** Half-open, UTF-16 offsets. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The tokens of one statement outside of its parentheses, from some place on. */
export class Clauses {
  readonly tokens: readonly Token[];
  /** Where reading began. */
  readonly start: number;
  /** The offset behind the last token of the statement, inside of parentheses too. */
  readonly end: number;

  /** Reads to the end of the statement: a semicolon, or a parenthesis that was not opened here. */
  constructor(text: string, from: number, to: number) {
    const outer: Token[] = [];
    let depth = 0;
    let end = from;
    // One token at a time: one row of many is read without the rows behind it.
    for (
      let token = tokenAt(text, from);
      token && token.start < to;
      token = tokenAt(text, Math.max(token.end, token.start + 1))
    ) {
      const other = token.kind === "other";
      if (other && (token.value === ")" || token.value === "]")) depth--;
      if (depth < 0 || (other && token.value === ";")) break;
      if (depth === 0) outer.push(token);
      if (other && (token.value === "(" || token.value === "[")) depth++;
      end = token.end;
    }
    this.tokens = outer;
    this.start = from;
    this.end = end;
  }

  /** The index of the first key word at or after an index; -1 when there is none. */
  find(word: string, from = 0): number {
    return this.tokens.findIndex(
      (token, index) => index >= from && token.kind === "name" && token.value === word,
    );
  }

  /** The index of the last run of key words; -1 when there is none. */
  findLast(...run: readonly string[]): number {
    for (let index = this.tokens.length - run.length; index >= 0; index--) {
      if (run.every((word, offset) => this.#is(index + offset, word))) return index;
    }
    return -1;
  }

  #is(index: number, word: string): boolean {
    const token = this.tokens[index];
    return token?.kind === "name" && token.value === word;
  }

  /** From the token at `index` to before the token at `next` (or the statement's end), without outer space. */
  range(index: number, next: number): Range {
    const last = next < 0 ? null : this.tokens[next];
    const before = last ? this.tokens[this.tokens.indexOf(last) - 1] : null;
    return { start: this.tokens[index]?.start ?? this.end, end: before ? before.end : this.end };
  }

  /** The parts of a range of tokens that commas divide. */
  split(from: number, to: number): Range[] {
    const out: Range[] = [];
    let start = from;
    for (let index = from; index <= to; index++) {
      const comma =
        index === to || (this.tokens[index]!.kind === "other" && this.tokens[index]!.value === ",");
      if (!comma) continue;
      const last = this.tokens[index - 1];
      if (index > start && last)
        out.push({
          start: this.tokens[start]!.start,
          end: to === this.tokens.length && index === to ? this.end : last.end,
        });
      start = index + 1;
    }
    return out;
  }
}

/** `WHERE` of an UPDATE, DELETE or DO UPDATE, and the place for one when there is none. */
export interface WherePlace {
  /** The condition; null when there is no WHERE. */
  readonly condition: Range | null;
  /** The offset behind the last token before RETURNING or the end. */
  readonly end: number;
}

/** @param from index of the token after which the clause may come */
export function wherePlace(clauses: Clauses, from: number): WherePlace {
  const where = clauses.find("where", from);
  const returning = clauses.find("returning", from);
  const end = returning < 0 ? clauses.end : (clauses.tokens[returning - 1]?.end ?? clauses.start);
  if (where < 0) return { condition: null, end };
  return { condition: { start: clauses.tokens[where + 1]?.start ?? end, end }, end };
}
