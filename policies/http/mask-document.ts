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
import { type FieldTree, type Under, under, underEscaped } from "./fields.ts";
import { type Layout, layoutOf, readAs } from "./layout.ts";
import { maskJson, type TokenOf } from "./mask-value.ts";

/** What masking did. `paths` are the dotted paths of masked values, once each, without array places. */
export interface Masked {
  readonly bytes: Uint8Array;
  readonly paths: readonly string[];
}

/** Documents inside documents are read this deep, then masked whole. */
const MAX_NESTED = 2;
const MAX_PATHS = 100;
/** How often the layout of one array's elements is looked at anew. */
const MAX_LAYOUTS = 16;

/** What was found out about the elements of one array. */
interface Layouts {
  readonly path: readonly string[];
  layout: Layout | null;
  /** How often it was looked at. */
  learned: number;
}

/** Of arrays that are read element by element. */
const NO_LAYOUTS: Layouts = { path: [], layout: null, learned: MAX_LAYOUTS };

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
  /** By what is looked for in the elements of an array: how the last of them that could be looked like. */
  readonly #layouts = new Map<FieldTree, Layouts>();
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
    if (bytes[start] === OPEN_BRACKET) return this.#elements(start, nodes);
    return bytes[start] === OPEN_BRACE ? this.#members(start, nodes) : skipValue(bytes, start);
  }

  /** The elements of the array at `at`. Many are objects of one layout: those are read by it where it holds. */
  #elements(at: number, nodes: readonly FieldTree[]): number {
    const bytes = this.#bytes;
    const edits = this.#edits;
    const known = nodes.length === 1 ? this.#layoutsOf(nodes[0]!) : NO_LAYOUTS;
    return walkElements(bytes, at, (start) => {
      if (known.layout !== null) {
        const end = readAs(known.layout, bytes, start, edits);
        if (end > 0) return end;
      }
      const end = this.#value(start, nodes);
      if (end > 0 && bytes[start] === OPEN_BRACE && known.learned < MAX_LAYOUTS) {
        known.learned += 1;
        known.layout = layoutOf(bytes, start, nodes) ?? known.layout;
      }
      return end;
    });
  }

  #layoutsOf(node: FieldTree): Layouts {
    let known = this.#layouts.get(node);
    // Under another path (through a `*`) the masked values are named anew.
    if (known === undefined || !sameSteps(known.path, this.#path)) {
      known = { path: [...this.#path], layout: null, learned: 0 };
      this.#layouts.set(node, known);
    }
    return known;
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
    if (sameSteps(path, this.#lastPath)) return;
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

function sameSteps(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
