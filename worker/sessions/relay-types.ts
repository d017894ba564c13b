/** What the relay of a Postgres session is given, and what it tells. */
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import type { GateEvent, GateHold } from "../../policies/postgres/gate.ts";
import type { Task } from "../../policies/task.ts";
import type { PlanNode } from "../../wire/tunnel.ts";

/** What the relay uses of a WebSocket. */
export interface RelaySocket {
  send(message: string | Uint8Array): void;
  readonly bufferedAmount: number;
}

/** How a session ended. */
export interface RelayEnd {
  /** UPPER_SNAKE. */
  readonly code: string;
  readonly message: string;
  /** False when the client or the target ended it by itself, as planned. */
  readonly cut: boolean;
}

export interface RelayOptions {
  readonly session: string;
  readonly task: Task;
  readonly cancelKey: { readonly processId: number; readonly secretKey: Uint8Array };
  /** End of the session at the latest, ms since the epoch; told to the client. */
  readonly deadline: number;
  /** Largest message of the client that is held in memory, bytes. */
  readonly maxMessage: number;
  clock(): number;
  /** Null while the grant holds. */
  permit(): { readonly code: string; readonly message: string } | null;
  /** May throw for a catalog that makes no sense. */
  decider(catalog: Catalog): StatementDecider;
  /** Each fact of the session, for the audit log. */
  event(event: GateEvent): void;
  /** The target is open. */
  opened(): void;
  /** Once, last. The sockets are still open then. */
  ended(end: RelayEnd): void;
  hold?(hold: GateHold): void;
  /** The connector's answer to `explain`. */
  plan?(id: number, plan: PlanNode | null, message: string | null): void;
  /** A CancelRequest came where a session should start. */
  cancel?(processId: number, secretKey: Uint8Array): void;
}

/** Bytes that wait at the edge, by where. */
export interface Waiting {
  readonly gate: number;
  readonly client: number;
  readonly connector: number;
}
