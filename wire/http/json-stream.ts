/**
 * Cuts a JSON byte stream into complete pieces without holding the whole document: the elements of named arrays of
 * the top-level object one by one, its other members one by one; or, for watches, whole documents one after
 * another. Memory is one piece, at most `limit` bytes.
 */
import { isScalarByte, isSpace, MAX_JSON_DEPTH, stringAt } from "./json.ts";

/** What a splitter finds. Bytes are complete values and belong to the receiver. */
export type JsonPiece =
  /** A top-level member that is not one of the named arrays. */
  | { readonly t: "member"; readonly key: string; readonly bytes: Uint8Array }
  | { readonly t: "arrayStart"; readonly key: string }
  | { readonly t: "element"; readonly key: string; readonly bytes: Uint8Array }
  | { readonly t: "arrayEnd"; readonly key: string }
  /** A document that is not an object, or any document in mode `documents`. */
  | { readonly t: "document"; readonly bytes: Uint8Array }
  | { readonly t: "objectStart" }
  | { readonly t: "objectEnd" };

/** Why a stream cannot be read on. */
export type JsonStreamFault = "JSON_MALFORMED" | "JSON_PIECE_TOO_LARGE";

type Place =
  | "document"
  | "keyOrEnd"
  | "key"
  | "colon"
  | "value"
  | "afterMember"
  | "elementOrEnd"
  | "element"
  | "afterElement"
  | "done";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonSplitter {
  readonly #arrays: ReadonlySet<string> | null;
  readonly #limit: number;
  #place: Place = "document";
  #key = "";
  /** The value being captured: its pieces so far and the lexer's state inside it. */
  #parts: Uint8Array[] = [];
  #held = 0;
  #capturing: "no" | "string" | "scalar" | "nested" = "no";
  #inString = false;
  #escaped = false;
  #open: number[] = [];

  /** `arrays`: names of top-level arrays to cut; null cuts whole documents. `limit`: bytes of one piece. */
  constructor(arrays: readonly string[] | null, limit = 4 * 1024 * 1024) {
    this.#arrays = arrays === null ? null : new Set(arrays);
    this.#limit = limit;
  }

  /** Bytes held for an unfinished piece. */
  get held(): number {
    return this.#held;
  }

  /** Whether the stream may end here. */
  get complete(): boolean {
    return this.#capturing === "no" && (this.#place === "document" || this.#place === "done");
  }

  /**
   * Reads a chunk; `piece` gets what became complete. Returns null, or why reading must stop. `element` may take an
   * element where it stands: it gives the offset behind it, or -1 when it is not whole there or not to its liking. It
   * then comes as a piece, if it is one. The chunk is the limit of what it takes.
   */
  push(
    chunk: Uint8Array,
    piece: (piece: JsonPiece) => void,
    element: ((chunk: Uint8Array, at: number, key: string) => number) | null = null,
  ): JsonStreamFault | null {
    let i = 0;
    while (i < chunk.length) {
      if (this.#capturing !== "no") {
        const end = this.#capture(chunk, i);
        if (end === -2) return "JSON_MALFORMED";
        const stop = end < 0 ? chunk.length : end;
        if (this.#held + stop - i > this.#limit) return "JSON_PIECE_TOO_LARGE";
        if (end < 0) {
          // A copy: the chunk belongs to the caller.
          if (stop > i) this.#parts.push(chunk.slice(i, stop));
          this.#held += stop - i;
          return null;
        }
        const bytes = this.#take(chunk.subarray(i, end));
        i = end;
        this.#capturing = "no";
        if (!this.#captured(bytes, piece)) return "JSON_MALFORMED";
        continue;
      }
      const byte = chunk[i]!;
      if (isSpace(byte)) {
        i++;
        continue;
      }
      if (
        element !== null &&
        byte === 0x7b &&
        (this.#place === "element" || this.#place === "elementOrEnd")
      ) {
        const end = element(chunk, i, this.#key);
        if (end > i) {
          this.#place = "afterElement";
          i = end;
          continue;
        }
      }
      const fault = this.#structure(byte, piece);
      if (fault === "capture") continue;
      if (fault !== null) return fault;
      i++;
    }
    return null;
  }

  /** The end of the stream. A scalar document ends only here. */
  end(piece: (piece: JsonPiece) => void): JsonStreamFault | null {
    if (this.#capturing === "scalar" && this.#place === "document") {
      this.#capturing = "no";
      const bytes = this.#take(new Uint8Array(0));
      if (!this.#captured(bytes, piece)) return "JSON_MALFORMED";
    }
    return this.complete ? null : "JSON_MALFORMED";
  }

  /** One byte outside a captured value. "capture" means: a value starts at this byte. */
  #structure(byte: number, piece: (piece: JsonPiece) => void): JsonStreamFault | "capture" | null {
    switch (this.#place) {
      case "document":
        if (this.#arrays === null || byte !== 0x7b) return this.#begin(byte);
        this.#place = "keyOrEnd";
        piece({ t: "objectStart" });
        return null;
      case "keyOrEnd":
        if (byte === 0x7d) return this.#endObject(piece);
        return byte === QUOTE ? this.#begin(byte) : "JSON_MALFORMED";
      case "key":
        return byte === QUOTE ? this.#begin(byte) : "JSON_MALFORMED";
      case "colon":
        if (byte !== 0x3a) return "JSON_MALFORMED";
        this.#place = "value";
        return null;
      case "value":
        if (byte !== 0x5b || !this.#arrays!.has(this.#key)) return this.#begin(byte);
        this.#place = "elementOrEnd";
        piece({ t: "arrayStart", key: this.#key });
        return null;
      case "afterMember":
        if (byte === 0x7d) return this.#endObject(piece);
        if (byte !== 0x2c) return "JSON_MALFORMED";
        this.#place = "key";
        return null;
      case "elementOrEnd":
        if (byte === 0x5d) return this.#endArray(piece);
        return this.#begin(byte);
      case "element":
        return this.#begin(byte);
      case "afterElement":
        if (byte === 0x5d) return this.#endArray(piece);
        if (byte !== 0x2c) return "JSON_MALFORMED";
        this.#place = "element";
        return null;
      case "done":
        return "JSON_MALFORMED";
    }
  }

  #begin(byte: number): "capture" | "JSON_MALFORMED" {
    this.#open = [];
    this.#escaped = false;
    this.#inString = false;
    if (byte === QUOTE) this.#capturing = "string";
    else if (byte === 0x7b || byte === 0x5b) this.#capturing = "nested";
    else if (isScalarByte(byte)) this.#capturing = "scalar";
    else return "JSON_MALFORMED";
    return "capture";
  }

  /** The offset behind the captured value, -1 when the chunk ends first, -2 when it is malformed. */
  #capture(chunk: Uint8Array, from: number): number {
    const end = chunk.length;
    if (this.#capturing === "scalar") {
      let i = from;
      while (i < end && isScalarByte(chunk[i]!)) i++;
      return i < end ? i : -1;
    }
    let inString = this.#inString;
    let escaped = this.#escaped;
    const open = this.#open;
    const string = this.#capturing === "string";
    let i = from;
    while (i < end) {
      if (inString) {
        if (escaped) {
          escaped = false;
          i++;
        }
        for (; i < end; i++) {
          const byte = chunk[i]!;
          if (byte === QUOTE) break;
          if (byte === BACKSLASH && ++i === end) escaped = true;
        }
        if (i >= end) break;
        inString = false;
        i++;
        if (string) return i;
        continue;
      }
      const byte = chunk[i++]!;
      if (byte === QUOTE) inString = true;
      else if (byte === 0x7b || byte === 0x5b) {
        if (open.length >= MAX_JSON_DEPTH) return -2;
        open.push(byte + 2);
      } else if (byte === 0x7d || byte === 0x5d) {
        if (open.pop() !== byte) return -2;
        if (open.length === 0) return i;
      }
    }
    this.#inString = inString;
    this.#escaped = escaped;
    return -1;
  }

  #captured(bytes: Uint8Array, piece: (piece: JsonPiece) => void): boolean {
    switch (this.#place) {
      case "document":
        if (this.#arrays !== null) this.#place = "done";
        piece({ t: "document", bytes });
        return true;
      case "keyOrEnd":
      case "key": {
        const key = stringAt(bytes, 0, bytes.length);
        if (key === null) return false;
        this.#key = key;
        this.#place = "colon";
        return true;
      }
      case "value":
        this.#place = "afterMember";
        piece({ t: "member", key: this.#key, bytes });
        return true;
      default:
        this.#place = "afterElement";
        piece({ t: "element", key: this.#key, bytes });
        return true;
    }
  }

  #endObject(piece: (piece: JsonPiece) => void): null {
    this.#place = "done";
    piece({ t: "objectEnd" });
    return null;
  }

  #endArray(piece: (piece: JsonPiece) => void): null {
    this.#place = "afterMember";
    piece({ t: "arrayEnd", key: this.#key });
    return null;
  }

  #take(last: Uint8Array): Uint8Array {
    if (this.#parts.length === 0) return last;
    const bytes = new Uint8Array(this.#held + last.length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    bytes.set(last, at);
    this.#parts = [];
    this.#held = 0;
    return bytes;
  }
}
