/** SQL in pieces for colours. A help for the eye only: it decides nothing, so it may be wrong in corners. */

export type TokenKind = "keyword" | "string" | "number" | "comment" | "parameter" | "name" | "other";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const KEYWORDS = new Set(
  `all alter analyze and any array as asc begin between both by case cast check close collate commit copy create cross
  cursor deallocate declare default delete desc distinct do drop else end except execute exists explain false fetch
  filter first following for foreign from full function grant group having if ilike in index inner insert intersect
  into is isolation join key lateral left like limit listen lock materialized move natural not notify null nulls of
  offset on only or order outer over partition preceding prepare primary range references release reset returning
  revoke right rollback row rows savepoint schema select sequence set show similar some start table temp temporary
  then to transaction true truncate type union unique unlisten update using vacuum values verbose view when where
  window with within work`.split(/\s+/),
);

/**
 * Comments, strings (E'', dollar-quoted and quoted names too), parameters, numbers and words, one after the other.
 * Each alternative takes at least one character and none repeats what another alternative could take again, so
 * the time is linear.
 */
const TOKEN =
  /(--[^\n]*|\/\*.*?(?:\*\/|$))|([eE]'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|(\$(?:[A-Za-z_][A-Za-z_\d]*)?\$).*?(?:\3|$))|("(?:[^"]|"")*(?:"|$))|(\$\d+)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([\p{L}_][\p{L}\p{M}\d_$]*)|(.)/gsu;

/** The text in tokens; joined, they are the text. */
export function sqlTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let other = "";
  const flush = (): void => {
    if (other !== "") tokens.push({ kind: "other", text: other });
    other = "";
  };
  for (const match of text.matchAll(TOKEN)) {
    const [whole, comment, string, , name, parameter, number, word] = match;
    if (comment === undefined && string === undefined && name === undefined && parameter === undefined) {
      if (number === undefined && (word === undefined || !KEYWORDS.has(word.toLowerCase()))) {
        other += whole;
        continue;
      }
    }
    flush();
    const kind =
      comment !== undefined
        ? "comment"
        : string !== undefined
          ? "string"
          : name !== undefined
            ? "name"
            : parameter !== undefined
              ? "parameter"
              : number !== undefined
                ? "number"
                : "keyword";
    tokens.push({ kind, text: whole });
  }
  flush();
  return tokens;
}
