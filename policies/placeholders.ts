/**
 * Finds the `:param` placeholders of a `rows` expression, and what must not be in one whatever it means: what
 * could end the condition early or hide a part of it. Whether the expression is SQL is for the parser to say.
 */
import { type Token, tokens } from "./postgres/lexer.ts";

/** One `:name` in the text; offsets are UTF-16 units, `end` is past the name. */
export interface Placeholder {
  /** Folded to lower case, as SQL folds names. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** What cannot be in a `rows` expression. */
export interface RowsFault {
  readonly offset: number;
  readonly message: string;
  readonly fix: string | null;
}

/** The placeholders in order, and the faults; with a fault the text must not be used. */
export function findPlaceholders(sql: string): {
  readonly placeholders: readonly Placeholder[];
  readonly faults: readonly RowsFault[];
} {
  const placeholders: Placeholder[] = [];
  const faults: RowsFault[] = [];
  const fault = (offset: number, message: string, fix: string | null = null) =>
    faults.push({ offset, message, fix });
  const all = tokens(sql);
  let depth = 0;
  let end = 0;
  for (const [index, token] of all.entries()) {
    const between = sql.slice(end, token.start);
    if (between.trim() !== "") fault(end, "a rows expression has no comments", "use a YAML comment (#)");
    end = token.end;
    const raw = sql.slice(token.start, token.end);
    const next = all[index + 1];
    if (!isClosed(token, raw)) fault(token.start, "a quote is not closed");
    else if (raw === ":" && next?.kind === "name" && next.start === token.end) {
      placeholders.push({ name: next.value, start: token.start, end: next.end });
    } else if (raw === ";")
      fault(token.start, "a rows expression is one condition: it has no `;`", "remove it");
    else if (raw.includes("\0")) fault(token.start, "a rows expression has no NUL", "remove it");
    else if (/^\$\d/.test(raw)) {
      fault(token.start, "numbered parameters are not read here", "declare a parameter and write :name");
    } else if (raw === "(") depth += 1;
    else if (raw === ")" && --depth < 0) {
      fault(token.start, "there is a `)` without its `(`");
      depth = 0;
    }
  }
  if (sql.slice(end).trim() !== "") fault(end, "a rows expression has no comments", "use a YAML comment (#)");
  if (depth > 0) fault(sql.length, "a `(` is not closed");
  if (sql.trim() === "") fault(0, "the rows expression is empty", "remove `rows` to grant all rows");
  return { placeholders, faults };
}

/** The scanner ends an open quote at the end of the text; here that is a fault. */
function isClosed(token: Token, raw: string): boolean {
  if (token.kind === "name") return true;
  if (/^[eE]'/.test(raw)) return /^.'(?:[^'\\]|\\[\s\S]|'')*'$/.test(raw);
  if (/^(?:[bBxXnN]|[uU]&)?'/.test(raw)) return /^[^']*'(?:[^']|'')*'$/.test(raw);
  if (/^(?:[uU]&)?"/.test(raw)) return /^[^"]*"(?:[^"]|"")*"$/.test(raw);
  const tag = /^\$[^$\d]?[^$]*\$/.exec(raw)?.[0];
  return tag === undefined || (raw.length >= 2 * tag.length && raw.endsWith(tag));
}
