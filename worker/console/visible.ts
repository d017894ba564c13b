/**
 * Text from elsewhere, shown so that it cannot look like something it is not: characters that are invisible or
 * change the direction become visible marks, and letters of foreign scripts inside Latin words are pointed out.
 */

export interface VisiblePart {
  readonly text: string;
  /** A mark that stands for a character which would not show, or would mislead. */
  readonly mark: boolean;
}

export interface VisibleText {
  readonly parts: readonly VisiblePart[];
  /** Sentences for the person who decides; empty when there is nothing to warn of. */
  readonly warnings: readonly string[];
}

/** Of a text with comments: for who decides about it, not for who reads it afterwards. */
export const HAS_COMMENTS = "It has comments; only the rest of it runs.";

/** Longer than that, nobody reads it: it is still shown whole, with a warning. */
const LONG = 4_000;
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0]/u;

/**
 * `text` as parts; everything that does not show becomes `⟨U+202E⟩`. Line feeds and tabs stay, unless `line` says
 * that the text stands in one line, where they would fake the next thing on the page.
 */
export function visible(text: string, line = false): VisibleText {
  const parts: VisiblePart[] = [];
  let plain = "";
  let hidden = 0;
  const flush = (): void => {
    if (plain !== "") parts.push({ text: plain, mark: false });
    plain = "";
  };
  for (const character of text) {
    const blank = character === "\n" || character === "\t";
    if (blank ? !line : !HIDDEN.test(character)) {
      plain += character;
      continue;
    }
    flush();
    if (!blank) hidden += 1;
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    parts.push({ text: `⟨U+${code}⟩`, mark: true });
  }
  flush();
  const warnings: string[] = [];
  if (hidden > 0)
    warnings.push("It has characters that do not show or change the reading direction; they are marked.");
  const mixed = mixedWords(text);
  if (mixed.length > 0)
    warnings.push(`It has words that mix alphabets and may look like others: ${mixed.join(", ")}`);
  if (/--|\/\*/.test(text)) warnings.push(HAS_COMMENTS);
  const lines = text.split("\n").length;
  if (text.length > LONG || lines > 60)
    warnings.push(`It is long: ${text.length} characters in ${lines} lines. Read it to the end.`);
  if (/[ \t]{40,}|\n{8,}/.test(text))
    warnings.push("It has long runs of blank space that could push text out of sight.");
  return { parts, warnings };
}

/** Words that have both Latin letters and letters of another script, each with its code points shown. */
function mixedWords(text: string): string[] {
  const found = new Set<string>();
  for (const [word] of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    const letters = [...word].filter((letter) => /\p{L}/u.test(letter));
    const latin = letters.filter((letter) => /\p{Script=Latin}/u.test(letter)).length;
    if (latin === 0 || latin === letters.length) continue;
    const spelled = [...word].map((letter) =>
      /[\p{Script=Latin}]/u.test(letter)
        ? letter
        : `${letter}(U+${letter.codePointAt(0)!.toString(16).toUpperCase()})`,
    );
    found.add(spelled.join(""));
    if (found.size === 5) break;
  }
  return [...found];
}
