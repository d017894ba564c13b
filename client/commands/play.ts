/** `wicket play SESSION`: each statement, its decision and the rows as the person saw them. */
import { Command } from "commander";
import {
  type PlayedStatement,
  type Transcript,
  TranscriptReader,
} from "../../policies/postgres/transcript.ts";
import { ChainVerifier, MAX_SEGMENT } from "../../wire/recording.ts";
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
import { inert, inertLines } from "../recording/inert.ts";
import { out, outJson, perform, say, styled, table } from "../terminal.ts";
import { type SessionRow, when } from "./sessions.ts";

interface PlayOptions extends EdgeOptions {
  readonly rows: string;
}

interface SegmentList {
  readonly segments: readonly { readonly sequence: number }[];
  readonly final: string | null;
}

export function playCommand(): Command {
  return new Command("play")
    .description("Show a session back: each statement, its decision, and the masked rows")
    .argument("<session>")
    .option("--rows <n>", "at most so many rows of each result", "50")
    .addOption(edgeOption())
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action((id: string, options: PlayOptions) => perform(options.json ?? false, () => play(id, options)));
}

async function play(id: string, options: PlayOptions): Promise<number> {
  const rows = Number(options.rows);
  if (!Number.isSafeInteger(rows) || rows < 0) throw fail(exit.usage, "ROWS_INVALID", "--rows is a number");
  const edge = openEdge(options);
  const path = `/api/sessions/${encodeURIComponent(id)}`;
  const session = await call<SessionRow>(edge, path);
  const list = await call<SegmentList>(edge, `${path}/recording`);
  const { transcript, reason } = await read(edge, path, session.id, list, rows);
  if (options.json) {
    outJson({ session, verified: true, complete: reason !== null, end: reason, ...transcript });
    return exit.ok;
  }
  heading(session);
  for (const statement of transcript.statements) showStatement(statement, session.started);
  for (const { at, kind, text } of transcript.facts) out(`${when(at)}  ${kind}: ${inert(text)}`);
  if (transcript.elided) say("Rows of this task are not recorded (recording level: statements).");
  if (reason === null) {
    say(
      session.ended === null ? "The session is still open." : "The end of the recording has not arrived yet.",
    );
  }
  return exit.ok;
}

/** Fetches the segments and holds each against the chain. */
async function read(
  edge: Edge,
  path: string,
  session: string,
  list: SegmentList,
  rows: number,
): Promise<{ transcript: Transcript; reason: string | null }> {
  const chain = new ChainVerifier(session);
  const reader = new TranscriptReader(rows);
  for (const { sequence } of list.segments) {
    const bytes = await fetchBytes(edge, `${path}/recording/${sequence}`, MAX_SEGMENT);
    const segment = chain.next(bytes);
    if (!segment.ok) {
      throw fail(exit.integrity, segment.code, `the recording is damaged: ${segment.message}`);
    }
    for (const entry of segment.entries) reader.entry(entry);
  }
  return { transcript: reader.transcript, reason: chain.final?.reason ?? null };
}

function heading(session: SessionRow): void {
  const who = session.name ?? session.subject;
  out(
    styled(
      "bold",
      `${inert(who)} on ${inert(session.resource)}, ${inert(session.task)}, ${when(session.started)}`,
    ),
  );
  if (session.reason) out(`reason: ${inert(session.reason)}`);
  const end = session.ended === null ? "open" : (session.end_code ?? "ended");
  out(`session ${session.id}: ${end}`);
}

function showStatement(statement: PlayedStatement, started: number): void {
  const { n, at, text, decision, outcome, params } = statement;
  const seconds = ((at - started) / 1000).toFixed(1);
  out("");
  const [first = "", ...more] = inertLines(text).split("\n");
  out(styled("bold", `${n}. +${seconds}s  ${first}`));
  for (const line of more) out(`   ${line}`);
  params.forEach((value, i) => {
    out(`   $${i + 1} = ${inert(typeof value === "string" ? value : JSON.stringify(value))}`);
  });
  out(`   ${decisionText(statement)}`);
  for (const result of statement.results) {
    if (result.columns.length > 0) {
      const lines = table(
        result.columns.map((title) => ({ title: inert(title) })),
        result.rows.map(nullShown),
      );
      for (const line of lines.split("\n")) out(`   ${line}`);
      if (result.count > result.rows.length) out(`   … ${result.count - result.rows.length} more rows`);
    }
    if (result.tag) out(`   ${inert(result.tag)}`);
  }
  if (outcome === null) out("   (the session ended before it was done)");
  else if (!outcome.ok && decision.effect === "allow") {
    out(styled("red", `   error ${outcome.sqlstate ?? ""}: ${inert(outcome.message ?? "")}`));
  }
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
