/**
 * Field paths of JSON answers (`data.*`, `spec.containers[*].env[*].value`, `metadata.annotations["a.b/c"]`), made
 * into one tree.
 */
import { stringAt } from "../../wire/http/json.ts";
import type { Mask } from "../task.ts";

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
export interface FieldToken {
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

/** What is under a key, and the key's text when it was not made for that. */
export interface Under {
  nodes: readonly FieldTree[];
  text: string | null;
}

/** Given back by `under` and read before it is called again. */
const found: Under = { nodes: [], text: null };

/**
 * The nodes under a key without escapes; null when there are none. Called for each key of a document: it makes no
 * objects where one node is found.
 */
export function under(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  nodes: readonly FieldTree[],
): Under | null {
  const length = keyEnd - keyStart - 2;
  let list: readonly FieldTree[] | null = null;
  let text: string | null = null;
  for (let n = 0; n < nodes.length; n++) {
    const { tokens, any } = nodes[n]!;
    for (let t = 0; t < tokens.length; t++) {
      const token = tokens[t]!;
      const key = token.bytes;
      if (key.length !== length) continue;
      let i = 0;
      while (i < length && bytes[keyStart + 1 + i] === key[i]) i++;
      if (i < length) continue;
      list = list === null ? token.alone : [...list, token.tree];
      text = token.text;
    }
    if (any !== null) list = list === null ? [any] : [...list, any];
  }
  if (list === null) return null;
  found.nodes = list;
  found.text = text;
  return found;
}

/** As `under`, for a key with escapes: it is compared as what it says. Undefined: it is malformed. */
export function underEscaped(
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
