/**
 * One spelling of a JSON value (RFC 8785, JSON Canonicalization Scheme), and digests over it: what was reviewed,
 * what an approval names and what runs are compared by these digests.
 */
import { createHash } from "node:crypto";
import type { Digest, Json } from "./task.ts";

/**
 * RFC 8785 text: no white space, keys sorted by UTF-16 code units, numbers as ECMAScript writes them.
 * Throws a TypeError for what is not JSON (NaN, infinity, undefined members, half a surrogate pair): a
 * programming error, since everything that comes here was read by the model.
 */
export function canonicalText(value: unknown): string {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("canonical JSON needs well-formed text");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("canonical JSON has no NaN or infinity");
    return JSON.stringify(value);
  }
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`canonical JSON has no ${typeof value}`);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, member]) => `${canonicalText(key)}:${canonicalText(member)}`).join(",")}}`;
}

/** SHA-256 over the UTF-8 of the canonical text. */
export function digestOf(value: unknown): Digest {
  return createHash("sha256").update(canonicalText(value), "utf8").digest("hex");
}

/** Whether two JSON values are equal: same type, same members, lists in the same order. */
export function jsonEquals(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a === null || b === null) return false;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => jsonEquals(item, b[i]));
  }
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && jsonEquals(a[key], b[key]));
}
