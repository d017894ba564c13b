/**
 * Field paths of JSON answers (`data.*`, `spec.containers[*].env[*].value`, `metadata.annotations["a.b/c"]`), made
 * into one tree, and the masking of a document's bytes by it.
 */
import {
  applyEdits,
  type JsonEdit,
  MAX_JSON_DEPTH,
  skipSpace,
  skipValue,
  stringAt,
  walkElements,
  walkMembers,
} from "../../wire/http/json.ts";
import type { Mask } from "../task.ts";
import { maskJson, type TokenOf } from "./mask-value.ts";

/** What happens to a value: a mask, or `document` for text that itself holds a document of the same kind. */
export type FieldAction = { readonly kind: "mask"; readonly mask: Mask } | { readonly kind: "document" };

/** A tree of keys. Arrays need no level: a key step goes through them, so `[*]` may be left out. */
export interface FieldTree {
  readonly keys: ReadonlyMap<string, FieldTree>;
  /** The keys as UTF-8, for comparing without making strings. */
  readonly tokens: readonly { readonly bytes: Uint8Array; readonly tree: FieldTree }[];
  /** Under `*`. */
  readonly any: FieldTree | null;
  readonly action: FieldAction | null;
}

/** Steps of a path; `null` stands for `*`. */
export type FieldPath = readonly (string | null)[];

/** Longest path, steps. */
const MAX_STEPS = 32;

/** Parses a path, or says what is wrong with it. */
export function parseFieldPath(text: string): { ok: true; path: FieldPath } | { ok: false; message: string } {
  const steps: (string | null)[] = [];
  let rest = text;
  let first = true;
  while (rest !== "") {
    const array = /^\[\*\]/.exec(rest);
    const quoted = /^\["((?:[^"\\]|\\.)*)"\]/.exec(rest);
    const plain = (first ? /^([^.[\]"\s]+)/ : /^\.([^.[\]"\s]+)/).exec(rest);
    const found = array ?? quoted ?? plain;
    if (found === null) return { ok: false, message: `\`${text}\` is not a field path` };
    if (quoted) steps.push(quoted[1]!.replace(/\\(.)/g, "$1"));
    else if (plain) {
      if (plain[1] !== "*" && plain[1]!.includes("*")) {
        return { ok: false, message: "in a field path `*` stands alone for any key" };
      }
      steps.push(plain[1] === "*" ? null : plain[1]!);
    }
    rest = rest.slice(found[0].length);
    first = false;
  }
  if (steps.length === 0) return { ok: false, message: "the field path is empty" };
  if (steps.length > MAX_STEPS)
    return { ok: false, message: `the field path has more than ${MAX_STEPS} steps` };
  return { ok: true, path: steps };
}

/** For the file format: null, or what is wrong with a path and what to write. */
export function fieldPathFault(text: string): { message: string; fix: string } | null {
  const parsed = parseFieldPath(text);
  if (parsed.ok) return null;
  return { message: parsed.message, fix: 'write it like spec.containers[*].env[*].value or data["a.b"]' };
}

const encoder = new TextEncoder();

interface Building {
  keys: Map<string, Building>;
  tokens: { bytes: Uint8Array; tree: Building }[];
  any: Building | null;
  action: FieldAction | null;
}

/** One tree of many paths. A path given twice keeps its first action; a mask higher up wins over those below. */
export function fieldTree(entries: Iterable<readonly [FieldPath, FieldAction]>): FieldTree {
  const root: Building = { keys: new Map(), tokens: [], any: null, action: null };
  for (const [path, action] of entries) {
    let node = root;
    for (const step of path) {
      let next = step === null ? node.any : node.keys.get(step);
      if (!next) {
        next = { keys: new Map(), tokens: [], any: null, action: null };
        if (step === null) node.any = next;
        else {
          node.keys.set(step, next);
          node.tokens.push({ bytes: encoder.encode(step), tree: next });
        }
      }
      node = next;
    }
    node.action ??= action;
  }
  return root;
}

/** What masking did. `paths` are the dotted paths of masked values, once each, without array places. */
export interface Masked {
  readonly bytes: Uint8Array;
  readonly paths: readonly string[];
}

/** Documents inside documents are read this deep, then masked whole. */
const MAX_NESTED = 2;
const MAX_PATHS = 100;

/**
 * Masks one JSON document. `hidden` replaces text that should hold a document and cannot be read as one.
 * Null when the bytes are malformed: nothing of them may pass then.
 */
export function maskDocument(
  bytes: Uint8Array,
  tree: FieldTree,
  hidden: string,
  token: TokenOf | null = null,
  nested = 0,
): Masked | null {
  const edits: JsonEdit[] = [];
  const paths = new Set<string>();
  let lastText = "";
  let lastBytes: Uint8Array = new Uint8Array(0);
  let lastPath: readonly string[] = [];
  const replace = (start: number, end: number, text: string, path: readonly string[]) => {
    // Neighbours are often masked to the same text under the same path.
    if (text !== lastText) {
      lastText = text;
      lastBytes = encoder.encode(text);
    }
    edits.push({ start, end, bytes: lastBytes });
    if (path.length === lastPath.length && path.every((step, i) => step === lastPath[i])) return;
    lastPath = [...path];
    if (paths.size < MAX_PATHS) paths.add(path.join("."));
  };
  /** Walks a value once and gives the offset behind it, or -1. */
  const walk = (start: number, nodes: readonly FieldTree[], path: string[]): number => {
    for (const { action } of nodes) {
      if (action === null) continue;
      if (action.kind === "mask") {
        const end = skipValue(bytes, start);
        const masked = end < 0 ? null : maskToken(bytes, start, end, action.mask, token);
        if (masked !== null) replace(start, end, masked, path);
        return end;
      }
      if (bytes[start] !== 0x22) continue;
      const end = skipValue(bytes, start);
      const text = end < 0 ? null : stringAt(bytes, start, end);
      const inner =
        text === null || nested >= MAX_NESTED
          ? null
          : maskDocument(encoder.encode(text), tree, hidden, token, nested + 1);
      if (end < 0) return -1;
      if (inner === null) replace(start, end, JSON.stringify(hidden), path);
      else if (inner.paths.length > 0) {
        replace(start, end, JSON.stringify(new TextDecoder().decode(inner.bytes)), path);
      }
      return end;
    }
    if (path.length > MAX_JSON_DEPTH) return -1;
    if (bytes[start] === 0x5b) return walkElements(bytes, start, (at) => walk(at, nodes, path));
    if (bytes[start] !== 0x7b) return skipValue(bytes, start);
    return walkMembers(bytes, start, (keyStart, keyEnd, at) => {
      const next = under(bytes, keyStart, keyEnd, nodes);
      if (next === undefined) return -1;
      if (next === null) return skipValue(bytes, at);
      const key = stringAt(bytes, keyStart, keyEnd);
      if (key === null) return -1;
      path.push(key);
      const end = walk(at, next, path);
      path.pop();
      return end;
    });
  };
  const start = skipSpace(bytes, 0);
  let end = bytes.length;
  while (end > start && bytes[end - 1]! <= 0x20) end--;
  if (end === start) return null;
  const shape = bytes[start] === 0x7b || bytes[start] === 0x5b;
  if (nested > 0 && !shape) return null;
  if (walk(start, [tree], []) !== end) return null;
  return { bytes: applyEdits(bytes, edits), paths: [...paths] };
}

/**
 * The nodes under a key; null when there are none, undefined when the key is malformed. A key with escapes is
 * compared as what it says.
 */
function under(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  nodes: readonly FieldTree[],
): readonly FieldTree[] | null | undefined {
  let found: FieldTree[] | null = null;
  const length = keyEnd - keyStart - 2;
  const escaped = bytes.subarray(keyStart, keyEnd).includes(0x5c);
  const text = escaped ? stringAt(bytes, keyStart, keyEnd) : "";
  if (text === null) return undefined;
  for (const node of nodes) {
    if (escaped) {
      const named = node.keys.get(text);
      if (named) found = found === null ? [named] : [...found, named];
    } else {
      for (const token of node.tokens) {
        if (token.bytes.length !== length) continue;
        let i = 0;
        while (i < length && bytes[keyStart + 1 + i] === token.bytes[i]) i++;
        if (i === length) found = found === null ? [token.tree] : [...found, token.tree];
      }
    }
    if (node.any) found = found === null ? [node.any] : [...found, node.any];
  }
  return found;
}

/** The masked token, or null when the value is null already. */
function maskToken(
  bytes: Uint8Array,
  start: number,
  end: number,
  mask: Mask,
  token: TokenOf | null,
): string | null {
  const first = bytes[start]!;
  if (first === 0x6e) return null;
  if (first === 0x7b || first === 0x5b) {
    return mask.kind === "constant" ? JSON.stringify(mask.value) : "null";
  }
  if (first === 0x22) {
    const text = stringAt(bytes, start, end);
    return text === null ? "null" : maskJson(mask, text, "string", token);
  }
  const raw = new TextDecoder().decode(bytes.subarray(start, end));
  return maskJson(mask, raw, raw === "true" || raw === "false" ? "boolean" : "number", token);
}
