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
  readonly tokens: readonly FieldToken[];
  /** Under `*`. */
  readonly any: FieldTree | null;
  readonly action: FieldAction | null;
}

/** A key of a tree. */
interface FieldToken {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly tree: FieldTree;
  /** The tree, as the only one. */
  readonly alone: readonly FieldTree[];
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
  tokens: FieldToken[];
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
          node.tokens.push({ text: step, bytes: encoder.encode(step), tree: next, alone: [next] });
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
    for (let i = 0; i < nodes.length; i++) {
      const { action } = nodes[i]!;
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
      const key = next.text ?? stringAt(bytes, keyStart, keyEnd);
      if (key === null) return -1;
      path.push(key);
      const end = walk(at, next.nodes, path);
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

/** What is under a key, and the key's text when it was not made for that. */
interface Under {
  nodes: readonly FieldTree[];
  text: string | null;
}

/** Given back by `under` and read before it is called again. */
const found: Under = { nodes: [], text: null };

/**
 * The nodes under a key; null when there are none, undefined when the key is malformed. A key with escapes is
 * compared as what it says. Called for each key of a document: it makes no objects where one node is found.
 */
function under(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  nodes: readonly FieldTree[],
): Under | null | undefined {
  const length = keyEnd - keyStart - 2;
  for (let i = keyStart + 1; i < keyEnd - 1; i++) {
    if (bytes[i] === 0x5c) return underEscaped(bytes, keyStart, keyEnd, nodes);
  }
  let list: readonly FieldTree[] | null = null;
  let text: string | null = null;
  for (let n = 0; n < nodes.length; n++) {
    const node = nodes[n]!;
    for (let t = 0; t < node.tokens.length; t++) {
      const token = node.tokens[t]!;
      if (token.bytes.length !== length) continue;
      let i = 0;
      while (i < length && bytes[keyStart + 1 + i] === token.bytes[i]) i++;
      if (i < length) continue;
      list = list === null ? token.alone : [...list, token.tree];
      text = token.text;
    }
    if (node.any) list = list === null ? [node.any] : [...list, node.any];
  }
  if (list === null) return null;
  found.nodes = list;
  found.text = text;
  return found;
}

function underEscaped(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  nodes: readonly FieldTree[],
): Under | null | undefined {
  const text = stringAt(bytes, keyStart, keyEnd);
  if (text === null) return undefined;
  const list: FieldTree[] = [];
  for (const node of nodes) {
    const named = node.keys.get(text);
    if (named) list.push(named);
    if (node.any) list.push(node.any);
  }
  return list.length === 0 ? null : { nodes: list, text };
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
  // The same whatever was there; what was there must be a value all the same.
  if (mask.kind === "constant" && first === 0x22 && readable(bytes, start, end))
    return constantText(mask.value);
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

/** Whether a string is plain: no escapes, nothing beyond ASCII. Others are read before they are masked. */
function readable(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start + 1; i < end - 1; i++) {
    const byte = bytes[i]!;
    if (byte > 0x7f || byte === 0x5c) return false;
  }
  return true;
}

let lastConstant: unknown;
let lastConstantText = "";

function constantText(value: unknown): string {
  if (value !== lastConstant) {
    lastConstant = value;
    lastConstantText = JSON.stringify(value);
  }
  return lastConstantText;
}
