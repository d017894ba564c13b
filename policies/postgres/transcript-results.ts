/**
 * The results in a recorded server stream: which there were, and the rows of a window that is asked for. Reading
 * can begin at a checkpoint, so that a page of a large result costs the segments that hold it and no others.
 */
import {
  decodeCommandComplete,
  decodeDataRow,
  decodeRowDescription,
  rowTexts,
} from "../../wire/postgres/backend.ts";
import { Backend, type FieldDescription, HEADER_SIZE } from "../../wire/postgres/messages.ts";
import { type Notification, readNotification } from "./notifications.ts";

/** Rows of a result, each value as text; NULL is null. */
export type PlayedRow = readonly (string | null)[];

/** A part of the server's stream that ends a result, a statement or a Query. */
export interface Unit {
  readonly end: "result" | "error" | "ready";
  readonly result: UnitResult | null;
}

/** What a unit brought. */
export interface UnitResult {
  /** Its number in the stream, from 0. */
  readonly unit: number;
  readonly columns: readonly string[];
  /** By column: true when it comes as it is from a table (RowDescription names its origin). */
  readonly plain: readonly boolean[];
  readonly rows: readonly PlayedRow[];
  readonly count: number;
  readonly tag: string | null;
}

/** Where reading can begin: the state between two chunks of the stream. */
export interface Checkpoint {
  /** Bytes of a row that began before; they are passed over. */
  readonly skip: number;
  /** Start of a message that began before. */
  readonly rest: Uint8Array;
  readonly columns: readonly FieldDescription[];
  /** Number of the unit that is being read. */
  readonly unit: number;
  /** Rows of it that are over, or cannot be read from here. */
  readonly count: number;
}

/** Which rows are kept, by the number of their unit and their own within it. */
export type RowChoice = (unit: number, row: number) => boolean;

/** Is shown each row as it passes, with the names of its columns. */
export type RowWatcher = (unit: number, row: number, values: PlayedRow, names: readonly string[]) => void;

/** Largest message that is looked at, bytes. */
const MAX_MESSAGE = 16 * 1024 * 1024;
const decoder = new TextDecoder();

export class ResultStream {
  /** Units that ended and were not taken yet. */
  units: Unit[] = [];
  /** Notifications that came and were not taken yet. */
  readonly notifications: Notification[] = [];
  readonly #choice: RowChoice;
  readonly #watcher: RowWatcher | null;
  #skip = 0;
  #rest: Uint8Array = new Uint8Array(0);
  #columns: readonly FieldDescription[] = [];
  #rows: PlayedRow[] = [];
  #count = 0;
  #unit = 0;
  #width = 0;
  #named: { readonly of: readonly FieldDescription[]; readonly names: readonly string[] } | null = null;

  constructor(choice: RowChoice, from?: Checkpoint, watcher: RowWatcher | null = null) {
    this.#choice = choice;
    this.#watcher = watcher;
    if (!from) return;
    this.#skip = from.skip;
    this.#rest = from.rest;
    this.#columns = from.columns;
    this.#unit = from.unit;
    this.#count = from.count;
  }

  /** The state after everything that was fed. */
  get checkpoint(): Checkpoint {
    const common = { columns: this.#columns, unit: this.#unit };
    const rest = this.#rest;
    if (rest.length < HEADER_SIZE || !isRow(rest[0]!)) {
      return { ...common, skip: this.#skip, rest, count: this.#count };
    }
    // A row may be large: it is left to the reader that began before it.
    const size = 1 + new DataView(rest.buffer, rest.byteOffset).getUint32(1);
    return { ...common, skip: size - rest.length, rest: rest.subarray(0, 0), count: this.#count + 1 };
  }

  /** What was read of the unit that has not ended. */
  get partial(): UnitResult {
    return this.#result(null);
  }

  /** Number of the unit that is being read. */
  get unit(): number {
    return this.#unit;
  }

  /** Takes the next bytes. Throws RangeError when they cannot be a server's stream. */
  feed(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
    }
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (bytes.length - at >= HEADER_SIZE) {
      const size = 1 + view.getUint32(at + 1);
      if (size < HEADER_SIZE || size > MAX_MESSAGE)
        throw new RangeError("the recorded stream cannot be read");
      if (bytes.length - at < size) break;
      this.#message(bytes[at]!, bytes, at + HEADER_SIZE, at + size);
      at += size;
    }
    this.#rest = bytes.slice(at);
  }

  #message(type: number, bytes: Uint8Array, start: number, end: number): void {
    switch (type) {
      case Backend.RowDescription:
        this.#columns = decodeRowDescription(bytes, start, end) ?? [];
        return;
      case Backend.DataRow: {
        this.#width = end - start >= 2 ? (bytes[start]! << 8) | bytes[start + 1]! : 0;
        this.#row(() => rowTexts(decodeDataRow(bytes, start, end) ?? [], this.#columns));
        return;
      }
      case Backend.CopyData:
        this.#width = 1;
        this.#row(() => [decoder.decode(bytes.subarray(start, end)).replace(/\n$/, "")]);
        return;
      case Backend.CommandComplete:
        this.#end("result", decodeCommandComplete(bytes, start, end));
        return;
      case Backend.EmptyQueryResponse:
        this.#end("result", "");
        return;
      case Backend.PortalSuspended:
        this.#end("result", "SUSPENDED");
        return;
      case Backend.ErrorResponse:
        this.#end("error", null);
        return;
      case Backend.NotificationResponse: {
        const notification = readNotification(bytes, start, end);
        if (notification) this.notifications.push(notification);
        return;
      }
      case Backend.ReadyForQuery:
        this.units.push({ end: "ready", result: null });
    }
  }

  #row(read: () => PlayedRow): void {
    const kept = this.#choice(this.#unit, this.#count);
    if (kept || this.#watcher) {
      const row = read();
      if (kept) this.#rows.push(row);
      this.#watcher?.(this.#unit, this.#count, row, this.#names(row.length));
    }
    this.#count += 1;
  }

  /** Names of a row's columns: those that were described, if it is as wide. */
  #names(width: number): readonly string[] {
    const described = this.#columns;
    if (described.length === width) {
      // Of a large result, once.
      if (this.#named?.of !== described)
        this.#named = { of: described, names: described.map((column) => column.name) };
      return this.#named.names;
    }
    return Array.from({ length: width }, (_, i) => (width === 1 ? "copy" : `column ${i + 1}`));
  }

  #end(end: "result" | "error", tag: string | null): void {
    const result = this.#result(tag);
    this.units.push({ end, result: this.#count > 0 || tag ? result : null });
    this.#rows = [];
    this.#count = 0;
    this.#width = 0;
    this.#unit += 1;
  }

  #result(tag: string | null): UnitResult {
    const described = this.#columns;
    const width = this.#width;
    const fits = this.#count === 0 ? /^SELECT|^FETCH/.test(tag ?? "") : described.length === width;
    return {
      unit: this.#unit,
      columns: fits ? described.map((column) => column.name) : this.#names(width),
      plain: fits
        ? described.map((column) => column.tableOid !== 0)
        : Array.from({ length: width }, () => false),
      rows: this.#rows,
      count: this.#count,
      tag,
    };
  }
}

function isRow(type: number): boolean {
  return type === Backend.DataRow || type === Backend.CopyData;
}
