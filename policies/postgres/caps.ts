/** Limits on a text before it is parsed; the parser's time and stack are not bounded by its length alone. */
import { type Refusal, refusal, TOO_LARGE } from "./refusal.ts";

/** Bytes of one Query or Parse text. */
export const MAX_TEXT_BYTES = 256 * 1024;
/** Nested block comments cost the lexer quadratic time. */
const MAX_COMMENT_OPENERS = 200;
/** Characters in one run of operator characters. */
const MAX_OPERATOR_RUN = 1000;

/** Null when the text may be parsed. */
export function checkText(text: string): Refusal | null {
  const tooLarge = (message: string) => refusal("TEXT_TOO_LARGE", message, { sqlstate: TOO_LARGE });
  if (text.length > MAX_TEXT_BYTES || utf8Length(text) > MAX_TEXT_BYTES) {
    return tooLarge(`a statement text may have at most ${MAX_TEXT_BYTES} bytes`);
  }
  if (text.includes("\0"))
    return refusal("TEXT_INVALID", "a statement text may not contain a NUL character", { sqlstate: "22021" });
  if (!text.isWellFormed())
    return refusal("TEXT_INVALID", "the statement text is not valid Unicode", { sqlstate: "22021" });
  let openers = 0;
  for (let at = text.indexOf("/*"); at >= 0; at = text.indexOf("/*", at + 2)) {
    if (++openers > MAX_COMMENT_OPENERS) return tooLarge("the statement text has too many comments");
  }
  if (/[~!@#^&|`?+\-*/%<>=]{1000}/.test(text))
    return tooLarge(`more than ${MAX_OPERATOR_RUN} operator characters in a row`);
  return null;
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7ff) bytes += unit >= 0xd800 && unit <= 0xdfff ? 1 : 2;
    else if (unit > 0x7f) bytes++;
  }
  return bytes;
}
