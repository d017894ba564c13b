/** The roots of a recording held against those that others counted: the edge, while it ran and at its end, and the connector. */
import type { RecordingRoots, SessionEnd, SessionStart } from "../../wire/log/entry.ts";
import { judgeEnd } from "../../wire/recording-end.ts";
import type { Examined } from "./segments.ts";

const WAYS = [
  ["frontend", "to the database"],
  ["backend", "from the database"],
] as const;

/** What came of holding roots against others. `unknown`: a sealed recording has to be opened for it. */
export type Held =
  | { readonly fault: null; readonly detail: string; readonly gap: string | null }
  | { readonly fault: string }
  | { readonly fault: null; readonly unknown: string };

/** Whether somebody's roots of the whole are the recording's; null when they are. */
export function rootsProblem(party: string, roots: RecordingRoots, examined: Examined): string | null {
  for (const [name, way] of WAYS) {
    const theirs = roots[name];
    const ours = examined.roots[name];
    if (theirs.entries !== ours.entries) {
      return `${party} counted ${theirs.entries} messages ${way}, the segments have ${ours.entries}`;
    }
    if (theirs.root !== ours.root) return `${party} saw other messages ${way} than the segments have`;
  }
  return null;
}

/**
 * What the edge said while the session ran has to be a beginning of the recording, for each of its words. `gap`: what
 * the edge sent last may be missing, and is stated elsewhere.
 */
export function holdProgress(
  progress: readonly { readonly index: number; readonly roots: RecordingRoots }[],
  examined: Examined,
  gap: boolean,
): Held {
  const problems: string[] = [];
  let unknown = 0;
  let agreed = 0;
  for (const { index, roots } of progress) {
    for (const [name, way] of WAYS) {
      const { entries, root } = roots[name];
      const ours = examined.at[name].get(entries);
      const beyond = entries > examined.roots[name].entries;
      if (ours === root) agreed += 1;
      else if (beyond && gap) continue;
      else if (ours === undefined && !beyond && isUnread(examined)) unknown += 1;
      else {
        const what = ours === undefined ? "are not all in the segments" : "are others in the segments";
        problems.push(`entry ${index} of the log: the first ${entries} messages ${way} ${what}`);
      }
    }
  }
  if (problems.length > 0) return { fault: problems.join("; ") };
  if (unknown > 0) {
    return { fault: null, unknown: `${unknown} of the edge's words speak of the middle of a sealed segment` };
  }
  const times = Math.floor(agreed / WAYS.length);
  const detail = `the edge saw the same messages ${times} times while the session ran`;
  return { fault: null, detail, gap: null };
}

/**
 * Holds the recording against what crossed the edge: by numbers, roots and how it ended (`judgeEnd`), and by what the
 * edge counted before the end. Messages of the database that the edge did not receive, and messages that the connector
 * did not write down, both leave a beginning, of which the edge's root has to be that of the segments.
 */
export function holdEdge(end: SessionEnd, start: SessionStart | null, examined: Examined): Held {
  const edge = end.roots!;
  const { answered = null } = end;
  const { roots: recorded, reason } = examined;
  const judged = judgeEnd({ edge, answered, recorded, reason, task: start?.recording ?? null });
  if (judged.state === "differs") return { fault: judged.message };
  if (judged.state === "gap" && judged.unrecorded) {
    return {
      fault: null,
      detail: "the session went on unrecorded, as its task lets it: the end could not be compared",
      gap: judged.message,
    };
  }
  const behind =
    edge.backend.entries > recorded.backend.entries ? null : holdBeginning(edge.backend, "backend", examined);
  if (behind) return behind;
  const { beyond } = judged;
  const rest = beyond > 0 ? `, but for the last ${beyond} from the database, which did not reach it` : "";
  if (judged.state === "whole")
    return { fault: null, detail: `the edge saw the same messages${rest}`, gap: null };
  const gap = judged.message;
  if (!answered) return { fault: null, detail: "the edge states nothing that was answered", gap };
  const before =
    holdBeginning(answered.frontend, "frontend", examined) ??
    holdBeginning(answered.backend, "backend", examined);
  if (before) return before;
  const detail =
    answered.frontend.entries === 0
      ? `the database answered nothing${rest}`
      : `the edge saw the same ${answered.frontend.entries} messages to the database up to its last answer${rest}`;
  return { fault: null, detail, gap };
}

/** What speaks against these messages being a beginning of the recording; null for nothing. */
function holdBeginning(
  theirs: RecordingRoots["frontend"],
  name: "frontend" | "backend",
  examined: Examined,
): Held | null {
  const ours = examined.at[name].get(theirs.entries);
  if (ours === theirs.root) return null;
  const way = name === "frontend" ? "to" : "from";
  if (ours === undefined && isUnread(examined)) {
    return { fault: null, unknown: `the edge's word speaks of the middle of a sealed segment` };
  }
  return { fault: `the edge saw other messages ${way} the database than the segments have` };
}

function isUnread({ sealed }: Examined): boolean {
  return sealed !== null && sealed.contents !== "read";
}
