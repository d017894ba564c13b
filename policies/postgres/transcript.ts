/**
 * A recording read back as a list of statements: what was asked, what was decided, what came of it. Entries are
 * taken in their order; nothing is kept of rows beyond the limit that is asked for.
 */
import { type Piece, readPiece } from "../../wire/pieces.ts";
import { ENTRY_KINDS, type RecordingEntry } from "../../wire/recording.ts";
import type { GateEvent, RecordedParam } from "./gate-types.ts";
import {
  type Checkpoint,
  type PlayedRow,
  ResultStream,
  type RowChoice,
  type UnitResult,
} from "./transcript-results.ts";

type StatementEvent = Extract<GateEvent, { t: "statement" }>;
type OutcomeEvent = Extract<GateEvent, { t: "outcome" }>;

/**
 * What is known of a column: `masked` = the view of a masked column under its own name; `computed` = something
 * else that was computed where masked columns could be read, for example one under another name; null = in the
 * clear.
 */
export type ColumnMark = "masked" | "computed" | null;

/** One result of a statement; a Query may have several. */
export interface PlayedResult {
  /** Its number among the results of the recording, from 0. */
  readonly unit: number;
  /** Empty when it has no rows. */
  readonly columns: readonly string[];
  /** By column. */
  readonly marks: readonly ColumnMark[];
  /** Those that were asked for. */
  readonly rows: readonly PlayedRow[];
  /** Rows that there were. */
  readonly count: number;
  /** `SELECT 3`; null when it broke off. */
  readonly tag: string | null;
}

export interface PlayedStatement {
  readonly n: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly protocol: StatementEvent["protocol"] | "kubernetes" | "http";
  readonly text: string;
  readonly params: readonly RecordedParam[];
  readonly decision: StatementEvent["decision"];
  /** Null: the session ended before. */
  readonly outcome: OutcomeEvent | null;
  readonly results: readonly PlayedResult[];
  /** Events and pieces of a terminal's recording, counted. */
  readonly casts: number;
  /** A request's body: its size in bytes, and why not all of it is kept; null when it has none. */
  readonly sent: SentBody | null;
  /** Bytes of the bodies that are kept: of the request, and of its answer as it was shown. */
  readonly asked: number;
  readonly answered: number;
}

export interface SentBody {
  readonly bytes: number;
  readonly left: "cut" | "secret" | "binary" | null;
}

/** Something else that happened: an alarm, an approval, a gap, a notification that was shown, the end. */
export interface PlayedFact {
  readonly at: number;
  readonly kind: "alarm" | "held" | "gap" | "notification" | "end";
  readonly text: string;
}

export interface Transcript {
  readonly statements: readonly PlayedStatement[];
  readonly facts: readonly PlayedFact[];
  /** True when rows were not recorded (level `statements`). */
  readonly elided: boolean;
}

/** A statement while its session is read. */
type Playing = Omit<PlayedStatement, "outcome" | "results" | "casts" | "asked" | "answered"> & {
  outcome: OutcomeEvent | null;
  results: PlayedResult[];
  casts: number;
  asked: number;
  answered: number;
};

export class TranscriptReader {
  readonly #stream: ResultStream;
  readonly #statements: Playing[] = [];
  readonly #facts: PlayedFact[] = [];
  /** Started and without outcome. */
  readonly #open = new Map<number, Playing>();
  #elided = false;

  readonly #pieces: (piece: Piece) => void;

  /** `rows`: at most so many of each result, or which ones; `pieces`: is given those of requests. */
  constructor(rows: number | RowChoice, pieces: (piece: Piece) => void = () => {}) {
    this.#pieces = pieces;
    this.#stream = new ResultStream(typeof rows === "number" ? (_unit, row) => row < rows : rows);
  }

  get transcript(): Transcript {
    return { statements: this.#statements, facts: this.#facts, elided: this.#elided };
  }

  /** From where the results that follow can be read again. */
  get checkpoint(): Checkpoint {
    return this.#stream.checkpoint;
  }

  /** Takes the next entry. */
  entry({ kind, at, bytes }: RecordingEntry): void {
    if (kind === "event") this.#event(parse(bytes));
    else if (kind === "backend") {
      this.#stream.feed(bytes);
      for (const { channel, payload } of this.#stream.notifications.splice(0))
        this.#facts.push({ at, kind: "notification", text: `${channel}: ${payload}` });
    } else if (kind === "frontend") this.#piece(bytes);
    // Frames to the database are left out when a secret may stand in them: the statement's event has the rest.
    else if (kind === "elided" && (bytes[0] === ENTRY_KINDS.backend || this.#requests)) this.#elided = true;
    else if (kind === "note") this.#note(at, parse(bytes));
  }

  /** Whether this is a session of requests: what goes to the connector beside events are pieces then. */
  get #requests(): boolean {
    const protocol = this.#statements.at(-1)?.protocol;
    return protocol === "kubernetes" || protocol === "http";
  }

  #piece(bytes: Uint8Array): void {
    if (!this.#requests) return;
    const piece = readPiece(bytes);
    const statement = piece === null ? undefined : this.#open.get(piece.n);
    if (piece === null || !statement) return;
    if (piece.kind === "asked" || piece.kind === "answered") statement[piece.kind] += piece.bytes.length;
    else statement.casts += 1;
    this.#pieces(piece);
  }

  #note(at: number, note: Record<string, unknown> | null): void {
    if (note?.["t"] === "gap") this.#facts.push({ at, kind: "gap", text: String(note["message"] ?? "") });
  }

  #event(message: Record<string, unknown> | null): void {
    const event = message?.["event"] as GateEvent | CastEvent | undefined;
    switch (event?.t) {
      case "statement": {
        // What the server said before the first statement answers the gate's own settings.
        if (this.#statements.length === 0) this.#stream.units = [];
        const { n, at, protocol, text, params = [] } = event;
        const decision = { ...NO_FACTS, ...event.decision };
        const statement: Playing = {
          n,
          at,
          protocol,
          text,
          params,
          decision,
          outcome: null,
          results: [],
          casts: 0,
          sent: (event as { body?: SentBody | null }).body ?? null,
          asked: 0,
          answered: 0,
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
        statement.results = this.#take(statement, event);
        return;
      }
      case "cast": {
        const statement = this.#open.get(event.n);
        if (statement) statement.casts += 1;
        return;
      }
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
  #take({ protocol, decision }: Playing, outcome: OutcomeEvent): PlayedResult[] {
    if (outcome.tag === "SKIPPED") return [];
    const results: PlayedResult[] = [];
    const { units } = this.#stream;
    const simple = protocol === "simple";
    const wanted = simple ? "ready" : outcome.ok ? "result" : "error";
    // The end of a Sync before it; a Query always has something before its own.
    while (simple && units[0]?.end === "ready") units.shift();
    while (units.length > 0) {
      const unit = units.shift()!;
      if (unit.result && (simple || unit.end === wanted)) results.push(played(unit.result, decision.masked));
      if (unit.end === wanted) break;
    }
    return results;
  }
}

/** One line of a terminal's recording, of statement `n`. */
interface CastEvent {
  readonly t: "cast";
  readonly n: number;
  readonly line: unknown;
}

/** What decisions on requests of other protocols do not have. */
const NO_FACTS = { relations: [], masked: [], rewritten: null };

function played({ plain, ...result }: UnitResult, masked: readonly string[]): PlayedResult {
  const mark = (name: string, i: number): ColumnMark => {
    if (plain[i] || masked.length === 0) return null;
    return masked.some((column) => column.endsWith(`.${name}`)) ? "masked" : "computed";
  };
  return { ...result, marks: result.columns.map(mark) };
}

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
}
