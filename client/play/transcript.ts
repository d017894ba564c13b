/**
 * A recording read back as a list of statements: what was asked, what was decided, what came of it. Entries are
 * taken in their order; nothing is kept of rows beyond the limit that is asked for.
 */
import type { GateEvent, RecordedParam } from "../../policies/postgres/gate-types.ts";
import {
  decodeCommandComplete,
  decodeDataRow,
  decodeRowDescription,
  rowTexts,
} from "../../wire/postgres/backend.ts";
import { Backend, type FieldDescription, HEADER_SIZE } from "../../wire/postgres/messages.ts";
import type { RecordingEntry } from "../../wire/recording.ts";

type StatementEvent = Extract<GateEvent, { t: "statement" }>;
type OutcomeEvent = Extract<GateEvent, { t: "outcome" }>;
/** A line of an asciicast v2: what a command in a container wrote. */
interface CastEvent {
  readonly t: "cast";
  readonly n: number;
  readonly line: string;
}

/** One result of a statement; a Query may have several. */
export interface PlayedResult {
  /** Empty when it has no rows. */
  readonly columns: readonly string[];
  /** At most as many as were asked for. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows that there were. */
  readonly count: number;
  /** `SELECT 3`; null when it broke off. */
  readonly tag: string | null;
}

export interface PlayedStatement {
  readonly n: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly protocol: "simple" | "extended" | "kubernetes" | "http";
  readonly text: string;
  readonly params: readonly RecordedParam[];
  readonly decision: StatementEvent["decision"];
  /** Null: the session ended before. */
  readonly outcome: OutcomeEvent | null;
  readonly results: readonly PlayedResult[];
  /** Lines of the asciicast of a stream (exec, attach); empty for everything else. */
  readonly cast: readonly string[];
}

/** Something else that happened: an alarm, an approval, a gap, the end. */
export interface PlayedFact {
  readonly at: number;
  readonly kind: "alarm" | "held" | "gap" | "end";
  readonly text: string;
}

export interface Transcript {
  readonly statements: readonly PlayedStatement[];
  readonly facts: readonly PlayedFact[];
  /** True when rows were not recorded (level `statements`). */
  readonly elided: boolean;
}

/** A part of the server's stream that ends a result, a statement or a Query. */
interface Unit {
  readonly end: "result" | "error" | "ready";
  readonly result: PlayedResult | null;
}

/** Largest message that is looked at, bytes. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/** A statement while its session is read. */
type Playing = Omit<PlayedStatement, "outcome" | "results" | "cast"> & {
  outcome: OutcomeEvent | null;
  results: PlayedResult[];
  cast: string[];
};

export class TranscriptReader {
  readonly #rowLimit: number;
  readonly #statements: Playing[] = [];
  readonly #facts: PlayedFact[] = [];
  /** Started and without outcome. */
  readonly #open = new Map<number, Playing>();
  #units: Unit[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  #columns: FieldDescription[] = [];
  #rows: (string | null)[][] = [];
  #count = 0;
  #elided = false;

  constructor(rowLimit: number) {
    this.#rowLimit = rowLimit;
  }

  get transcript(): Transcript {
    return { statements: this.#statements, facts: this.#facts, elided: this.#elided };
  }

  /** Takes the next entry. */
  entry({ kind, at, bytes }: RecordingEntry): void {
    if (kind === "event") this.#event(parse(bytes));
    else if (kind === "backend") this.#backend(bytes);
    else if (kind === "elided") this.#elided = true;
    else if (kind === "note") this.#note(at, parse(bytes));
  }

  #note(at: number, note: Record<string, unknown> | null): void {
    if (note?.["t"] === "gap") this.#facts.push({ at, kind: "gap", text: String(note["message"] ?? "") });
  }

  #event(message: Record<string, unknown> | null): void {
    const event = message?.["event"] as GateEvent | CastEvent | undefined;
    switch (event?.t) {
      case "statement": {
        // What the server said before the first statement answers the gate's own settings.
        if (this.#statements.length === 0) this.#units = [];
        const { n, at, protocol, text, decision, params = [] } = event;
        const statement: Playing = {
          n,
          at,
          protocol,
          text,
          params,
          decision,
          outcome: null,
          results: [],
          cast: [],
        };
        this.#statements.push(statement);
        this.#open.set(n, statement);
        return;
      }
      case "outcome": {
        const statement = this.#open.get(event.n);
        if (!statement) return;
        this.#open.delete(event.n);
        statement.outcome = event;
        statement.results = this.#take(statement.protocol, event);
        return;
      }
      case "cast":
        this.#statements.find(({ n }) => n === event.n)?.cast.push(event.line);
        return;
      case "alarm":
        this.#facts.push({ at: event.at, kind: "alarm", text: `${event.message} (${event.code})` });
        return;
      case "held":
        this.#facts.push({ at: event.at, kind: "held", text: `statement ${event.n}: ${event.verdict}` });
        return;
      case "end":
        this.#facts.push({ at: event.at, kind: "end", text: `${event.message} (${event.code})` });
    }
  }

  /** The results of a statement that has its outcome: a Query's up to ReadyForQuery, an Execute's one. */
  #take(protocol: PlayedStatement["protocol"], outcome: OutcomeEvent): PlayedResult[] {
    if (outcome.tag === "SKIPPED") return [];
    if (protocol === "kubernetes" || protocol === "http")
      return [{ columns: [], rows: [], count: outcome.rows, tag: outcome.tag ?? null }];
    const results: PlayedResult[] = [];
    const wanted = protocol === "simple" ? "ready" : outcome.ok ? "result" : "error";
    while (this.#units.length > 0) {
      const unit = this.#units.shift()!;
      if (unit.result && (protocol === "simple" || unit.end === wanted)) results.push(unit.result);
      if (unit.end === wanted) break;
    }
    return results;
  }

  // --- the server's stream ------------------------------------------------------------------------------

  #backend(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
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
        this.#count += 1;
        if (this.#rows.length >= this.#rowLimit) return;
        const values = decodeDataRow(bytes, start, end) ?? [];
        this.#rows.push(rowTexts(values, this.#columns));
        return;
      }
      case Backend.CopyData:
        this.#count += 1;
        if (this.#rows.length < this.#rowLimit) {
          const line = new TextDecoder().decode(bytes.subarray(start, end)).replace(/\n$/, "");
          this.#rows.push([line]);
        }
        return;
      case Backend.CommandComplete:
        this.#unit("result", decodeCommandComplete(bytes, start, end));
        return;
      case Backend.EmptyQueryResponse:
        this.#unit("result", "");
        return;
      case Backend.PortalSuspended:
        this.#unit("result", "SUSPENDED");
        return;
      case Backend.ErrorResponse:
        this.#unit("error", null);
        return;
      case Backend.ReadyForQuery:
        this.#units.push({ end: "ready", result: null });
    }
  }

  #unit(end: "result" | "error", tag: string | null): void {
    const width = this.#rows[0]?.length ?? 0;
    const described = this.#columns.map((column) => column.name);
    const fits = this.#count === 0 ? /^SELECT|^FETCH/.test(tag ?? "") : described.length === width;
    const columns = fits
      ? described
      : this.#rows[0]?.map((_, i) => (width === 1 ? "copy" : `column ${i + 1}`));
    const result = { columns: columns ?? [], rows: this.#rows, count: this.#count, tag };
    this.#units.push({ end, result: this.#count > 0 || tag ? result : null });
    this.#rows = [];
    this.#count = 0;
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
}
