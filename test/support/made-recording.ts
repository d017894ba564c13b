/** Recordings made by hand, put into the stores of a running edge: for tests of what shows them. */
import type { Miniflare } from "miniflare";
import type { GateEvent } from "../../policies/postgres/gate-types.ts";
import { compress } from "../../tunnel-connector/compress.ts";
import { encodePiece } from "../../wire/pieces.ts";
import {
  commandComplete,
  dataRow,
  errorResponse,
  readyForQuery,
  rowDescription,
} from "../../wire/postgres/backend.ts";
import {
  digestOf,
  readSegmentHeader,
  type SealedSegment,
  SegmentWriter,
  segmentKey,
} from "../../wire/recording.ts";
import { type AuditorKey, sealSegment } from "../../wire/recording-seal.ts";
import { insertEvents, recordSessionEnd, recordSessionStart } from "../../worker/audit/store.ts";
import { noteSegment } from "../../worker/recordings/ledger.ts";
import { recordingVerdict } from "../../worker/sessions/chain.ts";
import { newSessionId } from "../../worker/sessions/ticket.ts";

/** A statement of a made session. */
export interface MadeStatement {
  readonly text: string;
  readonly columns?: readonly string[];
  /** Names of columns that come as they are from a table; the rest is computed. */
  readonly plain?: readonly string[];
  readonly masked?: readonly string[];
  readonly rows?: Iterable<readonly (string | null)[]>;
  readonly deny?: string;
  readonly error?: string;
  /** Milliseconds after the statement before. */
  readonly after?: number;
  /** Lines of a terminal. */
  readonly cast?: readonly string[];
}

const encoder = new TextEncoder();

/** Writes a session, segment by segment. */
export class MadeSession {
  readonly id = newSessionId();
  readonly started: number;
  readonly segments: SealedSegment[] = [];
  readonly #writer: SegmentWriter;
  #at: number;
  #n = 0;

  constructor(started = Date.now() - 3_600_000) {
    this.started = started;
    this.#at = started;
    this.#writer = new SegmentWriter(this.id, undefined, compress);
  }

  /** Bytes of all entries, before they are compressed. */
  content = 0;

  /** Bytes of all segments. */
  get bytes(): number {
    return this.segments.reduce((sum, one) => sum + one.header.size, 0);
  }

  event(event: GateEvent | object): void {
    this.#add("event", encoder.encode(JSON.stringify({ t: "record", event })));
  }

  statement(made: MadeStatement): void {
    const { text, deny, masked = [], columns = [], plain = columns, cast = [] } = made;
    this.#at += made.after ?? 10;
    this.#n += 1;
    const n = this.#n;
    const decision = {
      effect: deny ? "deny" : "allow",
      reason: deny ?? "ALLOWED",
      message: deny ? `not allowed: ${text.slice(0, 40)}` : "",
      rule: "tasks/refund.yaml:12",
      relations: ["public.customers"],
      ...{ masked, rewritten: deny ? null : text },
    };
    const protocol = cast.length > 0 ? "kubernetes" : "simple";
    this.event({ t: "statement", n, protocol, text, decision, at: this.#at });
    for (const line of cast) {
      const value = JSON.parse(line) as { version: number } | [number, string, string];
      if (!Array.isArray(value)) this.event({ t: "cast", n, line: value });
      else {
        const bytes = encoder.encode(value[2]);
        this.#add("frontend", encodePiece({ kind: "stdout", n, ms: value[0] * 1000, bytes }));
      }
    }
    let count = 0;
    if (columns.length > 0) {
      const fields = columns.map((name) => ({ name, tableOid: plain.includes(name) ? 16_400 : 0 }));
      this.#add("backend", rowDescription(fields));
      for (const row of made.rows ?? []) {
        this.#add("backend", dataRow(row));
        count += 1;
      }
    }
    const failed = deny ?? made.error;
    this.#add(
      "backend",
      failed
        ? errorResponse({ S: "ERROR", C: deny ? "42501" : "22012", M: made.error ?? "denied" })
        : commandComplete(columns.length > 0 ? `SELECT ${count}` : "UPDATE 1"),
    );
    this.#add("backend", readyForQuery(0x49));
    this.#at += 5;
    this.event({
      ...{ t: "outcome", n, ok: !failed, rows: count, bytes: count * 10, ms: 5, at: this.#at },
      ...(failed
        ? { sqlstate: deny ? "42501" : "22012", message: made.error ?? "denied" }
        : { tag: columns.length > 0 ? `SELECT ${count}` : "UPDATE 1" }),
    });
  }

  #add(kind: "event" | "frontend" | "backend" | "note", bytes: Uint8Array): void {
    this.content += bytes.length;
    const full = this.#writer.add({ kind, at: this.#at, bytes });
    if (full) this.segments.push(full);
  }

  /** A request with a terminal that is still open; returns its number. */
  terminal(text: string): number {
    this.#at += 10;
    this.#n += 1;
    const n = this.#n;
    const decision = {
      effect: "allow",
      reason: "ALLOWED",
      message: "",
      rule: null,
      relations: [],
      masked: [],
    };
    this.event({ t: "statement", n, protocol: "kubernetes", text, decision, at: this.#at });
    this.event({ t: "cast", n, line: { version: 2, width: 80, height: 12 } });
    return n;
  }

  /** What that terminal shows, so many milliseconds after it began. */
  shows(n: number, ms: number, text: string): void {
    this.#at += 10;
    this.#add("frontend", encodePiece({ kind: "stdout", n, ms, bytes: encoder.encode(text) }));
  }

  /** A fact of the connector's own, such as a gap. */
  note(fact: object): void {
    this.#add("note", encoder.encode(JSON.stringify(fact)));
  }

  /** Closes the segment that is being written; with a reason, the recording. */
  seal(reason?: string, orderly = true): void {
    if (reason && orderly)
      this.event({ t: "end", code: reason, message: "the session is over", at: this.#at });
    this.segments.push(this.#writer.seal(this.#at, reason ? { reason } : undefined));
  }

  /** Seals what was written so far to an auditor, as a connector does before it sends it. */
  async sealTo(auditor: AuditorKey): Promise<void> {
    for (const [i, segment] of this.segments.entries()) {
      const bytes = await sealSegment(segment.bytes, this.segments[i - 1]?.digest ?? null, [auditor]);
      const read = readSegmentHeader(bytes);
      if (read.ok) this.segments[i] = { ...segment, bytes, digest: digestOf(bytes), header: read.header };
    }
  }

  /** The roots as the edge would have counted them. */
  get roots() {
    const { frontend, backend } = this.#writer.roots;
    return {
      frontend: { entries: frontend.count, root: frontend.root },
      backend: { entries: backend.count, root: backend.root },
    };
  }
}

export interface Placed {
  readonly subject: string;
  readonly issuer: string;
  readonly task?: string;
  readonly resource?: string;
  readonly reason?: string;
}

/** Puts a session's row into the edge's database. */
export async function placeSession(miniflare: Miniflare, made: MadeSession, facts: Placed): Promise<void> {
  const db = (await miniflare.getD1Database("DB")) as unknown as D1Database;
  const { subject, issuer, task = "refund", resource = "orders-db", reason = "INC-7" } = facts;
  await recordSessionStart(db, {
    ...{ id: made.id, grant: "g-1", issuer, subject, name: subject, task, resource, reason },
    started: made.started,
  });
}

/** Puts segments that are not there yet into the store, from number `from`. */
export async function placeSegments(miniflare: Miniflare, made: MadeSession, from = 0): Promise<void> {
  const db = (await miniflare.getD1Database("DB")) as unknown as D1Database;
  const bucket = (await miniflare.getR2Bucket("RECORDINGS")) as unknown as R2Bucket;
  let sum = made.segments.slice(0, from).reduce((before, one) => before + one.bytes.length, 0);
  for (const { sequence, bytes, digest, header } of made.segments.slice(from)) {
    await bucket.put(segmentKey(made.id, sequence), bytes, { sha256: digest });
    sum += bytes.length;
    await noteSegment(db, header, { segments: sequence + 1, bytes: sum, verdict: null });
  }
}

/** Ends the session in the edge's database; `answered`: what the edge states of it. */
export async function placeEnd(
  miniflare: Miniflare,
  made: MadeSession,
  code: string,
  roots: MadeSession["roots"] | null = made.roots,
  answered: MadeSession["roots"] | null = null,
): Promise<void> {
  const db = (await miniflare.getD1Database("DB")) as unknown as D1Database;
  const { header } = made.segments.at(-1) ?? {};
  if (header?.final) {
    const task = { onFailure: "terminate", durability: "batched" } as const;
    const verdict = recordingVerdict({ roots, ...(answered ? { answered } : {}) }, header, task);
    await noteSegment(db, header, { segments: made.segments.length, bytes: 0, verdict });
  }
  const totals = { statements: 1, denied: 0, rows: 1, bytes: 1 };
  await recordSessionEnd(db, made.id, { ...totals, ended: Date.now(), end_code: code, roots });
}

/** Puts the audit events of statements into the edge's database. */
export async function placeStatementEvents(
  miniflare: Miniflare,
  made: MadeSession,
  facts: Placed,
  texts: readonly string[],
): Promise<void> {
  const db = (await miniflare.getD1Database("DB")) as unknown as D1Database;
  const { subject, issuer, task = "refund", resource = "orders-db" } = facts;
  const events = texts.map((text, i) => ({
    ...{
      id: `01ARZ3NDEKTSV4RRFFQ${made.id.slice(0, 4).toUpperCase()}${String(i).padStart(3, "0")}`,
      time: made.started + i,
    },
    ...{ type: "statement.decided", severity: "info", session: made.id, task, resource },
    actor: { issuer, subject, name: subject, groups: [] },
    data: { n: i + 1, effect: "allow", fingerprint: null, relations: [], masked: [], text },
  }));
  await insertEvents(db, events as never);
}
