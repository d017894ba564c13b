/**
 * Finds the `:param` placeholders of a `rows` expression with PostgreSQL's own lexical rules (SQL syntax,
 * "Lexical Structure"): not in quotes, dollar quotes or quoted names, and not the second colon of `::`.
 * Whether the expression is SQL is for the parser to say.
 */

/** One `:name` in the text; offsets are UTF-16 units, `end` is past the name. */
export interface Placeholder {
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
  let depth = 0;
  let at = 0;
  while (at < sql.length) {
    const rest = sql.slice(at, at + 70);
    const character = sql[at]!;
    const before = sql[at - 1] ?? " ";
    if (character === "'" || character === '"') {
      const escapes =
        character === "'" && /[eE]/.test(before) && !/[\w$\x80-\uffff]/.test(sql[at - 2] ?? " ");
      const end = closingQuote(sql, at, character, escapes);
      if (end === null) {
        fault(at, `the quote ${character} is not closed`);
        break;
      }
      at = end;
    } else if (character === "$" && !/[\w$\x80-\uffff]/.test(before) && /^\$([A-Za-z_]\w*)?\$/.test(rest)) {
      const tag = /^\$\w*\$/.exec(rest)![0];
      const end = sql.indexOf(tag, at + tag.length);
      if (end < 0) {
        fault(at, `the quote ${tag} is not closed`);
        break;
      }
      at = end + tag.length;
    } else if (rest.startsWith("--") || rest.startsWith("/*")) {
      fault(at, "a rows expression has no comments", "use a YAML comment (#)");
      break;
    } else if (rest.startsWith("::")) at += 2;
    else if (character === ":" && /^:[A-Za-z_]/.test(rest)) {
      const name = /^:(\w+)/.exec(sql.slice(at))![1]!;
      placeholders.push({ name, start: at, end: at + 1 + name.length });
      at += 1 + name.length;
    } else {
      if (character === ";") fault(at, "a rows expression is one condition: it has no `;`", "remove it");
      if (character === "\0") fault(at, "a rows expression has no NUL", "remove it");
      if (character === "$" && /^\$\d/.test(rest) && !/[\w$\x80-\uffff]/.test(before)) {
        fault(at, "numbered parameters are not read here", "declare a parameter and write :name");
      }
      if (character === "(") depth += 1;
      if (character === ")" && --depth < 0) {
        fault(at, "there is a `)` without its `(`");
        break;
      }
      at += 1;
    }
  }
  if (depth > 0 && faults.length === 0) fault(sql.length, "a `(` is not closed");
  if (sql.trim() === "") fault(0, "the rows expression is empty", "remove `rows` to grant all rows");
  return { placeholders, faults };
}

/** The offset past the closing quote; a doubled quote is content. */
function closingQuote(sql: string, start: number, quote: string, escapes: boolean): number | null {
  for (let at = start + 1; at < sql.length; at++) {
    if (escapes && sql[at] === "\\") at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return null;
}
