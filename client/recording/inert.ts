/**
 * Text of others, made harmless for a terminal: what a terminal acts on (control characters, escape
 * sequences), what reorders a line (bidirectional controls) and what is not seen at all is written as `\u001b`.
 */

const ACTIVE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]|\u034f|[\u180b-\u180d\ufe00-\ufe0f]|\p{Cs}|[\u{e0000}-\u{e0fff}]/gu;

/** One line of text in which nothing is active. A backslash stays one: this is for eyes, not for parsing. */
export function inert(text: string): string {
  return text.replace(ACTIVE, (character) => {
    const code = character.codePointAt(0)!;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/**
 * A line of JSON with the same meaning, in which nothing is active: JSON itself only escapes what is below U+0020, and a
 * terminal acts on more. Such characters stand in strings only, where an escape means the character.
 */
export function inertJson(json: string): string {
  return json.replace(ACTIVE, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++)
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    return escaped;
  });
}

/** As `inert`, but line breaks and tabs stay: for statements shown as they were written. */
export function inertLines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.split("\t").map(inert).join("\t"))
    .join("\n");
}
