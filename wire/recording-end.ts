/**
 * How the end of a recording stands to what the edge counted: by numbers of messages and roots, and by what the log and
 * the recording say of the end. Edge, console, command line and verifier judge with this and say it in the same words.
 * The verifier holds the beginning of the messages against the edge's roots besides, for which it reads them.
 */
import type { RecordingRoots } from "./log/entry.ts";

/** How a recording ends when the connector, its disk or its connection to the edge broke. */
const BROKE_OFF: ReadonlySet<string> = new Set([
  "CONNECTOR_RESTARTED",
  "CONNECTION_LOST",
  "EDGE_LOST",
  "RECORDING_FAILED",
]);
/** How it ends when the session never came to be open. */
const NOT_OPENED = "NOT_OPENED";

export interface EndFacts {
  /** What crossed the edge. */
  readonly edge: RecordingRoots;
  /** What the connector has written down for sure, as the edge states it; null when it states nothing. */
  readonly answered: RecordingRoots | null;
  /** What the recording has. */
  readonly recorded: RecordingRoots;
  /** Why the recording ended, as its last segment says. */
  readonly reason: string | null;
  /** What the task wants of a recording: `onFailure`, `durability`; null when that is not known. */
  readonly task: { readonly onFailure: string; readonly durability: string } | null;
}

/**
 * `whole`: every message that the edge counted is in it; `beyond` messages of the database did not reach the edge.
 * `gap`: messages are missing, the recording itself says that it broke off, and they are not ones that were answered;
 * `unrecorded`: the task lets a session go on when its recording cannot be written.
 * `differs`: messages are missing that cannot be, or are others.
 */
export type EndVerdict =
  | { readonly state: "whole"; readonly beyond: number }
  | { readonly state: "gap"; readonly beyond: number; readonly unrecorded: boolean; readonly message: string }
  | { readonly state: "differs"; readonly message: string };

/** Judges the end of a recording. Where the socket to the connector broke, either side may have sent more than arrived. */
export function judgeEnd({ edge, answered, recorded, reason, task }: EndFacts): EndVerdict {
  const { frontend, backend } = recorded;
  if (edge.frontend.entries < frontend.entries)
    return differs("the segments have messages that the edge never sent");
  const sent = edge.frontend.entries - frontend.entries;
  const received = Math.max(0, edge.backend.entries - backend.entries);
  const beyond = Math.max(0, backend.entries - edge.backend.entries);
  const broke = reason !== null && BROKE_OFF.has(reason);
  if ((sent > 0 || received > 0) && broke && task?.onFailure === "continue") {
    const what = [sent > 0 ? `${sent} to` : "", received > 0 ? `${received} from` : ""].filter(Boolean);
    const message = `the last ${what.join(" and the last ")} the database are not in it (${reason})`;
    return { state: "gap", beyond, unrecorded: true, message };
  }
  if (sent === 0 && edge.frontend.root !== frontend.root)
    return differs("the edge saw other messages to the database than the segments have");
  if (received === 0 && beyond === 0 && edge.backend.root !== backend.root)
    return differs("the edge saw other messages from the database than the segments have");
  if (sent === 0 && received === 0) return { state: "whole", beyond };
  const missing = [
    ...(sent > 0 ? [`the last ${sent} messages that the edge sent`] : []),
    ...(received > 0 ? [`the last ${received} messages that it received`] : []),
  ];
  const lost = `${missing.join(" and ")} are not in the segments`;
  if (received > 0 && (!broke || task?.durability === "strict"))
    return differs(`${lost}: they were lost or left out`);
  // A session that broke off while it was opened: nothing was answered, and nothing is recorded of it.
  const unopened =
    reason === NOT_OPENED &&
    frontend.entries + backend.entries === 0 &&
    (answered === null || answered.frontend.entries === 0);
  if (sent > 0 && !unopened && !broke)
    return differs(
      `${lost}: they never arrived, or were left out; the recording ends with ${reason ?? "nothing"}`,
    );
  const gap = (message: string) => ({ state: "gap", beyond, unrecorded: false, message }) as const;
  const because = `${lost}: the recording broke off (${reason})`;
  if (answered === null) {
    // An edge that states nothing may have heard an answer: without one, only what never began can be a gap.
    if (sent === 0 || frontend.entries + backend.entries === 0) return gap(because);
    return differs(`${lost}, and the log does not say what the database had answered (${reason})`);
  }
  if (answered.frontend.entries > frontend.entries)
    return differs(`${lost}, and the database answered some of them: they were lost or left out`);
  if (answered.backend.entries > backend.entries)
    return differs(`${lost}, and the connector had written some of them down: they were lost or left out`);
  return gap(sent > 0 ? `${because}, and the database answered none of those sent` : because);
}

function differs(message: string): EndVerdict & { state: "differs" } {
  return { state: "differs", message };
}

/**
 * A recording as lists show it. `live`: the session runs. `open`: it is over, the end of the recording is not stored.
 * `final`: closed, and its roots are those that the edge counted. `beyond`, `gap`, `differs`: `judgeEnd`. `unchecked`:
 * closed, but the edge has no roots of its own (its object was reset). `none`: nothing is stored.
 */
export type RecordingState = "live" | "open" | "final" | "beyond" | "unchecked" | "gap" | "differs" | "none";

/** Each state in a word or three, and what it means. */
export const RECORDING_WORDS: Readonly<
  Record<RecordingState, { readonly word: string; readonly meaning: string }>
> = {
  live: { word: "live", meaning: "the session runs; what is stored so far can be played" },
  open: {
    word: "not closed",
    meaning: "the session is over; the end of its recording is not stored yet",
  },
  final: {
    word: "closed, roots agree",
    meaning: "the connector's running roots are those that the edge counted",
  },
  beyond: {
    word: "closed, whole",
    meaning: "everything that the edge counted is in it, and more that did not reach it any more",
  },
  unchecked: {
    word: "closed",
    meaning: "the edge has no roots of its own to compare: its object was reset",
  },
  gap: {
    word: "closed, gap stated",
    meaning: "messages at its end are missing, and it says that it broke off",
  },
  differs: {
    word: "roots differ",
    meaning: "the connector's running roots are not those that the edge counted",
  },
  none: { word: "empty", meaning: "nothing of it is stored" },
};
