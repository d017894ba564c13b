/** How the segments of a recording must follow each other, and how the edge's own count of them is held against it. */
import type { SegmentHeader } from "../../wire/recording.ts";
import { judgeEnd } from "../../wire/recording-end.ts";
import type { EndedSession, StoredSession } from "./stored.ts";

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

/** How a recording that is closed stands to what crossed the edge, for the lists, and what there is to say of it. */
export interface RecordingVerdict {
  readonly state: "final" | "beyond" | "gap" | "differs";
  readonly detail: string | null;
}

/**
 * Holds a recording's last segment against what crossed the edge; null when the edge has no roots of its own. The
 * beginning of what it counted is not looked at here: `wicket recording verify` reads the messages for that.
 */
export function recordingVerdict(
  { roots, answered }: Pick<EndedSession, "roots" | "answered">,
  final: SegmentHeader,
  task: StoredSession["recording"],
): RecordingVerdict | null {
  if (roots === null) return null;
  const recorded = {
    frontend: { entries: final.frontend.next, root: final.frontend.root },
    backend: { entries: final.backend.next, root: final.backend.root },
  };
  const judged = judgeEnd({
    ...{ edge: roots, answered: answered ?? null, recorded },
    ...{ reason: final.final?.reason ?? null, task: task ?? null },
  });
  if (judged.state !== "whole") return { state: judged.state, detail: judged.message };
  if (judged.beyond === 0) return { state: "final", detail: null };
  return {
    state: "beyond",
    detail: `the last ${judged.beyond} messages from the database did not reach the edge`,
  };
}

function no(status: 403 | 404 | 409, code: string, message: string): SegmentVerdict & { ok: false } {
  return { ok: false, status, code, message };
}
