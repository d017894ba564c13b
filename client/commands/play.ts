/** `wicket play SESSION`, or an exported file: each statement, its decision and the rows as the person saw them. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import {
  type PlayedResult,
  type PlayedStatement,
  type Transcript,
  TranscriptReader,
} from "../../policies/postgres/transcript.ts";
import { CastReader } from "../../wire/kubernetes/asciicast.ts";
import { ChainVerifier, isSealed, MAX_STORED, SealedChain } from "../../wire/recording.ts";
import { type AuditorKey, openSegment } from "../../wire/recording-seal.ts";
import {
  call,
  type Edge,
  type EdgeOptions,
  edgeOption,
  fetchBytes,
  jsonOption,
  openEdge,
  tokenOption,
} from "../edge.ts";
import { exit, fail } from "../exit.ts";
import { readAuditorKey } from "../recording/auditor.ts";
import { Bodies, bodyLines } from "../recording/bodies.ts";
import { Finds, findLine } from "../recording/finds.ts";
import { inert, inertJson, inertLines } from "../recording/inert.ts";
import { openPlayable, type Playable, type PlayableSession } from "../recording/playable.ts";
import { out, outJson, perform, say, styled, table } from "../terminal.ts";
import { type SessionRow, when } from "./sessions.ts";

/** Longest silence with --speed, milliseconds of the session. */
const SILENCE_MS = 2_000;

interface PlayOptions extends EdgeOptions {
  readonly rows: string;
  readonly body: string;
  readonly format?: "text" | "json" | "cast";
  readonly speed?: string;
  readonly terminal?: string;
  readonly keyFile?: string;
  readonly search?: string;
}

interface SegmentList {
  readonly segments: readonly { readonly sequence: number }[];
}

export function playCommand(): Command {
  return new Command("play")
    .description("Show a session back: each statement, its decision, and the masked rows")
    .argument("<session>", "a session, or a file of `wicket recording export`")
    .option("--key-file <file>", "an auditor's private key, for a sealed recording")
    .option("--rows <n>", "at most so many rows of each result", "50")
    .addOption(
      new Option("--format <format>", "text, json, or cast (asciicast v2)").choices(["text", "json", "cast"]),
    )
    .option("--body <n>", "at most so many characters of each request's body and answer", "2000")
    .option("--speed <factor>", "in its own time, so many times as fast; silence of over 2 s is cut short")
    .option("--terminal <n>", "the terminal of request n, as an asciicast")
    .option(
      "--search <words>",
      "only what has these words: statements, what came of them, and values of rows",
    )
    .addOption(edgeOption())
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action((id: string, options: PlayOptions) => perform(options.json ?? false, () => play(id, options)));
}

async function play(id: string, options: PlayOptions): Promise<number> {
  const rows = Number(options.rows);
  if (!Number.isSafeInteger(rows) || rows < 0) throw fail(exit.usage, "ROWS_INVALID", "--rows is a number");
  const characters = Number(options.body);
  if (!Number.isSafeInteger(characters) || characters < 0)
    throw fail(exit.usage, "BODY_INVALID", "--body is a number");
  const speed = options.speed === undefined ? null : Number(options.speed);
  if (speed !== null && !(speed > 0 && speed <= 1000))
    throw fail(exit.usage, "SPEED_INVALID", "--speed is a number above 0");
  const words = options.search?.trim();
  if (
    words === "" ||
    (words && (options.terminal ?? options.speed ?? (options.format === "cast" || undefined)))
  )
    throw fail(
      exit.usage,
      "SEARCH_INVALID",
      "--search has words, and no --speed, --terminal or cast beside it",
    );
  const finds = words ? new Finds(words) : null;
  const key = await keyOf(options.keyFile);
  const file = /[./]/.test(id) && existsSync(id) ? openFile(id) : null;
  const playable = file ?? (await ofEdge(openEdge(options), id));
  const { session } = playable;
  const terminal = options.terminal === undefined ? null : Number(options.terminal);
  const { transcript, reason, cast, bodies } = await read(
    playable,
    finds ? 0 : rows,
    terminal,
    key,
    finds,
  ).finally(() => file?.close());
  if (finds) return tell(finds, session, transcript, bodies, options);
  if (terminal !== null) {
    if (cast.length === 0)
      throw fail(
        exit.usage,
        "TERMINAL_UNKNOWN",
        `request ${options.terminal} of the session has no terminal`,
      );
    for (const line of cast) out(line);
    return exit.ok;
  }
  if (options.format === "cast") {
    for (const line of castOf(session, transcript, bodies, characters)) out(line);
    return exit.ok;
  }
  if (options.json || options.format === "json") {
    const statements = transcript.statements.map((one) => ({ ...one, ...bodies.texts(one.n) }));
    outJson({ session, verified: true, complete: reason !== null, end: reason, ...transcript, statements });
    return exit.ok;
  }
  heading(session, reason);
  if (file)
    say("From a file: `wicket recording verify` holds it against keys; here only its own chain was checked.");
  let before = transcript.statements[0]?.at ?? 0;
  for (const statement of transcript.statements) {
    if (speed !== null) await sleep(Math.min(Math.max(0, statement.at - before), SILENCE_MS) / speed);
    before = statement.at;
    for (const line of statementLines(statement, session.started)) out(line);
    for (const line of bodyLines(statement, bodies, characters)) out(line);
  }
  for (const { at, kind, text } of transcript.facts) out(`${when(at)}  ${kind}: ${inert(text)}`);
  if (transcript.elided) say("Rows of this task are not recorded (recording level: statements).");
  if (reason === null) {
    say(
      session.ended === null ? "The session is still open." : "The end of the recording has not arrived yet.",
    );
  }
  return exit.ok;
}

/** What was found. Finding nothing is an answer too. */
function tell(
  finds: Finds,
  session: PlayableSession,
  transcript: Transcript,
  bodies: Bodies,
  options: PlayOptions,
): number {
  const found = finds.of(transcript, bodies);
  if (options.json || options.format === "json") {
    outJson({ session, found, beyond: finds.beyond, elided: transcript.elided });
    return exit.ok;
  }
  for (const find of found) out(findLine(find, session.started));
  if (finds.beyond > 0) say(`and ${finds.beyond} more values in rows`);
  if (transcript.elided) say("Rows of this task are not recorded (recording level: statements).");
  if (found.length === 0) say("Nothing has these words.");
  return exit.ok;
}

function openFile(path: string): Playable & { close(): void } {
  try {
    return openPlayable(path);
  } catch (error) {
    throw fail(exit.integrity, "FILE_DAMAGED", `${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The recording of a session, as the edge has it. */
async function ofEdge(edge: Edge, id: string): Promise<Playable> {
  const path = `/api/sessions/${encodeURIComponent(id)}`;
  const session = await call<SessionRow>(edge, path);
  const { segments } = await call<SegmentList>(edge, `${path}/recording`);
  const bytes = ({ sequence }: { readonly sequence: number }) =>
    fetchBytes(edge, `${path}/recording/${sequence}`, MAX_STORED);
  return { session, segments: segments.map((one) => () => bytes(one)) };
}

async function keyOf(path: string | undefined): Promise<AuditorKey | null> {
  if (path === undefined) return null;
  const problem = (message: string) => fail(exit.usage, "KEY_INVALID", message);
  const key = await readAuditorKey(path).catch((error: unknown) => {
    throw problem(error instanceof Error ? error.message : String(error));
  });
  if (!key) throw problem(`${path} is not an auditor's key (JWK, X25519 or P-256)`);
  return key;
}

/** Reads the segments and holds each against the chain; sealed ones by what is stored, and by what was opened. */
async function read(
  { session, segments }: Playable,
  rows: number,
  terminal: number | null,
  key: AuditorKey | null,
  finds: Finds | null,
): Promise<{ transcript: Transcript; reason: string | null; cast: readonly string[]; bodies: Bodies }> {
  const cast = new CastReader();
  const bodies = new Bodies();
  const chain = new ChainVerifier(session.id);
  const sealed = new SealedChain(session.id);
  const reader = new TranscriptReader(rows, (piece) => {
    bodies.add(piece);
    if (piece.n === terminal) cast.piece(piece);
  });
  const held = <T extends { readonly ok: boolean }>(step: T) => {
    if (step.ok) return step as Extract<T, { readonly ok: true }>;
    const { code, message } = step as unknown as { code: string; message: string };
    throw fail(exit.integrity, code, `the recording is damaged: ${message}`);
  };
  for (const fetch of segments) {
    const stored = await fetch();
    let bytes = stored;
    if (isSealed(stored)) {
      const { header } = held(sealed.next(stored));
      if (!key) throw sealedFault(header.sealed ?? []);
      const opened = await openSegment(stored, key);
      if (!opened.ok && opened.code === "KEY_UNKNOWN")
        throw fail(exit.denied, "KEY_UNKNOWN", `the recording ${opened.message}`);
      bytes = held(opened).bytes;
    }
    const segment = held(chain.next(bytes));
    for (const entry of segment.entries) {
      reader.entry(entry);
      finds?.entry(entry);
      if (terminal !== null && entry.kind === "event") castLine(entry.bytes, terminal, cast);
    }
  }
  return { transcript: reader.transcript, reason: chain.final?.reason ?? null, cast: cast.lines, bodies };
}

function sealedFault(to: readonly string[]) {
  return fail(
    exit.denied,
    "RECORDING_SEALED",
    `the recording is sealed to ${to.join(", ")}: only an auditor's key opens it`,
    "Give the auditor's private key: --key-file auditor.jwk. What is stored can be checked without it: wicket recording verify",
  );
}

/** Adds the line of the terminal of request `n` in an event; other events have none. */
function castLine(bytes: Uint8Array, n: number, cast: CastReader): void {
  const { event } = JSON.parse(new TextDecoder().decode(bytes)) as {
    event?: { t: string; n: number; line: unknown };
  };
  if (event?.t === "cast" && event.n === n) cast.line(event.line);
}

/** The transcript as an asciicast v2: each statement at its time, as `play` prints it. */
function castOf(
  session: PlayableSession,
  transcript: Transcript,
  bodies: Bodies,
  characters: number,
): string[] {
  const title = inert(`${session.task} on ${session.resource}`);
  const header = { version: 2, width: 120, height: 40, timestamp: Math.floor(session.started / 1000), title };
  const events = transcript.statements.map((statement) => {
    const lines = [
      ...statementLines(statement, session.started),
      ...bodyLines(statement, bodies, characters),
    ];
    const text = lines.map((line) => `${line}\r\n`);
    const at = Math.max(0, statement.at - session.started) / 1000;
    return inertJson(JSON.stringify([at, "o", text.join("")]));
  });
  return [JSON.stringify(header), ...events];
}

/** `end`: the reason that the recording's end gives; it can be there before the edge's list knows of it. */
function heading(session: PlayableSession, end: string | null): void {
  const who = session.name ?? session.subject;
  out(
    styled(
      "bold",
      `${inert(who)} on ${inert(session.resource)}, ${inert(session.task)}, ${when(session.started)}`,
    ),
  );
  if (session.reason) out(`reason: ${inert(session.reason)}`);
  const state = session.ended === null ? "open" : (session.end_code ?? "ended");
  out(`session ${session.id}: ${end ?? state}`);
}

function statementLines(statement: PlayedStatement, started: number): string[] {
  const lines: string[] = [];
  const { n, at, text, decision, outcome, params } = statement;
  const seconds = ((at - started) / 1000).toFixed(1);
  lines.push("");
  const [first = "", ...more] = inertLines(text).split("\n");
  lines.push(styled("bold", `${n}. +${seconds}s  ${first}`));
  for (const line of more) lines.push(`   ${line}`);
  params.forEach((value, i) => {
    lines.push(`   $${i + 1} = ${inert(typeof value === "string" ? value : JSON.stringify(value))}`);
  });
  lines.push(`   ${decisionText(statement)}`);
  for (const result of statement.results) {
    if (result.columns.length > 0) {
      const rows = table(
        result.columns.map((name, i) => ({ title: inert(name) + markWords(result.marks[i]) })),
        result.rows.map(nullShown),
      );
      for (const line of rows.split("\n")) lines.push(`   ${line}`);
      if (result.count > result.rows.length)
        lines.push(`   … ${result.count - result.rows.length} more rows`);
    }
    if (result.tag) lines.push(`   ${inert(result.tag)}`);
  }
  if (outcome === null) lines.push("   (the session ended before it was done)");
  else if (!outcome.ok && decision.effect === "allow") {
    lines.push(styled("red", `   error ${outcome.sqlstate ?? ""}: ${inert(outcome.message ?? "")}`));
  }
  return lines;
}

function markWords(mark: PlayedResult["marks"][number] | undefined): string {
  return mark ? ` (${mark})` : "";
}

function decisionText({ decision, outcome }: PlayedStatement): string {
  const where = decision.rule === null ? decision.reason : `${decision.reason}, ${decision.rule}`;
  const masked = decision.masked.length === 0 ? "" : `; masked: ${inert(decision.masked.join(", "))}`;
  const took = outcome === null ? "" : `, ${outcome.ms} ms`;
  if (decision.effect === "deny") return styled("red", `denied: ${inert(decision.message)} (${where})`);
  if (decision.effect === "hold") return styled("yellow", `held for approval (${where})${masked}${took}`);
  return styled("green", `allowed${took}${masked}`);
}

function nullShown(row: readonly (string | null)[]): string[] {
  return row.map((value) => value ?? "∅");
}
