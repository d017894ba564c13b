/** A session's way into the log, out as a bundle, and through the command line's verifier. Real edge and database. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../client/recording/verify.ts";
import { utf8 } from "../wire/log/bytes.ts";
import { openCheckpoint } from "../wire/log/checkpoint.ts";
import { parseVerifierKey } from "../wire/log/note.ts";
import { type RecordedEdge, startRecordedEdge } from "./support/recorded-edge.ts";

let edge: RecordedEdge;

beforeAll(async () => {
  edge = await startRecordedEdge();
});
afterAll(() => edge?.stop());

test("a session is exported and verified, and one changed byte ends with exit code 7", async () => {
  const recorded = await edge.record();
  await edge.upload(recorded);
  const exported = await edge.export(recorded.id, "whole.zip");
  expect(exported, exported.err).toMatchObject({ code: 0 });
  const { file } = exported;

  const known = await edge.keys();
  const trust = ["--key", known.log, "--key", known.connector];
  const verified = await edge.wicket("verify", file, ...trust, "--json");
  const report = JSON.parse(verified.out) as Report;
  expect(report.checks.filter((one) => one.verdict === "FAIL")).toEqual([]);
  expect(report).toMatchObject({ ok: true, session: recorded.id });
  expect(verified.code).toBe(0);
  expect(report.checks.find((one) => one.property === "edge's root")?.verdict).toBe("PASS");

  const bytes = readFileSync(file);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  const changed = join(edge.folder, "changed.zip");
  writeFileSync(changed, bytes);
  expect((await edge.wicket("verify", changed, ...trust)).code).toBe(7);
  expect((await edge.wicket("verify", file, "--key", known.log)).code).toBe(7);
  expect((await edge.wicket("verify", file, "--key", "nonsense")).code).toBe(2);
  expect((await edge.export(recorded.id, "whole.zip")).code).toBe(1);
});

test("without the connector's statement the recording does not pass", async () => {
  const recorded = await edge.record();
  await edge.upload(recorded, null);
  const { code, file } = await edge.export(recorded.id, "unsigned.zip");
  expect(code).toBe(0);
  const known = await edge.keys();
  const verified = await edge.wicket("verify", file, "--key", known.log, "--key", known.connector);
  expect(verified.code).toBe(7);
  expect(verified.out).toMatch(/FAIL\s+connector's statement\s+the connector's statement is missing/);
});

test("the log is read by anyone, its entries by administrators only", async () => {
  const { lab } = edge;
  const known = await edge.keys();
  const answer = await fetch(`${lab.origin}/log/checkpoint`);
  const opened = await openCheckpoint(utf8(await answer.text()), parseVerifierKey(known.log)!);
  if (!opened.ok) throw new Error(opened.message);
  const width = opened.checkpoint.size % 256;
  const tile = await fetch(`${lab.origin}/log/tile/0/000.p/${width}`);
  expect((await tile.arrayBuffer()).byteLength).toBe(width * 32);
  const entries = `/log/tile/entries/000.p/${width}`;
  expect((await lab.call(null, "GET", entries)).status).toBe(401);
  expect((await lab.call("ana", "GET", entries)).status).toBe(403);
  expect((await lab.call("ada", "GET", entries)).status).toBe(200);
  expect((await lab.call(null, "GET", "/log/tile/0/1")).status).toBe(404);
  const proof = `/api/sessions/${edge.sessions[0]}/recording/proof`;
  expect((await lab.call("omar", "GET", proof)).status).toBe(404);
});
