/** What the Postgres gate tells its host, and what it needs from it. */
import type { ErrorFields } from "../../wire/postgres/messages.ts";
import type { Task } from "../task.ts";
import type { Catalog } from "./catalog-types.ts";
import type { NamedConstraints } from "./constraints.ts";
import type { StatementDecider, StatementDecision } from "./decision.ts";

/** Makes errors and notices of the server fit to be shown under a task; null keeps a notice back. */
export interface Scrubber {
  /** `constraints`: those that may be named; null for none. */
  error(fields: ErrorFields, task: Task, constraints: NamedConstraints | null): ErrorFields;
  notice(fields: ErrorFields, task: Task): ErrorFields | null;
}

/** A refusal or the end of a session: a stable UPPER_SNAKE code, one sentence, and what Postgres calls it. */
export interface GateReason {
  readonly code: string;
  readonly message: string;
  /** Five characters, e.g. 42501. */
  readonly sqlstate: string;
}

/** The part of a decision that is recorded. */
export interface RecordedDecision {
  readonly effect: "allow" | "deny" | "hold";
  readonly reason: string;
  readonly message: string;
  readonly rule: string | null;
  readonly relations: readonly string[];
  readonly masked: readonly string[];
  /** The text that was sent to the target; null when nothing of it was. */
  readonly rewritten: string | null;
  /** Set when a row is looked up by the real value of a masked column. */
  readonly lookup?: true;
}

/**
 * One bound parameter. Text format: the text, or null. Binary format: base64. A value longer than
 * `MAX_RECORDED_PARAM` bytes is cut, and `length` tells its real size.
 */
export type RecordedParam =
  | string
  | null
  | { readonly base64?: string; readonly text?: string; readonly length?: number };

/** Facts of a session, in order; JSON-serialisable, tagged by `t`. Times are milliseconds since the epoch. */
export type GateEvent =
  | {
      readonly t: "statement";
      /** Counts from 1 in a session. */
      readonly n: number;
      readonly protocol: "simple" | "extended";
      /** The user's text. For a text over the limit: its first 1024 characters. */
      readonly text: string;
      /** For an execution with bound parameters. */
      readonly params?: readonly RecordedParam[];
      readonly decision: RecordedDecision;
      readonly at: number;
    }
  | {
      readonly t: "outcome";
      /** The statement's number. */
      readonly n: number;
      readonly ok: boolean;
      /** The last command tag (`SELECT 3`), or `EMPTY`, `SUSPENDED`, `SKIPPED`. */
      readonly tag?: string;
      readonly sqlstate?: string;
      readonly message?: string;
      readonly rows: number;
      /** Bytes sent to the client for it. */
      readonly bytes: number;
      readonly ms: number;
      readonly at: number;
    }
  | { readonly t: "alarm"; readonly code: string; readonly message: string; readonly at: number }
  | { readonly t: "held"; readonly n: number; readonly verdict: "allow" | "deny"; readonly at: number }
  | { readonly t: "end"; readonly code: string; readonly message: string; readonly at: number };

/** What the gate acts on. All calls are synchronous and come from `fromClient`, `fromServer`, `opened`, … */
export interface GateHost {
  /** Bytes for the client. May be called several times per input; may be views of the input. */
  toClient(bytes: Uint8Array): void;
  /** Bytes for the target. */
  toServer(bytes: Uint8Array): void;
  /** Called before the `toServer` bytes that it speaks of. */
  record(event: GateEvent): void;
  /** The session is over. Comes last, after the client was told. */
  end(reason: GateReason): void;
  /** The client sent a CancelRequest where a session should start. The session ends after it, unanswered. */
  cancel?(processId: number, secretKey: Uint8Array): void;
  /** A statement waits for approval; answer with `PostgresGate.resolveHold`. Without it a hold is a denial. */
  hold?(hold: GateHold): void;
}

/** A parked statement. */
export interface GateHold {
  readonly id: number;
  /** The statement's number. */
  readonly n: number;
  readonly protocol: "simple" | "extended";
  readonly text: string;
  readonly decision: StatementDecision;
  readonly params: readonly RecordedParam[];
  /** Sends the client a NOTICE now, for example with the address to approve at. */
  notice(message: string, hint?: string): void;
}

export type HoldVerdict =
  | { readonly effect: "allow" }
  | {
      readonly effect: "deny";
      readonly code: string;
      readonly message: string;
      readonly hint?: string /** Default 42501. */;
      readonly sqlstate?: string;
    };

export interface GateOptions {
  readonly host: GateHost;
  /** May be given later, with `opened`: a decider needs the catalog. */
  readonly decider?: StatementDecider;
  readonly task: Task;
  /** For the second wall: which table and column a result column comes from. May be given with `opened`. */
  readonly catalog?: Catalog;
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Told to the client in BackendKeyData; secretKey of 4 to 32 bytes. Longer than 4 needs protocol 3.2. */
  readonly cancelKey: { readonly processId: number; readonly secretKey: Uint8Array };
  /** Largest message of the client that is held in memory, bytes. Default 1 MiB. */
  readonly maxMessage?: number;
  /** Makes errors and notices of the server fit to be shown. Default: severity, SQLSTATE and message of errors. */
  readonly scrub?: Scrubber;
  /** Asked again at Query, Parse, Bind and Execute: null when the grant still holds. */
  permit(): { readonly code: string; readonly message: string } | null;
  /** The name of the session, reported as ParameterStatus `wicketgate.session` when given. */
  readonly session?: string;
}

/** What the connector found when it opened the target. */
export interface OpenedServer {
  /** ParameterStatus values of the target. */
  readonly parameters: Readonly<Record<string, string>>;
  /** `server_version_num`. */
  readonly serverVersion: number;
  readonly decider?: StatementDecider;
  readonly catalog?: Catalog;
}

/** Counters of a session. */
export interface GateStats {
  statements: number;
  denied: number;
  rows: number;
  /** Bytes sent to the client. */
  bytes: number;
}

/** What the client asked for in its StartupMessage, after checks. */
export interface ClientStartup {
  readonly user: string;
  readonly database: string;
  readonly parameters: Readonly<Record<string, string>>;
}
