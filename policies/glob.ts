/**
 * Globs: the whole text must match; `*` is any run of characters (also none), `?` is one character, everything
 * else stands for itself. There are no regular expressions in a policy: `^test|staging$` reads like two names
 * and is two prefixes.
 */

/** Longest pattern, characters. */
export const MAX_PATTERN = 200;

/**
 * Whether the whole text matches. Case matters. Time is at most length × length: the only way back is to the
 * last star. The caller bounds the text.
 */
export function globMatches(pattern: string, text: string): boolean {
  const wanted = Array.from(pattern);
  const given = Array.from(text);
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < given.length) {
    // The star first: in a text it may meet a literal `*`.
    if (wanted[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < wanted.length && (wanted[p] === "?" || wanted[p] === given[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (wanted[p] === "*") p++;
  return p === wanted.length;
}

/** What is wrong with a pattern, or null. Refuses what only means something in a regular expression. */
export function globFault(pattern: string): { message: string; fix: string } | null {
  if (pattern.length > MAX_PATTERN) {
    return { message: `the pattern is longer than ${MAX_PATTERN} characters`, fix: "shorten it" };
  }
  const odd = /[|^$\\()[\]{}+]|\.\*/.exec(pattern);
  if (odd === null) return null;
  const fix = "only * (any run) and ? (one character) are special, and the whole text must match";
  if (odd[0] === "|") {
    return { message: `this is a glob, not a regular expression: \`|\` makes no alternatives`, fix };
  }
  return { message: `this is a glob, not a regular expression: \`${odd[0]}\` has no meaning`, fix };
}
