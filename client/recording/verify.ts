/**
 * Verifies a recording's bundle, offline and from keys that the caller trusts. Every property is answered on
 * its own: PASS, FAIL with what is wrong and where, or NOT CHECKED with what was missing to check it.
 * Nothing that the bundle says of itself is believed before a key or a hash has confirmed it.
 */
import { digestOf } from "../../policies/canonical.ts";
import { fromUtf8, utf8 } from "../../wire/log/bytes.ts";
import type { RecordingRoots, SessionStart } from "../../wire/log/entry.ts";
import { formatVerifierKey } from "../../wire/log/note.ts";
import { connectorKeyName, openStatement, type RecordingStatement } from "../../wire/log/statement.ts";
import type { RecordingBundle } from "./bundle.ts";
import { type ProvenEntry, provenEntries, type TrustedKeys } from "./proven-entries.ts";
import { type Examined, examineSegments } from "./segments.ts";

export type Verdict = "PASS" | "FAIL" | "NOT CHECKED";

/** One property of a recording. */
export interface Check {
  readonly property:
    | "bundle"
    | "segments"
    | "checkpoint signature"
    | "inclusion in the log"
    | "session start"
    | "session end"
    | "session progress"
    | "edge's root"
    | "connector's statement"
    | "witness cosignature"
    | "task digest";
  readonly verdict: Verdict;
  /** What was found, in words. */
  readonly detail: string;
}

export interface Report {
  /** No check failed. */
  readonly ok: boolean;
  /** From the log's own entry, if that is proven. */
  readonly session: string | null;
  readonly checks: readonly Check[];
}

/** Verifies a bundle. */
export async function verifyRecording(bundle: RecordingBundle, keys: TrustedKeys): Promise<Report> {
  const checks: Check[] = [];
  const check = (property: Check["property"], problem: string | null, fine: string) => {
    checks.push({ property, verdict: problem === null ? "PASS" : "FAIL", detail: problem ?? fine });
    return problem === null;
  };
  const skip = (property: Check["property"], detail: string) => {
    checks.push({ property, verdict: "NOT CHECKED", detail });
  };

  const log = await provenEntries(bundle, keys);
  const starts = log.entries.filter((one) => one.entry.type === "session.start");
  const start = starts.length === 1 ? (starts[0]!.entry as SessionStart) : null;
  const session = start?.session ?? null;
  const about = log.entries.filter((one) => "session" in one.entry && one.entry.session === session);

  const ends = about.filter((one) => one.entry.type === "session.end");
  const end = ends[0]?.entry.type === "session.end" ? ends[0].entry : null;
  const progress = about.flatMap(({ index, entry }) =>
    entry.type === "session.progress" ? [{ index, roots: entry.roots }] : [],
  );
  const known = [...progress.map((one) => one.roots), ...(end?.roots ? [end.roots] : [])];
  const examined = examineSegments(bundle, session, known);

  check("segments", examined.problem, `${examined.segments} segments, chained to the final one`);
  check("checkpoint signature", log.signature, `signed by ${log.origin}`);
  check("inclusion in the log", log.inclusion, `${log.entries.length} entries are in the signed log`);
  check("session start", startProblem(starts, start, examined, log), describeStart(start));
  check("session end", endProblem(ends, log.entries, session, examined), end ? `ended with ${end.code}` : "");
  if (progress.length > 0) {
    const agreed = `the edge saw the same messages ${progress.length} times while the session ran`;
    check("session progress", progressProblem(progress, examined), agreed);
  }
  if (end && end.roots === null) {
    skip(
      "edge's root",
      "the edge restarted while the session ran: only the connector vouches for this recording",
    );
  } else {
    const problem = end?.roots ? edgeProblem(end.roots, examined) : "the log has no end of the session";
    check("edge's root", problem, edgeAgrees(end?.roots ?? null, examined));
  }

  const statement = await connectorStatement(bundle, about, start, keys);
  const stated = statement.ok ? statementProblem(statement.statement, examined, session) : statement.message;
  check("connector's statement", stated, start ? `signed by ${start.connector.name}: the same messages` : "");

  if (keys.witnesses.length === 0) {
    skip(
      "witness cosignature",
      "no witness's key was given: whoever runs the log could show another log elsewhere",
    );
  } else {
    const needed = about.filter(
      (one) => one.entry.type === "session.start" || one.entry.type === "session.end",
    );
    const bare = needed.filter((one) => one.cosignedBy.length === 0);
    const problem =
      needed.length === 0
        ? "the log's entries are not proven"
        : bare.length > 0
          ? `no given witness has cosigned the checkpoint of entry ${bare.map((one) => one.index).join(", ")}`
          : null;
    check(
      "witness cosignature",
      problem,
      `by ${[...new Set(needed.flatMap((one) => one.cosignedBy))].join(", ")}`,
    );
  }

  if (!bundle.task)
    skip("task digest", start ? `the bundle has no task; the log says ${start.task.digest}` : "no task");
  else
    check(
      "task digest",
      taskProblem(bundle.task, start),
      start ? `${start.task.name} ${start.task.digest}` : "",
    );

  // Last, because reading the other parts finds the broken files.
  const strangers = bundle.strangers.map((name) => `${name} does not belong in a bundle`);
  const faults = [...bundle.broken.map((file) => `${file.name}: ${file.message}`), ...strangers];
  checks.unshift({
    property: "bundle",
    verdict: faults.length === 0 ? "PASS" : "FAIL",
    detail: faults.length === 0 ? "every file reads" : faults.join("; "),
  });
  return { ok: checks.every((one) => one.verdict !== "FAIL"), session, checks };
}

function startProblem(
  starts: readonly ProvenEntry[],
  start: SessionStart | null,
  examined: Examined,
  log: { inclusion: string | null },
): string | null {
  if (!start) {
    if (starts.length > 1) return "the bundle has the starts of several sessions";
    return log.inclusion === null
      ? "the log's entry of the start is missing"
      : "no proven start of the session";
  }
  if (examined.session !== null && examined.session !== start.session) {
    return `the segments are of session ${examined.session}, the log's start is of ${start.session}`;
  }
  return null;
}

function describeStart(start: SessionStart | null): string {
  if (!start) return "";
  const who = start.actor.name ?? start.actor.subject;
  return `${JSON.stringify(who)} started ${start.task.name} on ${start.resource}, ${new Date(start.time).toISOString()}`;
}

function endProblem(
  ends: readonly ProvenEntry[],
  all: readonly ProvenEntry[],
  session: string | null,
  examined: Examined,
): string | null {
  const foreign = all.find((one) => "session" in one.entry && one.entry.session !== session);
  if (session !== null && foreign) return `entry ${foreign.index} of the log is of another session`;
  if (ends.length !== 1 || ends[0]!.entry.type !== "session.end") {
    return "the log's entry of the end is missing: the session was open, or its end was left out";
  }
  const stored =
    ends[0]!.entry.recording ??
    all.flatMap((one) => (one.entry.type === "recording.complete" ? [one.entry.recording] : []))[0];
  if (!stored) return null;
  if (stored.segments !== examined.segments) {
    return `the log says ${stored.segments} segments, the bundle has ${examined.segments}`;
  }
  return stored.last === examined.last ? null : "the last segment is not the one that the log names";
}

function rootsProblem(party: string, roots: RecordingRoots, examined: Examined): string | null {
  for (const [name, way] of [
    ["frontend", "to the database"],
    ["backend", "from the database"],
  ] as const) {
    const theirs = roots[name];
    const ours = examined.roots[name];
    if (theirs.entries !== ours.entries) {
      return `${party} counted ${theirs.entries} messages ${way}, the segments have ${ours.entries}`;
    }
    if (theirs.root !== ours.root) return `${party} saw other messages ${way} than the segments have`;
  }
  return null;
}

/** What the edge said while the session ran has to be a beginning of the recording, for each of its words. */
function progressProblem(
  progress: readonly { readonly index: number; readonly roots: RecordingRoots }[],
  examined: Examined,
): string | null {
  const problems = progress.flatMap(({ index, roots }) =>
    (["frontend", "backend"] as const).flatMap((name) => {
      const { entries, root } = roots[name];
      const ours = examined.at[name].get(entries);
      const way = name === "frontend" ? "to the database" : "from the database";
      if (ours === root) return [];
      const what = ours === undefined ? "are not all in the segments" : "are others in the segments";
      return [`entry ${index} of the log: the first ${entries} messages ${way} ${what}`];
    }),
  );
  return problems.length === 0 ? null : problems.join("; ");
}

/**
 * Holds the recording against what crossed the edge. Where the socket between them broke, the connector may have
 * sent more than the edge received: then the edge's root has to be that of the beginning.
 */
function edgeProblem(edge: RecordingRoots, examined: Examined): string | null {
  const { frontend, backend } = examined.roots;
  if (edge.frontend.entries > frontend.entries) {
    const missing = edge.frontend.entries - frontend.entries;
    return `the last ${missing} messages that the edge sent are not in the segments: they never arrived, or were left out`;
  }
  if (edge.frontend.entries < frontend.entries) return "the segments have messages that the edge never sent";
  if (edge.frontend.root !== frontend.root)
    return "the edge saw other messages to the database than the segments have";
  if (edge.backend.entries > backend.entries) {
    return `the edge received ${edge.backend.entries} messages from the database, the segments have ${backend.entries}`;
  }
  return edge.backend.root === examined.at.backend.get(edge.backend.entries)
    ? null
    : "the edge saw other messages from the database than the segments have";
}

function edgeAgrees(edge: RecordingRoots | null, examined: Examined): string {
  const more = examined.roots.backend.entries - (edge?.backend.entries ?? 0);
  const rest = more > 0 ? `, but for the last ${more} from the database, which did not reach it` : "";
  return `the edge saw the same messages${rest}`;
}

async function connectorStatement(
  bundle: RecordingBundle,
  about: readonly ProvenEntry[],
  start: SessionStart | null,
  keys: TrustedKeys,
): Promise<{ ok: true; statement: RecordingStatement } | { ok: false; message: string }> {
  if (!start) return { ok: false, message: "the log's start does not say who records" };
  const key = keys.signers.find((one) => formatVerifierKey(one) === start.connector.key);
  if (!key) return { ok: false, message: `the key of connector ${start.connector.name} was not given` };
  if (key.name !== connectorKeyName(start.connector.name)) {
    return { ok: false, message: `the key named in the log is not one of connector ${start.connector.name}` };
  }
  const logged = about.flatMap(({ entry }) =>
    (entry.type === "session.end" || entry.type === "recording.complete") && entry.connector
      ? [entry.connector]
      : [],
  )[0];
  const note = bundle.statement ?? (logged === undefined ? null : utf8(logged));
  if (!note) return { ok: false, message: "the connector's statement is missing" };
  const opened = await openStatement(note, key);
  return opened.ok ? opened : { ok: false, message: opened.message };
}

function statementProblem(
  statement: RecordingStatement,
  examined: Examined,
  session: string | null,
): string | null {
  if (statement.session !== session) return `the statement is about session ${statement.session}`;
  if (statement.segments !== examined.segments) {
    return `the connector wrote ${statement.segments} segments, the bundle has ${examined.segments}`;
  }
  if (statement.last !== examined.last) return "the last segment is not the connector's";
  return rootsProblem("the connector", statement.roots, examined);
}

function taskProblem(bytes: Uint8Array, start: SessionStart | null): string | null {
  if (!start) return "the log's start does not say which task";
  const text = fromUtf8(bytes);
  try {
    const task = JSON.parse(text ?? "") as Record<string, unknown>;
    const { digest: named = start.task.digest, ...body } = task;
    const own = digestOf(body);
    if (own === start.task.digest && own === named && body["name"] === start.task.name) return null;
  } catch {
    return "task.json does not read";
  }
  return `task.json is not the task ${start.task.digest} that the session ran`;
}
