/**
 * What stands for a masked value in a Kubernetes object. A write that carries it would store the mask in place of
 * the value (`kubectl get -o yaml | kubectl replace`), so such writes are refused.
 */

/** For text fields. */
export const MASKED_TEXT = "**masked-by-wicketgate**";
/** The same for `Secret.data`, which is base64. */
export const MASKED_BASE64 = "KiptYXNrZWQtYnktd2lja2V0Z2F0ZSoq";

/** Whether a text carries the sentinel, plain, in base64, or inside another text. */
export function holdsSentinel(text: string): boolean {
  return text.includes("masked-by-wicketgate") || text.includes(MASKED_BASE64);
}

/** Whether any text of a JSON value carries it, keys included. */
export function valueHoldsSentinel(value: unknown): boolean {
  if (typeof value === "string") return holdsSentinel(value);
  if (Array.isArray(value)) return value.some(valueHoldsSentinel);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => holdsSentinel(key) || valueHoldsSentinel(inner));
}
