/** How the segments of a recording must follow each other, and how the edge's own count of them is held against it. */
import type { SegmentHeader } from "../../wire/recording.ts";
import type { FinalRoots, StoredSession } from "./stored.ts";

/** Whether a segment may be stored; `again` = it is the last one that was stored. */
export type SegmentVerdict =
  | { readonly ok: true; readonly again: boolean }
  | { readonly ok: false; readonly status: 403 | 404 | 409; readonly code: string; readonly message: string };

/** Judges a segment by its header: the session's own connector, the next number, the right predecessor. */
export function judgeSegment(
  stored: StoredSession | null,
  connector: string,
  header: SegmentHeader,
): SegmentVerdict {
  if (!stored || header.session !== stored.sid) return no(404, "SESSION_UNKNOWN", "there is no such session");
  if (stored.connector !== connector)
    return no(403, "SESSION_FOREIGN", "another connector serves this session");
  const last = stored.recorded;
  const next = (last?.sequence ?? -1) + 1;
  if (header.sequence < next) return { ok: true, again: true };
  if (last?.final) return no(409, "AFTER_FINAL", "the recording has its last segment already");
  if (header.sequence > next) return no(409, "SEQUENCE_GAP", `segment ${next} comes first`);
  if (header.prev !== (last?.digest ?? null)) {
    return no(409, "PREV_MISMATCH", "the segment does not follow the stored one");
  }
  const sealed = header.sealed !== undefined;
  if (stored.sealed && !sealed) return no(403, "SEGMENT_NOT_SEALED", "the task wants its recording sealed");
  if (last && (last.sealed ?? false) !== sealed)
    return no(409, "SEALING_MIXED", "a recording is sealed as a whole or not at all");
  return { ok: true, again: false };
}

/**
 * Compares a recording's end with what crossed the edge; null when they agree. The connector may have received
 * less than the edge sent, and sent more than the edge received, when the socket between them broke, and lost what it
 * had not written down yet when it was killed: `answered` says what that cannot be. Never the reverse, and never
 * something else.
 */
export function rootFault(
  edge: FinalRoots | null,
  final: SegmentHeader,
  answered: FinalRoots | null,
): string | null {
  if (edge === null) return null;
  const { frontend, backend } = final;
  if (frontend.next > edge.frontend.entries) return "the recording has entries that the edge never sent";
  const written =
    final.final?.reason === "CONNECTOR_RESTARTED" ? (answered?.backend.entries ?? 0) : edge.backend.entries;
  if (backend.next < written) return "the recording lacks entries that the edge received";
  for (const direction of ["frontend", "backend"] as const) {
    const same = final[direction].next === edge[direction].entries;
    if (same && final[direction].root !== edge[direction].root) {
      return `the ${direction} entries of the recording are not those that crossed the edge`;
    }
  }
  return null;
}

function no(status: 403 | 404 | 409, code: string, message: string): SegmentVerdict & { ok: false } {
  return { ok: false, status, code, message };
}
