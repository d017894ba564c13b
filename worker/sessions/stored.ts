/** What a session keeps in its object's storage: enough to close it properly after a reset of the object. */

import type { Task } from "../../policies/task.ts";
import type { RootMark, SegmentHeader } from "../../wire/recording.ts";
import type { Actor } from "../audit/events.ts";
import type { SessionTotals } from "../audit/store.ts";
import type { Waiting } from "./relay-types.ts";

/** A session as its object knows it. */
export interface SessionSummary {
  readonly id: string;
  readonly started: number;
  readonly deadline: number;
  /** End code; null while it runs. */
  readonly ended: string | null;
  readonly statements: number;
  readonly denied: number;
  readonly rows: number;
  readonly bytes: number;
  /** Bytes that wait at the edge now, and the largest sum so far. */
  readonly waiting: Waiting;
  readonly peak: number;
}

/** Running roots of both directions at the end, as the edge counted them. */
export interface FinalRoots {
  readonly frontend: { readonly entries: number; readonly root: string };
  readonly backend: { readonly entries: number; readonly root: string };
}

/** The roots as they stand. */
export function rootsOf({
  frontend,
  backend,
}: {
  readonly frontend: Pick<RootMark, "count" | "root">;
  readonly backend: Pick<RootMark, "count" | "root">;
}): FinalRoots {
  return {
    frontend: { entries: frontend.count, root: frontend.root },
    backend: { entries: backend.count, root: backend.root },
  };
}

export interface EndedSession extends SessionTotals {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
  /** Null after a reset: what crossed the object since its last start is known to the connector alone. */
  readonly roots: FinalRoots | null;
  /** What the connector has on its disk for sure, because the database answered a statement: of none, the beginning. */
  readonly answered?: FinalRoots;
}

export interface StoredSession {
  readonly sid: string;
  readonly grant: string;
  readonly actor: Actor;
  readonly task: string;
  readonly taskDigest: string;
  readonly resource: string;
  readonly connector: string;
  /** The vkey that the connector's statement about its recording has to verify with. */
  readonly connectorKey: string;
  readonly started: number;
  readonly deadline: number;
  readonly ended: EndedSession | null;
  /** D1, the grant and the connector know of the end. */
  readonly settled: boolean;
  /** The task wants its recording sealed: no segment is taken that is not. */
  readonly sealed?: boolean;
  /** What the task wants of the recording. */
  readonly recording?: Pick<Task["recording"], "onFailure" | "durability">;
  /** The last stored segment of the recording. */
  readonly recorded: {
    readonly sequence: number;
    /** Bytes of all segments so far. */
    readonly bytes: number;
    readonly digest: string;
    readonly final: boolean;
    readonly sealed?: boolean;
    /** Of the final segment: held against the edge's own roots once those are final too. */
    readonly header?: SegmentHeader;
  } | null;
}

/** The record of one session. An object that has several gives each a `key`. */
export class SessionStore {
  readonly #kv: SyncKvStorage;
  readonly #key: string;

  constructor(storage: DurableObjectStorage, key = "session") {
    this.#kv = storage.kv;
    this.#key = key;
  }

  get(): StoredSession | null {
    return this.#kv.get<StoredSession>(this.#key) ?? null;
  }

  put(session: StoredSession): StoredSession {
    this.#kv.put(this.#key, session);
    return session;
  }

  delete(): void {
    this.#kv.delete(this.#key);
  }
}
