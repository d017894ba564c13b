/** The roots of a recording held against those that others counted: the edge, while it ran and at its end, and the connector. */
import type { RecordingRoots, SessionEnd, SessionStart } from "../../wire/log/entry.ts";
import type { Examined } from "./segments.ts";

const WAYS = [
  ["frontend", "to the database"],
  ["backend", "from the database"],
] as const;

/** How a recording ends when the connector, its disk or its connection to the edge broke. */
const BROKEN: ReadonlySet<string> = new Set([
  "CONNECTOR_RESTARTED",
  "CONNECTION_LOST",
  "EDGE_LOST",
  "RECORDING_FAILED",
]);

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
 * Holds the recording against what crossed the edge. Where the socket between edge and connector broke, either may have
 * sent more than the other received:
 *
 * - messages of the database that the edge did not receive: its root has to be that of the beginning;
 * - messages of the edge that the connector did not record: a stated gap, when the recording says that it broke off and
 *   nothing of what is missing was answered;
 * - messages of the database that the connector had passed on and not written down yet, unless the recording is
 *   `strict`: a stated gap, when the recording says that it broke off and they came after what the connector had written
 *   down for sure.
 *
 * In both cases the edge's roots at the last answer have to be those of the beginning.
 */
export function holdEdge(end: SessionEnd, start: SessionStart | null, examined: Examined): Held {
  const edge = end.roots!;
  const { frontend, backend } = examined.roots;
  if (edge.frontend.entries < frontend.entries) {
    return { fault: "the segments have messages that the edge never sent" };
  }
  const sent = edge.frontend.entries - frontend.entries;
  const received = Math.max(0, edge.backend.entries - backend.entries);
  const broke = examined.reason !== null && BROKEN.has(examined.reason);
  if ((sent > 0 || received > 0) && broke && start?.recording.onFailure === "continue") {
    const what = [sent > 0 ? `${sent} to` : "", received > 0 ? `${received} from` : ""].filter(Boolean);
    return {
      fault: null,
      detail: "the session went on unrecorded, as its task lets it: the end could not be compared",
      gap: `the last ${what.join(" and the last ")} the database are not in it (${examined.reason})`,
    };
  }
  if (sent === 0 && edge.frontend.root !== frontend.root) {
    return { fault: "the edge saw other messages to the database than the segments have" };
  }
  const behind = received > 0 ? null : holdBeginning(edge.backend, "backend", examined);
  if (behind) return behind;
  const more = backend.entries - edge.backend.entries;
  const rest = more > 0 ? `, but for the last ${more} from the database, which did not reach it` : "";
  if (sent === 0 && received === 0)
    return { fault: null, detail: `the edge saw the same messages${rest}`, gap: null };
  const missing = [
    ...(sent > 0 ? [`the last ${sent} messages that the edge sent`] : []),
    ...(received > 0 ? [`the last ${received} messages that it received`] : []),
  ];
  const lost = `${missing.join(" and ")} are not in the segments`;
  if (received > 0 && (!broke || start?.recording.durability === "strict")) {
    return { fault: `${lost}: they were lost or left out` };
  }
  const { answered } = end;
  // A session that broke off while it was opened: the database answered nothing, and nothing is recorded of it.
  const began = frontend.entries + backend.entries > 0;
  const opening = (broke || examined.reason === "NOT_OPENED") && !answered && !began;
  if (sent > 0 && !opening && (!broke || !answered))
    return {
      fault: `${lost}: they never arrived, or were left out; the recording ends with ${examined.reason}`,
    };
  if (!answered) {
    const detail = opening
      ? "the database answered nothing"
      : "the edge saw the same messages to the database";
    return { fault: null, detail, gap: `${lost}: the recording broke off (${examined.reason})` };
  }
  if (answered.frontend.entries > frontend.entries) {
    return { fault: `${lost}, and the database answered some of them: they were lost or left out` };
  }
  if (answered.backend.entries > backend.entries) {
    return { fault: `${lost}, and the connector had written some of them down: they were lost or left out` };
  }
  const before =
    holdBeginning(answered.frontend, "frontend", examined) ??
    holdBeginning(answered.backend, "backend", examined);
  if (before) return before;
  return {
    fault: null,
    detail: `the edge saw the same ${answered.frontend.entries} messages to the database up to its last answer${rest}`,
    gap: `${lost}: the recording broke off (${examined.reason})${sent > 0 ? ", and the database answered none of those sent" : ""}`,
  };
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
