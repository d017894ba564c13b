/** What stands where in a recording: per segment its statements and outcomes, without rows. */
import { readSegment, readSegmentHeader } from "../../wire/recording.ts";
import { getSegment, type StoredSegment } from "./store.ts";

/** Segments of one page at most: 32 MiB of entries are read for it. */
export const INDEX_PAGE = 8;
/** Segments in memory at once, each with its entries decompressed. */
const PARALLEL = 2;

/** A statement, where its event stands. */
export interface IndexedStatement {
  readonly n: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The entry's number in its segment, from 0. */
  readonly entry: number;
  readonly text: string;
  readonly effect: string;
  readonly reason: string;
  readonly rule: string | null;
  readonly masked: readonly string[];
}

/** How a statement ended; often in the segment of the statement, at times in a later one. */
export interface IndexedOutcome {
  readonly n: number;
  readonly at: number;
  readonly entry: number;
  readonly ok: boolean;
  readonly tag: string | null;
  readonly sqlstate: string | null;
  readonly rows: number;
  readonly ms: number;
}

export interface IndexedSegment extends StoredSegment {
  /** Times of the first and last entry, milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly statements: readonly IndexedStatement[];
  readonly outcomes: readonly IndexedOutcome[];
  /** Why the recording ended; on its last segment only. */
  readonly final: string | null;
  /** True when the segment does not read: nothing is known of what it held. */
  readonly damaged: boolean;
  /** True when only an auditor can read it: then statements and outcomes are not known here. */
  readonly sealed?: true;
}

/** The index of these segments, in their order. */
export async function indexSegments(
  bucket: R2Bucket,
  session: string,
  segments: readonly StoredSegment[],
): Promise<IndexedSegment[]> {
  const indexed: IndexedSegment[] = [];
  for (let start = 0; start < segments.length; start += PARALLEL) {
    const some = segments.slice(start, start + PARALLEL).map(async (segment) => {
      const object = await getSegment(bucket, session, segment.sequence);
      return indexSegment(segment, object && new Uint8Array(await object.arrayBuffer()));
    });
    indexed.push(...(await Promise.all(some)));
  }
  return indexed;
}

/** The index of one segment's bytes; null = the store does not have it. */
export function indexSegment(stored: StoredSegment, bytes: Uint8Array | null): IndexedSegment {
  const head = bytes && readSegmentHeader(bytes);
  if (head?.ok && head.header.sealed) {
    const { from, to, final } = head.header;
    const known = { from, to, final: final?.reason ?? null };
    return { ...stored, ...known, statements: [], outcomes: [], damaged: false, sealed: true };
  }
  const read = bytes && readSegment(bytes);
  if (!read?.ok) {
    return { ...stored, from: 0, to: 0, statements: [], outcomes: [], final: null, damaged: true };
  }
  const statements: IndexedStatement[] = [];
  const outcomes: IndexedOutcome[] = [];
  read.entries.forEach(({ kind, bytes: entryBytes }, entry) => {
    const event = kind === "event" ? eventOf(entryBytes) : null;
    if (event?.t === "statement") statements.push(statementOf(event, entry));
    else if (event?.t === "outcome") outcomes.push(outcomeOf(event, entry));
  });
  const { from, to, final } = read.header;
  return { ...stored, from, to, statements, outcomes, final: final?.reason ?? null, damaged: false };
}

// biome-ignore lint/suspicious/noExplicitAny: an event of whichever version wrote it; fields are read one by one
type Written = Record<string, any>;

function eventOf(bytes: Uint8Array): Written | null {
  try {
    const { event } = JSON.parse(new TextDecoder().decode(bytes)) as { event?: Written };
    return typeof event === "object" && event !== null ? event : null;
  } catch {
    return null;
  }
}

function statementOf(event: Written, entry: number): IndexedStatement {
  const decision = (event["decision"] ?? {}) as Written;
  return {
    ...{ n: Number(event["n"]), at: Number(event["at"]), entry, text: String(event["text"] ?? "") },
    effect: String(decision["effect"] ?? ""),
    reason: String(decision["reason"] ?? ""),
    rule: typeof decision["rule"] === "string" ? decision["rule"] : null,
    masked: Array.isArray(decision["masked"]) ? decision["masked"].map(String) : [],
  };
}

function outcomeOf(event: Written, entry: number): IndexedOutcome {
  const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
  return {
    ...{ n: Number(event["n"]), at: Number(event["at"]), entry, ok: event["ok"] === true },
    ...{ tag: text(event["tag"]), sqlstate: text(event["sqlstate"]) },
    ...{ rows: Number(event["rows"] ?? 0), ms: Number(event["ms"] ?? 0) },
  };
}
