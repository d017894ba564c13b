/**
 * Headers of plain HTTP requests and answers, by allow-list in both directions: nothing of the client's names who
 * it is or where it came from, and nothing of the target sets a cookie on the edge's origin.
 */

/** Request headers that may go upstream. */
export const requestHeaderNames: readonly string[] = [
  "accept",
  "accept-language",
  "content-type",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "idempotency-key",
  "prefer",
  "range",
  "user-agent",
];

/** Answer headers that may go to the client. */
export const answerHeaderNames: readonly string[] = [
  "content-type",
  "content-language",
  "content-disposition",
  "content-range",
  "accept-ranges",
  "etag",
  "last-modified",
  "retry-after",
  "preference-applied",
];

/** The named headers that are present and of visible ASCII, at most 8 KiB each. */
export function pickHeaders(
  headers: { get(name: string): string | null },
  names: readonly string[],
): [string, string][] {
  const out: [string, string][] = [];
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null && value.length <= 8192 && /^[\t\x20-\x7e]*$/.test(value)) out.push([name, value]);
  }
  return out;
}

/**
 * Null, or why a body's type is refused: forms can carry a method override (`_method`) that the target obeys.
 */
export function bodyTypeFault(contentType: string | null): string | null {
  const media = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  if (media === "" || /^application\/(json|[a-z0-9.+-]+\+json|x-ndjson|jsonl|octet-stream)$/.test(media))
    return null;
  return media === "text/plain" ? null : `bodies of the type ${media.slice(0, 64)} are not served; send JSON`;
}
