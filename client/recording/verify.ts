/**
 * Verifies a recording's bundle, offline and from keys that the caller trusts. Every property is answered on
 * its own: PASS, FAIL with what is wrong and where, or NOT CHECKED with what was missing to check it.
 * Nothing that the bundle says of itself is believed before a key or a hash has confirmed it.
 */
import { digestOf } from "../../policies/canonical.ts";
import { fromUtf8, utf8 } from "../../wire/log/bytes.ts";
import type { SessionStart } from "../../wire/log/entry.ts";
import { formatVerifierKey } from "../../wire/log/note.ts";
import { connectorKeyName, openStatement, type RecordingStatement } from "../../wire/log/statement.ts";
import type { AuditorKey } from "../../wire/recording-seal.ts";
import { filesProblem, type RecordingBundle } from "./bundle.ts";
import { type ProvenEntry, provenEntries, type TrustedKeys } from "./proven-entries.ts";
import { type Held, holdEdge, holdProgress, rootsProblem } from "./roots.ts";
import { dateWords, type Examined, examineSegments, messageWords } from "./segments.ts";

/** `GAP STATED`: something is missing, the recording itself says so, and nothing of it was answered. */
export type Verdict = "PASS" | "FAIL" | "GAP STATED" | "NOT CHECKED";

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
    | "completeness"
    | "sealing"
    | "recording level"
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
  /** Nothing failed, and every message that the edge counted is known to be there. */
  readonly complete: boolean;
  /** From the log's own entry, if that is proven. */
  readonly session: string | null;
  readonly checks: readonly Check[];
}

/** Verifies a bundle. A sealed recording is opened with the auditor's key that fits, if there is one. */
export async function verifyRecording(
  bundle: RecordingBundle,
  keys: TrustedKeys,
  auditors: readonly AuditorKey[] = [],
): Promise<Report> {
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
  const known = [
    ...progress.map((one) => one.roots),
    ...(end?.roots ? [end.roots] : []),
    ...(end?.answered ? [end.answered] : []),
  ];
  const wanted = {
    frontend: known.map((one) => one.frontend.entries),
    backend: known.map((one) => one.backend.entries),
  };
  const examined = await examineSegments(bundle, session, wanted, auditors);
  const held: Held = !end
    ? { fault: "the log has no end of the session" }
    : end.roots
      ? holdEdge(end, start, examined)
      : {
          fault: null,
          unknown: "the edge restarted while the session ran: only the connector vouches for this recording",
        };
  const gap = held.fault === null && "gap" in held ? held.gap : null;
  const hold = (property: Check["property"], one: Held) => {
    if (one.fault === null && "unknown" in one) skip(property, one.unknown);
    else check(property, one.fault, one.fault === null ? one.detail : "");
  };

  check("segments", examined.problem, `${examined.segments} segments, chained to the final one`);
  check("checkpoint signature", log.signature, `signed by ${log.origin}`);
  check("inclusion in the log", log.inclusion, `${log.entries.length} entries are in the signed log`);
  check("session start", startProblem(starts, start, examined, log), describeStart(start));
  check(
    "session end",
    endProblem(ends, log.entries, about, session, examined),
    end ? `ended with ${end.code}` : "",
  );
  const words = end?.words ?? 0;
  if (progress.length < words) {
    const fault = `the edge put ${words} words about the session into the log, the bundle has ${progress.length}`;
    check("session progress", `${fault}: some were left out`, "");
  } else if (progress.length > 0) hold("session progress", holdProgress(progress, examined, gap !== null));
  hold("edge's root", held);
  if (held.fault === null && "gap" in held) {
    if (gap === null) check("completeness", null, "every message that the edge counted is there");
    else checks.push({ property: "completeness", verdict: "GAP STATED", detail: gap });
  } else if (held.fault === null && end?.roots === null) {
    skip("completeness", "how many messages the edge sent after its last word is not known");
  }
  checkSealing(examined, start, check, skip);
  checkLevel(examined, start, check, skip);

  const statement = await connectorStatement(bundle, about, start, keys);
  const stated = statement.ok
    ? (statementProblem(statement.statement, examined, session) ?? openedProblem(examined, start))
    : statement.message;
  check("connector's statement", stated, start ? `signed by ${start.connector.name}: the same messages` : "");

  if (keys.witnesses.length === 0) {
    skip(
      "witness cosignature",
      "no witness's key was given: whoever runs the log could show another log elsewhere",
    );
  } else {
    // Each of them: what is not cosigned could stand in another log than the rest.
    const bare = about.filter((one) => one.cosignedBy.length === 0);
    const problem =
      about.length === 0
        ? "the log's entries are not proven"
        : bare.length > 0
          ? `no given witness has cosigned the checkpoint of entry ${bare.map((one) => one.index).join(", ")}`
          : null;
    check(
      "witness cosignature",
      problem,
      `by ${[...new Set(about.flatMap((one) => one.cosignedBy))].join(", ")}`,
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
  const faults = filesProblem(bundle);
  checks.unshift({
    property: "bundle",
    verdict: faults === null ? "PASS" : "FAIL",
    detail: faults ?? "every file reads",
  });
  const ok = checks.every((one) => one.verdict !== "FAIL");
  const complete = ok && checks.some((one) => one.property === "completeness" && one.verdict === "PASS");
  return { ok, complete, session, checks };
}

/** Only of recordings that are sealed, or should be. */
function checkSealing(
  { sealed, segments }: Examined,
  start: SessionStart | null,
  check: (property: "sealing", problem: string | null, fine: string) => void,
  skip: (property: "sealing", detail: string) => void,
): void {
  if (!sealed) {
    if (start?.recording.sealed && segments > 0)
      check("sealing", "the log says that it has to be sealed, and it is not", "");
    return;
  }
  const to = `sealed to ${sealed.to.join(", ")}`;
  if (sealed.contents === "wrong") check("sealing", sealed.detail, "");
  else if (sealed.contents === "read") {
    check("sealing", null, `${to}; its entries have the roots that it states, by what was opened here`);
  } else {
    const only = "that its entries have the roots that it states, an auditor's key shows (--key-file)";
    skip("sealing", `${to}; what is stored was checked without a key: ${only}; ${sealed.detail}`);
  }
}

/** Whether rows are left out that the task wants recorded: their hashes alone have the right roots too. */
function checkLevel(
  { leftOut, sealed, segments }: Examined,
  start: SessionStart | null,
  check: (property: "recording level", problem: string | null, fine: string) => void,
  skip: (property: "recording level", detail: string) => void,
): void {
  if (!start || segments === 0) return;
  const { level } = start.recording;
  if (sealed && sealed.contents !== "read") {
    skip("recording level", `the task records at level ${level}; what is sealed was not read`);
  } else if (level === "statements") {
    check("recording level", null, "statements: rows are left out, as the task says");
  } else {
    const problem = `${leftOut} messages from the database are left out of the segments, and the task records them`;
    check(
      "recording level",
      leftOut > 0 ? problem : null,
      `${level}: no message from the database is left out`,
    );
  }
}

/** Whether the connector noted another task than the log says; a recording without such a note says nothing. */
function openedProblem({ opened }: Examined, start: SessionStart | null): string | null {
  if (!opened || !start) return null;
  const { task, resource } = start;
  if (opened.task === task.name && opened.digest === task.digest && opened.resource === resource) return null;
  return `the connector opened task ${String(opened.task)} on ${String(opened.resource)}, the log says ${task.name} on ${resource}${opened.task === task.name && opened.resource === resource ? ", in another version" : ""}`;
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
  return `${JSON.stringify(who)} started ${start.task.name} on ${start.resource}, ${dateWords(start.time)}`;
}

function endProblem(
  ends: readonly ProvenEntry[],
  all: readonly ProvenEntry[],
  about: readonly ProvenEntry[],
  session: string | null,
  examined: Examined,
): string | null {
  const foreign = all.find((one) => "session" in one.entry && one.entry.session !== session);
  if (session !== null && foreign) return `entry ${foreign.index} of the log is of another session`;
  if (ends.length !== 1 || ends[0]!.entry.type !== "session.end") {
    return "the log's entry of the end is missing: the session was open, or its end was left out";
  }
  const named = about.flatMap(({ entry }) =>
    (entry.type === "session.end" || entry.type === "recording.complete") && entry.recording
      ? [entry.recording]
      : [],
  );
  const [stored] = named;
  if (!stored)
    return "the log does not say which recording was stored: it is not whole, or the entry was left out";
  if (named.some((one) => one.segments !== stored.segments || one.last !== stored.last))
    return "the log names two recordings of the session";
  if (stored.segments !== examined.segments) {
    const said = `the log says ${stored.segments} segments, the bundle has ${examined.segments}`;
    const missing = stored.segments - examined.segments;
    if (missing <= 0) return said;
    const which = missing === 1 ? `${examined.segments}` : `${examined.segments}\u2013${stored.segments - 1}`;
    const { roots } = ends[0]!.entry;
    const from = examined.broken ? null : examined.roots;
    const messages = roots && from ? messageWords(from, roots) : "";
    return `${said}: segment ${which} missing${messages && ` [${messages}]`}`;
  }
  return stored.last === examined.last ? null : "the last segment is not the one that the log names";
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
