/**
 * Shows an answer of the API server under a task: objects that the task does not cover are dropped, masked fields
 * replaced, in every shape that the gate lets through (object, list, Table, partial metadata, watch events).
 * A stream: of a list one item is held at a time.
 */
import { eachElement, eachMember, skipSpace, stringAt } from "../../wire/http/json.ts";
import { type JsonPiece, JsonSplitter } from "../../wire/http/json-stream.ts";
import type { KubeRequest } from "../../wire/kubernetes/request.ts";
import { type FieldTree, maskDocument } from "../http/fields.ts";
import type { TokenOf } from "../http/mask-value.ts";
import type { KubernetesRule } from "../task.ts";
import { scrubStatus } from "./answer-status.ts";
import { isWriteVerb, type KubePermit } from "./decide.ts";
import { columnShown, masksFor } from "./masks.ts";
import { type Facts, noFacts, objectFacts, objectIdentity } from "./object-facts.ts";
import { coversName, coversNamespace, hasLabels, isCollectionVerb } from "./scope.ts";
import { MASKED_TEXT } from "./sentinel.ts";

/** Largest object, list item, table row or watch event, bytes. etcd keeps 1.5 MiB; JSON is larger than that. */
export const MAX_OBJECT = 4 * 1024 * 1024;

/** Why an answer was cut off. */
export type AnswerFault = "ANSWER_MALFORMED" | "OBJECT_TOO_LARGE" | "OBJECT_NOT_GRANTED";

/** What passed. */
export interface AnswerStats {
  /** Items, rows, events or objects shown. */
  objects: number;
  dropped: number;
  /** Dotted paths of masked fields. */
  readonly masked: Set<string>;
}

export type AnswerResult =
  | { readonly ok: true; readonly bytes: readonly Uint8Array[] }
  | { readonly ok: false; readonly fault: AnswerFault };

const encoder = new TextEncoder();
const comma = encoder.encode(",");
const listMembers: readonly string[] = ["kind", "apiVersion", "metadata", "columnDefinitions"];

/** The filter of one successful answer (2xx, JSON). */
export class AnswerFilter {
  readonly #permit: KubePermit;
  readonly #request: KubeRequest;
  readonly #token: TokenOf | null;
  readonly #splitter: JsonSplitter;
  readonly #mode: "list" | "watch" | "object";
  readonly #trees = new Map<string, FieldTree | null>();
  readonly stats: AnswerStats = { objects: 0, dropped: 0, masked: new Set() };
  /** The rule that shows every object of the answer whatever its name and labels are, or null. */
  readonly #certain: KubernetesRule | null;
  #columns: string[] | null = null;
  #out: Uint8Array[] = [];
  #pieces = 0;
  #members = 0;
  #elements = 0;
  #fault: AnswerFault | null = null;

  constructor(permit: KubePermit, token: TokenOf | null = null) {
    this.#permit = permit;
    this.#request = permit.request;
    this.#token = token;
    const { verb } = permit.request;
    this.#mode = verb === "watch" ? "watch" : verb === "list" ? "list" : "object";
    this.#certain = certainRule(permit);
    this.#splitter = new JsonSplitter(this.#mode === "list" ? ["items", "rows"] : null, MAX_OBJECT);
  }

  /** Bytes held for an unfinished piece. */
  get held(): number {
    return this.#splitter.held;
  }

  /** Reads a chunk of the body and gives what may pass. After a fault nothing more may pass. */
  push(chunk: Uint8Array): AnswerResult {
    if (this.#fault !== null) return { ok: false, fault: this.#fault };
    const stopped = this.#splitter.push(chunk, (piece) => this.#piece(piece));
    if (stopped !== null)
      this.#fault ??= stopped === "JSON_PIECE_TOO_LARGE" ? "OBJECT_TOO_LARGE" : "ANSWER_MALFORMED";
    return this.#taken();
  }

  /** The end of the body. */
  end(): AnswerResult {
    const stopped = this.#fault === null ? this.#splitter.end((piece) => this.#piece(piece)) : null;
    // Only a watch may end without having said anything.
    if (stopped !== null || (this.#pieces === 0 && this.#mode !== "watch"))
      this.#fault ??= "ANSWER_MALFORMED";
    return this.#taken();
  }

  #taken(): AnswerResult {
    const bytes = this.#out;
    this.#out = [];
    return this.#fault === null ? { ok: true, bytes } : { ok: false, fault: this.#fault };
  }

  #piece(piece: JsonPiece): void {
    if (this.#fault !== null) return;
    this.#pieces += 1;
    switch (piece.t) {
      case "objectStart":
        this.#text("{");
        return;
      case "objectEnd":
        this.#text("}\n");
        return;
      case "member":
        if (!listMembers.includes(piece.key)) return;
        if (piece.key === "columnDefinitions") this.#columns = columnNames(piece.bytes);
        this.#key(piece.key);
        this.#out.push(piece.bytes);
        return;
      case "arrayStart":
        this.#key(piece.key);
        this.#text("[");
        this.#elements = 0;
        return;
      case "arrayEnd":
        this.#text("]");
        return;
      case "element": {
        const shown = piece.key === "rows" ? this.#row(piece.bytes) : this.#object(piece.bytes);
        if (shown === null) return;
        if (this.#elements++ > 0) this.#next(shown);
        else this.#out.push(shown);
        return;
      }
      case "document":
        if (this.#mode === "watch") this.#event(piece.bytes);
        else if (this.#mode === "object") this.#whole(piece.bytes);
        else this.#fault = "ANSWER_MALFORMED";
    }
  }

  #text(text: string): void {
    this.#out.push(encoder.encode(text));
  }

  /** An element after another one. What the API server sent side by side leaves as one view. */
  #next(shown: Uint8Array): void {
    const last = this.#out.at(-1);
    const gap = last === undefined ? 0 : last.byteOffset + last.length;
    if (last !== undefined && last.buffer === shown.buffer && gap + 1 === shown.byteOffset) {
      const both = new Uint8Array(last.buffer, last.byteOffset, last.length + 1 + shown.length);
      if (both[last.length] === 0x2c) {
        this.#out[this.#out.length - 1] = both;
        return;
      }
    }
    this.#out.push(comma, shown);
  }

  #key(key: string): void {
    this.#text(`${this.#members++ > 0 ? "," : ""}${JSON.stringify(key)}:`);
  }

  /** The answer to a request for one object, or to a write. */
  #whole(bytes: Uint8Array): void {
    const write = isWriteVerb(this.#request.verb);
    // A write that happened is answered, if only by which object it was.
    const shown = this.#shape(bytes, write) ?? (write && this.#fault === null ? this.#metadata(bytes) : null);
    if (shown === null) this.#fault ??= "OBJECT_NOT_GRANTED";
    else this.#out.push(shown, encoder.encode("\n"));
  }

  /** One watch event: `{"type", "object"}`. */
  #event(bytes: Uint8Array): void {
    let type = "";
    let from = -1;
    let to = -1;
    const end = eachMember(bytes, 0, (key, start, stop) => {
      if (key === "type") type = stringAt(bytes, start, stop) ?? "";
      else if (key === "object") {
        if (from >= 0) return false;
        from = start;
        to = stop;
      }
      return true;
    });
    if (bytes[0] !== 0x7b || end < 0 || from < 0 || !/^[A-Z]{1,16}$/.test(type)) {
      this.#fault = "ANSWER_MALFORMED";
      return;
    }
    const object = bytes.subarray(from, to);
    // A bookmark has no object but a resource version; an error is a Status.
    const shown =
      type === "BOOKMARK"
        ? this.#metadata(object)
        : type === "ERROR"
          ? this.#status(object)
          : this.#shape(object, false);
    if (shown === null) return;
    this.#text(`{"type":${JSON.stringify(type)},"object":`);
    this.#out.push(shown);
    this.#text("}\n");
  }

  /** An object, a Table, a list or a Status where one document is expected. Null: not shown. */
  #shape(bytes: Uint8Array, write: boolean): Uint8Array | null {
    const facts = this.#facts(bytes);
    if (facts === null) return null;
    const meta = facts.apiVersion.startsWith("meta.k8s.io/");
    if (facts.kind === "Status" && facts.apiVersion === "v1") return this.#status(bytes);
    if (write && this.#permit.shownBy.length === 0) return this.#metadata(bytes);
    if (meta && facts.kind === "Table") return this.#table(bytes, write);
    if (write && isCollectionVerb(this.#request.verb)) return this.#metadata(bytes);
    return this.#object(bytes, write, facts);
  }

  /** A whole Table of one or few rows. */
  #table(bytes: Uint8Array, write: boolean): Uint8Array | null {
    const parts: Uint8Array[] = [];
    let rows = 0;
    let fine = true;
    const end = eachMember(bytes, skipSpace(bytes, 0), (key, start, stop) => {
      const value = bytes.subarray(start, stop);
      if (key === "columnDefinitions") this.#columns = columnNames(value);
      if (key !== "rows") {
        if (!listMembers.includes(key)) return true;
        parts.push(encoder.encode(`${parts.length > 0 ? "," : ""}${JSON.stringify(key)}:`), value);
        return true;
      }
      parts.push(encoder.encode(`${parts.length > 0 ? "," : ""}"rows":[`));
      if (bytes[start] === 0x5b) {
        fine =
          eachElement(bytes, start, (s, e) => {
            const row = this.#row(bytes.subarray(s, e), write);
            if (row !== null) {
              if (rows++ > 0) parts.push(encoder.encode(","));
              parts.push(row);
            }
            return true;
          }) >= 0;
      }
      parts.push(encoder.encode("]"));
      return fine;
    });
    if (end < 0 || !fine) {
      this.#fault = "ANSWER_MALFORMED";
      return null;
    }
    if (rows === 0) return null;
    return concat([encoder.encode("{"), ...parts, encoder.encode("}")]);
  }

  /** A Table row: `{"cells", "object", "conditions"}`. */
  #row(bytes: Uint8Array, write = false): Uint8Array | null {
    let cells: Uint8Array | null = null;
    let object: Uint8Array | null = null;
    const end = eachMember(bytes, 0, (key, start, stop) => {
      if (key === "cells") cells = bytes.subarray(start, stop);
      else if (key === "object") object = bytes.subarray(start, stop);
      return true;
    });
    if (bytes[0] !== 0x7b || end < 0 || cells === null) {
      this.#fault = "ANSWER_MALFORMED";
      return null;
    }
    if (object === null) {
      this.stats.dropped += 1;
      return null;
    }
    const facts = this.#facts(object);
    const rule = facts === null ? null : this.#rule(facts, write);
    if (facts === null || rule === null) {
      this.stats.dropped += 1;
      return null;
    }
    const tree = this.#tree(rule, facts);
    const shown = this.#masked(object, tree);
    if (shown === null) return null;
    this.stats.objects += 1;
    const list = this.#cells(cells, tree);
    if (list === null) {
      this.#fault = "ANSWER_MALFORMED";
      return null;
    }
    return concat([
      encoder.encode('{"cells":'),
      list,
      encoder.encode(',"object":'),
      shown,
      encoder.encode("}"),
    ]);
  }

  #cells(bytes: Uint8Array, tree: FieldTree | null): Uint8Array | null {
    if (tree === null) return bytes;
    const parts: string[] = [];
    let i = 0;
    const decoder = new TextDecoder();
    const end = eachElement(bytes, 0, (start, stop) => {
      const column = this.#columns?.[i++] ?? "";
      const shown = columnShown(tree, this.#request.group, this.#request.resource, column);
      parts.push(shown ? decoder.decode(bytes.subarray(start, stop)) : JSON.stringify(MASKED_TEXT));
      if (!shown) this.stats.masked.add(`table.${column}`);
      return true;
    });
    return end < 0 ? null : encoder.encode(`[${parts.join(",")}]`);
  }

  /** An object or list item. Null: dropped. */
  #object(bytes: Uint8Array, write = false, known: Facts | null = null): Uint8Array | null {
    if (this.#certain !== null && !write) {
      const shown = bytes[0] === 0x7b ? this.#masked(bytes, this.#tree(this.#certain, noFacts)) : null;
      if (shown === null) this.#fault ??= "ANSWER_MALFORMED";
      else this.stats.objects += 1;
      return shown;
    }
    const facts = known ?? this.#facts(bytes);
    const rule = facts === null ? null : this.#rule(facts, write);
    if (facts === null || rule === null) {
      this.stats.dropped += 1;
      return null;
    }
    const shown = this.#masked(bytes, this.#tree(rule, facts));
    if (shown !== null) this.stats.objects += 1;
    return shown;
  }

  /** The rule by which an object is shown. */
  #rule(facts: Facts, write: boolean): KubernetesRule | null {
    const { shownBy } = this.#permit;
    const subresource = this.#request.subresource;
    for (const rule of shownBy) {
      // What is not the object itself (a Scale, a TokenRequest) has no labels of its own.
      const labelled = subresource !== "" && subresource !== "status" ? true : hasLabels(rule, facts.labels);
      const name = facts.name || this.#request.name;
      const namespace = facts.namespace;
      if (!labelled || !coversName(rule, name)) continue;
      if (
        coversNamespace(rule, this.#isNamespaces() ? "" : namespace || (write ? this.#request.namespace : ""))
      ) {
        return rule;
      }
      // Objects inside a single-object answer may leave their namespace out (Scale, TokenRequest).
      if (this.#mode === "object" && namespace === "" && coversNamespace(rule, this.#request.namespace))
        return rule;
    }
    return null;
  }

  #isNamespaces(): boolean {
    return this.#request.group === "" && this.#request.resource === "namespaces";
  }

  #tree(rule: KubernetesRule, facts: Facts): FieldTree | null {
    const key = `${rule.at}\0${facts.type}`;
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const { group, resource, subresource } = this.#request;
    const tree = masksFor(rule, group, resource, subresource, facts.type);
    if (this.#trees.size < 64) this.#trees.set(key, tree);
    return tree;
  }

  #masked(bytes: Uint8Array, tree: FieldTree | null): Uint8Array | null {
    if (tree === null) return bytes;
    const masked = maskDocument(bytes, tree, MASKED_TEXT, this.#token);
    if (masked === null) {
      this.#fault = "ANSWER_MALFORMED";
      return null;
    }
    for (const path of masked.paths) if (this.stats.masked.size < 100) this.stats.masked.add(path);
    return masked.bytes;
  }

  /** Type and identity of an object, nothing else of it. */
  #metadata(bytes: Uint8Array): Uint8Array | null {
    const identity = objectIdentity(bytes);
    if (identity === null) this.#fault = "ANSWER_MALFORMED";
    return identity;
  }

  #status(bytes: Uint8Array): Uint8Array {
    return scrubStatus(bytes, hidesValues(this.#permit));
  }

  /** Null and a fault when the object cannot be read. */
  #facts(bytes: Uint8Array): Facts | null {
    const facts = objectFacts(bytes);
    if (facts === null) this.#fault = "ANSWER_MALFORMED";
    return facts;
  }
}

/** In one namespace, by a rule without names, labels or shown Secrets, nothing of an object decides. */
function certainRule({ request, shownBy }: KubePermit): KubernetesRule | null {
  const rule = shownBy[0];
  if (rule === undefined || request.verb !== "list" || request.namespace === "") return null;
  if (request.group === "" && request.resource === "namespaces") return null;
  const limited = rule.names !== null || Object.keys(rule.labels).length > 0 || rule.secrets.length > 0;
  return !limited && coversNamespace(rule, request.namespace) ? rule : null;
}

/** Whether messages about the objects of a request may quote values that the task masks. */
export function hidesValues(permit: KubePermit): boolean {
  const { group, resource, subresource } = permit.request;
  const rules = [...permit.rules, ...permit.shownBy];
  return (
    (isWriteVerb(permit.request.verb) && permit.shownBy.length === 0) ||
    rules.some((rule) => masksFor(rule, group, resource, subresource, "") !== null)
  );
}

function columnNames(bytes: Uint8Array): string[] | null {
  try {
    const list = JSON.parse(new TextDecoder().decode(bytes)) as { name?: unknown }[];
    return Array.isArray(list) ? list.map(({ name }) => String(name)) : null;
  } catch {
    return null;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
