/** An exported recording as `wicket play` takes it: who and what, as its own log entries say, and its segments. */
import { decodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { readSegmentHeader } from "../../wire/recording.ts";
import { openBundleFile } from "./bundle.ts";
import { ZipError } from "./zip.ts";

/** What of a session is shown above its recording. Times in ms since the epoch. */
export interface PlayableSession {
  readonly id: string;
  readonly name: string | null;
  readonly subject: string;
  readonly task: string;
  readonly resource: string;
  readonly reason: string | null;
  readonly started: number;
  readonly ended: number | null;
  readonly end_code: string | null;
}

export interface Playable {
  readonly session: PlayableSession;
  /** Each gives its segment's bytes as they are stored, in order. */
  readonly segments: readonly (() => Promise<Uint8Array>)[];
}

/** Opens an exported file; close it. Nothing is verified. Throws `ZipError` when it is none, or lacks the start. */
export function openPlayable(path: string): Playable & { close(): void } {
  const { bundle, close } = openBundleFile(path);
  const entries = bundle.log.flatMap(({ entry }) => {
    const decoded = decodeEntry(entry);
    return decoded.ok ? [decoded.entry] : [];
  });
  const is = <T extends LogEntry["type"]>(type: T) =>
    entries.find((one): one is Extract<LogEntry, { type: T }> => one.type === type);
  const start = is("session.start");
  const end = is("session.end");
  const first = bundle.sequences.length > 0 ? bundle.segment(bundle.sequences[0]!) : null;
  const head = first && readSegmentHeader(first);
  const id = start?.session ?? (head?.ok ? head.header.session : null);
  if (id === null) {
    close();
    throw new ZipError("it has neither the start of the session nor a segment that reads");
  }
  return {
    session: {
      ...{ id, name: start?.actor.name ?? null, subject: start?.actor.subject ?? "somebody" },
      ...{ task: start?.task.name ?? "a task", resource: start?.resource ?? "a resource" },
      ...{ reason: start?.reason ?? null, started: start?.time ?? (head?.ok ? head.header.from : 0) },
      ...{ ended: end?.time ?? null, end_code: end?.code ?? null },
    },
    segments: bundle.sequences.map((sequence) => async () => {
      const bytes = bundle.segment(sequence);
      if (!bytes) throw new ZipError(`segment ${sequence} cannot be read`);
      return bytes;
    }),
    close,
  };
}
