/**
 * The end of a session, and after it: D1, the log, the grant and the connector are told, once each, and again
 * until they have heard; then the recording is waited for. Everything that this needs is in storage.
 */
import type { SegmentHeader } from "../../wire/recording.ts";
import type { EventFacts, NewEvent } from "../audit/events.ts";
import type { AuditOutbox } from "../audit/outbox.ts";
import { recordSessionEnd } from "../audit/store.ts";
import type { Bindings } from "../env.ts";
import { sessionEnded } from "../grants/open.ts";
import { logComplete, logEnd } from "../log/session.ts";
import { noteSegment } from "../recordings/ledger.ts";
import { judgeSegment, type RecordingVerdict, recordingVerdict, type SegmentVerdict } from "./chain.ts";
import { factsOf } from "./opening.ts";
import type { EndedSession, SessionStore, StoredSession } from "./stored.ts";

const RETRY_MS = 2_000;
/** When a recording without its end is reported, and when it is no longer waited for. */
const RECORDING_LATE_MS = 10 * 60_000;
const RECORDING_GIVEN_UP_MS = 30 * 24 * 3_600_000;
/** How often the list of recordings is told of one that grows, milliseconds. */
const LISTED_MS = 5_000;
/** Ends that either side meant. */
const PLANNED: ReadonlySet<string> = new Set(["CLIENT_TERMINATED", "CANCEL_REQUEST", "TARGET_CLOSED"]);

export interface EndingHost {
  readonly env: Bindings;
  readonly ctx: DurableObjectState;
  readonly store: SessionStore;
  outbox(): AuditOutbox;
  /** Calls `afterwards` at this time, milliseconds since the epoch. */
  wake(at: number): Promise<void>;
  /** Nothing of the session is needed any more. */
  forget(): Promise<void>;
}

/** How much of a recording is stored. */
export interface StoredSoFar {
  readonly segments: number;
  /** Of all of them. */
  readonly bytes: number;
  /** Once the recording is closed and the session is over. */
  readonly verdict: RecordingVerdict | null;
}

export class SessionEnding {
  readonly #host: EndingHost;
  #settling: Promise<void> | null = null;
  #listed = 0;

  constructor(host: EndingHost) {
    this.#host = host;
  }

  /** Writes the end down; `settle` tells of it. */
  close(stored: StoredSession, ended: EndedSession, facts: EventFacts): void {
    const { statements, denied, rows, bytes, roots, message, at, code } = ended;
    const closed = this.#host.store.put({ ...stored, ended });
    const severity = PLANNED.has(code) || code === "CLIENT_GONE" ? "info" : "warn";
    const event: NewEvent = {
      ...{ ...facts, type: "session.end", severity, reason: code },
      data: {
        ...{ message, statements, denied, rows, bytes, durationMs: at - stored.started },
        roots: roots as never,
      },
    };
    this.#host.outbox().add(event);
    this.#alarm(stored, faultOf(verdictOf(closed)));
  }

  /** Tells D1, the grant and the connector of the end; the alarm tries again what failed. */
  settle(): Promise<void> {
    this.#settling ??= this.#settleOnce().finally(() => {
      this.#settling = null;
    });
    return this.#settling;
  }

  async #settleOnce(): Promise<void> {
    const stored = this.#host.store.get();
    if (!stored?.ended) return;
    const { at, code, roots, answered, statements, denied, rows, bytes } = stored.ended;
    const totals = { statements, denied, rows, bytes };
    const told = await Promise.allSettled([
      recordSessionEnd(this.#host.env.DB, stored.sid, { ...totals, ended: at, end_code: code, roots }),
      sessionEnded(this.#host.env, stored.grant, stored.sid, { statements, rows, bytes }),
      this.#host.env.CONNECTORS.getByName(stored.connector).ended(stored.sid, !PLANNED.has(code)),
      logEnd(this.#host.env, stored.sid, { at, code, roots, ...(answered ? { answered } : {}) }),
      this.#host.outbox().flush(),
      this.#list(stored),
    ]);
    const settled = told.every((one) => one.status === "fulfilled" && one.value !== false);
    const latest = this.#host.store.get()!;
    if (settled) this.#host.store.put({ ...latest, settled: true });
    await this.#host.wake(settled ? at + RECORDING_LATE_MS : Date.now() + RETRY_MS);
  }

  /** Tells the list of a recording that is closed: how it stands is known when the session's end is, too. */
  async #list(stored: StoredSession): Promise<void> {
    const { recorded } = stored;
    if (recorded?.header) await noteSegment(this.#host.env.DB, recorded.header, soFar(stored, recorded));
  }

  /** What is left to do after the end: wait for the recording, say so when it is late, and forget the session. */
  async afterwards(): Promise<void> {
    const stored = this.#host.store.get();
    if (!stored?.ended) return;
    if (!stored.settled) return this.settle();
    const { ended } = stored;
    const late = ended.at + RECORDING_LATE_MS;
    if (Date.now() < late) return this.#host.wake(late);
    // Who was to be told may have been away.
    await this.#list(stored).catch((cause: unknown) => console.error("recordings", cause));
    const never = stored.recorded === null && ended.roots?.backend.entries === 0;
    if (never || stored.recorded?.final || Date.now() >= ended.at + RECORDING_GIVEN_UP_MS) {
      return this.#host.forget();
    }
    this.#host.outbox().add({
      ...{ ...factsOf(stored, {}), type: "recording.gap", severity: "alarm", reason: "RECORDING_INCOMPLETE" },
      data: {
        message: `the recording ends after ${(stored.recorded?.sequence ?? -1) + 1} segments, without its end`,
      },
    });
    await this.#host.outbox().flush();
    await this.#host.wake(ended.at + RECORDING_GIVEN_UP_MS);
  }

  /** Whether a segment is the next one of this session's recording, by its header. */
  segmentMay(connector: string, header: SegmentHeader): SegmentVerdict {
    return judgeSegment(this.#host.store.get(), connector, header);
  }

  /**
   * A segment is in the store. The last one is held against what the edge itself counted, and is put into the log
   * with the connector's statement. Throws when the log does not take it: the connector sends it again. `size` in
   * bytes. What the list of recordings should be told; null when it need not be now.
   */
  async segmentStored(
    header: SegmentHeader,
    digest: string,
    size: number,
    statement: string | null,
  ): Promise<StoredSoFar | null> {
    const stored = this.#host.store.get();
    const sequence = stored?.recorded?.sequence ?? -1;
    // What comes again was stored, but who was to be told of it may not have been.
    if (stored?.recorded && header.sequence === sequence) return soFar(stored, stored.recorded);
    if (!stored || header.sequence !== sequence + 1) return null;
    const final = header.final !== undefined;
    const unstated = final
      ? await logComplete(this.#host.env, header, digest, statement, stored.connectorKey)
      : null;
    const latest = this.#host.store.get()!;
    const bytes = (latest.recorded?.bytes ?? 0) + size;
    const recorded = {
      ...{ sequence: header.sequence, bytes, digest, final, ...(final ? { header } : {}) },
      ...(header.sealed ? { sealed: true } : {}),
    };
    const now = soFar(this.#host.store.put({ ...latest, recorded }), recorded);
    this.#alarm(latest, faultOf(now.verdict) ?? unstated);
    if (final && stored.settled) await this.#host.wake(Date.now() + RECORDING_LATE_MS);
    if (!final && Date.now() - this.#listed < LISTED_MS) return null;
    this.#listed = Date.now();
    return now;
  }

  #alarm(stored: StoredSession, message: string | null): void {
    if (message === null) return;
    this.#host.outbox().add({
      ...{ ...factsOf(stored, {}), type: "session.alarm", severity: "alarm", reason: "RECORDING_MISMATCH" },
      data: { message, detail: null },
    });
  }
}

function soFar(stored: StoredSession, recorded: NonNullable<StoredSession["recorded"]>): StoredSoFar {
  return { segments: recorded.sequence + 1, bytes: recorded.bytes, verdict: verdictOf(stored) };
}

/** How the recording stands to what the edge counted; null while either is not final, or the edge was reset. */
function verdictOf({ ended, recorded, recording }: StoredSession): RecordingVerdict | null {
  return ended && recorded?.header ? recordingVerdict(ended, recorded.header, recording) : null;
}

function faultOf(verdict: RecordingVerdict | null): string | null {
  return verdict?.state === "differs" ? verdict.detail : null;
}
