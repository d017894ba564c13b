/** What is read of an object of the API before it is shown: what it is, and nothing more. */
import { eachMember, skipSpace, skipValue, stringAt, walkMembers } from "../../wire/http/json.ts";

/** What is looked up in an object before it is shown; empty where it says nothing. */
export interface Facts {
  kind: string;
  apiVersion: string;
  type: string;
  name: string;
  namespace: string;
  labels: Record<string, string>;
}

const noLabels: Record<string, string> = {};

const encoder = new TextEncoder();
const metadataShown: readonly string[] = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
];

/** A member that is looked for, by its key in UTF-8. */
const keysOf = (names: readonly string[]) => names.map((name) => encoder.encode(name));
const objectKeys = ["kind", "apiVersion", "type", "metadata"] as const;
const objectTokens = keysOf(objectKeys);
const metadataKeys = ["name", "namespace", "labels"] as const;
const metadataTokens = keysOf(metadataKeys);

/** Which of the tokens a key is: -1 is another one, -2 is malformed. A key with escapes is what it says. */
function keyOf(bytes: Uint8Array, from: number, to: number, tokens: readonly Uint8Array[]): number {
  const length = to - from - 2;
  for (let n = 0; n < tokens.length; n++) {
    const token = tokens[n]!;
    if (token.length !== length) continue;
    let i = 0;
    while (i < length && bytes[from + 1 + i] === token[i]) i++;
    if (i === length) return n;
  }
  for (let i = from + 1; i < to - 1; i++) {
    if (bytes[i] !== 0x5c) continue;
    const text = stringAt(bytes, from, to);
    if (text === null) return -2;
    const said = encoder.encode(text);
    return tokens.findIndex((token) => token.length === said.length && token.every((b, j) => b === said[j]));
  }
  return -1;
}

/** What was read of an object, and the offset behind it. */
export interface ReadFacts {
  readonly facts: Facts;
  readonly end: number;
}

/** What is looked up of an object besides its namespace and type: texts of thousands of objects cost something. */
export interface Wanted {
  readonly kind: boolean;
  readonly name: boolean;
  readonly labels: boolean;
}

const everything: Wanted = { kind: true, name: true, labels: true };

/**
 * Reads kind, name, namespace, type and labels of the object at `at`, as far as they are wanted; null when it is
 * malformed, says them twice, or does not end.
 */
export function objectFacts(bytes: Uint8Array, start = 0, wanted: Wanted = everything): ReadFacts | null {
  const at = skipSpace(bytes, start);
  if (bytes[at] !== 0x7b) return null;
  const labels: Record<string, string> = wanted.labels ? Object.create(null) : noLabels;
  const facts: Facts = { kind: "", apiVersion: "", type: "", name: "", namespace: "", labels };
  let seen = 0;
  const once = (bit: number) => {
    const before = seen;
    seen |= 1 << bit;
    return before !== seen;
  };
  const end = walkMembers(bytes, at, (from, to, value) => {
    const key = keyOf(bytes, from, to, objectTokens);
    if (key === -2) return -1;
    if (key < 0) return skipValue(bytes, value);
    if (!once(key)) return -1;
    if (key < 3) {
      const stop = skipValue(bytes, value);
      // A custom resource may have any `type`: only a text is one.
      if (stop > 0 && bytes[value] === 0x22 && (wanted.kind || key === 2)) {
        facts[objectKeys[key as 0 | 1 | 2]] = stringAt(bytes, value, stop) ?? "";
      }
      return stop;
    }
    if (bytes[value] !== 0x7b) return bytes[value] === 0x6e ? skipValue(bytes, value) : -1;
    return walkMembers(bytes, value, (keyFrom, keyTo, inner) => {
      const name = keyOf(bytes, keyFrom, keyTo, metadataTokens);
      if (name === -2) return -1;
      if (name < 0) return skipValue(bytes, inner);
      if (!once(4 + name)) return -1;
      if (name < 2) {
        const stop = skipValue(bytes, inner);
        if (stop > 0 && bytes[inner] === 0x22 && (wanted.name || name === 1)) {
          facts[metadataKeys[name as 0 | 1]] = recentText(bytes, inner, stop) ?? "";
        }
        return stop;
      }
      if (bytes[inner] !== 0x7b) return bytes[inner] === 0x6e ? skipValue(bytes, inner) : -1;
      return wanted.labels ? readLabels(bytes, inner, labels) : skipValue(bytes, inner);
    });
  });
  return end < 0 ? null : { facts, end };
}

function readLabels(bytes: Uint8Array, at: number, labels: Record<string, string>): number {
  return walkMembers(bytes, at, (keyStart, keyEnd, start) => {
    const label = recentText(bytes, keyStart, keyEnd);
    const end = skipValue(bytes, start);
    const value = end > 0 && bytes[start] === 0x22 ? recentText(bytes, start, end) : null;
    if (label === null || value === null || label in labels) return -1;
    labels[label] = value;
    return end;
  });
}

/** Texts that were read last, by their length: namespaces and labels are the same in object after object. */
const recent: ({ readonly token: Uint8Array; readonly text: string } | undefined)[] = [];
/** Longest text that is remembered, bytes with quotes. */
const MAX_RECENT = 64;

/** As `stringAt`. */
function recentText(bytes: Uint8Array, start: number, end: number): string | null {
  const length = end - start;
  if (length > MAX_RECENT) return stringAt(bytes, start, end);
  const last = recent[length];
  if (last !== undefined) {
    let i = 0;
    while (i < length && bytes[start + i] === last.token[i]) i++;
    if (i === length) return last.text;
  }
  const text = stringAt(bytes, start, end);
  if (text !== null) recent[length] = { token: bytes.slice(start, end), text };
  return text;
}

/** Type and identity of an object as an object of its own; null when it is malformed. */
export function objectIdentity(bytes: Uint8Array): Uint8Array | null {
  const out: string[] = [];
  const decoder = new TextDecoder();
  const end = eachMember(bytes, skipSpace(bytes, 0), (key, start, stop) => {
    if (key === "kind" || key === "apiVersion")
      out.push(`"${key}":${decoder.decode(bytes.subarray(start, stop))}`);
    if (key !== "metadata" || bytes[start] !== 0x7b) return true;
    const kept: string[] = [];
    const inner = eachMember(bytes, start, (name, s, e) => {
      if (metadataShown.includes(name)) kept.push(`"${name}":${decoder.decode(bytes.subarray(s, e))}`);
      // Tells the client that a watch is in step; its key is fixed and its value "true".
      if (name === "annotations" && bytes[s] === 0x7b) {
        eachMember(bytes, s, (annotation, vs, ve) => {
          if (annotation === "k8s.io/initial-events-end" && stringAt(bytes, vs, ve) === "true") {
            kept.push('"annotations":{"k8s.io/initial-events-end":"true"}');
          }
          return true;
        });
      }
      return true;
    });
    out.push(`"metadata":{${kept.join(",")}}`);
    return inner >= 0;
  });
  if (bytes[skipSpace(bytes, 0)] !== 0x7b || end < 0) {
    return null;
  }
  return encoder.encode(`{${out.join(",")}}`);
}
