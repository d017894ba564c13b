/**
 * Verifies a recording's bundle, offline and from keys that the caller trusts. Every property is answered on
 * its own: PASS, FAIL with what is wrong and where, or NOT CHECKED with what was missing to check it.
 * Nothing that the bundle says of itself is believed before a key or a hash has confirmed it.
 */
import { digestOf } from "../../policies/canonical.ts";
import { fromUtf8, utf8 } from "../../wire/log/bytes.ts";
import { decodeEntry, type LogEntry, type RecordingRoots, type SessionStart } from "../../wire/log/entry.ts";
import {
  formatVerifierKey,
  NOTE_COSIGNATURE,
  type NoteVerifier,
  parseVerifierKey,
} from "../../wire/log/note.ts";
import { checkProof, parseProof } from "../../wire/log/proof.ts";
import { connectorKeyName, openStatement, type RecordingStatement } from "../../wire/log/statement.ts";
import {
  ChainVerifier,
  type EntryKind,
  RunningRoot,
  readElided,
  readSegment,
  digestOf as segmentDigest,
} from "../../wire/recording.ts";
import type { RecordingBundle } from "./bundle.ts";

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

/** Keys that the caller trusts, by role. */
export interface TrustedKeys {
  /** Ed25519 note keys: the log's and connectors'. */
  readonly signers: readonly NoteVerifier[];
  /** Cosignature keys. */
  readonly witnesses: readonly NoteVerifier[];
}

/** Reads keys as they stand on a command line; the first that is none is named. */
export function trustedKeys(
  vkeys: readonly string[],
): { ok: true; keys: TrustedKeys } | { ok: false; bad: string } {
  const signers: NoteVerifier[] = [];
  const witnesses: NoteVerifier[] = [];
  for (const text of vkeys) {
    const key = parseVerifierKey(text.trim());
    if (!key) return { ok: false, bad: text };
    (key.type === NOTE_COSIGNATURE ? witnesses : signers).push(key);
  }
  return { ok: true, keys: { signers, witnesses } };
}

/** What the segments themselves say, each hash computed here. */
interface Examined {
  readonly session: string | null;
  readonly roots: RecordingRoots;
  /** Running root from the database after as many messages as the edge counted; null when there are fewer. */
  readonly backendAtEdge: string | null;
  readonly segments: number;
  readonly last: string | null;
  readonly problem: string | null;
}

interface ProvenEntry {
  readonly index: number;
  readonly entry: LogEntry;
  readonly cosignedBy: readonly string[];
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
  const examined = examineSegments(bundle, session, end?.roots?.backend.entries ?? null);

  check("segments", examined.problem, `${examined.segments} segments, chained to the final one`);
  check("checkpoint signature", log.signature, `signed by ${log.origin}`);
  check("inclusion in the log", log.inclusion, `${log.entries.length} entries are in the signed log`);
  check("session start", startProblem(starts, start, examined, log), describeStart(start));
  check("session end", endProblem(ends, log.entries, session, examined), end ? `ended with ${end.code}` : "");
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

/** Walks the segments in order. Every gap and every altered segment is named, not only the first. */
function examineSegments(
  bundle: RecordingBundle,
  session: string | null,
  edgeCount: number | null,
): Examined {
  const problems: string[] = [];
  const present = bundle.sequences;
  const count = present.length === 0 ? 0 : present[present.length - 1]! + 1;
  const gaps = ranges(present, count);
  if (gaps) problems.push(`${gaps} missing`);
  let chain: ChainVerifier | null = null;
  let running: RunningRoot | null = null;
  let backendAtEdge: string | null = null;
  let broken = count === 0 || gaps !== null;
  let previous: string | null = null;
  let last: string | null = null;
  for (const sequence of present) {
    const bytes = bundle.segment(sequence);
    if (!bytes) {
      problems.push(`segment ${sequence} cannot be read`);
      broken = true;
      previous = null;
      continue;
    }
    const own = readSegment(bytes);
    chain ??= new ChainVerifier(session ?? (own.ok ? own.header.session : ""));
    if (running === null) {
      running = new RunningRoot(chain.session, "backend");
      if (edgeCount === 0) backendAtEdge = running.root;
    }
    if (!broken) {
      const step = chain.next(bytes);
      if (!step.ok) {
        problems.push(`${step.message} (${step.code})${whereabouts(bytes)}`);
        broken = true;
      } else {
        for (const { kind, bytes: message } of step.entries) {
          addBackend(running, kind, message);
          if (backendAtEdge === null && running.count === edgeCount) backendAtEdge = running.root;
        }
      }
    } else if (!own.ok) {
      problems.push(`segment ${sequence}: ${own.message} (${own.code})`);
    } else if (previous !== null && own.header.prev !== previous) {
      problems.push(`segment ${sequence}: does not follow the one before it${whereabouts(bytes)}`);
    } else if (own.header.sequence !== sequence) {
      problems.push(`segment ${sequence}: says that it is ${own.header.sequence}`);
    }
    previous = last = segmentDigest(bytes);
  }
  if (count === 0) problems.push("there is no segment");
  if (!broken && !chain?.final) {
    problems.push(`the recording stops after segment ${count - 1} without an end: what followed is missing`);
  }
  const state = (name: "frontend" | "backend") => ({
    entries: chain?.roots[name].count ?? 0,
    root: chain?.roots[name].root ?? "",
  });
  return {
    session: chain?.session ?? null,
    roots: { frontend: state("frontend"), backend: state("backend") },
    backendAtEdge,
    segments: count,
    last,
    problem: problems.length === 0 ? null : problems.join("; "),
  };
}

function addBackend(root: RunningRoot, kind: EntryKind, bytes: Uint8Array): void {
  if (kind === "backend") root.add(kind, bytes);
  const elided = kind === "elided" ? readElided(bytes) : null;
  if (elided?.kind === "backend") root.addHashed(elided.kind, elided.sha256);
}

/** ` (messages 3–17 of the client, 5–20 of the database, 12:00:01–12:00:02)` of a segment that still reads. */
function whereabouts(bytes: Uint8Array): string {
  const segment = readSegment(bytes);
  if (!segment.ok) return "";
  const { frontend, backend, from, to } = segment.header;
  const clock = (at: number) => (at < 8.64e15 ? new Date(at).toISOString() : String(at));
  return ` [to the database ${frontend.first}\u2013${frontend.next - 1}, from it ${backend.first}\u2013${backend.next - 1}, ${clock(from)} to ${clock(to)}]`;
}

/** `segments 3–5, 9` of those that are not present below `count`; null when none is missing. */
function ranges(present: readonly number[], count: number): string | null {
  const parts: string[] = [];
  let expected = 0;
  for (const sequence of [...present, count]) {
    if (sequence > expected) {
      parts.push(sequence - 1 === expected ? `${expected}` : `${expected}\u2013${sequence - 1}`);
    }
    expected = sequence + 1;
  }
  return parts.length === 0 ? null : `segment ${parts.join(", ")}`;
}

/** Verifies the proofs of the log's entries with whichever of the keys is the log's. */
async function provenEntries(bundle: RecordingBundle, keys: TrustedKeys) {
  const entries: ProvenEntry[] = [];
  const unsigned: string[] = [];
  const unproven: string[] = [];
  let origin = "";
  for (const part of bundle.log) {
    const proof = parseProof(part.proof);
    if (!proof) {
      unproven.push(`entry ${part.index} has no readable proof`);
      continue;
    }
    const name = fromUtf8(proof.checkpoint)?.split("\n")[0] ?? "";
    const log = keys.signers.find((key) => key.name === name);
    if (!log) {
      unsigned.push(`no key of the log ${JSON.stringify(name)} was given`);
      continue;
    }
    const checked = await checkProof(proof, part.entry, log, keys.witnesses);
    if (!checked.ok) {
      if (checked.code === "PROOF_INVALID") unproven.push(`entry ${part.index}: ${checked.message}`);
      else unsigned.push(`checkpoint of entry ${part.index}: ${checked.message}`);
      continue;
    }
    if (origin !== "" && origin !== name) unsigned.push("the entries are of two logs");
    origin = name;
    const decoded = decodeEntry(part.entry);
    if (!decoded.ok) unproven.push(`entry ${part.index}: ${decoded.message}`);
    else if (proof.index !== part.index)
      unproven.push(`entry ${part.index} is number ${proof.index} of the log`);
    else {
      const cosignedBy = checked.verified.slice(1).map((one) => one.verifier.name);
      entries.push({ index: part.index, entry: decoded.entry, cosignedBy });
    }
  }
  if (bundle.log.length === 0) unproven.push("the bundle has no entry of the log");
  const join = (list: readonly string[]) => (list.length === 0 ? null : [...new Set(list)].join("; "));
  const signature = bundle.log.length === 0 ? "the bundle has no checkpoint" : join(unsigned);
  const inclusion = join(unproven) ?? (entries.length === 0 ? "no entry is proven by a given key" : null);
  return { entries, origin, signature, inclusion };
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
  return edge.backend.root === examined.backendAtEdge
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
