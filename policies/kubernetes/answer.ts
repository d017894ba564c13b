/**
 * Shows an answer of the API server under a task: objects that the task does not cover are dropped, masked fields
 * replaced, in every shape that the gate lets through (object, list, Table, partial metadata, watch events).
 * A stream: of a list one item is held at a time, and what is shown of a chunk is put together in its own bytes.
 */
import { concat } from "../../wire/bytes.ts";
import { eachElement, eachMember, skipSpace, stringAt } from "../../wire/http/json.ts";
import { type JsonPiece, JsonSplitter } from "../../wire/http/json-stream.ts";
import type { KubeRequest } from "../../wire/kubernetes/request.ts";
import type { TokenOf } from "../http/mask-value.ts";
import { scrubStatus } from "./answer-status.ts";
import { isWriteVerb, type KubePermit } from "./decide.ts";
import { masksFor } from "./masks.ts";
import { objectFacts, objectIdentity, type ReadFacts } from "./object-facts.ts";
import { isCollectionVerb } from "./scope.ts";
import { type AnswerStats, ShownObjects } from "./shown-objects.ts";

/** Largest object, list item, table row or watch event, bytes. etcd keeps 1.5 MiB; JSON is larger than that. */
export const MAX_OBJECT = 4 * 1024 * 1024;

/** Why an answer was cut off. */
export type AnswerFault = "ANSWER_MALFORMED" | "OBJECT_TOO_LARGE" | "OBJECT_NOT_GRANTED";

export type AnswerResult =
  | { readonly ok: true; readonly bytes: readonly Uint8Array[] }
  | { readonly ok: false; readonly fault: AnswerFault };

const encoder = new TextEncoder();
const COMMA = 0x2c;
const comma = Uint8Array.of(COMMA);
const listMembers: readonly string[] = ["kind", "apiVersion", "metadata", "columnDefinitions"];

/** The filter of one successful answer (2xx, JSON). */
export class AnswerFilter {
  readonly #permit: KubePermit;
  readonly #request: KubeRequest;
  readonly #splitter: JsonSplitter;
  readonly #mode: "list" | "watch" | "object";
  readonly #objects: ShownObjects;
  #out: Uint8Array[] = [];
  /** Elements that are shown stand in the chunk from `#from` to `#to`; nothing when `#to` is 0. */
  #chunk: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;
  #pieces = 0;
  #members = 0;
  #elements = 0;
  #fault: AnswerFault | null = null;

  constructor(permit: KubePermit, token: TokenOf | null = null) {
    this.#permit = permit;
    this.#request = permit.request;
    const { verb } = permit.request;
    this.#mode = verb === "watch" ? "watch" : verb === "list" ? "list" : "object";
    this.#objects = new ShownObjects(permit, token);
    this.#splitter = new JsonSplitter(this.#mode === "list" ? ["items", "rows"] : null, MAX_OBJECT);
  }

  get stats(): AnswerStats {
    return this.#objects.stats;
  }

  /** Bytes held for an unfinished piece. */
  get held(): number {
    return this.#splitter.held;
  }

  /**
   * Reads a chunk of the body and gives what may pass. The chunk is given over: its bytes are written to. After a
   * fault nothing more may pass.
   */
  push(chunk: Uint8Array): AnswerResult {
    if (this.#fault !== null) return { ok: false, fault: this.#fault };
    this.#chunk = chunk;
    const element = chunk.length > MAX_OBJECT ? null : this.#element;
    const stopped = this.#splitter.push(chunk, this.#piece, element);
    if (stopped !== null)
      this.#fault ??= stopped === "JSON_PIECE_TOO_LARGE" ? "OBJECT_TOO_LARGE" : "ANSWER_MALFORMED";
    return this.#taken();
  }

  /** The end of the body. */
  end(): AnswerResult {
    const stopped = this.#fault === null ? this.#splitter.end(this.#piece) : null;
    // Only a watch may end without having said anything.
    if (stopped !== null || (this.#pieces === 0 && this.#mode !== "watch"))
      this.#fault ??= "ANSWER_MALFORMED";
    return this.#taken();
  }

  #taken(): AnswerResult {
    this.#settle();
    const bytes = this.#out;
    this.#out = [];
    this.#chunk = comma;
    return this.#fault === null ? { ok: true, bytes } : { ok: false, fault: this.#fault };
  }

  /** Gives out the elements that stand in the chunk. */
  #settle(): void {
    if (this.#to > 0) this.#out.push(this.#chunk.subarray(this.#from, this.#to));
    this.#to = 0;
  }

  #give(bytes: Uint8Array): void {
    this.#settle();
    this.#out.push(bytes);
  }

  #text(text: string): void {
    this.#give(encoder.encode(text));
  }

  readonly #piece = (piece: JsonPiece): void => {
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
        if (piece.key === "columnDefinitions") this.#objects.columns = columnNames(piece.bytes);
        this.#key(piece.key);
        this.#give(piece.bytes);
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
        const { bytes } = piece;
        if (this.#read(bytes, 0, piece.key) !== bytes.length) {
          this.#fault = "ANSWER_MALFORMED";
          return;
        }
        if (!this.#objects.shown) return;
        if (this.#elements++ > 0) this.#give(comma);
        this.#give(this.#objects.edits.made(bytes, 0, bytes.length));
        return;
      }
      case "document":
        if (this.#mode === "watch") this.#event(piece.bytes);
        else if (this.#mode === "object") this.#whole(piece.bytes);
        else this.#fault = "ANSWER_MALFORMED";
    }
  };

  /** An element that is whole in its chunk is shown there, behind those before it. */
  readonly #element = (chunk: Uint8Array, at: number, key: string): number => {
    if (this.#fault !== null) return -1;
    const end = this.#read(chunk, at, key);
    if (end < 0 || !this.#objects.shown) return end;
    const { edits } = this.#objects;
    const more = this.#elements++ > 0;
    let to = this.#to;
    if (to === 0) {
      // The byte before it is the comma or space between the two, which was read.
      if (more && at === 0) this.#give(comma);
      to = this.#from = more && at > 0 ? at - 1 : at;
    }
    if (more && to < at) chunk[to++] = COMMA;
    const moved = edits.moved(chunk, at, end, to);
    this.#to = moved < 0 ? to : moved;
    // It has grown: it goes out as an array of its own.
    if (moved < 0) this.#give(edits.made(chunk, at, end));
    return end;
  };

  #read(bytes: Uint8Array, at: number, key: string): number {
    return key === "rows" ? this.#objects.row(bytes, at) : this.#objects.object(bytes, at);
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
    const read = objectFacts(bytes);
    if (read === null) {
      this.#fault = "ANSWER_MALFORMED";
      return null;
    }
    const { kind, apiVersion } = read.facts;
    if (kind === "Status" && apiVersion === "v1") return this.#status(bytes);
    if (write && this.#permit.shownBy.length === 0) return this.#metadata(bytes);
    if (apiVersion.startsWith("meta.k8s.io/") && kind === "Table") return this.#table(bytes, write);
    if (write && isCollectionVerb(this.#request.verb)) return this.#metadata(bytes);
    return this.#object(bytes, write, read);
  }

  /** An object that is a document of its own. Null: dropped. */
  #object(bytes: Uint8Array, write: boolean, read: ReadFacts): Uint8Array | null {
    const end = this.#objects.object(bytes, skipSpace(bytes, 0), write, read);
    if (end < 0) this.#fault = "ANSWER_MALFORMED";
    return end >= 0 && this.#objects.shown ? this.#objects.edits.made(bytes, 0, end) : null;
  }

  /** A whole Table of one or few rows. */
  #table(bytes: Uint8Array, write: boolean): Uint8Array | null {
    const parts: Uint8Array[] = [];
    let rows = 0;
    let fine = true;
    const end = eachMember(bytes, skipSpace(bytes, 0), (key, start, stop) => {
      const value = bytes.subarray(start, stop);
      if (key === "columnDefinitions") this.#objects.columns = columnNames(value);
      if (key !== "rows") {
        if (!listMembers.includes(key)) return true;
        parts.push(encoder.encode(`${parts.length > 0 ? "," : ""}${JSON.stringify(key)}:`), value);
        return true;
      }
      parts.push(encoder.encode(`${parts.length > 0 ? "," : ""}"rows":[`));
      if (bytes[start] === 0x5b) {
        fine =
          eachElement(bytes, start, (s, e) => {
            if (this.#objects.row(bytes, s, write) !== e) return false;
            if (!this.#objects.shown) return true;
            if (rows++ > 0) parts.push(comma);
            parts.push(this.#objects.edits.made(bytes, s, e));
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

  /** Type and identity of an object, nothing else of it. */
  #metadata(bytes: Uint8Array): Uint8Array | null {
    const identity = objectIdentity(bytes);
    if (identity === null) this.#fault = "ANSWER_MALFORMED";
    return identity;
  }

  #status(bytes: Uint8Array): Uint8Array {
    return scrubStatus(bytes, hidesValues(this.#permit));
  }
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
