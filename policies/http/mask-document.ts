/**
 * The masking of a JSON document's bytes by a tree of field paths. A document is walked once: what no path leads into
 * is passed over, and the masked values become edits. One masker serves for many documents.
 */
import { Edits } from "../../wire/http/edits.ts";
import {
  MAX_JSON_DEPTH,
  skipSpace,
  skipString,
  skipValue,
  stringAt,
  stringEnd,
  walkElements,
} from "../../wire/http/json.ts";
import type { Mask } from "../task.ts";
import type { FieldTree } from "./fields.ts";
import { maskJson, type TokenOf } from "./mask-value.ts";

/** What masking did. `paths` are the dotted paths of masked values, once each, without array places. */
export interface Masked {
  readonly bytes: Uint8Array;
  readonly paths: readonly string[];
}

/** Documents inside documents are read this deep, then masked whole. */
const MAX_NESTED = 2;
const MAX_PATHS = 100;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Masks one JSON document. `hidden` replaces text that should hold a document and cannot be read as one.
 * Null when the bytes are malformed: nothing of them may pass then.
 */
export function maskDocument(
  bytes: Uint8Array,
  tree: FieldTree,
  hidden: string,
  token: TokenOf | null = null,
): Masked | null {
  const masker = new DocumentMasker(tree, hidden, token);
  const masked = masker.whole(bytes);
  return masked === null ? null : { bytes: masked, paths: [...masker.paths] };
}

/** The masks of one tree. */
export class DocumentMasker {
  readonly #root: readonly FieldTree[];
  readonly #tree: FieldTree;
  readonly #hidden: string;
  readonly #token: TokenOf | null;
  readonly #nested: number;
  /** Dotted paths of all values masked so far, at most `MAX_PATHS`. */
  readonly paths: Set<string>;
  #bytes: Uint8Array = new Uint8Array(0);
  #edits = new Edits();
  readonly #path: string[] = [];
  #lastText = "";
  #lastBytes: Uint8Array = new Uint8Array(0);
  #lastPath: readonly string[] = [];

  constructor(
    tree: FieldTree,
    hidden: string,
    token: TokenOf | null,
    paths: Set<string> = new Set(),
    nested = 0,
  ) {
    this.#tree = tree;
    this.#root = [tree];
    this.#hidden = hidden;
    this.#token = token;
    this.#nested = nested;
    this.paths = paths;
  }

  /** The document masked; the bytes themselves when nothing was. Null when they are malformed. */
  whole(bytes: Uint8Array): Uint8Array | null {
    const edits = new Edits();
    const start = skipSpace(bytes, 0);
    let end = bytes.length;
    while (end > start && bytes[end - 1]! <= 0x20) end--;
    if (end === start || this.read(bytes, start, edits) !== end) return null;
    return edits.count === 0 ? bytes : edits.made(bytes, 0, bytes.length);
  }

  /**
   * Reads the value that starts at `at` and adds what is masked in it to `edits`. Gives the offset behind the value,
   * or -1 when it is malformed or goes on behind the bytes: then the edits are of no use.
   */
  read(bytes: Uint8Array, at: number, edits: Edits): number {
    this.#bytes = bytes;
    this.#edits = edits;
    this.#path.length = 0;
    return this.#value(at, this.#root);
  }

  #value(start: number, nodes: readonly FieldTree[]): number {
    const bytes = this.#bytes;
    for (let i = 0; i < nodes.length; i++) {
      const { action } = nodes[i]!;
      if (action === null) continue;
      if (action.kind === "mask") {
        const end = skipValue(bytes, start);
        const masked = end < 0 ? null : maskToken(bytes, start, end, action.mask, this.#token);
        if (masked !== null) this.#replace(start, end, masked);
        return end;
      }
      if (bytes[start] === QUOTE) return this.#document(start);
    }
    if (this.#path.length > MAX_JSON_DEPTH) return -1;
    if (bytes[start] === OPEN_BRACKET) return walkElements(bytes, start, (at) => this.#value(at, nodes));
    return bytes[start] === OPEN_BRACE ? this.#members(start, nodes) : skipValue(bytes, start);
  }

  /** The members of the object at `at`. */
  #members(at: number, nodes: readonly FieldTree[]): number {
    const bytes = this.#bytes;
    let i = at + 1;
    if (bytes[i] !== QUOTE) {
      i = skipSpace(bytes, i);
      if (bytes[i] === CLOSE_BRACE) return i + 1;
    }
    for (;;) {
      if (bytes[i] !== QUOTE) return -1;
      const keyStart = i;
      i = plainKeyEnd(bytes, i + 1);
      let next: Under | null | undefined;
      if (i > 0) next = under(bytes, keyStart, i, nodes);
      else {
        i = skipString(bytes, keyStart);
        if (i < 0) return -1;
        next = underEscaped(bytes, keyStart, i, nodes);
        if (next === undefined) return -1;
      }
      const keyEnd = i;
      if (bytes[i] !== COLON) i = skipSpace(bytes, i);
      if (bytes[i++] !== COLON) return -1;
      let first = bytes[i]!;
      if (first <= 0x20) {
        i = skipSpace(bytes, i);
        first = bytes[i]!;
      }
      if (next === null) i = first === QUOTE ? stringEnd(bytes, i + 1) : skipValue(bytes, i);
      else {
        const key = next.text ?? stringAt(bytes, keyStart, keyEnd);
        if (key === null) return -1;
        this.#path.push(key);
        i = this.#value(i, next.nodes);
        this.#path.pop();
      }
      if (i < 0) return -1;
      let byte = bytes[i]!;
      if (byte <= 0x20) {
        i = skipSpace(bytes, i);
        byte = bytes[i]!;
      }
      i += 1;
      if (byte === CLOSE_BRACE) return i;
      if (byte !== COMMA) return -1;
      if (bytes[i]! <= 0x20) i = skipSpace(bytes, i);
    }
  }

  /** A text that holds a document of the same kind. */
  #document(start: number): number {
    const bytes = this.#bytes;
    const end = skipValue(bytes, start);
    if (end < 0) return -1;
    const text = stringAt(bytes, start, end);
    if (text === null || this.#nested >= MAX_NESTED) {
      this.#replace(start, end, JSON.stringify(this.#hidden));
      return end;
    }
    const document = encoder.encode(text);
    const first = document[skipSpace(document, 0)];
    const inner = new DocumentMasker(this.#tree, this.#hidden, this.#token, new Set(), this.#nested + 1);
    const masked = first === OPEN_BRACE || first === OPEN_BRACKET ? inner.whole(document) : null;
    if (masked === null) this.#replace(start, end, JSON.stringify(this.#hidden));
    else if (masked !== document) this.#replace(start, end, JSON.stringify(decoder.decode(masked)));
    return end;
  }

  #replace(start: number, end: number, text: string): void {
    // Neighbours are often masked to the same text under the same path.
    if (text !== this.#lastText) {
      this.#lastText = text;
      this.#lastBytes = encoder.encode(text);
    }
    this.#edits.add(start, end, this.#lastBytes);
    const path = this.#path;
    const last = this.#lastPath;
    let same = path.length === last.length;
    for (let i = 0; same && i < path.length; i++) same = path[i] === last[i];
    if (same) return;
    this.#lastPath = [...path];
    if (this.paths.size < MAX_PATHS) this.paths.add(path.join("."));
  }
}

/** The offset behind the key whose text starts at `at`; 0 when it has escapes, is malformed or does not end. */
function plainKeyEnd(bytes: Uint8Array, at: number): number {
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) return i + 1;
    if (byte === BACKSLASH || byte < 0x20) return 0;
  }
  return 0;
}

/** What is under a key, and the key's text when it was not made for that. */
interface Under {
  nodes: readonly FieldTree[];
  text: string | null;
}

/** Given back by `under` and read before it is called again. */
const found: Under = { nodes: [], text: null };

/**
 * The nodes under a key without escapes; null when there are none. Called for each key of a document: it makes no
 * objects where one node is found.
 */
function under(
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
  // The same whatever was there.
  if (mask.kind === "constant" && (first === QUOTE || first === OPEN_BRACE || first === OPEN_BRACKET)) {
    return constantText(mask.value);
  }
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return "null";
  if (first === QUOTE) {
    const text = stringAt(bytes, start, end);
    return text === null ? "null" : maskJson(mask, text, "string", token);
  }
  const raw = decoder.decode(bytes.subarray(start, end));
  return maskJson(mask, raw, raw === "true" || raw === "false" ? "boolean" : "number", token);
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
